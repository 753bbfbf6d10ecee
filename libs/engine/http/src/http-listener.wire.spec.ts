// The engine on real sockets, between a scripted caller and scripted upstreams.
import type { ApiKeyEntry, IntegrationSnapshot, RouteSnapshot, StageSnapshot, UsagePlanEntry } from '@gatehouse/contracts';
import { AddressRules, FunctionConnector, HttpConnector } from '@gatehouse/engine-connectors';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { WorldKeeper, type WorldEntry } from '@gatehouse/engine-link';
import { RequestRecorder } from '@gatehouse/engine-record';
import { canonicalJson, ManualClock, Secret, sha256Hex } from '@gatehouse/kernel';
import {
  callOnce,
  RawCaller,
  routeSnapshot,
  ScriptedUpstream,
  stageSnapshot,
  startCall,
  type CallerRequest,
  type CallerResponse,
  type UpstreamCall,
} from '@gatehouse/testkit';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { HttpListener, type HttpListenerOptions } from './index.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface LogLine {
  readonly status: number;
  readonly fault?: string;
  readonly bytes: number;
  readonly resource: string | null;
  readonly path: string;
}

class Node {
  readonly lines: LogLine[] = [];
  readonly counted: string[] = [];
  readonly clock = new ManualClock();
  readonly blobs = new Map<string, Uint8Array>();
  readonly worlds: WorldKeeper;
  readonly listener: HttpListener;
  private revision = 0;
  private readonly waiting: { count: number; resolve: () => void }[] = [];

  constructor(runnerUrl: string, over: Partial<HttpListenerOptions>) {
    const addressRules = new AddressRules({ allow: ['loopback'] });
    const http = new HttpConnector({ addressRules });
    const functions = new FunctionConnector({ runnerUrl, nodeToken: new Secret('token') });
    closing.push(
      () => http.close(),
      () => functions.close(),
    );
    this.worlds = new WorldKeeper({
      bindings: {
        limits: {
          buckets: new BucketRegistry(1_000),
          quotas: new QuotaLedger({ requestMore: () => undefined }),
          usage: { count: (_tenant, plan, key) => void this.counted.push(`${plan} ${key}`) },
          clock: this.clock,
        },
        http,
        insecureHttp: http,
        functions,
        metrics: {
          series: ({ resource, httpMethod }) => ({
            record: (status) => void this.counted.push(`${httpMethod} ${resource} ${status}`),
          }),
        },
      },
    });
    const accessLog = {
      write: (line: string) => {
        this.lines.push(JSON.parse(line) as LogLine);
        for (const { count, resolve } of this.waiting) if (this.lines.length >= count) resolve();
      },
    };
    this.listener = new HttpListener({
      worlds: this.worlds,
      recorder: new RequestRecorder({ clock: this.clock, accessLog }),
      clock: this.clock,
      baseDomain: 'localhost',
      ...over,
    });
  }

  async publish(...stages: StageSnapshot[]): Promise<void> {
    await this.adopt(
      stages.map((stage) => {
        const bytes = Buffer.from(canonicalJson(stage));
        const digest = sha256Hex(bytes);
        this.blobs.set(digest, bytes);
        return { kind: 'STAGE', id: `${stage.apiId}/${stage.stage}`, tenant: stage.tenant, digest, inline: '' };
      }),
    );
  }

  async adopt(entries: WorldEntry[]): Promise<void> {
    const refusals = await this.worlds.adopt(
      { revision: ++this.revision, entries, removed: [] },
      (digest) => this.blobs.get(digest) ?? null,
    );
    expect(refusals).toEqual([]);
  }

  call(path: string, options: CallerRequest = {}): Promise<CallerResponse> {
    return callOnce(this.listener.port, { path, host: 'abc123defg.execute-api.localhost', ...options });
  }

