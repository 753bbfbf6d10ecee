import { create } from '@bufbuild/protobuf';
import { QuotaRequestSchema, RateDemandSchema } from '@gatehouse/contracts';
import { InMemoryLeaseBook, InMemoryStore } from '@gatehouse/domain';
import { ManualClock } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LeaseOffice } from './lease-office.js';

const A = { nodeId: 'a', epoch: 1 };
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const question = create(QuotaRequestSchema, { usagePlanId: 'plan', apiKeyId: 'key', periodStart: '2026-01-05', wanted: 1n });
const demand = (bucket: string, strict: boolean) =>
  create(RateDemandSchema, { bucket, question: 7n, ratePerSecond: 10, burst: 4, demandedPerSecond: 3, strict, wantedTokens: 3n });

let clock: ManualClock;
let fast: InMemoryLeaseBook;
let strict: InMemoryLeaseBook;
let office: LeaseOffice;
beforeEach(() => {
  vi.useFakeTimers();
  clock = new ManualClock(Date.UTC(2026, 0, 1));
  fast = new InMemoryLeaseBook(clock);
  strict = new InMemoryLeaseBook(clock);
  clock.advance(4 * 86_400_000);
  const { metering, nodes } = new InMemoryStore(clock);
  office = new LeaseOffice({ fast, strict, metering, nodes, clock, log: quiet, probeMs: 200, deadlineMs: 1_000 });
});
afterEach(() => void vi.useRealTimers());

test('shares come from the fast book and tokens from the strict one, each answer with its question', async () => {
  expect(await office.answerRates(A, [demand('s', true), demand('f', false)])).toEqual([
    { bucket: 's', question: 7n, share: 0, tokens: 2n }, // 4 less what flows in while a token lives
    { bucket: 'f', question: 7n, share: 1, tokens: 0n },
  ]);
});

test('a lost book is told once, costs nobody a wait, and is told again when it is back', async () => {
  const states: object[] = [];
  office.watch(() => states.push(office.state));
  fast.isLost = true;
  expect(await office.answerRates(A, [demand('f', false), demand('s', true)])).toEqual([
    expect.objectContaining({ bucket: 's' }),
  ]);
  expect(states).toEqual([{ fastAvailable: false, strictAvailable: true }]);
  const asked = vi.spyOn(fast, 'shareRates');
  await office.answerRates(A, [demand('f', false)]);
  expect(asked, 'the dead book is not asked').not.toHaveBeenCalled();
  fast.isLost = false;
  await vi.advanceTimersByTimeAsync(200);
  expect(states.at(-1)).toEqual({ fastAvailable: true, strictAvailable: true });
  expect(states).toHaveLength(2);
  expect(await office.answerRates(A, [demand('f', false)])).toHaveLength(1);
});

test('a book that does not answer at all is lost after the deadline', async () => {
  vi.spyOn(fast, 'shareRates').mockReturnValue(new Promise(() => {}));
  const answer = office.answerRates(A, [demand('f', false)]);
  await vi.advanceTimersByTimeAsync(999);
  expect(office.state.fastAvailable).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(office.state.fastAvailable).toBe(false);
  expect(await answer).toEqual([]);
});

test('a connection that broke makes the book lost without a question', () => {
  office.fastLost();
  expect(office.state).toEqual({ fastAvailable: false, strictAvailable: true });
});

test('a drained node is noted in every book that answers', async () => {
  fast.isLost = true;
  await office.drained(A).catch(() => undefined);
  await office.drained(A);
  expect((await strict.drained()).get('a')).toBe(1);
});

test('where plans cannot be read, the strict book is looked at', async () => {
  const store = new InMemoryStore(clock);
  vi.spyOn(store.metering, 'tenantOfPlan').mockRejectedValue(new Error('no database'));
  strict.isLost = true;
  const broken = new LeaseOffice({ fast, strict, metering: store.metering, nodes: store.nodes, clock, log: quiet });
  await expect(broken.answerQuota(A, question)).rejects.toThrow('no database');
  expect(broken.state.strictAvailable).toBe(false);
});
