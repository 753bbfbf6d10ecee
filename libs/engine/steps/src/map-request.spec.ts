import type {
  HttpIntegrationSnapshot,
  HttpProxyIntegrationSnapshot,
  IntegrationSnapshot,
  MockIntegrationSnapshot,
  StageSnapshot,
} from '@gatehouse/contracts';
import {
  allHeaders,
  CONTINUE,
  Exchange,
  lastHeader,
  LinkRefusal,
  STREAM_BODY,
  type RawHeaders,
  type RequestTrace,
} from '@gatehouse/engine-exchange';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { mapRequest } from './index.js';

const PROXY: HttpProxyIntegrationSnapshot = {
  type: 'HTTP_PROXY',
  uri: 'http://backend.example/base',
  httpMethod: 'ANY',
  timeoutMs: 29_000,
  requestParameters: {},
  insecureSkipVerification: false,
};
const HTTP: HttpIntegrationSnapshot = {
  ...PROXY,
  type: 'HTTP',
  passthroughBehavior: 'WHEN_NO_MATCH',
  requestTemplates: {},
  responses: [],
};

interface Case {
  readonly path?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly httpMethod?: string;
  readonly headers?: RawHeaders;
  readonly query?: string;
  readonly body?: string;
  readonly stage?: Partial<StageSnapshot>;
  readonly trace?: RequestTrace;
}

function run(integration: IntegrationSnapshot, options: Case = {}): Exchange {
  const route = routeSnapshot({ path: options.path ?? '/', integration });
  const stage = stageSnapshot(options.stage);
  const { step, body } = mapRequest({ stage, route });
  const x = new Exchange();
  x.httpMethod = options.httpMethod ?? 'GET';
  x.sourceIp = '198.51.100.7';
  x.forwardedPort = '8080';
  x.forwardedProto = 'http';
  x.traceId = 'Root=1-2-3;Parent=4;Sampled=0';
  x.requestHeaders = options.headers ?? [];
  x.trace = options.trace ?? null;
  x.rawQuery = options.query ?? '';
  x.requestId = 'request-1';
  x.stage = {
    digest: 'd',
    snapshot: stage,
    isCanary: null,
    canary: null,
    faults: { render: () => undefined },
    metrics: { record: () => undefined },
    match: () => null,
  };
  const names = Object.keys(options.params ?? {});
  x.params.push(...Object.values(options.params ?? {}));
  x.route = {
    settings: route,
    paramNames: names,
    program: {
      requestSteps: [],
      responseSteps: [],
      requestBody: body,
      responseBody: STREAM_BODY,
      faults: x.stage.faults,
      bugFault: null!,
    },
    metrics: { record: () => undefined },
  };
  if (options.body !== undefined && body.type === 'stream') {
    const bytes = Buffer.from(options.body);
    x.requestBody = { declaredBytes: bytes.length, atHand: null, open: () => Readable.from([bytes]) };
  } else if (body.type === 'buffer') x.bufferedBody = Buffer.from(options.body ?? '');
  expect(step(x)).toBe(x.fault === null ? CONTINUE : 2);
  return x;
}

const sentTo = (x: Exchange): string => x.upstreamRequest?.url ?? x.fault!.name;
/** Everything that goes out, in order. */
const sentHeaders = (x: Exchange): readonly string[] => [
  ...(x.upstreamRequest!.block?.fields ?? []),
  ...x.upstreamRequest!.headers,
  'X-Amzn-Trace-Id',
  x.upstreamRequest!.traceId,
];
const sentHeader = (x: Exchange, name: string): string | null => lastHeader(sentHeaders(x), name.toLowerCase());

// Data-plane reference §3.6.2 and §3.6.3, request side, for what is not dropped by the parser already.
const PASSED_BY_PROXY: readonly (readonly [name: string, isPassed: boolean])[] = [
  ['Age', true],
  ['Accept', true],
  ['Accept-Charset', true],
  ['Accept-Encoding', true],
  ['Authorization', true],
  ['Connection', false],
  ['Content-Encoding', false],
  ['Content-Length', false],
  ['Content-Type', true],
  ['Date', true],
  ['Expect', false],
  ['Host', false],
  ['Pragma', true],
  ['Proxy-Authenticate', false],
  ['Range', true],
  ['Referer', true],
  ['TE', false],
  ['Transfer-Encoding', false],
  ['Upgrade', false],
  ['User-Agent', true],
  ['Via', false],
  ['Warn', true],
  ['X-Api-Key', true],
  ['X-Custom', true],
  ['Cookie', true],
];
for (const [name, isPassed] of PASSED_BY_PROXY) {
  test(`HTTP_PROXY: the caller's ${name} is ${isPassed ? 'passed' : 'dropped'}; HTTP sends only what is mapped`, () => {
    expect(sentHeader(run(PROXY, { headers: [name, 'value'] }), name)).toBe(isPassed ? 'value' : null);
    if (!['Accept', 'User-Agent', 'Content-Type'].includes(name))
      expect(sentHeader(run(HTTP, { headers: [name, 'value'] }), name)).toBe(null);
  });
}

