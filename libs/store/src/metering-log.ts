import { createHash } from 'node:crypto';
import {
  readLimitSettings,
  type MeteringLog,
  type MetricPeriod,
  type MetricSample,
  type NodeReport,
  type TenantId,
  type UsagePlan,
} from '@gatehouse/domain';
import type pg from 'pg';
import { columnText } from './column-text.js';
import type { StoreLogger } from './prisma-store.js';
import { retryConflicts } from './retry.js';
import { inTransaction, type Int8 } from './sql.js';

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

/** All columns that a longer period sums up from a shorter one. */
const SUMS = `sum(count), sum(errors_4xx), sum(errors_5xx), sum(cache_hits), sum(cache_misses),
  sum_buckets(latency_buckets), sum(latency_count), sum(latency_sum_ms), max(latency_max_ms),
  sum_buckets(integration_latency_buckets), sum(integration_latency_count), sum(integration_latency_sum_ms), max(integration_latency_max_ms)`;
const COLUMNS = `period, tenant_id, api_id, start_seconds, place, stage, resource, http_method, count, errors_4xx, errors_5xx,
  cache_hits, cache_misses, latency_buckets, latency_count, latency_sum_ms, latency_max_ms,
  integration_latency_buckets, integration_latency_count, integration_latency_sum_ms, integration_latency_max_ms, stale`;

export class PostgresMeteringLog implements MeteringLog {
  constructor(
    private readonly pool: pg.Pool,
    private readonly logger: StoreLogger,
  ) {}

  apply(report: NodeReport): Promise<boolean> {
    if (!(report.sequence >= 1)) throw new RangeError(`the sequence of a report counts from 1, got ${report.sequence}`);
    return retryConflicts(this.logger, () =>
      inTransaction(this.pool, async (client) => {
        if (!(await claim(client, report))) return false;
        await addUsage(client, report.usage);
        await addMetrics(client, report.metrics);
        return true;
      }),
    );
  }

  async usedInPeriod(tenant: TenantId, usagePlanId: string, apiKeyId: string, startDay: string, endDay: string): Promise<number> {
    const { rows } = await this.pool.query<{ used: Int8 }>(
      `SELECT coalesce(sum(count), 0) AS used FROM usage_counts
       WHERE tenant_id = $1 AND usage_plan_id = $2 AND api_key_id = $3 AND day BETWEEN $4 AND $5`,
      [tenant, usagePlanId, apiKeyId, startDay, endDay].map(columnText),
    );
    return Number(rows[0]!.used);
  }

  async quotaOf(tenant: TenantId, usagePlanId: string, apiKeyId: string, periodStart: string) {
    const { rows } = await this.pool.query<{ quota: UsagePlan['quota']; tags: UsagePlan['tags'] | null; extra: Int8 }>(
      `SELECT plan.document -> 'quota' AS quota, plan.document -> 'tags' AS tags, coalesce(extension.extra, 0) AS extra
       FROM usage_plans AS plan LEFT JOIN quota_extensions AS extension
         ON extension.tenant_id = plan.tenant_id AND extension.usage_plan_id = plan.id
         AND extension.api_key_id = $3 AND extension.period_start = $4
       WHERE plan.tenant_id = $1 AND plan.id = $2`,
      [tenant, usagePlanId, apiKeyId, periodStart].map(columnText),
    );
    const quota = rows[0]?.quota ?? null;
    if (quota === null) return null;
    const { extra, tags } = rows[0]!;
    return {
      limit: quota.limit,
      extra: Number(extra),
      offset: quota.offset,
      period: quota.period,
      limits: readLimitSettings(tags ?? {}),
    };
  }

  async tenantOfPlan(usagePlanId: string): Promise<TenantId | null> {
    const { rows } = await this.pool.query<{ tenant_id: TenantId }>('SELECT tenant_id FROM usage_plans WHERE id = $1', [
      columnText(usagePlanId),
    ]);
    return rows[0]?.tenant_id ?? null;
  }

  rollUp(nowMs: number, keepMinutesMs: number): Promise<{ hours: number; days: number; dropped: number }> {
    const nowSeconds = Math.floor(nowMs / 1000);
    const keepFromSeconds = startOf(Math.floor((nowMs - keepMinutesMs) / 1000), HOUR_SECONDS);
    return retryConflicts(this.logger, () =>
      inTransaction(this.pool, async (client) => {
        await client.query('SELECT 1 FROM metric_retention FOR UPDATE'); // no report is applied meanwhile
        const hours = await sumUp(client, 'MINUTE', 'HOUR', HOUR_SECONDS, nowSeconds);
        const days = await sumUp(client, 'HOUR', 'DAY', DAY_SECONDS, nowSeconds);
        // Whole hours only, so that no hour is ever summed up from part of its minutes.
        const { rows } = await client.query<{ minutes_from_seconds: Int8 }>(
          `UPDATE metric_retention SET minutes_from_seconds = greatest(minutes_from_seconds, $1) RETURNING minutes_from_seconds`,
          [keepFromSeconds],
        );
        const { rowCount } = await client.query(
          `DELETE FROM metric_samples WHERE period = 'MINUTE' AND start_seconds < $1 AND NOT stale`,
          [rows[0]!.minutes_from_seconds],
        );
        return { hours, days, dropped: rowCount ?? 0 };
      }),
    );
  }
}

