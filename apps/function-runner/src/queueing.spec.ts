/** What a burst meets at this machine's limits: calls wait for a place, in turns. */
import { afterEach, expect, test } from 'vitest';
import { ACCOUNT, RunnerHarness, TOKEN } from './testing/harness.js';

const NEIGHBOUR = '444455556666';
const code = 'exports.handler = async (e) => { await new Promise((r) => setTimeout(r, e.ms)); return process.pid; };';
const files = { 'index.js': code };
const LIMITS = { perFunction: 10, total: 10, idleMs: 60_000, queueMs: 60_000 };

let runner: RunnerHarness;
afterEach(() => runner.close());

test('60 calls at once at a limit of 10 all succeed, in 10 environments', async () => {
  runner = await RunnerHarness.start({ limits: { ...LIMITS, total: 50 } });
  await runner.publish('burst', { files });
  const answers = await Promise.all(Array.from({ length: 60 }, () => runner.invoke('burst', { ms: 20 })));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 60 }, () => 200));
  expect(new Set(answers.map(({ json }) => json)).size).toBe(10);
});

test("a neighbour's call is served in the middle of a tenant's flood", async () => {
  runner = await RunnerHarness.start({ limits: { ...LIMITS, perFunction: 2, total: 2 } });
  await runner.publish('flood', { files });
  await runner.publish('neighbour', { tenant: NEIGHBOUR, files });
  let answeredCount = 0;
  const flood = Array.from({ length: 60 }, () => runner.invoke('flood', { ms: 50 }).then(() => answeredCount++));
  await Promise.race(flood); // by now both places are taken, and the rest is waiting
  const answer = await runner.invoke(`arn:aws:lambda:us-east-1:${NEIGHBOUR}:function:neighbour`, { ms: 0 });
  expect(answer.status).toBe(200);
  expect(answeredCount).toBeLessThan(60);
  await Promise.all(flood);
});

test('a call that waited in vain is throttled', async () => {
  runner = await RunnerHarness.start({ limits: { ...LIMITS, perFunction: 1, queueMs: 20 } });
  await runner.publish('slow', { files });
  const answers = await Promise.all([1, 2].map(() => runner.invoke('slow', { ms: 1_000 })));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 429]);
  expect(answers.find(({ status }) => status === 429)?.json).toMatchObject({ Reason: 'ConcurrentInvocationLimitExceeded' });
});

test("a function's own reservation throttles at once", async () => {
  runner = await RunnerHarness.start({ limits: LIMITS });
  await runner.publish('reserved', { reservedConcurrency: 1, files });
  const answers = await Promise.all([1, 2].map(() => runner.invoke('reserved', { ms: 500 })));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 429]);
  expect(answers.find(({ status }) => status === 429)?.json).toMatchObject({
    Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
  });
});

test('a caller that leaves while it waits costs nothing: its call never runs', async () => {
  runner = await RunnerHarness.start({ limits: { ...LIMITS, perFunction: 1 } });
  const counting = 'let n = 0; exports.handler = async (e) => { n++; await new Promise((r) => setTimeout(r, e.ms)); return n; };';
  await runner.publish('counted', { files: { 'index.js': counting } });
  const first = runner.invoke('counted', { ms: 500 });
  const leaving = new AbortController();
  const left = fetch(`${runner.url}/2015-03-31/functions/${ACCOUNT}:function:counted/invocations`, {
    method: 'POST',
    body: '{"ms":0}',
    headers: { authorization: `Bearer ${TOKEN}` },
    signal: leaving.signal,
  }).catch(() => 'left');
  await runner.invoke('counted', { ms: 0 }, { 'x-amz-invocation-type': 'DryRun' }); // the other calls have arrived before it
  leaving.abort();
  expect(await left).toBe('left');
  expect((await first).json).toBe(1);
  expect((await runner.invoke('counted', { ms: 0 })).json).toBe(2);
});
