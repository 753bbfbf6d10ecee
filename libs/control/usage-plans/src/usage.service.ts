/**
 * What keys used and what they may still use. Days and quota periods are UTC; counts come from the nodes (control/metering),
 * so they lag behind by one report.
 */
import {
  badRequest,
  daysBetween,
  dayStartMs,
  periodEnd,
  periodStart,
  utcDay,
  type PageRequest,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
  type UsageCount,
  type UsagePlan,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { unknownApiKey } from './api-keys.service.js';
import { unknownPlan } from './usage-plans.service.js';

/** Bounds the answer: keys per page times days. AWS keeps less. */
const DAYS_MAX = 366;

const FIRST_DAY = '0001-01-01';

/** `remaining` of a plan without quota. (What AWS answers there is not documented.) */
const UNLIMITED = -1;

/** One pair per day. */
export type DailyUsage = readonly (readonly [used: number, remaining: number])[];

export interface Usage {
  readonly usagePlanId: string;
  readonly startDate: string;
  readonly endDate: string;
  readonly byKey: ReadonlyMap<string, DailyUsage>;
  readonly next: string | null;
}

export class Usages {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
  ) {}

  /** Every key of the plan, page by page, or one; a key that is not in the plan has no entry. */
  between(
    tenant: TenantId,
    planId: string,
    startDate: string,
    endDate: string,
    keyId: string | undefined,
    request: PageRequest,
  ): Promise<Usage> {
    checkRange(startDate, endDate);
    return this.store.transact(tenant, async (tx) => {
      const plan = (await tx.usagePlans.find(planId)) ?? unknownPlan();
      const { keyIds, next } = await keysToShow(tx, planId, keyId, request);
      return { usagePlanId: planId, startDate, endDate, byKey: await dailyUsage(tx, plan, keyIds, startDate, endDate), next };
    });
  }

  /**
   * From now on the key may make `remaining` more requests in the current period; later periods are as the plan says.
   * Nothing is published: a node that ran out asks again every second (engine/limits).
   */
  setRemaining(tenant: TenantId, planId: string, apiKeyId: string, remaining: number): Promise<Usage> {
    return this.store.transact(tenant, async (tx) => {
      const plan = (await tx.usagePlans.lock(planId)) ?? unknownPlan();
      if ((await tx.usagePlanKeys.find({ usagePlanId: planId, apiKeyId })) === null) unknownApiKey();
      if (plan.quota === null) throw badRequest(`Usage Plan ${planId} has no quota to extend`);
      const today = utcDay(this.clock.nowMs());
      const start = periodStart(plan.quota.period, today);
      const counts = await readCounts(tx, plan, apiKeyId, start, periodEnd(plan.quota.period, today));
      const used = counts.reduce((sum, { day, count }) => (day >= start ? sum + count : sum), 0);
      const allowance = plan.quota.limit - offsetIn(plan.quota, start, firstUse(counts).get(apiKeyId));
      await tx.usage.extend({ usagePlanId: planId, apiKeyId, periodStart: start, extra: remaining + used - allowance });
      return {
        usagePlanId: planId,
        startDate: start,
        endDate: today,
        byKey: await dailyUsage(tx, plan, [apiKeyId], start, today),
        next: null,
      };
    });
  }

  /** What UpdateUsage answers to an empty patch. */
  current(tenant: TenantId, planId: string, apiKeyId: string): Promise<Usage> {
    return this.store.transact(tenant, async (tx) => {
      const plan = (await tx.usagePlans.find(planId)) ?? unknownPlan();
      if ((await tx.usagePlanKeys.find({ usagePlanId: planId, apiKeyId })) === null) unknownApiKey();
      const today = utcDay(this.clock.nowMs());
      const start = plan.quota === null ? today : periodStart(plan.quota.period, today);
      return {
        usagePlanId: planId,
        startDate: start,
        endDate: today,
        byKey: await dailyUsage(tx, plan, [apiKeyId], start, today),
        next: null,
      };
    });
  }
}

