import { ManualClock } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { Pushes, type FinishedPush } from './pushes.js';

function setUp() {
  const clock = new ManualClock(1_000);
  const told: FinishedPush[] = [];
  return { clock, told, pushes: new Pushes(clock, (push) => told.push(push)) };
}

test('a change is over when the node has it or a later one, and is told once', () => {
  const { clock, told, pushes } = setUp();
  pushes.sent(0, 5, 100, true);
  clock.advance(10);
  pushes.sent(5, 6, 1, false);
  pushes.sent(6, 7, 2, false);
  pushes.acknowledged('n', 4, []);
  expect(told).toEqual([]);
  clock.advance(10);
  pushes.acknowledged('n', 6, []);
  pushes.acknowledged('n', 6, []); // with every heartbeat
  const common = { nodeId: 'n', endMs: 1_020, refusedCount: 0 };
  expect(told).toEqual([
    { ...common, revision: 5, entryCount: 100, isFull: true, startMs: 1_000 },
    { ...common, revision: 6, entryCount: 1, isFull: false, startMs: 1_010 },
  ]);
});

test('what the node refuses is of the change that brought it, and of no other', () => {
  const { told, pushes } = setUp();
  pushes.sent(0, 5, 9, true);
  pushes.sent(5, 6, 1, false);
  pushes.sent(6, 7, 1, false);
  pushes.acknowledged('n', 7, [{ revision: 2 }, { revision: 6 }]);
  expect(told.map(({ revision, refusedCount }) => [revision, refusedCount])).toEqual([
    [5, 1],
    [6, 1],
    [7, 0],
  ]);
});

test('a stream that ends leaves no change untold', () => {
  const { told, pushes } = setUp();
  pushes.sent(0, 5, 1, false);
  pushes.abandon('n');
  pushes.abandon('n');
  expect(told).toMatchObject([{ revision: 5, refusedCount: null }]);
});

test('a revision with nothing for the node is no push, and a node that never answers costs no memory', () => {
  const { told, pushes } = setUp();
  pushes.sent(0, 1, 0, false);
  for (let revision = 2; revision < 1_000; revision++) pushes.sent(revision - 1, revision, 1, false);
  pushes.abandon('n');
  expect(told).toHaveLength(100);
  expect(told.at(-1)!.revision).toBe(999);
});
