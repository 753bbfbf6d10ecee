import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, ChunkPool, COPIED_BYTES_MAX } from './chunk-pool.js';

/** Around the borders of the classes as often as between them. */
const lengths = fc.oneof(
  fc.integer({ min: 1, max: CHUNK_BYTES }),
  fc.integer({ min: 1, max: 2_000 }),
  fc.constantFrom(1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385),
  fc.constantFrom(COPIED_BYTES_MAX - 1, COPIED_BYTES_MAX, COPIED_BYTES_MAX + 1, CHUNK_BYTES - 1, CHUNK_BYTES),
);

/** As a connection makes it: the end of a chunk that was read into, or a copy. */
function pieceOf(pool: ChunkPool, length: number, mark: number): Buffer {
  if (length > COPIED_BYTES_MAX)
    return pool
      .take()
      .fill(mark)
      .subarray(CHUNK_BYTES - length);
  const bytes = Buffer.alloc(CHUNK_BYTES, mark);
  return pool.copyOf(bytes, CHUNK_BYTES - length, CHUNK_BYTES);
}

test('no two pieces that are out share memory, and each holds what it was made of, whatever was given back before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(lengths, fc.boolean()), { maxLength: 30 }), (steps) => {
      const pool = new ChunkPool();
      const out: { piece: Buffer; mark: number }[] = [];
      // What Node cuts from its pool is as large as a chunk behind the scenes, and must not be taken for one.
      const others = steps.map(() => Buffer.allocUnsafe(700).fill(0xee));
      steps.forEach(([length, givesBack], step) => {
        out.push({ piece: pieceOf(pool, length, step + 1), mark: step + 1 });
        if (givesBack) pool.giveBack(out.shift()!.piece);
      });
      for (const { piece, mark } of out) expect(piece.every((byte) => byte === mark)).toBe(true);
      for (const other of others) expect(other.every((byte) => byte === 0xee)).toBe(true);
    }),
    { seed: 1, numRuns: 50 },
  );
});

test('a piece keeps at most four times its length, and what is given back is used again', () => {
  const pool = new ChunkPool();
  for (const length of [
    1,
    700,
    1_024,
    1_025,
    4_096,
    4_097,
    16_384,
    16_385,
    COPIED_BYTES_MAX,
    COPIED_BYTES_MAX + 1,
    CHUNK_BYTES,
  ]) {
    const piece = pieceOf(pool, length, 1);
    expect(piece.buffer.byteLength, `of ${length}`).toBeLessThanOrEqual(4 * length);
    pool.giveBack(piece);
    expect(pieceOf(pool, length, 1).buffer === piece.buffer, `of ${length}`).toBe(length > 1_024);
  }
});

test('a chunk is whole again when a part of it comes back', () => {
  const pool = new ChunkPool();
  const chunk = pool.take();
  pool.giveBack(chunk.subarray(1_000, 100_000));
  const again = pool.take();
  expect([again.buffer === chunk.buffer, again.byteOffset, again.length]).toEqual([true, 0, CHUNK_BYTES]);
});
