// From a backend's answer to the caller's response.
import type { IntegrationResponseSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  allHeaders,
  CONTINUE,
  Exchange,
  lastHeader,
  LinkRefusal,
  readAll,
  type RawHeaders,
  type UpstreamAnswer,
} from '@gatehouse/engine-exchange';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { mapFunctionResponse, mapProxyResponse, mapResponse, selectResponse } from './index.js';

function answered(answer: Partial<UpstreamAnswer>, requestHeaders: RawHeaders = []): Exchange {
  const x = new Exchange();
  x.traceId = 'Root=1-2-3';
  x.requestHeaders = requestHeaders;
  x.upstreamAnswer = { status: 200, headers: [], body: null, ...answer };
  return x;
}

// Data-plane reference §3.6.2 and §3.6.4, response side: [header, HTTP_PROXY and AWS_PROXY, mapped in HTTP].
const R = 'remapped';
const P = 'passed';
const D = 'dropped';
const RESPONSE_HEADERS = [
  ['Accept', P, P],
  ['Accept-Charset', P, P],
  ['Accept-Encoding', P, P],
  ['Age', P, P],
  ['Authorization', R, R],
  ['Connection', R, R],
  ['Content-Encoding', P, P],
  ['Content-Length', R, R],
  ['Content-MD5', R, R],
  ['Content-Type', P, P],
  ['Date', R, R],
  ['Expect', D, R],
  ['Host', D, R],
  ['Max-Forwards', R, R],
  ['Pragma', P, P],
  ['Proxy-Authenticate', D, R],
  ['Range', P, P],
  ['Referer', P, P],
  ['Server', R, R],
  ['TE', D, P],
  ['Trailer', D, R],
  ['Transfer-Encoding', D, D],
  ['Upgrade', D, R],
  ['User-Agent', R, R],
  ['Via', D, P],
  ['Warn', P, P],
  ['WWW-Authenticate', R, R],
  ['x-amzn-requestid', R, R], // mapped: not recorded; the gateway's own is there as well
  ['X-Custom', P, P],
] as const;

function fate(headers: readonly string[], name: string, value: string): string {
  if (lastHeader(headers, name.toLowerCase()) === value) return P;
  return lastHeader(headers, `x-amzn-remapped-${name.toLowerCase()}`) === value ? R : D;
}

for (const [name, proxied, mapped] of RESPONSE_HEADERS) {
  test(`response header ${name}: ${proxied} by proxies, ${mapped} when mapped`, () => {
    const http = answered({ headers: [name, 'v7'] });
    mapProxyResponse(http);
    const fn = answered({ body: Buffer.from(JSON.stringify({ headers: { [name]: 'v7' } })) });
    mapFunctionResponse({ stage: stageSnapshot(), route: routeSnapshot() })(fn);
    const x = respond([{ responseParameters: { [`method.response.header.${name}`]: "'v7'" } }]);
    expect([
      fate(http.responseHeaders, name, 'v7'),
      fate(fn.responseHeaders, name, 'v7'),
      fate(x.responseHeaders, name, 'v7'),
    ]).toEqual([proxied, proxied, mapped]);
  });
}

test('HTTP_PROXY passes status, repeated headers and the stream itself, with its length', () => {
  const body = Readable.from([Buffer.from('abc')]);
  const x = answered({ status: 418, headers: ['Set-Cookie', 'a', 'set-cookie', 'b', 'Content-Length', '3'], body });
  expect(mapProxyResponse(x)).toBe(CONTINUE);
  expect([x.status, allHeaders(x.responseHeaders, 'set-cookie'), x.responseBody, x.responseBodyBytes]).toEqual([
    418,
    ['a', 'b'],
    body,
    3,
  ]);
  expect([lastHeader(x.responseHeaders, 'content-type'), lastHeader(x.responseHeaders, 'x-amzn-trace-id')]).toEqual([
    'application/json',
    null,
  ]);
});

test('a length beside a transfer coding does not count', () => {
  const x = answered({ headers: ['Content-Length', '3', 'Transfer-Encoding', 'chunked'], body: Readable.from([]) });
  mapProxyResponse(x);
  expect(x.responseBodyBytes).toBe(-1);
});

// HTTP and MOCK

function linked(responses: Partial<IntegrationResponseSnapshot>[]): IntegrationResponseSnapshot[] {
  return responses.map((response) => ({
    statusCode: 200,
    selectionPattern: null,
    responseParameters: {},
    responseTemplates: {},
    ...response,
  }));
}

