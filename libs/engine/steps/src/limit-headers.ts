/**
 * What a caller with an API key is told of its limits: `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers, in the form
 * they have since its 8th revision, and when to come again.
 *
 *   RateLimit-Policy: "quota";q=1000;w=86400, "plan";q=20;w=2
 *   RateLimit: "quota";r=998;t=41000, "plan";r=18;t=1
 *
 *   quota    of the plan, for the key: q requests in a period of w seconds; r are left for t seconds
 *   method   of the plan for one method, and
 *   plan     for all: buckets of q tokens, which fill in w seconds; r are there, and t seconds later it is full again
 *
 * What is left is what this process knows: see docs/limits.md. Buckets that callers share (of a stage's method, of the account) are nobody's to
 * plan with, and not told. Texts that repeat are made once; a request makes one more string.
 */
import type { ThrottleSettings, UsagePlanEntry } from '@gatehouse/contracts';
import { quotaPeriod, type PeriodBounds } from '@gatehouse/engine-limits';

type Quota = NonNullable<UsagePlanEntry['quota']>;

const SECOND_MS = 1_000;

export type BucketName = 'method' | 'plan';

/** One limit as the two fields show it. */
interface Shown {
  readonly policy: string;
  readonly state: string;
}

const known = {
  DAY: null as PeriodBounds | null,
  WEEK: null as PeriodBounds | null,
  MONTH: null as PeriodBounds | null,
};

/** The period of `nowMs`; made once while it lasts. */
export function periodNow(period: Quota['period'], nowMs: number): PeriodBounds {
  const last = known[period];
  if (last !== null && nowMs >= last.startMs && nowMs < last.endMs) return last;
  return (known[period] = quotaPeriod(period, nowMs));
}

const quotaPolicies = new WeakMap<Quota, { readonly bounds: PeriodBounds; readonly text: string }>();

function quotaPolicy(quota: Quota, bounds: PeriodBounds): string {
  let made = quotaPolicies.get(quota);
  if (made === undefined || made.bounds !== bounds) {
    made = { bounds, text: `"quota";q=${quota.limit};w=${(bounds.endMs - bounds.startMs) / SECOND_MS}` };
    quotaPolicies.set(quota, made);
  }
  return made.text;
}

/** `left` is -1 when nobody knows. */
export function shownQuota(quota: Quota, left: number, nowMs: number): Shown | null {
  if (left < 0) return null;
  const bounds = periodNow(quota.period, nowMs);
  const state = `"quota";r=${left};t=${Math.ceil((bounds.endMs - nowMs) / SECOND_MS)}`;
  return { policy: quotaPolicy(quota, bounds), state };
}

const bucketPolicies: Readonly<Record<BucketName, WeakMap<ThrottleSettings, string>>> = {
  method: new WeakMap(),
  plan: new WeakMap(),
};

function bucketPolicy(name: BucketName, throttle: ThrottleSettings): string {
  let made = bucketPolicies[name].get(throttle);
  if (made === undefined) {
    const window = throttle.ratePerSecond > 0 ? `;w=${Math.max(1, Math.ceil(throttle.burst / throttle.ratePerSecond))}` : '';
    made = `"${name}";q=${Math.floor(throttle.burst)}${window}`;
    bucketPolicies[name].set(throttle, made);
  }
  return made;
}

/** `null` for a throttle that limits nothing. */
export function shownBucket(name: BucketName, throttle: ThrottleSettings, left: number): Shown | null {
  const { ratePerSecond, burst } = throttle;
  if (ratePerSecond < 0 || burst < 0) return null;
  const time = ratePerSecond > 0 ? `;t=${Math.ceil(Math.max(0, burst - left) / ratePerSecond)}` : '';
  return { policy: bucketPolicy(name, throttle), state: `"${name}";r=${Math.floor(Math.min(left, burst))}${time}` };
}

/** Lines of a head; empty when there is nothing to show. */
export function limitLines(quota: Shown | null, method: Shown | null, plan: Shown | null): string {
  let policies = '';
  let states = '';
  for (const shown of [quota, method, plan]) {
    if (shown === null) continue;
    const comma = policies === '' ? '' : ', ';
    policies += comma + shown.policy;
    states += comma + shown.state;
  }
  return policies === '' ? '' : `RateLimit-Policy: ${policies}\r\nRateLimit: ${states}\r\n`;
}

/** Until a bucket without a whole token has one, at most; -1 for one that never will. */
export function msToNextToken({ ratePerSecond }: ThrottleSettings): number {
  return ratePerSecond > 0 ? SECOND_MS / ratePerSecond : -1;
}
