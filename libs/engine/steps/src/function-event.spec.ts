import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import { Exchange, STREAM_BODY, type RawHeaders } from '@gatehouse/engine-exchange';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { expect, test } from 'vitest';
import { mapRequest } from './index.js';

interface Case {
  readonly route?: Partial<RouteSnapshot>;
  readonly stage?: Partial<StageSnapshot>;
  readonly headers?: RawHeaders;
  readonly query?: string;
  readonly body?: Buffer;
  readonly resourcePath?: string;
  path?: string;
  basePath?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly withKey?: boolean;
}

function invoked(options: Case = {}): Exchange {
  const route = routeSnapshot({
    integration: {
      type: 'AWS_PROXY',
      httpMethod: 'POST',
      functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:pets:live',
      timeoutMs: 29_000,
    },
    ...options.route,
  });
  const stage = stageSnapshot(options.stage);
  const { step } = mapRequest({ stage, route });
  const x = new Exchange();
  Object.assign(x, {
    httpMethod: 'GET',
    host: 'abc123defg.execute-api.localhost',
    resourcePath: options.resourcePath ?? '/',
    path: options.path ?? `/dev${options.resourcePath ?? '/'}`,
    basePath: options.basePath ?? null,
    rawQuery: options.query ?? '',
    requestHeaders: options.headers ?? [],
    sourceIp: '198.51.100.7',
    userAgent: 'curl/8',
    forwardedPort: '443',
    forwardedProto: 'https',
    traceId: 'Root=1-2-3',
    requestId: '11111111-2222-4333-8444-555555555555',
    extendedRequestId: 'AbCdEfGhIjKlMnO=',
    receivedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    bufferedBody: options.body ?? Buffer.alloc(0),
  });
  if (options.withKey) {
    x.apiKey = { apiKeyId: 'key1', tenant: stage.tenant, valueDigest: '', enabled: true, usagePlanIds: [] };
    x.apiKeyValue = 'the-key';
  }
  x.params.push(...Object.values(options.params ?? {}));
  const faults = { render: () => undefined };
  x.route = {
    settings: route,
    paramNames: Object.keys(options.params ?? {}),
    program: {
      requestSteps: [],
      responseSteps: [],
      requestBody: STREAM_BODY,
      responseBody: STREAM_BODY,
      faults,
      bugFault: null!,
    },
    metrics: { record: () => undefined },
  };
  void step(x);
  return x;
}

const eventOf = (options: Case = {}): Record<string, unknown> =>
  JSON.parse(String(invoked(options).upstreamRequest!.body)) as Record<string, unknown>;

test('the smallest event, byte for byte', () => {
  expect(String(invoked().upstreamRequest!.body)).toBe(
    '{"resource":"/","path":"/","httpMethod":"GET",' +
      '"headers":{"Host":"abc123defg.execute-api.localhost","X-Amzn-Trace-Id":"Root=1-2-3","X-Forwarded-For":"198.51.100.7","X-Forwarded-Port":"443","X-Forwarded-Proto":"https"},' +
      '"multiValueHeaders":{"Host":["abc123defg.execute-api.localhost"],"X-Amzn-Trace-Id":["Root=1-2-3"],"X-Forwarded-For":["198.51.100.7"],"X-Forwarded-Port":["443"],"X-Forwarded-Proto":["https"]},' +
      '"queryStringParameters":null,"multiValueQueryStringParameters":null,"pathParameters":null,"stageVariables":null,' +
      '"requestContext":{"resourceId":"res123","resourcePath":"/","httpMethod":"GET","extendedRequestId":"AbCdEfGhIjKlMnO=","requestTime":"02/Jan/2026:03:04:05 +0000",' +
      '"path":"/dev/","accountId":"123456789012","protocol":"HTTP/1.1","stage":"dev","domainPrefix":"abc123defg","requestTimeEpoch":1767323045006,' +
      '"requestId":"11111111-2222-4333-8444-555555555555","identity":{"cognitoIdentityPoolId":null,"accountId":null,"cognitoIdentityId":null,"caller":null,' +
      '"sourceIp":"198.51.100.7","principalOrgId":null,"accessKey":null,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":null,' +
      '"userAgent":"curl/8","user":null},"domainName":"abc123defg.execute-api.localhost","deploymentId":"dep123","apiId":"abc123defg"},' +
      '"body":null,"isBase64Encoded":false}',
  );
});