test('HTTP_PROXY keeps case, order and repetitions, and adds what it owes', () => {
  const x = run(PROXY, {
    headers: [
      'x-B',
      '1',
      'X-a',
      '2',
      'x-B',
      '3',
      'x-forwarded-for',
      '203.0.113.9',
      'X-AMZN-TRACE-ID',
      'Root=mine',
      'X-Forwarded-Proto',
      'gopher',
    ],
  });
  expect(sentHeaders(x)).toEqual([
    'x-B',
    '1',
    'X-a',
    '2',
    'x-B',
    '3',
    'Content-Type',
    'application/json',
    'X-Forwarded-For',
    '203.0.113.9, 198.51.100.7',
    'X-Forwarded-Port',
    '8080',
    'X-Forwarded-Proto',
    'http',
    'X-Amzn-Apigateway-Api-Id',
    'abc123defg',
    'X-Amzn-Trace-Id',
    'Root=1-2-3;Parent=4;Sampled=0',
  ]);
});

test('HTTP sends its own headers and nothing of the caller', () => {
  expect(
    sentHeaders(run(HTTP, { httpMethod: 'POST', headers: ['Content-Type', 'text/plain', 'Cookie', 'a', 'Accept', 'text/html'] })),
  ).toEqual([
    'Accept',
    'application/json',
    'User-Agent',
    'AmazonAPIGateway_abc123defg',
    'Content-Type',
    'text/plain',
    'X-Amzn-Apigateway-Api-Id',
    'abc123defg',
    'X-Amzn-Trace-Id',
    'Root=1-2-3;Parent=4;Sampled=0',
  ]);
  for (const httpMethod of ['GET', 'HEAD', 'OPTIONS']) expect(sentHeader(run(HTTP, { httpMethod }), 'Content-Type')).toBe(null);
});

/** Its headers are kept from one request of a route for the next. */
test("HTTP tells a request's own media type, whatever the route was sent before", () => {
  const route = routeSnapshot({ path: '/', integration: { ...HTTP, requestParameters: {} } });
  const { step } = mapRequest({ stage: stageSnapshot(), route });
  const types = (['text/plain', 'text/plain', null, 'application/xml', 'GET', 'text/plain'] as const).map((type) => {
    const x = new Exchange();
    x.httpMethod = type === 'GET' ? type : 'POST';
    x.requestHeaders = type === null || type === 'GET' ? [] : ['Content-Type', type];
    x.bufferedBody = Buffer.from('x');
    step(x);
    return sentHeader(x, 'Content-Type');
  });
  expect(types).toEqual(['text/plain', 'text/plain', 'application/json', 'application/xml', null, 'text/plain']);
});

test('a signature made for the gateway does not reach the backend', () => {
  expect(sentHeader(run(PROXY, { headers: ['Authorization', 'AWS4-HMAC-SHA256 Credential=x'] }), 'Authorization')).toBe(null);
});

// Data-plane reference §3.6.3, second table. 'dropped' where sending it would change the connection itself.
const MAPPED: readonly (readonly [name: string, outcome: 'sent' | 'dropped' | 'fault'])[] = [
  ['Content-Length', 'fault'],
  ['Transfer-Encoding', 'fault'],
  ['x-amzn-trace-id', 'fault'],
  ['X-Amzn-Apigateway-Api-Id', 'fault'],
  ['Authorization', 'sent'],
  ['Connection', 'dropped'],
  ['Expect', 'dropped'],
  ['Proxy-Authenticate', 'dropped'],
  ['TE', 'dropped'],
  ['Content-MD5', 'sent'],
  ['Max-Forwards', 'sent'],
  ['Server', 'sent'],
  ['Trailer', 'sent'],
  ['Upgrade', 'dropped'],
  ['WWW-Authenticate', 'sent'],
  ['Host', 'sent'],
  ['Content-Encoding', 'sent'],
  ['Via', 'dropped'],
  ['X-Custom', 'sent'],
];
for (const [name, outcome] of MAPPED) {
  for (const integration of [PROXY, HTTP]) {
    test(`${integration.type}: a mapping to ${name} is ${outcome}`, () => {
      const x = run({ ...integration, requestParameters: { [`integration.request.header.${name}`]: "'mapped'" } });
      if (outcome === 'fault') expect(x.fault!.name).toBe('FORBIDDEN_HEADER_MAPPING');
      else expect(sentHeader(x, name)).toBe(outcome === 'sent' ? 'mapped' : null);
    });
  }
}

