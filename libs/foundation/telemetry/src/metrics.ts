/**
 * What a node counts per method of a stage: AWS's Count, 4XXError, 5XXError, Latency and IntegrationLatency, by the minute.
 *
 * A program asks for its series once, at link time, and records into it; nothing is looked up per request. Names of labels are a
 * closed set, values come from published routes, never from a request. A bounded number of methods have a series of their own,
 * of each tenant and of the node (`budget.ts`); further ones share one per stage, with `*` for resource and verb, so that sums
 * over a stage stay right.
 */
import { TenantBudget } from './budget.js';
import { EMPTY_HISTOGRAM, Histogram, type HistogramData } from './histogram.js';

export interface SeriesLabels {
  readonly tenant: string;
  readonly apiId: string;
  readonly stage: string;
  /** Resource path template, e.g. `/pets/{id}`. */
  readonly resource: string;
  readonly httpMethod: string;
}

/** MetricSample of node_link.proto, in plain numbers. Samples of one minute add up. */
export interface MetricSample extends SeriesLabels {
  /** Start of the minute, seconds since the Unix epoch. */
  readonly startSeconds: number;
  readonly count: number;
  readonly errors4xx: number;
  readonly errors5xx: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly latency: HistogramData;
  readonly integrationLatency: HistogramData;
}

const MINUTE_MS = 60_000;
/** Minutes a series keeps when nobody takes its samples; then the oldest go, and are counted as dropped. */
const MINUTES_KEPT = 60;
/** A series nobody recorded into for so long gives its place to a new one. */
const IDLE_MS = 3_600_000;
export const OVERFLOW = '*';

class Minute {
  readonly startMs: number;
  count = 0;
  errors4xx = 0;
  errors5xx = 0;
  cacheHits = 0;
  cacheMisses = 0;
  readonly latency = new Histogram();
  /** Made at the first call to a backend; mock routes never have one. */
  integrationLatency: Histogram | null = null;

  constructor(startMs: number) {
    this.startMs = startMs;
  }
}

/** Upper bounds of Prometheus's latency buckets, milliseconds; the last bucket has none. */
export const LATENCY_BOUNDS_MS: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/** Sums since the start of the process, for Prometheus. */
export interface Totals {
  readonly count: number;
  readonly errors4xx: number;
  readonly errors5xx: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly latencySumMs: number;
  readonly integrationCount: number;
  readonly integrationLatencySumMs: number;
  /** Per bound of LATENCY_BOUNDS_MS, how many fell into it alone; `null` for a series without buckets. */
  readonly latencyBuckets: Float64Array | null;
  readonly integrationLatencyBuckets: Float64Array | null;
}

class RunningTotals implements Totals {
  count = 0;
  errors4xx = 0;
  errors5xx = 0;
  cacheHits = 0;
  cacheMisses = 0;
  latencySumMs = 0;
  integrationCount = 0;
  integrationLatencySumMs = 0;
  readonly latencyBuckets: Float64Array | null;
  readonly integrationLatencyBuckets: Float64Array | null;

  constructor(hasBuckets: boolean) {
    const make = (): Float64Array | null => (hasBuckets ? new Float64Array(LATENCY_BOUNDS_MS.length + 1) : null);
    this.latencyBuckets = make();
    this.integrationLatencyBuckets = make();
  }
}

/** A scan: most latencies are found among the first few of the fourteen. */
function addToBucket(buckets: Float64Array, ms: number): void {
  let index = 0;
  while (index < LATENCY_BOUNDS_MS.length && ms > LATENCY_BOUNDS_MS[index]!) index++;
  buckets[index]!++;
}

export class MethodSeries {
  readonly labels: SeriesLabels;
  readonly totals: RunningTotals;
  private readonly registry: MetricsRegistry;
  private minute: Minute | null = null;
  private readonly closed: Minute[] = [];
  /** Of requests that are under way: `record` puts them into a minute. */
  private cacheHitsAhead = 0;
  private cacheMissesAhead = 0;
  lastRecordedMs: number;

  /** Made by MetricsRegistry.series. */
  constructor(registry: MetricsRegistry, labels: SeriesLabels, nowMs: number, hasBuckets: boolean) {
    this.totals = new RunningTotals(hasBuckets);
    this.registry = registry;
    this.labels = labels;
    this.lastRecordedMs = nowMs;
  }

