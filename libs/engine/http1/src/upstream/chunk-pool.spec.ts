import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, ChunkPool } from './chunk-pool.js';

/** Around the borders of the classes as often as between them. */
const lengths = fc.oneof(
  fc.integer({ min: 1, max: CHUNK_BYTES }),
  fc.integer({ min: 1, max: 2_000 }),
  fc.constantFrom(1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385, CHUNK_BYTES - 1, CHUNK_BYTES),
);

test('no two chunks that are out share memory, and each holds what was copied, whatever was given back before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(lengths, fc.boolean()), { maxLength: 30 }), (steps) => {
      const pool = new ChunkPool();
      const out: { chunk: Buffer; mark: number }[] = [];
      // What Node cuts from its pool is as large as a chunk behind the scenes, and must not be taken for one.
      const others = steps.map(() => Buffer.allocUnsafe(700).fill(0xee));
      steps.forEach(([length, givesBack], step) => {
        const bytes = Buffer.alloc(CHUNK_BYTES, step + 1);
        out.push({ chunk: pool.copyOf(bytes, CHUNK_BYTES - length, CHUNK_BYTES), mark: step + 1 });
        if (givesBack) pool.giveBack(out.shift()!.chunk);
      });
      for (const { chunk, mark } of out) expect(chunk.every((byte) => byte === mark)).toBe(true);
      for (const other of others) expect(other.every((byte) => byte === 0xee)).toBe(true);
    }),
    { seed: 1, numRuns: 50 },
  );
});

test('a piece keeps at most four times its length, and what is given back is used again', () => {
  const pool = new ChunkPool();
  const bytes = Buffer.alloc(CHUNK_BYTES);
  for (const length of [1, 700, 1_024, 1_025, 4_096, 4_097, 16_384, 16_385, CHUNK_BYTES]) {
    const piece = pool.copyOf(bytes, 0, length);
    expect(piece.buffer.byteLength, `of ${length}`).toBeLessThanOrEqual(4 * length);
    pool.giveBack(piece);
    expect(pool.copyOf(bytes, 0, length).buffer === piece.buffer, `of ${length}`).toBe(length > 1_024);
  }
});
