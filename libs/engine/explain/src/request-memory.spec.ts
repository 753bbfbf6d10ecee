import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import {
  AUTHORIZER_KEPT,
  CONTINUE,
  Exchange,
  noteReceived,
  PolicyDenial,
  RequestJournal,
  RESPOND,
  runProgram,
  STREAM_BODY,
  TemplateFailure,
  type FaultKind,
  type LinkedStage,
  type Step,
} from '@gatehouse/engine-exchange';
import type { IntegrationSnapshot } from '@gatehouse/contracts';
import { ManualClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { beforeEach, expect, test } from 'vitest';
import { RequestMemory, type ExplainOptions } from './index.js';

const ID = '11111111-2222-3333-4444-555555555555';
const TENANT = '123456789012';
const DENIED: FaultKind = {
  name: 'ACCESS_DENIED',
  responseType: 'ACCESS_DENIED',
  status: 403,
  errorType: 'AccessDeniedException',
  message: 'no',
  source: 'caller',
  retry: false,
};
const metrics = { record: () => undefined };
const faults = { render: (x: Exchange) => void (x.status = x.fault!.status) };
const go: Step = () => CONTINUE;

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock(1_700_000_000_000);
});

const memory = (over: Partial<ExplainOptions> = {}): RequestMemory =>
  new RequestMemory({ clock, bytesMax: 1_000_000, keepMs: 3_600_000, sampleEvery: 0, secretNames: [], ...over });
const record = (explain: RequestMemory, x: Exchange): void => explain.keep(x, performance.now() - x.startedAtMs);

const stage = (over = {}): LinkedStage => ({
  digest: 'd',
  snapshot: stageSnapshot({ tenant: TENANT, ...over }),
  isCanary: null,
  canary: null,
  faults,
  metrics,
  match: () => null,
});

interface Given {
  readonly stage?: LinkedStage;
  readonly request?: readonly Step[];
  readonly response?: readonly Step[];
  readonly over?: Partial<Exchange>;
  readonly integration?: IntegrationSnapshot;
}

/** A request through steps, as a listener serves it. */
async function serve(
  explain: RequestMemory,
  { stage: of = stage(), request = [go, go], response = [go], over = {}, integration }: Given = {},
) {
  const x = new Exchange();
  x.requestId = ID;
  x.receivedAtMs = clock.nowMs();
  x.startedAtMs = performance.now();
  x.httpMethod = 'GET';
  x.path = '/dev/pets/7';
  x.sourceIp = '198.51.100.7';
  x.stage = of;
  Object.assign(x, over);
  const stepNames = { request: ['authorize', 'integrate'], response: ['map response'] };
  const program = {
    requestSteps: request,
    responseSteps: response,
    requestBody: STREAM_BODY,
    responseBody: STREAM_BODY,
    faults,
    bugFault: DENIED,
    stepNames,
  };
  const settings = routeSnapshot({ path: '/pets/{id}', ...(integration !== undefined && { integration }) });
  x.route = { settings, paramNames: [], program, metrics };
  x.journal = explain.open(x);
  if (x.journal !== null) noteReceived(x.journal, x);
  await runProgram(program, x);
  record(explain, x);
  return x;
}

const verdicts = (explain: RequestMemory) =>
  explain.explain(TENANT, ID)!.steps.map(({ name, verdict, why }) => [name, verdict, why]);

