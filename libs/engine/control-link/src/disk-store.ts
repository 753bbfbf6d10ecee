/**
 * What a node needs to serve without a control plane:
 *
 *   node.json          who the node is, and its newest epoch
 *   manifest.log       the manifest and its changes; see change-log.ts
 *   seal-key           public key that seals are checked with; see seal.ts
 *   blobs/ab/abcd...   the bytes whose SHA-256 is the name
 *
 * A blob that a power cut truncates is found out by its digest when it is read, thrown away and fetched again. A
 * `manifest.json` of an earlier release is thrown away: such a node fetches everything anew.
 */
import { randomBytes } from 'node:crypto';
import { sha256Hex } from '@gatehouse/kernel';
import { ChangeLog } from './change-log.js';
import type { Files } from './files.js';

export interface NodeIdentity {
  readonly nodeId: string;
  readonly epoch: number;
}

const IDENTITY_FILE = 'node.json';
const SEAL_KEY_FILE = 'seal-key';
const EARLIER_MANIFEST_FILE = 'manifest.json';
/** Of blobs that were just written and not read yet; a larger one is read from the disk. */
const FRESH_BYTES_MAX = 4 * 1024 * 1024;

export class DiskStore {
  readonly changes: ChangeLog;
  /** A blob that comes is linked at once: it need not be read back for that. The oldest first. */
  private readonly fresh = new Map<string, Buffer>();
  private freshBytes = 0;

  private constructor(
    private readonly files: Files,
    private readonly keepsFresh: boolean,
  ) {
    this.changes = new ChangeLog(files);
  }

  /** Without `keepsFresh` every read is from the disk. */
  static async open(files: Files, { keepsFresh = true } = {}): Promise<DiskStore> {
    await files.remove(EARLIER_MANIFEST_FILE);
    return new DiskStore(files, keepsFresh);
  }

  /**
   * The node's id, made at its first start, and a new epoch, above every earlier one even if the clock went back. The epoch just
   * below it is nobody's: UsageJournal.takeOver names under it what earlier processes left without a name.
   */
  async nextEpoch(nowMs: number): Promise<NodeIdentity> {
    const bytes = await this.files.read(IDENTITY_FILE);
    const earlier = bytes === null ? null : parseIdentity(bytes.toString('utf8'));
    const identity = {
      nodeId: earlier?.nodeId ?? `node-${randomBytes(8).toString('hex')}`,
      epoch: Math.max(nowMs, (earlier?.epoch ?? 0) + 2),
    };
    await this.files.replace(IDENTITY_FILE, [Buffer.from(JSON.stringify(identity))]);
    return identity;
  }

  /** `null` when no control plane has told one yet. */
  readSealKey(): Promise<Buffer | null> {
    return this.files.read(SEAL_KEY_FILE);
  }

  writeSealKey(key: Uint8Array): Promise<void> {
    return this.files.replace(SEAL_KEY_FILE, [key]);
  }

  /** Looks at name and length only; what the bytes are is checked when they are read. */
  async hasBlob(digest: string, bytes: number): Promise<boolean> {
    return (await this.files.size(blobFile(digest))) === bytes;
  }

  /** `null` when there is none or the bytes are not those of the digest; a damaged file is removed. */
  async readBlob(digest: string): Promise<Buffer | null> {
    const fresh = this.takeFresh(digest);
    if (fresh !== null) return fresh;
    const bytes = await this.files.read(blobFile(digest));
    if (bytes === null) return null;
    if (sha256Hex(bytes) === digest) return bytes;
    await this.removeBlob(digest);
    return null;
  }

  /** False, and nothing written, when the bytes (decoded, if they are zstd) are not those of the digest. */
  async writeBlob(digest: string, bytes: Uint8Array, isZstd = false): Promise<boolean> {
    const content = await this.files.writeBlob(blobFile(digest), { bytes, isZstd, digest });
    if (content === null) return false;
    if (this.keepsFresh) this.keepFresh(digest, Buffer.from(content.buffer, content.byteOffset, content.byteLength));
    return true;
  }

  private keepFresh(digest: string, bytes: Buffer): void {
    this.takeFresh(digest);
    this.fresh.set(digest, bytes);
    this.freshBytes += bytes.length;
    for (const oldest of this.fresh.keys()) {
      if (this.freshBytes <= FRESH_BYTES_MAX) return;
      this.takeFresh(oldest);
    }
  }

  private takeFresh(digest: string): Buffer | null {
    const bytes = this.fresh.get(digest);
    if (bytes === undefined) return null;
    this.fresh.delete(digest);
    this.freshBytes -= bytes.length;
    return bytes;
  }

  /** Removes blobs that are not in `keep`, and drafts that a crash left behind. Only while nobody writes blobs. */
  async removeBlobsExcept(keep: { has(digest: string): boolean }): Promise<void> {
    for (const name of await this.files.list('blobs')) {
      if (!keep.has(name.slice(name.lastIndexOf('/') + 1))) await this.files.remove(name);
    }
  }

  async removeBlob(digest: string): Promise<void> {
    this.takeFresh(digest);
    await this.files.remove(blobFile(digest));
  }

  close(): Promise<void> {
    return this.files.close();
  }
}

const blobFile = (digest: string): string => `blobs/${digest.slice(0, 2)}/${digest}`;

function parseIdentity(text: string): NodeIdentity | null {
  try {
    const { nodeId, epoch } = JSON.parse(text) as Partial<NodeIdentity>;
    return typeof nodeId === 'string' && nodeId !== '' && Number.isSafeInteger(epoch) ? { nodeId, epoch: epoch! } : null;
  } catch {
    return null;
  }
}
