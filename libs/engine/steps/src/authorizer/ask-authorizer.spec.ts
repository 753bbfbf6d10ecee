import { Buffer } from 'node:buffer';
import type { FunctionAuthorizerSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  AUTHORIZER_ASKED,
  AUTHORIZER_KEPT,
  CONTINUE,
  contextVariable,
  Exchange,
  FAULT,
  LinkRefusal,
  RequestJournal,
  type Connector,
  type PolicyDenial,
  type UpstreamAnswer,
  type UpstreamFailure,
} from '@gatehouse/engine-exchange';
import { ManualClock, systemClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { authorize } from '../index.js';

const AUTHORIZER: FunctionAuthorizerSnapshot = {
  type: 'TOKEN',
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:auth',
  identitySources: ['method.request.header.Authorization'],
  validationExpression: null,
  ttlSeconds: 300,
};
const route = routeSnapshot({ path: '/{proxy+}', authorization: { type: 'FUNCTION', authorizerId: 'a1' } });
/** Decisions are kept for the process: each test has an API of its own. */
let apiNumber = 0;
const stageWith = (over: Partial<FunctionAuthorizerSnapshot> = {}, stage: Partial<StageSnapshot> = {}): StageSnapshot =>
  stageSnapshot({ apiId: `api${apiNumber}`, authorizers: { a1: { ...AUTHORIZER, ...over } }, routes: [route], ...stage });

let count: number;
let reply: UpstreamAnswer | UpstreamFailure;
const functions: Connector = { call: async () => (count++, reply) };
beforeEach(() => {
  apiNumber++;
  count = 0;
  allow('*');
});

afterEach(() => void vi.restoreAllMocks());

function allow(resource: string, ...more: readonly object[]): void {
  const Statement = [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: resource }, ...more];
  const payload = { principalId: 'me', policyDocument: { Version: '2012-10-17', Statement }, context: { tier: 'gold' } };
  reply = { status: 200, headers: [], body: Buffer.from(JSON.stringify(payload)) };
}

const request = (token: string, resourcePath = '/pets'): Exchange =>
  Object.assign(new Exchange(), { httpMethod: 'GET', resourcePath, requestHeaders: ['Authorization', token] });
const step = (stage: StageSnapshot) =>
  authorize({ functions, http: functions, limits: { clock: systemClock } })({ stage, route })!;

test('who is known is let in without a question and at once, for as long as the authorizer says', async () => {
  const ask = step(stageWith());
  expect(await ask(request('t'))).toBe(CONTINUE);
  const known = request('t');
  expect(ask(known)).toBe(CONTINUE);
  expect([count, known.authorizer?.principalId, known.authorizerLatencyMs]).toEqual([1, 'me', 0]);
  expect(await ask(request('u'))).toBe(CONTINUE);
  expect(count).toBe(2);
});

test.each<[string, Partial<FunctionAuthorizerSnapshot>]>([
  ['keeps nothing', { ttlSeconds: 0 }],
  ['goes by nothing', { type: 'REQUEST', identitySources: [] }],
])('an authorizer that %s is asked each time', async (_, over) => {
  const ask = step(stageWith(over));
  await ask(request('t'));
  await ask(request('t'));
  expect(count).toBe(2);
});

test('what was decided holds across deployments, but not for other settings, another API, or behind a flush', async () => {
  const ask = async (stage: StageSnapshot) => {
    await step(stage)(request('t'));
    return count;
  };
  expect(await ask(stageWith())).toBe(1);
  expect(await ask(stageWith({}, { deploymentId: 'another' }))).toBe(1);
  expect(await ask(stageWith({ ttlSeconds: 301 }))).toBe(2);
  expect(await ask(stageWith({}, { cacheEpochs: { responses: 0, authorizers: 1 } }))).toBe(3);
  expect(await ask(stageWith({}, { stage: 'other' }))).toBe(4);
  expect(await ask(stageWith({}, { tenant: '999999999999' }))).toBe(5);
});

test('a caller who comes often is known to its own authorizer, stage and tenant alone, and not behind a flush', async () => {
  const authorizers = { a1: AUTHORIZER, a2: AUTHORIZER };
  const setups: readonly (readonly [authorizerId: string, stage: Partial<StageSnapshot>])[] = [
    ['a1', {}],
    ['a2', {}],
    ['a1', { stage: 'other' }],
    ['a1', { tenant: '999999999999' }],
    ['a1', { cacheEpochs: { responses: 0, authorizers: 1 } }],
  ];
  const one = stageWith({}, { authorizers });
  for (const [i, [authorizerId, over]] of setups.entries()) {
    const own = routeSnapshot({ path: '/{proxy+}', authorization: { type: 'FUNCTION', authorizerId } });
    const settings = { stage: i < 2 ? one : { ...one, ...over }, route: own };
    const ask = authorize({ functions, http: functions, limits: { clock: systemClock } })(settings)!;
    for (let time = 0; time < 3; time++) expect(await ask(request('t'))).toBe(CONTINUE);
    expect(count, authorizerId).toBe(i + 1);
  }
});

