/**
 * Who may call how often (data-plane reference §1.1 rows 14 and 15, §7.2). Order: quota of the key, then the buckets of
 * (plan, key, method), (plan, key), (stage, method), account. A request that a later bucket refuses has spent the earlier
 * ones and its quota: AWS counts every request that passed the key check.
 *
 * With `rates`, the buckets of plans and of the account hold over all nodes; that of a stage's method is each node's own. A request
 * waits only under a strict plan, and only while an answer is on its way (engine/limits).
 */
import type { ApiKeyEntry, PlanLimits, ThrottleSettings } from '@gatehouse/contracts';
import { CONTINUE, type Exchange, type StepFactory, type UsagePlanView, type Verdict } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import {
  FAST_OPEN,
  type BucketRegistry,
  type LeaseVerdict,
  type QuotaLedger,
  type RateLeases,
  type UsageJournal,
} from '@gatehouse/engine-limits';
import type { Clock } from '@gatehouse/kernel';
import { limitLines, msToNextToken, periodNow } from './limit-headers.js';

export interface Limits {
  readonly buckets: Pick<BucketRegistry, 'bucket'>;
  /** With `left`, callers are told what is left of their quotas. */
  readonly quotas: Pick<QuotaLedger, 'spend'> & Partial<Pick<QuotaLedger, 'left' | 'whenAnswered'>>;
  /**
   * Told of every request a quota admitted, and of every one of a key whose plan has none. With `settle`, a request is counted for
   * good only after it (`settle-usage.ts`).
   */
  readonly usage: Pick<UsageJournal, 'count'> & Partial<Pick<UsageJournal, 'settle'>>;
  /** Says which day it is. */
  readonly clock: Clock;
  /** Measures rates: a clock that is set to another time opens no second burst and shuts nobody out. Without it `clock` does. */
  readonly steadyClock?: Clock;
  /** Without it every bucket is this process's own. */
  readonly rates?: Pick<RateLeases, 'left' | 'tryTake' | 'whenAnswered'>;
}

export const throttle =
  (limits: Limits): StepFactory =>
  ({ stage, route }) => {
    if (!route.apiKeyRequired && route.throttle === null && stage.accountThrottle === null) return null;
    const own = new RouteThrottle(limits, stage, route);
    if (!route.apiKeyRequired || stage.limitHeaders === false) return (x) => own.admit(x, own.tickMs());
    return (x) => {
      const tickMs = own.tickMs();
      const verdict = own.admit(x, tickMs);
      if (typeof verdict === 'object') return verdict.then((late) => own.tell(x, late, own.tickMs()));
      return own.tell(x, verdict, tickMs);
    };
  };

type Linked = Parameters<StepFactory>[0];

/** A class: a node links a million routes, and as closures these functions cost each of them a kilobyte. */
class RouteThrottle {
  private readonly planMethod: string;
  private readonly stageName: string;
  private readonly methodBucket: string;
  private readonly accountBucket: string;
  private readonly isTelling: boolean;
  /** Of the request before, and what it says of this method. */
  private knownPlan: UsagePlanView | null = null;
  private knownPlanMethod: ThrottleSettings | null = null;

  constructor(
    private readonly limits: Limits,
    private readonly stage: Linked['stage'],
    private readonly route: Linked['route'],
  ) {
    this.planMethod = `${route.path}/${route.httpMethod}`;
    this.stageName = `${stage.apiId}/${stage.stage}`;
    this.methodBucket = route.throttle === null ? '' : `method ${this.stageName} ${this.planMethod}`;
    this.isTelling = stage.limitHeaders !== false;
    this.accountBucket = stage.accountThrottle === null ? '' : `account ${stage.tenant}`;
  }

