/** Prometheus text exposition, version 0.0.4. */
import { pageOf, type LatencyTotals, type MetricsPage, type SeriesTotals } from './metrics-page.js';
import { LATENCY_BOUNDS_MS, type MetricsRegistry, type SeriesLabels } from './metrics.js';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const SERIES_COUNTERS: readonly (readonly [string, string, (series: SeriesTotals) => number])[] = [
  ['gatehouse_engine_requests_total', 'Requests answered (Count)', (series) => series.count],
  ['gatehouse_engine_errors_4xx_total', 'Requests answered with 400 to 499 (4XXError)', (series) => series.errors4xx],
  ['gatehouse_engine_errors_5xx_total', 'Requests answered with 500 and above (5XXError)', (series) => series.errors5xx],
];

const SERIES_HISTOGRAMS: readonly (readonly [string, string, (series: SeriesTotals) => LatencyTotals])[] = [
  ['gatehouse_engine_latency_milliseconds', 'Time from a request to its answer (Latency)', (series) => series.latency],
  [
    'gatehouse_engine_integration_latency_milliseconds',
    'Time a backend took (IntegrationLatency)',
    (series) => series.integrationLatency,
  ],
];

/** The whole page of a scrape of one process. */
export function renderPrometheus(registry: MetricsRegistry): string {
  return renderPage(pageOf(registry));
}

/** The same for what `mergePages` made of several. */
export function renderPage({ named, latency, series }: MetricsPage): string {
  const lines: string[] = [];
  for (const { name, help, type, values } of named) {
    head(lines, name, help, type);
    for (const { process, value } of values) {
      lines.push(process === null ? `${name} ${value}` : `${name}{process="${quoted(process)}"} ${value}`);
    }
  }
  nodeLatency(lines, latency);
  const all = series.map((totals) => ({ totals, labels: labelText(totals.labels) }));
  for (const [name, help, read] of SERIES_COUNTERS) {
    head(lines, name, help, 'counter');
    for (const { totals, labels } of all) lines.push(`${name}${labels} ${read(totals)}`);
  }
  for (const [name, help, read] of SERIES_HISTOGRAMS) {
    head(lines, name, help, 'histogram');
    for (const { totals, labels } of all) histogram(lines, name, labels, read(totals));
  }
  return lines.join('\n') + '\n';
}

function nodeLatency(lines: string[], { sumMs, count, buckets }: LatencyTotals): void {
  const name = 'gatehouse_node_latency_milliseconds';
  head(lines, name, 'Latency of all requests of this node', 'histogram');
  let below = 0;
  LATENCY_BOUNDS_MS.forEach((bound, index) => lines.push(`${name}_bucket{le="${bound}"} ${(below += buckets?.[index] ?? 0)}`));
  lines.push(`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${sumMs}`, `${name}_count ${count}`);
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
