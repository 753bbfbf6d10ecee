/** Prometheus text exposition, version 0.0.4. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { headOf, SERIES_PER_SLICE, totalsOf, type LatencyTotals, type MetricsPage, type SeriesTotals } from './metrics-page.js';
import { LATENCY_BOUNDS_MS, type MetricsRegistry, type SeriesLabels } from './metrics.js';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const SERIES_COUNTERS: readonly (readonly [string, string, (series: SeriesTotals) => number | undefined])[] = [
  ['gatehouse_engine_requests_total', 'Requests answered (Count)', (series) => series.count],
  ['gatehouse_engine_errors_4xx_total', 'Requests answered with 400 to 499 (4XXError)', (series) => series.errors4xx],
  ['gatehouse_engine_errors_5xx_total', 'Requests answered with 500 and above (5XXError)', (series) => series.errors5xx],
  ['gatehouse_engine_cache_hits_total', 'Requests answered from the cache (CacheHitCount)', (series) => series.cache?.hits],
  [
    'gatehouse_engine_cache_misses_total',
    'Requests of cached methods that were not (CacheMissCount)',
    (series) => series.cache?.misses,
  ],
];

const SERIES_HISTOGRAMS: readonly (readonly [string, string, (series: SeriesTotals) => LatencyTotals])[] = [
  ['gatehouse_engine_latency_milliseconds', 'Time from a request to its answer (Latency)', (series) => series.latency],
  [
    'gatehouse_engine_integration_latency_milliseconds',
    'Time a backend took (IntegrationLatency)',
    (series) => series.integrationLatency,
  ],
];

/** The whole page of a scrape of one process, in one go. */
export function renderPrometheus(registry: MetricsRegistry): string {
  return [...prometheusSlices(registry)].join('');
}

/**
 * The same in slices of at most SERIES_PER_SLICE series each: whoever serves requests on the same thread lets them pass between
 * two (`inTurns`). Values are those of the moment of their slice.
 */
export function prometheusSlices(registry: MetricsRegistry): Generator<string> {
  const series = registry.allSeries();
  return slices({ ...headOf(registry), count: series.length, at: (index) => totalsOf(series[index]!) });
}

/** The page of what `mergePages` made of several. */
export function renderPage(page: MetricsPage): string {
  return [...slices({ ...page, count: page.series.length, at: (index) => page.series[index]! })].join('');
}

/** One element in each turn of the event loop. */
export async function* inTurns<T>(slices: Iterable<T>): AsyncGenerator<T> {
  for (const slice of slices) {
    yield slice;
    await nextTurn();
  }
}

interface PageSource extends Omit<MetricsPage, 'series'> {
  readonly count: number;
  readonly at: (index: number) => SeriesTotals;
}

type WriteSeries = (lines: string[], totals: SeriesTotals, labels: string) => void;

/** The format wants all lines of one name together, so the series are gone through once per name. */
function* slices({ named, latency, count, at }: PageSource): Generator<string> {
  const lines: string[] = [];
  for (const { name, help, type, values } of named) {
    head(lines, name, help, type);
    for (const { process, value } of values) {
      lines.push(process === null ? `${name} ${value}` : `${name}{process="${quoted(process)}"} ${value}`);
    }
  }
  nodeLatency(lines, latency);
  yield textOf(lines);
  const labels: string[] = [];
  function* family(name: string, help: string, type: string, write: WriteSeries): Generator<string> {
    const some: string[] = [];
    head(some, name, help, type);
    for (let i = 0; i < count; i++) {
      const totals = at(i);
      write(some, totals, (labels[i] ??= labelText(totals.labels)));
      if ((i + 1) % SERIES_PER_SLICE === 0) yield textOf(some.splice(0));
    }
    if (some.length > 0) yield textOf(some);
  }
  for (const [name, help, read] of SERIES_COUNTERS) {
    yield* family(name, help, 'counter', (some, totals, text) => {
      const value = read(totals);
      if (value !== undefined) some.push(`${name}${text} ${value}`);
    });
  }
  for (const [name, help, read] of SERIES_HISTOGRAMS) {
    yield* family(name, help, 'histogram', (some, totals, text) => histogram(some, name, text, read(totals)));
  }
}

const textOf = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

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
