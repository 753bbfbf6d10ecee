import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, ChunkPool } from './chunk-pool.js';

test('no two chunks that are out share memory, whole or in part, whatever was given back before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: CHUNK_BYTES }), fc.boolean()), { maxLength: 30 }), (steps) => {
      const pool = new ChunkPool();
      const out: { piece: Buffer; mark: number }[] = [];
      steps.forEach(([length, givesBack], step) => {
        const piece = pool
          .take()
          .fill(step + 1)
          .subarray(CHUNK_BYTES - length);
        out.push({ piece, mark: step + 1 });
        if (givesBack) pool.giveBack(out.shift()!.piece);
      });
      for (const { piece, mark } of out) expect(piece.every((byte) => byte === mark)).toBe(true);
    }),
    { seed: 1, numRuns: 50 },
  );
});

test('a chunk is whole again when it comes back', () => {
  const pool = new ChunkPool();
  const chunk = pool.take();
  pool.giveBack(chunk.subarray(100, 200));
  const again = pool.take();
  expect([again.buffer, again.length]).toEqual([chunk.buffer, CHUNK_BYTES]);
});

test.each([
  ['small, of a slab that others use too', () => Buffer.allocUnsafe(100)],
  ['large, on its own', () => Buffer.allocUnsafe(100_000)],
  ['what a socket read', () => Buffer.alloc(65_536)],
])('memory that is no chunk is never handed out: %s', (_, allocate) => {
  const pool = new ChunkPool();
  const foreign = allocate();
  pool.giveBack(foreign);
  expect(pool.take().buffer).not.toBe(foreign.buffer);
});
