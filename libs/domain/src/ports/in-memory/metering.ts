import type {
  HistogramData,
  MetricPeriod,
  MetricSample,
  NodeReport,
  QuotaExtension,
  UsageCount,
  UsageKey,
} from '../../metering/usage.js';
import { readLimitSettings } from '../../usage-plans/limit-settings.js';
import type { TenantId } from '../../tenancy/tenant.js';
import type { UsagePlan } from '../../usage-plans/usage-plan.js';
import type { MeteringLog, MetricsQuery, MetricsRepository, UsageRepository } from '../store.js';
import type { Tables } from './repositories.js';
import { compareText, copyOf, keyText, sortedBy, type Rows } from './rows.js';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

type OwnedSample = MetricSample & { readonly tenant: string };
type OwnedUsage = UsageCount & { readonly tenant: string };

/** Usage sums and metrics over all tenants. Every method is one synchronous step, so it is atomic. */
export class InMemoryMeteringLog implements MeteringLog {
  readonly usage = new Map<string, OwnedUsage>();
  readonly samples: Record<MetricPeriod, Map<string, OwnedSample>> = { MINUTE: new Map(), HOUR: new Map(), DAY: new Map() };
  readonly #applied = new Set<string>();
  /** Starts of hours and days that changed since they were last summed up. */
  readonly #staleHours = new Set<number>();
  readonly #staleDays = new Set<number>();
  /** Minutes before this are dropped; what still arrives for them is added to its hour. */
  #minutesFromSeconds = 0;

  constructor(private readonly tablesOf: () => Iterable<[TenantId, Tables]>) {}

  async apply(report: NodeReport): Promise<boolean> {
    const name = keyText(report.nodeId, String(report.epoch), String(report.sequence));
    if (this.#applied.has(name)) return false;
    this.#applied.add(name);
    for (const { tenant, usagePlanId, apiKeyId, day, count } of report.usage) {
      const key = keyText(tenant, usagePlanId, apiKeyId, day);
      this.usage.set(key, { tenant, usagePlanId, apiKeyId, day, count: count + (this.usage.get(key)?.count ?? 0) });
    }
    for (const sample of report.metrics) this.#addSample(copyOf(sample));
    return true;
  }

  async usedInPeriod(tenant: TenantId, usagePlanId: string, apiKeyId: string, startDay: string, endDay: string): Promise<number> {
    return this.usageBetween(tenant, usagePlanId, apiKeyId, startDay, endDay).reduce((sum, { count }) => sum + count, 0);
  }

  async quotaOf(tenant: TenantId, usagePlanId: string, apiKeyId: string, periodStart: string) {
    for (const [owner, tables] of this.tablesOf()) {
      if (owner !== tenant) continue;
      const plan = tables.usagePlans.get(keyText(usagePlanId));
      const quota = plan?.quota ?? null;
      if (plan === undefined || quota === null) return null;
      const extension = tables.quotaExtensions.get(keyText(usagePlanId, apiKeyId, periodStart));
      return {
        limit: quota.limit,
        extra: extension?.extra ?? 0,
        offset: quota.offset,
        period: quota.period,
        limits: readLimitSettings(plan.tags),
      };
    }
    return null;
  }

  async tenantOfPlan(usagePlanId: string): Promise<TenantId | null> {
    for (const [tenant, tables] of this.tablesOf()) {
      const plans: Map<string, UsagePlan> = tables.usagePlans;
      if (plans.has(keyText(usagePlanId))) return tenant;
    }
    return null;
  }

  async rollUp(nowMs: number, keepMinutesMs: number): Promise<{ hours: number; days: number; dropped: number }> {
    const { MINUTE, HOUR, DAY } = this.samples;
    const hours = this.#sumUp(MINUTE, HOUR, HOUR_SECONDS, this.#staleHours, nowMs, this.#minutesFromSeconds);
    for (const hour of hours.starts) this.#staleDays.add(startOf(hour, DAY_SECONDS));
    const days = this.#sumUp(HOUR, DAY, DAY_SECONDS, this.#staleDays, nowMs, 0);
    // Whole hours only, so that no hour is ever summed up from part of its minutes.
    const keepFrom = startOf(Math.floor((nowMs - keepMinutesMs) / 1000), HOUR_SECONDS);
    this.#minutesFromSeconds = Math.max(this.#minutesFromSeconds, keepFrom);
    let dropped = 0;
    for (const [key, sample] of MINUTE) {
      if (sample.startSeconds >= this.#minutesFromSeconds || this.#staleHours.has(startOf(sample.startSeconds, HOUR_SECONDS)))
        continue;
      MINUTE.delete(key);
      dropped++;
    }
    return { hours: hours.written, days: days.written, dropped };
  }

  usageBetween(tenant: TenantId, usagePlanId: string, apiKeyId: string | null, startDay: string, endDay: string): UsageCount[] {
    return [...this.usage.values()]
      .filter((row) => row.tenant === tenant && row.usagePlanId === usagePlanId)
      .filter((row) => (apiKeyId === null || row.apiKeyId === apiKeyId) && row.day >= startDay && row.day <= endDay)
      .sort((left, right) => compareText(left.apiKeyId, right.apiKeyId) || compareText(left.day, right.day))
      .map(({ tenant: _, ...count }) => count);
  }

  countedBetween(tenant: TenantId, startDay: string, endDay: string, after: UsageKey | null, limit: number): UsageCount[] {
    const order = (a: UsageKey, b: UsageKey) =>
      compareText(a.usagePlanId, b.usagePlanId) || compareText(a.apiKeyId, b.apiKeyId) || compareText(a.day, b.day);
    return [...this.usage.values()]
      .filter((row) => row.tenant === tenant && row.day >= startDay && row.day <= endDay)
      .filter((row) => after === null || order(row, after) > 0)
      .sort(order)
      .slice(0, limit)
      .map(({ tenant: _, ...count }) => count);
  }

  #addSample(sample: OwnedSample): void {
    const isDropped = sample.startSeconds < this.#minutesFromSeconds;
    const startSeconds = startOf(sample.startSeconds, isDropped ? HOUR_SECONDS : 60);
    add(isDropped ? this.samples.HOUR : this.samples.MINUTE, { ...sample, startSeconds });
    if (isDropped) this.#staleDays.add(startOf(startSeconds, DAY_SECONDS));
    else this.#staleHours.add(startOf(startSeconds, HOUR_SECONDS));
  }

  #sumUp(
    from: Map<string, OwnedSample>,
    into: Map<string, OwnedSample>,
    lengthSeconds: number,
    stale: Set<number>,
    nowMs: number,
    knownFromSeconds: number,
  ): { written: number; starts: number[] } {
    const starts = [...stale].filter((start) => start * 1000 <= nowMs && start >= knownFromSeconds);
    let written = 0;
    for (const start of starts) {
      const sums = new Map<string, OwnedSample>();
      for (const sample of from.values()) {
        if (startOf(sample.startSeconds, lengthSeconds) === start) add(sums, { ...sample, startSeconds: start });
      }
      for (const [key, sum] of sums) into.set(key, sum);
      written += sums.size;
      stale.delete(start);
    }
    return { written, starts };
  }
}

