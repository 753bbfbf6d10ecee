/**
 * Parses YAML beside the main thread. The parser takes quadratic time for some texts, and as much memory as a text asks for; a thread can be
 * given little of both, and ended. See parse-document.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { isAlias, isMap, isScalar, parseDocument, visit, type Document } from 'yaml';

/** Of all `<<` together: each copies what it names. */
const MERGED_MEMBERS_MAX = 500_000;

const document = parseDocument(String(workerData), { uniqueKeys: false, prettyErrors: false, logLevel: 'silent', merge: true });
// Aliases are counted where they are walked (`checkBounds`): here they are one value in several places.
const isBearable = document.errors.length === 0 && mergedMembers(document) <= MERGED_MEMBERS_MAX;
parentPort!.postMessage(isBearable ? { value: document.toJS({ maxAliasCount: -1 }) as unknown } : null);

/** How many members the document's merges copy. A map that is merged has the size it grew to by its own merges. */
function mergedMembers(document: Document): number {
  const sizes = new Map<string, number>();
  let total = 0;
  visit(document, {
    Map(_key, map) {
      if (map.anchor !== undefined) sizes.set(map.anchor, map.items.length);
    },
    Pair(_key, pair, ancestors) {
      if (!isMergeKey(pair.key)) return;
      const names = [pair.value, ...(isCollectionOfNodes(pair.value) ? pair.value.items : [])];
      const merged = names.reduce((sum: number, node) => sum + (isAlias(node) ? (sizes.get(node.source) ?? 0) : 0), 0);
      total += merged;
      const map = ancestors.at(-1);
      if (isMap(map) && map.anchor !== undefined) sizes.set(map.anchor, (sizes.get(map.anchor) ?? 0) + merged);
      if (total > MERGED_MEMBERS_MAX) return visit.BREAK;
    },
  });
  return total;
}

/** The parser makes a symbol of it. */
function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (typeof key.value === 'symbol' ? key.value.description : key.value) === '<<';
}

function isCollectionOfNodes(value: unknown): value is { items: unknown[] } {
  return typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items);
}
