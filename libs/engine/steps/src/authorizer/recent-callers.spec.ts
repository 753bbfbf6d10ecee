import { expect, test } from 'vitest';
import { Kept } from './decisions.js';
import { RecentBounds, RecentCallers } from './recent-callers.js';

interface Caller {
  readonly name: string;
  readonly bytes: number;
}

const MINUTE_MS = 60_000;
const keptFor = (name: string, expiresAtMs = 1_000_000, bytes = 10) => new Kept<Caller>({ name, bytes }, expiresAtMs);
const callersIn = (bounds = new RecentBounds()) => new RecentCallers<Caller>(bounds);
const nameOf = (callers: RecentCallers<Caller>, shown: string, nowMs = 0) => callers.find(shown, nowMs)?.name ?? null;

test('a caller is known by what it showed, and by nothing else', () => {
  const callers = callersIn();
  callers.add('token', keptFor('ann'), 0);
  expect(['token', 'Token', 'token ', 'toke', ''].map((shown) => nameOf(callers, shown))).toEqual([
    'ann',
    null,
    null,
    null,
    null,
  ]);
});

test('what one authorizer decided, no other one knows', () => {
  const bounds = new RecentBounds();
  const [one, other] = [callersIn(bounds), callersIn(bounds)];
  one.add('token', keptFor('ann'), 0);
  expect([nameOf(one, 'token'), nameOf(other, 'token')]).toEqual(['ann', null]);
});

test('a decision that has expired lets nobody in', () => {
  const callers = callersIn();
  callers.add('token', keptFor('ann', 100), 0);
  expect([nameOf(callers, 'token', 99), nameOf(callers, 'token', 100)]).toEqual(['ann', null]);
});

test('and none that has expired while nobody came', () => {
  const callers = callersIn();
  callers.find('nobody', 0);
  callers.add('token', keptFor('ann', MINUTE_MS + 5), 0);
  expect([nameOf(callers, 'token', MINUTE_MS + 5), nameOf(callers, 'token', MINUTE_MS + 6)]).toEqual([null, null]);
});

test('finding a caller tells the store of decisions that it is in use', () => {
  const callers = callersIn();
  const kept = keptFor('ann');
  callers.add('token', kept, 0);
  nameOf(callers, 'token');
  expect(kept.wasUsed).toBe(true);
});

test('whoever does not come for two minutes is forgotten, and whoever comes is not', () => {
  const callers = callersIn();
  callers.find('nobody', 0);
  callers.add('seldom', keptFor('ann'), 0);
  callers.add('often', keptFor('bob'), 0);
  for (const minute of [1, 2, 3]) nameOf(callers, 'often', minute * MINUTE_MS);
  expect([nameOf(callers, 'seldom', 3 * MINUTE_MS), nameOf(callers, 'often', 3 * MINUTE_MS)]).toEqual([null, 'bob']);
});

test('of an authorizer that nobody calls nothing is left when others are asked for two minutes', () => {
  const bounds = new RecentBounds();
  const [idle, busy] = [callersIn(bounds), callersIn(bounds)];
  busy.find('nobody', 0);
  idle.add('token', keptFor('ann'), 0);
  expect(bounds.size).toBe(1);
  busy.find('nobody', MINUTE_MS);
  expect(bounds.size).toBe(1);
  busy.find('nobody', 2 * MINUTE_MS);
  expect([bounds.size, nameOf(idle, 'token', 2 * MINUTE_MS)]).toEqual([0, null]);
});

test.each([
  ['in number', { countMax: 3, bytesMax: 1_000_000 }],
  ['in bytes, of what callers show and of what was decided', { countMax: 1_000, bytesMax: 3 * (2 + 10) }],
])('all authorizers together are bounded %s, and who came least lately goes', (_, limits) => {
  const bounds = new RecentBounds(limits);
  const [one, other] = [callersIn(bounds), callersIn(bounds)];
  one.find('nobody', 0);
  for (const [i, shown] of ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6'].entries())
    (i % 2 === 0 ? one : other).add(shown, keptFor(shown), 0);
  // Three of the younger half are left, and the one that has begun the next.
  expect(['a0', 'a2', 'a4', 'a6'].map((shown) => nameOf(one, shown))).toEqual([null, null, 'a4', 'a6']);
  expect(['a1', 'a3', 'a5'].map((shown) => nameOf(other, shown))).toEqual([null, 'a3', 'a5']);
});

test('who is forgotten is, wherever it was remembered', () => {
  const callers = callersIn();
  callers.find('nobody', 0);
  callers.add('token', keptFor('ann'), 0);
  callers.forget('token');
  expect(nameOf(callers, 'token')).toBe(null);
  callers.add('token', keptFor('ann'), 0);
  callers.find('nobody', MINUTE_MS);
  callers.forget('token');
  expect(nameOf(callers, 'token', MINUTE_MS)).toBe(null);
});
