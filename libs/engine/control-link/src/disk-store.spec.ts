import { chmod, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sha256Hex } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskStore } from './disk-store.js';
import { DiskFiles } from './files.js';
import { MemoryFiles } from './memory-files.js';

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

/** Counts what is read of blobs. */
class CountedFiles extends MemoryFiles {
  blobReads = 0;
  override read(name: string): Promise<Buffer | null> {
    if (name.startsWith('blobs/')) this.blobReads++;
    return super.read(name);
  }
}

test('a blob that was just written is linked without reading it back; later it comes from the disk', async () => {
  const files = new CountedFiles();
  const store = await DiskStore.open(files);
  const bytes = Buffer.from('snapshot');
  const digest = sha256Hex(bytes);
  await store.writeBlob(digest, bytes);
  expect(await store.readBlob(digest)).toEqual(bytes);
  expect(files.blobReads).toBe(0);
  expect(await store.readBlob(digest)).toEqual(bytes);
  expect(files.blobReads).toBe(1);
});

test('what could not be written, or was removed, is not read from memory', async () => {
  const files = new CountedFiles();
  const store = await DiskStore.open(files);
  const bytes = Buffer.from('snapshot');
  const digest = sha256Hex(bytes);
  files.isFull = true;
  await expect(store.writeBlob(digest, bytes)).rejects.toThrow();
  expect(await store.readBlob(digest)).toBeNull();
  files.isFull = false;
  await store.writeBlob(digest, bytes);
  await store.removeBlob(digest);
  expect(await store.readBlob(digest)).toBeNull();
});

test('blobs that nobody reads do not pile up in memory', async () => {
  const files = new CountedFiles();
  const store = await DiskStore.open(files);
  const digests: string[] = [];
  for (let number = 0; number < 10; number++) {
    const bytes = Buffer.alloc(1024 * 1024, number);
    digests.push(sha256Hex(bytes));
    await store.writeBlob(digests.at(-1)!, bytes);
  }
  for (const digest of digests) expect(await store.readBlob(digest)).not.toBeNull();
  expect(files.blobReads, 'read from the disk').toBe(6);
});