  admit(x: Exchange, tickMs: number): Verdict | Promise<Verdict> {
    if (x.usagePlan !== null) {
      const nowMs = this.limits.clock.nowMs();
      const quota = this.spendQuota(x, nowMs);
      if (quota === 'DENY') return this.overQuota(x);
      if (quota === 'WAIT') return this.withWaiting(x, false, false);
      this.count(x, nowMs);
      const method = this.takePlanMethod(x, tickMs);
      if (method === 'DENY') return this.overPlan(x, 'the method ', this.planMethodOf(x));
      if (method === 'WAIT') return this.withWaiting(x, true, false);
      const plan = this.takePlan(x, tickMs);
      if (plan === 'DENY') return this.overPlan(x, '', x.usagePlan!.settings.throttle);
      if (plan === 'WAIT') return this.withWaiting(x, true, true);
    }
    return this.afterPlan(x, tickMs);
  }

  /** Tells the caller where it stands now. */
  tell(x: Exchange, verdict: Verdict, tickMs: number): Verdict {
    const { settings } = x.usagePlan!;
    const { apiKeyId } = x.apiKey!;
    const { quota, throttle: plan, limits: mode = FAST_OPEN } = settings;
    const method = this.planMethodOf(x);
    if (quota === null && plan === null && method === null) return verdict;
    const nowMs = x.countedAtMs < 0 ? this.limits.clock.nowMs() : x.countedAtMs;
    const left = {
      quota: quota === null ? -1 : (this.limits.quotas.left?.(settings, apiKeyId, nowMs) ?? -1),
      method: method === null ? 0 : this.left(this.planMethodBucket(x), method, mode, tickMs),
      plan: plan === null ? 0 : this.left(planBucket(x), plan, mode, tickMs),
    };
    x.limitLines = limitLines(settings, method, left, nowMs);
    return verdict;
  }

  private left(name: string, settings: ThrottleSettings, mode: PlanLimits, tickMs: number): number {
    const { rates, buckets } = this.limits;
    return rates === undefined ? buckets.bucket(name, settings, tickMs).left(tickMs) : rates.left(name, mode, tickMs);
  }

  tickMs(): number {
    return (this.limits.steadyClock ?? this.limits.clock).nowMs();
  }

  /** The same as above for a request that has to wait somewhere; what it spent before is not spent again. */
  private async withWaiting(x: Exchange, isQuotaSpent: boolean, isMethodSpent: boolean): Promise<Verdict> {
    const { clock, quotas, rates } = this.limits;
    if (!isQuotaSpent) {
      const answer = () => quotas.whenAnswered?.(x.usagePlan!.settings.usagePlanId, x.apiKey!.apiKeyId);
      if ((await settled(() => this.spendQuota(x, clock.nowMs()), answer)) === 'DENY') return this.overQuota(x);
      this.count(x, clock.nowMs());
    }
    if (!isMethodSpent) {
      const answer = () => rates?.whenAnswered(this.planMethodBucket(x));
      if ((await settled(() => this.takePlanMethod(x, this.tickMs()), answer)) === 'DENY')
        return this.overPlan(x, 'the method ', this.planMethodOf(x));
    }
    const answer = () => rates?.whenAnswered(planBucket(x));
    if ((await settled(() => this.takePlan(x, this.tickMs()), answer)) === 'DENY')
      return this.overPlan(x, '', x.usagePlan!.settings.throttle);
    return this.afterPlan(x, this.tickMs());
  }

  private afterPlan(x: Exchange, tickMs: number): Verdict {
    const { throttle: method } = this.route;
    const { accountThrottle } = this.stage;
    if (method !== null && !this.limits.buckets.bucket(this.methodBucket, method, tickMs).tryTake(tickMs))
      return this.throttled(x, 'throttling the method', method);
    // An account has no tags: it is fast and open.
    if (accountThrottle !== null && this.take(this.accountBucket, accountThrottle, FAST_OPEN, tickMs) !== 'ALLOW')
      return this.throttled(x, 'throttling the account', accountThrottle);
    return CONTINUE;
  }

  private overQuota(x: Exchange): Verdict {
    const { usagePlanId, quota } = x.usagePlan!.settings;
    const nowMs = this.limits.clock.nowMs();
    if (this.isTelling && quota !== null) x.retryAfterMs = periodNow(quota.period, nowMs).endMs - nowMs;
    return x.fail(FAULTS.QUOTA_EXCEEDED, null, `spending the quota of plan ${usagePlanId}`);
  }

