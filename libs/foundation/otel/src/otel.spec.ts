import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { MetricsRegistry, renderPrometheus, type FinishedSpan } from '@gatehouse/telemetry';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { POINTS_PER_MESSAGE } from './sliced-metrics.js';
import { openTelemetry, signalsOf, type OpenedTelemetry } from './open-telemetry.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const span = (more: Partial<FinishedSpan> = {}): FinishedSpan => ({
  name: 'GET /pets',
  kind: 'SERVER',
  traceId: TRACE_ID,
  spanId: 'b7ad6b7169203331',
  parent: null,
  startMs: 1_000,
  endMs: 1_010,
  attributes: { 'http.response.status_code': 200 },
  isError: false,
  ...more,
});

/** A collector of OTLP over HTTP in JSON. */
async function collector(status: number | 'silent') {
  const received: { readonly url: string; readonly body: Record<string, unknown> }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ url: request.url!, body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown> });
      if (status !== 'silent') response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  vi.unstubAllEnvs();
});

/** The SDK reads the same variables itself. */
async function open(variables: Record<string, string>): Promise<OpenedTelemetry & { readonly registry: MetricsRegistry }> {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const registry = new MetricsRegistry();
  const telemetry = await openTelemetry({ serviceName: 'test', registry, environment: process.env });
  closing.push(() => telemetry.close());
  return { ...telemetry, registry };
}

const named = (registry: MetricsRegistry, name: string): number =>
  registry
    .namedMetrics()
    .find((metric) => metric.name === name)!
    .read();

describe('the standard variables', () => {
  test.each([
    [{}, [null, null]],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }, ['otlp', 'otlp']],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://x' }, ['otlp', null]],
    [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://x' }, [null, 'otlp']],
    [{ OTEL_TRACES_EXPORTER: 'console' }, ['console', null]],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_TRACES_EXPORTER: 'none' }, [null, 'otlp']],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_SDK_DISABLED: 'true' }, [null, null]],
    [{ OTEL_SERVICE_NAME: 'alone' }, [null, null]],
  ])('%o switch on %o', (environment, [traces, metrics]) => {
    expect(signalsOf(environment)).toEqual({ traces, metrics });
  });

  test('that name what does not exist are refused', () =>
    expect(() => signalsOf({ OTEL_TRACES_EXPORTER: 'jaeger' })).toThrow('OTEL_TRACES_EXPORTER: expected otlp, console or none'));
});

/** What runs is what was built. */
test('without the variables nothing of OpenTelemetry is loaded, with them it is', async () => {
  const program = `
    import { createRequire, registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { if (url.includes('@opentelemetry')) loaded.push(url); return next(url, context); } });
    const { openTelemetry } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)});
    const registry = { counter: () => ({ add() {} }), gauge() {} };
    const { tracing, close } = await openTelemetry({ serviceName: 'x', registry, environment: process.env });
    await close();
    console.log(JSON.stringify({ isTracing: tracing !== null, isLoaded: loaded.length > 0 }));`;
  const run = async (environment: Record<string, string>) => {
    const args = ['--input-type=module', '-e', program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: process.env['PATH'], ...environment } });
    return JSON.parse(stdout) as unknown;
  };
  expect(await run({})).toEqual({ isTracing: false, isLoaded: false });
  expect(await run({ OTEL_TRACES_EXPORTER: 'otlp' })).toEqual({ isTracing: true, isLoaded: true });
}, 30_000);

test('spans arrive with the ids, times and parents they were told with', async () => {
  const { received, url } = await collector(200);
  const telemetry = await open({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/v1/traces`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  });
  const parent = { spanId: '00f067aa0ba902b7', isSampled: true, isRemote: true };
  telemetry.tracing!.record(span());
  telemetry.tracing!.record(span({ spanId: 'b7ad6b7169203332', parent, isError: true }));
  await telemetry.close();
  expect(received.map(({ url: path }) => path)).toEqual(['/v1/traces']);
  const body = received[0]!.body as { resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[] };
  expect(body.resourceSpans[0]!.scopeSpans[0]!.spans).toMatchObject([
    {
      traceId: TRACE_ID,
      spanId: 'b7ad6b7169203331',
      kind: 2,
      startTimeUnixNano: '1000000000',
      endTimeUnixNano: '1010000000',
      name: 'GET /pets',
    },
    { traceId: TRACE_ID, spanId: 'b7ad6b7169203332', parentSpanId: parent.spanId, status: { code: 2 } },
  ]);
});

test.each([
  ['refuses', 400],
  ['never answers', 'silent'],
] as const)('a sink that %s costs spans, which are counted, and no memory beyond the queue', async (_what, status) => {
  const { url } = await collector(status);
  const { tracing, registry, close } = await open({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_MAX_QUEUE_SIZE: '100',
  });
  for (let i = 0; i < 1_000; i++) tracing!.record(span());
  expect(named(registry, 'gatehouse_telemetry_waiting_spans')).toBe(100);
  expect(named(registry, 'gatehouse_telemetry_dropped_spans_total')).toBe(900);
  await close();
  if (status === 400) expect(named(registry, 'gatehouse_telemetry_dropped_spans_total')).toBe(1_000);
});

test('a sink that is down costs spans, which are counted', async () => {
  const { tracing, registry, close } = await open({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_TIMEOUT: '100',
  });
  for (let i = 0; i < 10; i++) tracing!.record(span());
  await close();
  await vi.waitFor(() => expect(named(registry, 'gatehouse_telemetry_dropped_spans_total')).toBe(10), 5_000);
});

test('a trace is sampled as its caller says, and a new one as the variables say', async () => {
  const { url } = await collector(200);
  const { tracing } = await open({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0',
  });
  expect(tracing!.isSampled(TRACE_ID, null)).toBe(false);
  expect(tracing!.isSampled(TRACE_ID, { spanId: '00f067aa0ba902b7', isSampled: true, isRemote: true })).toBe(true);
});

test('metrics are pushed from the registry, with the numbers it has', async () => {
  const { received, url } = await collector(200);
  const telemetry = await open({
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/v1/metrics`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  });
  expect(telemetry.tracing).toBeNull();
  const labels = { tenant: '123456789012', apiId: 'a1', stage: 'dev', resource: '/pets', httpMethod: 'GET' };
  const series = telemetry.registry.series(labels, 0);
  series.record(200, 10, 8, 0);
  series.record(500, 20, -1, 0);
  await telemetry.close();
  const body = received.at(-1)!.body as { resourceMetrics: { scopeMetrics: { metrics: Record<string, unknown>[] }[] }[] };
  const metrics = body.resourceMetrics[0]!.scopeMetrics.flatMap((scope) => scope.metrics);
  const metric = (name: string) => metrics.find((candidate) => candidate['name'] === name);
  expect(metric('gatehouse.engine.requests')).toMatchObject({ sum: { isMonotonic: true, dataPoints: [{ asDouble: 2 }] } });
  expect(metric('gatehouse.engine.errors_5xx')).toMatchObject({ sum: { dataPoints: [{ asDouble: 1 }] } });
  expect(metric('gatehouse.engine.latency')).toMatchObject({ histogram: { dataPoints: [{ count: 2, sum: 30 }] } });
  expect(metric('gatehouse.telemetry.dropped_minutes')).toMatchObject({ sum: { dataPoints: [{ asDouble: 0 }] } });
});

