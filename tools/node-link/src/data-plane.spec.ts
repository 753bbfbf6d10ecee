import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { InMemoryStore, utcDay } from '@gatehouse/domain';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder, unpublish, type TestControlPlane } from './harness.js';
import {
  call,
  KEY,
  publishKey as publishNodeKey,
  publishStage as publishNodeStage,
  readiness,
  startProcess as startNodeProcess,
  type NodeProcess,
} from './node-process.js';

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

const startProcess = (name = 'node') => startNodeProcess(scope, control.port, { name });
const publishStage = (text: string) => publishNodeStage(store, text);
const publishKey = () => publishNodeKey(store);
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

/** Fault 43. */
for (const [what, change] of [
  ['a key that is disabled', () => publishNodeKey(store, null, {}, { enabled: false })],
  ['a key that is removed', () => unpublish(store, 'API_KEY', 'key1')],
  ['the key of a plan that is removed', () => unpublish(store, 'USAGE_PLAN', 'plan1')],
] as const) {
  test(`${what} is refused by every node once that is acknowledged, though the control plane dies then, and the nodes, too`, async () => {
    await publishStage('hello');
    await publishKey();
    const names = ['one', 'two'];
    const nodes = await Promise.all(names.map(startProcess));
    const answers = (from: readonly NodeProcess[]) =>
      Promise.all(from.map(async (node) => (await call(node, '/keyed', { 'x-api-key': KEY }))[0]));
    await Promise.all(nodes.map(ready));
    expect(await answers(nodes)).toEqual([200, 200]);

    const revision = await change();
    expect(await control.server.waitUntilLive(revision, 10_000)).toEqual({ live: true, waitingFor: [] });
    expect(await answers(nodes)).toEqual([403, 403]);
    await control.stop();
    expect(await answers(nodes)).toEqual([403, 403]);
    for (const { child } of nodes) child.kill('SIGKILL');
    await Promise.all(nodes.map(({ exited }) => exited));
    const again = await Promise.all(names.map(startProcess));
    await Promise.all(again.map(ready));
    expect(await answers(again)).toEqual([403, 403]);
  });
}

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
