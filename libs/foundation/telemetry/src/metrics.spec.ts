import { describe, expect, test } from 'vitest';
import { Histogram } from './histogram.js';
import { MetricsRegistry, type SeriesLabels } from './metrics.js';
import { mergePages, pageOf, partsOf, SERIES_PER_SLICE, sumsOnly } from './metrics-page.js';
import { inTurns, prometheusSlices, renderPage, renderPrometheus } from './prometheus.js';
import { watchProcess } from './process-metrics.js';

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 1, 12);
const labels = (resource: string, more: Partial<SeriesLabels> = {}): SeriesLabels => ({
  tenant: '123456789012',
  apiId: 'a1b2c3',
  stage: 'dev',
  resource,
  httpMethod: 'GET',
  ...more,
});
const dataOf = (...values: number[]) => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram.toData();
};

describe('samples', () => {
  test('hold what was recorded, by minute', () => {
    const registry = new MetricsRegistry();
    const series = registry.series(labels('/pets'), START_MS);
    series.recordCache(false);
    series.record(200, 10, 8, START_MS + 1);
    series.recordCache(true);
    series.recordCache(true);
    series.record(404, 1, -1, START_MS + 2);
    series.record(503, 2, -1, START_MS + MINUTE_MS - 1);
    series.record(200, 3, 2, START_MS + MINUTE_MS);
    expect(registry.takeSamples()).toEqual([
      {
        ...labels('/pets'),
        startSeconds: START_MS / 1000,
        count: 3,
        errors4xx: 1,
        errors5xx: 1,
        cacheHits: 2,
        cacheMisses: 1,
        latency: dataOf(10, 1, 2),
        integrationLatency: dataOf(8),
      },
      {
        ...labels('/pets'),
        startSeconds: START_MS / 1000 + 60,
        count: 1,
        errors4xx: 0,
        errors5xx: 0,
        cacheHits: 0,
        cacheMisses: 0,
        latency: dataOf(3),
        integrationLatency: dataOf(2),
      },
    ]);
  });

  test('are taken once; a running minute comes in parts that add up', () => {
    const registry = new MetricsRegistry();
    const series = registry.series(labels('/pets'), START_MS);
    series.record(200, 1, -1, START_MS);
    const first = registry.takeSamples();
    series.record(200, 1, -1, START_MS);
    series.record(200, 1, -1, START_MS);
    const second = registry.takeSamples();
    expect([...first, ...second].map(({ startSeconds, count }) => [startSeconds, count])).toEqual([
      [START_MS / 1000, 1],
      [START_MS / 1000, 2],
    ]);
    expect(registry.takeSamples()).toEqual([]);
  });

  test('that nobody takes are kept for an hour, then dropped and counted', () => {
    const registry = new MetricsRegistry();
    const series = registry.series(labels('/pets'), START_MS);
    for (let minute = 0; minute < 100; minute++) series.record(200, 1, -1, START_MS + minute * MINUTE_MS);
    const samples = registry.takeSamples();
    expect(samples).toHaveLength(61);
    expect(registry.droppedMinutes.value).toBe(39);
    expect(samples[0]!.startSeconds).toBe((START_MS + 39 * MINUTE_MS) / 1000);
  });

  test('survive a clock that steps back', () => {
    const registry = new MetricsRegistry();
    const series = registry.series(labels('/pets'), START_MS);
    for (const nowMs of [START_MS, START_MS - MINUTE_MS, START_MS]) series.record(200, 1, -1, nowMs);
    expect(registry.takeSamples().map(({ startSeconds }) => startSeconds - START_MS / 1000)).toEqual([0, -60, 0]);
  });
});