  /** One finished request. `integrationLatencyMs` is negative when no backend was called. */
  record(status: number, latencyMs: number, integrationLatencyMs: number, nowMs: number): void {
    let minute = this.minute;
    if (minute === null || nowMs < minute.startMs || nowMs >= minute.startMs + MINUTE_MS) minute = this.turn(nowMs);
    const { totals } = this;
    this.lastRecordedMs = nowMs;
    minute.count++;
    totals.count++;
    if (status >= 500) {
      minute.errors5xx++;
      totals.errors5xx++;
    } else if (status >= 400) {
      minute.errors4xx++;
      totals.errors4xx++;
    }
    minute.latency.record(latencyMs);
    totals.latencySumMs += latencyMs;
    if (totals.latencyBuckets !== null) addToBucket(totals.latencyBuckets, latencyMs);
    if (integrationLatencyMs >= 0) {
      (minute.integrationLatency ??= new Histogram()).record(integrationLatencyMs);
      totals.integrationCount++;
      totals.integrationLatencySumMs += integrationLatencyMs;
      if (totals.integrationLatencyBuckets !== null) addToBucket(totals.integrationLatencyBuckets, integrationLatencyMs);
    }
    this.registry.latency.record(latencyMs);
    if (this.cacheHitsAhead + this.cacheMissesAhead > 0) this.countCache(minute);
  }

  private countCache(minute: Minute): void {
    minute.cacheHits += this.cacheHitsAhead;
    minute.cacheMisses += this.cacheMissesAhead;
    this.cacheHitsAhead = 0;
    this.cacheMissesAhead = 0;
  }

  /** A request of a method that has a cache; `record` counts the request itself. */
  recordCache(isHit: boolean): void {
    if (isHit) {
      this.totals.cacheHits++;
      this.cacheHitsAhead++;
    } else {
      this.totals.cacheMisses++;
      this.cacheMissesAhead++;
    }
  }

  /** Hands over everything since the last call. */
  drain(into: MetricSample[]): void {
    for (const minute of this.closed) into.push(sampleOf(this.labels, minute));
    if (this.minute !== null) into.push(sampleOf(this.labels, this.minute));
    this.closed.length = 0;
    this.minute = null;
  }

  private turn(nowMs: number): Minute {
    if (this.minute === null) this.registry.becameActive(this);
    else this.closed.push(this.minute);
    if (this.closed.length > MINUTES_KEPT) {
      this.closed.shift();
      this.registry.droppedMinutes.add(1);
    }
    return (this.minute = new Minute(Math.floor(nowMs / MINUTE_MS) * MINUTE_MS));
  }
}

function sampleOf(labels: SeriesLabels, minute: Minute): MetricSample {
  return {
    ...labels,
    startSeconds: minute.startMs / 1000,
    count: minute.count,
    errors4xx: minute.errors4xx,
    errors5xx: minute.errors5xx,
    cacheHits: minute.cacheHits,
    cacheMisses: minute.cacheMisses,
    latency: minute.latency.toData(),
    integrationLatency: minute.integrationLatency?.toData() ?? EMPTY_HISTOGRAM,
  };
}

/** A sum that only grows. */
export class Counter {
  value = 0;
  add(amount: number): void {
    this.value += amount;
  }
}

interface NamedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** The sum over the processes of a node means nothing. */
  readonly isPerProcess: boolean;
  readonly read: () => number;
}

export class MetricsRegistry {
  /** Of all requests of the process. */
  readonly latency = new Histogram();
  readonly droppedMinutes: Counter;
  private readonly seriesByKey = new Map<string, MethodSeries>();
  private readonly overflow = new Map<string, MethodSeries>();
  /** Series with something to drain. */
  private active: MethodSeries[] = [];
  private readonly named: NamedMetric[] = [];
  private readonly budget: TenantBudget;
  private readonly bucketBudget: TenantBudget;
  private sweptAtMs = -Infinity;

  /** `bucketedSeriesMax`: how many methods have latency buckets at a scrape; 30 lines each. Further ones have sum and count. */
  constructor(options: { readonly seriesMax?: number; readonly bucketedSeriesMax?: number } = {}) {
    this.budget = new TenantBudget(options.seriesMax ?? 20_000);
    this.bucketBudget = new TenantBudget(options.bucketedSeriesMax ?? 1_000);
    this.droppedMinutes = this.counter(
      'gatehouse_telemetry_dropped_minutes_total',
      'Minutes of a series thrown away because nobody took them',
    );
  }

