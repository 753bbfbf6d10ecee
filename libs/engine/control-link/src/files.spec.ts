import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os, { tmpdir } from 'node:os';
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { sha256Hex } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskThread } from './disk-thread.js';
import { DiskFiles } from './files.js';
import { MemoryFiles } from './memory-files.js';

let folder: string;
let files: DiskFiles;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-files-'));
  files = await DiskFiles.open(folder);
});
afterEach(async () => {
  await files.close();
  await rm(folder, { recursive: true });
});
const text = (name: string): Promise<string> => readFile(path.join(folder, name), 'utf8');

test('what is asked for together happens in that order', async () => {
  await files.replace('log', [Buffer.from('base;')]);
  await Promise.all([
    files.write('blobs/ab/one', Buffer.from('1')),
    files.append('log', 5, Buffer.from('a;')),
    files.append('log', 7, Buffer.from('b;')),
    files.remove('blobs/ab/one'),
    files.write('blobs/ab/two', Buffer.from('2')),
  ]);
  expect(await text('log')).toBe('base;a;b;');
  expect(await readdir(path.join(folder, 'blobs/ab'))).toEqual(['two']);
});

test('an append begins where it is told to, whatever is behind; after a replacement it is the new file that grows', async () => {
  await files.replace('log', [Buffer.from('base;cut short')]);
  await files.append('log', 5, Buffer.from('a;'));
  expect(await text('log')).toBe('base;a;');
  await files.replace('log', [Buffer.from('new;')]);
  await files.append('log', 4, Buffer.from('b;'));
  expect(await text('log')).toBe('new;b;');
});

test('what fails is told to its caller alone, with the code of the operating system', async () => {
  await writeFile(path.join(folder, 'occupied'), 'a file where a folder should be');
  const outcomes = await Promise.allSettled([
    files.write('occupied/blob', Buffer.from('1')),
    files.append('absent', 0, Buffer.from('1')),
    files.write('good', Buffer.from('2')),
  ]);
  expect(outcomes).toMatchObject([
    { status: 'rejected', reason: { code: 'ENOTDIR' } },
    { status: 'rejected', reason: { code: 'ENOENT' } },
    { status: 'fulfilled' },
  ]);
  expect(await text('good')).toBe('2');
});

test('the bytes are those at the time of the call, also of large files; the caller keeps its own', async () => {
  for (const size of [10, 5 * 1024 * 1024]) {
    const bytes = Buffer.alloc(size, 'x');
    const written = files.write(`blobs/${size}`, bytes);
    expect(bytes.length).toBe(size);
    await written;
    expect((await files.read(`blobs/${size}`))!.equals(Buffer.alloc(size, 'x'))).toBe(true);
  }
});

for (const [disk, open] of [
  ['the disk', () => files],
  ['the disk of tests', () => new MemoryFiles()],
] as const) {
  test(`${disk} decodes a blob, and takes it only if it is what its digest says`, async () => {
    const store = open();
    const content = Buffer.from('a snapshot '.repeat(10_000));
    const digest = sha256Hex(content);
    const zstd = zstdCompressSync(content);
    const cut = zstd.subarray(0, -5);
    for (const [index, [bytes, isZstd]] of [
      [content, false],
      [zstd, true],
      [zstd, false],
      [content, true],
      [cut, true],
      [zstdCompressSync(Buffer.from('other')), true],
    ].entries() as ArrayIterator<[number, [Buffer, boolean]]>) {
      const name = `blobs/aa/${index}`;
      const taken = await store.writeBlob(name, { bytes, isZstd, digest });
      const expected = index < 2 ? content : null;
      expect(taken === null ? null : Buffer.from(taken)).toEqual(expected);
      expect(await store.read(name)).toEqual(expected);
    }
    expect(sha256Hex(content), 'the caller keeps its own').toBe(digest);
  });
}

test('a blob that is too large for the thread is decoded and checked all the same', async () => {
  const content = randomBytes(5 * 1024 * 1024);
  const bytes = zstdCompressSync(content);
  const digest = sha256Hex(content);
  expect(await files.writeBlob('blobs/aa/good', { bytes, isZstd: true, digest })).toEqual(content);
  expect(await files.writeBlob('blobs/aa/bad', { bytes, isZstd: false, digest })).toBeNull();
  expect(await files.writeBlob('blobs/aa/cut', { bytes: bytes.subarray(0, -5), isZstd: true, digest })).toBeNull();
  expect(await files.list('blobs')).toEqual(['blobs/aa/good']);
});

test('of the threads of the process it is the one that writes which gives way', async () => {
  await files.write('blobs/ab/one', Buffer.from('1'));
  const nicenesses: number[] = [];
  for (const thread of await readdir('/proc/self/task')) {
    const stat = await readFile(`/proc/self/task/${thread}/stat`, 'utf8').catch(() => null); // one that just ended
    if (stat !== null) nicenesses.push(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]));
  }
  const own = os.getPriority();
  expect(nicenesses.filter((niceness) => niceness > own)).toEqual([own + 5]);
  expect(nicenesses.length).toBeGreaterThan(1);
});

test('when the thread dies, what it was told to do has failed, and the next job starts another one', async () => {
  const thread = new DiskThread({ folderMode: 0o700, fileMode: 0o600 });
  const place = path.join(folder, 'blob');
  const job = { kind: 'write', place, draft: `${place}.tmp`, bytes: Buffer.from('1') } as const;
  await thread.run(job);
  thread['worker']!.postMessage(null); // no list of jobs: it stumbles over that
  await expect(thread.run(job)).rejects.toThrow(TypeError);
  await thread.run({ ...job, bytes: Buffer.from('2') });
  expect(await text('blob')).toBe('2');
  await thread.close();
});
