import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SplitBuckets } from './split-buckets.js';
import { BucketRegistry } from './token-bucket.js';

const taken = (buckets: readonly SplitBuckets[], settings: { ratePerSecond: number; burst: number }, nowMs: number): number => {
  let count = 0;
  for (const part of buckets) while (part.bucket('b', settings, nowMs).tryTake(nowMs)) count++;
  return count;
};

test('processes that share a port admit together at most the burst, or one each, and the rate in the long run', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 100 }),
      (parts, burst, ratePerSecond) => {
        const settings = { ratePerSecond, burst };
        const buckets = Array.from({ length: parts }, () => new SplitBuckets(new BucketRegistry(10), parts));
        const atOnce = taken(buckets, settings, 0);
        expect(atOnce).toBeGreaterThanOrEqual(parts); // nobody is locked out
        expect(atOnce).toBeLessThanOrEqual(Math.max(burst, parts));
        let admitted = atOnce;
        for (let nowMs = 10; nowMs <= 20_000; nowMs += 10) admitted += taken(buckets, settings, nowMs);
        expect(admitted).toBeLessThanOrEqual(Math.max(burst, parts) + 20 * ratePerSecond);
      },
    ),
    { numRuns: 30, seed: 4 },
  );
});

test('no limit stays no limit, and a burst of nothing lets nobody through', () => {
  const buckets = new SplitBuckets(new BucketRegistry(10), 4);
  expect(buckets.bucket('free', { ratePerSecond: -1, burst: -1 }, 0).tryTake(0)).toBe(true);
  expect(buckets.bucket('shut', { ratePerSecond: 0, burst: 0 }, 0).tryTake(0)).toBe(false);
});
