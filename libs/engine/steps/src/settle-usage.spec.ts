import {
  CONTINUE,
  Exchange,
  FAULT,
  RESPOND,
  runProgram,
  settleProgram,
  STREAM_BODY,
  type Program,
  type Step,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { expect, test } from 'vitest';
import { settleUsage, settlingFaults, type Limits } from './index.js';

const settings = (apiKeyRequired: boolean) => ({ stage: stageSnapshot({}), route: routeSnapshot({ apiKeyRequired }) });

/** What happened in order: `settle {countedAtMs}`, `answer`. */
function programOf(happened: string[], requestStep: Step, responseStep: Step): Program {
  const usage = { count: () => undefined, settle: (countedAtMs: number) => void happened.push(`settle ${countedAtMs}`) };
  const settle = settleUsage({ usage } as unknown as Limits)(settings(true));
  const answer = (x: Exchange) => {
    const verdict = responseStep(x);
    if (verdict === CONTINUE) happened.push('answer');
    return verdict;
  };
  return {
    requestSteps: [requestStep],
    responseSteps: [settle!, answer],
    requestBody: STREAM_BODY,
    responseBody: STREAM_BODY,
    faults: settlingFaults(settle, { render: () => void happened.push('answer') }),
    bugFault: FAULTS.BUG,
  };
}

const counted =
  (step: Step): Step =>
  (x) => {
    x.countedAtMs = 5;
    return step(x);
  };
const broken = (): never => {
  throw new Error('a bug');
};
const refused: Step = (x) => x.fail(FAULTS.THROTTLED);
const goOn: Step = () => CONTINUE;

for (const [what, requestStep, responseStep] of [
  ['an answer', goOn, goOn],
  ['an answer that needs no backend', () => RESPOND, goOn],
  ['a refusal', refused, goOn],
  ['a bug', broken, goOn],
  ['a refusal that took its time', async () => FAULT, goOn],
  ['a fault of the answer', goOn, refused],
  ['a bug in the answer', goOn, broken],
] as [string, Step, Step][]) {
  test(`${what} goes out after the request is counted for good`, async () => {
    const happened: string[] = [];
    await runProgram(programOf(happened, counted(requestStep), responseStep), new Exchange());
    expect(happened[0]).toBe('settle 5');
    expect(happened.at(-1)).toBe('answer');
  });
}

test('a request that was not counted waits for no write', async () => {
  const happened: string[] = [];
  await runProgram(programOf(happened, refused, goOn), new Exchange());
  expect(happened).toEqual(['answer']);
});

test('a route without a key has nothing to settle', () => {
  const usage = { count: () => undefined, settle: () => undefined };
  expect(settleUsage({ usage } as unknown as Limits)(settings(false))).toBe(null);
});

test('an answer that is made elsewhere can settle too, once its program has begun', async () => {
  const happened: string[] = [];
  const x = new Exchange();
  settleProgram(x);
  expect(happened).toEqual([]);
  await runProgram(programOf(happened, counted(goOn), goOn), x);
  happened.length = 0;
  settleProgram(x);
  expect(happened).toEqual(['settle 5']);
});
