import type { ApiKeyEntry, ThrottleSettings, UsagePlanEntry } from '@gatehouse/contracts';
import type { ApiKey, TenantId, ThrottleLimits, UsagePlan } from '@gatehouse/domain';
import { sha256Hex } from '@gatehouse/kernel';

export function usagePlanEntry(tenant: TenantId, plan: UsagePlan): UsagePlanEntry {
  return {
    usagePlanId: plan.id,
    tenant,
    throttle: throttleSettings(plan.throttle),
    quota: plan.quota,
    apiStages: plan.apiStages.map(({ apiId, stage, throttle }) => ({
      apiId,
      stage,
      methodThrottles: Object.fromEntries(
        Object.entries(throttle ?? {}).flatMap(([method, limits]) => {
          const settings = throttleSettings(limits);
          return settings === null ? [] : [[method, settings] as const];
        }),
      ),
    })),
  };
}

/** The value itself stays here: nodes compare digests. */
export function apiKeyEntry(tenant: TenantId, key: ApiKey, usagePlanIds: readonly string[]): ApiKeyEntry {
  return {
    apiKeyId: key.id,
    tenant,
    valueDigest: sha256Hex(key.value.reveal()),
    enabled: key.enabled,
    usagePlanIds: [...usagePlanIds].sort(),
  };
}

/**
 * A bucket needs a rate: without one there is no limit at this level, whatever the burst. Without a burst it holds one
 * second's worth, and at least one request unless the rate is 0. (What AWS does with half a throttle is not documented.)
 */
function throttleSettings(limits: ThrottleLimits | null): ThrottleSettings | null {
  if (limits === null || limits.rateLimit === null) return null;
  return { ratePerSecond: limits.rateLimit, burst: limits.burstLimit ?? Math.ceil(limits.rateLimit) };
}