test("headers: last value and all values, the caller's spelling but for two, without those of the connection", () => {
  const event = eventOf({
    headers: [
      'x-A',
      '1',
      'X-a',
      '2',
      'user-agent',
      'me',
      'authorization',
      'Bearer t',
      'Connection',
      'x',
      'Content-Length',
      '3',
      'HOST',
      'h:8080',
      'X-Forwarded-For',
      '203.0.113.9',
      '__proto__',
      'p',
    ],
  });
  expect(Object.entries(event.headers as object).slice(0, 4)).toEqual([
    ['x-A', '2'],
    ['User-Agent', 'me'],
    ['Authorization', 'Bearer t'],
    ['__proto__', 'p'],
  ]);
  expect(event.multiValueHeaders).toMatchObject({
    'x-A': ['1', '2'],
    Host: ['h:8080'],
    'X-Forwarded-For': ['203.0.113.9, 198.51.100.7'],
  });
});

test('the query is decoded: last value and all values', () => {
  const event = eventOf({ query: 'a=1+2&a=%2B&b' });
  expect([event.queryStringParameters, event.multiValueQueryStringParameters]).toEqual([
    { a: '+', b: '' },
    { a: ['1 2', '+'], b: [''] },
  ]);
});

test('path and path parameters stay raw; leading slashes of the path collapse, the others stay', () => {
  const event = eventOf({ resourcePath: '//a%2Bb//c@d/', params: { proxy: 'a%2Bb//c@d' } });
  expect([event.path, event.pathParameters, (event.requestContext as { path: string }).path]).toEqual([
    '/a%2Bb//c@d/',
    { proxy: 'a%2Bb//c@d' },
    '/dev//a%2Bb//c@d/',
  ]);
});

for (const [basePath, path, resourcePath, expected] of [
  ['v1', '/v1/pets', '/pets', '/v1/pets'],
  ['v1', '/v1', '/', '/v1'],
  ['v1', '/v1/', '/', '/v1/'],
  ['a/b', '/a/b/pets/', '/pets/', '/a/b/pets/'],
  ['v1', '/v1/prod/pets', '/pets', '/v1/pets'],
  ['v1', '/v1/prod', '/', '/v1'],
  ['', '/pets', '/pets', '/pets'],
] as const) {
  test(`on a custom domain name, ${path} below "${basePath}" is ${expected} in the event, and as sent in its context`, () => {
    const event = eventOf({ basePath, path, resourcePath });
    expect([event.path, (event.requestContext as { path: string }).path]).toEqual([expected, path]);
  });
}

for (const [what, types, contentType, body, expected] of [
  ['text', [], 'text/plain', Buffer.from('é'), ['é', false]],
  ['bytes that are no UTF-8', [], 'image/png', Buffer.from([0xff, 0x61]), ['\ufffda', false]],
  ['a binary type', ['image/*'], 'image/png; x=1', Buffer.from([0xff, 0x61]), ['/2E=', true]],
  ['an empty body of a binary type', ['image/*'], 'image/png', Buffer.alloc(0), [null, false]],
] as const) {
  test(`the body of an event: ${what}`, () => {
    const event = eventOf({ stage: { binaryMediaTypes: [...types] }, headers: ['Content-Type', contentType], body });
    expect([event.body, event.isBase64Encoded]).toEqual(expected);
  });
}

test('stage variables, operation name and API key are there when there are any', () => {
  const event = eventOf({ stage: { stageVariables: { a: 'b' } }, route: { operationName: 'ListPets' }, withKey: true });
  expect(event.stageVariables).toEqual({ a: 'b' });
  expect(event.requestContext).toMatchObject({ operationName: 'ListPets', identity: { apiKey: 'the-key', apiKeyId: 'key1' } });
});

test('the runner learns which method of which API calls; ANY is a star', () => {
  const headers = (route: Partial<RouteSnapshot>): string[] => invoked({ route }).upstreamRequest!.headers;
  expect(invoked({}).upstreamRequest!.traceId).toBe('Root=1-2-3');
  expect(headers({ path: '/pets/{id}' })).toEqual([
    'x-gatehouse-source-principal',
    'apigateway.amazonaws.com',
    'x-gatehouse-source-arn',
    'arn:aws:execute-api:us-east-1:123456789012:abc123defg/dev/GET/pets/{id}',
    'x-gatehouse-source-account',
    '123456789012',
  ]);
  expect(headers({ httpMethod: 'ANY' })[3]).toBe('arn:aws:execute-api:us-east-1:123456789012:abc123defg/dev/*/');
});

test('a verb other than POST towards a function is a 500', () => {
  const x = invoked({ route: { integration: { type: 'AWS_PROXY', httpMethod: 'GET', functionArn: 'arn', timeoutMs: 1 } } });
  expect([x.fault!.responseType, x.fault!.status]).toEqual(['INTEGRATION_FAILURE', 500]);
});
