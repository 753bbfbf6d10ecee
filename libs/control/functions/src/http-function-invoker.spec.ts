import { ApiError, tenantId } from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FunctionCall } from './function-invoker.js';
import { HttpFunctionInvoker } from './http-function-invoker.js';

const CALL: FunctionCall = {
  functionArn: 'arn:aws:lambda:us-east-1:111122223333:function:users:$LATEST',
  type: 'RequestResponse',
  wantsLogTail: true,
  clientContext: 'e30=',
  traceId: 'Root=1-2-3',
  payload: Buffer.from('{"a":1}'),
  requestId: '11111111-2222-3333-4444-555555555555',
  caller: tenantId('111122223333'),
  revision: 7,
};

let received: { url: string | undefined; method: string | undefined; headers: http.IncomingHttpHeaders; body: string }[] = [];
let answer: (response: http.ServerResponse) => void;
let server: http.Server;
let invoker: HttpFunctionInvoker;
beforeEach(async () => {
  received = [];
  server = http.createServer(async (request, response) => {
    received.push({
      url: request.url,
      method: request.method,
      headers: request.headers,
      body: (await buffer(request)).toString(),
    });
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  invoker = new HttpFunctionInvoker({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: new Secret('the-token'),
  });
});
afterEach(async () => {
  await invoker.close();
  server.close();
});

const refusalOf = async (call: FunctionCall): Promise<object> => {
  const error: unknown = await invoker.invoke(call).catch((cause: unknown) => cause);
  if (!(error instanceof ApiError)) throw new Error('expected an ApiError', { cause: error });
  return { type: error.type, status: error.status, message: error.message, members: error.members };
};

test("a call is Lambda's Invoke with the node token, the caller and the revision", async () => {
  answer = (response) =>
    response
      .writeHead(200, { 'x-amz-function-error': 'Unhandled', 'x-amz-log-result': 'bG9n', 'x-amz-executed-version': '3' })
      .end('{"errorType":"Error"}');
  const result = await invoker.invoke(CALL);
  expect({ ...result, payload: Buffer.from(result.payload).toString() }).toEqual({
    status: 200,
    functionError: 'Unhandled',
    logResult: 'bG9n',
    executedVersion: '3',
    payload: '{"errorType":"Error"}',
  });
  expect(received).toMatchObject([
    {
      method: 'POST',
      url: '/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Ausers%3A%24LATEST/invocations',
      body: '{"a":1}',
      headers: {
        authorization: 'Bearer the-token',
        'x-amz-invocation-type': 'RequestResponse',
        'x-amz-log-type': 'Tail',
        'x-amz-client-context': 'e30=',
        'x-amzn-trace-id': 'Root=1-2-3',
        'x-amzn-requestid': CALL.requestId,
        'x-gatehouse-source-principal': '111122223333',
        'x-gatehouse-source-account': '111122223333',
        'x-gatehouse-min-revision': '7',
      },
    },
  ]);
});

test("the runner's refusals go on with Lambda's type, text and members", async () => {
  answer = (response) =>
    response
      .writeHead(429, { 'x-amzn-errortype': 'TooManyRequestsException' })
      .end('{"message":"Rate Exceeded.","Message":"Rate Exceeded.","Reason":"ConcurrentInvocationLimitExceeded","Type":"User"}');
  expect(await refusalOf(CALL)).toEqual({
    type: 'TooManyRequestsException',
    status: 429,
    message: 'Rate Exceeded.',
    members: { Reason: 'ConcurrentInvocationLimitExceeded', Type: 'User' },
  });
});

for (const status of [401, 500]) {
  test(`a runner that answers ${status} is a service failure, not the caller's`, async () => {
    answer = (response) =>
      response.writeHead(status, { 'x-amzn-errortype': 'UnrecognizedClientException' }).end('{"message":"token"}');
    expect(await refusalOf(CALL)).toMatchObject({
      type: 'ServiceException',
      status: 500,
      message: `The function runner answered ${status}.`,
    });
  });
}

test('a runner that is not there is a service failure', async () => {
  server.close();
  await once(server, 'close');
  expect(await refusalOf(CALL)).toMatchObject({
    type: 'ServiceException',
    status: 500,
    message: 'The function runner could not be reached.',
  });
});

for (const [what, script] of [
  [
    'breaks off',
    (response: http.ServerResponse) =>
      void response.writeHead(200, { 'content-length': 10 }).write('{', () => response.destroy()),
  ],
  ['answers without end', (response: http.ServerResponse) => void response.end(Buffer.alloc(7 * 1024 * 1024))],
] as const) {
  test(`a runner that ${what} is a service failure`, async () => {
    answer = script;
    expect(await refusalOf(CALL)).toMatchObject({ type: 'ServiceException', status: 500 });
  });
}
