/**
 * What a node needs to serve without a control plane:
 *
 *   node.json          who the node is, and its newest epoch
 *   manifest.json      first line: SHA-256 of the rest; the rest: StoredManifest
 *   blobs/ab/abcd...   the bytes whose SHA-256 is the name
 *
 * Only the process's own user may read any of it: entries hold functions' environment variables in clear.
 * Every file is written beside its place and renamed into it. The manifest is on the disk before the rename; a blob
 * that a power cut truncates is found out by its digest when it is read, thrown away and fetched again.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sha256Hex } from '@gatehouse/kernel';
import type { LinkEntry } from './manifest.js';

export interface StoredManifest {
  readonly revision: number;
  /** As the control plane published them. */
  readonly entries: readonly LinkEntry[];
  /** Older forms that are served because the newest was refused. */
  readonly lastGood: readonly LinkEntry[];
}

export interface NodeIdentity {
  readonly nodeId: string;
  readonly epoch: number;
}

const MANIFEST_FORMAT = 1;
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

export class DiskStore {
  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<DiskStore> {
    await mkdir(path.join(folder, 'blobs'), { recursive: true, mode: FOLDER_MODE });
    await chmod(folder, FOLDER_MODE); // it may have been there before
    return new DiskStore(folder);
  }

  /**
   * The node's id, made at its first start, and a new epoch, above every earlier one even if the clock went back. The epoch just
   * below it is nobody's: UsageJournal.takeOver names under it what earlier processes left without a name.
   */
  async nextEpoch(nowMs: number): Promise<NodeIdentity> {
    const file = path.join(this.folder, 'node.json');
    const text = await readIfThere(file);
    const earlier = text === null ? null : parseIdentity(text.toString('utf8'));
    const identity = {
      nodeId: earlier?.nodeId ?? `node-${randomBytes(8).toString('hex')}`,
      epoch: Math.max(nowMs, (earlier?.epoch ?? 0) + 2),
    };
    await writeDurably(file, JSON.stringify(identity));
    return identity;
  }

  /** `null` when there is none or it is damaged: then everything comes from the control plane again. */
  async readManifest(): Promise<StoredManifest | null> {
    const bytes = await readIfThere(path.join(this.folder, 'manifest.json'));
    if (bytes === null) return null;
    const text = bytes.toString('utf8');
    const lineEnd = text.indexOf('\n');
    const content = text.slice(lineEnd + 1);
    if (lineEnd < 0 || sha256Hex(content) !== text.slice(0, lineEnd)) return null;
    const { format, ...manifest } = JSON.parse(content) as StoredManifest & { format: number };
    return format === MANIFEST_FORMAT ? manifest : null;
  }

  async writeManifest(manifest: StoredManifest): Promise<void> {
    const content = JSON.stringify({ format: MANIFEST_FORMAT, ...manifest });
    await writeDurably(path.join(this.folder, 'manifest.json'), `${sha256Hex(content)}\n${content}`);
  }

  /** Looks at name and length only; what the bytes are is checked when they are read. */
  async hasBlob(digest: string, bytes: number): Promise<boolean> {
    const found = await stat(this.blobFile(digest)).catch(() => null);
    return found !== null && found.size === bytes;
  }

  /** `null` when there is none or the bytes are not those of the digest; a damaged file is removed. */
  async readBlob(digest: string): Promise<Buffer | null> {
    const file = this.blobFile(digest);
    const bytes = await readIfThere(file);
    if (bytes === null) return null;
    if (sha256Hex(bytes) === digest) return bytes;
    await rm(file, { force: true });
    return null;
  }

  /** False, and nothing written, when the bytes are not those of the digest. */
  async writeBlob(digest: string, bytes: Uint8Array): Promise<boolean> {
    if (sha256Hex(bytes) !== digest) return false;
    const file = this.blobFile(digest);
    await mkdir(path.dirname(file), { recursive: true, mode: FOLDER_MODE });
    const draft = draftOf(file);
    await writeFile(draft, bytes, { mode: FILE_MODE });
    await rename(draft, file);
    return true;
  }

  /** Removes blobs that are not in `keep`, and drafts that a crash left behind. Only while nobody writes blobs. */
  async removeBlobsExcept(keep: ReadonlySet<string>): Promise<number> {
    let removed = 0;
    for (const folder of await readdir(path.join(this.folder, 'blobs'))) {
      for (const name of await readdir(path.join(this.folder, 'blobs', folder))) {
        if (keep.has(name)) continue;
        await rm(path.join(this.folder, 'blobs', folder, name), { force: true });
        removed++;
      }
    }
    return removed;
  }

  async removeBlob(digest: string): Promise<void> {
    await rm(this.blobFile(digest), { force: true });
  }

  private blobFile(digest: string): string {
    return path.join(this.folder, 'blobs', digest.slice(0, 2), digest);
  }
}

function parseIdentity(text: string): NodeIdentity | null {
  try {
    const { nodeId, epoch } = JSON.parse(text) as Partial<NodeIdentity>;
    return typeof nodeId === 'string' && nodeId !== '' && Number.isSafeInteger(epoch) ? { nodeId, epoch: epoch! } : null;
  } catch {
    return null;
  }
}

const draftOf = (file: string): string => `${file}.${randomBytes(4).toString('hex')}.tmp`;

async function readIfThere(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw cause;
  }
}

/** Returns once the bytes and their name are on the disk. */
async function writeDurably(file: string, text: string): Promise<void> {
  const draft = draftOf(file);
  const handle = await open(draft, 'w', FILE_MODE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  const folder = await open(path.dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
