import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { InMemoryStore, utcDay } from '@gatehouse/domain';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder, type TestControlPlane } from './harness.js';
import { KEY, publishKey, publishStage, readiness, startProcess, type NodeProcess } from './node-process.js';

// A node with several worker processes, as it is built: `npm run build` comes before these.
vi.setConfig({ testTimeout: 60_000 });

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

const start = (workers: number, env: Record<string, string> = {}) =>
  startProcess(scope, control.port, { env: { GATEHOUSE_WORKERS: String(workers), ...env } });
const eventually = (assertion: () => Promise<void> | void) => vi.waitFor(assertion, { timeout: 20_000, interval: 10 });
const allServing = (node: NodeProcess, count: number) =>
  eventually(async () =>
    expect(await readiness(node)).toEqual([200, `{"status":"ready","workers":{"serving":${count},"configured":${count}}}\n`]),
  );
const today = () => utcDay(Date.now());
const used = () => store.metering.usedInPeriod(TENANT, 'plan1', 'key1', today(), '9999-12-31');
const usedIs = (count: number) => eventually(async () => expect(await used()).toBe(count));

/** Process ids of the workers, in the order they first served. */
const workersOf = (node: NodeProcess): number[] =>
  node
    .log()
    .split('\n')
    .filter((line) => line.includes('"msg":"worker serves"'))
    .map((line) => (JSON.parse(line) as { pid: number }).pid);

/** One request, on a connection of its own unless `agent` keeps one; the status, or why there was none. */
async function callOnce(node: NodeProcess, resource: string, agent: Agent | false = false): Promise<number | string> {
  return (await callForText(node, resource, agent))[0];
}

function callForText(node: NodeProcess, resource: string, agent: Agent | false = false): Promise<[number | string, string]> {
  return new Promise((resolve) => {
    const cut = (error: NodeJS.ErrnoException) => resolve([error.code ?? error.message, '']);
    const asked = request(
      {
        host: '127.0.0.1',
        port: node.port,
        path: `/_aws/execute-api/abc123/dev${resource}`,
        headers: { 'x-api-key': KEY },
        agent,
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += chunk));
        answer.on('end', () => resolve([answer.statusCode!, text]));
        answer.on('error', cut);
      },
    );
    asked.on('error', cut);
    asked.end();
  });
}

/** Calls from several callers at once until it is stopped; every answer counted. */
function traffic(node: NodeProcess, resource: string) {
  const answers = new Map<number | string, number>();
  let isRunning = true;
  const callers = Array.from({ length: 4 }, async () => {
    while (isRunning) {
      const answer = await callOnce(node, resource);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  });
  const count = (answer: number | string) => answers.get(answer) ?? 0;
  return {
    answers,
    count,
    stop: async () => {
      isRunning = false;
      await Promise.all(callers);
    },
  };
}

async function linkedStages({ adminPort }: NodeProcess): Promise<string[]> {
  const page = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return page.split('\n').filter((line) => line.startsWith('gatehouse_node_linked_stages{'));
}
async function metric({ adminPort }: NodeProcess, pattern: RegExp): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(pattern.exec(page)?.[1] ?? Number.NaN);
}
const KEYED_REQUESTS = /gatehouse_engine_requests_total\{[^}]*resource="\/keyed"[^}]*\} (\d+)/;

