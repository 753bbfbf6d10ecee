import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, RunnerHarness } from './testing/harness.js';

const GATEWAY = {
  'x-gatehouse-source-principal': 'apigateway.amazonaws.com',
  'x-gatehouse-source-arn': `arn:aws:execute-api:us-east-1:${ACCOUNT}:api/dev/GET/users`,
  'x-gatehouse-source-account': ACCOUNT,
};
const ARN = `arn:aws:lambda:us-east-1:${ACCOUNT}:function:good`;
const files = { 'index.js': 'exports.handler = async (event) => event;' };

let runner: RunnerHarness;
let isReady = true;
const givenUp: string[] = [];
beforeAll(async () => {
  runner = await RunnerHarness.start({
    isReady: () => isReady,
    log: {
      info: () => {},
      warn: (fields) => givenUp.push((fields as { reason: string }).reason),
      error: (fields) => console.error(fields),
    },
    asyncLimits: {
      waitingMax: 2,
      waitingBytesMax: 1_000_000,
      retryDelaysMs: [1, 1],
      throttledDelayMs: [5, 10],
      ageMaxMs: 60_000,
    },
  });
  await runner.publish('good', { files });
});
afterAll(() => runner.close());

const refusal = (type: string, status: number, message: string) => ({ type, status, message });
async function refused(answer: ReturnType<RunnerHarness['invoke']>) {
  const { status, headers, json } = await answer;
  return refusal(headers.get('x-amzn-errortype') ?? '', status, (json as { message: string }).message);
}

test('health needs no token, and readiness tells the truth', async () => {
  expect((await fetch(`${runner.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${runner.url}/readyz`)).status).toBe(200);
  isReady = false;
  expect((await fetch(`${runner.url}/readyz`)).status).toBe(503);
  isReady = true;
});

for (const [what, authorization] of [
  ['no token', ''],
  ['a wrong token', 'Bearer wrong'],
  ['the token without its scheme', 'node-token-of-the-test'],
] as const) {
  test(`nothing runs with ${what}`, async () => {
    expect(await refused(runner.invoke('good', {}, { authorization }))).toEqual(
      refusal('UnrecognizedClientException', 401, 'The node token is missing or wrong.'),
    );
  });
}

test('the caller chooses the request id; anything but a UUID is replaced', async () => {
  const id = '01234567-89ab-cdef-0123-456789abcdef';
  expect((await runner.invoke('good', {}, { 'x-amzn-requestid': id })).headers.get('x-amzn-requestid')).toBe(id);
  expect((await runner.invoke('good', {}, { 'x-amzn-requestid': 'x\tEND' })).headers.get('x-amzn-requestid')).toMatch(
    /^[0-9a-f-]{36}$/,
  );
});

test('a gateway without permission is denied; with it, it is answered', async () => {
  expect(await refused(runner.invoke('good', {}, GATEWAY))).toEqual(
    refusal(
      'AccessDeniedException',
      403,
      `User: apigateway.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: ${ARN} because no resource-based policy allows the lambda:InvokeFunction action`,
    ),
  );
  await runner.publish('open', {
    files,
    permissions: [
      { principal: 'apigateway.amazonaws.com', sourceArn: `arn:aws:execute-api:us-east-1:${ACCOUNT}:api/*/GET/users` },
    ],
  });
  expect((await runner.invoke('open', { a: 1 }, GATEWAY)).json).toEqual({ a: 1 });
});

test('a stranger cannot tell a function that exists from one that does not', async () => {
  const stranger = { 'x-gatehouse-source-principal': '999988887777' };
  const answers = await Promise.all(['good', 'none'].map((name) => refused(runner.invoke(name, {}, stranger))));
  expect(answers.map(({ type, status, message }) => [type, status, message.replaceAll('none', 'good')])).toEqual([
    ['AccessDeniedException', 403, answers[0]?.message],
    ['AccessDeniedException', 403, answers[0]?.message],
  ]);
});

test('a bare name is a function of the calling account', async () => {
  const call = (headers: Record<string, string>) => {
    return fetch(`${runner.url}/2015-03-31/functions/good/invocations`, {
      method: 'POST',
      body: '{}',
      headers: { authorization: 'Bearer node-token-of-the-test', ...headers },
    });
  };
  expect((await call({ 'x-gatehouse-source-principal': ACCOUNT })).status).toBe(200);
  expect((await call({})).status).toBe(400);
});

for (const [what, name, query, expected] of [
  [
    'a function nobody has',
    'none',
    '',
    refusal('ResourceNotFoundException', 404, `Function not found: arn:aws:lambda:us-east-1:${ACCOUNT}:function:none`),
  ],
  [
    'a version nobody has',
    'good',
    '?Qualifier=7',
    refusal('ResourceNotFoundException', 404, `Function not found: ${ARN.replace('good', 'good:7')}`),
  ],
  [
    'two qualifiers',
    'good:1',
    '?Qualifier=2',
    refusal(
      'InvalidParameterValueException',
      400,
      'The derived qualifier from the function name does not match the specified qualifier.',
    ),
  ],
] as const) {
  test(`refused: ${what}`, async () => expect(await refused(runner.invokeRaw(name, '{}', {}, query))).toEqual(expected));
}

