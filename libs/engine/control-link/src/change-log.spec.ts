import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ChangeLog, type StoredChange } from './change-log.js';
import { DiskFiles } from './files.js';
import { MemoryFiles } from './memory-files.js';
import type { LinkEntry } from './manifest.js';

const FILE = 'manifest.log';
const entry = (id: string, revision: number, inline = `{"text":"${id} ${revision} \\n ü"}`): LinkEntry => ({
  kind: 'API_KEY',
  id,
  tenant: '111122223333',
  revision,
  digest: null,
  blobBytes: 0,
  inline,
});
const change = (revision: number, entries: readonly LinkEntry[]): StoredChange => ({
  revision,
  entries,
  removed: [{ kind: 'STAGE', id: `gone${revision}` }],
  lastGood: [],
  settled: [],
  seal: null,
});
const state = (revision: number, entries: Iterable<LinkEntry>) => ({ revision, entries, lastGood: [], seal: null });

async function written(): Promise<{ files: MemoryFiles; changes: StoredChange[]; ends: number[] }> {
  const files = new MemoryFiles();
  const log = new ChangeLog(files);
  await log.rewrite(state(1, [entry('a', 1)]));
  const changes = [2, 3, 4].map((revision) => change(revision, [entry('a', revision), entry('b', revision)]));
  const ends = [files.files.get(FILE)!.length];
  for (const added of changes) {
    await log.append(added);
    ends.push(files.files.get(FILE)!.length);
  }
  return { files, changes, ends };
}

let undo = async () => {};
afterEach(() => undo());

test('what was written is read again, by the real disk too', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-log-'));
  undo = () => rm(folder, { recursive: true, force: true });
  for (const files of [new MemoryFiles(), await DiskFiles.open(folder)]) {
    const log = new ChangeLog(files);
    expect(log.needsRewrite, 'there is no base yet').toBe(true);
    const many = Array.from({ length: 2_500 }, (_, index) => entry(`k${index}`, index));
    await log.rewrite(state(7, many));
    await log.append(change(8, [entry('x', 8)]));
    const again = new ChangeLog(files);
    const read = [...(await again.read())];
    expect(read.flatMap(({ entries }) => entries)).toEqual([...many, entry('x', 8)]);
    expect(read.at(-1)).toEqual(change(8, [entry('x', 8)]));
    await again.append(change(9, []));
    expect([...(await new ChangeLog(files).read())].at(-1)?.revision).toBe(9);
    await files.close();
  }
});

test('cut off at any byte, the log holds the changes that are whole, and goes on from there', async () => {
  const { files, changes, ends } = await written();
  const bytes = files.files.get(FILE)!;
  for (let length = 0; length <= bytes.length; length++) {
    const cut = new MemoryFiles(new Map([[FILE, bytes.subarray(0, length)]]));
    const log = new ChangeLog(cut);
    const wholeCount = ends.filter((end) => end <= length).length;
    const expected = wholeCount === 0 ? [] : [1, ...changes.slice(0, wholeCount - 1).map(({ revision }) => revision)];
    expect([...(await log.read())].map(({ revision }) => revision)).toEqual(expected);
    expect(log.needsRewrite).toBe(wholeCount === 0);
    if (wholeCount === 0) continue;
    await log.append(change(9, []));
    expect([...(await new ChangeLog(cut).read())].map(({ revision }) => revision)).toEqual([...expected, 9]);
  }
});

test('a flipped bit, a line that is missing and a line that is there twice end what is read: nothing after them counts', async () => {
  const { files, ends } = await written();
  const bytes = files.files.get(FILE)!;
  const lines = [0, ...ends].slice(0, -1).map((from, index) => bytes.subarray(from, ends[index]));
  const revisionsOf = async (damaged: Buffer) =>
    [...(await new ChangeLog(new MemoryFiles(new Map([[FILE, damaged]]))).read())].map(({ revision }) => revision);
  for (let at = 0; at < bytes.length; at += 3) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    expect(await revisionsOf(damaged)).toEqual(
      [1, 2, 3, 4].slice(
        0,
        ends.findIndex((end) => at < end),
      ),
    );
  }
  expect(await revisionsOf(Buffer.concat([lines[0]!, lines[2]!, lines[3]!]))).toEqual([1]);
  expect(await revisionsOf(Buffer.concat([lines[0]!, lines[1]!, lines[1]!, lines[2]!]))).toEqual([1, 2]);
  expect(await revisionsOf(Buffer.concat([lines[1]!, lines[2]!])), 'without its base').toEqual([]);
});

test('a base of many lines that is not whole is as good as none', async () => {
  const files = new MemoryFiles();
  await new ChangeLog(files).rewrite(
    state(
      1,
      Array.from({ length: 2_500 }, (_, index) => entry(`k${index}`, 1)),
    ),
  );
  const bytes = files.files.get(FILE)!;
  files.files.set(FILE, bytes.subarray(0, bytes.lastIndexOf(10, bytes.length - 2) + 1));
  expect([...(await new ChangeLog(files).read())]).toEqual([]);
});

test('after a write that failed, everything is to be written anew', async () => {
  const { files } = await written();
  const log = new ChangeLog(files);
  await log.read();
  files.isFull = true;
  await expect(log.append(change(5, []))).rejects.toThrow('no space left');
  files.isFull = false;
  expect(log.needsRewrite).toBe(true);
  await log.rewrite(state(6, [entry('a', 6)]));
  expect(log.needsRewrite).toBe(false);
  expect([...(await new ChangeLog(files).read())].map(({ revision }) => revision)).toEqual([6]);
});

test('the log is written anew once its changes outweigh its base, so that it stays within twice the state', async () => {
  const files = new MemoryFiles();
  const log = new ChangeLog(files);
  const base = Array.from({ length: 30 }, (_, index) => entry(`k${index}`, 1, 'x'.repeat(100_000)));
  await log.rewrite(state(1, base));
  const baseLength = files.files.get(FILE)!.length;
  let count = 0;
  while (!log.needsRewrite) await log.append(change(2 + count++, [entry('k0', 2 + count, 'x'.repeat(100_000))]));
  expect(count).toBeGreaterThan(20);
  expect(files.files.get(FILE)!.length).toBeLessThan(2 * baseLength + 200_000);
});