function respond(
  responses: Partial<IntegrationResponseSnapshot>[],
  answer: Partial<UpstreamAnswer> = {},
  requestHeaders: RawHeaders = [],
  stage: Partial<StageSnapshot> = {},
): Exchange {
  const x = answered(answer, requestHeaders);
  const all = linked(responses);
  const mapping = mapResponse(all, { stage: stageSnapshot(stage), route: routeSnapshot() }, true);
  if (selectResponse(all)(x) === CONTINUE) void mapping.step(x);
  return x;
}

async function respondLater(responses: Partial<IntegrationResponseSnapshot>[], body: string | Buffer): Promise<Exchange> {
  const all = linked(responses);
  const x = answered({ body: Readable.from([Buffer.from(body)]) });
  x.integrationResponseIndex = 0;
  await mapResponse(all, { stage: stageSnapshot(), route: routeSnapshot() }, true).step(x);
  return x;
}

for (const [status, expected] of [
  [200, 200],
  [404, 444],
  [500, 555],
  [599, 555],
  [4040, 200],
] as const) {
  test(`backend status ${status} is answered as ${expected}: whole-text match, then the default`, () => {
    const responses = [
      { statusCode: 200 },
      { statusCode: 444, selectionPattern: '4\\d{2}' },
      { statusCode: 555, selectionPattern: '5..' },
      { statusCode: 556, selectionPattern: '500' },
    ];
    expect(respond(responses, { status }).status).toBe(expected);
  });
}

test('with only a default response every backend status becomes its status', () => {
  expect([400, 404, 500].map((status) => respond([{ statusCode: 200 }], { status }).status)).toEqual([200, 200, 200]);
});

test('a status that no response can have refuses the route', () => {
  expect(() => respond([{ statusCode: 101 }])).toThrow(LinkRefusal);
});

test('no match and no default is a configuration error', () => {
  expect(respond([{ selectionPattern: '200' }], { status: 404 }).fault!.name).toBe('API_CONFIGURATION_ERROR');
  expect(respond([], { status: 200 }).fault!.name).toBe('API_CONFIGURATION_ERROR');
});

test("nothing of the backend's headers goes out but what is mapped; the trace id does", () => {
  const x = respond(
    [
      {
        responseParameters: {
          'method.response.header.X-One': 'integration.response.header.One',
          'method.response.header.X-All': 'integration.response.multivalueheader.One',
          'method.response.header.X-None': 'integration.response.header.one',
          'method.response.header.X-Colour': 'stageVariables.colour',
        },
      },
    ],
    { headers: ['One', '1', 'One', '2', 'Secret', 's'] },
    [],
    { stageVariables: { colour: 'blue' } },
  );
  expect(x.responseHeaders).toEqual([
    'Content-Type',
    'application/json',
    'X-One',
    '2',
    'X-All',
    '1,2',
    'X-Colour',
    'blue',
    'X-Amzn-Trace-Id',
    'Root=1-2-3',
  ]);
});

test('an upstream on HTTP/2 writes names in lower case: a mapping finds them whatever its own case', () => {
  const responseParameters = {
    'method.response.header.X-One': 'integration.response.header.One',
    'method.response.header.X-All': 'integration.response.multivalueheader.One',
  };
  const x = respond([{ responseParameters }], { headers: ['one', '1', 'one', '2'], isHttp2: true });
  expect([lastHeader(x.responseHeaders, 'x-one'), lastHeader(x.responseHeaders, 'x-all')]).toEqual(['2', '1,2']);
});

test('the body passes through without a template; a mapped Content-Type wins', () => {
  const body = Readable.from([Buffer.from('x')]);
  const x = respond([{ responseParameters: { 'method.response.header.Content-Type': "'text/html'" } }], {
    body,
    headers: ['Content-Type', 'image/png'],
  });
  expect([x.responseBody, allHeaders(x.responseHeaders, 'content-type')]).toEqual([body, ['text/html']]);
});

test('a template replaces the body, is chosen by Accept, and brings its media type; the backend is let go', () => {
  const responseTemplates = { 'text/plain': 'plain', 'application/json': '{}' };
  const body = Readable.from([Buffer.from('x')]);
  const x = respond([{ responseTemplates }], { body }, ['Accept', 'text/plain']);
  expect([String(x.responseBody), x.responseBlock?.fields, body.destroyed]).toEqual([
    'plain',
    ['Content-Type', 'text/plain'],
    true,
  ]);
  expect(String(respond([{ responseTemplates }], {}, ['Accept', 'image/png']).responseBody)).toBe('{}');
  expect(String(respond([{ responseTemplates: { 'text/plain': 'only' } }]).responseBody)).toBe('only');
});

