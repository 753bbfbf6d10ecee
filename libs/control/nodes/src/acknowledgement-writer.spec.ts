import type { HeardNode } from '@gatehouse/domain';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AcknowledgementWriter } from './acknowledgement-writer.js';

let writes: (readonly HeardNode[])[];
let isAwaited: boolean;
let told: number;
let answer: () => Promise<void>;
let writer: AcknowledgementWriter;

beforeEach(() => {
  vi.useFakeTimers();
  [writes, isAwaited, told] = [[], false, 0];
  answer = async () => {};
  const nodes = { heard: (heard: readonly HeardNode[]) => (writes.push(heard), answer()) };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  writer = new AcknowledgementWriter(nodes, log, { isAwaited: () => isAwaited, onWritten: () => told++ });
});
afterEach(() => vi.useRealTimers());

const onWritten = vi.fn();
const add = (nodeId: string, revision: number | null) =>
  writer.add({ nodeId, epoch: 1, revision, atMs: revision ?? 0, onWritten });
const written = () => writes.map((heard) => heard.map(({ nodeId, revision }) => `${nodeId} ${revision}`));

test('the first is written at once, those behind it together, the newest of each node', async () => {
  for (const revision of [1, 2, 3]) for (const nodeId of ['a', 'b']) add(nodeId, revision);
  expect(written()).toEqual([['a 1']]);
  await vi.advanceTimersByTimeAsync(99);
  expect(written()).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(written()).toEqual([['a 1'], ['b 3', 'a 3']]);
  expect(told).toBe(2);
  await vi.advanceTimersByTimeAsync(1_000);
  add('a', 4);
  expect(written().at(-1), 'after a quiet time').toEqual(['a 4']);
});

test('nobody who waits for the registry waits longer because of others', async () => {
  add('a', 1);
  add('b', 1);
  await vi.advanceTimersByTimeAsync(0);
  isAwaited = true;
  writer.hurry();
  expect(written()).toEqual([['a 1'], ['b 1']]);
  add('a', 2);
  await vi.advanceTimersByTimeAsync(0);
  expect(written()).toEqual([['a 1'], ['b 1'], ['a 2']]);
});

test('what cannot be written is given up, and what comes after it is not', async () => {
  answer = () => Promise.reject(new Error('the database is away'));
  add('a', 1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([written(), told]).toEqual([[['a 1']], 0]);
  answer = async () => {};
  add('a', 1);
  await vi.advanceTimersByTimeAsync(0);
  expect([written(), told]).toEqual([[['a 1'], ['a 1']], 1]);
});

test('a node that leaves is not written after that', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  answer = () => promise;
  add('b', 1);
  add('a', 1);
  let hasLeft = false;
  const leaving = writer.leave('a', 1).then(() => (hasLeft = true));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(hasLeft, 'what is under way may hold it').toBe(false);
  resolve();
  await leaving;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(written()).toEqual([['b 1']]);
});