  /** Resolves when so many requests were recorded. */
  async recorded(count: number): Promise<void> {
    if (this.lines.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
  }
}

async function node(runnerUrl = 'http://127.0.0.1:1', over: Partial<HttpListenerOptions> = {}): Promise<Node> {
  const started = new Node(runnerUrl, over);
  await started.listener.listen(0, '127.0.0.1');
  closing.push(() => started.listener.close({ deadlineMs: 0 }));
  return started;
}

async function upstream(script?: (call: UpstreamCall) => void | Promise<void>): Promise<ScriptedUpstream> {
  const started = await ScriptedUpstream.start(script);
  closing.push(() => started.close());
  return started;
}

const proxyTo = (uri: string, over: object = {}): IntegrationSnapshot => ({
  type: 'HTTP_PROXY',
  uri,
  httpMethod: 'ANY',
  timeoutMs: 5_000,
  requestParameters: {},
  insecureSkipVerification: false,
  ...over,
});

const stageOf = (...routes: Partial<RouteSnapshot>[]): StageSnapshot =>
  stageSnapshot({ routes: routes.map((route) => routeSnapshot(route)) });

async function proxied(
  script: (call: UpstreamCall) => void | Promise<void>,
  over: object = {},
  listener: Partial<HttpListenerOptions> = {},
): Promise<{ gate: Node; up: ScriptedUpstream }> {
  const up = await upstream(script);
  const gate = await node(undefined, listener);
  await gate.publish(
    stageOf({
      path: '/{proxy+}',
      httpMethod: 'ANY',
      integration: proxyTo(`${up.url}/{proxy}`, {
        requestParameters: { 'integration.request.path.proxy': 'method.request.path.proxy' },
        ...over,
      }),
    }),
  );
  return { gate, up };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

test('a mock answers with the common headers, byte for byte', async () => {
  const gate = await node();
  await gate.publish(stageSnapshot());
  const answer = await gate.call('/dev');
  expect([answer.status, answer.text, answer.headers['content-length'], answer.headers['content-type']]).toEqual([
    200,
    '',
    '0',
    'application/json',
  ]);
  expect(answer.headers['x-amzn-requestid']).toMatch(UUID);
  expect(answer.headers['x-amz-apigw-id']).toMatch(/^[A-Za-z0-9+/]{15}=$/);
  expect(answer.headers['x-amzn-trace-id']).toBe(undefined);
});

test('a request id that is a UUID is kept, another one is replaced', async () => {
  const gate = await node();
  await gate.publish(stageSnapshot());
  const id = '11111111-2222-3333-4444-555555555555';
  expect((await gate.call('/dev', { headers: ['X-Amzn-RequestId', id] })).headers['x-amzn-requestid']).toBe(id);
  expect((await gate.call('/dev', { headers: ['X-Amzn-RequestId', 'mine'] })).headers['x-amzn-requestid']).toMatch(UUID);
});

for (const [what, path, options, status, errorType, body] of [
  ['an unknown API', '/dev/', { host: 'zzz.execute-api.localhost' }, 403, 'ForbiddenException', '{"message":"Forbidden"}'],
  ['an unknown host', '/dev/', { host: 'example.com' }, 403, 'ForbiddenException', '{"message":"Forbidden"}'],
  ['an unknown stage', '/prod/', {}, 403, 'ForbiddenException', '{"message":"Forbidden"}'],
  ['no stage', '/', {}, 403, 'ForbiddenException', '{"message":"Forbidden"}'],
  [
    'an unknown path',
    '/dev/nothing',
    {},
    403,
    'MissingAuthenticationTokenException',
    '{"message":"Missing Authentication Token"}',
  ],
  [
    'an unsupported verb',
    '/dev/',
    { httpMethod: 'POST' },
    403,
    'MissingAuthenticationTokenException',
    '{"message":"Missing Authentication Token"}',
  ],
  ['HEAD on a GET method', '/dev/', { httpMethod: 'HEAD' }, 403, 'MissingAuthenticationTokenException', ''],
  [
    'a verb override header',
    '/dev/',
    { httpMethod: 'POST', headers: ['X-HTTP-Method-Override', 'GET'] },
    403,
    'MissingAuthenticationTokenException',
    '{"message":"Missing Authentication Token"}',
  ],
  [
    'an unknown path with a token',
    '/dev/nothing',
    { headers: ['Authorization', 'Bearer abc'] },
    403,
    'IncompleteSignatureException',
    `{"message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."}`,
  ],
  [
    'an unknown path with half a signature',
    '/dev/nothing',
    { headers: ['Authorization', 'AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host', 'X-Amz-Date', '20261120T101112Z'] },
    403,
    'IncompleteSignatureException',
    `{"message":"Authorization header requires 'Signature' parameter."}`,
  ],
  [
    'an unknown path that is signed',
    '/dev/nothing',
    {
      headers: [
        'Authorization',
        'AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b',
        'Date',
        'Fri, 20 Nov 2026 10:11:12 GMT',
      ],
    },
    403,
    'MissingAuthenticationTokenException',
    '{"message":"Missing Authentication Token"}',
  ],
  ['a path that walks up', '/dev/%2e%2e/x', {}, 400, 'BadRequestException', '{"message":"Bad Request"}'],
  [
    'a body beyond 10 MiB',
    '/dev/',
    { headers: ['Content-Length', String(10 * 1024 * 1024 + 1)] },
    413,
    'RequestTooLargeException',
    '{"message":"HTTP content length exceeded 10485760 bytes."}',
  ],
] as [string, string, CallerRequest, number, string, string][]) {
  test(`${what} is ${status} ${errorType}`, async () => {
    const gate = await node();
    await gate.publish(stageSnapshot());
    const answer = await gate.call(path, options);
    expect([answer.status, answer.headers['x-amzn-errortype'], answer.text, answer.headers['content-type']]).toEqual([
      status,
      errorType,
      body,
      'application/json',
    ]);
    expect(answer.headers['x-amzn-requestid']).toMatch(UUID);
  });
}

test('a disabled default endpoint is Forbidden', async () => {
  const gate = await node();
  await gate.publish(stageSnapshot({ disableExecuteApiEndpoint: true }));
  expect((await gate.call('/dev')).text).toBe('{"message":"Forbidden"}');
});

test('a customised gateway response is what the caller gets', async () => {
  const gate = await node();
  await gate.publish(
    stageSnapshot({
      gatewayResponses: [
        {
          responseType: 'MISSING_AUTHENTICATION_TOKEN',
          statusCode: 404,
          headers: { 'X-A': "'b'" },
          templates: { 'application/json': '{"no":"$context.path"}' },
        },
      ],
    }),
  );
  const answer = await gate.call('/dev/x');
  expect([answer.status, answer.text, answer.headers['x-a']]).toEqual([404, '{"no":"/dev/x"}', 'b']);
});

test('host in any case, with port and trailing dot, and the path form reach the same stage', async () => {
  const gate = await node();
  await gate.publish(stageSnapshot());
  for (const host of ['ABC123DEFG.Execute-Api.localhost:1234', 'abc123defg.execute-api.localhost.'])
    expect((await gate.call('/dev', { host })).status).toBe(200);
  expect((await gate.call('/_aws/execute-api/abc123defg/dev/', { host: '127.0.0.1' })).status).toBe(200);
});

// Integrations end to end

test('HTTP_PROXY: request and answer pass, remapped and completed', async () => {
  const { gate, up } = await proxied(async ({ body, response }) => {
    response.sendDate = false;
    response.writeHead(201, ['Server', 'up', 'Set-Cookie', 'a', 'Set-Cookie', 'b', 'Date', 'then']).end(await body);
  });
  const answer = await gate.call('/dev/a%2Fb//c?x=1+2', {
    httpMethod: 'PUT',
    body: 'hello',
    headers: ['X-One', '1', 'Connection', 'x-one', 'TE', 'trailers'],
  });
  const call = up.calls[0]!;
  expect([call.httpMethod, call.url, (await call.body).toString()]).toEqual(['PUT', '/a%2Fb//c?x=1+2', 'hello']);
  expect(call.request.headers).toMatchObject({
    'x-one': '1',
    host: `127.0.0.1:${up.port}`,
    'content-length': '5',
    'x-forwarded-for': '127.0.0.1',
    'x-amzn-apigateway-api-id': 'abc123defg',
  });
  expect(call.request.headers.te).toBe(undefined);
  expect([
    answer.status,
    answer.text,
    answer.headers['x-amzn-remapped-server'],
    answer.headers['x-amzn-remapped-date'],
    answer.headers['set-cookie'],
  ]).toEqual([201, 'hello', 'up', 'then', 'a, b']);
  expect(answer.headers['x-amzn-trace-id']).toBe(undefined);
});

test('HTTP: mapped request, selected and mapped response', async () => {
  const up = await upstream(({ response }) => void response.writeHead(404, { 'X-Kind': 'none' }).end('{"id":7}'));
  const gate = await node();
  await gate.publish(
    stageOf({
      path: '/pets/{id}',
      integration: {
        type: 'HTTP',
        uri: `${up.url}/p/{id}`,
        httpMethod: 'GET',
        timeoutMs: 5_000,
        requestParameters: {
          'integration.request.path.id': 'method.request.path.id',
          'integration.request.querystring.v': 'stageVariables.v',
        },
        insecureSkipVerification: false,
        passthroughBehavior: 'WHEN_NO_MATCH',
        requestTemplates: {},
        responses: [
          { statusCode: 200, selectionPattern: null, responseParameters: {}, responseTemplates: {} },
          {
            statusCode: 410,
            selectionPattern: '4\\d{2}',
            responseParameters: {
              'method.response.header.X-Id': 'integration.response.body.id',
              'method.response.header.X-K': 'integration.response.header.X-Kind',
            },
            responseTemplates: {},
          },
        ],
      },
    }),
  );
  const answer = await gate.call('/dev/pets/a%20b', { headers: ['Cookie', 'c'] });
  expect([up.calls[0]!.url, up.calls[0]!.request.headers.cookie, up.calls[0]!.request.headers['user-agent']]).toEqual([
    '/p/a%20b',
    undefined,
    'AmazonAPIGateway_abc123defg',
  ]);
  expect([answer.status, answer.text, answer.headers['x-id'], answer.headers['x-k'], answer.headers['x-amzn-trace-id']]).toEqual([
    410,
    '{"id":7}',
    '7',
    'none',
    expect.stringMatching(/^Root=1-/),
  ]);
});

test('AWS_PROXY: event in, reply out; a function error is 502, a forbidden invocation 500', async () => {
  const runner = await upstream(async ({ body, response }) => {
    const event = JSON.parse((await body).toString()) as { path: string; body: string };
    if (event.path === '/fail') response.writeHead(200, { 'X-Amz-Function-Error': 'Unhandled' }).end('{}');
    else if (event.path === '/forbidden') response.writeHead(403).end('{}');
    else if (event.path === '/odd') response.end('"text"');
    else response.end(JSON.stringify({ statusCode: 201, headers: { 'X-Path': event.path }, body: event.body }));
  });
  const gate = await node(runner.url);
  await gate.publish(
    stageOf({
      path: '/{proxy+}',
      httpMethod: 'ANY',
      integration: {
        type: 'AWS_PROXY',
        httpMethod: 'POST',
        functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
        timeoutMs: 5_000,
      },
    }),
  );
  const answer = await gate.call('/dev/x/y', { httpMethod: 'POST', body: 'hi' });
  expect([answer.status, answer.text, answer.headers['x-path'], answer.headers['x-amzn-trace-id']]).toEqual([
    201,
    'hi',
    '/x/y',
    expect.stringMatching(/^Root=/),
  ]);
  for (const [path, status] of [
    ['/fail', 502],
    ['/odd', 502],
    ['/forbidden', 500],
  ] as const) {
    const refused = await gate.call(`/dev${path}`);
    expect([refused.status, refused.text, refused.headers['x-amzn-errortype']]).toEqual([
      status,
      '{"message":"Internal server error"}',
      'InternalServerErrorException',
    ]);
  }
});

test('API keys: 403 without one, 200 with one, 429 beyond rate and quota', async () => {
  const gate = await node();
  const value = 'k'.repeat(30);
  const key: ApiKeyEntry = {
    apiKeyId: 'k1',
    tenant: '123456789012',
    valueDigest: sha256Hex(value),
    enabled: true,
    usagePlanIds: ['p1'],
  };
  const plan: UsagePlanEntry = {
    usagePlanId: 'p1',
    tenant: '123456789012',
    throttle: { ratePerSecond: 1, burst: 1 },
    quota: { limit: 3, offset: 0, period: 'DAY' },
    apiStages: [{ apiId: 'abc123defg', stage: 'dev', methodThrottles: {} }],
  };
  await gate.publish(stageOf({ apiKeyRequired: true }));
  await gate.adopt([
    { kind: 'API_KEY', id: 'k1', tenant: key.tenant, digest: null, inline: canonicalJson(key) },
    { kind: 'USAGE_PLAN', id: 'p1', tenant: plan.tenant, digest: null, inline: canonicalJson(plan) },
  ]);
  const call = async (headers: string[]): Promise<string> => {
    const { status, text } = await gate.call('/dev', { headers });
    return `${status} ${text}`;
  };
  expect(await call([])).toBe('403 {"message":"Forbidden"}');
  const withKey = ['X-API-Key', value];
  expect(await call(withKey)).toBe('200 ');
  expect(await call(withKey)).toBe('429 {"message":"Too Many Requests"}');
  gate.clock.advance(1_000);
  expect(await call(withKey)).toBe('200 ');
  expect(await call(withKey)).toBe('429 {"message":"Limit Exceeded"}');
  expect(gate.counted.filter((line) => line === 'p1 k1').length).toBe(3);
});

// What goes wrong behind us

for (const [what, script, status, body] of [
  ['is slower than the timeout', () => undefined, 504, '{"message":"Endpoint request timed out"}'],
  [
    'resets before the head',
    ({ socket }: UpstreamCall) => void socket.resetAndDestroy(),
    504,
    '{"message":"Network error communicating with endpoint"}',
  ],
  [
    'closes in the middle of the head',
    ({ socket }: UpstreamCall) => void socket.end('HTTP/1.1 200 OK\r\nX-A'),
    504,
    '{"message":"Network error communicating with endpoint"}',
  ],
] as const) {
  test(`an upstream that ${what} is ${status}`, async () => {
    const { gate } = await proxied(script, { timeoutMs: 100 });
    const answer = await gate.call('/dev/x', { httpMethod: 'POST', body: 'x' });
    expect([answer.status, answer.text, answer.headers['x-amzn-errortype']]).toEqual([
      status,
      body,
      'InternalServerErrorException',
    ]);
  });
}

test('a bad URL and a forbidden address are 500', async () => {
  const gate = await node();
  await gate.publish(
    stageOf({ path: '/a', integration: proxyTo('http:///') }, { path: '/b', integration: proxyTo('http://169.254.169.254/') }),
  );
  for (const path of ['/dev/a', '/dev/b']) {
    const answer = await gate.call(path);
    expect([answer.status, answer.text]).toEqual([500, '{"message":"Internal server error"}']);
  }
});

for (const [what, script] of [
  ['short Content-Length', ({ socket }: UpstreamCall) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')],
  [
    'reset in the middle of a chunked body',
    ({ response, socket }: UpstreamCall) => void response.write('half', () => socket.resetAndDestroy()),
  ],
] as const) {
  test(`an upstream body that breaks (${what}) breaks the caller's connection instead of ending well`, async () => {
    const { gate } = await proxied(script);
    await expect(gate.call('/dev/x')).rejects.toThrow();
    await gate.recorded(1);
    expect(gate.lines.length).toBe(1);
  });
}

test('an upload that is refused half-way still gets its answer, and the connection lives on', async () => {
  const { gate, up } = await proxied(({ socket }) => void socket.resetAndDestroy());
  const caller = await RawCaller.connect(gate.listener.port);
  const head = 'Host: abc123defg.execute-api.localhost\r\n';
  caller.send(`POST /dev/x HTTP/1.1\r\n${head}Content-Length: 100000\r\n\r\n${'a'.repeat(10)}`);
  expect(await caller.until('Network error communicating with endpoint"}')).toMatch(/^HTTP\/1\.1 504 /);
  caller.send('a'.repeat(99_990));
  caller.send(`GET /dev/../x HTTP/1.1\r\n${head}\r\n`);
  expect(await caller.until('Bad Request"}')).toContain('HTTP/1.1 400');
  expect(up.calls.length).toBe(1);
  caller.close();
});

// What callers do

test('a caller that leaves before the answer aborts the upstream call and is recorded once', async () => {
  const { gate, up } = await proxied(() => undefined);
  const call = startCall(gate.listener.port, { path: '/dev/x', host: 'abc123defg.execute-api.localhost' });
  call.end();
  const seen = await up.called(1);
  call.destroy();
  await seen.closed;
  await gate.recorded(1);
  expect(gate.lines.map(({ fault }) => fault)).toEqual(['CALLER_LEFT']);
});

test('a caller that leaves in the middle of its body aborts the upstream call', async () => {
  const { gate, up } = await proxied(() => undefined);
  const call = startCall(gate.listener.port, {
    httpMethod: 'POST',
    path: '/dev/x',
    host: 'abc123defg.execute-api.localhost',
    headers: ['Content-Length', '100'],
  });
  call.write('half');
  const seen = await up.called(1);
  call.destroy();
  await expect(seen.body).rejects.toThrow();
  await gate.recorded(1);
});

test('a caller that leaves in the middle of the answer stops the upstream', async () => {
  const { gate, up } = await proxied(({ response }) => void response.write('first'));
  const caller = await RawCaller.connect(gate.listener.port);
  caller.send('GET /dev/x HTTP/1.1\r\nHost: abc123defg.execute-api.localhost\r\n\r\n');
  await caller.until('first');
  caller.close();
  await up.calls[0]!.closed;
  await gate.recorded(1);
});

test('a chunked body is cut at 10 MiB: 413, and the upstream never sees its end', async () => {
  const { gate, up } = await proxied(() => undefined);
  let answer: CallerResponse | null = null;
  const call = startCall(
    gate.listener.port,
    { httpMethod: 'POST', path: '/dev/x', host: 'abc123defg.execute-api.localhost', headers: ['Transfer-Encoding', 'chunked'] },
    () => undefined,
    (response) => (answer = response),
  );
  const chunk = Buffer.alloc(1024 * 1024);
  for (let i = 0; i < 11; i++) call.write(chunk);
  call.end();
  await gate.recorded(1);
  await once(call, 'close');
  expect([answer!.status, answer!.text]).toEqual([413, '{"message":"HTTP content length exceeded 10485760 bytes."}']);
  await expect(up.calls[0]!.body).rejects.toThrow();
});

test('Expect: 100-continue: told to send when somebody reads, refused without, and never deadlocked', async () => {
  const { gate, up } = await proxied(async ({ body, response }) => void response.end(await body));
  const head = 'Host: abc123defg.execute-api.localhost\r\nExpect: 100-continue\r\n';
  const willing = await RawCaller.connect(gate.listener.port);
  willing.send(`POST /dev/x HTTP/1.1\r\n${head}Content-Length: 2\r\n\r\n`);
  await willing.until('HTTP/1.1 100 Continue\r\n\r\n');
  willing.send('ok');
  expect(await willing.until('\r\n\r\nok')).toContain('HTTP/1.1 200 OK');
  willing.close();
  const refused = await RawCaller.connect(gate.listener.port);
  refused.send(`POST /dev/x HTTP/1.1\r\n${head}Content-Length: 99999999\r\n\r\n`);
  const text = await refused.untilClosed();
  expect(text).toMatch(/^HTTP\/1\.1 413 /);
  expect(text).not.toContain('100 Continue');
  expect([up.calls.length, up.calls[0]!.request.headers.expect]).toEqual([1, undefined]);
});

test('an answer larger than the caller takes is held back at the upstream, not in memory', async () => {
  const bytes = 16 * 1024 * 1024;
  const { gate, up } = await proxied(({ response }) => void response.end(Buffer.alloc(bytes, 'a')));
  const caller = await RawCaller.connect(gate.listener.port);
  caller.socket.pause();
  caller.send('GET /dev/x HTTP/1.1\r\nHost: abc123defg.execute-api.localhost\r\nConnection: close\r\n\r\n');
  const { socket } = await up.called(1);
  // The upstream stops being able to send: with nobody reading, what lies between is bounded by kernel buffers and high-water marks.
  let left = -1;
  while (left !== socket.writableLength || left === 0) {
    left = socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 50)); // no event says "nothing moved"
  }
  expect(left).toBeGreaterThan(bytes / 8);
  caller.socket.resume();
  const text = await caller.untilClosed();
  expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(bytes);
  expect(gate.lines[0]!.bytes).toBe(bytes);
});

test('HEAD keeps the length without a body; 204 and 304 have neither', async () => {
  const { gate } = await proxied(({ httpMethod, url, response }) => {
    if (httpMethod === 'HEAD') response.writeHead(200, { 'Content-Length': '5' }).end();
    else response.writeHead(Number(url!.slice(1))).end();
  });
  const head = await gate.call('/dev/x', { httpMethod: 'HEAD' });
  expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '5']);
  for (const status of [204, 304]) {
    const answer = await gate.call(`/dev/${status}`);
    expect([answer.status, answer.text, answer.headers['content-length'], answer.headers['transfer-encoding']]).toEqual([
      status,
      '',
      undefined,
      undefined,
    ]);
  }
});

