/** Questions of a control plane to its nodes about a request: who is asked, who answers, and what is said of the others. */
import path from 'node:path';
import type { Explanation } from '@gatehouse/contracts';
import { readRelease, releaseNames } from '@gatehouse/contracts/testing';
import { FleetExplainer } from '@gatehouse/control-nodes';
import { InMemoryStore } from '@gatehouse/domain';
import { ReleaseFilter } from '@gatehouse/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { quiet, startControlPlane, startNode, TENANT, testFolder, type TestControlPlane } from './harness.js';

const ID = '11111111-2222-3333-4444-555555555555';

let store: InMemoryStore;
let control: TestControlPlane;
let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
  store = new InMemoryStore();
  control = await startControl();
});
afterEach(() => scope.close());

async function startControl(): Promise<TestControlPlane> {
  const plane = await startControlPlane(store);
  scope.cleanUps.push(() => plane.stop());
  return plane;
}

type Explain = NonNullable<NonNullable<Parameters<typeof startNode>[2]>['explain']>;

const remembering =
  (isRemembered: boolean, sampleEvery = 100): Explain =>
  async ({ requestId }) => ({ explanation: isRemembered ? ({ requestId } as Explanation) : null, keepMinutes: 60, sampleEvery });

async function node(name: string, explain?: Explain, port = control.port): Promise<string> {
  const { link } = await startNode(path.join(scope.folder, name), port, explain === undefined ? {} : { explain });
  scope.cleanUps.push(() => link.close());
  await vi.waitFor(async () =>
    expect(await store.nodes.list()).toContainEqual(expect.objectContaining({ nodeId: link.nodeId, connected: true })),
  );
  return link.nodeId;
}

const explain = (timeoutMs = 5_000, plane = control) => plane.server.explain(TENANT, ID, timeoutMs);

test('all are asked, and the one that remembers is named; who is asked is told whose request it has to be', async () => {
  const asked: unknown[] = [];
  await node('a', remembering(false));
  const nodeId = await node('b', async (question) => (asked.push(question), remembering(true, 10)(question)));
  expect(await explain()).toMatchObject({
    found: { nodeId, explanation: { requestId: ID } },
    asked: [expect.anything(), nodeId],
    silent: [],
  });
  expect(asked).toEqual([{ tenant: TENANT, requestId: ID }]);
});

test('when none remembers, the longest memory and the densest sample are told', async () => {
  await node('a', remembering(false, 0));
  await node('b', remembering(false, 10));
  expect(await explain()).toMatchObject({ found: null, asked: { length: 2 }, silent: [], keepMinutes: 60, sampleEvery: 10 });
});

test('nobody waits longer than the deadline; who was late, failed or cannot be asked is named', async () => {
  await node('a', remembering(false));
  const late = await node('b', () => new Promise(() => undefined));
  const broken = await node('c', () => Promise.reject(new Error('no worker of the node answers')));
  const mute = await node('d');
  const { found, silent } = await explain(200);
  expect(found).toBeNull();
  expect(new Map(silent.map(({ nodeId, reason }) => [nodeId, reason]))).toEqual(
    new Map([
      [late, 'TIMEOUT'],
      [broken, 'FAILED'],
      [mute, 'CANNOT'],
    ]),
  );
});

test('an answer of one node is not kept waiting by another', async () => {
  await node('a', () => new Promise(() => undefined));
  const nodeId = await node('b', remembering(true));
  expect((await explain(60_000)).found).toMatchObject({ nodeId });
});

test('nodes of another control plane are named: they may remember it', async () => {
  const second = await startControl();
  const here = await node('a', remembering(false));
  const there = await node('b', remembering(true), second.port);
  expect(await explain()).toMatchObject({ found: null, asked: [here], silent: [{ nodeId: there, reason: 'ELSEWHERE' }] });
  expect(await explain(5_000, second)).toMatchObject({ found: { nodeId: there } });
});

/** Two control planes that ask each other. */
async function fleet(): Promise<{ first: FleetExplainer; second: FleetExplainer; secondPort: number }> {
  const other = await startControl();
  const [first, second] = [control, other].map(
    ({ server }) => new FleetExplainer({ own: server, channel: store.planes, log: quiet }),
  );
  for (const explainer of [first!, second!]) {
    await explainer.start();
    scope.cleanUps.push(() => explainer.close());
  }
  return { first: first!, second: second!, secondPort: other.port };
}

test('a node of another control plane is asked by that one, however much it has to tell', async () => {
  const { first, second, secondPort } = await fleet();
  const large = { requestId: ID, text: 'ü"'.repeat(15_000) } as unknown as Explanation;
  const nodeId = await node('b', async () => ({ explanation: large, keepMinutes: 60, sampleEvery: 1 }), secondPort);
  for (const explainer of [first, second])
    expect((await explainer.explain(TENANT, ID, 5_000)).found).toEqual({ nodeId, explanation: large });
});

test('when nobody remembers, all control planes have been asked, and nothing is waited for', async () => {
  const { first, secondPort } = await fleet();
  const [here, there] = [await node('a', remembering(false)), await node('b', remembering(false, 5), secondPort)];
  const mute = await node('c', undefined, secondPort);
  const memory = await first.explain(TENANT, ID, 60_000);
  expect(memory).toMatchObject({ found: null, silent: [{ nodeId: mute, reason: 'CANNOT' }], sampleEvery: 5 });
  expect(new Set(memory.asked)).toEqual(new Set([here, there]));
});

test('a control plane that does not answer costs the deadline, and its nodes are named', async () => {
  const { first, second, secondPort } = await fleet();
  await second.close();
  await node('a', remembering(false));
  const there = await node('b', remembering(true), secondPort);
  expect(await first.explain(TENANT, ID, 400)).toMatchObject({ found: null, silent: [{ nodeId: there, reason: 'ELSEWHERE' }] });
});

test.each(releaseNames())('a node of release %s is not asked', async (name) => {
  const filter = await ReleaseFilter.open(readRelease(name), control.port);
  scope.cleanUps.push(() => filter.close());
  const nodeId = await node('old', remembering(true), filter.port);
  expect(await explain()).toMatchObject({ found: null, asked: [], silent: [{ nodeId, reason: 'CANNOT' }] });
});

test('a node does not hold more than its share of questions', async () => {
  const nodeId = await node('a', () => new Promise(() => undefined));
  const waiting = Array.from({ length: 32 }, () => explain(500));
  expect((await explain(500)).silent).toEqual([{ nodeId, reason: 'BUSY' }]);
  await Promise.all(waiting);
});
