/**
 * What was counted under AWS's names, as CloudWatch's GetMetricStatistics answers it: namespace AWS/ApiGateway, dimensions `ApiName`,
 * `ApiName, Stage`, and of methods with detailed metrics `ApiName, Stage, Method, Resource` (data-plane reference §10.7).
 */
import {
  badRequest,
  type HistogramData,
  type MetricPeriod,
  type MetricSample,
  type RestApi,
  type Stage,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import { bucketBoundsMs, EMPTY_HISTOGRAM, mergeHistograms, percentiles } from '@gatehouse/telemetry';

export interface StatisticsQuestion {
  readonly metricName: string;
  readonly apiName: string;
  readonly stage?: string;
  /** Both or none, and with `stage`. */
  readonly resource?: string;
  readonly method?: string;
  /** Start inclusive, end exclusive: widened to whole periods. */
  readonly startTime: Date;
  readonly endTime: Date;
  readonly periodSeconds: number;
  /** `Average`, `Sum`, ... and percentiles like `p99` or `p99.9`. */
  readonly statistics: readonly string[];
}

export interface Datapoint {
  readonly Timestamp: string;
  readonly Unit: 'Count' | 'Milliseconds';
  readonly SampleCount?: number;
  readonly Average?: number;
  readonly Sum?: number;
  readonly Minimum?: number;
  readonly Maximum?: number;
  readonly ExtendedStatistics?: Readonly<Record<string, number>>;
}

export interface MetricStatistics {
  readonly Label: string;
  /** By time. Periods without a request have none. */
  readonly Datapoints: readonly Datapoint[];
}

/** What a metric is of one sample: a part of its requests, or times. */
type Metric = { readonly part: (sample: MetricSample) => number } | { readonly times: (sample: MetricSample) => HistogramData };

const METRICS: ReadonlyMap<string, Metric> = new Map<string, Metric>([
  ['Count', { part: ({ count }) => count }],
  ['4XXError', { part: ({ errors4xx }) => errors4xx }],
  ['5XXError', { part: ({ errors5xx }) => errors5xx }],
  ['CacheHitCount', { part: ({ cacheHits }) => cacheHits }],
  ['CacheMissCount', { part: ({ cacheMisses }) => cacheMisses }],
  ['Latency', { times: ({ latency }) => latency }],
  ['IntegrationLatency', { times: ({ integrationLatency }) => integrationLatency }],
]);
const STATISTICS = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] as const;
const PERCENTILE = /^p(\d{1,2}(\.\d{1,2})?|100)$/;
/** CloudWatch's limit of data points per request. */
const POINTS_MAX = 1_440;
const DAY_SECONDS = 86_400;

/** Throws ApiError for what CloudWatch would refuse. An API, a stage or a method that is not there has no data. */
export async function metricStatistics(
  store: TenantStore,
  tenant: TenantId,
  question: StatisticsQuestion,
): Promise<MetricStatistics> {
  const metric = METRICS.get(question.metricName);
  if (metric === undefined) {
    throw badRequest(`Invalid metricName "${question.metricName}": expected one of ${[...METRICS.keys()].join(', ')}`);
  }
  const range = rangeOf(question);
  checkStatistics(question.statistics, metric);
  if ((question.resource === undefined) !== (question.method === undefined)) {
    throw badRequest('Invalid dimensions: resource and method go together');
  }
  if (question.resource !== undefined && question.stage === undefined)
    throw badRequest('Invalid dimensions: a method is one of a stage');
  const samples = await store.transact(tenant, (tx) => samplesOf(tx, question, range));
  // A mock has no integration latency, and so no sample of it.
  const counted = 'times' in metric ? samples.filter((sample) => metric.times(sample).count > 0) : samples;
  const byStart = Map.groupBy(counted, ({ startSeconds }) => startSeconds - (startSeconds % question.periodSeconds));
  return {
    Label: question.metricName,
    Datapoints: [...byStart]
      .sort(([a], [b]) => a - b)
      .map(([startSeconds, same]) => datapointOf(startSeconds, same, metric, question.statistics)),
  };
}

interface Range {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly period: MetricPeriod;
}

function rangeOf({ startTime, endTime, periodSeconds }: StatisticsQuestion): Range {
  if (!(periodSeconds > 0 && periodSeconds % 60 === 0 && (periodSeconds <= DAY_SECONDS || periodSeconds % DAY_SECONDS === 0))) {
    throw badRequest(`Invalid period ${periodSeconds}: expected a multiple of 60 up to 86400, or one of 86400`);
  }
  const fromSeconds = Math.floor(startTime.getTime() / 1000 / periodSeconds) * periodSeconds;
  const toSeconds = Math.ceil(endTime.getTime() / 1000 / periodSeconds) * periodSeconds;
  if (!(fromSeconds < toSeconds)) throw badRequest('Invalid range: startTime must be before endTime');
  const count = (toSeconds - fromSeconds) / periodSeconds;
  if (count > POINTS_MAX) throw badRequest(`Invalid range: ${count} data points, at most ${POINTS_MAX}`);
  const period = periodSeconds % DAY_SECONDS === 0 ? 'DAY' : periodSeconds % 3_600 === 0 ? 'HOUR' : 'MINUTE';
  return { fromSeconds, toSeconds, period };
}