// Bytes no HTTP library sends. faults.md 1 to 17 as far as node:http's parser sees them.
const H = 'Host: abc123defg.execute-api.localhost\r\n';
for (const [what, bytes, status] of [
  [
    'Content-Length and Transfer-Encoding',
    `POST /dev/ HTTP/1.1\r\n${H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['two Content-Lengths', `POST /dev/ HTTP/1.1\r\n${H}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`, 400],
  ['Content-Length +5', `POST /dev/ HTTP/1.1\r\n${H}Content-Length: +5\r\n\r\nabcde`, 400],
  ['a folded header line', `GET /dev/ HTTP/1.1\r\n${H}A: b\r\n c\r\n\r\n`, 400],
  ['a space before the colon', `GET /dev/ HTTP/1.1\r\n${H}A : b\r\n\r\n`, 400],
  ['a NUL in a header value', `GET /dev/ HTTP/1.1\r\n${H}A: b\0c\r\n\r\n`, 400],
  ['no Host', 'GET /dev/ HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', `GET /dev/ HTTP/1.1\r\n${H}Host: other\r\n\r\n`, 400],
  ['an absolute target that disagrees with Host', `GET http://other/dev/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['a head above the limit', `GET /dev/ HTTP/1.1\r\n${H}A: ${'a'.repeat(30_000)}\r\n\r\n`, 431],
  ['a version that is none', `GET /dev/ HTTP/9.9\r\n${H}\r\n`, 400],
  ['a raw hash', `GET /dev/#x HTTP/1.1\r\n${H}\r\n`, 400],
] as const) {
  test(`${what} is ${status}`, async () => {
    const gate = await node();
    await gate.publish(stageSnapshot());
    const caller = await RawCaller.connect(gate.listener.port);
    caller.send(bytes);
    const text = await caller.until('"}');
    expect(text.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    caller.close();
  });
}

test('rubbish behind a good request: its answer is delivered, then the connection ends', async () => {
  const { gate, up } = await proxied(() => undefined);
  const caller = await RawCaller.connect(gate.listener.port);
  caller.send(`GET /dev/x HTTP/1.1\r\n${H}\r\nrubbish\r\n\r\n`);
  const call = await up.called(1);
  call.response.end('good');
  const text = await caller.untilClosed();
  expect(text).toMatch(/^HTTP\/1\.1 200 OK[^]*good$/);
});

test('pipelined requests are answered in order, each once', async () => {
  const { gate } = await proxied(({ url, response }) => void setTimeout(() => response.end(`<${url}>`), url === '/1' ? 30 : 0));
  const caller = await RawCaller.connect(gate.listener.port);
  caller.send([1, 2, 3].map((n) => `GET /dev/${n} HTTP/1.1\r\n${H}\r\n`).join(''));
  expect((await caller.until('</3>')).match(/<[^>]*>/g)).toEqual(['</1>', '</2>', '</3>']);
  await gate.recorded(3);
  caller.close();
});

test('a head that comes too slowly is cut with 408', async () => {
  const gate = await node(undefined, { headTimeoutMs: 100, requestTimeoutMs: 200 });
  const caller = await RawCaller.connect(gate.listener.port);
  caller.send('GET / HTTP/1.1\r\nHo');
  expect(await caller.untilClosed()).toMatch(/^HTTP\/1\.1 408 /);
});

// Worlds and ends

test('no request sees two revisions while Worlds are swapped under load', async () => {
  const gate = await node();
  const up = await upstream(({ url, response }) => void setImmediate(() => response.end(url)));
  const revision = (n: number): StageSnapshot =>
    stageOf({
      path: '/x',
      integration: {
        type: 'HTTP',
        uri: `${up.url}/${n}`,
        httpMethod: 'GET',
        timeoutMs: 5_000,
        requestParameters: {},
        insecureSkipVerification: false,
        passthroughBehavior: 'WHEN_NO_MATCH',
        requestTemplates: {},
        responses: [
          {
            statusCode: 200,
            selectionPattern: null,
            responseParameters: { 'method.response.header.X-Revision': `'/${n}'` },
            responseTemplates: {},
          },
        ],
      },
    });
  await gate.publish(revision(0));
  let isDone = false;
  const seen = new Set<string>();
  const callers = Array.from({ length: 8 }, async () => {
    while (!isDone) {
      const { status, text, headers } = await gate.call('/dev/x');
      expect([status, headers['x-revision']]).toEqual([200, text]);
      seen.add(text);
    }
  });
  for (let n = 1; n <= 30; n++) {
    await gate.publish(revision(n));
    expect((await gate.call('/dev/x')).text).toBe(`/${n}`); // what is adopted is live
  }
  isDone = true;
  await Promise.all(callers);
  expect(seen.size).toBeGreaterThan(1);
});

test('a drain lets running requests end, tells connections to close, and refuses new ones', async () => {
  const { gate, up } = await proxied(() => undefined);
  const running = gate.call('/dev/x', { headers: ['Connection', 'keep-alive'] });
  const call = await up.called(1);
  const { port } = gate.listener;
  const closed = gate.listener.close({ deadlineMs: 5_000 });
  await expect(callOnce(port)).rejects.toThrow();
  call.response.end('done');
  const answer = await running;
  expect([answer.status, answer.text, answer.headers.connection]).toEqual([200, 'done', 'close']);
  await closed;
});

test('at the deadline of a drain what is left is cut, and recorded', async () => {
  const { gate, up } = await proxied(() => undefined);
  const running = expect(gate.call('/dev/x')).rejects.toThrow();
  await up.called(1);
  await gate.listener.close({ deadlineMs: 20 });
  await running;
  await gate.recorded(1);
});

test('every request is recorded once, with its resource', async () => {
  const gate = await node();
  await gate.publish(stageSnapshot());
  await gate.call('/dev');
  await gate.call('/dev/none');
  await gate.call('/prod');
  await gate.recorded(3);
  expect(gate.lines.map(({ status, resource }) => `${status} ${resource}`)).toEqual(['200 /', '403 null', '403 null']);
  expect(gate.counted).toEqual(['GET / 200', '* * 403']);
});
