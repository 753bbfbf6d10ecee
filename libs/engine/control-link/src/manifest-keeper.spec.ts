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

/** Counts how often the disk is asked for a blob. */
class CountedFiles extends MemoryFiles {
  looks = 0;
  override size(name: string): Promise<number | null> {
    this.looks++;
    return super.size(name);
  }
}

async function stageKeeper() {
  const files = new CountedFiles();
  const store = await DiskStore.open(files);
  const clock = new ManualClock();
  const fetched: string[] = [];
  const keeper = new ManifestKeeper({
    store,
    apply: () => [],
    getBlob: () => Promise.resolve(null),
    fetchBlob: async (digest) => {
      fetched.push(digest);
      return store.writeBlob(digest, contentOf.get(digest)!);
    },
    clock,
    log: quiet,
  });
  await keeper.load();
  let revision = 0;
  const publish = (text: string, isFirst = false, fetch?: (digest: string) => Promise<boolean>): Promise<void> => {
    const content = Buffer.from(text);
    const entry = { ...stage, revision: ++revision, digest: sha256Hex(content), blobBytes: content.length };
    contentOf.set(entry.digest, content);
    const changes = new Map([['STAGE abc123defg/prod', { name: stage, entry }]]);
    return keeper.adopt({ revision, changes, replaces: 'nothing', seal: null }, isFirst, fetch);
  };
  const onDisk = (text: string): boolean => [...files.files.keys()].some((name) => name.endsWith(sha256Hex(Buffer.from(text))));
  return { files, store, clock, fetched, publish, onDisk };
}
const contentOf = new Map<string, Buffer>();

test('a blob stays for a minute after the last entry that names it; one that is named again in time stays', async () => {
  const { clock, publish, onDisk } = await stageKeeper();
  for (const text of ['a', 'b', 'a', 'b', 'c']) {
    await publish(text);
    clock.advance(20_000);
  }
  clock.advance(20_000);
  // a is nobody's for 60 s, since it was replaced for the second time; b for 40 s.
  await publish('d');
  expect([onDisk('a'), onDisk('b')]).toEqual([false, true]);
  clock.advance(60_000);
  await publish('e');
  expect([onDisk('b'), onDisk('c'), onDisk('d'), onDisk('e')]).toEqual([false, false, true, true]);
});

test('the disk is not asked for a blob that cannot be there; what an earlier stream or a sibling brought is not fetched again', async () => {
  const { files, store, fetched, publish, onDisk } = await stageKeeper();
  await publish('a');
  expect([files.looks, fetched.length]).toEqual([0, 1]);
  for (const text of ['b', 'c']) {
    const content = Buffer.from(text);
    await store.writeBlob(sha256Hex(content), content);
  }
  await publish('b', true);
  await publish('c', false, async () => false);
  await publish('a');
  expect(fetched.length).toBe(1);
  expect(onDisk('c')).toBe(true);
});
