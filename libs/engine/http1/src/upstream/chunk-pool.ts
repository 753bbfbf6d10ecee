/**
 * Memory for bodies that only pass through. A fresh buffer for each read would be garbage outside of V8's heap, and V8 answers that with
 * full collections: a quarter of the time of a large answer (measured). So a chunk is used again when it has been written.
 *
 *   bytes      memory
 *   64 Ki ..   a chunk of 256 Ki that was read into: it is handed on as it is
 *   16 Ki ..   a chunk of 64 Ki, used again
 *    4 Ki ..   a chunk of 16 Ki, used again
 *    1 Ki ..   a chunk of 4 Ki, used again
 *        ..    its own, no larger than it is
 *
 * What is kept is at most four times what it holds, so that an upstream that sends drop by drop to a caller that does not read costs what
 * it sent. A piece's length tells its class, also when it comes back: what has memory of its own never gets into the pool.
 */
export class ChunkPool {
  private readonly free: readonly Buffer[][] = CHUNK_CLASSES.map(() => []);

  /** To read into, with anything in it: `CHUNK_BYTES`. Given back whole, or handed on in one piece of more than `COPIED_BYTES_MAX`. */
  take(): Buffer {
    return this.memoryFor(CHUNK_BYTES);
  }

  /** Of `COPIED_BYTES_MAX` or fewer: a copy of these bytes, to be given back when it is not needed any more, or left to the collector. */
  copyOf(bytes: Buffer, from: number, to: number): Buffer {
    const length = to - from;
    const chunk = this.memoryFor(length);
    bytes.copy(chunk, 0, from, to);
    return length === chunk.length ? chunk : chunk.subarray(0, length);
  }

  private memoryFor(length: number): Buffer {
    const index = classOf(length);
    // Not a part of Node's own pool: one small piece would keep all of it.
    if (index === CHUNK_CLASSES.length) return Buffer.allocUnsafeSlow(length);
    return this.free[index]!.pop() ?? Buffer.allocUnsafeSlow(CHUNK_CLASSES[index]!);
  }

  /** What `take` and `copyOf` gave, as it was handed on. Nobody may look at it afterwards. */
  giveBack(chunk: Buffer): void {
    const index = classOf(chunk.length);
    if (index === CHUNK_CLASSES.length) return;
    const free = this.free[index]!;
    const bytes = CHUNK_CLASSES[index]!;
    if (free.length < FREE_MAX[index]!) free.push(chunk.length === bytes ? chunk : Buffer.from(chunk.buffer, 0, bytes));
  }
}

/** Of one read of a body that passes through. */
export const CHUNK_BYTES = 262_144;
/** A smaller piece is copied: thousands of them, waiting for a caller that takes nothing, would each keep the whole chunk. */
export const COPIED_BYTES_MAX = 65_536;
/** Each four times the next one. */
const CHUNK_CLASSES: readonly number[] = [CHUNK_BYTES, COPIED_BYTES_MAX, 16_384, 4_096];
/** Of each class: 29 MiB at most wait to be used again. */
const FREE_MAX: readonly number[] = [64, 128, 256, 256];

/** The class of a piece; behind the last one for a piece that is too small for any. */
function classOf(length: number): number {
  if (length > COPIED_BYTES_MAX) return 0;
  if (length > 16_384) return 1;
  if (length > 4_096) return 2;
  return length > 1_024 ? 3 : 4;
}

export const CHUNKS = new ChunkPool();