/**
 * Records the report's name; false when it stands there. What arrives in order moves the mark of its epoch and leaves no row; what
 * arrives too early waits beside the mark.
 */
async function claim(client: pg.PoolClient, { nodeId, epoch, sequence }: NodeReport): Promise<boolean> {
  const name = [nodeId, epoch];
  await client.query(
    'INSERT INTO report_marks (node_id, epoch, applied_through) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING',
    name,
  );
  const mark = await client.query<{ applied_through: Int8 }>(
    'SELECT applied_through FROM report_marks WHERE node_id = $1 AND epoch = $2 FOR UPDATE',
    name,
  );
  let through = Number(mark.rows[0]!.applied_through);
  if (sequence <= through) return false;
  if (sequence > through + 1) {
    const { rowCount } = await client.query(
      'INSERT INTO reports_beyond (node_id, epoch, sequence) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [...name, sequence],
    );
    return rowCount === 1;
  }
  const beyond = await client.query<{ sequence: Int8 }>(
    'SELECT sequence FROM reports_beyond WHERE node_id = $1 AND epoch = $2 ORDER BY sequence',
    name,
  );
  through = sequence;
  for (const row of beyond.rows) {
    if (Number(row.sequence) !== through + 1) break;
    through++;
  }
  await client.query('UPDATE report_marks SET applied_through = $3 WHERE node_id = $1 AND epoch = $2', [...name, through]);
  if (through > sequence) {
    await client.query('DELETE FROM reports_beyond WHERE node_id = $1 AND epoch = $2 AND sequence <= $3', [...name, through]);
  }
  return true;
}

async function addUsage(client: pg.PoolClient, usage: NodeReport['usage']): Promise<void> {
  if (usage.length === 0) return;
  // In key order, so that two reports do not wait for each other's rows in a circle.
  await client.query(
    `INSERT INTO usage_counts (tenant_id, usage_plan_id, api_key_id, day, count)
     SELECT tenant, plan, key, day, sum(count)
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS report(tenant, plan, key, day, count)
     GROUP BY tenant, plan, key, day ORDER BY tenant, plan, key, day
     ON CONFLICT (tenant_id, usage_plan_id, api_key_id, day) DO UPDATE SET count = usage_counts.count + excluded.count`,
    [
      usage.map((row) => columnText(row.tenant)),
      usage.map((row) => columnText(row.usagePlanId)),
      usage.map((row) => columnText(row.apiKeyId)),
      usage.map((row) => columnText(row.day)),
      usage.map((row) => row.count),
    ],
  );
}

async function addMetrics(client: pg.PoolClient, metrics: NodeReport['metrics']): Promise<void> {
  if (metrics.length === 0) return;
  const { rows } = await client.query<{ minutes_from_seconds: Int8 }>(
    'SELECT minutes_from_seconds FROM metric_retention FOR SHARE',
  );
  const minutesFromSeconds = Number(rows[0]!.minutes_from_seconds);
  await client.query(
    `INSERT INTO metric_samples (${COLUMNS})
     SELECT period::metric_period, tenant_id, api_id, start_seconds, decode(place, 'hex'), stage, resource, http_method, ${SUMS}, true
     FROM jsonb_to_recordset($1) AS report(
       period text, tenant_id text, api_id text, start_seconds bigint, place text, stage text, resource text, http_method text,
       count bigint, errors_4xx bigint, errors_5xx bigint, cache_hits bigint, cache_misses bigint,
       latency_buckets jsonb, latency_count bigint, latency_sum_ms float8, latency_max_ms float8,
       integration_latency_buckets jsonb, integration_latency_count bigint, integration_latency_sum_ms float8,
       integration_latency_max_ms float8)
     GROUP BY period, tenant_id, api_id, start_seconds, place, stage, resource, http_method
     ORDER BY period, tenant_id, api_id, start_seconds, place
     ON CONFLICT (period, tenant_id, api_id, start_seconds, place) DO UPDATE SET
       count = metric_samples.count + excluded.count,
       errors_4xx = metric_samples.errors_4xx + excluded.errors_4xx,
       errors_5xx = metric_samples.errors_5xx + excluded.errors_5xx,
       cache_hits = metric_samples.cache_hits + excluded.cache_hits,
       cache_misses = metric_samples.cache_misses + excluded.cache_misses,
       latency_buckets = merge_buckets(metric_samples.latency_buckets, excluded.latency_buckets),
       latency_count = metric_samples.latency_count + excluded.latency_count,
       latency_sum_ms = metric_samples.latency_sum_ms + excluded.latency_sum_ms,
       latency_max_ms = greatest(metric_samples.latency_max_ms, excluded.latency_max_ms),
       integration_latency_buckets = merge_buckets(metric_samples.integration_latency_buckets, excluded.integration_latency_buckets),
       integration_latency_count = metric_samples.integration_latency_count + excluded.integration_latency_count,
       integration_latency_sum_ms = metric_samples.integration_latency_sum_ms + excluded.integration_latency_sum_ms,
       integration_latency_max_ms = greatest(metric_samples.integration_latency_max_ms, excluded.integration_latency_max_ms),
       stale = true`,
    [JSON.stringify(metrics.map((sample) => toColumns(sample, minutesFromSeconds)))],
  );
}

