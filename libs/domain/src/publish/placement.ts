import { badRequest } from '../errors.js';
import type { EntryContent, ManifestEntry } from './publish.js';

/** Serves what is bound to no pool; its nodes are those without a label `pool`. */
export const DEFAULT_POOL = 'default';
/** On a REST API: the pool whose nodes serve it, wherever its tenant is placed. */
export const POOL_TAG = 'gatehouse:pool';

/** Throws unless a node can bear this name in its label `pool`; `what` says where it stands. */
export function checkPool(pool: string, what: string): string {
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(pool))
    throw badRequest(`Invalid ${what}: expected the name of a pool, 1 to 128 of A-Z a-z 0-9 . _ -, got "${pool}"`);
  return pool;
}

export const poolsOf = (content: EntryContent): readonly string[] => content.pools ?? [DEFAULT_POOL];

/** As `EntryContent.pools` has it: sorted, once each, and absent when it is the default pool alone. */
export function poolsField(pools: Iterable<string>): { readonly pools?: readonly string[] } {
  const sorted = [...new Set(pools)].sort();
  return sorted.length === 0 || (sorted.length === 1 && sorted[0] === DEFAULT_POOL) ? {} : { pools: sorted };
}

/** Where an entry was and is no more, once `content` takes the place of what it is: those nodes are to forget it. */
export function formerPoolsAfter(present: ManifestEntry | null, content: EntryContent | null): readonly string[] {
  if (present === null) return [];
  const before = new Set(present.formerPools ?? []);
  if (present.content !== null) for (const pool of poolsOf(present.content)) before.add(pool);
  else if (before.size === 0) before.add(DEFAULT_POOL);
  if (content !== null) for (const pool of poolsOf(content)) before.delete(pool);
  return [...before].sort();
}

/** As `ManifestEntry.formerPools` has it. */
export function formerPoolsField(pools: readonly string[], isRemoval: boolean): { readonly formerPools?: readonly string[] } {
  const isUsual = pools.length === 0 || (isRemoval && pools.length === 1 && pools[0] === DEFAULT_POOL);
  return isUsual ? {} : { formerPools: pools };
}

/** What a node of this pool is told of the entry: all of it, its removal, or nothing because the pool never had it. */
export function entryForPool(entry: ManifestEntry, pool: string): ManifestEntry | null {
  const { content, formerPools } = entry;
  if (content !== null && poolsOf(content).includes(pool)) return entry;
  const former = formerPools ?? (content === null ? [DEFAULT_POOL] : []);
  if (!former.includes(pool)) return null;
  const { kind, id, tenant, revision } = entry;
  return { kind, id, tenant, revision, content: null };
}
