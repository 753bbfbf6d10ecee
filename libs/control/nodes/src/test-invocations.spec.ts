import { create } from '@bufbuild/protobuf';
import { TestInvokeResultSchema } from '@gatehouse/contracts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TestInvocations } from './test-invocations.js';

const invocation = {
  pool: 'default',
  snapshot: new Uint8Array([1]),
  httpMethod: 'GET',
  pathWithQuery: '/',
  headers: ['a', 'b'],
  body: new Uint8Array([2]),
  authorizerId: null,
};
let sent: { id?: bigint }[];
let node: TestInvocations;
beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  node = new TestInvocations((message) => sent.push(message));
});
afterEach(() => vi.useRealTimers());

const outcome = { status: 201, headers: ['c', 'd'], body: new Uint8Array([3]), latencyMs: 4, log: 'log' };
const answer = (id: bigint, over = {}) => node.answered(create(TestInvokeResultSchema, { id, ...outcome, ...over }));

test('an answer goes to who asked, whatever came in between', async () => {
  const [first, second] = [node.run(invocation, 1_000), node.run(invocation, 1_000)];
  expect(sent).toEqual([1n, 2n].map((id) => expect.objectContaining({ id, httpMethod: 'GET', headers: ['a', 'b'] })));
  answer(2n, { status: 202 });
  answer(1n);
  expect([await first, await second]).toEqual([outcome, { ...outcome, status: 202 }]);
  expect(node.count).toBe(0);
});

test('what is not answered in time, by a node that is gone, or not at all, has no outcome', async () => {
  const late = node.run(invocation, 1_000);
  vi.advanceTimersByTime(1_000);
  expect(await late).toBe('TIMEOUT');
  answer(1n); // comes to nobody
  const failed = node.run(invocation, 1_000);
  answer(2n, { failure: 'no worker of the node serves' });
  expect(await failed).toBe('FAILED');
  const lost = node.run(invocation, 1_000);
  node.end();
  expect(await lost).toBe('FAILED');
});

test('one node is not given more than 32 at once', async () => {
  const running = Array.from({ length: 32 }, () => node.run(invocation, 1_000));
  expect(await node.run(invocation, 1_000)).toBe('BUSY');
  expect(sent).toHaveLength(32);
  answer(1n);
  await running[0];
  void node.run(invocation, 1_000);
  expect(sent).toHaveLength(33);
});
