/** What a usage plan may say, whoever says it: CreateUsagePlan or a PATCH. Wording of these refusals is ours (AWS's is not public). */
import { badRequest, conflict, notFound } from '../errors.js';
import { unescapePointer } from '../patch/patch.js';
import { checkRoom, type Quotas } from '../tenancy/quotas.js';
import type { PlannedStage, QuotaPeriod, ThrottleLimits, UsagePlan } from './usage-plan.js';

const QUOTA_PERIODS: readonly QuotaPeriod[] = ['DAY', 'WEEK', 'MONTH'];
const OFFSET_MAX: Readonly<Record<QuotaPeriod, number>> = { DAY: 0, WEEK: 6, MONTH: 27 };

/** A quota as given, in pieces. */
export interface QuotaRequest {
  readonly limit?: number | null;
  readonly offset?: number | null;
  readonly period?: string | null;
}

export function readQuota(request: QuotaRequest): NonNullable<UsagePlan['quota']> {
  const { limit, period } = request;
  const offset = request.offset ?? 0;
  if (!isPeriod(period)) throw badRequest('Usage Plan quota period must be one of DAY, WEEK, MONTH');
  if (limit === undefined || limit === null || !Number.isSafeInteger(limit) || limit < 1) {
    throw badRequest('Usage Plan quota limit must be a whole number greater than 0');
  }
  // The bounds Terraform checks before it calls; AWS documents none.
  const offsetMax = OFFSET_MAX[period];
  if (!Number.isInteger(offset) || offset < 0 || offset > offsetMax) {
    throw badRequest(
      offsetMax === 0
        ? `Usage Plan quota offset must be zero in the ${period} period`
        : `Usage Plan quota offset must be between zero and ${offsetMax} inclusive in the ${period} period`,
    );
  }
  return { limit, offset, period };
}

function isPeriod(text: string | null | undefined): text is QuotaPeriod {
  return QUOTA_PERIODS.some((period) => period === text);
}

/** Burst may exceed rate; either may be missing; `null` when both are. */
export function readThrottle(request: { rateLimit?: number | null; burstLimit?: number | null }): ThrottleLimits | null {
  const rateLimit = request.rateLimit ?? null;
  const burstLimit = request.burstLimit ?? null;
  if (rateLimit === null && burstLimit === null) return null;
  if (rateLimit !== null && !(Number.isFinite(rateLimit) && rateLimit >= 0)) {
    throw badRequest('Usage Plan throttle rate limit must be a number that is not negative');
  }
  if (burstLimit !== null && !(Number.isSafeInteger(burstLimit) && burstLimit >= 0)) {
    throw badRequest('Usage Plan throttle burst limit must be a whole number that is not negative');
  }
  return { rateLimit, burstLimit };
}

/** Keys come in as Terraform, CLI and CloudFormation write them; see `methodThrottleKey`. */
export function readMethodThrottles(
  request: Readonly<Record<string, { rateLimit?: number | null; burstLimit?: number | null }>>,
): Readonly<Record<string, ThrottleLimits>> {
  const entries = Object.entries(request).map(([path, limits]) => {
    const key = methodThrottleKey(path);
    if (key === null)
      throw badRequest(`Invalid method path "${path}" in the throttle of an API stage. Expected /{resourcePath}/{httpMethod}`);
    return [key, readThrottle(limits) ?? { rateLimit: null, burstLimit: null }] as const;
  });
  return Object.fromEntries(entries);
}

/** Throws LimitExceeded when a stage of the plan has more of them than it may have. */
export function checkMethodThrottles({ apiStages }: Pick<UsagePlan, 'apiStages'>, quotas: Quotas): void {
  const most = Math.max(0, ...apiStages.map(({ throttle }) => Object.keys(throttle ?? {}).length));
  checkRoom(
    quotas,
    'methodThrottles',
    most - 1,
    'Maximum number of method throttles for a stage of this Usage Plan has been reached.',
  );
}

const VERBS = new Set(['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'ANY']);

/**
 * `{resource path}/{verb}` with the resource path as resources have it, so the root's GET is `//GET`.
 * Reads `/pets/{id}/GET`, `pets/{id}/GET` and `~1pets~1{id}/GET` alike; `null` for anything else.
 */
export function methodThrottleKey(path: string): string | null {
  const verbAt = path.lastIndexOf('/');
  if (verbAt < 0) return null;
  const verb = path.slice(verbAt + 1);
  if (!VERBS.has(verb)) return null;
  const resource = unescapePointer(path.slice(0, verbAt));
  return `/${resource.replace(/^\/+/, '')}/${verb}`;
}

/** `apiId:stageName`. */
export function readPlannedStage(text: string): { apiId: string; stage: string } {
  const colonAt = text.indexOf(':');
  const apiId = text.slice(0, colonAt);
  const stage = text.slice(colonAt + 1);
  if (colonAt < 1 || stage === '' || stage.includes(':')) throw badRequest('Invalid API Stage specified');
  return { apiId, stage };
}

export const isSameStage = (a: { apiId: string; stage: string }, b: { apiId: string; stage: string }): boolean =>
  a.apiId === b.apiId && a.stage === b.stage;

export const unknownPlannedStage = (planId: string, { apiId, stage }: { apiId: string; stage: string }): Error =>
  notFound(`Invalid API Stage {api: ${apiId}, stage: ${stage}} specified for usageplan ${planId}`);

/** A key may be in many plans, but in one plan per stage: the plan decides what the key may do there. */
export function checkOnePlanPerStage(apiKeyId: string, plan: UsagePlan, otherPlansOfKey: readonly UsagePlan[]): void {
  for (const other of otherPlansOfKey) {
    const shared = other.apiStages.find((theirs) => plan.apiStages.some((ours) => isSameStage(ours, theirs)));
    if (shared !== undefined) {
      throw conflict(
        `Usage Plan ${plan.id} cannot be added because API Key ${apiKeyId} cannot reference multiple Usage Plans with the same API stage: ` +
          `${shared.apiId}:${shared.stage}`,
      );
    }
  }
}

/** AWS's text, from public reports of DeleteUsagePlan. */
export function checkDeletable(plan: UsagePlan): void {
  const [first] = plan.apiStages;
  if (first !== undefined) {
    throw badRequest(
      `Cannot delete Usage Plan ${plan.id} because there are API Stages associated with it, including ${first.apiId}:${first.stage}`,
    );
  }
}

export const withoutStage = (plan: UsagePlan, stage: { apiId: string; stage: string }): UsagePlan => ({
  ...plan,
  apiStages: plan.apiStages.filter((planned: PlannedStage) => !isSameStage(planned, stage)),
});
