import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, ChunkPool } from './chunk-pool.js';

test('no two chunks that are out share memory, and each holds what was copied, whatever was given back before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: CHUNK_BYTES }), fc.boolean()), { maxLength: 30 }), (steps) => {
      const pool = new ChunkPool();
      const out: { chunk: Buffer; mark: number }[] = [];
      steps.forEach(([length, givesBack], step) => {
        const bytes = Buffer.alloc(CHUNK_BYTES, step + 1);
        out.push({ chunk: pool.copyOf(bytes, CHUNK_BYTES - length, CHUNK_BYTES), mark: step + 1 });
        if (givesBack) pool.giveBack(out.shift()!.chunk);
      });
      for (const { chunk, mark } of out) expect(chunk.every((byte) => byte === mark)).toBe(true);
    }),
    { seed: 1, numRuns: 50 },
  );
});