  /** The series of a method; the stage's overflow series when there are too many. The same labels give the same series. */
  series(labels: SeriesLabels, nowMs: number): MethodSeries {
    const key = keyOf(labels);
    const present = this.seriesByKey.get(key) ?? this.overflow.get(key);
    if (present !== undefined) return present;
    if (!this.budget.hasRoom(labels.tenant)) this.sweep(nowMs);
    if (this.budget.take(labels.tenant)) {
      const series = new MethodSeries(this, { ...labels }, nowMs, this.bucketBudget.take(labels.tenant));
      this.seriesByKey.set(key, series);
      return series;
    }
    const shared: SeriesLabels = { ...labels, resource: OVERFLOW, httpMethod: OVERFLOW };
    const sharedKey = keyOf(shared);
    // Requests without a route are counted under the same labels: one set of labels is one series.
    let series = this.seriesByKey.get(sharedKey) ?? this.overflow.get(sharedKey);
    if (series === undefined) this.overflow.set(sharedKey, (series = new MethodSeries(this, shared, nowMs, false)));
    return series;
  }

  /** The method is gone: its series no longer shows and its place is free. What it counted is still handed over. */
  forget(labels: SeriesLabels): void {
    const key = keyOf(labels);
    this.overflow.delete(key);
    const series = this.seriesByKey.get(key);
    if (series === undefined) return;
    this.seriesByKey.delete(key);
    this.budget.give(labels.tenant);
    if (series.totals.latencyBuckets !== null) this.bucketBudget.give(labels.tenant);
  }

  /** A counter of the process; `name` in Prometheus form, `gatehouse_<room>_<noun>_<unit>_total`. */
  counter(name: string, help: string): Counter {
    const counter = new Counter();
    this.named.push({ name, help, type: 'counter', isPerProcess: false, read: () => counter.value });
    return counter;
  }

  /** A value read at each scrape. `isPerProcess`: of no use when added up over the processes of a node. */
  gauge(name: string, help: string, read: () => number, options: { readonly isPerProcess?: boolean } = {}): void {
    this.named.push({ name, help, type: 'gauge', isPerProcess: options.isPerProcess ?? false, read });
  }

  /** Series with something to take. */
  get activeCount(): number {
    return this.active.length;
  }

  /** What was recorded since it was taken last, by series and minute; a running minute comes in parts. At most of so many series. */
  takeSamples(seriesMax = Infinity): MetricSample[] {
    const taken = this.active.slice(0, seriesMax);
    this.active = this.active.slice(taken.length);
    const samples: MetricSample[] = [];
    for (const series of taken) series.drain(samples);
    return samples;
  }

  /** Called by a series at its first record after a drain. */
  becameActive(series: MethodSeries): void {
    this.active.push(series);
    // A series that had given its place away and is used again shows up again, if there is room.
    const key = keyOf(series.labels);
    if (this.seriesByKey.has(key) || this.overflow.has(key) || !this.budget.take(series.labels.tenant)) return;
    if (series.totals.latencyBuckets !== null) this.bucketBudget.takeBack(series.labels.tenant);
    this.seriesByKey.set(key, series);
  }

  allSeries(): MethodSeries[] {
    return [...this.seriesByKey.values(), ...this.overflow.values()];
  }

  namedMetrics(): readonly NamedMetric[] {
    return this.named;
  }

  private sweep(nowMs: number): void {
    if (Math.abs(nowMs - this.sweptAtMs) < MINUTE_MS) return; // a full registry is looked through once a minute, not per link
    this.sweptAtMs = nowMs;
    for (const [key, series] of this.seriesByKey) {
      if (nowMs - series.lastRecordedMs <= IDLE_MS) continue;
      this.seriesByKey.delete(key);
      this.budget.give(series.labels.tenant);
      if (series.totals.latencyBuckets !== null) this.bucketBudget.give(series.labels.tenant);
    }
  }
}

function keyOf(labels: SeriesLabels): string {
  // A newline cannot occur in any of the five: ids, stage names, path templates, verbs.
  return `${labels.tenant}\n${labels.apiId}\n${labels.stage}\n${labels.resource}\n${labels.httpMethod}`;
}