test('of every request it tells route, deployment, steps, times and bytes', async () => {
  const explain = memory();
  const request: Step = (x) => {
    x.upstreamRequest = {
      httpMethod: 'GET',
      url: 'http://user:pw@backend.example/pets?secret=1',
      tenant: TENANT,
      traceId: '',
      block: null,
      headers: [],
      body: null,
      timeoutMs: 1,
    };
    x.integrationStartedAtMs = x.startedAtMs + 2;
    x.integrationLatencyMs = 12.34;
    x.upstreamAnswer = { status: 201, headers: [], body: Buffer.from('12345') };
    x.status = 202;
    return CONTINUE;
  };
  const over = {
    deliveredBytes: 5,
    apiKey: { apiKeyId: 'key1' },
    usagePlan: { settings: { usagePlanId: 'plan1' } },
    authorizer: { principalId: 'me', context: new Map() },
    authorizerSource: AUTHORIZER_KEPT,
  };
  await serve(explain, { request: [go, request], over: over as never });
  expect(explain.explain(TENANT, ID)).toEqual({
    requestId: ID,
    receivedAt: '2023-11-14T22:13:20.000Z',
    detail: null,
    route: { apiId: 'abc123defg', stage: 'dev', deploymentId: 'dep123', resource: '/pets/{id}', httpMethod: 'GET' },
    request: { httpMethod: 'GET', path: '/dev/pets/7', sourceIp: '198.51.100.7', bodyBytes: 0 },
    caller: { principalId: 'me', authorizer: 'kept', authorizerLatencyMs: 0, apiKeyId: 'key1', usagePlanId: 'plan1' },
    steps: [
      { half: 'request', name: 'authorize', verdict: 'continued', why: '' },
      { half: 'request', name: 'integrate', verdict: 'continued', why: '' },
      { half: 'response', name: 'map response', verdict: 'continued', why: '' },
    ],
    fault: null,
    upstream: { url: 'http://backend.example/pets', startedAfterMs: 2, latencyMs: 12.34, status: 201, bodyBytes: 5 },
    response: { status: 202, latencyMs: expect.any(Number) as number, bodyBytes: 5, callerLeft: false },
  });
});

test('a step that fails is named with its reason, and those behind it did not run', async () => {
  const explain = memory();
  const deny: Step = (x) => x.fail(DENIED, new Error('the cause'), 'judging');
  await serve(explain, { request: [deny, go] });
  expect(verdicts(explain)).toEqual([
    ['authorize', 'failed', 'ACCESS_DENIED: judging: the cause'],
    ['integrate', 'not run', ''],
    ['map response', 'not run', ''],
  ]);
  expect(explain.explain(TENANT, ID)!.fault).toMatchObject({ name: 'ACCESS_DENIED', message: 'no', source: 'caller' });
  await serve(explain, { response: [deny] });
  expect(verdicts(explain)).toEqual([
    ['authorize', 'continued', ''],
    ['integrate', 'continued', ''],
    ['map response', 'failed', 'ACCESS_DENIED: judging: the cause'],
  ]);
});

test('a step that answers skips the rest of its half', async () => {
  const explain = memory();
  await serve(explain, { request: [() => RESPOND, go] });
  expect(verdicts(explain)).toEqual([
    ['authorize', 'responded', ''],
    ['integrate', 'not run', ''],
    ['map response', 'continued', ''],
  ]);
});

test('nobody else is told: another tenant, another id, and after its time', async () => {
  const explain = memory();
  await serve(explain);
  expect(explain.explain('999999999999', ID)).toBeNull();
  expect(explain.explain(TENANT, ID.replace('1', '2'))).toBeNull();
  expect(explain.explain(TENANT, '')).toBeNull();
  expect(explain.explain(TENANT, ID.slice(0, 8))).toBeNull();
  clock.advance(3_600_001);
  expect(explain.explain(TENANT, ID)).toBeNull();
});

test.each([
  ['PURGE', null, 'PURGE', null],
  ['GET', 'ann', 'GET', 'ann'],
  ['GET', `li\u010a${'x'.repeat(60_000)}`, 'GET', `li?${'x'.repeat(125)}`],
])('method and principal are told with and without a backend: %s %s', async (httpMethod, principalId, method, principal) => {
  const authorizer = principalId === null ? null : ({ principalId, context: new Map() } as never);
  for (const url of [null, 'http://u:p@backend/x']) {
    const explain = memory();
    const upstreamRequest = url === null ? null : ({ url } as never);
    const integrationLatencyMs = url === null ? -1 : 1;
    await serve(explain, { over: { httpMethod, authorizer, upstreamRequest, integrationLatencyMs } });
    const told = explain.explain(TENANT, ID)!;
    expect([told.request.httpMethod, told.caller.principalId, told.upstream?.url]).toEqual([
      method,
      principal,
      url === null ? undefined : 'http://backend/x',
    ]);
  }
});

