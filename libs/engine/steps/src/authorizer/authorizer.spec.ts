import { Buffer } from 'node:buffer';
import { INVOKE_HEADERS, type FunctionAuthorizerSnapshot } from '@gatehouse/contracts';
import {
  Exchange,
  FunctionError,
  lastHeader,
  LinkRefusal,
  type UpstreamAnswer,
  type UpstreamFailure,
  type UpstreamRequest,
} from '@gatehouse/engine-exchange';
import { ALLOWED, DENIED, NO_MATCH } from '@gatehouse/lang';
import { stageSnapshot } from '@gatehouse/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { decide, FunctionAuthorizer } from './index.js';

const stage = stageSnapshot({ stageVariables: { tier: 'gold' } });
const API_ARN = `arn:aws:execute-api:${stage.region}:${stage.tenant}:${stage.apiId}`;
const TOKEN: FunctionAuthorizerSnapshot = {
  type: 'TOKEN',
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:auth',
  identitySources: ['method.request.header.Authorization'],
  validationExpression: null,
  ttlSeconds: 300,
};
const ROUTE = { resourceId: 'r1', path: '/pets/{id}', operationName: null };
const ALLOW_ALL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }] };

let sent: UpstreamRequest[];
let reply: UpstreamAnswer | UpstreamFailure;
beforeEach(() => {
  sent = [];
  replyWith({ principalId: 'me', policyDocument: ALLOW_ALL });
});

function replyWith(payload: unknown): void {
  reply = { status: 200, headers: [], body: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)) };
}

const threw = (payload: string): UpstreamFailure => ({
  failure: 'FUNCTION_ERROR',
  cause: new FunctionError('Unhandled', Buffer.from(payload)),
});

const linked = (over: Partial<FunctionAuthorizerSnapshot> = {}): FunctionAuthorizer =>
  new FunctionAuthorizer({
    authorizerId: 'a1',
    settings: { ...TOKEN, ...over },
    stage,
    functions: { call: async (request) => (sent.push(request), reply) },
  });

function request(over: Partial<Exchange> = {}): Exchange {
  return Object.assign(new Exchange(), {
    httpMethod: 'GET',
    host: 'abc123defg.execute-api.localhost',
    path: '/dev/pets/a%20b',
    resourcePath: '/pets/a%20b',
    requestHeaders: ['authorization', 'Bearer t1'],
    sourceIp: '198.51.100.7',
    forwardedProto: 'https',
    traceId: 'Root=1-2-3',
    receivedAtMs: Date.UTC(2026, 0, 2),
    ...over,
  });
}

test('with a role, the account it belongs to asks the function; API Gateway else', async () => {
  await linked().ask(request(), ROUTE, ['Bearer t1']);
  await linked({ account: '123456789012' }).ask(request(), ROUTE, ['Bearer t1']);
  expect(
    sent.map(({ headers }) => [
      lastHeader(headers, INVOKE_HEADERS.sourcePrincipal),
      lastHeader(headers, INVOKE_HEADERS.sourceArn),
    ]),
  ).toEqual([
    ['apigateway.amazonaws.com', expect.stringContaining('/authorizers/a1')],
    ['123456789012', null],
  ]);
});

async function outcomeOf(authorizer = linked(), x = request()) {
  return authorizer.ask(x, ROUTE, authorizer.identify(x)!);
}

describe('who is asked about', () => {
  test.each<[string, Partial<FunctionAuthorizerSnapshot>, Partial<Exchange>, readonly string[] | null]>([
    ['a header, however its name is written', {}, { requestHeaders: ['AUTHORIZATION', 'a'] }, ['a']],
    ['the last of several', {}, { requestHeaders: ['Authorization', 'a', 'Authorization', 'b'] }, ['b']],
    ['nobody without the header', {}, { requestHeaders: [] }, null],
    ['nobody with an empty one', {}, { requestHeaders: ['Authorization', ''] }, null],
    ['a token that matches as a whole', { validationExpression: 'Bearer t[0-9]' }, {}, ['Bearer t1']],
    ['nobody whose token matches in part', { validationExpression: 'Bearer t' }, {}, null],
    [
      'all of several sources, in order',
      {
        type: 'REQUEST',
        identitySources: ['context.httpMethod', 'stageVariables.tier', 'method.request.querystring.q', 'method.request.header.x'],
      },
      { rawQuery: 'q=1&q=2', requestHeaders: ['X', 'y'] },
      ['GET', 'gold', '2', 'y'],
    ],
    [
      'nobody who lacks one of several',
      { type: 'REQUEST', identitySources: ['stageVariables.tier', 'method.request.querystring.q'] },
      {},
      null,
    ],
    ['anybody where nothing is to be shown', { type: 'REQUEST', identitySources: [] }, {}, []],
  ])('%s', (_, settings, over, identity) => {
    expect(linked(settings).identify(request(over))).toEqual(identity);
  });

  test.each([
    ['a source that is none', { identitySources: ['method.request.body'] }],
    ['a token without a source', { identitySources: [] }],
    ['an expression that is none', { validationExpression: '(' }],
  ])('is refused when the stage is linked: %s', (_, settings) => {
    expect(() => linked(settings)).toThrow(LinkRefusal);
  });
});

