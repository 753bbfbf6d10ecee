import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { StageSnapshot } from '@gatehouse/contracts';
import { InMemoryStore, utcDay } from '@gatehouse/domain';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { publishBlob, publishInline, startControlPlane, TENANT, testFolder, TOKEN, type TestControlPlane } from './harness.js';

// The node as a process of its own, as it is built: `npm run build` comes before these.
const MAIN = path.resolve(import.meta.dirname, '../../../apps/data-plane/dist/main.js');
const KEY = 'a-key-of-at-least-twenty-characters';

let store: InMemoryStore;
let control: TestControlPlane;
let scope: Awaited<ReturnType<typeof testFolder>>;

beforeEach(async () => {
  scope = await testFolder();
  store = new InMemoryStore();
  control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
});
afterEach(() => scope.close());

interface NodeProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly exited: Promise<unknown[]>;
}

/** Resolves when the node listens, which it does whether or not it has anything to serve. */
async function startProcess(name = 'node'): Promise<NodeProcess> {
  const child = fork(MAIN, [], {
    env: {
      GATEHOUSE_NODE_TOKEN: TOKEN.reveal(),
      GATEHOUSE_PORT: '0',
      GATEHOUSE_NODE_ADMIN_PORT: '0',
      GATEHOUSE_CONTROL_ADDRESS: `127.0.0.1:${control.port}`,
      GATEHOUSE_DATA_DIR: path.join(scope.folder, name),
      GATEHOUSE_ACCESS_LOG: path.join(scope.folder, `${name}-access.log`),
    },
    execArgv: [], // the test runner's would read libraries from source
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  scope.cleanUps.push(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  let output = '';
  child.stderr!.on('data', (text) => (output += text));
  const ports = await new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
    child.stdout!.on('data', (text) => {
      output += text;
      const line = output.split('\n').find((candidate) => candidate.includes('"msg":"listening"'));
      if (line !== undefined) resolve(JSON.parse(line) as { port: number; adminPort: number });
    });
    void exited.then(() => reject(new Error(`the node ended:\n${output}`)));
  });
  return { child, exited, ...ports };
}

const snapshot = (text: string): StageSnapshot => {
  const route = (resourcePath: string, apiKeyRequired: boolean) => ({
    resourceId: `r${resourcePath.slice(1)}`,
    path: resourcePath,
    httpMethod: 'GET',
    operationName: null,
    apiKeyRequired,
    authorization: { type: 'NONE' as const },
    throttle: null,
    integration: {
      type: 'MOCK' as const,
      passthroughBehavior: 'WHEN_NO_MATCH' as const,
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      responses: [
        { statusCode: 200, selectionPattern: null, responseParameters: {}, responseTemplates: { 'application/json': text } },
      ],
    },
  });
  return {
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
    routes: [route('/keyed', true), route('/users', false)],
    gatewayResponses: [],
  };
};
const publishStage = (text: string) => publishBlob(store, 'abc123/dev', canonicalJson(snapshot(text)));

async function publishKey(): Promise<void> {
  const key = { apiKeyId: 'key1', tenant: TENANT, valueDigest: sha256Hex(KEY), enabled: true, usagePlanIds: ['plan1'] };
  const plan = {
    usagePlanId: 'plan1',
    tenant: TENANT,
    throttle: null,
    quota: null,
    apiStages: [{ apiId: 'abc123', stage: 'dev', methodThrottles: {} }],
  };
  await publishInline(store, 'API_KEY', 'key1', canonicalJson(key));
  await publishInline(store, 'USAGE_PLAN', 'plan1', canonicalJson(plan));
}

const call = async ({ port }: NodeProcess, resource: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`http://127.0.0.1:${port}/_aws/execute-api/abc123/dev${resource}`, { headers });
  return [response.status, await response.text()] as const;
};
const readiness = async ({ adminPort }: NodeProcess) => {
  const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  return [response.status, await response.text()] as const;
};
const eventually = (assertion: () => Promise<void>) => vi.waitFor(assertion, { timeout: 15_000, interval: 10 });
const ready = (node: NodeProcess) => eventually(async () => expect((await readiness(node))[0]).toBe(200));
const today = () => utcDay(Date.now());
const used = () => store.metering.usedInPeriod(TENANT, 'plan1', 'key1', today(), '9999-12-31');

test('a node process serves what is published, follows changes, reports what it counted and ends with 0 on SIGTERM', async () => {
  await publishStage('hello');
  await publishKey();
  const node = await startProcess();
  await ready(node);
  expect(await call(node, '/users')).toEqual([200, 'hello']);
  expect((await call(node, '/keyed'))[0]).toBe(403);
  for (let count = 0; count < 5; count++) expect(await call(node, '/keyed', { 'x-api-key': KEY })).toEqual([200, 'hello']);

  const revision = await publishStage('changed');
  expect(await control.server.waitUntilLive(revision, 10_000)).toEqual({ live: true, waitingFor: [] });
  expect(await call(node, '/users'), 'as soon as it is acknowledged').toEqual([200, 'changed']);

  const metrics = await (await fetch(`http://127.0.0.1:${node.adminPort}/metrics`)).text();
  expect(metrics).toContain('gatehouse_node_connected 1');
  expect(metrics).toMatch(/gatehouse_engine_requests_total\{[^}]*resource="\/users"[^}]*\} 2/);

  node.child.kill('SIGTERM');
  expect(await node.exited).toEqual([0, null]);
  expect(await used()).toBe(5);
  const samples = await store.tenants.transact(TENANT, (tx) =>
    tx.metrics.query({ apiId: 'abc123', fromSeconds: 0, toSeconds: 2 ** 40, period: 'MINUTE' }),
  );
  expect(samples.reduce((sum, { count }) => sum + count, 0)).toBe(8);
  const lines = (await readFile(path.join(scope.folder, 'node-access.log'), 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { status: number }).status)).toEqual([200, 403, 200, 200, 200, 200, 200, 200]);
});

test('killed with kill -9 and started again without a control plane, a node serves, and no count is lost or doubled', async () => {
  await publishStage('hello');
  await publishKey();
  const first = await startProcess();
  await ready(first);
  for (let count = 0; count < 7; count++) expect((await call(first, '/keyed', { 'x-api-key': KEY }))[0]).toBe(200);
  first.child.kill('SIGKILL');
  await first.exited;
  const { port } = control;
  await control.stop();

  const again = await startProcess();
  expect(await readiness(again), 'at once: it holds a whole manifest').toEqual([200, '{"status":"ready"}\n']);
  expect(await call(again, '/keyed', { 'x-api-key': KEY })).toEqual([200, 'hello']);
  control = await startControlPlane(store, { port });
  await eventually(async () => expect(await used()).toBe(8));
});

test('a node without a manifest is alive and not ready, and says what it waits for', async () => {
  await control.stop();
  const node = await startProcess();
  expect(await readiness(node)).toEqual([503, '{"status":"not ready","waitingFor":["manifest"]}\n']);
  expect((await fetch(`http://127.0.0.1:${node.adminPort}/healthz`)).status).toBe(200);
  control = await startControlPlane(store);
});

test('a node ends when its parent does', async () => {
  const node = await startProcess();
  node.child.disconnect();
  expect(await node.exited).toEqual([0, null]);
});
