import { sha256Hex } from '@gatehouse/kernel';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Packages } from './packages.js';
import { zipOf } from './testing/harness.js';

const LIMITS = { unzippedBytesMax: 20 * 1024 * 1024, entryCountMax: 10, ratioMax: 50 };
let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'gatehouse-packages-'));
});
afterEach(() => rm(root, { recursive: true }));

const unpack = async (zip: Buffer): Promise<string> =>
  (await Packages.open(root, LIMITS)).folder(sha256Hex(zip), async () => zip);

test('a package lies in a folder named by its digest, with executable files executable', async () => {
  const zip = await zipOf({ 'index.js': 'code', 'deep/er/file.txt': 'text' });
  const folder = await unpack(zip);
  expect(path.basename(folder)).toBe(sha256Hex(zip));
  expect(await readFile(path.join(folder, 'deep/er/file.txt'), 'utf8')).toBe('text');
  expect((await stat(path.join(folder, 'index.js'))).mode & 0o777).toBe(0o755);
});

test('a folder that is there is not unzipped again, and calls at once share the work', async () => {
  const zip = await zipOf({ 'index.js': 'code' });
  let reads = 0;
  const packages = await Packages.open(root, LIMITS);
  const getBlob = async () => (reads++, zip);
  await Promise.all([packages.folder(sha256Hex(zip), getBlob), packages.folder(sha256Hex(zip), getBlob)]);
  await packages.folder(sha256Hex(zip), getBlob);
  expect(reads).toBe(1);
});

test('what a killed process left half-way is removed', async () => {
  const zip = await zipOf({ 'index.js': 'code' });
  await unpack(zip);
  const { mkdir } = await import('node:fs/promises');
  await mkdir(path.join(root, '.half.0'));
  await Packages.open(root, LIMITS);
  expect(await readdir(root)).toEqual([sha256Hex(zip)]);
});

test('packages nobody uses are removed', async () => {
  const zip = await zipOf({ 'index.js': 'code' });
  await unpack(zip);
  const packages = await Packages.open(root, LIMITS);
  await packages.keepOnly(() => true);
  expect(await readdir(root)).toHaveLength(1);
  await packages.keepOnly(() => false);
  expect(await readdir(root)).toEqual([]);
});

/** yazl refuses bad names, so they are written over good ones of the same length. */
async function zipWithName(name: string): Promise<Buffer> {
  const stand = 'n'.repeat(name.length);
  const zip = await zipOf({ [stand]: 'x' });
  return Buffer.from(zip.toString('latin1').replaceAll(stand, name), 'latin1');
}

async function zipWithLink(target: string): Promise<Buffer> {
  const file = new yazl.ZipFile();
  file.addBuffer(Buffer.from('real'), 'real.js', { mode: 0o100644 });
  file.addBuffer(Buffer.from(target), 'link.js', { mode: 0o120777 });
  file.end();
  return buffer(file.outputStream);
}

for (const [what, make, message] of [
  ['no zip', async () => Buffer.from('hello'), /Could not unzip/],
  ['a name that leads out', () => zipWithName('../evil'), /Could not unzip.*invalid relative path/],
  ['an absolute name', () => zipWithName('/evil/x'), /Could not unzip.*absolute path/],
  ['a backslash', () => zipWithName('..\\evil'), /Could not unzip.*invalid characters/],
  ['a link that leads out', () => zipWithLink('../../../etc/passwd'), /symbolic link that leads out/],
  ['an absolute link', () => zipWithLink('/etc/passwd'), /symbolic link that leads out/],
  ['a link to nowhere', () => zipWithLink('nothing.js'), /symbolic link that leads out/],
  [
    'more files than allowed',
    () => zipOf(Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`f${i}`, '']))),
    /more than 10 files/,
  ],
  [
    'more bytes than allowed',
    () => zipOf({ big: Buffer.alloc(21 * 1024 * 1024, 'abcdefgh'.repeat(1000)) }),
    /Unzipped size must be smaller/,
  ],
  ['a bomb', () => zipOf({ bomb: Buffer.alloc(15 * 1024 * 1024) }), /more than 50 times its size/],
  [
    'one name twice',
    async () => Buffer.from((await zipOf({ aaaa: '1', bbbb: '2' })).toString('latin1').replaceAll('bbbb', 'aaaa'), 'latin1'),
    /Could not unzip.*EEXIST/,
  ],
  ['a file cut short', async () => (await zipOf({ 'index.js': 'code'.repeat(100) })).subarray(0, 60), /Could not unzip/],
] as const) {
  test(`a package is refused, and nothing of it stays: ${what}`, async () => {
    await expect(unpack(await make())).rejects.toThrow(message);
    expect(await readdir(root)).toEqual([]);
  });
}

test('a link inside the package works', async () => {
  const folder = await unpack(await zipWithLink('real.js'));
  expect(await readFile(path.join(folder, 'link.js'), 'utf8')).toBe('real');
});

test('code that cannot be had now is an error, and is asked for again', async () => {
  const zip = await zipOf({ 'index.js': 'code' });
  const packages = await Packages.open(root, LIMITS);
  await expect(packages.folder(sha256Hex(zip), async () => null)).rejects.toThrow('not available');
  expect(await packages.folder(sha256Hex(zip), async () => zip)).toContain(sha256Hex(zip));
});