describe('the event', () => {
  test('of a token holds the token and the method alone', async () => {
    await outcomeOf();
    expect(String(sent[0]!.body)).toBe(
      JSON.stringify({ type: 'TOKEN', methodArn: `${API_ARN}/${stage.stage}/GET/pets/a%20b`, authorizationToken: 'Bearer t1' }),
    );
    expect(sent[0]).toMatchObject({ httpMethod: 'POST', url: TOKEN.functionArn, tenant: stage.tenant, traceId: 'Root=1-2-3' });
    expect(sent[0]!.headers).toEqual(expect.arrayContaining(['x-gatehouse-source-arn', `${API_ARN}/authorizers/a1`]));
  });

  test('of a request is that of a proxy integration without its body', async () => {
    const authorizer = linked({ type: 'REQUEST', identitySources: [] });
    const x = request({ rawQuery: 'a=1&a=2', bufferedBody: Buffer.from('secret') });
    await authorizer.ask(x, ROUTE, []);
    const event = JSON.parse(String(sent[0]!.body)) as Record<string, unknown>;
    expect(Object.keys(event)).toEqual([
      'type',
      'methodArn',
      'resource',
      'path',
      'httpMethod',
      'headers',
      'multiValueHeaders',
      'queryStringParameters',
      'multiValueQueryStringParameters',
      'pathParameters',
      'stageVariables',
      'requestContext',
    ]);
    expect(event).toMatchObject({
      type: 'REQUEST',
      resource: '/pets/{id}',
      path: '/pets/a%20b',
      headers: { Authorization: 'Bearer t1' },
      multiValueQueryStringParameters: { a: ['1', '2'] },
      stageVariables: { tier: 'gold' },
      requestContext: { resourceId: 'r1', stage: stage.stage, identity: { sourceIp: '198.51.100.7' } },
    });
    expect(event['requestContext']).not.toHaveProperty('authorizer');
  });

  test('names the root by a slash', () => {
    expect(linked().methodArn(request({ resourcePath: '/' }))).toBe(`${API_ARN}/${stage.stage}/GET/`);
  });
});

