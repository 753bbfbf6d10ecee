/** One trace through caller, gateway and function: three real processes, and a collector of OTLP over HTTP. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { FunctionEntry, StageSnapshot } from '@gatehouse/contracts';
import { InMemoryStore } from '@gatehouse/domain';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import yazl from 'yazl';
import { publishBlob, startControlPlane, TENANT, testFolder, type TestControlPlane } from './harness.js';
import { call, readiness, startProcess } from './node-process.js';
import { startRunnerProcess } from './runner-process.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER = '00f067aa0ba902b7';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
}

let store: InMemoryStore;
let control: TestControlPlane;
let scope: Awaited<ReturnType<typeof testFolder>>;
const spans: Span[] = [];
let collectorUrl: string;

beforeEach(async () => {
  scope = await testFolder();
  store = new InMemoryStore();
  control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  const collector = createServer((request, response) => {
    void buffer(request).then((body) => {
      const { resourceSpans = [] } = JSON.parse(body.toString()) as {
        resourceSpans?: { scopeSpans: { spans: Span[] }[] }[];
      };
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scoped) => scoped.spans)));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  scope.cleanUps.push(() => void collector.close());
  collectorUrl = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
afterEach(() => scope.close());

const eventually = (assertion: () => unknown) => vi.waitFor(assertion, { timeout: 15_000, interval: 20 });

test('spans of gateway and function hang below the span of the caller', async () => {
  const otel = {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collectorUrl}/v1/traces`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  };
  await publishFunction();
  await publishBlob(store, 'abc123/dev', canonicalJson(STAGE));
  const runnerUrl = await startRunner(otel);
  const node = await startProcess(scope, control.port, { env: { ...otel, GATEHOUSE_RUNNER_URL: runnerUrl } });
  await eventually(async () => expect((await readiness(node))[0]).toBe(200));

  const [status, body] = await call(node, '/fn', { traceparent: `00-${TRACE_ID}-${CALLER}-01` });
  expect(status).toBe(200);
  await eventually(() => expect(spans).toHaveLength(3));
  const of = (name: string) => spans.find((span) => span.name === name)!;
  const [request, integration, invoke] = [of('GET /fn'), of('integration'), of('invoke')];
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE_ID]));
  expect(request.parentSpanId).toBe(CALLER);
  expect(integration.parentSpanId).toBe(request.spanId);
  expect(invoke.parentSpanId).toBe(integration.spanId);
  // What the function sees: its event comes from the gateway's call, its environment from the runner's invocation.
  const seen = JSON.parse(body) as { traceparent: string; trace: string };
  expect(seen.traceparent).toBe(`00-${TRACE_ID}-${integration.spanId}-01`);
  expect(seen.trace).toBe(`Root=1-${TRACE_ID.slice(0, 8)}-${TRACE_ID.slice(8)};Parent=${invoke.spanId};Sampled=1`);
}, 60_000);

test('a node that does not trace passes the trace of a caller on untouched', async () => {
  await publishFunction();
  await publishBlob(store, 'abc123/dev', canonicalJson(STAGE));
  const runnerUrl = await startRunner({});
  const node = await startProcess(scope, control.port, { env: { GATEHOUSE_RUNNER_URL: runnerUrl } });
  await eventually(async () => expect((await readiness(node))[0]).toBe(200));
  const traceparent = `00-${TRACE_ID}-${CALLER}-01`;
  const [, body] = await call(node, '/fn', { traceparent });
  expect(JSON.parse(body)).toMatchObject({ traceparent });
}, 60_000);

const startRunner = (env: Readonly<Record<string, string>>) => startRunnerProcess(scope, control.port, { env });

async function publishFunction(): Promise<void> {
  const zip = new yazl.ZipFile();
  const code =
    'exports.handler = async (e) => ({ statusCode: 200, body: JSON.stringify({ traceparent: e.headers.traceparent, trace: process.env._X_AMZN_TRACE_ID }) });';
  zip.addBuffer(Buffer.from(code), 'index.js', { mtime: new Date(2026, 0, 1) });
  zip.end();
  const bytes = await buffer(zip.outputStream);
  const entry: FunctionEntry = {
    tenant: TENANT,
    region: 'us-east-1',
    functionName: 'fn',
    version: '$LATEST',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    timeoutMs: 10_000,
    memoryMb: 256,
    environment: {},
    aliases: [],
    weightedAliases: {},
    reservedConcurrency: null,
    codeSha256: Buffer.from(sha256Hex(bytes), 'hex').toString('base64'),
    permissions: [
      {
        statementId: 's',
        principal: 'apigateway.amazonaws.com',
        action: 'lambda:InvokeFunction',
        sourceArn: null,
        sourceAccount: null,
        qualifier: '',
      },
    ],
  };
  await store.tenants.transact(TENANT, async (tx) =>
    tx.manifest.put('FUNCTION', `${TENANT}:fn:$LATEST`, {
      digest: await tx.blobs.put(bytes),
      blobBytes: bytes.length,
      inline: canonicalJson(entry),
    }),
  );
}

const STAGE: StageSnapshot = {
  format: 1,
  tenant: TENANT,
  region: 'us-east-1',
  apiId: 'abc123',
  apiName: 'demo',
  stage: 'dev',
  deploymentId: 'd1',
  stageVariables: {},
  apiKeySource: 'HEADER',
  binaryMediaTypes: [],
  disableExecuteApiEndpoint: false,
  accountThrottle: null,
  routes: [
    {
      resourceId: 'r1',
      path: '/fn',
      httpMethod: 'GET',
      operationName: null,
      apiKeyRequired: false,
      authorization: { type: 'NONE' },
      throttle: null,
      integration: {
        type: 'AWS_PROXY',
        httpMethod: 'POST',
        functionArn: `arn:aws:lambda:us-east-1:${TENANT}:function:fn`,
        timeoutMs: 20_000,
      },
    },
  ],
  gatewayResponses: [],
};
