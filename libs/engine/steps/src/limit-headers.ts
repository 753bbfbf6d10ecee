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
 * plan with, and not told. The first field is made once for a plan, and what is said of buckets again
 * only when it changes.
 */
import type { ThrottleSettings, UsagePlanEntry } from '@gatehouse/contracts';
import { quotaPeriod, type PeriodBounds } from '@gatehouse/engine-limits';

type Quota = NonNullable<UsagePlanEntry['quota']>;

const SECOND_MS = 1_000;

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

/** A plan's limits in words, for its latest method and period. Only a quota's count is new in each request. */
class Policy {
  /** The first field, and the second up to the count of the quota, or to its first bucket. */
  readonly start: string;
  /** What follows, as it was last. */
  end = '';
  private quotaSeconds = -1;
  private methodTokens = -1;
  private methodSeconds = -1;
  private planTokens = -1;
  private planSeconds = -1;

  constructor(
    plan: UsagePlanEntry,
    readonly method: ThrottleSettings | null,
    readonly bounds: PeriodBounds | null,
  ) {
    const shown = [
      ...(bounds === null ? [] : [`"quota";q=${plan.quota!.limit};w=${(bounds.endMs - bounds.startMs) / SECOND_MS}`]),
      ...(isLimit(method) ? [bucketPolicy('method', method)] : []),
      ...(isLimit(plan.throttle) ? [bucketPolicy('plan', plan.throttle)] : []),
    ];
    const quota = bounds === null ? '' : '"quota";r=';
    this.start = shown.length === 0 ? '' : `RateLimit-Policy: ${shown.join(', ')}\r\nRateLimit: ${quota}`;
  }

  /** Of full buckets it is the same for a second. */
  endWith(
    quotaSeconds: number,
    method: ThrottleSettings | null,
    methodLeft: number,
    plan: ThrottleSettings | null,
    planLeft: number,
  ): string {
    const methodTokens = tokens(method, methodLeft);
    const methodSeconds = secondsToFull(method, methodLeft);
    const planTokens = tokens(plan, planLeft);
    const planSeconds = secondsToFull(plan, planLeft);
    if (
      quotaSeconds !== this.quotaSeconds ||
      planTokens !== this.planTokens ||
      planSeconds !== this.planSeconds ||
      methodTokens !== this.methodTokens ||
      methodSeconds !== this.methodSeconds ||
      this.end === ''
    ) {
      this.quotaSeconds = quotaSeconds;
      this.planTokens = planTokens;
      this.planSeconds = planSeconds;
      this.methodTokens = methodTokens;
      this.methodSeconds = methodSeconds;
      const states = [
        ...(isLimit(method) ? [bucketState('method', methodTokens, methodSeconds)] : []),
        ...(isLimit(plan) ? [bucketState('plan', planTokens, planSeconds)] : []),
      ].join(', ');
      const quotaEnd = quotaSeconds < 0 ? '' : `;t=${quotaSeconds}${states === '' ? '' : ', '}`;
      this.end = `${quotaEnd}${states}\r\n`;
    }
    return this.end;
  }
}

const policies = new WeakMap<UsagePlanEntry, Policy>();

function policyOf(plan: UsagePlanEntry, method: ThrottleSettings | null, bounds: PeriodBounds | null): Policy {
  let policy = policies.get(plan);
  if (policy === undefined || policy.method !== method || policy.bounds !== bounds) {
    policy = new Policy(plan, method, bounds);
    policies.set(plan, policy);
  }
  return policy;
}

function bucketPolicy(name: string, { ratePerSecond, burst }: ThrottleSettings): string {
  const window = ratePerSecond > 0 ? `;w=${Math.max(1, Math.ceil(burst / ratePerSecond))}` : '';
  return `"${name}";q=${Math.floor(burst)}${window}`;
}

function isLimit(throttle: ThrottleSettings | null): throttle is ThrottleSettings {
  return throttle !== null && throttle.ratePerSecond >= 0 && throttle.burst >= 0;
}

function tokens(settings: ThrottleSettings | null, left: number): number {
  return isLimit(settings) ? Math.floor(left < settings.burst ? left : settings.burst) : -1;
}

/** -1: never. */
function secondsToFull(settings: ThrottleSettings | null, left: number): number {
  if (!isLimit(settings) || settings.ratePerSecond <= 0) return -1;
  const { ratePerSecond, burst } = settings;
  return left < burst ? Math.ceil((burst - left) / ratePerSecond) : 0;
}

function bucketState(name: string, tokenCount: number, seconds: number): string {
  return `"${name}";r=${tokenCount}${seconds < 0 ? '' : `;t=${seconds}`}`;
}

/** What is left of each limit. A quota's is -1 when nobody knows; of limits that are not there it does not count. */
export interface Left {
  readonly quota: number;
  readonly method: number;
  readonly plan: number;
}

/** Lines of a head; empty when there is nothing to show. */
export function limitLines(plan: UsagePlanEntry, method: ThrottleSettings | null, left: Left, nowMs: number): string {
  const bounds = plan.quota === null || left.quota < 0 ? null : periodNow(plan.quota.period, nowMs);
  const policy = policyOf(plan, method, bounds);
  if (policy.start === '') return '';
  const quotaSeconds = bounds === null ? -1 : Math.ceil((bounds.endMs - nowMs) / SECOND_MS);
  const end = policy.endWith(quotaSeconds, method, left.method, plan.throttle, left.plan);
  return bounds === null ? policy.start + end : `${policy.start}${left.quota}${end}`;
}

/** Until a bucket without a whole token has one, at most; -1 for one that never will. */
export function msToNextToken({ ratePerSecond }: ThrottleSettings): number {
  return ratePerSecond > 0 ? SECOND_MS / ratePerSecond : -1;
}
