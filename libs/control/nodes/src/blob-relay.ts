import type { ManifestLog } from '@gatehouse/domain';

/** A larger one is read again for the next node that asks. */
const KEPT_BLOB_BYTES_MAX = 1024 * 1024;

/**
 * Blobs on their way from the store to the nodes, compressed as they are stored. All nodes ask for a new one within
 * milliseconds: it is read once for all of them.
 */
export class BlobRelay {
  /** The oldest first; those that are being read among them. */
  private readonly kept = new Map<string, Promise<Uint8Array | null>>();
  private readonly sizes = new Map<string, number>();
  private keptBytes = 0;

  constructor(
    private readonly manifest: Pick<ManifestLog, 'compressedBlob'>,
    private readonly keptBytesMax = 2 * 1024 * 1024,
  ) {}

  /** zstd; `null` when there is no such blob. Rejects when the database is away. */
  read(digest: string): Promise<Uint8Array | null> {
    const present = this.kept.get(digest);
    if (present !== undefined) return present;
    const reading = this.manifest.compressedBlob(digest).then(ownBytes);
    this.kept.set(digest, reading);
    reading.then(
      (bytes) => this.keep(digest, bytes),
      () => this.kept.delete(digest),
    );
    return reading;
  }

  private keep(digest: string, bytes: Uint8Array | null): void {
    if (bytes === null || bytes.length > KEPT_BLOB_BYTES_MAX) return void this.kept.delete(digest);
    this.sizes.set(digest, bytes.length);
    this.keptBytes += bytes.length;
    for (const [oldest, size] of this.sizes) {
      if (this.keptBytes <= this.keptBytesMax) return;
      this.sizes.delete(oldest);
      this.kept.delete(oldest);
      this.keptBytes -= size;
    }
  }
}

/** What the database driver gives is a view into what it read from its socket, which a kept view would keep alive: 35 KB for 1 KB. */
function ownBytes(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null || bytes.length === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
}
