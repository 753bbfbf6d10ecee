import { ManualClock, sha256Hex } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { DiskStore } from './disk-store.js';
import { ManifestKeeper } from './manifest-keeper.js';
import type { LinkEntry, ManifestChange } from './manifest.js';
import { MemoryFiles } from './memory-files.js';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const TENANT = '123456789012';

function keyEntry(index: number): LinkEntry {
  const id = index.toString(36).padStart(10, '0');
  const inline = JSON.stringify({
    apiKeyId: id,
    enabled: true,
    tenant: TENANT,
    usagePlanIds: ['pl4n01'],
    valueDigest: sha256Hex(id),
  });
  return { kind: 'API_KEY', id, tenant: TENANT, revision: index + 1, digest: null, blobBytes: 0, inline };
}
const bytes = Buffer.from('a stage');
const stage: LinkEntry = {
  kind: 'STAGE',
  id: 'abc123defg/prod',
  tenant: TENANT,
  revision: 1,
  digest: sha256Hex(bytes),
  blobBytes: bytes.length,
  inline: '',
};

test('a node with very many keys serves all of them after a start, some at a time; one that is refused is refused alone', async () => {
  const count = 60_001;
  const store = await DiskStore.open(new MemoryFiles());
  await store.writeBlob(stage.digest!, bytes);
  const entries = [...Array.from({ length: count }, (_, index) => keyEntry(index)), stage];
  await store.changes.rewrite({ revision: 200_000, entries, lastGood: [], seal: null });

  const served = new Map<string, string>();
  const changes: ManifestChange[] = [];
  const refused = keyEntry(59_000).id;
  const keeper = new ManifestKeeper({
    store,
    apply: (change) => {
      changes.push(change);
      for (const { kind, id, inline } of change.entries) if (id !== refused) served.set(`${kind} ${id}`, inline);
      const isIn = change.entries.some(({ id }) => id === refused);
      return isIn ? [{ kind: 'API_KEY', id: refused, reason: 'it is not liked' }] : [];
    },
    getBlob: () => Promise.resolve(null),
    fetchBlob: () => Promise.resolve(false),
    clock: new ManualClock(),
    log: quiet,
  });
  await keeper.load();

  expect([keeper.entryCount, keeper.revision, keeper.isComplete]).toEqual([count + 1, 200_000, true]);
  expect([...keeper.refusals.values()]).toMatchObject([{ id: refused, reason: 'it is not liked' }]);
  expect(served.size).toBe(count);
  const wrong = entries.filter(({ kind, id, inline }) => id !== refused && served.get(`${kind} ${id}`) !== inline);
  expect(wrong).toEqual([]);
  expect(changes[0]!.entries.filter(({ kind }) => kind === 'STAGE')).toEqual([stage]);
  for (const change of changes) expect(change.entries.length).toBeLessThanOrEqual(50_001);
});
