import { badRequest } from '../errors.js';
import { invalidPatchPath } from '../invalid-patch-path.js';

/** UpdateUsage: what shall remain of the quota of the current period; `null` when nothing is said. The last operation wins. */
export function readRemaining(
  operations: readonly { readonly op?: string; readonly path?: string; readonly value?: string }[],
): number | null {
  return operations.reduce<number | null>((_, { op, path, value = '' }) => {
    if (op !== 'replace' || path !== '/remaining') throw invalidPatchPath(op, path, { replace: ['/remaining'] });
    const remaining = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (Number.isNaN(remaining)) throw badRequest(`Invalid value for /remaining: expected a whole number >= 0, got "${value}"`);
    return remaining;
  }, null);
}
