import type { ApiGateway } from '@gatehouse/aws-api';
import {
  readMethodThrottles,
  readQuota,
  readThrottle,
  type ApiKey,
  type PlannedStage,
  type TextMap,
  type ThrottleLimits,
  type UsagePlan,
} from '@gatehouse/domain';
import type { Usage } from './usage.service.js';
import type { NewUsagePlan } from './usage-plans.service.js';

/** The value is shown on creation, or when asked for. */
export function apiKeyToWire(
  key: ApiKey,
  { value, emptyTags = false }: { value: boolean; emptyTags?: boolean },
): ApiGateway.ApiKey {
  return {
    id: key.id,
    value: value ? key.value.reveal() : undefined,
    name: key.name ?? undefined,
    customerId: key.customerId ?? undefined,
    description: key.description ?? undefined,
    enabled: key.enabled,
    createdDate: new Date(key.createdAtMs),
    lastUpdatedDate: new Date(key.lastUpdatedAtMs),
    stageKeys: key.stageKeys,
    tags: tagsToWire(key.tags, emptyTags),
  };
}

export function usagePlanKeyToWire(key: ApiKey): ApiGateway.UsagePlanKey {
  return { id: key.id, type: 'API_KEY', value: key.value.reveal(), name: key.name ?? undefined };
}

export function usagePlanFromWire(input: ApiGateway.CreateUsagePlanRequest): NewUsagePlan {
  return {
    name: input.name,
    description: input.description ?? null,
    apiStages: (input.apiStages ?? []).map(({ apiId = '', stage = '', throttle }) => ({
      apiId,
      stage,
      throttle: throttle === undefined ? null : readMethodThrottles(throttle),
    })),
    throttle: input.throttle === undefined ? null : readThrottle(input.throttle),
    quota: input.quota === undefined ? null : readQuota(input.quota),
    tags: input.tags ?? {},
  };
}

export function usagePlanToWire(plan: UsagePlan, { emptyTags }: { emptyTags: boolean }): ApiGateway.UsagePlan {
  return {
    id: plan.id,
    name: plan.name,
    description: plan.description ?? undefined,
    apiStages: plan.apiStages.map(plannedStageToWire),
    throttle: plan.throttle === null ? undefined : throttleToWire(plan.throttle),
    quota: plan.quota ?? undefined,
    productCode: plan.productCode ?? undefined,
    tags: tagsToWire(plan.tags, emptyTags),
  };
}

function plannedStageToWire({ apiId, stage, throttle }: PlannedStage): ApiGateway.ApiStage {
  const methods = Object.entries(throttle ?? {}).map(([method, limits]) => [method, throttleToWire(limits)] as const);
  return { apiId, stage, throttle: methods.length === 0 ? undefined : Object.fromEntries(methods) };
}

const throttleToWire = ({ rateLimit, burstLimit }: ThrottleLimits): ApiGateway.ThrottleSettings => ({
  rateLimit: rateLimit ?? undefined,
  burstLimit: burstLimit ?? undefined,
});

export function usageToWire(usage: Usage): ApiGateway.Usage {
  return {
    usagePlanId: usage.usagePlanId,
    startDate: usage.startDate,
    endDate: usage.endDate,
    items: Object.fromEntries(usage.byKey),
    position: usage.next ?? undefined,
  };
}

/** Some answers show `{}` where others omit empty tags (reference 2.6). */
const tagsToWire = (tags: TextMap, emptyTags: boolean): TextMap | undefined =>
  emptyTags || Object.keys(tags).length > 0 ? tags : undefined;
