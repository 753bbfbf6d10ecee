/**
 * Function packages, unzipped: one folder per digest, written once and never changed. A package is unzipped beside its place
 * and moved there when whole, so a folder that exists is complete, also after a kill -9.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { fromBufferPromise, type Entry, type ZipFile } from 'yauzl';
import type { GetBlob } from '@gatehouse/engine-control-link';

export interface PackageLimits {
  /** Lambda's limit for the unzipped package. */
  readonly unzippedBytesMax: number;
  readonly entryCountMax: number;
  /** Unzipped to zipped. Deflate reaches 1032:1 on zeros; code stays under 20:1. */
  readonly ratioMax: number;
}
export const PACKAGE_LIMITS: PackageLimits = { unzippedBytesMax: 250 * 1024 * 1024, entryCountMax: 100_000, ratioMax: 200 };
/** Small packages may have any ratio. */
const RATIO_FREE_BYTES = 10 * 1024 * 1024;

/** The package cannot be used; the message is for its owner. */
export class BadPackage extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BadPackage';
  }
}

export class Packages {
  private readonly inProgress = new Map<string, Promise<string>>();
  private counter = 0;

  private constructor(
    private readonly root: string,
    private readonly limits: PackageLimits,
  ) {}

  /** Removes what an earlier process left half-way. */
  static async open(root: string, limits: PackageLimits = PACKAGE_LIMITS): Promise<Packages> {
    await mkdir(root, { recursive: true });
    for (const name of await readdir(root))
      if (name.startsWith('.')) await rm(path.join(root, name), { recursive: true, force: true });
    return new Packages(await realpath(root), limits);
  }

  /** The folder with the package's files. Throws BadPackage; calls for one digest share the work. */
  folder(digest: string, getBlob: GetBlob): Promise<string> {
    let work = this.inProgress.get(digest);
    if (work === undefined) {
      work = this.unpack(digest, getBlob).finally(() => this.inProgress.delete(digest));
      this.inProgress.set(digest, work);
    }
    return work;
  }

  /** Removes the folders of packages that nothing uses any more. */
  async keepOnly(isUsed: (digest: string) => boolean): Promise<void> {
    for (const name of await readdir(this.root)) {
      if (name.startsWith('.') || this.inProgress.has(name) || isUsed(name)) continue;
      await rm(path.join(this.root, name), { recursive: true, force: true });
    }
  }

  private async unpack(digest: string, getBlob: GetBlob): Promise<string> {
    const folder = path.join(this.root, digest);
    if (await exists(folder)) return folder;
    const bytes = await getBlob(digest);
    if (bytes === null) throw new BadPackage('The code package is not available on this runner.');
    const building = path.join(this.root, `.${digest}.${this.counter++}`);
    try {
      await unzip(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), building, this.limits);
      await rename(building, folder);
    } catch (cause) {
      await rm(building, { recursive: true, force: true });
      throw cause instanceof BadPackage ? cause : new BadPackage(`Could not unzip the package: ${(cause as Error).message}`);
    }
    return folder;
  }
}

async function unzip(bytes: Buffer, folder: string, limits: PackageLimits): Promise<void> {
  await mkdir(folder, { recursive: true });
  // yauzl refuses absolute names, `..` and backslashes, and a file longer than its entry says.
  const zip = await fromBufferPromise(bytes, { strictFileNames: true });
  if (zip.entryCount > limits.entryCountMax) throw new BadPackage(`The package has more than ${limits.entryCountMax} files.`);
  const links: { readonly place: string; readonly target: string }[] = [];
  let unzippedBytes = 0;
  for await (const entry of zip.eachEntry()) {
    unzippedBytes += entry.uncompressedSize;
    if (unzippedBytes > limits.unzippedBytesMax) {
      throw new BadPackage(`Unzipped size must be smaller than ${limits.unzippedBytesMax} bytes`);
    }
    if (unzippedBytes > RATIO_FREE_BYTES && unzippedBytes > bytes.length * limits.ratioMax) {
      throw new BadPackage(`The package unzips to more than ${limits.ratioMax} times its size.`);
    }
    const place = path.join(folder, entry.fileName);
    if (entry.fileName.endsWith('/')) {
      await mkdir(place, { recursive: true });
      continue;
    }
    await mkdir(path.dirname(place), { recursive: true });
    if (isSymlink(entry)) links.push({ place, target: await readTarget(zip, entry) });
    else await writeEntry(zip, entry, place);
  }
  await makeLinks(links, folder);
}

async function writeEntry(zip: ZipFile, entry: Entry, place: string): Promise<void> {
  const isExecutable = (unixMode(entry) & 0o111) !== 0;
  // `wx`: a name that occurs twice is refused.
  const file = createWriteStream(place, { flags: 'wx', mode: isExecutable ? 0o755 : 0o644 });
  await pipeline(await zip.openReadStreamPromise(entry), file);
}

/** Last of all, so that no file is written through a link; a link that leads out of the package is refused. */
async function makeLinks(links: readonly { place: string; target: string }[], folder: string): Promise<void> {
  const root = await realpath(folder);
  for (const { place, target } of links) await symlink(target, place);
  for (const { place } of links) {
    const end = await realpath(place).catch(() => null);
    if (end === null || !end.startsWith(root + path.sep))
      throw new BadPackage('The package holds a symbolic link that leads out of it.');
  }
}

async function readTarget(zip: ZipFile, entry: Entry): Promise<string> {
  if (entry.uncompressedSize > 4096) throw new BadPackage('The package holds a symbolic link that is too long.');
  const target = await text(await zip.openReadStreamPromise(entry));
  if (path.isAbsolute(target)) throw new BadPackage('The package holds a symbolic link that leads out of it.');
  return target;
}

const unixMode = (entry: Entry): number => entry.externalFileAttributes >>> 16;
const isSymlink = (entry: Entry): boolean => (unixMode(entry) & 0o170000) === 0o120000;

async function exists(place: string): Promise<boolean> {
  return stat(place).then(
    () => true,
    () => false,
  );
}
