import type { ThrottleSettings } from '@gatehouse/contracts';
import type { BucketRegistry, TokenBucket } from './token-bucket.js';

/**
 * Buckets of one of several processes that share a port: each has its part of rate and burst. No bucket holds less than one
 * token, or nobody could ever call: together they admit at most `max(burst, parts)` at once, and the rate in the long run.
 * A caller that keeps to one connection is served by one process and gets that one's part.
 */
export class SplitBuckets {
  /** Published settings are frozen, so their part is worked out once. */
  private readonly parts = new WeakMap<ThrottleSettings, ThrottleSettings>();

  constructor(
    private readonly buckets: Pick<BucketRegistry, 'bucket'>,
    private readonly partCount: number,
  ) {}

  bucket(name: string, settings: ThrottleSettings, nowMs: number): TokenBucket {
    let part = this.parts.get(settings);
    if (part === undefined) {
      part = throttlePart(settings, this.partCount);
      this.parts.set(settings, part);
    }
    return this.buckets.bucket(name, part, nowMs);
  }
}

/** -1 (no limit) stays, and so does 0, which lets nobody through. */
export function throttlePart(settings: ThrottleSettings, partCount: number): ThrottleSettings {
  const { ratePerSecond, burst } = settings;
  return {
    ...settings,
    ratePerSecond: ratePerSecond < 0 ? ratePerSecond : ratePerSecond / partCount,
    burst: burst <= 0 ? burst : Math.max(1, burst / partCount),
  };
}