test('of requests with one id the newest is told', async () => {
  const explain = memory();
  await serve(explain, { over: { path: '/first' } });
  await serve(explain, { over: { path: '/second' } });
  expect(explain.explain(TENANT, ID)!.request.path).toBe('/second');
});

test('a path that holds the id of another request is not taken for it', async () => {
  const explain = memory();
  const other = '99999999-2222-3333-4444-555555555555';
  await serve(explain, { over: { requestId: other, path: `/${ID}\n` } });
  expect(explain.explain(TENANT, ID)).toBeNull();
});

test('a denial tells the statement, a failed template its name, line and column, with secrets hidden', async () => {
  const explain = memory();
  const document = { Statement: [{ Effect: 'Allow' }, { Sid: 'NoAdmin', Effect: 'Deny' }] };
  const requestHeaders = ['Authorization', 'Bearer topsecret'];
  await serve(explain, {
    request: [(x) => x.fail(DENIED, new PolicyDenial(true, 'arn:x', document, () => 1), 'judging'), go],
    over: { requestHeaders },
  });
  expect(explain.explain(TENANT, ID)!.detail).toMatchObject({
    because: 'fault',
    denial: { resource: 'arn:x', statementIndex: 1, statement: { Sid: 'NoAdmin', Effect: 'Deny' } },
    events: [{ type: 'RECEIVED', headers: ['Authorization', '[redacted]'] }],
  });
  const error = Object.assign(new Error('bad at line 3, column 4'), { line: 3, column: 4, reason: 'bad' });
  const input = Buffer.from('{"seen":"topsecret","password":"p"}');
  await serve(explain, {
    request: [(x) => x.fail(DENIED, new TemplateFailure('request', 'application/json', error, input), 'rendering'), go],
    over: { requestHeaders },
  });
  expect(explain.explain(TENANT, ID)!.detail!.template).toEqual({
    half: 'request',
    name: 'application/json',
    line: 3,
    column: 4,
    reason: 'bad',
    input: '{"seen":"[redacted]","password":"[redacted]"}',
  });
});

test('one successful request in so many is kept whole, as the node or the stage says', async () => {
  const explain = memory({ sampleEvery: 3 });
  const details = async (of?: LinkedStage) => {
    const kept: boolean[] = [];
    for (let i = 0; i < 6; i++) {
      await serve(explain, of === undefined ? {} : { stage: of });
      kept.push(explain.explain(TENANT, ID)!.detail !== null);
    }
    return kept;
  };
  expect(await details()).toEqual([false, false, true, false, false, true]);
  clock.advance(2_000);
  expect(await details(stage({ explain: { sampleEvery: 1 } }))).toEqual(Array(6).fill(true));
  expect(await details(stage({ explain: { sampleEvery: 0 } }))).toEqual(Array(6).fill(false));
});

test("a journal that is kept for somebody else's sake makes a request no sample; of one that fails it is told", async () => {
  const explain = memory();
  const opens: Step = (x) => ((x.journal = new RequestJournal(clock)).note({ type: 'DECIDED', step: 's', text: 't' }), CONTINUE);
  await serve(explain, { request: [opens, go] });
  expect(explain.explain(TENANT, ID)!.detail).toBeNull();
  await serve(explain, { request: [opens, (x) => x.fail(DENIED)] });
  expect(explain.explain(TENANT, ID)!.detail).toMatchObject({ because: 'fault', events: [{ type: 'DECIDED' }] });
});

test('secrets of the request are not in the reasons of its fault either', async () => {
  const explain = memory();
  const fail: Step = (x) => x.fail(DENIED, new Error('no host topsecret'), 'calling with password=pw');
  await serve(explain, { request: [fail, go], over: { requestHeaders: ['Authorization', 'Bearer topsecret'] } });
  expect(explain.explain(TENANT, ID)!.fault).toMatchObject({
    cause: 'no host [redacted]',
    doing: 'calling with password=[redacted]',
  });
});

