/** Prometheus text exposition, version 0.0.4. */
import type { MethodSeries, MetricsRegistry, SeriesLabels } from './metrics.js';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Upper bounds of the node-wide latency histogram, milliseconds. Series have sums and counts only: a scrape stays small. */
const LATENCY_BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

const SERIES_COUNTERS: readonly (readonly [string, string, (series: MethodSeries) => number])[] = [
  ['gatehouse_engine_requests_total', 'Requests answered (Count)', (series) => series.totals.count],
  ['gatehouse_engine_errors_4xx_total', 'Requests answered with 400 to 499 (4XXError)', (series) => series.totals.errors4xx],
  ['gatehouse_engine_errors_5xx_total', 'Requests answered with 500 and above (5XXError)', (series) => series.totals.errors5xx],
];

const SERIES_SUMMARIES: readonly (readonly [
  string,
  string,
  (series: MethodSeries) => number,
  (series: MethodSeries) => number,
])[] = [
  [
    'gatehouse_engine_latency_milliseconds',
    'Time from a request to its answer (Latency)',
    (series) => series.totals.latencySumMs,
    (series) => series.totals.count,
  ],
  [
    'gatehouse_engine_integration_latency_milliseconds',
    'Time a backend took (IntegrationLatency)',
    (series) => series.totals.integrationLatencySumMs,
    (series) => series.totals.integrationCount,
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
  for (const [name, help, sum, count] of SERIES_SUMMARIES) {
    head(lines, name, help, 'summary');
    for (const { series, labels } of all) {
      lines.push(`${name}_sum${labels} ${sum(series)}`, `${name}_count${labels} ${count(series)}`);
    }
  }
  return lines.join('\n') + '\n';
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
