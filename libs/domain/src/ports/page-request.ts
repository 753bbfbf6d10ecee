import type { PageRequest } from './store.js';

const LIMIT_DEFAULT = 25;
const LIMIT_MAX = 500;

/**
 * `position` and `limit` of the v1 list operations. A limit out of bounds is moved into them: AWS answers such a request
 * with 200 too.
 */
export function pageRequest(input: { readonly position?: string; readonly limit?: number }): PageRequest {
  const limit = input.limit ?? LIMIT_DEFAULT;
  return {
    after: input.position ?? null,
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, LIMIT_MAX) : LIMIT_DEFAULT,
  };
}
