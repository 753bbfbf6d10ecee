import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BucketRegistry, TokenBucket } from './token-bucket.js';

const START_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

function taken(bucket: TokenBucket, attempts: number, nowMs: number): number {
  let count = 0;
  for (let i = 0; i < attempts; i++) if (bucket.tryTake(nowMs)) count++;
  return count;
}

describe('a token bucket', () => {
  for (const [name, settings, expected] of [
    ['starts full', { ratePerSecond: 1, burst: 5 }, 5],
    ['of size 0 lets nothing through', { ratePerSecond: 100, burst: 0 }, 0],
    ['without rate gives its burst once', { ratePerSecond: 0, burst: 3 }, 3],
    ['with rate -1 has no limit', { ratePerSecond: -1, burst: 3 }, 100],
    ['with burst -1 has no limit', { ratePerSecond: 3, burst: -1 }, 100],
  ] as const) {
    test(name, () => expect(taken(new TokenBucket(settings, START_MS), 100, START_MS)).toBe(expected));
  }

  test('refills at a fractional rate', () => {
    const bucket = new TokenBucket({ ratePerSecond: 0.5, burst: 1 }, START_MS);
    expect(taken(bucket, 2, START_MS)).toBe(1);
    expect(taken(bucket, 1, START_MS + 1_999)).toBe(0);
    expect(taken(bucket, 2, START_MS + 2_000)).toBe(1);
  });

  test('never holds more than its burst', () => {
    const bucket = new TokenBucket({ ratePerSecond: 10, burst: 4 }, START_MS);
    expect(taken(bucket, 100, START_MS + HOUR_MS)).toBe(4);
  });

  test('a clock stepping back neither refills it nor locks it', () => {
    const bucket = new TokenBucket({ ratePerSecond: 1, burst: 2 }, START_MS);
    expect(taken(bucket, 3, START_MS)).toBe(2);
    expect(taken(bucket, 1, START_MS - HOUR_MS)).toBe(0);
    expect(taken(bucket, 2, START_MS - HOUR_MS + 1_000)).toBe(1);
  });

  test('lets through at most burst + rate * time, whatever the arrivals', () => {
    fc.assert(
      fc.property(
        fc.record({ ratePerSecond: fc.double({ min: 0, max: 50, noNaN: true }), burst: fc.nat(20) }),
        fc.array(fc.tuple(fc.nat(3_000), fc.nat(30)), { maxLength: 50 }),
        (settings, arrivals) => {
          const bucket = new TokenBucket(settings, START_MS);
          let nowMs = START_MS;
          let count = 0;
          for (const [waitMs, attempts] of arrivals) {
            nowMs += waitMs;
            count += taken(bucket, attempts, nowMs);
            expect(count).toBeLessThanOrEqual(settings.burst + (settings.ratePerSecond * (nowMs - START_MS)) / 1000 + 1e-6);
          }
        },
      ),
    );
  });
});

describe('settings published anew', () => {
  test('keep what was spent', () => {
    const bucket = new TokenBucket({ ratePerSecond: 1, burst: 10 }, START_MS);
    taken(bucket, 10, START_MS);
    bucket.adopt({ ratePerSecond: 2, burst: 10 }, START_MS);
    expect(taken(bucket, 5, START_MS)).toBe(0);
    expect(taken(bucket, 5, START_MS + 1_000)).toBe(2);
  });

  test('with a larger burst give the difference', () => {
    const bucket = new TokenBucket({ ratePerSecond: 1, burst: 2 }, START_MS);
    taken(bucket, 2, START_MS);
    bucket.adopt({ ratePerSecond: 1, burst: 5 }, START_MS);
    expect(taken(bucket, 10, START_MS)).toBe(3);
  });

  test('put a limit where there was none', () => {
    const bucket = new TokenBucket({ ratePerSecond: -1, burst: -1 }, START_MS);
    taken(bucket, 10, START_MS);
    bucket.adopt({ ratePerSecond: 1, burst: 2 }, START_MS);
    expect(taken(bucket, 10, START_MS)).toBe(2);
  });

  test('take a limit away', () => {
    const bucket = new TokenBucket({ ratePerSecond: 1, burst: 2 }, START_MS);
    bucket.adopt({ ratePerSecond: -1, burst: -1 }, START_MS);
    expect(taken(bucket, 10, START_MS)).toBe(10);
  });
});

describe('the registry', () => {
  const settings = { ratePerSecond: 1, burst: 1 };

  test('gives one bucket per name', () => {
    const registry = new BucketRegistry(10);
    expect(registry.bucket('a', settings, START_MS)).toBe(registry.bucket('a', settings, START_MS));
    expect(registry.bucket('a', settings, START_MS)).not.toBe(registry.bucket('b', settings, START_MS));
  });

  test('stays within its bound', () => {
    const registry = new BucketRegistry(3);
    for (let i = 0; i < 100; i++) registry.bucket(`name ${i}`, settings, START_MS).tryTake(START_MS);
    expect(registry.size).toBe(3);
  });

  test('gives up an idle bucket before one in use', () => {
    const registry = new BucketRegistry(3);
    registry.bucket('busy', settings, START_MS).tryTake(START_MS);
    registry.bucket('idle', settings, START_MS);
    registry.bucket('also busy', settings, START_MS).tryTake(START_MS);
    registry.bucket('new', settings, START_MS);
    expect(registry.bucket('busy', settings, START_MS).tryTake(START_MS)).toBe(false);
    expect(registry.bucket('also busy', settings, START_MS).tryTake(START_MS)).toBe(false);
  });

  test('gives up the oldest when all are in use', () => {
    const registry = new BucketRegistry(3);
    for (const name of ['first', 'second', 'third', 'fourth']) registry.bucket(name, settings, START_MS).tryTake(START_MS);
    expect(registry.bucket('fourth', settings, START_MS).tryTake(START_MS)).toBe(false);
    expect(registry.bucket('third', settings, START_MS).tryTake(START_MS)).toBe(false);
    expect(registry.bucket('second', settings, START_MS).tryTake(START_MS)).toBe(false);
  });
});
