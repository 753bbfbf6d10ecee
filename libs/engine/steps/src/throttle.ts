/**
 * Who may call how often (data-plane reference §1.1 rows 14 and 15, §7.2). Order: quota of the key, then the buckets of
 * (plan, key, method), (plan, key), (stage, method), account. A request that a later bucket refuses has spent the earlier
 * ones and its quota: AWS counts every request that passed the key check.
 */
import { CONTINUE, type Exchange, type StepFactory, type Verdict } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { BucketRegistry, QuotaLedger, UsageJournal } from '@gatehouse/engine-limits';
import type { Clock } from '@gatehouse/kernel';

export interface Limits {
  readonly buckets: Pick<BucketRegistry, 'bucket'>;
  readonly quotas: Pick<QuotaLedger, 'spend'>;
  /** Told of every request a quota admitted, and of every one of a key whose plan has none. */
  readonly usage: Pick<UsageJournal, 'count'>;
  readonly clock: Clock;
}

export const throttle =
  (limits: Limits): StepFactory =>
  ({ stage, route }) => {
    const { buckets, quotas, usage, clock } = limits;
    const { throttle: methodThrottle } = route;
    const { accountThrottle, tenant } = stage;
    if (!route.apiKeyRequired && methodThrottle === null && accountThrottle === null) return null;
    const planMethod = `${route.path}/${route.httpMethod}`;
    const stageName = `${stage.apiId}/${stage.stage}`;
    const methodBucket = `method ${stageName} ${planMethod}`;
    const accountBucket = `account ${tenant}`;

    const spendKey = (x: Exchange, nowMs: number): Verdict => {
      const plan = x.usagePlan!;
      const { usagePlanId, throttle: planThrottle } = plan.settings;
      const { apiKeyId } = x.apiKey!;
      if (quotas.spend(plan.settings, apiKeyId, nowMs) === 'DENY')
        return x.fail(FAULTS.QUOTA_EXCEEDED, null, `spending the quota of plan ${usagePlanId}`);
      usage.count(tenant, usagePlanId, apiKeyId, nowMs);
      const own = plan.methodThrottles(stage.apiId, stage.stage)?.get(planMethod);
      if (
        own !== undefined &&
        !buckets.bucket(`key-method ${usagePlanId} ${apiKeyId} ${stageName} ${planMethod}`, own, nowMs).tryTake(nowMs)
      ) {
        return x.fail(FAULTS.THROTTLED, null, `throttling the method by plan ${usagePlanId}`);
      }
      if (planThrottle !== null && !buckets.bucket(`key ${usagePlanId} ${apiKeyId}`, planThrottle, nowMs).tryTake(nowMs)) {
        return x.fail(FAULTS.THROTTLED, null, `throttling by plan ${usagePlanId}`);
      }
      return CONTINUE;
    };

    return (x) => {
      const nowMs = clock.nowMs();
      if (x.usagePlan !== null) {
        const verdict = spendKey(x, nowMs);
        if (verdict !== CONTINUE) return verdict;
      }
      if (methodThrottle !== null && !buckets.bucket(methodBucket, methodThrottle, nowMs).tryTake(nowMs)) {
        return x.fail(FAULTS.THROTTLED, null, 'throttling the method');
      }
      if (accountThrottle !== null && !buckets.bucket(accountBucket, accountThrottle, nowMs).tryTake(nowMs)) {
        return x.fail(FAULTS.THROTTLED, null, 'throttling the account');
      }
      return CONTINUE;
    };
  };