function checkStatistics(statistics: readonly string[], metric: Metric): void {
  if (statistics.length === 0) throw badRequest('Invalid statistics: expected at least one');
  for (const name of statistics) {
    const isKnown = (STATISTICS as readonly string[]).includes(name) || ('times' in metric && PERCENTILE.test(name));
    if (!isKnown) throw badRequest(`Invalid statistic "${name}": expected ${STATISTICS.join(', ')}, or of latencies p0 to p100`);
  }
}

async function samplesOf(tx: TenantRepositories, question: StatisticsQuestion, range: Range): Promise<MetricSample[]> {
  const { stage, resource, method: httpMethod } = question;
  const samples: MetricSample[] = [];
  for (const apiId of await apisNamed(tx, question.apiName)) {
    if (resource !== undefined && !(await hasDetailedMetrics(tx, apiId, stage!, resource, httpMethod!))) continue;
    samples.push(...(await tx.metrics.query({ apiId, stage, resource, httpMethod, ...range })));
  }
  return samples;
}

/** Names are not unique: what several APIs of one name count is one metric, as on AWS. */
async function apisNamed(tx: TenantRepositories, apiName: string): Promise<string[]> {
  const ids: string[] = [];
  let after: string | null = null;
  do {
    const page: { readonly items: readonly RestApi[]; readonly next: string | null } = await tx.restApis.page({
      after,
      limit: 500,
    });
    ids.push(...page.items.filter((api) => metricNameOf(api) === apiName).map(({ id }) => id));
    after = page.next;
  } while (after !== null);
  return ids;
}

/** Without what is not ASCII; the id when nothing is left. */
const metricNameOf = ({ id, name }: RestApi): string => name.replace(/[^\x20-\x7e]/g, '') || id;

async function hasDetailedMetrics(
  tx: TenantRepositories,
  apiId: string,
  stageName: string,
  resource: string,
  httpMethod: string,
): Promise<boolean> {
  const stage: Stage | null = await tx.stages.find({ apiId, stageName });
  const key = `${resource === '/' ? '/' : `${resource.slice(1)}/`}${httpMethod}`;
  const settings = stage?.methodSettings ?? {};
  return ((Object.hasOwn(settings, key) ? settings[key] : settings['*/*'])?.metricsEnabled ?? false) === true;
}

function datapointOf(
  startSeconds: number,
  samples: readonly MetricSample[],
  metric: Metric,
  statistics: readonly string[],
): Datapoint {
  const all = 'part' in metric ? partStatistics(samples, metric.part) : timeStatistics(samples.map(metric.times), statistics);
  const asked = STATISTICS.filter((name) => statistics.includes(name)).map((name) => [name, all[name]] as const);
  return {
    Timestamp: new Date(startSeconds * 1_000).toISOString(),
    Unit: 'part' in metric ? 'Count' : 'Milliseconds',
    ...Object.fromEntries(asked),
    ...(Object.keys(all.percentiles).length > 0 && { ExtendedStatistics: all.percentiles }),
  };
}

interface Statistics extends Record<(typeof STATISTICS)[number], number> {
  /** By name, as asked. */
  readonly percentiles: Readonly<Record<string, number>>;
}

/** Each request is a sample of 0 or 1, so that the average is a rate. */
function partStatistics(samples: readonly MetricSample[], part: (sample: MetricSample) => number): Statistics {
  const count = samples.reduce((total, sample) => total + sample.count, 0);
  const sum = samples.reduce((total, sample) => total + part(sample), 0);
  return {
    SampleCount: count,
    Sum: sum,
    Average: count === 0 ? 0 : sum / count,
    Minimum: sum < count ? 0 : 1,
    Maximum: sum > 0 ? 1 : 0,
    percentiles: {},
  };
}

function timeStatistics(histograms: readonly HistogramData[], statistics: readonly string[]): Statistics {
  const all = histograms.reduce(mergeHistograms, EMPTY_HISTOGRAM);
  const names = statistics.filter((name) => PERCENTILE.test(name));
  const values = percentiles(
    all,
    names.map((name) => Number(name.slice(1))),
  );
  const lowest = Math.min(...Object.keys(all.buckets).map(Number));
  return {
    SampleCount: all.count,
    Sum: all.sumMs,
    Average: all.count === 0 ? 0 : all.sumMs / all.count,
    Minimum: all.count === 0 ? 0 : bucketBoundsMs(lowest).fromMs,
    Maximum: all.maxMs,
    percentiles: Object.fromEntries(names.map((name, i) => [name, values[i]!])),
  };
}
