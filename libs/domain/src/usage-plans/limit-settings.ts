/** How exactly a plan's limits hold over several nodes, and what becomes of them without a lease book: two tags of the plan. docs/limits.md. */
import { badRequest } from '../errors.js';
import type { TextMap } from '../rest-apis/rest-api.js';

export interface LimitSettings {
  /** FAST: no request waits, and a little may be admitted beyond the limit. STRICT: nothing is, and a request may wait for a lease. */
  readonly mode: 'FAST' | 'STRICT';
  /** While leases cannot be had: OPEN: each node counts alone. CLOSED: what no lease covers is refused. */
  readonly fallback: 'OPEN' | 'CLOSED';
}

export const LIMIT_MODE_TAG = 'gatehouse:limit-mode';
export const LIMIT_FALLBACK_TAG = 'gatehouse:limit-fallback';
/** Of a stage: whether its callers are told of their limits. AWS tells them nothing. */
export const LIMIT_HEADERS_TAG = 'gatehouse:limit-headers';

const MODES = { fast: 'FAST', strict: 'STRICT' } as const;
const FALLBACKS = { open: 'OPEN', closed: 'CLOSED' } as const;

/** Throws BadRequest for a value that means nothing. A strict plan is closed unless it says otherwise. */
export function readLimitSettings(tags: TextMap): LimitSettings {
  const mode = readTag(tags, LIMIT_MODE_TAG, MODES, 'FAST');
  return { mode, fallback: readTag(tags, LIMIT_FALLBACK_TAG, FALLBACKS, mode === 'STRICT' ? 'CLOSED' : 'OPEN') };
}

/** Throws BadRequest for a value of a stage's tag that means nothing. */
export function readLimitHeaders(tags: TextMap): boolean {
  return readTag(tags, LIMIT_HEADERS_TAG, { on: true, off: false }, true);
}

function readTag<V>(tags: TextMap, tag: string, values: Readonly<Record<string, V>>, absent: V): V {
  if (!Object.hasOwn(tags, tag)) return absent;
  const text = tags[tag]!;
  if (!Object.hasOwn(values, text))
    throw badRequest(`Invalid value of tag "${tag}": expected one of ${Object.keys(values).join(', ')}, got "${text}"`);
  return values[text]!;
}
