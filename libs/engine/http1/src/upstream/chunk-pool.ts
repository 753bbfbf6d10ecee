/**
 * Memory for bodies that only pass through. A fresh buffer for each read would be garbage outside of V8's heap, and V8 answers that with
 * full collections: a quarter of the time of a large answer (measured). So a chunk is used again when it has been written.
 */
import { Buffer } from 'node:buffer';

export class ChunkPool {
  private readonly free: Buffer[] = [];

  /** `CHUNK_BYTES` with anything in them; to be given back when they are not needed any more, or left to the collector. */
  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  /** A chunk, or a part of one; of other memory nothing is kept. Nobody may look at it afterwards. */
  giveBack(bytes: Buffer): void {
    if (bytes.buffer.byteLength !== CHUNK_BYTES || this.free.length >= FREE_MAX) return;
    this.free.push(bytes.length === CHUNK_BYTES ? bytes : Buffer.from(bytes.buffer, 0, CHUNK_BYTES));
  }
}

/** Far from every size of which Node carves small buffers: memory is told apart by it. */
export const CHUNK_BYTES = 262_144;
/**
 * A smaller piece is copied: a caller that takes nothing may leave thousands of pieces waiting, and each would hold its whole chunk.
 */
export const CHUNK_WORTH_BYTES = 32_768;
/** 16 MiB at most wait to be used again. */
const FREE_MAX = 64;

export const CHUNKS = new ChunkPool();
