/**
 * What a scrape shows, as plain data that can travel between processes. Pages of the processes of one node add up: counters,
 * histograms and sums by their labels; a gauge whose sum means nothing (`isPerProcess`) is shown for each process.
 */
import { LATENCY_BOUNDS_MS, type MethodSeries, type MetricsRegistry, type SeriesLabels } from './metrics.js';

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

export interface CacheTotals {
  readonly hits: number;
  readonly misses: number;
}

export interface SeriesTotals {
  readonly labels: SeriesLabels;
  readonly count: number;
  readonly errors4xx: number;
  readonly errors5xx: number;
  /** Absent where there were neither: most methods have no cache. */
  readonly cache?: CacheTotals;
  readonly latency: LatencyTotals;
  readonly integrationLatency: LatencyTotals;
}

export interface ProcessPage {
  /** Value of the label `process` of gauges that are shown for each. */
  readonly process: string;
  readonly page: MetricsPage;
}

export function pageOf(registry: MetricsRegistry): MetricsPage {
  return { ...headOf(registry), series: registry.allSeries().map(totalsOf) };
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
    const series = all.slice(i, i + SERIES_PER_SLICE).map(totalsOf);
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

export function totalsOf({ labels, totals }: MethodSeries): SeriesTotals {
  return {
    labels,
    count: totals.count,
    errors4xx: totals.errors4xx,
    errors5xx: totals.errors5xx,
    ...(totals.cacheHits + totals.cacheMisses > 0 && { cache: { hits: totals.cacheHits, misses: totals.cacheMisses } }),
    latency: { sumMs: totals.latencySumMs, count: totals.count, buckets: totals.latencyBuckets },
    integrationLatency: {
      sumMs: totals.integrationLatencySumMs,
      count: totals.integrationCount,
      buckets: totals.integrationLatencyBuckets,
    },
  };
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
  return {
    labels: a.labels,
    count: a.count + b.count,
    errors4xx: a.errors4xx + b.errors4xx,
    errors5xx: a.errors5xx + b.errors5xx,
    ...(a.cache !== undefined || b.cache !== undefined ? { cache: addCache(a.cache, b.cache) } : {}),
    latency: addLatency(a.latency, b.latency),
    integrationLatency: addLatency(a.integrationLatency, b.integrationLatency),
  };
}

function addCache(a: CacheTotals | undefined, b: CacheTotals | undefined): CacheTotals {
  return { hits: (a?.hits ?? 0) + (b?.hits ?? 0), misses: (a?.misses ?? 0) + (b?.misses ?? 0) };
}

/** Where one side has no buckets (it did not have room for them), the sum has none: half of the requests would be missing. */
function addLatency(a: LatencyTotals, b: LatencyTotals): LatencyTotals {
  return {
    sumMs: a.sumMs + b.sumMs,
    count: a.count + b.count,
    buckets: a.buckets === null || b.buckets === null ? null : a.buckets.map((count, index) => count + b.buckets![index]!),
  };
}