for (const [what, body, headers, type, status] of [
  ['an event that is no JSON', '{"a":', {}, 'InvalidRequestContentException', 400],
  ['an event above 6 MB', Buffer.alloc(6 * 1024 * 1024 + 1, ' '), {}, 'RequestTooLargeException', 413],
  [
    'an asynchronous event above 1 MB',
    JSON.stringify('x'.repeat(1024 * 1024)),
    { 'x-amz-invocation-type': 'Event' },
    'RequestTooLargeException',
    413,
  ],
  ['an unknown invocation type', '{}', { 'x-amz-invocation-type': 'Later' }, 'InvalidParameterValueException', 400],
  ['a client context that is no JSON', '{}', { 'x-amz-client-context': 'bm8=' }, 'InvalidRequestContentException', 400],
] as const) {
  test(`refused: ${what}`, async () => {
    expect(await refused(runner.invokeRaw('good', body, headers))).toMatchObject({ type, status });
  });
}

test('no event at all is an empty object', async () => {
  expect((await runner.invokeRaw('good', '')).json).toEqual({});
});

test('DryRun checks and runs nothing', async () => {
  expect((await runner.invoke('good', {}, { 'x-amz-invocation-type': 'DryRun' })).status).toBe(204);
  expect((await runner.invoke('good', {}, { 'x-amz-invocation-type': 'DryRun', ...GATEWAY })).status).toBe(403);
});

test('an alias runs the version it points at, under its own ARN', async () => {
  await runner.publish('aliased', {
    version: '3',
    aliases: ['live'],
    files: { 'index.js': 'exports.handler = async (e, c) => [c.functionVersion, c.invokedFunctionArn];' },
  });
  const answer = await runner.invoke('aliased:live');
  expect(answer.json).toEqual(['3', `arn:aws:lambda:us-east-1:${ACCOUNT}:function:aliased:live`]);
  expect(answer.headers.get('x-amz-executed-version')).toBe('3');
});

test('a call waits for the revision its caller has seen', async () => {
  const seen = (await runner.publish('other', { files })) + 1;
  const call = runner.invoke('late', { a: 1 }, { 'x-gatehouse-min-revision': String(seen) });
  expect(await runner.publish('late', { files })).toBe(seen);
  expect((await call).json).toEqual({ a: 1 });
});

test('a caller that leaves early costs its function nothing: the call runs to its end', async () => {
  const heard = await listener([200]);
  const code = heard.code.replace('async (event) => {', 'async (event) => { await new Promise((r) => setTimeout(r, 200));');
  await runner.publish('deserted', { files: { 'index.js': code } });
  const leaving = AbortSignal.timeout(100);
  const call = fetch(`${runner.url}/2015-03-31/functions/${ACCOUNT}:function:deserted/invocations`, {
    method: 'POST',
    body: '{"name":"left"}',
    headers: { authorization: 'Bearer node-token-of-the-test' },
    signal: leaving,
  });
  await expect(call).rejects.toThrow();
  await heard.done;
  expect(heard.calls).toEqual(['/left']);
  heard.close();
});

/** A function that tells a server of the test, so that asynchronous calls can be awaited. */
async function listener(answers: readonly number[]) {
  const { createServer } = await import('node:http');
  const calls: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    response.writeHead(answers[calls.length] ?? 200).end();
    calls.push(request.url ?? '');
    if (calls.length === answers.length) resolve();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const code = `exports.handler = async (event) => { const r = await fetch('http://127.0.0.1:${port}/' + event.name); if (!r.ok) throw new Error('again'); };`;
  return { code, calls, done: promise, close: () => void server.close() };
}

test('an Event call is accepted at once and tried three times', async () => {
  const heard = await listener([500, 500, 500]);
  await runner.publish('event', { files: { 'index.js': heard.code } });
  const answer = await runner.invoke('event', { name: 'x' }, { 'x-amz-invocation-type': 'Event' });
  expect([answer.status, answer.body.length]).toEqual([202, 0]);
  await heard.done;
  await expect.poll(() => givenUp).toContain('the function failed at every attempt');
  expect(heard.calls).toEqual(['/x', '/x', '/x']);
  heard.close();
});

test('throttled Event calls wait for room, and beyond a bound they are refused', async () => {
  const heard = await listener([200, 200]);
  await runner.publish('one', { reservedConcurrency: 1, files: { 'index.js': heard.code } });
  const send = () => runner.invoke('one', { name: 'y' }, { 'x-amz-invocation-type': 'Event' });
  const statuses = (await Promise.all([send(), send(), send()])).map(({ status }) => status);
  expect(statuses.sort()).toEqual([202, 202, 429]);
  await heard.done;
  heard.close();
});