  private overPlan(x: Exchange, what: string, settings: ThrottleSettings | null): Verdict {
    return this.throttled(x, `throttling ${what}by plan ${x.usagePlan!.settings.usagePlanId}`, settings);
  }

  private throttled(x: Exchange, doing: string, settings: ThrottleSettings | null): Verdict {
    if (this.isTelling && settings !== null) x.retryAfterMs = msToNextToken(settings);
    return x.fail(FAULTS.THROTTLED, null, doing);
  }

  private planMethodOf({ usagePlan }: Exchange): ThrottleSettings | null {
    if (usagePlan !== this.knownPlan) {
      this.knownPlan = usagePlan;
      this.knownPlanMethod = usagePlan!.methodThrottles(this.stage.apiId, this.stage.stage)?.get(this.planMethod) ?? null;
    }
    return this.knownPlanMethod;
  }

  private spendQuota(x: Exchange, nowMs: number): LeaseVerdict {
    return this.limits.quotas.spend(x.usagePlan!.settings, x.apiKey!.apiKeyId, nowMs);
  }

  /** The access log tells what was counted, so that it can be held against the sums. */
  private count(x: Exchange, nowMs: number): void {
    x.countedAtMs = nowMs;
    this.limits.usage.count(this.stage.tenant, x.usagePlan!.settings.usagePlanId, x.apiKey!.apiKeyId, nowMs);
  }

  private takePlanMethod(x: Exchange, tickMs: number): LeaseVerdict {
    const { settings } = x.usagePlan!;
    const own = this.planMethodOf(x);
    if (own === null) return 'ALLOW';
    return this.take(this.planMethodBucket(x), own, settings.limits ?? FAST_OPEN, tickMs);
  }

  private takePlan(x: Exchange, tickMs: number): LeaseVerdict {
    const { throttle: planThrottle, limits: mode } = x.usagePlan!.settings;
    return planThrottle === null ? 'ALLOW' : this.take(planBucket(x), planThrottle, mode ?? FAST_OPEN, tickMs);
  }

  private take(name: string, settings: ThrottleSettings, mode: PlanLimits, tickMs: number): LeaseVerdict {
    const { rates, buckets } = this.limits;
    if (rates !== undefined) return rates.tryTake(name, settings, mode, tickMs);
    return buckets.bucket(name, settings, tickMs).tryTake(tickMs) ? 'ALLOW' : 'DENY';
  }

  private planMethodBucket(x: Exchange): string {
    return `key-method ${x.usagePlan!.settings.usagePlanId} ${x.apiKey!.apiKeyId} ${this.stageName} ${this.planMethod}`;
  }
}

const planBucket = (x: Exchange): string => planBucketName(x.apiKey!, x.usagePlan!.settings.usagePlanId);

/** Lives as long as the published key: a name that is put together for each request is hashed for each request, too. */
const planBucketNames = new WeakMap<ApiKeyEntry, { readonly usagePlanId: string; readonly name: string }>();

function planBucketName(key: ApiKeyEntry, usagePlanId: string): string {
  let known = planBucketNames.get(key);
  if (known === undefined || known.usagePlanId !== usagePlanId) {
    known = { usagePlanId, name: `key ${usagePlanId} ${key.apiKeyId}` };
    planBucketNames.set(key, known);
  }
  return known.name;
}

/** Asks until nobody has to wait any more. Ends: an answer that gives nothing, or none in time, is a refusal or the plan's fallback. */
async function settled(ask: () => LeaseVerdict, whenAnswered: () => Promise<void> | undefined): Promise<LeaseVerdict> {
  for (;;) {
    const verdict = ask();
    if (verdict !== 'WAIT') return verdict;
    const answer = whenAnswered();
    if (answer === undefined) return 'DENY'; // nobody there who could say when
    await answer;
  }
}