test("a mapped header replaces the caller's in any case, and a missing source leaves it alone", () => {
  const mapped = { ...PROXY, requestParameters: { 'integration.request.header.X-Who': 'method.request.header.who' } };
  expect(
    allHeaders(run(mapped, { headers: ['x-who', 'a', 'X-WHO', 'b', 'who', 'c'] }).upstreamRequest!.headers, 'x-who'),
  ).toEqual(['c']);
  expect(allHeaders(run(mapped, { headers: ['x-who', 'a'] }).upstreamRequest!.headers, 'x-who')).toEqual(['a']);
});

// Sources, data-plane reference §3.7.
for (const [source, expected] of [
  ["'static'", 'static'],
  ["''", ''],
  ['stageVariables.colour', 'blue'],
  ['stageVariables.none', null],
  ['context.requestId', 'request-1'],
  ['context.identity.sourceIp', '198.51.100.7'],
  ['context.identity.caller', null],
  ['method.request.header.One', '2'],
  ['method.request.header.one', null],
  ['method.request.multivalueheader.One', '1,2'],
  ['method.request.querystring.q', 'b c'],
  ['method.request.querystring.Q', null],
  ['method.request.path.id', 'a b/c'],
  ['method.request.body', '{"a":{"b":[1,{"c":"x"}]},"n":null,"t":true}'],
  ['method.request.body.a', '{"b":[1,{"c":"x"}]}'],
  ['method.request.body.a.b[1].c', 'x'],
  ["method.request.body.a['b'][0]", '1'],
  ['method.request.body.$.t', 'true'],
  ['method.request.body.n', null],
  ['method.request.body.a.b.c', null],
  ['method.request.body.toString', null],
  ['method.request.body.$..c', '["x"]'],
  ['method.request.body.$.a.b[-1:].c', '["x"]'],
  ["method.request.body.$.a.b[?(@.c == 'x')]", '[{"c":"x"}]'],
  ['method.request.body.$.a.*', '[[1,{"c":"x"}]]'],
] as const) {
  test(`source ${source} gives ${expected}`, () => {
    const x = run(
      { ...HTTP, requestParameters: { 'integration.request.header.X-Got': source } },
      {
        headers: ['One', '1', 'One', '2'],
        query: 'q=a&q=b+c',
        path: '/{id}',
        params: { id: 'a%20b%2Fc' },
        body: '{"a":{"b":[1,{"c":"x"}]},"n":null,"t":true}',
        httpMethod: 'POST',
        stage: { stageVariables: { colour: 'blue' } },
      },
    );
    expect(sentHeader(x, 'X-Got')).toBe(expected);
  });
}

for (const [body, expected] of [
  ['{"a":', 'INVALID_JSON_BODY'],
  ["'a'", 'INVALID_JSON_BODY'],
  ['', '{}'],
  ['plain text', 'plain text'],
  [' [1, 2] ', '[1,2]'],
  ['"quoted"', 'quoted'],
] as const) {
  test(`the whole body ${JSON.stringify(body)} maps to ${expected}`, () => {
    const x = run(
      { ...PROXY, requestParameters: { 'integration.request.header.X-Body': 'method.request.body' } },
      { body, httpMethod: 'POST' },
    );
    expect(x.fault?.name ?? sentHeader(x, 'X-Body')).toBe(expected);
    if (x.fault === null) expect(x.upstreamRequest!.body?.toString() ?? '').toBe(body);
  });
}

test('a value with a line end is not sent as a header', () => {
  const x = run(
    { ...HTTP, requestParameters: { 'integration.request.header.X': 'method.request.querystring.q' } },
    { query: 'q=a%0d%0aEvil:1' },
  );
  expect(sentHeader(x, 'X')).toBe(null);
});

