// AWS integrations with a function: what it is called with, and what becomes of its answer.
import { INVOKE_HEADERS, type FunctionIntegrationSnapshot, type IntegrationResponseSnapshot } from '@gatehouse/contracts';
import { CONTINUE, Exchange, FunctionError, lastHeader, type Connector, type UpstreamRequest } from '@gatehouse/engine-exchange';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { describe, expect, test } from 'vitest';
import { answeringErrors, bodyOfFunction, errorMessageOf, integrate, mapRequest, mapResponse, selectResponse } from './index.js';

const INTEGRATION: FunctionIntegrationSnapshot = {
  type: 'FUNCTION',
  httpMethod: 'POST',
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:orders',
  account: null,
  timeoutMs: 29_000,
  requestParameters: {},
  passthroughBehavior: 'WHEN_NO_MATCH',
  requestTemplates: {},
  responses: [],
};
const response = (over: Partial<IntegrationResponseSnapshot> = {}): IntegrationResponseSnapshot => ({
  statusCode: 200,
  selectionPattern: null,
  responseParameters: {},
  responseTemplates: {},
  ...over,
});
const stage = stageSnapshot({ stageVariables: { kind: 'Event' } });

interface Call {
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly isVelocity?: boolean;
  readonly answer?: Awaited<ReturnType<Connector['call']>>;
}

/** A request through the steps of such a route, and what the function was sent. */
async function invoked(
  over: Partial<FunctionIntegrationSnapshot>,
  {
    headers = [],
    body = '',
    isVelocity = false,
    answer = { status: 200, headers: [], body: Buffer.from('{"ok":true}') },
  }: Call = {},
): Promise<{ x: Exchange; sent: UpstreamRequest | null }> {
  const inner = { ...INTEGRATION, responses: [response()], ...over };
  const route = routeSnapshot({
    path: '/orders/{id}',
    httpMethod: 'ANY',
    integration: isVelocity ? { type: 'VELOCITY', integration: inner } : inner,
  });
  const settings = { stage, route };
  const x = new Exchange();
  x.requestHeaders = headers;
  x.traceId = 'Root=1';
  x.bufferedBody = Buffer.from(body);
  x.stage = { digest: 'd', snapshot: stage, isCanary: null, canary: null, faults: null!, metrics: null!, match: () => null };
  x.route = { settings: route, paramNames: ['id'], program: null!, metrics: null! };
  x.params.push('7');
  let sent: UpstreamRequest | null = null;
  const functions: Connector = {
    call: (request) => {
      sent = request;
      return Promise.resolve(answer);
    },
  };
  const mapping = mapResponse(inner.responses, settings, true, isVelocity, bodyOfFunction);
  const steps = [
    mapRequest(settings).step,
    integrate(answeringErrors(functions)),
    selectResponse(inner.responses, errorMessageOf),
    mapping.step,
  ];
  for (const step of steps) if ((await step(x)) !== CONTINUE) break;
  return { x, sent };
}
const failing = (payload: unknown): Call => ({
  answer: { failure: 'FUNCTION_ERROR', cause: new FunctionError('Unhandled', Buffer.from(JSON.stringify(payload))) },
});