test('a caller who comes often is asked about again when the time of its decision is over', async () => {
  vi.spyOn(performance, 'now').mockReturnValue(1_000);
  const ask = step(stageWith());
  for (let time = 0; time < 3; time++) await ask(request('t'));
  vi.spyOn(performance, 'now').mockReturnValue(300_999);
  await ask(request('t'));
  expect(count).toBe(1);
  vi.spyOn(performance, 'now').mockReturnValue(301_000);
  await ask(request('t'));
  expect(count).toBe(2);
});

test('two values are another identity than the same characters parted elsewhere, however often they come', async () => {
  const identitySources = ['A', 'B'].map((name) => `method.request.header.${name}`);
  const ask = step(stageWith({ type: 'REQUEST', identitySources }));
  const from = (a: string, b: string) => Object.assign(request(''), { requestHeaders: ['A', a, 'B', b] });
  for (let time = 0; time < 3; time++) await ask(from('t', '1:u'));
  for (const [a, b] of [
    ['t1:u', ''],
    ['t1:', 'u'],
    ['t', '1:'],
    ['t1', ':u'],
  ] as const)
    await ask(from(a, b));
  expect(count).toBe(4); // the first of them lacks a value
});

test.each<[string, readonly object[]]>([
  ['allows nothing', []],
  ['denies everything', [{ Effect: 'Deny', Action: '*', Resource: '*' }]],
  ['denies everything it allows', ['Allow', 'Deny'].map((Effect) => ({ Effect, Action: '*', Resource: '*' }))],
  ['allows another action', [{ Effect: 'Allow', Action: 'execute-api:InvalidateCache', Resource: '*' }]],
])('a policy that %s lets in nobody, asked or kept', async (_, Statement) => {
  const payload = { principalId: 'me', policyDocument: { Version: '2012-10-17', Statement } };
  reply = { status: 200, headers: [], body: Buffer.from(JSON.stringify(payload)) };
  const ask = step(stageWith());
  for (let time = 0; time < 3; time++) expect(await ask(request('t'))).toBe(FAULT);
  expect(count).toBe(1);
});

test('one kept decision is judged for each method and path by itself', async () => {
  allow('*/GET/pets', { Effect: 'Allow', Action: '*', Resource: '*/POST/toys' });
  const ask = step(stageWith());
  const outcomes: string[] = [];
  for (const [httpMethod, path] of [
    ['GET', '/pets'],
    ['POST', '/pets'],
    ['GET', '/toys'],
    ['POST', '/toys'],
    ['GET', '/pets'],
  ] as const) {
    const x = Object.assign(request('t', path), { httpMethod });
    outcomes.push(`${httpMethod} ${path} ${(await ask(x)) === CONTINUE ? 'in' : x.fault!.name}`);
  }
  expect([count, outcomes]).toEqual([
    1,
    ['GET /pets in', 'POST /pets ACCESS_DENIED', 'GET /toys ACCESS_DENIED', 'POST /toys in', 'GET /pets in'],
  ]);
});

/** Fault 42: whoever asked with one of these and was let in has said nothing about the others. */
test('the same values in another tenant, API, stage, authorizer, function, source or order are another question', async () => {
  const header = (name: string) => `method.request.header.${name}`;
  const from = (...sources: readonly string[]) => ({ type: 'REQUEST', identitySources: sources.map(header) }) as const;
  const two = ['A', 'B'];
  type Setup = readonly [
    headers: readonly string[],
    over?: Partial<FunctionAuthorizerSnapshot>,
    stage?: Partial<StageSnapshot>,
    authorizerId?: string,
  ];
  const setups: readonly Setup[] = [
    [['A', 't', 'B', 'u'], from(...two)],
    [['A', 'u', 'B', 't'], from(...two)],
    [['A', 't', 'B', 'u'], from('B', 'A')],
    [['A', 't', 'C', 'u'], from('A', 'C')],
    [['A', 'tu', 'B', ' '], from(...two)],
    [['A', 't', 'B', 'u'], { ...from(...two), functionArn: `${AUTHORIZER.functionArn}2` }],
    [['A', 't'], from('A')],
    [['A', 't'], { identitySources: [header('A')] }],
    [['A', '["t","u"]'], from('A')],
    [['A', 't'], { ...from('A'), account: '999999999999' }],
    [['A', 't'], from('A'), { tenant: '999999999999' }],
    [['A', 't'], from('A'), { apiId: 'api-of-another' }],
    [['A', 't'], from('A'), { stage: 'other' }],
    [['A', 't'], from('A'), {}, 'a2'],
  ];
  const ask = async ([requestHeaders, over, stage, authorizerId = 'a1']: Setup) => {
    const snapshot = stageWith(over, stage);
    const authorizers = { [authorizerId]: snapshot.authorizers!['a1']! };
    const own = routeSnapshot({ path: '/{proxy+}', authorization: { type: 'FUNCTION', authorizerId } });
    const settings = { stage: { ...snapshot, authorizers, routes: [own] }, route: own };
    const x = Object.assign(request(''), { requestHeaders });
    const verdict = await authorize({ functions, http: functions, limits: { clock: systemClock } })(settings)!(x);
    return verdict === CONTINUE ? 'in' : 'out';
  };
  for (const setup of setups) {
    allow('*');
    expect(await ask(setup)).toBe('in');
  }
  expect(count).toBe(setups.length);
  // All are kept, each for itself: nobody is kept out by what the function says now, and nobody new let in.
  allow('nothing');
  for (const setup of setups) expect(await ask(setup)).toBe('in');
  expect(count).toBe(setups.length);
});

