/** Prometheus text exposition, version 0.0.4. */
import { LATENCY_BOUNDS_MS, type MethodSeries, type MetricsRegistry, type SeriesLabels } from './metrics.js';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const SERIES_COUNTERS: readonly (readonly [string, string, (series: MethodSeries) => number])[] = [
  ['gatehouse_engine_requests_total', 'Requests answered (Count)', (series) => series.totals.count],
  ['gatehouse_engine_errors_4xx_total', 'Requests answered with 400 to 499 (4XXError)', (series) => series.totals.errors4xx],
  ['gatehouse_engine_errors_5xx_total', 'Requests answered with 500 and above (5XXError)', (series) => series.totals.errors5xx],
];

interface LatencyTotals {
  readonly sumMs: number;
  readonly count: number;
  /** Per bound, not cumulative; `null` when the series has none: then the last bucket alone stands for all. */
  readonly buckets: Float64Array | null;
}

const SERIES_HISTOGRAMS: readonly (readonly [string, string, (series: MethodSeries) => LatencyTotals])[] = [
  [
    'gatehouse_engine_latency_milliseconds',
    'Time from a request to its answer (Latency)',
    ({ totals }) => ({ sumMs: totals.latencySumMs, count: totals.count, buckets: totals.latencyBuckets }),
  ],
  [
    'gatehouse_engine_integration_latency_milliseconds',
    'Time a backend took (IntegrationLatency)',
    ({ totals }) => ({
      sumMs: totals.integrationLatencySumMs,
      count: totals.integrationCount,
      buckets: totals.integrationLatencyBuckets,
    }),
  ],
];

/** The whole page of a scrape. */
export function renderPrometheus(registry: MetricsRegistry): string {
  const lines: string[] = [];
  for (const { name, help, type, read } of registry.namedMetrics()) {
    head(lines, name, help, type);
    lines.push(`${name} ${read()}`);
  }
  head(lines, 'gatehouse_node_latency_milliseconds', 'Latency of all requests of this process', 'histogram');
  for (const bound of LATENCY_BOUNDS_MS) {
    lines.push(`gatehouse_node_latency_milliseconds_bucket{le="${bound}"} ${registry.latency.countUpTo(bound)}`);
  }
  lines.push(
    `gatehouse_node_latency_milliseconds_bucket{le="+Inf"} ${registry.latency.count}`,
    `gatehouse_node_latency_milliseconds_sum ${registry.latency.sumMs}`,
    `gatehouse_node_latency_milliseconds_count ${registry.latency.count}`,
  );
  const all = registry.allSeries().map((series) => ({ series, labels: labelText(series.labels) }));
  for (const [name, help, read] of SERIES_COUNTERS) {
    head(lines, name, help, 'counter');
    for (const { series, labels } of all) lines.push(`${name}${labels} ${read(series)}`);
  }
  for (const [name, help, read] of SERIES_HISTOGRAMS) {
    head(lines, name, help, 'histogram');
    for (const { series, labels } of all) histogram(lines, name, labels, read(series));
  }
  return lines.join('\n') + '\n';
}

function histogram(lines: string[], name: string, labels: string, { sumMs, count, buckets }: LatencyTotals): void {
  const open = `${name}_bucket${labels.slice(0, -1)},le="`;
  let below = 0;
  // A method that was not called yet shows its zero in one line, not in fifteen.
  if (buckets !== null && count > 0) {
    LATENCY_BOUNDS_MS.forEach((bound, index) => lines.push(`${open}${bound}"} ${(below += buckets[index]!)}`));
  }
  lines.push(`${open}+Inf"} ${count}`, `${name}_sum${labels} ${sumMs}`, `${name}_count${labels} ${count}`);
}

function head(lines: string[], name: string, help: string, type: string): void {
  lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
}

function labelText({ tenant, apiId, stage, resource, httpMethod }: SeriesLabels): string {
  return `{tenant="${quoted(tenant)}",api="${quoted(apiId)}",stage="${quoted(stage)}",resource="${quoted(resource)}",method="${quoted(httpMethod)}"}`;
}

/** Label values may hold anything; backslash, quote and line feed are escaped. */
function quoted(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
