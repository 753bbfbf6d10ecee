import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CallQueue } from './call-queue.js';
import type { PublishedFunction } from './catalog.js';
import { functionEntry } from './testing/harness.js';

const LIMITS = { waitMs: 1_000, callsPerFunctionMax: 3, bytesPerTenantMax: 100, bytesMax: 150 };
const HERE = new AbortController().signal;

function fn(tenant: string, functionName: string): PublishedFunction {
  const id = `${tenant}:${functionName}:$LATEST`;
  return { id, revision: 1, codeDigest: id, environmentKey: id, entry: functionEntry(functionName, { tenant }) };
}
const [af, ag, bh] = [fn('a', 'f'), fn('a', 'g'), fn('b', 'h')];

/** The functions in the order in which places are given out, when there are `count` of them. */
function served(queue: CallQueue<number>, count: number, isAllowed = (_: PublishedFunction) => true): string[] {
  const names: string[] = [];
  queue.serve((candidate) => {
    if (names.length >= count || !isAllowed(candidate)) return null;
    return names.push(`${candidate.entry.tenant}.${candidate.entry.functionName}`);
  });
  return names;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('tenants take turns, and so do the functions of a tenant', () => {
  const queue = new CallQueue<number>(LIMITS);
  for (const waiting of [af, af, af, ag, ag, bh, bh]) void queue.wait(waiting, 1, HERE);
  expect(served(queue, 10)).toEqual(['a.f', 'b.h', 'a.g', 'b.h', 'a.f', 'a.g', 'a.f']);
  expect([af, ag, bh].map((each) => queue.countOf(each))).toEqual([0, 0, 0]);
});

test('whose turn it is outlasts the places: one at a time goes to one after the other', () => {
  const queue = new CallQueue<number>(LIMITS);
  for (const waiting of [af, af, af, bh, bh]) void queue.wait(waiting, 1, HERE);
  expect([served(queue, 1), served(queue, 1), served(queue, 1)]).toEqual([['a.f'], ['b.h'], ['a.f']]);
});

test('a function at its own limit holds up nobody', () => {
  const queue = new CallQueue<number>(LIMITS);
  for (const waiting of [af, af, ag, bh]) void queue.wait(waiting, 1, HERE);
  expect(served(queue, 10, (candidate) => candidate !== af)).toEqual(['a.g', 'b.h']);
  expect(queue.countOf(af)).toBe(2);
});

test('within a function the first call is served first', async () => {
  const queue = new CallQueue<number>(LIMITS);
  const calls = [1, 2, 3].map(() => queue.wait(af, 1, HERE));
  served(queue, 10);
  expect(await Promise.all(calls)).toEqual([1, 2, 3]);
});

test('a call whose time is up is sent away, and takes no place afterwards', async () => {
  const queue = new CallQueue<number>(LIMITS);
  const call = queue.wait(af, 1, HERE);
  vi.advanceTimersByTime(1_000);
  expect(await call).toBeNull();
  expect(served(queue, 10)).toEqual([]);
});

test('a caller that leaves leaves the queue', async () => {
  const queue = new CallQueue<number>(LIMITS);
  const caller = new AbortController();
  const call = queue.wait(af, 1, caller.signal);
  caller.abort();
  expect(await call).toBeNull();
  expect(served(queue, 10)).toEqual([]);
  expect(await queue.wait(af, 1, caller.signal)).toBeNull();
});

for (const [what, waiting, call, bytes] of [
  ['calls of the function', [af, af, af], af, 0],
  ['bytes of the tenant', [af, ag], af, 61],
  ['bytes of all tenants', [af, ag, fn('c', 'i'), fn('c', 'j')], bh, 71],
] as const) {
  test(`at its bound the queue takes no more: ${what}`, async () => {
    const queue = new CallQueue<number>(LIMITS);
    for (const each of waiting) void queue.wait(each, 20, HERE);
    expect(await queue.wait(call, bytes, HERE)).toBeNull();
    served(queue, 1);
    const retry = queue.wait(call, bytes, HERE);
    served(queue, 10);
    expect(await retry).toBeTypeOf('number');
  });
}

test('without a waiting time nobody waits', async () => {
  expect(await new CallQueue<number>({ ...LIMITS, waitMs: 0 }).wait(af, 1, HERE)).toBeNull();
});

test('closing sends everybody away', async () => {
  const queue = new CallQueue<number>(LIMITS);
  const calls = [af, af, ag, bh].map((each) => queue.wait(each, 1, HERE));
  queue.close();
  expect(await Promise.all(calls)).toEqual([null, null, null, null]);
  expect(vi.getTimerCount()).toBe(0);
});