test('two workers serve one port: a change is acknowledged when both serve it, and the figures are one node’s', async () => {
  await publishStage(store, 'hello');
  await publishKey(store);
  const node = await start(2);
  await allServing(node, 2);
  for (let count = 0; count < 40; count++) expect(await callOnce(node, '/keyed')).toBe(200);
  expect(await metric(node, KEYED_REQUESTS)).toBe(40);
  expect(await linkedStages(node)).toEqual([
    'gatehouse_node_linked_stages{process="worker 1"} 1',
    'gatehouse_node_linked_stages{process="worker 2"} 1',
  ]);
  for (const text of ['one', 'two', 'three']) {
    const revision = await publishStage(store, text);
    expect(await control.server.waitUntilLive(revision, 10_000)).toEqual({ live: true, waitingFor: [] });
    // Each on a connection of its own, to either worker.
    for (let count = 0; count < 20; count++) expect(await callForText(node, '/users')).toEqual([200, text]);
  }
  await usedIs(40);
  const shares = new Set(
    readFileSync(path.join(scope.folder, 'node-access.log'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status),
  );
  expect([...shares], 'every line of both workers is whole').toEqual([200]);
});

test('a worker killed under traffic is started again; the other serves meanwhile, and every answered request is counted once', async () => {
  await publishStage(store, 'hello');
  await publishKey(store);
  const node = await start(2);
  await allServing(node, 2);
  const load = traffic(node, '/keyed');
  await eventually(() => expect(load.count(200)).toBeGreaterThan(100));
  for (let round = 0; round < 3; round++) {
    const victim = workersOf(node).at(-1)!;
    const served = workersOf(node).length;
    const before = load.count(200);
    if (round === 1) await control.stop(); // with reports on their way
    process.kill(victim, 'SIGKILL');
    await eventually(() => expect(load.count(200), 'the other goes on').toBeGreaterThan(before + 20));
    await eventually(() => expect(workersOf(node).length).toBeGreaterThan(served));
    if (round === 1) control = await startControlPlane(store, { port: control.port });
  }
  await load.stop();
  await allServing(node, 2);
  expect(await metric(node, /gatehouse_node_worker_restarts_total (\d+)/)).toBe(3);
  const answered = load.count(200);
  await eventually(async () => expect(await used()).toBeGreaterThanOrEqual(answered));
  await pause(1_500); // a batch sent twice would have arrived by now
  expect(await used(), 'beyond the answered ones at most what three kills cut of four callers').toBeLessThanOrEqual(
    answered + 12,
  );
  expect(readdirSync(path.join(scope.folder, 'node', 'usage')).filter((name) => name.startsWith('worker-'))).toHaveLength(2);
});

test('SIGTERM ends the node with 0, and no request it took goes unanswered or uncounted', async () => {
  await publishStage(store, 'hello');
  await publishKey(store);
  const node = await start(2);
  await allServing(node, 2);
  const agents = Array.from({ length: 6 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const answers: (number | string)[] = [];
  let isRunning = true;
  const callers = agents.map(async (agent) => {
    while (isRunning) {
      const answer = await callOnce(node, '/keyed', agent);
      // Nobody listens any more: that request never reached the node.
      if (answer === 'ECONNREFUSED') return;
      answers.push(answer);
    }
  });
  await eventually(() => expect(answers.length).toBeGreaterThan(100));
  node.child.kill('SIGTERM');
  expect(await node.exited).toEqual([0, null]);
  isRunning = false;
  await Promise.all(callers);
  for (const agent of agents) agent.destroy();
  const failed = answers.filter((answer) => answer !== 200 && answer !== 'ECONNRESET');
  expect(failed).toEqual([]);
  expect(await used()).toBe(answers.filter((answer) => answer === 200).length);
});

test('killed with all its workers, a node counts on where it was, also with fewer workers', async () => {
  await publishStage(store, 'hello');
  await publishKey(store);
  const first = await start(3);
  await allServing(first, 3);
  let answered = 0;
  for (; answered < 60; answered++) expect(await callOnce(first, '/keyed')).toBe(200);
  for (const pid of [first.child.pid!, ...workersOf(first)]) process.kill(pid, 'SIGKILL');
  await first.exited;
  const second = await start(1);
  for (; answered < 70; answered++) expect(await callOnce(second, '/keyed')).toBe(200);
  await usedIs(70);
  second.child.kill('SIGTERM');
  expect(await second.exited).toEqual([0, null]);
  const third = await start(2);
  await allServing(third, 2);
  for (; answered < 90; answered++) expect(await callOnce(third, '/keyed')).toBe(200);
  await usedIs(90);
});

test('workers end when their supervisor is killed; what they counted is reported by the next start', async () => {
  await publishStage(store, 'hello');
  await publishKey(store);
  const first = await start(2, { GATEHOUSE_PORT: '0' });
  await allServing(first, 2);
  for (let count = 0; count < 30; count++) expect(await callOnce(first, '/keyed')).toBe(200);
  const workers = workersOf(first);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  await eventually(() => {
    for (const pid of workers) expect(() => process.kill(pid, 0), `worker ${pid} ended`).toThrow();
  });
  const second = await start(2, { GATEHOUSE_PORT: String(first.port) });
  await allServing(second, 2);
  for (let count = 0; count < 10; count++) expect(await callOnce(second, '/keyed')).toBe(200);
  await usedIs(40);
});

/** To nodes and to the control planes, which grant what it says. */
async function publishPlan(limit: number, tags: Record<string, string>, own: Parameters<typeof publishKey>[2] = {}) {
  const quota = { limit, offset: 0, period: 'DAY' } as const;
  await publishKey(store, quota, own);
  const nothing = { description: null, apiStages: [], throttle: null, productCode: null, createdAtMs: 0 };
  await store.tenants.transact(TENANT, (tx) => tx.usagePlans.insert({ id: 'plan1', name: 'plan', quota, tags, ...nothing }));
}
const STRICT = { 'gatehouse:limit-mode': 'strict' };

test('a quota holds over the workers, whichever of them a caller reaches', async () => {
  await publishStage(store, 'hello');
  await publishPlan(100, {});
  const node = await start(2);
  await allServing(node, 2);
  let admitted = 0;
  await eventually(async () => {
    for (let count = 0; count < 20; count++) if ((await callOnce(node, '/keyed')) === 200) admitted++;
    expect(admitted, 'the whole quota').toBeGreaterThanOrEqual(100);
  });
  for (let count = 0; count < 50; count++) if ((await callOnce(node, '/keyed')) === 200) admitted++;
  expect(admitted, 'and not a request more').toBe(100);
  await usedIs(100);
});

test('strict: a quota is used to its last request and not beyond, though a worker is killed with a lease', async () => {
  await publishStage(store, 'hello');
  await publishPlan(400, STRICT, { limits: { mode: 'STRICT', fallback: 'CLOSED' } });
  const node = await start(2);
  await allServing(node, 2);
  const load = traffic(node, '/keyed');
  await eventually(() => expect(load.count(200)).toBeGreaterThan(150));
  expect(load.count(429), 'who has no lease waits for one').toBe(0);
  process.kill(workersOf(node)[0]!, 'SIGKILL');
  await usedIs(400);
  await eventually(() => expect(load.count(429)).toBeGreaterThan(50));
  await load.stop();
  await allServing(node, 2);
  for (let count = 0; count < 20; count++) expect(await callOnce(node, '/keyed'), 'neither worker has one left').toBe(429);
  expect(await used()).toBe(400);
  expect(load.count(200)).toBeLessThanOrEqual(400);
  expect(load.count(200), 'but for what the kill cut of four callers').toBeGreaterThanOrEqual(396);
});

test('strict: what workers of a killed supervisor hold is nobody else’s before they are gone', async () => {
  await publishStage(store, 'hello');
  await publishPlan(50, STRICT, { limits: { mode: 'STRICT', fallback: 'CLOSED' } });
  const first = await start(2);
  await allServing(first, 2);
  for (let count = 0; count < 6; count++) expect(await callOnce(first, '/keyed')).toBe(200);
  const workers = workersOf(first);
  for (const pid of workers) process.kill(pid, 'SIGSTOP'); // they could go on spending at any time
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const second = await start(2);
  await allServing(second, 2);
  const load = traffic(second, '/keyed');
  await eventually(() => expect(load.count(429)).toBeGreaterThan(50));
  await pause(2_500); // control planes would have heard by now that nothing is left of the first
  const admitted = load.count(200);
  expect(admitted).toBeLessThan(50 - 6);
  for (const pid of workers) process.kill(pid, 'SIGKILL');
  await usedIs(50);
  await load.stop();
  expect(load.count(200)).toBe(50 - 6);
  expect(await used()).toBe(50);
});

test('strict: a node that is stopped gives back what its workers did not use', async () => {
  await publishStage(store, 'hello');
  await publishPlan(20, STRICT, { limits: { mode: 'STRICT', fallback: 'CLOSED' } });
  const first = await start(2);
  await allServing(first, 2);
  for (let count = 0; count < 6; count++) expect(await callOnce(first, '/keyed')).toBe(200);
  first.child.kill('SIGTERM');
  expect(await first.exited).toEqual([0, null]);
  const second = await start(2, { GATEHOUSE_DATA_DIR: path.join(scope.folder, 'another-node') });
  await allServing(second, 2);
  const load = traffic(second, '/keyed');
  await usedIs(20);
  await load.stop();
  expect(load.count(200)).toBe(14);
});

test('strict: a throttle is one over both workers, also while one of them is killed and started again', async () => {
  const throttle = { ratePerSecond: 40, burst: 20 };
  await publishStage(store, 'hello');
  await publishKey(store, null, { throttle, limits: { mode: 'STRICT', fallback: 'CLOSED' } });
  const node = await start(2);
  await allServing(node, 2);
  const startedAtMs = performance.now();
  const load = traffic(node, '/keyed');
  for (const [round, count] of [40, 80].entries()) {
    await eventually(() => expect(load.count(200)).toBeGreaterThan(count));
    await eventually(() => expect(workersOf(node)).toHaveLength(2 + round));
    process.kill(workersOf(node).at(-1)!, 'SIGKILL');
  }
  await eventually(() => expect(load.count(200)).toBeGreaterThan(120));
  await load.stop();
  // The load began after the first reading of the clock and ended before the second: no longer time had its rate.
  const elapsedMs = performance.now() - startedAtMs;
  const most = throttle.burst + (throttle.ratePerSecond * elapsedMs) / 1_000;
  expect(load.count(200)).toBeLessThanOrEqual(most);
  expect(load.count(429), 'the load is more than the throttle lets through').toBeGreaterThan(0);
});

test('a book that is lost reaches the workers: the fallback of the plan decides, and the page says how often', async () => {
  const fallbacks = (node: NodeProcess, kind: string) =>
    metric(node, new RegExp(`gatehouse_limits_fallback_${kind}_total (\\d+)`));
  await publishStage(store, 'hello');
  const throttle = { ratePerSecond: 1_000, burst: 1_000 };
  await publishKey(store, null, { throttle, limits: { mode: 'FAST', fallback: 'CLOSED' } });
  const node = await start(2);
  await allServing(node, 2);
  for (let count = 0; count < 20; count++) expect(await callOnce(node, '/keyed')).toBe(200);
  expect(await fallbacks(node, 'closed')).toBe(0);
  await control.stop();
  let refused = 0;
  await eventually(async () => {
    for (let count = 0; count < 10; count++) if ((await callOnce(node, '/keyed')) === 429) refused++;
    expect(refused).toBeGreaterThan(20);
  });
  expect(await fallbacks(node, 'closed'), 'of both workers').toBe(refused);
  expect(await fallbacks(node, 'open')).toBe(0);
  control = await startControlPlane(store, { port: control.port });
  await eventually(async () => expect(await callOnce(node, '/keyed')).toBe(200));
});

test('a worker that finds a damaged snapshot on the shared disk has the supervisor fetch it again', async () => {
  await publishStage(store, 'hello');
  const node = await start(2);
  await allServing(node, 2);
  const blobs = path.join(scope.folder, 'node', 'link', 'blobs');
  const [blob] = readdirSync(blobs, { recursive: true, withFileTypes: true }).filter((found) => found.isFile());
  const file = path.join(blob!.parentPath, blob!.name);
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.toString().replace('hello', 'jello'));
  for (const [index, pid] of workersOf(node).entries()) {
    process.kill(pid, 'SIGKILL');
    await eventually(() => expect(workersOf(node)).toHaveLength(3 + index));
  }
  await allServing(node, 2);
  for (let count = 0; count < 20; count++) expect(await callForText(node, '/users')).toEqual([200, 'hello']);
  expect(readFileSync(file).equals(bytes)).toBe(true);
});

test('a port that another node has is not shared with it', async () => {
  const first = await start(2);
  await expect(
    start(2, { GATEHOUSE_PORT: String(first.port), GATEHOUSE_DATA_DIR: path.join(scope.folder, 'other') }),
  ).rejects.toThrow(`Port ${first.port} is in use. Set GATEHOUSE_PORT to another one.`);
});

test('told twice to end, a node ends at once with its workers', async () => {
  const node = await start(2);
  await eventually(() => expect(workersOf(node)).toHaveLength(2));
  const workers = workersOf(node);
  process.kill(workers[0]!, 'SIGSTOP'); // it will not drain
  node.child.kill('SIGTERM');
  await eventually(() => expect(node.log()).toContain('"msg":"stopping"'));
  node.child.kill('SIGTERM');
  expect(await node.exited).toEqual([1, null]);
  await eventually(() => {
    for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow();
  });
});