for (const [what, requestParameters] of [
  ['an unknown destination', { 'integration.request.cookie.x': "'1'" }],
  ['a name with forbidden characters', { 'integration.request.header.a b': "'1'" }],
  ['an unknown source', { 'integration.request.header.x': 'method.request.cookie.x' }],
  ['an unknown context variable', { 'integration.request.header.x': 'context.nonsense' }],
  ['a JSONPath that is none', { 'integration.request.header.x': 'method.request.body.$.[' }],
] as const) {
  test(`${what} refuses the route`, () => {
    expect(() => run({ ...PROXY, requestParameters })).toThrow(LinkRefusal);
  });
}

// Paths and queries.
const withPath = (source: string, uri = 'http://b.example/x/{p}/y'): HttpProxyIntegrationSnapshot => ({
  ...PROXY,
  uri,
  requestParameters: { 'integration.request.path.p': source },
});
for (const [what, raw, expected] of [
  ['a plain value', 'a', 'http://b.example/x/a/y'],
  ['characters of a path segment stay as they are', "a:b@c$&'()*+,;=-._~!", "http://b.example/x/a:b@c$&'()*+,;=-._~!/y"],
  ['an escaped percent sign stays escaped', '50%25', 'http://b.example/x/50%25/y'],
  ['an escaped slash stays escaped', 'a%2Fb', 'http://b.example/x/a%2Fb/y'],
  ['needless escapes are undone: one form for everybody', '%61%2d', 'http://b.example/x/a-/y'],
  ['a greedy value keeps its slashes', 'a/b%20c//d', 'http://b.example/x/a/b%20c//d/y'],
  ['question mark and hash cannot end the path', 'a%3Fb%23c', 'http://b.example/x/a%3Fb%23c/y'],
] as const) {
  test(`path mapping: ${what}`, () => {
    expect(sentTo(run(withPath('method.request.path.id'), { params: { id: raw } }))).toBe(expected);
  });
}

for (const [what, source, query, expected] of [
  ['a query value is one segment', 'method.request.querystring.q', 'q=a/b', 'http://b.example/x/a%2Fb/y?q=a/b'],
  ['a query value cannot walk up', 'method.request.querystring.q', 'q=..', 'MALFORMED_PATH_VALUE'],
  ['a query value cannot walk up in disguise', 'method.request.querystring.q', 'q=../../admin', 'MALFORMED_PATH_VALUE'],
  ['nor with backslashes', 'method.request.querystring.q', 'q=a%5C..%5Cb', 'MALFORMED_PATH_VALUE'],
  ["the owner's own slashes stay", "'a/b'", '', 'http://b.example/x/a/b/y'],
  ['a missing value fails', 'method.request.querystring.none', '', 'INVALID_ENDPOINT'],
] as const) {
  test(`path mapping: ${what}`, () => {
    expect(sentTo(run(withPath(source), { query }))).toBe(expected);
  });
}

test('a placeholder nobody mapped fails; one in the query is escaped for a query', () => {
  expect(sentTo(run({ ...PROXY, uri: 'http://b.example/{p}' }))).toBe('INVALID_ENDPOINT');
  expect(sentTo(run(withPath('method.request.path.id', 'http://b.example/?id={p}&z=1'), { params: { id: 'a&b/c' } }))).toBe(
    'http://b.example/?id=a%26b%2Fc&z=1',
  );
});

test("HTTP_PROXY passes the caller's query as it is, behind the URI's and before mapped ones", () => {
  const x = run(
    { ...PROXY, uri: 'http://b.example/p?fixed=1', requestParameters: { 'integration.request.querystring.q': "'a b'" } },
    { query: 'q=1+2&q=%2B&flag' },
  );
  expect(sentTo(x)).toBe('http://b.example/p?fixed=1&q=1+2&q=%2B&flag&q=a%20b');
});

test('HTTP sends mapped query values only, repeated for multi-value sources', () => {
  const x = run(
    {
      ...HTTP,
      requestParameters: {
        'integration.request.querystring.all': 'method.request.multivaluequerystring.q',
        'integration.request.querystring.last': 'method.request.querystring.q',
      },
    },
    { query: 'q=1+2&q=%2B&flag' },
  );
  expect(sentTo(x)).toBe('http://backend.example/base?all=1%202&all=%2B&last=%2B');
});

test("the verb is the configured one, or the caller's for ANY", () => {
  expect(run(PROXY, { httpMethod: 'PATCH' }).upstreamRequest!.httpMethod).toBe('PATCH');
  expect(run({ ...PROXY, httpMethod: 'PUT' }, { httpMethod: 'PATCH' }).upstreamRequest!.httpMethod).toBe('PUT');
});

