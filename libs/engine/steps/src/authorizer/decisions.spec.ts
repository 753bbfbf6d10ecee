import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { readAnswer, type AuthorizerAnswer } from './authorizer-answer.js';
import { Decisions } from './decisions.js';

const answerOf = (principalId: string): AuthorizerAnswer =>
  readAnswer(Buffer.from(JSON.stringify({ principalId, policyDocument: { Version: '2012-10-17', Statement: [] } })), '');
const [ANN, BOB, EVE] = ['ann', 'bob', 'eve'].map(answerOf);
const { bytes } = ANN!;
const found = (decisions: Decisions<AuthorizerAnswer>, key: string, nowMs: number) => decisions.find(key, nowMs)?.answer ?? null;

test('a decision is found until it expires, and not any more', () => {
  const decisions = new Decisions<AuthorizerAnswer>();
  decisions.keep('a', ANN!, 100);
  expect([found(decisions, 'a', 99), found(decisions, 'b', 99)]).toEqual([ANN, null]);
  expect([found(decisions, 'a', 100), decisions.size]).toEqual([null, 0]);
});

test('the newer decision of two under one name holds', () => {
  const decisions = new Decisions<AuthorizerAnswer>({ countMax: 9, bytesMax: 2 * bytes });
  decisions.keep('a', ANN!, 100);
  decisions.keep('a', BOB!, 200);
  decisions.keep('b', EVE!, 200);
  expect([found(decisions, 'a', 150), found(decisions, 'b', 150)]).toEqual([BOB, EVE]);
});

test.each([
  ['in number', { countMax: 2, bytesMax: 1_000_000 }],
  ['in bytes', { countMax: 9, bytesMax: 2 * bytes }],
])('they are bounded %s, and what was not used lately goes', (_, limits) => {
  const decisions = new Decisions<AuthorizerAnswer>(limits);
  decisions.keep('a', ANN!, 100);
  decisions.keep('b', BOB!, 100);
  found(decisions, 'a', 0);
  decisions.keep('c', EVE!, 100);
  expect(['a', 'b', 'c'].map((key) => found(decisions, key, 0))).toEqual([ANN, null, EVE]);
  expect(decisions.size).toBe(2);
});

test('bytes of what expired are free again', () => {
  const decisions = new Decisions<AuthorizerAnswer>({ countMax: 9, bytesMax: 2 * bytes });
  decisions.keep('a', ANN!, 100);
  found(decisions, 'a', 100);
  decisions.keep('b', BOB!, 200);
  decisions.keep('c', EVE!, 200);
  expect(['b', 'c'].map((key) => found(decisions, key, 100))).toEqual([BOB, EVE]);
});

test('an answer that is larger than all of them may be is not kept', () => {
  const decisions = new Decisions<AuthorizerAnswer>({ countMax: 9, bytesMax: bytes - 1 });
  decisions.keep('a', ANN!, 100);
  expect([found(decisions, 'a', 0), decisions.size]).toEqual([null, 0]);
});

test('what was used may go, too, when all was used, and who comes new is kept', () => {
  const decisions = new Decisions<AuthorizerAnswer>({ countMax: 2, bytesMax: 1_000_000 });
  decisions.keep('a', ANN!, 100);
  decisions.keep('b', BOB!, 100);
  for (const key of ['a', 'b']) found(decisions, key, 0);
  decisions.keep('c', EVE!, 100);
  expect(['a', 'b', 'c'].map((key) => found(decisions, key, 0))).toEqual([null, BOB, EVE]);
});

test('an answer too large to be kept pushes out nothing but what it replaces', () => {
  const large = { ...ANN!, bytes: 3 * bytes };
  const decisions = new Decisions<AuthorizerAnswer>({ countMax: 9, bytesMax: 2 * bytes });
  decisions.keep('a', ANN!, 100);
  decisions.keep('b', BOB!, 100);
  decisions.keep('a', large, 100);
  expect(['a', 'b'].map((key) => found(decisions, key, 0))).toEqual([null, BOB]);
});
