import type { Blob } from '@gatehouse/contracts';
import type { DiskStore } from './disk-store.js';

/** Blobs asked for and not yet answered: bounds what the control plane buffers for one node. */
const REQUESTED_MAX = 16;

/** Brings blobs from the control plane into the disk store. */
export class BlobFetcher {
  private readonly wanted = new Map<string, PromiseWithResolvers<boolean>>();
  private requestedCount = 0;
  private patience: NodeJS.Timeout | null = null;

  constructor(
    private readonly store: DiskStore,
    /** False when no stream is open. */
    private readonly request: (digests: string[]) => boolean,
    /** No blob came for `silenceMs` while some were due. */
    private readonly onSilence: () => void,
    private readonly silenceMs: number,
  ) {}

  /** False when the control plane does not have it or sent other bytes. Rejects when the stream ends first. */
  fetch(digest: string): Promise<boolean> {
    let waiting = this.wanted.get(digest);
    if (waiting === undefined) {
      waiting = Promise.withResolvers<boolean>();
      this.wanted.set(digest, waiting);
      this.fill();
    }
    return waiting.promise;
  }

  async received(blob: Blob): Promise<void> {
    const waiting = this.wanted.get(blob.digest);
    if (waiting === undefined) return; // an answer to an earlier stream's question
    const stored = blob.missing ? false : await this.keep(blob);
    if (this.wanted.get(blob.digest) !== waiting) return;
    this.wanted.delete(blob.digest);
    this.requestedCount--;
    this.wait();
    waiting.resolve(stored);
    this.fill();
  }

  streamEnded(): void {
    const waiting = [...this.wanted.values()];
    this.wanted.clear();
    this.requestedCount = 0;
    this.wait();
    for (const { reject } of waiting) reject(new StreamEnded());
  }

  private async keep(blob: Blob): Promise<boolean> {
    try {
      return await this.store.writeBlob(blob.digest, blob.bytes, blob.zstd);
    } catch {
      return false; // no room on the disk: the entry is refused, and asked for again on the next stream
    }
  }

  private fill(): void {
    const digests: string[] = [];
    let index = 0;
    for (const digest of this.wanted.keys()) {
      if (index++ < this.requestedCount) continue;
      if (this.requestedCount + digests.length >= REQUESTED_MAX) break;
      digests.push(digest);
    }
    this.requestedCount += digests.length;
    if (digests.length === 0) return;
    if (this.request(digests)) this.wait();
    else this.streamEnded();
  }

  private wait(): void {
    if (this.patience !== null) clearTimeout(this.patience);
    this.patience = this.requestedCount === 0 ? null : setTimeout(this.onSilence, this.silenceMs);
  }
}

/** The stream ended while an answer was due; the next stream starts over. */
export class StreamEnded extends Error {
  constructor() {
    super('the control stream ended');
    this.name = 'StreamEnded';
  }
}
