/**
 * Log-linear histogram of milliseconds.
 *
 * A value becomes a whole number of units of 1/64 ms (rounded down). The first 32 buckets hold one unit each; above, every
 * power of two is cut into 16 buckets of equal width:
 *
 *   bucket   0 .. 31    [i, i + 1) units                                         up to 0.5 ms
 *   bucket  32 ..       16 per octave: [2^e + s * 2^(e-4), ... + 2^(e-4)) units     0.5 ms up to 35 minutes (2^27 units)
 *
 * A percentile is the middle of its bucket, never above the largest value seen, so it is off by at most 1/128 ms or 1/32 of the
 * value (3.2 %), whichever is more. Larger values than 35 minutes count in the last bucket; `maxMs` stays exact.
 * The layout is part of node_link.proto (Histogram): changing it needs a new message.
 */
const UNITS_PER_MS = 64;
const SUB_BUCKET_BITS = 4;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const EXPONENT_MAX = 26;
const UNITS_MAX = 2 ** (EXPONENT_MAX + 1) - 1;
export const BUCKET_COUNT = (EXPONENT_MAX - SUB_BUCKET_BITS + 1) * SUB_BUCKETS + SUB_BUCKETS;

/** Sparse form; that of node_link.proto (index and count pairwise) and of domain/metering. */
export interface HistogramData {
  /** Bucket index to count. */
  readonly buckets: Readonly<Record<number, number>>;
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
}

export const EMPTY_HISTOGRAM: HistogramData = { buckets: {}, count: 0, sumMs: 0, maxMs: 0 };

export class Histogram {
  count = 0;
  sumMs = 0;
  maxMs = 0;
  /** Grows to the largest bucket used: most series never see a slow call. */
  private counts = new Uint32Array(128);

  /** A negative value or NaN counts as 0. */
  record(ms: number): void {
    const value = ms > 0 ? ms : 0;
    const index = bucketIndex(value);
    if (index >= this.counts.length) this.grow(index);
    this.counts[index]!++;
    this.count++;
    this.sumMs += value;
    if (value > this.maxMs) this.maxMs = value;
  }

  merge(other: Histogram): void {
    if (other.counts.length > this.counts.length) this.grow(other.counts.length - 1);
    for (let i = 0; i < other.counts.length; i++) this.counts[i]! += other.counts[i]!;
    this.count += other.count;
    this.sumMs += other.sumMs;
    if (other.maxMs > this.maxMs) this.maxMs = other.maxMs;
  }

  /** Values up to and including about `ms`: whole buckets, so off by one bucket's width at most. */
  countUpTo(ms: number): number {
    const last = Math.min(bucketIndex(ms), this.counts.length - 1);
    let sum = 0;
    for (let i = 0; i <= last; i++) sum += this.counts[i]!;
    return sum;
  }

  toData(): HistogramData {
    const buckets: Record<number, number> = {};
    for (let i = 0; i < this.counts.length; i++) {
      const count = this.counts[i]!;
      if (count > 0) buckets[i] = count;
    }
    return { buckets, count: this.count, sumMs: this.sumMs, maxMs: this.maxMs };
  }

  private grow(index: number): void {
    let length = this.counts.length;
    while (length <= index) length *= 2;
    const grown = new Uint32Array(Math.min(length, BUCKET_COUNT));
    grown.set(this.counts);
    this.counts = grown;
  }
}

function bucketIndex(ms: number): number {
  const units = ms * UNITS_PER_MS;
  if (units < 2 * SUB_BUCKETS) return units | 0;
  if (units >= UNITS_MAX) return BUCKET_COUNT - 1;
  const exponent = 31 - Math.clz32(units);
  return (exponent - SUB_BUCKET_BITS) * SUB_BUCKETS + (units >>> (exponent - SUB_BUCKET_BITS));
}

/** Lower bound (inclusive) and upper bound (exclusive) of a bucket, in milliseconds. */
export function bucketBoundsMs(index: number): { readonly fromMs: number; readonly toMs: number } {
  return { fromMs: lowerUnits(index) / UNITS_PER_MS, toMs: lowerUnits(index + 1) / UNITS_PER_MS };
}

function lowerUnits(index: number): number {
  if (index < 2 * SUB_BUCKETS) return index;
  const octave = Math.floor(index / SUB_BUCKETS) - 1;
  return (SUB_BUCKETS + (index % SUB_BUCKETS)) * 2 ** octave;
}

export function mergeHistograms(a: HistogramData, b: HistogramData): HistogramData {
  const buckets: Record<number, number> = { ...a.buckets };
  for (const [index, count] of Object.entries(b.buckets)) buckets[Number(index)] = (buckets[Number(index)] ?? 0) + count;
  return { buckets, count: a.count + b.count, sumMs: a.sumMs + b.sumMs, maxMs: Math.max(a.maxMs, b.maxMs) };
}

/**
 * The value below which each of `percents` (0 to 100) of the recorded values lie, in the order asked; 0 for an empty
 * histogram. Nearest rank; error bound: see the top of this file.
 */
export function percentiles(data: HistogramData, percents: readonly number[]): number[] {
  const entries = Object.entries(data.buckets)
    .map(([index, count]) => [Number(index), count] as const)
    .sort(([a], [b]) => a - b);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  return percents.map((percent) => {
    const rank = Math.max(1, Math.ceil((percent / 100) * total));
    let seen = 0;
    for (const [index, count] of entries) {
      seen += count;
      if (seen < rank) continue;
      if (index >= BUCKET_COUNT - 1) return data.maxMs;
      const { fromMs, toMs } = bucketBoundsMs(index);
      return Math.min((fromMs + toMs) / 2, data.maxMs);
    }
    return 0;
  });
}
