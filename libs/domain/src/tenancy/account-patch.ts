import { badRequest } from '../errors.js';
import { invalidPatchPath } from '../invalid-patch-path.js';
import type { AccountSettings } from './account.js';

const PATHS = { replace: ['/cloudwatchRoleArn'], add: ['/features'], remove: ['/features'] };
const USAGE_PLANS = 'UsagePlans';

/** UpdateAccount. Throttle settings are the operator's and have no path. */
export function patchAccount(
  settings: AccountSettings,
  operations: readonly { readonly op?: string; readonly path?: string; readonly value?: string }[],
): AccountSettings {
  return operations.reduce<AccountSettings>((present, { op, path, value = '' }) => {
    switch (`${op} ${path}`) {
      case 'replace /cloudwatchRoleArn':
        return { ...present, cloudwatchRoleArn: readRoleArn(value) };
      case 'add /features':
        checkFeature(value);
        return present.features.includes(value) ? present : { ...present, features: [...present.features, value] };
      case 'remove /features':
        checkFeature(value);
        throw badRequest('Usage Plans cannot be disabled once enabled');
      default:
        throw invalidPatchPath(op, path, PATHS);
    }
  }, settings);
}

/** Empty clears it (Terraform, on destroy). */
function readRoleArn(text: string): string | null {
  if (text === '') return null;
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\x21-\x7e]{1,576}$/.test(text)) throw badRequest('The role ARN is not well formed');
  return text;
}

function checkFeature(feature: string): void {
  if (feature !== USAGE_PLANS) throw badRequest(`Invalid feature "${feature}". Valid options are ${USAGE_PLANS}`);
}