describe('the bound on series', () => {
  test('gives further methods one series per stage, whose sums stay right', () => {
    const registry = new MetricsRegistry({ seriesMax: 2 });
    for (const resource of ['/a', '/b', '/c', '/d']) registry.series(labels(resource), START_MS).record(200, 1, -1, START_MS);
    registry.series(labels('/e', { stage: 'prod' }), START_MS).record(200, 1, -1, START_MS);
    expect(registry.takeSamples().map(({ stage, resource, httpMethod, count }) => [stage, resource, httpMethod, count])).toEqual([
      ['dev', '/a', 'GET', 1],
      ['dev', '/b', 'GET', 1],
      ['dev', '*', '*', 2],
      ['prod', '*', '*', 1],
    ]);
  });

  test('requests without a route and methods beyond the bound share one series, whichever came first', () => {
    const unrouted = labels('*', { httpMethod: '*' });
    for (const isUnroutedFirst of [true, false]) {
      const registry = new MetricsRegistry({ seriesMax: 1 });
      if (isUnroutedFirst) registry.series(unrouted, START_MS);
      else registry.series(labels('/a'), START_MS);
      const beyond = registry.series(labels('/b'), START_MS);
      expect(registry.series(unrouted, START_MS)).toBe(beyond);
      beyond.record(200, 1, -1, START_MS);
      expect(registry.allSeries().filter((series) => series.labels.resource === '*')).toEqual([beyond]);
    }
  });

  test('lets a new method take the place of one that was idle for an hour, and loses nothing of it', () => {
    const registry = new MetricsRegistry({ seriesMax: 1 });
    const old = registry.series(labels('/old'), START_MS);
    const nowMs = START_MS + 61 * MINUTE_MS;
    registry.series(labels('/new'), nowMs).record(200, 1, -1, nowMs);
    old.record(200, 1, -1, nowMs); // its program still holds it
    expect(registry.takeSamples().map(({ resource }) => resource)).toEqual(['/new', '/old']);
  });

  test('gives no tenant so much that another one has none', () => {
    const registry = new MetricsRegistry({ seriesMax: 1_000, bucketedSeriesMax: 1_000 });
    for (let tenant = 0; tenant < 10; tenant++) {
      for (let i = 0; i < 300; i++) registry.series(labels(`/${i}`, { tenant: `greedy ${tenant}` }), START_MS);
    }
    const own = (tenant: string) =>
      registry.allSeries().filter((series) => series.labels.tenant === tenant && series.labels.resource !== '*');
    expect(own('greedy 0')).toHaveLength(250);
    const late = registry.series(labels('/late', { tenant: 'modest' }), START_MS);
    expect(late.labels.resource).toBe('/late');
    expect(late.totals.latencyBuckets).not.toBeNull();
    expect(registry.series(labels('/later', { tenant: 'modest' }), START_MS).labels.resource).toBe('*');
  });

  test('gives places of idle methods back to their tenant', () => {
    const registry = new MetricsRegistry({ seriesMax: 1_000 });
    for (let i = 0; i < 250; i++) registry.series(labels(`/${i}`), START_MS);
    expect(registry.series(labels('/more'), START_MS).labels.resource).toBe('*');
    expect(registry.series(labels('/other'), START_MS + 61 * MINUTE_MS).labels.resource).toBe('/other');
  });

  test('a method that is gone gives its place back and shows no more; what it counted is still handed over', () => {
    const registry = new MetricsRegistry({ seriesMax: 1 });
    registry.series(labels('/gone'), START_MS).record(200, 1, -1, START_MS);
    expect(registry.series(labels('/shared'), START_MS).labels.resource).toBe('*');
    for (const resource of ['/gone', '*', '/never'])
      registry.forget(labels(resource, resource === '*' ? { httpMethod: '*' } : {}));
    expect(registry.allSeries()).toEqual([]);
    expect(registry.series(labels('/new'), START_MS).labels.resource).toBe('/new');
    expect(registry.takeSamples().map(({ resource, count }) => [resource, count])).toEqual([['/gone', 1]]);
  });

  test('the same labels are the same series', () => {
    const registry = new MetricsRegistry();
    expect(registry.series(labels('/a'), START_MS)).toBe(registry.series(labels('/a'), START_MS + 1));
    expect(registry.series(labels('/a'), START_MS)).not.toBe(registry.series(labels('/a', { httpMethod: 'PUT' }), START_MS));
  });
});