/** A sample of a minute that was dropped already goes into its hour. */
function toColumns(sample: MetricSample & { readonly tenant: string }, minutesFromSeconds: number) {
  const isDropped = sample.startSeconds < minutesFromSeconds;
  const [stage, resource, httpMethod] = [sample.stage, sample.resource, sample.httpMethod].map(columnText);
  return {
    period: (isDropped ? 'HOUR' : 'MINUTE') satisfies MetricPeriod,
    tenant_id: columnText(sample.tenant),
    api_id: columnText(sample.apiId),
    start_seconds: startOf(sample.startSeconds, isDropped ? HOUR_SECONDS : MINUTE_SECONDS),
    place: createHash('sha256')
      .update(JSON.stringify([stage, resource, httpMethod]))
      .digest('hex'),
    stage,
    resource,
    http_method: httpMethod,
    count: sample.count,
    errors_4xx: sample.errors4xx,
    errors_5xx: sample.errors5xx,
    cache_hits: sample.cacheHits,
    cache_misses: sample.cacheMisses,
    latency_buckets: sample.latency.buckets,
    latency_count: sample.latency.count,
    latency_sum_ms: sample.latency.sumMs,
    latency_max_ms: sample.latency.maxMs,
    integration_latency_buckets: sample.integrationLatency.buckets,
    integration_latency_count: sample.integrationLatency.count,
    integration_latency_sum_ms: sample.integrationLatency.sumMs,
    integration_latency_max_ms: sample.integrationLatency.maxMs,
  };
}

/** Sums up anew every longer interval in which something changed; returns how many rows that gave. Safe to run twice. */
async function sumUp(
  client: pg.PoolClient,
  from: MetricPeriod,
  to: MetricPeriod,
  lengthSeconds: number,
  nowSeconds: number,
): Promise<number> {
  const { rowCount } = await client.query(
    `WITH changed AS (
       SELECT DISTINCT tenant_id, api_id, start_seconds - start_seconds % $3::bigint AS start_seconds
       FROM metric_samples WHERE period = $1::metric_period AND stale AND start_seconds <= $4
     )
     INSERT INTO metric_samples (${COLUMNS})
     SELECT $2::metric_period, tenant_id, api_id, changed.start_seconds, place, min(stage), min(resource), min(http_method), ${SUMS}, true
     FROM changed JOIN metric_samples AS sample USING (tenant_id, api_id)
     WHERE sample.period = $1::metric_period
       AND sample.start_seconds >= changed.start_seconds AND sample.start_seconds < changed.start_seconds + $3::bigint
     GROUP BY tenant_id, api_id, changed.start_seconds, place
     ON CONFLICT (period, tenant_id, api_id, start_seconds, place) DO UPDATE SET
       count = excluded.count, errors_4xx = excluded.errors_4xx, errors_5xx = excluded.errors_5xx,
       cache_hits = excluded.cache_hits, cache_misses = excluded.cache_misses,
       latency_buckets = excluded.latency_buckets, latency_count = excluded.latency_count,
       latency_sum_ms = excluded.latency_sum_ms, latency_max_ms = excluded.latency_max_ms,
       integration_latency_buckets = excluded.integration_latency_buckets,
       integration_latency_count = excluded.integration_latency_count,
       integration_latency_sum_ms = excluded.integration_latency_sum_ms,
       integration_latency_max_ms = excluded.integration_latency_max_ms,
       stale = true`,
    [from, to, lengthSeconds, nowSeconds],
  );
  await client.query(
    'UPDATE metric_samples SET stale = false WHERE period = $1::metric_period AND stale AND start_seconds <= $2',
    [from, nowSeconds],
  );
  return rowCount ?? 0;
}

function startOf(seconds: number, lengthSeconds: number): number {
  return seconds - (seconds % lengthSeconds);
}