interface PushedMetrics {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly PushedMetric[] }[];
  }[];
}
interface PushedPoint {
  readonly asDouble?: number;
  readonly attributes?: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}
interface PushedMetric {
  readonly name: string;
  readonly sum?: { readonly dataPoints: readonly PushedPoint[] };
  readonly gauge?: { readonly dataPoints: readonly PushedPoint[] };
  readonly histogram?: { readonly dataPoints: readonly PushedPoint[] };
}
const pushedMetrics = (body: unknown): PushedMetric[] =>
  (body as PushedMetrics).resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
const pointsOf = ({ sum, gauge, histogram }: PushedMetric) => (sum ?? gauge ?? histogram)!.dataPoints;

test('a tenant beyond its budget of labels shares one series per stage, in pushed metrics as on the page, and sums stay right', async () => {
  const { received, url } = await collector(200);
  const { registry, close } = await open({
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/v1/metrics`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  });
  const ALL = 6_000;
  const BUDGET = 5_000;
  const at = (tenant: string, index: number) => ({
    tenant,
    apiId: 'a1',
    stage: 'dev',
    resource: `/r${index}`,
    httpMethod: 'GET',
  });
  for (let index = 0; index < ALL; index++) registry.series(at('greedy', index), 0).record(200, 1, -1, 0);
  registry.series(at('modest', 0), 0).record(200, 1, -1, 0);
  await close();

  const requests = received
    .flatMap(({ body }) => pushedMetrics(body))
    .filter(({ name }) => name === 'gatehouse.engine.requests')
    .flatMap(pointsOf);
  const pushed = requests.map(({ attributes, asDouble }) => {
    const labels = Object.fromEntries(attributes!.map(({ key, value }) => [key, value.stringValue]));
    return { ...labels, value: asDouble } as { tenant: string; resource: string; value: number };
  });
  const shown = renderPrometheus(registry)
    .split('\n')
    .map((line) => /^gatehouse_engine_requests_total\{tenant="(.*?)",.*resource="(.*?)".*\} (\d+)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, tenant, resource, value]) => ({ tenant, resource, value: Number(value) }));
  for (const series of [pushed, shown]) {
    const greedy = series.filter(({ tenant }) => tenant === 'greedy');
    expect(greedy).toHaveLength(BUDGET + 1);
    expect(greedy.reduce((sum, { value }) => sum + value, 0)).toBe(ALL);
    expect(greedy.filter(({ resource }) => resource === '*').map(({ value }) => value)).toEqual([ALL - BUDGET]);
    expect(series.filter(({ tenant }) => tenant === 'modest').map(({ resource, value }) => [resource, value])).toEqual([
      ['/r0', 1],
    ]);
  }
  const sizes = received.map(({ body }) => pushedMetrics(body).reduce((sum, metric) => sum + pointsOf(metric).length, 0));
  expect(sizes.length).toBeGreaterThan(10);
  expect(Math.max(...sizes), 'no message is larger than a collector takes').toBeLessThanOrEqual(POINTS_PER_MESSAGE);
});

test('a push whose message is refused ends there, and the next one is complete', async () => {
  const { received, url } = await collector(400);
  const { registry, close } = await open({
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/v1/metrics`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  });
  for (let index = 0; index < 3_000; index++)
    registry
      .series({ tenant: 't', apiId: 'a1', stage: 'dev', resource: `/r${index}`, httpMethod: 'GET' }, 0)
      .record(200, 1, -1, 0);
  await close();
  expect(received).toHaveLength(1);
});