test('a failure is not kept', async () => {
  const ask = step(stageWith());
  reply = { failure: 'NETWORK', cause: null };
  const x = request('t');
  expect(await ask(x)).toBe(FAULT);
  expect(x.fault?.name).toBe('AUTHORIZER_FAILURE');
  allow('*');
  expect(await ask(request('t'))).toBe(CONTINUE);
});

test('who is kept out is known to gateway responses', async () => {
  allow('arn:aws:execute-api:us-east-1:123456789012:other/*');
  const x = request('t');
  expect(await step(stageWith())(x)).toBe(FAULT);
  expect([x.fault?.name, contextVariable('authorizer.principalId')!(x), contextVariable('authorizer.tier')!(x)]).toEqual([
    'ACCESS_DENIED',
    'me',
    'gold',
  ]);
});

test.each([
  ['/admin', 'a statement of the policy denies it', 1],
  ['/%61dmin', 'a statement of the policy denies it', 1],
])('the cause of a denial names the statement: %s', async (path, text, statement) => {
  allow('*', { Effect: 'Deny', Action: '*', Resource: '*/GET/admin' });
  const x = request('t', path);
  await step(stageWith())(x);
  const denial = x.faultCause as PolicyDenial;
  expect([String(denial), denial.findStatement()]).toEqual([text, statement]);
});

test('a journal tells what was asked, what came back, what was decided, and whence', async () => {
  const ask = step(stageWith());
  const asked = Object.assign(request('t'), { journal: new RequestJournal(new ManualClock(5)) });
  await ask(asked);
  const kept = Object.assign(request('t'), { journal: new RequestJournal(new ManualClock(5)) });
  await ask(kept);
  expect(asked.journal.entries.map(({ event }) => event)).toMatchObject([
    { type: 'IDENTIFIED', authorizerId: 'a1', identity: ['t'] },
    { type: 'CALLED', target: 'authorizer', url: AUTHORIZER.functionArn },
    { type: 'ANSWERED', target: 'authorizer', status: 200 },
    { type: 'AUTHORIZED', authorizerId: 'a1', source: 'ASKED', principalId: 'me', isAllowed: true, reason: '' },
  ]);
  expect(kept.journal.entries.map(({ event }) => event)).toMatchObject([
    { type: 'IDENTIFIED' },
    { type: 'AUTHORIZED', source: 'KEPT' },
  ]);
  expect([asked.authorizerSource, kept.authorizerSource]).toEqual([AUTHORIZER_ASKED, AUTHORIZER_KEPT]);
});

test.each(['/admin', '//admin', '/admin/', '/admin//', '/%61dmin', '/adm%69n/'])(
  'a path that is denied stays denied however it is written: %s',
  async (path) => {
    allow('*', { Effect: 'Deny', Action: '*', Resource: '*/GET/admin' });
    const x = request('t', path);
    expect(await step(stageWith())(x)).toBe(FAULT);
    expect(x.faultMessage).toBe('User is not authorized to access this resource with an explicit deny');
    expect(await step(stageWith())(request('t', '/administrator'))).toBe(CONTINUE);
  },
);

test('a caller who left while the function thought is not answered by it', async () => {
  const x = request('t');
  const verdict = step(stageWith())(x);
  x.callerLeft();
  expect(await verdict).toBe(FAULT);
  expect(x.fault?.name).toBe('CALLER_LEFT');
});

test.each([
  ['is not there', {}],
  ['cannot be asked', { a1: { type: 'REFUSE', reason: 'because' } }],
])('a route whose authorizer %s is refused', (_, authorizers) => {
  expect(() => step(stageWith({}, { authorizers } as Partial<StageSnapshot>))).toThrow(LinkRefusal);
});
