import { expect, test } from 'vitest';
import { descriptorLimit, descriptorShares } from './descriptors.js';

test('callers and upstreams together never get all descriptors, and each gets one at least', () => {
  for (const limit of [0, 1, 64, 66, 100, 256, 1_024, 4_096, 20_000, 1_048_576]) {
    const { callers, upstreams } = descriptorShares(limit);
    expect(Math.min(callers, upstreams), `of ${limit}`).toBeGreaterThanOrEqual(1);
    if (limit > 66) expect(callers + upstreams, `of ${limit}`).toBeLessThanOrEqual(limit - 64);
  }
});

test('the default number of callers fits into the descriptors that containers and services commonly have', () => {
  expect(descriptorShares(524_288).callers).toBeGreaterThan(65_536);
  expect(descriptorShares(Number.POSITIVE_INFINITY)).toEqual({ callers: Infinity, upstreams: Infinity });
});

test('the limit of this process is known', () => {
  expect(descriptorLimit()).toBeGreaterThan(0);
});
