import { chmod, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sha256Hex } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskStore } from './disk-store.js';
import { DiskFiles } from './files.js';

let folder: string;
beforeEach(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), 'gatehouse-disk-')), 'link');
});
afterEach(() => rm(path.dirname(folder), { recursive: true }));

test('nobody but its own user may read the store, also one that was open before', async () => {
  await mkdir(folder);
  await chmod(folder, 0o755);
  const store = await DiskStore.open(await DiskFiles.open(folder));
  await store.nextEpoch(1);
  const change = { revision: 1, entries: [], removed: [], lastGood: [], settled: [], seal: null };
  await store.changes.rewrite(change);
  await store.changes.append({ ...change, revision: 2 });
  const bytes = Buffer.from('code');
  expect(await store.writeBlob(sha256Hex(bytes), bytes)).toBe(true);
  await store.close();
  const modes = new Set<string>();
  for (const name of ['.', ...(await readdir(folder, { recursive: true }))]) {
    const found = await stat(path.join(folder, name));
    modes.add(`${found.isDirectory() ? 'folder' : 'file'} ${(found.mode & 0o777).toString(8)}`);
  }
  expect([...modes].sort()).toEqual(['file 600', 'folder 700']);
});

test('epochs only grow, and the one below each is nobody’s: usage without a name is reported under it', async () => {
  const store = await DiskStore.open(await DiskFiles.open(folder));
  const epochs: number[] = [];
  for (const nowMs of [1_000, 1_000, 500, 5_000]) epochs.push((await store.nextEpoch(nowMs)).epoch);
  await store.close();
  expect(epochs).toEqual([1_000, 1_002, 1_004, 5_000]);
});