test('a streamed body keeps its declared length, for any verb', () => {
  for (const httpMethod of ['POST', 'GET', 'DELETE']) {
    const x = run(PROXY, { httpMethod, body: 'hello' });
    expect(sentHeader(x, 'Content-Length')).toBe('5');
    expect(x.upstreamRequest!.body).not.toBe(null);
  }
});

// Data-plane reference §3.9.
for (const [behavior, templates, contentType, expected] of [
  ['WHEN_NO_MATCH', {}, 'text/plain', 'passes'],
  ['WHEN_NO_MATCH', { 'application/json': 'T' }, 'text/plain', 'passes'],
  ['WHEN_NO_MATCH', { 'application/json': 'T' }, 'Application/JSON; charset=utf-8', 'T'],
  ['WHEN_NO_MATCH', { 'application/json': 'T' }, null, 'T'],
  ['WHEN_NO_MATCH', { $default: 'D' }, 'text/plain', 'D'],
  ['WHEN_NO_TEMPLATES', {}, 'text/plain', 'passes'],
  ['WHEN_NO_TEMPLATES', { 'application/json': 'T' }, 'text/plain', '415'],
  ['WHEN_NO_TEMPLATES', { 'application/json': 'T' }, 'application/json', 'T'],
  ['NEVER', {}, 'text/plain', '415'],
  ['NEVER', { 'application/json': 'T' }, 'text/plain', '415'],
  ['NEVER', { 'application/json': 'T' }, 'application/json', 'T'],
] as const) {
  test(`${behavior} with ${JSON.stringify(templates)} and ${contentType}: ${expected}`, () => {
    const x = run(
      { ...HTTP, passthroughBehavior: behavior, requestTemplates: templates },
      { httpMethod: 'POST', body: 'body', headers: contentType === null ? [] : ['Content-Type', contentType] },
    );
    const body = x.upstreamRequest?.body;
    expect(x.fault !== null ? String(x.fault.status) : Buffer.isBuffer(body) ? body.toString() : 'passes').toBe(expected);
  });
}

// MOCK
const MOCK: MockIntegrationSnapshot = {
  type: 'MOCK',
  passthroughBehavior: 'WHEN_NO_MATCH',
  requestTemplates: { 'application/json': '{statusCode: 418}' },
  responses: [],
};
test('a mock answers what its template says, without a backend', () => {
  const x = run(MOCK);
  expect([x.upstreamAnswer, x.upstreamRequest, x.integrationLatencyMs]).toEqual([
    { status: 418, headers: [], body: null },
    null,
    -1,
  ]);
});
test('a mock whose template gives no status is a configuration error', () => {
  expect(run({ ...MOCK, requestTemplates: { 'application/json': '{"statusCode": "200"}' } }).fault!.name).toBe(
    'API_CONFIGURATION_ERROR',
  );
  expect(run({ ...MOCK, requestTemplates: {} }).fault!.name).toBe('API_CONFIGURATION_ERROR');
});
test('a mock without a matching template takes the status from the body', () => {
  expect(run(MOCK, { headers: ['Content-Type', 'text/plain'], body: '{"statusCode": 202}' }).upstreamAnswer!.status).toBe(202);
  expect(run({ ...MOCK, passthroughBehavior: 'NEVER' }, { headers: ['Content-Type', 'text/plain'] }).fault!.name).toBe(
    'UNSUPPORTED_MEDIA_TYPE',
  );
});

test('an integration the compiler refused is a configuration error that names nothing to the caller', () => {
  const x = run({ type: 'REFUSE', reason: 'template holds $input' });
  expect([x.fault!.name, x.faultMessage]).toEqual(['API_CONFIGURATION_ERROR', 'Internal server error']);
});

const TRACE: RequestTrace = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: '00f067aa0ba902b7',
  upstreamSpanId: 'b7ad6b7169203331',
  parent: null,
  isSampled: true,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

test("a node that traces sends its own traceparent in place of the caller's, a mapped one too; others pass it on", () => {
  const headers = ['Traceparent', 'of the caller'];
  const mapped = { ...PROXY, requestParameters: { 'integration.request.header.traceparent': "'mapped'" } };
  const sent = (integration: IntegrationSnapshot, trace?: RequestTrace) => {
    const request = run(integration, { headers, ...(trace !== undefined && { trace }) }).upstreamRequest!;
    return allHeaders([...(request.block?.fields ?? []), ...request.headers], 'traceparent');
  };
  expect(sent(PROXY)).toEqual(['of the caller']);
  for (const integration of [PROXY, mapped, HTTP]) expect(sent(integration, TRACE)).toEqual([TRACE.traceparent]);
});