describe('the page for Prometheus', () => {
  test('names every series and keeps its sums when samples are taken', () => {
    const registry = new MetricsRegistry();
    registry.counter('gatehouse_engine_bugs_total', 'Requests that ended in an impossible state').add(2);
    registry.gauge('gatehouse_engine_active_requests', 'Requests in flight', () => 7);
    const series = registry.series(labels('/pets/{id}'), START_MS);
    series.record(200, 10, 8, START_MS);
    registry.takeSamples();
    series.record(500, 20, -1, START_MS);
    const page = renderPrometheus(registry);
    const at = '{tenant="123456789012",api="a1b2c3",stage="dev",resource="/pets/{id}",method="GET"}';
    for (const line of [
      '# TYPE gatehouse_engine_bugs_total counter',
      'gatehouse_engine_bugs_total 2',
      'gatehouse_engine_active_requests 7',
      '# TYPE gatehouse_node_latency_milliseconds histogram',
      'gatehouse_node_latency_milliseconds_bucket{le="5"} 0',
      'gatehouse_node_latency_milliseconds_bucket{le="25"} 2',
      'gatehouse_node_latency_milliseconds_bucket{le="+Inf"} 2',
      'gatehouse_node_latency_milliseconds_sum 30',
      `gatehouse_engine_requests_total${at} 2`,
      `gatehouse_engine_errors_4xx_total${at} 0`,
      `gatehouse_engine_errors_5xx_total${at} 1`,
      '# TYPE gatehouse_engine_latency_milliseconds histogram',
      `gatehouse_engine_latency_milliseconds_bucket${at.slice(0, -1)},le="5"} 0`,
      `gatehouse_engine_latency_milliseconds_bucket${at.slice(0, -1)},le="10"} 1`,
      `gatehouse_engine_latency_milliseconds_bucket${at.slice(0, -1)},le="25"} 2`,
      `gatehouse_engine_latency_milliseconds_bucket${at.slice(0, -1)},le="+Inf"} 2`,
      `gatehouse_engine_integration_latency_milliseconds_bucket${at.slice(0, -1)},le="10"} 1`,
      `gatehouse_engine_integration_latency_milliseconds_bucket${at.slice(0, -1)},le="+Inf"} 1`,
      `gatehouse_engine_latency_milliseconds_sum${at} 30`,
      `gatehouse_engine_latency_milliseconds_count${at} 2`,
      `gatehouse_engine_integration_latency_milliseconds_sum${at} 8`,
      `gatehouse_engine_integration_latency_milliseconds_count${at} 1`,
    ]) {
      expect(page.split('\n')).toContain(line);
    }
    expect(page.endsWith('\n')).toBe(true);
  });

  test('counts hits and misses of methods that have a cache, and adds them up over processes', () => {
    const [one, other] = [new MetricsRegistry(), new MetricsRegistry()];
    one.series(labels('/plain'), START_MS).record(200, 1, -1, START_MS);
    for (const registry of [one, other]) registry.series(labels('/cached'), START_MS).recordCache(true);
    other.series(labels('/cached'), START_MS).recordCache(false);
    const page = renderPage(
      mergePages([
        { process: '1', page: pageOf(one) },
        { process: '2', page: pageOf(other) },
      ]),
    );
    const lines = page.split('\n').filter((line) => line.startsWith('gatehouse_engine_cache'));
    expect(lines.map((line) => line.replace(/\{.*resource="([^"]*)".*\}/, '{$1}'))).toEqual([
      'gatehouse_engine_cache_hits_total{/cached} 2',
      'gatehouse_engine_cache_misses_total{/cached} 1',
    ]);
  });

  test('gives buckets to a bounded number of methods; the others keep sum and count', () => {
    const registry = new MetricsRegistry({ bucketedSeriesMax: 1 });
    for (const resource of ['/first', '/second']) registry.series(labels(resource), START_MS).record(200, 10, -1, START_MS);
    const buckets = renderPrometheus(registry)
      .split('\n')
      .filter((line) => line.startsWith('gatehouse_engine_latency_milliseconds_bucket'));
    const of = (resource: string) => buckets.filter((line) => line.includes(`"${resource}"`)).length;
    expect([of('/first'), of('/second')]).toEqual([15, 1]);
  });

  test('every line is a comment or a sample, whatever a label holds', () => {
    const registry = new MetricsRegistry();
    registry.series(labels('/a"b\\c\nd} 1'), START_MS).record(200, 1, -1, START_MS);
    const lines = renderPrometheus(registry).trimEnd().split('\n');
    for (const line of lines)
      expect(line).toMatch(
        /^(# (HELP|TYPE) .+|[a-z0-9_]+(\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\})? \S+)$/,
      );
    expect(lines).toContain(
      'gatehouse_engine_requests_total{tenant="123456789012",api="a1b2c3",stage="dev",resource="/a\\"b\\\\c\\nd} 1",method="GET"} 1',
    );
  });

  test('is made in slices of bounded work, which together are the page', async () => {
    const registry = new MetricsRegistry();
    for (let i = 0; i < 20_000; i++) {
      registry.series(labels(`/${i}`, { tenant: String(i % 40) }), START_MS).record(200, 10, 8, START_MS);
    }
    expect(registry.allSeries()).toHaveLength(20_000);
    const slices: string[] = [];
    let turns = 0;
    let counting: NodeJS.Immediate;
    const count = () => {
      turns++;
      counting = setImmediate(count);
    };
    count();
    for await (const slice of inTurns(prometheusSlices(registry))) slices.push(slice);
    clearImmediate(counting!);
    expect(slices.join('')).toBe(renderPrometheus(registry));
    for (const slice of slices) {
      const named = new Set(slice.split('\n').map((line) => /resource="([^"]+)"/.exec(line)?.[1]));
      expect(named.size).toBeLessThanOrEqual(SERIES_PER_SLICE + 1); // and lines without a resource
    }
    expect(turns).toBeGreaterThanOrEqual(slices.length); // others had their turn after each
  });

  test('travels in parts of bounded work', () => {
    const registry = new MetricsRegistry();
    for (let i = 0; i < 2 * SERIES_PER_SLICE + 1; i++) registry.series(labels(`/${i}`, { tenant: `${i % 2}` }), START_MS);
    const parts = [...partsOf(registry)];
    expect(parts.map(({ series }) => series.length)).toEqual([SERIES_PER_SLICE, SERIES_PER_SLICE, 1]);
    expect({ ...parts[0], series: parts.flatMap(({ series }) => series) }).toEqual(pageOf(registry));
    expect([...partsOf(new MetricsRegistry())]).toHaveLength(1);
  });

  test('shows what the process uses', () => {
    const registry = new MetricsRegistry();
    const stop = watchProcess(registry);
    const page = renderPrometheus(registry);
    stop();
    for (const name of [
      'resident_memory_bytes',
      'heap_used_bytes',
      'cpu_seconds',
      'uptime_seconds',
      'event_loop_delay_max_milliseconds',
    ]) {
      expect(page).toMatch(new RegExp(`^gatehouse_process_${name} \\d`, 'm'));
    }
  });
});

describe('the page of a node with several processes', () => {
  const counted = (...latencies: number[]) => {
    const registry = new MetricsRegistry();
    for (const ms of latencies) registry.series(labels('/pets'), START_MS).record(200, ms, 1, START_MS);
    registry.counter('gatehouse_engine_bugs_total', 'Bugs').add(latencies.length);
    registry.gauge('gatehouse_node_in_flight', 'Requests under way', () => 3);
    registry.gauge('gatehouse_process_uptime_seconds', 'Time since the start', () => latencies.length, { isPerProcess: true });
    return registry;
  };

  test('is what one process would show that had served everything', () => {
    const page = mergePages([
      { process: 'worker 1', page: pageOf(counted(1, 20)) },
      { process: 'worker 2', page: structuredClone(pageOf(counted(7_000))) },
    ]);
    const alone = renderPrometheus(counted(1, 20, 7_000)).split('\n');
    for (const line of renderPage(page).split('\n')) {
      if (!line.includes('in_flight') && !line.includes('uptime')) expect(alone).toContain(line);
    }
  });

  test('adds gauges up, or shows them for each process where a sum means nothing', () => {
    const lines = renderPage(
      mergePages([
        { process: 'worker 1', page: pageOf(counted(1)) },
        { process: 'worker 2', page: pageOf(counted(1, 1)) },
      ]),
    ).split('\n');
    expect(lines).toContain('gatehouse_node_in_flight 6');
    expect(lines).toContain('gatehouse_process_uptime_seconds{process="worker 1"} 1');
    expect(lines).toContain('gatehouse_process_uptime_seconds{process="worker 2"} 2');
    expect(lines.filter((line) => line.startsWith('# TYPE gatehouse_process_uptime_seconds'))).toHaveLength(1);
  });

  test('keeps the sums of a process that is gone, and none of its gauges', () => {
    const lines = renderPage(
      mergePages([
        { process: 'worker 1', page: pageOf(counted(1)) },
        { process: 'gone', page: sumsOnly(pageOf(counted(1, 1))) },
      ]),
    ).split('\n');
    expect(lines).toContain('gatehouse_engine_bugs_total 3');
    expect(lines).toContain('gatehouse_node_latency_milliseconds_count 3');
    expect(lines).toContain('gatehouse_node_in_flight 3');
    expect(lines.join()).not.toContain('gone');
  });

  test('shows a method without buckets when one process had no room for them', () => {
    const registry = new MetricsRegistry({ bucketedSeriesMax: 0 });
    registry.series(labels('/pets'), START_MS).record(200, 1, -1, START_MS);
    const lines = renderPage(
      mergePages([
        { process: 'worker 1', page: pageOf(counted(1)) },
        { process: 'worker 2', page: pageOf(registry) },
      ]),
    ).split('\n');
    expect(lines.filter((line) => line.startsWith('gatehouse_engine_latency_milliseconds_bucket'))).toEqual([
      expect.stringContaining('le="+Inf"} 2'),
    ]);
  });
});