test('of templates whose media types differ in case alone the last one counts, as if it stood in the place of the first', () => {
  const responseTemplates = { 'Text/Plain': 'first', 'text/html': 'html', 'text/plain': 'last' };
  for (const [accept, expected] of [
    ['text/plain', 'last'],
    ['text/html', 'html'],
    ['image/png', 'last'],
  ] as const) {
    expect(String(respond([{ responseTemplates }], {}, ['Accept', accept]).responseBody), accept).toBe(expected);
  }
});

for (const [source, body, expected] of [
  ['integration.response.body', '{"a": 1}', '{"a":1}'],
  ['integration.response.body.a.b', '{"a":{"b":"c"}}', 'c'],
  ['integration.response.body.list[1]', '{"list":[1,[2]]}', '[2]'],
  ['integration.response.body.none', '{}', null],
  ['integration.response.body.none', '', null],
] as const) {
  test(`${source} of ${body || 'an empty body'} gives ${expected}, and the body still goes out`, async () => {
    const x = await respondLater([{ responseParameters: { 'method.response.header.X': source } }], body);
    expect([lastHeader(x.responseHeaders, 'x'), String(x.responseBody)]).toEqual([expected, body]);
  });
}

test('a body that a mapping reads has to be JSON', async () => {
  for (const body of ['<html>', '{"a":', 'text']) {
    expect(
      (await respondLater([{ responseParameters: { 'method.response.header.X': 'integration.response.body.a' } }], body)).fault!
        .name,
    ).toBe('RESPONSE_NOT_JSON');
  }
});

test('a body too large to be held fails instead of filling the memory', async () => {
  const x = await respondLater(
    [{ responseParameters: { 'method.response.header.X': 'integration.response.body.a' } }],
    Buffer.alloc(10 * 1024 * 1024 + 1),
  );
  expect(x.fault!.name).toBe('RESPONSE_TOO_LARGE');
});

for (const responseParameters of [
  { 'method.response.header.X': 'method.request.header.a' },
  { 'method.response.header.X': 'nonsense' },
  { 'method.response.cookie.X': "'1'" },
] as Record<string, string>[]) {
  test(`${JSON.stringify(responseParameters)} refuses the route`, () => {
    expect(() => respond([{ responseParameters }])).toThrow(LinkRefusal);
  });
}

// AWS_PROXY, data-plane reference §4.4

function returned(reply: unknown, requestHeaders: RawHeaders = [], binaryMediaTypes: string[] = []): Exchange {
  const x = answered({ body: Buffer.from(typeof reply === 'string' ? reply : JSON.stringify(reply)) }, requestHeaders);
  void mapFunctionResponse({ stage: stageSnapshot({ binaryMediaTypes }), route: routeSnapshot() })(x);
  return x;
}

for (const [reply, status, body] of [
  [{ statusCode: 200 }, 200, ''],
  [{}, 200, ''],
  [{ headers: { a: 'b' } }, 200, ''],
  [{ statusCode: '201', body: 'x' }, 201, 'x'],
  [{ statusCode: 404, body: null }, 404, ''],
  [{ statusCode: 200, headers: null, multiValueHeaders: null, body: 'ü', isBase64Encoded: false }, 200, 'ü'],
] as const) {
  test(`function reply ${JSON.stringify(reply)} is answered ${status}`, () => {
    const x = returned(reply);
    expect([x.fault, x.status, String(x.responseBody), lastHeader(x.responseHeaders, 'content-type')]).toEqual([
      null,
      status,
      body,
      'application/json',
    ]);
    expect(lastHeader(x.responseHeaders, 'x-amzn-trace-id')).toBe('Root=1-2-3');
  });
}

