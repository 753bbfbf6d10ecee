import type { Secret } from '@gatehouse/kernel';
import type { TextMap } from '../rest-apis/rest-api.js';

export interface ApiKey {
  readonly id: string;
  readonly value: Secret;
  readonly name: string | null;
  readonly description: string | null;
  readonly customerId: string | null;
  readonly enabled: boolean;
  readonly createdAtMs: number;
  readonly lastUpdatedAtMs: number;
  /** Deprecated on AWS in favour of usage plans: `restApiId/stageName`. */
  readonly stageKeys: readonly string[];
  readonly tags: TextMap;
}

/** Either member may be missing while the other is set. */
export interface ThrottleLimits {
  readonly rateLimit: number | null;
  readonly burstLimit: number | null;
}

export type QuotaPeriod = 'DAY' | 'WEEK' | 'MONTH';

export interface UsagePlan {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly apiStages: readonly PlannedStage[];
  readonly throttle: ThrottleLimits | null;
  readonly quota: { readonly limit: number; readonly offset: number; readonly period: QuotaPeriod } | null;
  readonly productCode: string | null;
  readonly createdAtMs: number;
  readonly tags: TextMap;
}

export interface PlannedStage {
  readonly apiId: string;
  readonly stage: string;
  /** By `{resource path}/{verb}`, e.g. `/pets/{id}/GET`; `null` when never given. */
  readonly throttle: Readonly<Record<string, ThrottleLimits>> | null;
}

/** A key's membership in a plan. */
export interface UsagePlanKey {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly createdAtMs: number;
}