describe('an answer', () => {
  test('says who calls, what with, and for which key', async () => {
    replyWith({
      principalId: 'me',
      policyDocument: ALLOW_ALL,
      context: { text: 'a', number: 1.5, flag: false },
      usageIdentifierKey: 'the-key',
    });
    const outcome = await outcomeOf();
    expect(outcome).toMatchObject({
      kind: 'ANSWERED',
      answer: { principalId: 'me', policyDocument: ALLOW_ALL, usageIdentifierKey: 'the-key' },
    });
    if (outcome.kind !== 'ANSWERED') throw new Error('no answer');
    expect([...outcome.answer.context]).toEqual([
      ['text', 'a'],
      ['number', 1.5],
      ['flag', false],
    ]);
  });

  const statement = (over: object = {}) => ({ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*', ...over });
  test.each<[string, readonly object[], number]>([
    ['lets in by a wildcard', [statement()], ALLOWED],
    ['lets in by the method', [statement({ Resource: `${API_ARN}/${stage.stage}/GET/pets/*` })], ALLOWED],
    ['says nothing of another method', [statement({ Resource: `${API_ARN}/${stage.stage}/POST/*` })], NO_MATCH],
    ['says nothing of another API', [statement({ Resource: `${API_ARN}x/*` })], NO_MATCH],
    ['says nothing of another action', [statement({ Action: 'execute-api:InvalidateCache' })], NO_MATCH],
    ['keeps out, whatever else it says', [statement(), statement({ Effect: 'Deny' })], DENIED],
    ['lets in from an address', [statement({ Condition: { IpAddress: { 'aws:SourceIp': '198.51.100.0/24' } } })], ALLOWED],
    [
      'says nothing of another address',
      [statement({ Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } } })],
      NO_MATCH,
    ],
    ['without statements says nothing', [], NO_MATCH],
  ])('that %s', async (_, Statement, decision) => {
    replyWith({ principalId: 'me', policyDocument: { Version: '2012-10-17', Statement } });
    const [x, outcome] = [request(), await outcomeOf()];
    if (outcome.kind !== 'ANSWERED') throw new Error(JSON.stringify(outcome));
    expect(decide(outcome.answer, x, linked().methodArn(x))).toBe(decision);
  });

  test.each<[string, unknown]>([
    ['is no JSON', 'allow'],
    ['is nothing', 'null'],
    ['is a list', []],
    ['names nobody', { policyDocument: ALLOW_ALL }],
    ['names nobody by a text', { principalId: 7, policyDocument: ALLOW_ALL }],
    ['has no policy', { principalId: 'me' }],
    ['has a policy that is text', { principalId: 'me', policyDocument: JSON.stringify(ALLOW_ALL) }],
    [
      'has a policy nobody understands',
      { principalId: 'me', policyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Maybe' }] } },
    ],
    ['has a policy without statements', { principalId: 'me', policyDocument: { Version: '2012-10-17' } }],
    [
      'names a resource that is too long',
      { principalId: 'me', policyDocument: { ...ALLOW_ALL, Statement: [statement({ Resource: 'a'.repeat(513) })] } },
    ],
    ['has a list in its context', { principalId: 'me', policyDocument: ALLOW_ALL, context: { a: [] } }],
    ['has an object in its context', { principalId: 'me', policyDocument: ALLOW_ALL, context: { a: {} } }],
    ['has nothing in its context', { principalId: 'me', policyDocument: ALLOW_ALL, context: { a: null } }],
    ['has a context that is a list', { principalId: 'me', policyDocument: ALLOW_ALL, context: [] }],
    ['has a key that is no text', { principalId: 'me', policyDocument: ALLOW_ALL, usageIdentifierKey: 1 }],
    ['is too long', { principalId: 'm'.repeat(64 * 1024), policyDocument: ALLOW_ALL }],
  ])('that %s admits nobody', async (_, payload) => {
    replyWith(payload);
    expect(await outcomeOf()).toMatchObject({ kind: 'FAILED', fault: { name: 'AUTHORIZER_CONFIGURATION_ERROR', status: 500 } });
  });
});

describe('a function that', () => {
  test.each<[string, string]>([['throws the word', '{"errorMessage":"Unauthorized","errorType":"Error"}']])(
    '%s does not know the caller',
    async (_, payload) => {
      reply = threw(payload);
      expect(await outcomeOf()).toEqual({ kind: 'UNAUTHORIZED' });
    },
  );

  test.each<[string, UpstreamFailure, string]>([
    ['throws another text', threw('{"errorMessage":"unauthorized"}'), 'AUTHORIZER_CONFIGURATION_ERROR'],
    ['throws what is no text', threw('{"errorMessage":401}'), 'AUTHORIZER_CONFIGURATION_ERROR'],
    ['fails without a word', threw('oops'), 'AUTHORIZER_CONFIGURATION_ERROR'],
    ['may not be invoked', { failure: 'PERMISSION', cause: null }, 'AUTHORIZER_CONFIGURATION_ERROR'],
    ['is not there', { failure: 'REFUSED', cause: null }, 'AUTHORIZER_CONFIGURATION_ERROR'],
    ['takes too long', { failure: 'TIMEOUT', cause: null }, 'AUTHORIZER_FAILURE'],
    ['cannot be reached', { failure: 'NETWORK', cause: null }, 'AUTHORIZER_FAILURE'],
  ])('%s is a failure', async (_, failure, name) => {
    reply = failure;
    expect(await outcomeOf()).toMatchObject({ kind: 'FAILED', fault: { name } });
  });
});
