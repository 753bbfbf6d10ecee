import type {
  HistogramData,
  MetricSample,
  MetricsQuery,
  MetricsRepository,
  QuotaExtension,
  UsageCount,
  UsageKey,
  UsageRepository,
} from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import type * as rows from '../gen/client.js';
import type { TransactionScope } from './prisma-repository.js';

export class PrismaUsage implements UsageRepository {
  constructor(private readonly scope: TransactionScope) {}

  async between(usagePlanId: string, apiKeyId: string | null, startDay: string, endDay: string): Promise<UsageCount[]> {
    const found = await (
      await this.scope.tx.prisma()
    ).usageCount.findMany({
      where: { ...this.#of(usagePlanId, apiKeyId), day: { gte: columnText(startDay), lte: columnText(endDay) } },
      orderBy: [{ apiKeyId: 'asc' }, { day: 'asc' }],
    });
    return found.map((row) => ({ usagePlanId, apiKeyId: row.apiKeyId, day: row.day, count: Number(row.count) }));
  }

  async countedBetween(startDay: string, endDay: string, after: UsageKey | null, limit: number): Promise<UsageCount[]> {
    const found = await (
      await this.scope.tx.prisma()
    ).usageCount.findMany({
      where: {
        tenantId: this.scope.tenant,
        day: { gte: columnText(startDay), lte: columnText(endDay) },
        ...(after === null ? {} : { OR: behind(after) }),
      },
      orderBy: [{ usagePlanId: 'asc' }, { apiKeyId: 'asc' }, { day: 'asc' }],
      take: limit,
    });
    return found.map(({ usagePlanId, apiKeyId, day, count }) => ({ usagePlanId, apiKeyId, day, count: Number(count) }));
  }

  async extension(usagePlanId: string, apiKeyId: string, periodStart: string): Promise<QuotaExtension | null> {
    const [found] = await this.extensionsBetween(usagePlanId, apiKeyId, periodStart, periodStart);
    return found ?? null;
  }

  async extensionsBetween(
    usagePlanId: string,
    apiKeyId: string | null,
    startDay: string,
    endDay: string,
  ): Promise<QuotaExtension[]> {
    const found = await (
      await this.scope.tx.prisma()
    ).quotaExtension.findMany({
      where: { ...this.#of(usagePlanId, apiKeyId), periodStart: { gte: columnText(startDay), lte: columnText(endDay) } },
      orderBy: [{ apiKeyId: 'asc' }, { periodStart: 'asc' }],
    });
    return found.map((row) => ({ usagePlanId, apiKeyId: row.apiKeyId, periodStart: row.periodStart, extra: Number(row.extra) }));
  }

  async extend({ usagePlanId, apiKeyId, periodStart, extra }: QuotaExtension): Promise<void> {
    const key = { tenantId: this.scope.tenant, usagePlanId, apiKeyId, periodStart };
    await (
      await this.scope.tx.prisma()
    ).quotaExtension.upsert({
      where: { tenantId_usagePlanId_apiKeyId_periodStart: key },
      create: { ...key, extra },
      update: { extra },
    });
  }

  #of(usagePlanId: string, apiKeyId: string | null) {
    const key = apiKeyId === null ? {} : { apiKeyId: columnText(apiKeyId) };
    return { tenantId: this.scope.tenant, usagePlanId: columnText(usagePlanId), ...key };
  }
}

/** The rows that sort after this one. */
function behind(after: UsageKey) {
  const [usagePlanId, apiKeyId, day] = [after.usagePlanId, after.apiKeyId, after.day].map(columnText) as [string, string, string];
  return [
    { usagePlanId: { gt: usagePlanId } },
    { usagePlanId, apiKeyId: { gt: apiKeyId } },
    { usagePlanId, apiKeyId, day: { gt: day } },
  ];
}

export class PrismaMetrics implements MetricsRepository {
  constructor(private readonly scope: TransactionScope) {}

  async query({ apiId, stage, resource, httpMethod, fromSeconds, toSeconds, period }: MetricsQuery): Promise<MetricSample[]> {
    const found = await (
      await this.scope.tx.prisma()
    ).metricSample.findMany({
      where: {
        period,
        tenantId: this.scope.tenant,
        apiId: columnText(apiId),
        startSeconds: { gte: fromSeconds, lt: toSeconds },
        ...(stage === undefined ? {} : { stage: columnText(stage) }),
        ...(resource === undefined ? {} : { resource: columnText(resource) }),
        ...(httpMethod === undefined ? {} : { httpMethod: columnText(httpMethod) }),
      },
      orderBy: [{ startSeconds: 'asc' }, { stage: 'asc' }, { resource: 'asc' }, { httpMethod: 'asc' }],
    });
    return found.map(toSample);
  }
}

function toSample(row: rows.MetricSample): MetricSample {
  return {
    apiId: row.apiId,
    stage: row.stage,
    resource: row.resource,
    httpMethod: row.httpMethod,
    startSeconds: Number(row.startSeconds),
    count: Number(row.count),
    errors4xx: Number(row.errors4xx),
    errors5xx: Number(row.errors5xx),
    cacheHits: Number(row.cacheHits),
    cacheMisses: Number(row.cacheMisses),
    latency: {
      buckets: row.latencyBuckets as HistogramData['buckets'],
      count: Number(row.latencyCount),
      sumMs: row.latencySumMs,
      maxMs: row.latencyMaxMs,
    },
    integrationLatency: {
      buckets: row.integrationLatencyBuckets as HistogramData['buckets'],
      count: Number(row.integrationLatencyCount),
      sumMs: row.integrationLatencySumMs,
      maxMs: row.integrationLatencyMaxMs,
    },
  };
}
