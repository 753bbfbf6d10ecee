import {
  badRequest,
  type HistogramData,
  type MetricPeriod,
  type MetricSample,
  type TenantId,
  type TenantStore,
} from '@gatehouse/domain';
import { EMPTY_HISTOGRAM, mergeHistograms, percentiles } from '@gatehouse/telemetry';

export interface MetricsQuestion {
  readonly apiId: string;
  readonly stage?: string;
  /** Path template, e.g. `/pets/{id}`. */
  readonly resource?: string;
  readonly httpMethod?: string;
  /** Start inclusive, end exclusive: any point in time, widened to whole periods. */
  readonly from: Date;
  readonly to: Date;
  readonly period: MetricPeriod;
}

/** Milliseconds; all 0 when nothing was counted. */
export interface LatencyStatistics {
  readonly average: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface MetricPoint {
  /** Start of the period, ISO 8601. */
  readonly timestamp: string;
  readonly count: number;
  readonly '4XXError': number;
  readonly '5XXError': number;
  /** Of methods that have a cache. */
  readonly cacheHitCount: number;
  readonly cacheMissCount: number;
  readonly latency: LatencyStatistics;
  readonly integrationLatency: LatencyStatistics;
}

/** One series over everything the question's filters leave. Periods without a request have no point. */
export interface MetricSeries {
  readonly apiId: string;
  readonly stage: string | null;
  readonly resource: string | null;
  readonly httpMethod: string | null;
  readonly period: MetricPeriod;
  readonly points: readonly MetricPoint[];
}

const PERIOD_SECONDS = { MINUTE: 60, HOUR: 3_600, DAY: 86_400 } as const satisfies Record<MetricPeriod, number>;
/** CloudWatch's limit of data points per request. */
const POINTS_MAX = 1_440;

/** Throws ApiError for a range that is none or holds more than 1,440 periods. */
export async function queryMetrics(store: TenantStore, tenant: TenantId, question: MetricsQuestion): Promise<MetricSeries> {
  const { apiId, stage, resource, httpMethod, from, to, period } = question;
  const seconds = PERIOD_SECONDS[period];
  const fromSeconds = Math.floor(from.getTime() / 1000 / seconds) * seconds;
  const toSeconds = Math.ceil(to.getTime() / 1000 / seconds) * seconds;
  if (!(fromSeconds < toSeconds)) throw badRequest('Invalid range: "from" must be before "to"');
  if ((toSeconds - fromSeconds) / seconds > POINTS_MAX) {
    throw badRequest(
      `Invalid range: ${(toSeconds - fromSeconds) / seconds} periods of a ${period.toLowerCase()}, at most ${POINTS_MAX}`,
    );
  }
  const samples = await store.transact(tenant, (tx) =>
    tx.metrics.query({ apiId, stage, resource, httpMethod, fromSeconds, toSeconds, period }),
  );
  const byStart = new Map<number, MetricSample[]>();
  for (const sample of samples) {
    const same = byStart.get(sample.startSeconds);
    if (same === undefined) byStart.set(sample.startSeconds, [sample]);
    else same.push(sample);
  }
  return {
    apiId,
    stage: stage ?? null,
    resource: resource ?? null,
    httpMethod: httpMethod ?? null,
    period,
    points: [...byStart].sort(([a], [b]) => a - b).map(([startSeconds, same]) => pointOf(startSeconds, same)),
  };
}

function pointOf(startSeconds: number, samples: readonly MetricSample[]): MetricPoint {
  const sum = (read: (sample: MetricSample) => number) => samples.reduce((total, sample) => total + read(sample), 0);
  const merged = (read: (sample: MetricSample) => HistogramData) => samples.map(read).reduce(mergeHistograms, EMPTY_HISTOGRAM);
  return {
    timestamp: new Date(startSeconds * 1000).toISOString(),
    count: sum((sample) => sample.count),
    '4XXError': sum((sample) => sample.errors4xx),
    '5XXError': sum((sample) => sample.errors5xx),
    cacheHitCount: sum((sample) => sample.cacheHits),
    cacheMissCount: sum((sample) => sample.cacheMisses),
    latency: statisticsOf(merged((sample) => sample.latency)),
    integrationLatency: statisticsOf(merged((sample) => sample.integrationLatency)),
  };
}

function statisticsOf(histogram: HistogramData): LatencyStatistics {
  const [p50, p90, p99] = percentiles(histogram, [50, 90, 99]) as [number, number, number];
  return { average: histogram.count === 0 ? 0 : histogram.sumMs / histogram.count, p50, p90, p99, max: histogram.maxMs };
}
