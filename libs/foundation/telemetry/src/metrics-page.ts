/**
 * What a scrape shows, as plain data that can travel between processes. Pages of the processes of one node add up: counters,
 * histograms and sums by their labels; a gauge whose sum means nothing (`isPerProcess`) is shown for each process.
 */
import { LATENCY_BOUNDS_MS, type MetricsRegistry, type SeriesLabels, type Totals } from './metrics.js';

export interface MetricsPage {
  readonly named: readonly NamedValues[];
  /** Of all requests. */
  readonly latency: LatencyTotals;
  readonly series: readonly SeriesTotals[];
}

export interface NamedValues {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly isPerProcess: boolean;
  /** One without a process; after `mergePages`, one per process where the sum means nothing. */
  readonly values: readonly { readonly process: string | null; readonly value: number }[];
}

export interface LatencyTotals {
  readonly sumMs: number;
  readonly count: number;
  /** Per bound of LATENCY_BOUNDS_MS, not cumulative; `null` when there are none: then the last bucket alone stands for all. */
  readonly buckets: Float64Array | null;
}

/** A MethodSeries is one. */
export interface SeriesTotals {
  readonly labels: SeriesLabels;
  readonly totals: Totals;
}

export interface ProcessPage {
  /** Value of the label `process` of gauges that are shown for each. */
  readonly process: string;
  readonly page: MetricsPage;
}

export function pageOf(registry: MetricsRegistry): MetricsPage {
  return { ...headOf(registry), series: registry.allSeries().map(copyOf) };
}

/** How many series one turn of the event loop reads or writes: about a millisecond of work. */
export const SERIES_PER_SLICE = 250;

/**
 * The page in parts, so that whoever serves requests need not make it in one go: the first has all but series, and those come
 * with it and the next ones, at most SERIES_PER_SLICE in each. There is always one.
 */
export function* partsOf(registry: MetricsRegistry): Generator<MetricsPage> {
  const all = registry.allSeries();
  const head = headOf(registry);
  for (let i = 0; i === 0 || i < all.length; i += SERIES_PER_SLICE) {
    const series = all.slice(i, i + SERIES_PER_SLICE).map(copyOf);
    yield i === 0 ? { ...head, series } : { named: [], latency: NO_LATENCY, series };
  }
}

const NO_LATENCY: LatencyTotals = { sumMs: 0, count: 0, buckets: null };

/** All but the series. */
export function headOf(registry: MetricsRegistry): Omit<MetricsPage, 'series'> {
  const { latency } = registry;
  const buckets = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  let below = 0;
  LATENCY_BOUNDS_MS.forEach((bound, index) => {
    const upTo = latency.countUpTo(bound);
    buckets[index] = upTo - below;
    below = upTo;
  });
  buckets[LATENCY_BOUNDS_MS.length] = latency.count - below;
  return {
    named: registry.namedMetrics().map(({ name, help, type, isPerProcess, read }) => ({
      name,
      help,
      type,
      isPerProcess,
      values: [{ process: null, value: read() }],
    })),
    latency: { sumMs: latency.sumMs, count: latency.count, buckets },
  };
}

function copyOf({ labels, totals }: SeriesTotals): SeriesTotals {
  return { labels, totals: { ...totals } };
}

/** The page of the node. Names come in the order of their first page. */
export function mergePages(pages: readonly ProcessPage[]): MetricsPage {
  const named = new Map<string, NamedValues>();
  const series = new Map<string, SeriesTotals>();
  let latency: LatencyTotals | null = null;
  for (const { process, page } of pages) {
    for (const metric of page.named) addNamed(named, metric, process);
    latency = latency === null ? page.latency : addLatency(latency, page.latency);
    for (const totals of page.series) {
      // A line feed cannot occur in a label.
      const key = Object.values(totals.labels).join('\n');
      const present = series.get(key);
      series.set(key, present === undefined ? totals : addSeries(present, totals));
    }
  }
  return {
    named: [...named.values()],
    latency: latency ?? NO_LATENCY,
    series: [...series.values()],
  };
}

/** What stays of a process that is gone: its sums, without which a counter of the node would fall. */
export function sumsOnly(page: MetricsPage): MetricsPage {
  return { ...page, named: page.named.filter(({ type }) => type === 'counter') };
}

function addNamed(into: Map<string, NamedValues>, metric: NamedValues, process: string): void {
  const present = into.get(metric.name);
  const added = metric.isPerProcess ? metric.values.map(({ value }) => ({ process, value })) : metric.values;
  if (present === undefined) into.set(metric.name, { ...metric, values: added });
  else if (metric.isPerProcess) into.set(metric.name, { ...present, values: [...present.values, ...added] });
  else into.set(metric.name, { ...present, values: [{ process: null, value: sum(present) + sum(metric) }] });
}

const sum = ({ values }: NamedValues): number => values.reduce((total, { value }) => total + value, 0);

function addSeries(a: SeriesTotals, b: SeriesTotals): SeriesTotals {
  return { labels: a.labels, totals: addTotals(a.totals, b.totals) };
}

function addTotals(a: Totals, b: Totals): Totals {
  return {
    count: a.count + b.count,
    errors4xx: a.errors4xx + b.errors4xx,
    errors5xx: a.errors5xx + b.errors5xx,
    cacheHits: a.cacheHits + b.cacheHits,
    cacheMisses: a.cacheMisses + b.cacheMisses,
    latencySumMs: a.latencySumMs + b.latencySumMs,
    integrationCount: a.integrationCount + b.integrationCount,
    integrationLatencySumMs: a.integrationLatencySumMs + b.integrationLatencySumMs,
    latencyBuckets: addBuckets(a.latencyBuckets, b.latencyBuckets),
    integrationLatencyBuckets: addBuckets(a.integrationLatencyBuckets, b.integrationLatencyBuckets),
  };
}

function addLatency(a: LatencyTotals, b: LatencyTotals): LatencyTotals {
  return { sumMs: a.sumMs + b.sumMs, count: a.count + b.count, buckets: addBuckets(a.buckets, b.buckets) };
}

/** Where one side has no buckets (it did not have room for them), the sum has none: half of the requests would be missing. */
function addBuckets(a: Float64Array | null, b: Float64Array | null): Float64Array | null {
  return a === null || b === null ? null : a.map((count, index) => count + b[index]!);
}
