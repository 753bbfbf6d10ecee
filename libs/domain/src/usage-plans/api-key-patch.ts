import type { PatchRules } from '../patch/patch.js';
import { flag, property, valueList } from '../patch/rules.js';
import type { ApiKey } from './usage-plan.js';

/** UpdateApiKey. Without `/labels`, which AWS lists and shows nowhere. */
export const apiKeyPatchRules: PatchRules<ApiKey> = {
  style: 'listsPaths',
  rules: [
    property('/name', 'name', (value) => value),
    property('/description', 'description', (value) => value),
    property('/enabled', 'enabled', flag),
    property('/customerId', 'customerId', (value) => value),
    valueList('/stages', 'stageKeys'),
  ],
};
