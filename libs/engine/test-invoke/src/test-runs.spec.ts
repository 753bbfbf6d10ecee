import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import type { StageSnapshot } from '@gatehouse/contracts';
import type { Connector, UpstreamAnswer, UpstreamFailure, UpstreamRequest, WorldView } from '@gatehouse/engine-exchange';
import { canonicalJson, ManualClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { beforeEach, expect, test } from 'vitest';
import { TestRuns, type TestRequest } from './test-runs.js';

/** Whoever asks limits in a test run spends what belongs to callers. */
const never = (): never => {
  throw new Error('a test run was held against limits');
};
const world: WorldView = {
  revision: 1,
  apiKey: () => null,
  usagePlan: () => null,
  accessKey: () => null,
  serviceAccess: () => null,
};
const clock = new ManualClock(Date.UTC(2026, 10, 1, 9, 5, 7));

let sent: UpstreamRequest[];
let answer: UpstreamAnswer | UpstreamFailure;
let runs: TestRuns;
let bugs: unknown[];
beforeEach(() => {
  sent = [];
  bugs = [];
  answer = { status: 200, headers: ['X-A', 'b'], body: Buffer.from('hello') };
  const connector: Connector = { call: async (request) => (sent.push(request), answer) };
  runs = new TestRuns({
    bindings: {
      limits: { buckets: { bucket: never }, quotas: { spend: never }, usage: { count: never }, clock },
      http: connector,
      insecureHttp: connector,
      functions: connector,
    },
    world: () => world,
    clock,
    onBug: (bug) => bugs.push(bug),
  });
});

const proxy = routeSnapshot({
  path: '/pets/{id}',
  integration: {
    type: 'HTTP_PROXY',
    uri: 'http://backend.example/pets',
    httpMethod: 'GET',
    timeoutMs: 1_000,
    requestParameters: {},
    insecureSkipVerification: false,
  },
});
const run = (over: Partial<TestRequest> = {}, snapshot: StageSnapshot = stageSnapshot({ routes: [proxy] })) =>
  runs.run({
    snapshot: new TextEncoder().encode(canonicalJson(snapshot)),
    httpMethod: 'GET',
    pathWithQuery: '/pets/7',
    headers: [],
    body: new Uint8Array(),
    authorizerId: '',
    ...over,
  });
const linesOf = (log: string): string[] => log.split('\n').map((line) => line.replace(/^.* UTC \d{4} : /, ''));

test('every line but the first has the time as AWS writes it', async () => {
  const { log } = await run({ headers: ['x-amzn-RequestId', '11111111-2222-3333-4444-555555555555'] });
  expect(log.split('\n').slice(0, 2)).toEqual([
    'Execution log for request 11111111-2222-3333-4444-555555555555',
    'Sun Nov 01 09:05:07 UTC 2026 : Starting execution for request: 11111111-2222-3333-4444-555555555555',
  ]);
});

test('a streamed answer of a backend is logged whole, and passed on', async () => {
  answer = { status: 200, headers: ['X-A', 'b'], body: Readable.from([Buffer.from('hel'), Buffer.from('lo')]) };
  const result = await run();
  expect(Buffer.from(result.body).toString()).toBe('hello');
  expect(linesOf(result.log)).toContain('Endpoint response body before transformations: hello');
});

test('an answer that breaks off is a network error', async () => {
  const body = new Readable({ read: () => undefined });
  answer = { status: 200, headers: [], body };
  setImmediate(() => body.destroy(new Error('reset')));
  const result = await run();
  expect(result.status).toBe(504);
  expect(linesOf(result.log)).toContain('Execution failed due to a network error communicating with endpoint');
});

test.each([
  ['TIMEOUT', 504, 'Execution failed due to a timeout error'],
  ['NETWORK', 504, 'Execution failed due to a network error communicating with endpoint'],
  ['ADDRESS', 500, 'Execution failed due to configuration error: Invalid endpoint address'],
  ['PERMISSION', 500, 'Execution failed due to configuration error: Invalid permissions on Lambda function'],
  ['FUNCTION_ERROR', 502, 'Lambda execution failed with status 200 due to customer function error: it threw.'],
] as const)('%s of a backend answers %i and is told as on AWS', async (failure, status, line) => {
  answer = { failure, cause: new Error('it threw') };
  const result = await run();
  expect(result.status).toBe(status);
  expect(linesOf(result.log).slice(-3)).toEqual([line, `Method completed with status: ${status}`, '']);
});

test('a route, and a stage, that do not link answer 500 with the reason', async () => {
  const integration = { ...(proxy.integration as object), requestParameters: { 'integration.request.header.a': 'nonsense' } };
  const unlinked = await run({}, stageSnapshot({ routes: [{ ...proxy, integration: integration as never }] }));
  expect(unlinked.status).toBe(500);
  expect(unlinked.log).toMatch(/ : Execution failed due to configuration error: .*nonsense/);
  const gatewayResponses = [{ responseType: 'NOT_A_TYPE', statusCode: null, headers: {}, templates: {} }];
  const stage = await run({}, stageSnapshot({ routes: [proxy], gatewayResponses }));
  expect(stage.status).toBe(500);
  expect(stage.log).toMatch(/ : Execution failed due to configuration error: gateway response "NOT_A_TYPE" is of no known type/);
  expect(sent).toEqual([]);
});

test("the owner's gateway responses shape a failure", async () => {
  answer = { failure: 'TIMEOUT', cause: null };
  const gatewayResponses = [
    { responseType: 'INTEGRATION_TIMEOUT', statusCode: 599, headers: { 'X-Own': "'yes'" }, templates: { 'text/plain': 'late' } },
  ];
  const result = await run({}, stageSnapshot({ routes: [proxy], gatewayResponses }));
  expect([result.status, Buffer.from(result.body).toString()]).toEqual([599, 'late']);
  expect(result.headers).toEqual(expect.arrayContaining(['X-Own', 'yes']));
});

test('path parameters are those of the path, and empty for one that does not match', async () => {
  expect(linesOf((await run()).log)).toContain('Method request path: {id=7}');
  const elsewhere = await run({ pathWithQuery: '/else?a=b' });
  expect(linesOf(elsewhere.log)).toEqual(
    expect.arrayContaining([
      'HTTP Method: GET, Resource Path: /else',
      'Method request path: {id=}',
      'Method completed with status: 200',
    ]),
  );
});

test('a header that would end its line on the way to a backend stays behind', async () => {
  await run({ headers: ['X-Good', '1', 'X-Bad', 'a\r\nX-Injected: 1', 'X Bad', '2', 'Connection', 'close'] });
  const { block, headers } = sent[0]!;
  const names = [...(block?.fields ?? []), ...headers].filter((_, i) => i % 2 === 0);
  expect(names).toContain('X-Good');
  for (const name of ['X-Bad', 'X Bad', 'X-Injected', 'Connection']) expect(names).not.toContain(name);
});

test('a connector that throws is our bug: told to the operator, and to the caller as a 500', async () => {
  answer = undefined as never; // what no connector may resolve with
  expect(await run()).toMatchObject({ status: 500 });
  expect(bugs).toEqual([expect.any(TypeError)]);
});

test('bytes that are no snapshot are an error of whoever sent them', async () => {
  await expect(run({ snapshot: new TextEncoder().encode('{"format":1}') })).rejects.toThrow();
});
