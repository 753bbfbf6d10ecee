import { RATE_SHARE_MS } from '@gatehouse/contracts';
import { expect, test } from 'vitest';
import type { RateAnswer, RateQuestion } from './rate-leases.js';
import { RateShares } from './rate-shares.js';

const NOW = 1_000_000;

function setUp() {
  const questions: RateQuestion[] = [];
  const answers: (RateAnswer & { worker: number })[] = [];
  const time = { nowMs: NOW };
  const shares = new RateShares({
    request: (asked) => questions.push(...asked),
    answer: (worker, given) => answers.push(...given.map((answer) => ({ worker, ...answer }))),
    nowMs: () => time.nowMs,
  });
  let count = 0;
  const ask = (worker: number, demandedPerSecond: number, kind: 'fast' | 'strict' | 'alone' = 'fast') => {
    const question = ++count * 100;
    const strict = kind === 'strict';
    const about = { bucket: 'b', question, ratePerSecond: 10, burst: 20, demandedPerSecond, strict };
    answers.length = 0;
    shares.asked(worker, [{ ...about, wantedTokens: strict ? 5 : 0, ...(kind === 'alone' && { alone: true }) }]);
    return question;
  };
  const grant = (fields: { share?: number; tokens?: number }, question = questions.at(-1)!.question) => {
    answers.length = 0;
    shares.granted([{ bucket: 'b', question, share: 0, tokens: 0, ...fields }]);
    return answers;
  };
  return { shares, questions, answers, time, ask, grant };
}

test('the control plane hears of one node with the demand of all its workers', () => {
  const { questions, ask } = setUp();
  ask(1, 30);
  ask(2, 12);
  expect(questions.map(({ demandedPerSecond }) => demandedPerSecond)).toEqual([30, 42]);
  ask(1, 5);
  expect(questions.at(-1)!.demandedPerSecond, 'each worker as it said last').toBe(17);
});

test('a worker that is alone with its demand has the whole share of the node', () => {
  const { ask, grant } = setUp();
  const question = ask(1, 30);
  expect(grant({ share: 0.5 })).toEqual([{ worker: 1, bucket: 'b', question, share: 0.5, tokens: 0 }]);
});

test('workers split the node’s share by their demand, never beyond it once both have asked again', () => {
  const { ask, grant } = setUp();
  const told = new Map<number, number>();
  for (let round = 0; round < 4; round++) {
    for (const [worker, demand] of [
      [1, 30],
      [2, 10],
    ] as const) {
      ask(worker, demand);
      for (const answer of grant({ share: 0.8 })) told.set(answer.worker, answer.share);
    }
  }
  expect(told.get(1)).toBeCloseTo(0.8 * (0.05 + 0.9 * 0.75), 6);
  expect(told.get(2)).toBeCloseTo(0.8 * (0.05 + 0.9 * 0.25), 6);
});

test('workers that have less hear of it at once, under their newest question', () => {
  const { ask, grant } = setUp();
  const first = ask(1, 10);
  grant({ share: 1 });
  const second = ask(2, 10);
  const answers = grant({ share: 0.2 });
  expect(answers).toContainEqual({ worker: 1, bucket: 'b', question: first, share: 0.1, tokens: 0 });
  expect(answers).toContainEqual({ worker: 2, bucket: 'b', question: second, share: 0.1, tokens: 0 });
});

test('an answer that is late, or comes twice, changes nothing', () => {
  const { questions, ask, grant } = setUp();
  ask(1, 10);
  const late = questions[0]!.question;
  ask(1, 10);
  grant({ share: 0.5 });
  expect(grant({ share: 0.5 })).toEqual([]);
  expect(grant({ share: 1 }, late)).toEqual([]);
});

test('the part of a worker that is gone, or asks no more, is the others’', () => {
  for (const leave of [
    ({ shares }: ReturnType<typeof setUp>) => shares.ended(2),
    ({ time }: ReturnType<typeof setUp>) => (time.nowMs += RATE_SHARE_MS),
  ]) {
    const node = setUp();
    for (const worker of [1, 2, 1, 2]) {
      node.ask(worker, 10);
      node.grant({ share: 1 });
    }
    leave(node);
    node.ask(1, 10);
    expect(node.questions.at(-1)!.demandedPerSecond).toBe(10);
    expect(node.grant({ share: 1 })).toMatchObject([{ worker: 1, share: 1 }]);
  }
});

test('strict tokens go to the worker that asked, once', () => {
  const { questions, ask, grant } = setUp();
  const first = ask(1, 0, 'strict');
  const second = ask(2, 0, 'strict');
  const [ofFirst, ofSecond] = questions.map(({ question }) => question);
  expect(grant({ tokens: 3 }, ofFirst)).toEqual([{ worker: 1, bucket: 'b', question: first, share: 0, tokens: 3 }]);
  expect(grant({ tokens: 3 }, ofFirst)).toEqual([]);
  expect(grant({ tokens: 2 }, ofSecond)).toEqual([{ worker: 2, bucket: 'b', question: second, share: 0, tokens: 2 }]);
});

test('who has no lease to hope for is answered at once, with a part of the whole rate', () => {
  const { questions, answers, ask } = setUp();
  const first = ask(1, 10, 'alone');
  expect(answers).toEqual([{ worker: 1, bucket: 'b', question: first, share: 1, tokens: 0 }]);
  const second = ask(2, 10, 'alone');
  expect(answers).toEqual([
    { worker: 2, bucket: 'b', question: second, share: 0.5, tokens: 0 },
    { worker: 1, bucket: 'b', question: first, share: 0.5, tokens: 0 },
  ]);
  expect(questions, 'nothing for the control plane').toEqual([]);
});