function checkRange(startDate: string, endDate: string): void {
  for (const [name, date] of [
    ['startDate', startDate],
    ['endDate', endDate],
  ] as const) {
    if (dayStartMs(date) === null) throw badRequest(`Invalid ${name} specified: expected YYYY-MM-DD, got "${date}"`);
  }
  if (endDate < startDate) throw badRequest('Invalid date range specified: endDate is before startDate');
  if (dayStartMs(endDate)! - dayStartMs(startDate)! >= DAYS_MAX * 86_400_000) {
    throw badRequest(`Invalid date range specified: at most ${DAYS_MAX} days can be asked for at once`);
  }
}

async function keysToShow(
  tx: TenantRepositories,
  planId: string,
  keyId: string | undefined,
  request: PageRequest,
): Promise<{ keyIds: string[]; next: string | null }> {
  if (keyId !== undefined) {
    const membership = await tx.usagePlanKeys.find({ usagePlanId: planId, apiKeyId: keyId });
    return { keyIds: membership === null ? [] : [keyId], next: null };
  }
  const { items, next } = await tx.usagePlanKeys.page(planId, {}, request);
  return { keyIds: items.map(({ key }) => key.id), next };
}

async function dailyUsage(
  tx: TenantRepositories,
  plan: UsagePlan,
  keyIds: readonly string[],
  startDate: string,
  endDate: string,
): Promise<ReadonlyMap<string, DailyUsage>> {
  const { quota } = plan;
  // What remained on the first day depends on what the period had used before it.
  const countedFrom = quota === null ? startDate : periodStart(quota.period, startDate);
  const onlyKey = keyIds.length === 1 ? keyIds[0]! : null;
  const rows = await readCounts(tx, plan, onlyKey, countedFrom, endDate);
  const counts = new Map(rows.map(({ apiKeyId, day, count }) => [`${apiKeyId} ${day}`, count]));
  const firstUseOf = firstUse(rows);
  const extras = new Map(
    (await tx.usage.extensionsBetween(plan.id, onlyKey, countedFrom, endDate)).map((e) => [
      `${e.apiKeyId} ${e.periodStart}`,
      e.extra,
    ]),
  );
  const days = daysBetween(countedFrom, endDate);
  const usageOf = (keyId: string): DailyUsage => {
    const pairs: (readonly [number, number])[] = [];
    let usedInPeriod = 0;
    for (const day of days) {
      const used = counts.get(`${keyId} ${day}`) ?? 0;
      let remaining = UNLIMITED;
      if (quota !== null) {
        const start = periodStart(quota.period, day);
        usedInPeriod = (day === start ? 0 : usedInPeriod) + used;
        const allowance = quota.limit - offsetIn(quota, start, firstUseOf.get(keyId)) + (extras.get(`${keyId} ${start}`) ?? 0);
        remaining = Math.max(0, allowance - usedInPeriod);
      }
      if (day >= startDate) pairs.push([used, remaining]);
    }
    return pairs;
  };
  return new Map(keyIds.map((keyId) => [keyId, usageOf(keyId)]));
}

/** Goes back to the beginning when the plan has an offset: only then does it matter when a key was first used. */
function readCounts(
  tx: TenantRepositories,
  plan: UsagePlan,
  keyId: string | null,
  start: string,
  end: string,
): Promise<UsageCount[]> {
  return tx.usage.between(plan.id, keyId, plan.quota !== null && plan.quota.offset > 0 ? FIRST_DAY : start, end);
}

function firstUse(counts: readonly UsageCount[]): ReadonlyMap<string, string> {
  const days = new Map<string, string>();
  for (const { apiKeyId, day } of counts) {
    const first = days.get(apiKeyId);
    if (first === undefined || day < first) days.set(apiKeyId, day);
  }
  return days;
}

/** The offset counts in a key's initial period: while nothing was used before it. Quota grants follow the same rule (control/metering). */
function offsetIn(quota: NonNullable<UsagePlan['quota']>, start: string, firstUsed: string | undefined): number {
  return firstUsed === undefined || firstUsed >= start ? quota.offset : 0;
}