for (const reply of [
  'not json',
  '""',
  '[]',
  'null',
  '7',
  '',
  { statusCode: 'test' },
  { statusCode: 200.5 },
  { statusCode: 99 },
  { statusCode: null },
  { statusCode: 200, cookies: [] },
  { statusCode: 200, extra: 1 },
  { body: { a: 1 } },
  { body: 7 },
  { headers: [] },
  { headers: { a: ['b'] } },
  { headers: { a: { b: 1 } } },
  { headers: { a: 'b\r\nEvil: 1' } },
  { headers: { 'a b': '1' } },
  { multiValueHeaders: { a: 'b' } },
  { multiValueHeaders: { a: [['b']] } },
  { isBase64Encoded: 'true' },
]) {
  test(`function reply ${JSON.stringify(reply)} is 502`, () => {
    const x = returned(reply);
    expect([x.fault?.name, x.fault?.status, x.responseHeaders]).toEqual(['MALFORMED_FUNCTION_RESPONSE', 502, []]);
  });
}

test('headers merge: multi values first with their spelling, then the single one unless it is there; bools and numbers are text', () => {
  const x = returned({
    headers: { 'x-a': '3', 'X-B': true, 'X-C': 7, 'x-d': 'same', 'x-null': null },
    multiValueHeaders: { 'X-A': ['1', '2'], 'X-D': ['same'] },
  });
  expect(x.responseHeaders.slice(0, -4)).toEqual(['X-A', '1', 'X-A', '2', 'X-A', '3', 'X-D', 'same', 'X-B', 'true', 'X-C', '7']);
});

test('text beyond Latin-1 in a header goes out as UTF-8', () => {
  const x = returned({ headers: { 'X-A': '€' } });
  expect(Buffer.from(lastHeader(x.responseHeaders, 'x-a')!, 'latin1').toString('utf8')).toBe('€');
});

const base64 = { body: Buffer.from([0, 255, 1]).toString('base64'), isBase64Encoded: true };
for (const [what, accept, types, decoded] of [
  ['the first accepted type is binary', 'image/png, text/html', ['image/png'], true],
  ['all types are binary', 'text/html', ['*/*'], true],
  ['its family is binary', 'image/png;q=0.9', ['image/*'], true],
  ['only the second accepted type is binary', 'text/html, image/png', ['image/png'], false],
  ['the entry is */subtype', 'image/png', ['*/png'], false],
  ['the caller accepts a family', 'image/*', ['image/png'], false],
  ['there is no Accept', null, ['*/*'], false],
  ['nothing is binary', 'image/png', [], false],
] as const) {
  test(`a base64 body is ${decoded ? 'decoded' : 'sent as text'} when ${what}`, () => {
    const x = returned(base64, accept === null ? [] : ['Accept', accept], [...types]);
    expect(x.responseBody).toEqual(decoded ? Buffer.from([0, 255, 1]) : Buffer.from('AP8B'));
  });
}

test('a body that should be base64 and is not is a configuration error, when it has to be decoded', () => {
  expect(returned({ body: 'a*b', isBase64Encoded: true }, ['Accept', 'a/b'], ['a/b']).fault!.name).toBe(
    'API_CONFIGURATION_ERROR',
  );
  expect(String(returned({ body: 'a*b', isBase64Encoded: true }).responseBody)).toBe('a*b');
});

test('readAll sees the passed stream whole', async () => {
  const x = answered({ body: Readable.from([Buffer.from('a'), Buffer.from('b')]) });
  mapProxyResponse(x);
  expect((await readAll(x.responseBody as Readable, 10)).toString()).toBe('ab');
});

test('the id that a backend gave its call is awsEndpointRequestId, for mappings of the response', () => {
  const mapped = { responseParameters: { 'method.response.header.X-Id': 'context.awsEndpointRequestId' } };
  for (const name of ['x-amz-request-id', 'x-amzn-RequestId']) {
    expect(lastHeader(respond([mapped], { headers: [name, 'id-7'] }).responseHeaders, 'x-id')).toBe('id-7');
  }
  expect(lastHeader(respond([mapped]).responseHeaders, 'x-id')).toBe(null);
});

test('names of headers that came by HTTP/2 have no case, also when the body was read first', async () => {
  const all = linked([
    {
      responseParameters: {
        'method.response.header.X-A': 'integration.response.header.ETag',
        'method.response.header.X-B': 'integration.response.body.b',
      },
    },
  ]);
  const x = answered({ headers: ['etag', '"7"'], isHttp2: true, body: Readable.from([Buffer.from('{"b":"c"}')]) });
  x.integrationResponseIndex = 0;
  await mapResponse(all, { stage: stageSnapshot(), route: routeSnapshot() }, true).step(x);
  expect([lastHeader(x.responseHeaders, 'x-a'), lastHeader(x.responseHeaders, 'x-b')]).toEqual(['"7"', 'c']);
});
