import { badRequest } from '../errors.js';
import type { PatchRules } from '../patch/patch.js';
import { property } from '../patch/rules.js';

/** What shall remain of the quota in the current period; `null` when nothing was said. */
export interface QuotaChange {
  readonly remaining: number | null;
}

/** UpdateUsage. */
export const usagePatchRules: PatchRules<QuotaChange> = {
  style: 'listsPaths',
  rules: [
    property('/remaining', 'remaining', (value) => {
      if (!/^\d{1,15}$/.test(value))
        throw badRequest(`Invalid value for /remaining: expected a whole number >= 0, got "${value}"`);
      return Number(value);
    }),
  ],
};
