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
 * plan with, and not told. The first field is made once for a plan.
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

/** What the first field says under a plan, for its latest method and period. */
interface Policy {
  readonly method: ThrottleSettings | null;
  readonly bounds: PeriodBounds | null;
  readonly line: string;
}

const policies = new WeakMap<UsagePlanEntry, Policy>();

function policyLine(plan: UsagePlanEntry, method: ThrottleSettings | null, bounds: PeriodBounds | null): string {
  const made = policies.get(plan);
  if (made !== undefined && made.method === method && made.bounds === bounds) return made.line;
  const shown = [
    ...(bounds === null ? [] : [`"quota";q=${plan.quota!.limit};w=${(bounds.endMs - bounds.startMs) / SECOND_MS}`]),
    ...(isLimit(method) ? [bucketPolicy('method', method)] : []),
    ...(isLimit(plan.throttle) ? [bucketPolicy('plan', plan.throttle)] : []),
  ];
  const line = shown.length === 0 ? '' : `RateLimit-Policy: ${shown.join(', ')}\r\nRateLimit: `;
  policies.set(plan, { method, bounds, line });
  return line;
}

function bucketPolicy(name: string, { ratePerSecond, burst }: ThrottleSettings): string {
  const window = ratePerSecond > 0 ? `;w=${Math.max(1, Math.ceil(burst / ratePerSecond))}` : '';
  return `"${name}";q=${Math.floor(burst)}${window}`;
}

function isLimit(throttle: ThrottleSettings | null): throttle is ThrottleSettings {
  return throttle !== null && throttle.ratePerSecond >= 0 && throttle.burst >= 0;
}

function bucketState(start: string, { ratePerSecond, burst }: ThrottleSettings, left: number): string {
  const state = start + Math.floor(left < burst ? left : burst);
  return ratePerSecond > 0 ? `${state};t=${Math.ceil(Math.max(0, burst - left) / ratePerSecond)}` : state;
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
  const policy = policyLine(plan, method, bounds);
  if (policy === '') return '';
  let state = bounds === null ? '' : `"quota";r=${left.quota};t=${Math.ceil((bounds.endMs - nowMs) / SECOND_MS)}`;
  if (isLimit(method)) state += bucketState(state === '' ? '"method";r=' : ', "method";r=', method, left.method);
  if (isLimit(plan.throttle)) state += bucketState(state === '' ? '"plan";r=' : ', "plan";r=', plan.throttle, left.plan);
  return `${policy}${state}\r\n`;
}

/** Until a bucket without a whole token has one, at most; -1 for one that never will. */
export function msToNextToken({ ratePerSecond }: ThrottleSettings): number {
  return ratePerSecond > 0 ? SECOND_MS / ratePerSecond : -1;
}
