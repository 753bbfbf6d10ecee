import type { ThrottleSettings } from '@gatehouse/contracts';

/** In ThrottleSettings: no limit. */
const UNLIMITED = -1;
const MS_PER_SECOND = 1000;

/**
 * AWS's throttle: `ratePerSecond` tokens flow in (fractions count), at most `burst` are kept, a request takes one. It starts
 * full. -1 in either member means no limit at all.
 *
 * The caller's clock may step: backwards it adds nothing and takes nothing, forwards it fills to `burst` at most.
 */
export class TokenBucket {
  private ratePerMs: number;
  private burst: number;
  private unlimited: boolean;
  private tokens: number;
  private filledAtMs: number;

  constructor(settings: ThrottleSettings, nowMs: number) {
    this.ratePerMs = settings.ratePerSecond / MS_PER_SECOND;
    this.burst = settings.burst;
    this.unlimited = isUnlimited(settings);
    this.tokens = settings.burst;
    this.filledAtMs = nowMs;
  }

  /** False: throttled, nothing was taken. */
  tryTake(nowMs: number): boolean {
    if (this.unlimited) return true;
    this.fill(nowMs);
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /** Takes on new settings and keeps what was spent, so that publishing a change opens no second burst. */
  adopt(settings: ThrottleSettings, nowMs: number): void {
    const ratePerMs = settings.ratePerSecond / MS_PER_SECOND;
    if (ratePerMs === this.ratePerMs && settings.burst === this.burst) return;
    if (this.unlimited) this.tokens = settings.burst;
    else {
      this.fill(nowMs);
      this.tokens = Math.max(0, settings.burst - (this.burst - this.tokens));
    }
    this.ratePerMs = ratePerMs;
    this.burst = settings.burst;
    this.unlimited = isUnlimited(settings);
    this.filledAtMs = nowMs;
  }

  /** Takes on new settings and keeps the tokens, as far as they fit: what was not there does not appear. */
  resize(settings: ThrottleSettings, nowMs: number): void {
    if (this.unlimited) this.tokens = settings.burst;
    else this.fill(nowMs);
    this.ratePerMs = settings.ratePerSecond / MS_PER_SECOND;
    this.burst = settings.burst;
    this.unlimited = isUnlimited(settings);
    this.tokens = Math.min(this.tokens, settings.burst);
    this.filledAtMs = nowMs;
  }

  /** A full bucket remembers nothing: a new one would answer the same. */
  isFull(nowMs: number): boolean {
    if (this.unlimited) return true;
    this.fill(nowMs);
    return this.tokens >= this.burst;
  }

  /** What could be taken at once; fractions are there, too. */
  left(nowMs: number): number {
    if (this.unlimited) return Number.POSITIVE_INFINITY;
    this.fill(nowMs);
    return this.tokens;
  }

  private fill(nowMs: number): void {
    const elapsedMs = nowMs - this.filledAtMs;
    this.filledAtMs = nowMs;
    if (elapsedMs > 0) this.tokens = Math.min(this.burst, this.tokens + elapsedMs * this.ratePerMs);
  }
}

function isUnlimited(settings: ThrottleSettings): boolean {
  return settings.ratePerSecond === UNLIMITED || settings.burst === UNLIMITED;
}

/** How many buckets one insertion looks at when the registry is full. */
const SWEEP_COUNT = 32;

/**
 * Buckets by name, at most `bucketsMax` of them. When it is full, a bucket that is full itself goes (that loses nothing),
 * else the oldest: its owner may burst once more. A new one is always made: a limit is never skipped for want of room.
 */
export class BucketRegistry {
  private readonly buckets = new Map<string, TokenBucket>();
  private readonly bucketsMax: number;

  constructor(bucketsMax: number) {
    this.bucketsMax = bucketsMax;
  }

  get size(): number {
    return this.buckets.size;
  }

  /** The bucket of that name, made on first use; it takes on `settings` when they changed. */
  bucket(name: string, settings: ThrottleSettings, nowMs: number): TokenBucket {
    const present = this.buckets.get(name);
    if (present !== undefined) {
      present.adopt(settings, nowMs);
      return present;
    }
    if (this.buckets.size >= this.bucketsMax) this.makeRoom(nowMs);
    const bucket = new TokenBucket(settings, nowMs);
    this.buckets.set(name, bucket);
    return bucket;
  }

  private makeRoom(nowMs: number): void {
    let oldest: string | null = null;
    let looked = 0;
    for (const [name, bucket] of this.buckets) {
      if (bucket.isFull(nowMs)) {
        this.buckets.delete(name);
        return;
      }
      oldest ??= name;
      if (++looked === SWEEP_COUNT) break;
      if (looked === 1) continue;
      // A busy bucket goes to the back, so that the next sweep looks at others; the oldest stays in front, to go first.
      this.buckets.delete(name);
      this.buckets.set(name, bucket);
    }
    if (oldest !== null) this.buckets.delete(oldest);
  }
}
