/** How exactly a plan's limits hold over several nodes, and what becomes of them without a lease book: two tags of the plan. docs/limits.md. */
import type { TextMap } from '../rest-apis/rest-api.js';
import { choiceOfTag } from '../tenancy/tags.js';

export interface LimitSettings {
  /** FAST: no request waits, and a little may be admitted beyond the limit. STRICT: nothing is, and a request may wait for a lease. */
  readonly mode: 'FAST' | 'STRICT';
  /** While leases cannot be had: OPEN: each node counts alone. CLOSED: what no lease covers is refused. */
  readonly fallback: 'OPEN' | 'CLOSED';
}

export const LIMIT_MODE_TAG = 'gatehouse:limit-mode';
export const LIMIT_FALLBACK_TAG = 'gatehouse:limit-fallback';

const MODES = { fast: 'FAST', strict: 'STRICT' } as const;
const FALLBACKS = { open: 'OPEN', closed: 'CLOSED' } as const;

/** Throws BadRequest for a value that means nothing. A strict plan is closed unless it says otherwise. */
export function readLimitSettings(tags: TextMap): LimitSettings {
  const mode = choiceOfTag(tags, LIMIT_MODE_TAG, MODES, 'FAST');
  return { mode, fallback: choiceOfTag(tags, LIMIT_FALLBACK_TAG, FALLBACKS, mode === 'STRICT' ? 'CLOSED' : 'OPEN') };
}
