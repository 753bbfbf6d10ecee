import { INVOKE_HEADERS } from '@gatehouse/contracts';
import { Exchange, type UpstreamRequest } from '@gatehouse/engine-exchange';
import { Secret } from '@gatehouse/kernel';
import { ScriptedUpstream, type UpstreamCall } from '@gatehouse/testkit';
import { afterEach, expect, test } from 'vitest';
import { FunctionConnector } from './index.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function runner(script: (call: UpstreamCall) => void): Promise<{ functions: FunctionConnector; up: ScriptedUpstream }> {
  const up = await ScriptedUpstream.start(script);
  closing.push(() => up.close());
  const functions = new FunctionConnector({ runnerUrl: up.url, nodeToken: new Secret('token-1') });
  closing.push(() => functions.close());
  return { functions, up };
}

const invoke: UpstreamRequest = {
  httpMethod: 'POST',
  url: 'arn:aws:lambda:us-east-1:123456789012:function:hello:live',
  tenant: '123456789012',
  traceId: 'Root=1-5759e988-bd862e3fe1be46a994272793',
  block: null,
  headers: [INVOKE_HEADERS.sourcePrincipal, 'apigateway.amazonaws.com', INVOKE_HEADERS.sourceArn, 'arn:aws:execute-api:...'],
  body: Buffer.from('{"a":1}'),
  timeoutMs: 2_000,
};
/** A caller that stays. */
const never = new Exchange();

test('an invocation carries the token, the event and who calls', async () => {
  const { functions, up } = await runner(({ response }) => void response.end('{"statusCode":200}'));
  const answer = await functions.call(invoke, never);
  expect(answer).toMatchObject({ status: 200, body: Buffer.from('{"statusCode":200}') });
  const call = up.calls[0]!;
  expect(call.httpMethod).toBe('POST');
  expect(call.url).toBe(
    '/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Ahello%3Alive/invocations',
  );
  expect(call.request.headers).toMatchObject({
    authorization: 'Bearer token-1',
    'x-gatehouse-source-principal': 'apigateway.amazonaws.com',
    'x-gatehouse-source-arn': 'arn:aws:execute-api:...',
  });
  expect((await call.body).toString()).toBe('{"a":1}');
});

for (const [type, status] of [
  ['Event', 202],
  ['DryRun', 204],
] as const) {
  test(`a call of type ${type} is answered with ${status} and nothing else`, async () => {
    const { functions } = await runner(({ response }) => void response.writeHead(status).end());
    const headers = [...invoke.headers, INVOKE_HEADERS.invocationType, type];
    expect(await functions.call({ ...invoke, headers }, never)).toMatchObject({ status, body: Buffer.alloc(0) });
  });
}

for (const [what, script, expected] of [
  [
    'the function failed',
    ({ response }: UpstreamCall) =>
      void response.writeHead(200, { 'X-Amz-Function-Error': 'Unhandled' }).end('{"errorMessage":"x"}'),
    'FUNCTION_ERROR',
  ],
  ['its policy refuses the gateway', ({ response }: UpstreamCall) => void response.writeHead(403).end('{}'), 'PERMISSION'],
  ['there is no such function', ({ response }: UpstreamCall) => void response.writeHead(404).end('{}'), 'REFUSED'],
  ['the runner is full', ({ response }: UpstreamCall) => void response.writeHead(429).end('{}'), 'REFUSED'],
  ['the event is too large', ({ response }: UpstreamCall) => void response.writeHead(413).end('{}'), 'REQUEST_TOO_LARGE'],
  ['the runner broke off', ({ socket }: UpstreamCall) => void socket.resetAndDestroy(), 'NETWORK'],
  ['the reply is endless', ({ response }: UpstreamCall) => void response.end(Buffer.alloc(7 * 1024 * 1024)), 'FUNCTION_ERROR'],
] as const) {
  test(`${what}: ${expected}`, async () => {
    const { functions } = await runner(script);
    expect(await functions.call(invoke, never)).toMatchObject({ failure: expected });
  });
}

test('a function slower than the integration is a TIMEOUT', async () => {
  const { functions } = await runner(() => undefined);
  expect(await functions.call({ ...invoke, timeoutMs: 50 }, never)).toMatchObject({ failure: 'TIMEOUT' });
});
