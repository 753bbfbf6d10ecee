/**
 * Memory for bodies that only pass through. A fresh 64 KiB for each read would be garbage outside of V8's heap, and V8 answers that with
 * full collections: a quarter of the time of a large answer (measured). So a chunk is used again when it has been written.
 */
export class ChunkPool {
  private readonly free: Buffer[] = [];

  /** Of `chunkBytes` or fewer: a copy of these bytes, to be given back when it is not needed any more, or left to the collector. */
  copyOf(bytes: Buffer, from: number, to: number): Buffer {
    const chunk = this.free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    bytes.copy(chunk, 0, from, to);
    return to - from === CHUNK_BYTES ? chunk : chunk.subarray(0, to - from);
  }

  /** What `copyOf` gave. Nobody may look at it afterwards. */
  giveBack(chunk: Buffer): void {
    if (this.free.length < FREE_MAX)
      this.free.push(chunk.length === CHUNK_BYTES ? chunk : Buffer.from(chunk.buffer, 0, CHUNK_BYTES));
  }
}

/** Of one read: the size of the connections' read buffer. */
export const CHUNK_BYTES = 65_536;
/** 16 MiB at most wait to be used again. */
const FREE_MAX = 256;

export const CHUNKS = new ChunkPool();
