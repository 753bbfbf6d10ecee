import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sha256Hex } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskStore } from './disk-store.js';
import { DiskFiles } from './files.js';
import { readStoredBlob } from './stored-blob.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-blob-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('another process reads what the store wrote, takes nothing else for it, and leaves a damaged file to its owner', async () => {
  const store = await DiskStore.open(await DiskFiles.open(folder));
  const bytes = Buffer.from('a snapshot');
  const digest = sha256Hex(bytes);
  expect(await readStoredBlob(folder, digest)).toBeNull();
  await store.writeBlob(digest, bytes);
  expect(Buffer.from((await readStoredBlob(folder, digest))!).toString()).toBe('a snapshot');
  const [file] = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(digest));
  await writeFile(path.join(folder, file!), 'a snapshoT');
  expect(await readStoredBlob(folder, digest)).toBeNull();
  expect(await store.hasBlob(digest, bytes.length), 'still there').toBe(true);
  await store.close();
});
