import { badRequest } from '../errors.js';
import type { PatchRules } from '../patch/patch.js';
import { property, valueList } from '../patch/rules.js';
import type { AccountSettings } from './account.js';

const USAGE_PLANS = 'UsagePlans';

/** UpdateAccount. Throttle settings are the operator's and have no path. */
export const accountPatchRules: PatchRules<AccountSettings> = {
  style: 'listsPaths',
  rules: [
    property('/cloudwatchRoleArn', 'cloudwatchRoleArn', readRoleArn),
    {
      ...valueList<AccountSettings, 'features'>('/features', 'features', checkFeature),
      remove: ({ value }) => {
        checkFeature(value);
        throw badRequest('Usage Plans cannot be disabled once enabled');
      },
    },
  ],
};

/** Empty clears it (Terraform, on destroy). */
function readRoleArn(text: string): string | null {
  if (text === '') return null;
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\x21-\x7e]{1,576}$/.test(text)) throw badRequest('The role ARN is not well formed');
  return text;
}

function checkFeature(feature: string): string {
  if (feature !== USAGE_PLANS) throw badRequest(`Invalid feature "${feature}". Valid options are ${USAGE_PLANS}`);
  return feature;
}
