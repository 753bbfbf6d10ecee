import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketBoundsMs, BUCKET_COUNT, EMPTY_HISTOGRAM, Histogram, mergeHistograms, percentiles } from './histogram.js';

const histogramOf = (values: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
};
const milliseconds = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0, max: 100_000, noNaN: true }),
  fc.nat(2_000_000),
);

test('buckets follow each other without gap or overlap', () => {
  for (let i = 0; i < BUCKET_COUNT - 1; i++) expect(bucketBoundsMs(i).toMs).toBe(bucketBoundsMs(i + 1).fromMs);
  expect(bucketBoundsMs(0).fromMs).toBe(0);
  expect(bucketBoundsMs(BUCKET_COUNT - 1).toMs).toBe(2 ** 27 / 64);
});

test('a value falls into the bucket whose bounds hold it', () => {
  fc.assert(
    fc.property(milliseconds, (value) => {
      const [index] = Object.keys(histogramOf([value]).toData().buckets).map(Number);
      const { fromMs, toMs } = bucketBoundsMs(index!);
      expect(value).toBeGreaterThanOrEqual(fromMs);
      expect(value).toBeLessThan(toMs);
    }),
  );
});

test('a percentile is off by 1/128 ms or 1/32 of the value at most, and never above the largest value', () => {
  fc.assert(
    fc.property(fc.array(milliseconds, { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 100 }), (values, percent) => {
      const exact = values.toSorted((a, b) => a - b)[Math.ceil((percent / 100) * values.length) - 1]!;
      const [found] = percentiles(histogramOf(values).toData(), [percent]);
      expect(Math.abs(found! - exact)).toBeLessThanOrEqual(Math.max(1 / 64, exact / 32));
      expect(found).toBeLessThanOrEqual(Math.max(...values));
    }),
  );
});

describe('percentiles', () => {
  test('come in the order asked', () => {
    const [p99, p50] = percentiles(histogramOf([...Array.from({ length: 98 }, () => 1), 500, 500]).toData(), [99, 50]);
    expect(p99).toBeCloseTo(500, -2);
    expect(p50).toBeCloseTo(1, 1);
  });
  test('of nothing are 0', () => expect(percentiles(EMPTY_HISTOGRAM, [50, 90, 99])).toEqual([0, 0, 0]));
  test('beyond the last bucket are the largest value', () =>
    expect(percentiles(histogramOf([1e9]).toData(), [50])).toEqual([1e9]));
  test('0 is the smallest value and 100 the largest', () => {
    const data = histogramOf([0, 10]).toData();
    expect(percentiles(data, [0, 100])).toEqual([1 / 128, 10]);
  });
});

test('what is no duration counts as 0', () => {
  const data = histogramOf([-1, Number.NaN, 0]).toData();
  expect(data).toEqual({ buckets: { 0: 3 }, count: 3, sumMs: 0, maxMs: 0 });
});

test('merging equals recording everything in one', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100_000)), fc.array(fc.nat(100_000)), (a, b) => {
      const both = histogramOf([...a, ...b]).toData();
      expect(mergeHistograms(histogramOf(a).toData(), histogramOf(b).toData())).toEqual(both);
      const merged = histogramOf(a);
      merged.merge(histogramOf(b));
      expect(merged.toData()).toEqual(both);
    }),
  );
});

test('counting up to a bound is off by one bucket at most', () => {
  const histogram = histogramOf([1, 2, 4, 8, 16]);
  expect([0.5, 3, 9, 1_000_000].map((bound) => histogram.countUpTo(bound))).toEqual([0, 2, 4, 5]);
});
