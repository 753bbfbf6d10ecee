/** Prometheus text exposition, version 0.0.4. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { headOf, SERIES_PER_SLICE, type LatencyTotals, type MetricsPage, type SeriesTotals } from './metrics-page.js';
import { LATENCY_BOUNDS_MS, type MetricsRegistry, type SeriesLabels, type Totals } from './metrics.js';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** One name of the series: its lines for one of them; empty for none. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  readonly lines: (totals: Totals, labels: string) => string;
}

const counter = (name: string, help: string, read: (totals: Totals) => number): Family => ({
  name,
  help,
  type: 'counter',
  lines: (totals, labels) => `${name}${labels} ${read(totals)}\n`,
});

/** Most methods have no cache, and no line of these. */
const cacheCounter = (name: string, help: string, read: (totals: Totals) => number): Family => {
  const all = counter(name, help, read);
  return { ...all, lines: (totals, labels) => (totals.cacheHits + totals.cacheMisses > 0 ? all.lines(totals, labels) : '') };
};

const FAMILIES: readonly Family[] = [
  counter('gatehouse_engine_requests_total', 'Requests answered (Count)', ({ count }) => count),
  counter('gatehouse_engine_errors_4xx_total', 'Requests answered with 400 to 499 (4XXError)', ({ errors4xx }) => errors4xx),
  counter('gatehouse_engine_errors_5xx_total', 'Requests answered with 500 and above (5XXError)', ({ errors5xx }) => errors5xx),
  cacheCounter(
    'gatehouse_engine_cache_hits_total',
    'Requests answered from the cache (CacheHitCount)',
    ({ cacheHits }) => cacheHits,
  ),
  cacheCounter(
    'gatehouse_engine_cache_misses_total',
    'Requests of cached methods that were not (CacheMissCount)',
    ({ cacheMisses }) => cacheMisses,
  ),
  {
    name: 'gatehouse_engine_latency_milliseconds',
    help: 'Time from a request to its answer (Latency)',
    type: 'histogram',
    lines: ({ latencySumMs, count, latencyBuckets }, labels) =>
      histogram('gatehouse_engine_latency_milliseconds', labels, latencySumMs, count, latencyBuckets),
  },
  {
    name: 'gatehouse_engine_integration_latency_milliseconds',
    help: 'Time a backend took (IntegrationLatency)',
    type: 'histogram',
    lines: ({ integrationLatencySumMs, integrationCount, integrationLatencyBuckets }, labels) =>
      histogram(
        'gatehouse_engine_integration_latency_milliseconds',
        labels,
        integrationLatencySumMs,
        integrationCount,
        integrationLatencyBuckets,
      ),
  },
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
  return slices({ ...headOf(registry), count: series.length, at: (index) => series[index]! });
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

/**
 * The format wants all lines of one name together, so the series are gone through once per name. Texts are put together by `+=`: the page is
 * laid out in memory once, when it is encoded.
 */
function* slices({ named, latency, count, at }: PageSource): Generator<string> {
  yield headText(named, latency);
  const labels: string[] = [];
  for (const { name, help, type, lines } of FAMILIES) {
    let text = intro(name, help, type);
    for (let i = 0; i < count; i++) {
      const series = at(i);
      text += lines(series.totals, (labels[i] ??= labelText(series.labels)));
      if ((i + 1) % SERIES_PER_SLICE !== 0) continue;
      if (text !== '') yield text;
      text = '';
    }
    if (text !== '') yield text;
  }
}

function headText(named: MetricsPage['named'], { sumMs, count, buckets }: LatencyTotals): string {
  let text = '';
  for (const { name, help, type, values } of named) {
    text += intro(name, help, type);
    for (const { process, value } of values) {
      text += process === null ? `${name} ${value}\n` : `${name}{process="${quoted(process)}"} ${value}\n`;
    }
  }
  const name = 'gatehouse_node_latency_milliseconds';
  return (
    text +
    intro(name, 'Latency of all requests of this node', 'histogram') +
    bucketLines(`${name}_bucket{le="`, buckets ?? NO_BUCKETS) +
    `${name}_bucket{le="+Inf"} ${count}\n${name}_sum ${sumMs}\n${name}_count ${count}\n`
  );
}

const NO_BUCKETS = new Float64Array(LATENCY_BOUNDS_MS.length + 1);

function histogram(name: string, labels: string, sumMs: number, count: number, buckets: Float64Array | null): string {
  const open = `${name}_bucket${labels.slice(0, -1)},le="`;
  // A method that was not called yet shows its zero in one line, not in fifteen.
  const bounded = buckets === null || count === 0 ? '' : bucketLines(open, buckets);
  return `${bounded}${open}+Inf"} ${count}\n${name}_sum${labels} ${sumMs}\n${name}_count${labels} ${count}\n`;
}

function bucketLines(open: string, buckets: Float64Array): string {
  let text = '';
  let below = 0;
  for (let i = 0; i < LATENCY_BOUNDS_MS.length; i++) text += `${open}${LATENCY_BOUNDS_MS[i]}"} ${(below += buckets[i]!)}\n`;
  return text;
}

const intro = (name: string, help: string, type: string): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

/** A registry's series keep their labels, so a scrape finds the texts of the one before. */
const labelTexts = new WeakMap<SeriesLabels, string>();

function labelText(labels: SeriesLabels): string {
  let text = labelTexts.get(labels);
  if (text === undefined) labelTexts.set(labels, (text = makeLabelText(labels)));
  return text;
}

function makeLabelText({ tenant, apiId, stage, resource, httpMethod }: SeriesLabels): string {
  return `{tenant="${quoted(tenant)}",api="${quoted(apiId)}",stage="${quoted(stage)}",resource="${quoted(resource)}",method="${quoted(httpMethod)}"}`;
}

/** Label values may hold anything; backslash, quote and line feed are escaped. */
function quoted(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
