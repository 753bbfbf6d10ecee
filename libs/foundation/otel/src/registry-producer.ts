/**
 * The registry as OpenTelemetry metrics: the same numbers that Prometheus text shows, read when they are pushed. Nothing is counted
 * twice. Read in parts, with turns of the event loop between them.
 */
import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type DataPoint,
  type Histogram,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import {
  inTurns,
  LATENCY_BOUNDS_MS,
  partsOf,
  type MetricsRegistry,
  type NamedValues,
  type SeriesTotals,
} from '@gatehouse/telemetry';

const BOUNDARIES = [...LATENCY_BOUNDS_MS];

export class RegistryProducer implements MetricProducer {
  private readonly startTime = now();

  constructor(private readonly registry: MetricsRegistry) {}

  async collect(): Promise<CollectionResult> {
    const endTime = now();
    const named: MetricData[] = [];
    const requests = sum('gatehouse.engine.requests', 'Requests answered (Count)');
    const errors4xx = sum('gatehouse.engine.errors_4xx', 'Requests answered with 400 to 499 (4XXError)');
    const errors5xx = sum('gatehouse.engine.errors_5xx', 'Requests answered with 500 and above (5XXError)');
    const cacheHits = sum('gatehouse.engine.cache_hits', 'Requests answered from the cache (CacheHitCount)');
    const cacheMisses = sum('gatehouse.engine.cache_misses', 'Requests of cached methods that were not (CacheMissCount)');
    const latency = histogram('gatehouse.engine.latency', 'Time from a request to its answer (Latency)');
    const integration = histogram('gatehouse.engine.integration_latency', 'Time a backend took (IntegrationLatency)');
    const point = <T>(attributes: Attributes, value: T): DataPoint<T> => ({
      startTime: this.startTime,
      endTime,
      attributes,
      value,
    });
    for await (const part of inTurns(partsOf(this.registry))) {
      named.push(...part.named.map((metric) => this.named(metric, endTime)));
      for (const series of part.series) {
        const attributes = attributesOf(series);
        const { totals } = series;
        requests.dataPoints.push(point(attributes, totals.count));
        errors4xx.dataPoints.push(point(attributes, totals.errors4xx));
        errors5xx.dataPoints.push(point(attributes, totals.errors5xx));
        if (totals.cacheHits + totals.cacheMisses > 0) {
          cacheHits.dataPoints.push(point(attributes, totals.cacheHits));
          cacheMisses.dataPoints.push(point(attributes, totals.cacheMisses));
        }
        const { latencySumMs, count, latencyBuckets, integrationLatencySumMs, integrationCount, integrationLatencyBuckets } =
          totals;
        latency.dataPoints.push(point(attributes, histogramOf(latencySumMs, count, latencyBuckets)));
        integration.dataPoints.push(
          point(attributes, histogramOf(integrationLatencySumMs, integrationCount, integrationLatencyBuckets)),
        );
      }
    }
    const metrics = [...named, requests, errors4xx, errors5xx, cacheHits, cacheMisses, latency, integration].filter(
      ({ dataPoints }) => dataPoints.length > 0,
    );
    return {
      resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope: { name: 'gatehouse' }, metrics }] },
      errors: [],
    };
  }

  private named({ name, help, type, values }: NamedValues, endTime: HrTime): MetricData {
    const dataPoints = values.map(({ value }) => ({ startTime: this.startTime, endTime, attributes: {}, value }));
    const common = {
      // Dots where the room and the noun end, as everywhere in OpenTelemetry; `_total` is Prometheus's.
      descriptor: descriptor(
        name
          .replace(/_total$/, '')
          .replace(/_/, '.')
          .replace(/_/, '.'),
        help,
        '',
      ),
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPoints,
    };
    return type === 'counter'
      ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true }
      : { ...common, dataPointType: DataPointType.GAUGE };
  }
}

function attributesOf({ labels }: SeriesTotals): Attributes {
  return {
    tenant: labels.tenant,
    api: labels.apiId,
    stage: labels.stage,
    resource: labels.resource,
    method: labels.httpMethod,
  };
}

/** Without buckets for methods beyond the bound, as on the page. */
function histogramOf(sum: number, count: number, buckets: Float64Array | null): Histogram {
  if (buckets === null) return { buckets: { boundaries: [], counts: [count] }, sum, count };
  return { buckets: { boundaries: BOUNDARIES, counts: [...buckets] }, sum, count };
}

const descriptor = (name: string, description: string, unit: string) => ({
  name,
  description,
  unit,
  valueType: ValueType.DOUBLE,
});

const sum = (name: string, description: string) => ({
  descriptor: descriptor(name, description, ''),
  aggregationTemporality: AggregationTemporality.CUMULATIVE,
  dataPointType: DataPointType.SUM as const,
  isMonotonic: true,
  dataPoints: [] as DataPoint<number>[],
});

const histogram = (name: string, description: string) => ({
  descriptor: descriptor(name, description, 'ms'),
  aggregationTemporality: AggregationTemporality.CUMULATIVE,
  dataPointType: DataPointType.HISTOGRAM as const,
  dataPoints: [] as DataPoint<Histogram>[],
});

function now(): HrTime {
  const ms = Date.now();
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1e6];
}