describe('the event', () => {
  test.each<[string, Partial<FunctionIntegrationSnapshot>, Call, string]>([
    ['is the body as it came', {}, { body: '{"a":1}' }, '{"a":1}'],
    ['is an empty object where there is no body', {}, {}, '{}'],
    [
      'is the text of a template',
      { requestTemplates: { 'application/json': '{"fixed":1}' } },
      { body: '{"a":1}' },
      '{"fixed":1}',
    ],
    [
      'is what a template makes of the request',
      { requestTemplates: { 'application/json': `{"id":"$input.params('id')","n":$input.json('$.n')}` } },
      { body: '{"n":[1,2]}', isVelocity: true },
      '{"id":"7","n":[1,2]}',
    ],
  ])('%s', async (_what, integration, call, event) => {
    const { sent } = await invoked(integration, call);
    expect(String(sent!.body)).toBe(event);
  });

  test('a media type without a template is refused where passing through is not wanted', async () => {
    const { x, sent } = await invoked({ passthroughBehavior: 'NEVER' }, { body: 'a' });
    expect([sent, x.fault!.name]).toEqual([null, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  test('any verb but POST is the mistake of the owner, as with a proxy', async () => {
    const { x } = await invoked({ httpMethod: 'GET' });
    expect(x.fault!.name).toBe('INVALID_ENDPOINT');
  });
});

describe('headers', () => {
  const sourceArn = 'arn:aws:execute-api:us-east-1:123456789012:abc123defg/dev/*/orders/{id}';

  test('API Gateway calls on behalf of the configured method, or an account that a role belongs to does', async () => {
    const { sent } = await invoked({});
    expect(sent!.headers).toEqual([
      ...[INVOKE_HEADERS.sourcePrincipal, 'apigateway.amazonaws.com'],
      ...[INVOKE_HEADERS.sourceArn, sourceArn, INVOKE_HEADERS.sourceAccount, '123456789012'],
    ]);
    const withRole = await invoked({ account: '123456789012' });
    expect(lastHeader(withRole.sent!.headers, INVOKE_HEADERS.sourcePrincipal)).toBe('123456789012');
    expect(lastHeader(withRole.sent!.headers, INVOKE_HEADERS.sourceArn)).toBe(null);
  });

  test.each([
    ['a static invocation type', { 'integration.request.header.X-Amz-Invocation-Type': "'Event'" }, [], 'Event'],
    ['one of a stage variable', { 'integration.request.header.X-Amz-Invocation-Type': 'stageVariables.kind' }, [], 'Event'],
    [
      'one that the caller chooses',
      { 'integration.request.header.X-Amz-Invocation-Type': 'method.request.header.InvocationType' },
      ['InvocationType', 'DryRun'],
      'DryRun',
    ],
    [
      'one that the caller leaves out',
      { 'integration.request.header.X-Amz-Invocation-Type': 'method.request.header.InvocationType' },
      [],
      null,
    ],
  ])('%s reaches Lambda', async (_what, requestParameters, headers, type) => {
    const { sent } = await invoked({ requestParameters: requestParameters as never }, { headers });
    expect(lastHeader(sent!.headers, INVOKE_HEADERS.invocationType)).toBe(type);
  });

  test('who calls cannot be mapped, nor overridden by a template', async () => {
    const name = INVOKE_HEADERS.sourcePrincipal;
    const requestTemplates = { 'application/json': `#set($context.requestOverride.header.${name} = '999999999999'){}` };
    const { sent } = await invoked(
      { requestTemplates, requestParameters: { [`integration.request.header.${name}`]: "'999999999999'" } },
      { isVelocity: true },
    );
    expect(sent!.headers.join()).not.toContain('999999999999');
  });

  test.each(['Authorization', 'Content-Length', 'TE', 'Connection', 'X-Amzn-Trace-Id'])('%s may not be mapped', async (name) => {
    const { x } = await invoked({ requestParameters: { [`integration.request.header.${name}`]: "'x'" } });
    expect(x.fault!.name).toBe('FORBIDDEN_HEADER_MAPPING');
  });
});

describe('the answer', () => {
  // Data-plane reference §3.11: a success is no text that a pattern could match, but for patterns that match nothing.
  test.each<[string, string, unknown, number]>([
    ['.+', 'catches every error', { errorMessage: 'boom' }, 400],
    ['.*Not Found.*', 'finds a part of a message', { errorMessage: 'order 7 Not Found' }, 400],
    ['Not Found', 'must match the whole message', { errorMessage: 'order 7 Not Found' }, 200],
    ['.*boom.*', 'spans no line', { errorMessage: 'first\nboom' }, 200],
    ['(\\n|.)+', 'spans lines where it says so', { errorMessage: 'first\nboom' }, 400],
    ['200', 'is never held against a status', { errorMessage: 'boom' }, 200],
    ['.*', 'matches an error without a message', { errorType: 'Error' }, 400],
    ['.+', 'does not', { errorType: 'Error' }, 200],
  ])('pattern %s %s', async (selectionPattern, _what, payload, status) => {
    const { x } = await invoked({ responses: [response(), response({ statusCode: 400, selectionPattern })] }, failing(payload));
    expect(x.status).toBe(status);
  });

  test.each([
    ['200', 200],
    ['.+', 200],
    ['.*', 400],
  ])('of a success %s gives %i, whatever its body says', async (selectionPattern, status) => {
    const answer = { status: 200, headers: [], body: Buffer.from('{"errorMessage":"just data"}') };
    const { x } = await invoked({ responses: [response(), response({ statusCode: 400, selectionPattern })] }, { answer });
    expect(x.status).toBe(status);
  });

  test("an error that no pattern matches is the default response's, with the payload as its body", async () => {
    const payload = { errorMessage: 'boom', errorType: 'Error', stackTrace: ['at a'] };
    const { x } = await invoked({}, failing(payload));
    expect([x.status, String(x.responseBody as Buffer), x.responseBlock?.fields]).toEqual([
      200,
      JSON.stringify(payload),
      ['Content-Type', 'application/json'],
    ]);
  });

  test('without a default response it is a configuration error', async () => {
    const { x } = await invoked(
      { responses: [response({ statusCode: 400, selectionPattern: 'x' })] },
      failing({ errorMessage: 'boom' }),
    );
    expect(x.fault!.name).toBe('API_CONFIGURATION_ERROR');
  });

  test('mappings read the JSON in the message of an error, and the payload where it is none', async () => {
    const responses = [
      response({
        responseParameters: {
          'method.response.header.X-Code': 'integration.response.body.code',
          'method.response.header.X-Type': 'integration.response.body.errorType',
        },
      }),
    ];
    const json = await invoked({ responses }, failing({ errorMessage: '{"code":"E7"}', errorType: 'Error' }));
    expect([lastHeader(json.x.responseHeaders, 'x-code'), lastHeader(json.x.responseHeaders, 'x-type')]).toEqual(['E7', null]);
    const text = await invoked({ responses }, failing({ errorMessage: 'boom', errorType: 'Error' }));
    expect([lastHeader(text.x.responseHeaders, 'x-code'), lastHeader(text.x.responseHeaders, 'x-type')]).toEqual([null, 'Error']);
  });

  test('templates render it', async () => {
    const responseTemplates = { 'application/json': `{"message":$input.json('$.errorMessage')}` };
    const { x } = await invoked(
      { responses: [response({ statusCode: 400, selectionPattern: '.+', responseTemplates })] },
      { ...failing({ errorMessage: 'boom' }), isVelocity: true },
    );
    expect([x.status, String(x.responseBody as Buffer)]).toEqual([400, '{"message":"boom"}']);
  });

  test('an asynchronous call is answered at once: 202 without a body becomes the default response', async () => {
    const { x } = await invoked({}, { answer: { status: 202, headers: [], body: Buffer.alloc(0) } });
    expect([x.status, x.responseBody]).toEqual([200, Buffer.alloc(0)]);
  });

  test("headers of Lambda's can be mapped by the names that Lambda gives them", async () => {
    const responseParameters = { 'method.response.header.X-Version': 'integration.response.header.X-Amz-Executed-Version' };
    const answer = { status: 200, headers: ['x-amz-executed-version', '7'], body: Buffer.from('{}') };
    const { x } = await invoked({ responses: [response({ responseParameters })] }, { answer });
    expect(lastHeader(x.responseHeaders, 'x-version')).toBe('7');
  });

  test.each([
    ['PERMISSION', 'INTEGRATION_NOT_PERMITTED'],
    ['REFUSED', 'INTEGRATION_NOT_PERMITTED'],
    ['TIMEOUT', 'INTEGRATION_TIMEOUT'],
    ['FUNCTION_ERROR', 'FUNCTION_FAILED'],
  ] as const)('%s is %s: nothing of the function came back', async (failure, fault) => {
    const { x } = await invoked({}, { answer: { failure, cause: null } });
    expect(x.fault!.name).toBe(fault);
  });
});