function startOf(seconds: number, lengthSeconds: number): number {
  return seconds - (seconds % lengthSeconds);
}

function add(samples: Map<string, OwnedSample>, sample: OwnedSample): void {
  const { tenant, apiId, stage, resource, httpMethod, startSeconds } = sample;
  const key = keyText(tenant, apiId, stage, resource, httpMethod, String(startSeconds));
  const sum = samples.get(key);
  samples.set(
    key,
    sum === undefined
      ? sample
      : {
          ...sum,
          count: sum.count + sample.count,
          errors4xx: sum.errors4xx + sample.errors4xx,
          errors5xx: sum.errors5xx + sample.errors5xx,
          cacheHits: sum.cacheHits + sample.cacheHits,
          cacheMisses: sum.cacheMisses + sample.cacheMisses,
          latency: merge(sum.latency, sample.latency),
          integrationLatency: merge(sum.integrationLatency, sample.integrationLatency),
        },
  );
}

function merge(left: HistogramData, right: HistogramData): HistogramData {
  const buckets: Record<number, number> = { ...left.buckets };
  for (const [index, count] of Object.entries(right.buckets)) buckets[Number(index)] = (buckets[Number(index)] ?? 0) + count;
  return {
    buckets,
    count: left.count + right.count,
    sumMs: left.sumMs + right.sumMs,
    maxMs: Math.max(left.maxMs, right.maxMs),
  };
}

export class InMemoryUsage implements UsageRepository {
  constructor(
    private readonly log: InMemoryMeteringLog,
    private readonly tenant: TenantId,
    private readonly extensions: Rows<QuotaExtension>,
  ) {}
  async between(usagePlanId: string, apiKeyId: string | null, startDay: string, endDay: string) {
    return this.log.usageBetween(this.tenant, usagePlanId, apiKeyId, startDay, endDay);
  }
  async countedBetween(startDay: string, endDay: string, after: UsageKey | null, limit: number) {
    return this.log.countedBetween(this.tenant, startDay, endDay, after, limit);
  }
  async extension(usagePlanId: string, apiKeyId: string, periodStart: string) {
    return copyOf(this.extensions.get(keyText(usagePlanId, apiKeyId, periodStart)));
  }
  async extensionsBetween(usagePlanId: string, apiKeyId: string | null, startDay: string, endDay: string) {
    const rows = this.extensions
      .where((row) => row.usagePlanId === usagePlanId && (apiKeyId === null || row.apiKeyId === apiKeyId))
      .filter((row) => row.periodStart >= startDay && row.periodStart <= endDay);
    return sortedBy(rows, (row) => keyText(row.apiKeyId, row.periodStart)).map(copyOf);
  }
  async extend(extension: QuotaExtension) {
    this.extensions.set(keyText(extension.usagePlanId, extension.apiKeyId, extension.periodStart), copyOf(extension));
  }
}

export class InMemoryMetrics implements MetricsRepository {
  constructor(
    private readonly log: InMemoryMeteringLog,
    private readonly tenant: TenantId,
  ) {}
  async query(query: MetricsQuery): Promise<MetricSample[]> {
    const { apiId, stage, resource, httpMethod, fromSeconds, toSeconds, period } = query;
    const place = (row: MetricSample) => keyText(row.stage, row.resource, row.httpMethod);
    return [...this.log.samples[period].values()]
      .filter((row) => row.tenant === this.tenant && row.apiId === apiId)
      .filter((row) => row.startSeconds >= fromSeconds && row.startSeconds < toSeconds)
      .filter((row) => stage === undefined || row.stage === stage)
      .filter((row) => resource === undefined || row.resource === resource)
      .filter((row) => httpMethod === undefined || row.httpMethod === httpMethod)
      .sort((left, right) => left.startSeconds - right.startSeconds || compareText(place(left), place(right)))
      .map(({ tenant: _, ...sample }) => copyOf(sample));
  }
}