test('what the stage hides is hidden, beside what the node hides', async () => {
  const explain = memory({ sampleEvery: 1, secretNames: ['x-node'] });
  const requestHeaders = ['X-Node', '1', 'X-Own', '2', 'X-Free', '3'];
  await serve(explain, { stage: stage({ explain: { secretNames: ['x-own'] } }), over: { requestHeaders } });
  const [received] = explain.explain(TENANT, ID)!.detail!.events;
  expect(received!['headers']).toEqual(['X-Node', '[redacted]', 'X-Own', '[redacted]', 'X-Free', '3']);
});

test('a flood of faults is recorded with its reasons, and in detail within a bound', async () => {
  const explain = memory();
  let detailed = 0;
  for (let i = 0; i < 200; i++) {
    await serve(explain, { request: [(x) => x.fail(DENIED, null, 'judging'), go] });
    const told = explain.explain(TENANT, ID)!;
    expect(told.fault!.doing).toBe('judging');
    if (told.detail !== null) detailed++;
  }
  expect(detailed).toBe(50);
});

test('however much a request carries, what is kept of it fits, and the ring keeps its bound', async () => {
  const explain = memory({ sampleEvery: 1, bytesMax: 200_000 });
  const requestHeaders = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? `X-${i}` : 'v'.repeat(2_000)));
  for (let i = 0; i < 30; i++) {
    await serve(explain, { over: { requestHeaders, path: `/${'p'.repeat(8_000)}` } });
    clock.advance(200);
    expect(explain.bytes).toBeLessThanOrEqual(200_000);
  }
  const told = explain.explain(TENANT, ID)!;
  expect([told.request.path.length, told.detail?.isCut]).toEqual([512, true]);
});

test('a request that found no route tells its stage; one of nobody is not kept', async () => {
  const explain = memory();
  const lost = Object.assign(new Exchange(), { requestId: ID, stage: stage(), receivedAtMs: clock.nowMs(), path: '/x' });
  lost.fail(DENIED, null, 'looking for a route');
  record(explain, lost);
  expect(explain.explain(TENANT, ID)).toMatchObject({
    route: { stage: 'dev', resource: null },
    steps: [],
    fault: { doing: 'looking for a route' },
  });
  record(explain, Object.assign(new Exchange(), { requestId: ID.replace('1', '9') }));
  expect(explain.explain(TENANT, ID.replace('1', '9'))).toBeNull();
});

test('requests of many tenants whose text waits to be written together are each told whole, and only to their own', async () => {
  const explain = memory();
  const idOf = (i: number) => `${String(i).padStart(8, '0')}${ID.slice(8)}`;
  const tenantOf = (i: number) => `12345678900${i % 3}`;
  const fail: Step = (x) => x.fail(DENIED, null, 'judging');
  for (let i = 0; i < 50; i++) {
    const over = { requestId: idOf(i), path: `/dev/pets/${i}` };
    await serve(explain, { stage: stage({ tenant: tenantOf(i) }), request: i % 7 === 6 ? [fail] : [go], over });
  }
  for (let i = 0; i < 50; i++) {
    const told = explain.explain(tenantOf(i), idOf(i));
    expect([told?.request.path, told?.fault?.doing]).toEqual([`/dev/pets/${i}`, i % 7 === 6 ? 'judging' : undefined]);
    expect(explain.explain(tenantOf(i + 1), idOf(i))).toBeNull();
  }
});

test("a backend's URL that its owner wrote is told as one that a caller filled in is, without query and credentials", async () => {
  const explain = memory();
  const uri = 'http://user:pw@backend.example/pets?fixed=1';
  const calls = (url: string): Step => {
    const upstreamRequest = {
      httpMethod: 'GET',
      url,
      tenant: TENANT,
      traceId: '',
      block: null,
      headers: [],
      body: null,
      timeoutMs: 1,
    };
    return (x) => {
      x.upstreamRequest = upstreamRequest;
      x.integrationLatencyMs = 1;
      return CONTINUE;
    };
  };
  const integration = {
    type: 'HTTP_PROXY',
    uri,
    httpMethod: 'GET',
    timeoutMs: 1,
    requestParameters: {},
    insecureSkipVerification: false,
  } as const;
  for (const url of [uri, `${uri}&of=caller`]) {
    await serve(explain, { request: [calls(url)], integration });
    expect(explain.explain(TENANT, ID)!.upstream!.url).toBe('http://backend.example/pets');
  }
});
