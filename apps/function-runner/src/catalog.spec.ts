import type { FunctionEntry } from '@gatehouse/contracts';
import { expect, test } from 'vitest';
import { ManifestCatalog } from './catalog.js';

const DIGEST = 'a'.repeat(64);
let revision = 0;

function entry(version: string, over: Partial<FunctionEntry> = {}) {
  const content: FunctionEntry = {
    tenant: '111122223333',
    region: 'us-east-1',
    functionName: 'f',
    version,
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    timeoutMs: 3_000,
    memoryMb: 128,
    environment: {},
    aliases: [],
    weightedAliases: {},
    reservedConcurrency: null,
    permissions: [],
    codeSha256: '',
    ...over,
  };
  const id = `111122223333:f:${version}`;
  return {
    kind: 'FUNCTION' as const,
    id,
    tenant: content.tenant,
    revision: ++revision,
    digest: DIGEST,
    blobBytes: 1,
    inline: JSON.stringify(content),
  };
}
const noCode = async () => null;
const versionOf = (catalog: ManifestCatalog, qualifier: string | null) =>
  catalog.find('111122223333', 'f', qualifier)?.entry.version ?? null;

test('a version is found by number, by alias and as $LATEST; other tenants and names find nothing', () => {
  const catalog = new ManifestCatalog();
  catalog.apply({ revision: 1, entries: [entry('$LATEST'), entry('1', { aliases: ['live'] })], removed: [] }, noCode);
  expect([null, '$LATEST', '1', 'live', '2', 'other'].map((qualifier) => versionOf(catalog, qualifier))).toEqual([
    '$LATEST',
    '$LATEST',
    '1',
    '1',
    null,
    null,
  ]);
  expect(catalog.find('999988887777', 'f', null)).toBeNull();
  expect(catalog.find('111122223333', 'g', null)).toBeNull();
});

test('an alias with weights sends each version its share', () => {
  let draw = 0;
  const catalog = new ManifestCatalog(() => draw);
  catalog.apply(
    { revision: 1, entries: [entry('1', { aliases: ['live'] }), entry('2', { weightedAliases: { live: 0.25 } })], removed: [] },
    noCode,
  );
  const chosen = [0, 0.24, 0.25, 0.99].map((value) => ((draw = value), versionOf(catalog, 'live')));
  expect(chosen).toEqual(['2', '2', '1', '1']);
});

test('what is removed is not found any more, and its code is in use no longer', () => {
  const catalog = new ManifestCatalog();
  const changes: (readonly string[])[] = [];
  catalog.onChange((ids) => changes.push(ids));
  catalog.apply({ revision: 1, entries: [entry('$LATEST')], removed: [] }, noCode);
  expect(catalog.hasCode(DIGEST)).toBe(true);
  catalog.apply(
    {
      revision: 2,
      entries: [],
      removed: [
        { kind: 'FUNCTION', id: '111122223333:f:$LATEST' },
        { kind: 'FUNCTION', id: 'unknown' },
      ],
    },
    noCode,
  );
  expect(versionOf(catalog, null)).toBeNull();
  expect(catalog.hasCode(DIGEST)).toBe(false);
  expect(changes).toEqual([['111122223333:f:$LATEST'], ['111122223333:f:$LATEST']]);
});

test('an entry without code is refused', () => {
  const catalog = new ManifestCatalog();
  const refusals = catalog.apply({ revision: 1, entries: [{ ...entry('$LATEST'), digest: null }], removed: [] }, noCode);
  expect(refusals).toEqual([{ kind: 'FUNCTION', id: '111122223333:f:$LATEST', reason: 'a function without code' }]);
});

test('a revision is waited for, but not for ever', async () => {
  const catalog = new ManifestCatalog();
  const reached = catalog.reached(2, 10_000);
  const tooLate = catalog.reached(3, 1);
  catalog.apply({ revision: 2, entries: [], removed: [] }, noCode);
  expect(await reached).toBe(true);
  expect(await tooLate).toBe(false);
  expect(await catalog.reached(1, 0)).toBe(true);
});
