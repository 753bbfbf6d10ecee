/** Templates with Velocity in them, as a part of a request and a response. What templates print is tested in foundation/lang. */
import type { HttpIntegrationSnapshot, IntegrationResponseSnapshot, MockIntegrationSnapshot } from '@gatehouse/contracts';
import { CONTINUE, Exchange, lastHeader, RequestJournal, STREAM_BODY, type RawHeaders } from '@gatehouse/engine-exchange';
import { ManualClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { mapRequest, mapResponse } from './index.js';

const JSON_TYPE = 'application/json';
const HTTP: HttpIntegrationSnapshot = {
  type: 'HTTP',
  uri: 'http://backend.example/{id}',
  httpMethod: 'POST',
  timeoutMs: 29_000,
  requestParameters: {
    'integration.request.path.id': "'owners'",
    'integration.request.header.X-Mapped': "'mapped'",
    'integration.request.querystring.q': "'mapped'",
  },
  insecureSkipVerification: false,
  passthroughBehavior: 'WHEN_NO_MATCH',
  requestTemplates: {},
  responses: [],
};
const MOCK: MockIntegrationSnapshot = { type: 'MOCK', passthroughBehavior: 'NEVER', requestTemplates: {}, responses: [] };

interface Given {
  readonly headers?: RawHeaders;
  readonly query?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly protocol?: string;
}

function exchange(given: Given): Exchange {
  const x = new Exchange();
  x.requestId = 'request-1';
  x.httpMethod = 'GET';
  x.sourceIp = '198.51.100.7';
  x.receivedAtMs = 1_700_000_000_000;
  x.protocol = given.protocol ?? 'HTTP/1.1';
  x.requestHeaders = given.headers ?? [];
  x.rawQuery = given.query ?? '';
  x.params.push(...Object.values(given.params ?? {}));
  const none = { render: () => undefined };
  const metrics = { record: () => undefined };
  x.stage = {
    digest: 'd',
    snapshot: stageSnapshot({ stageVariables: { table: 'pets' } }),
    isCanary: null,
    canary: null,
    faults: none,
    metrics,
    match: () => null,
  };
  const program = {
    requestSteps: [],
    responseSteps: [],
    requestBody: STREAM_BODY,
    responseBody: STREAM_BODY,
    faults: none,
    bugFault: null!,
  };
  x.route = { settings: routeSnapshot({ path: '/' }), paramNames: Object.keys(given.params ?? {}), program, metrics };
  return x;
}

function request(
  template: string,
  given: Given = {},
  integration: HttpIntegrationSnapshot | MockIntegrationSnapshot = HTTP,
  journal: RequestJournal | null = null,
): Exchange {
  const rendered = { ...integration, requestTemplates: { [JSON_TYPE]: template } };
  const route = routeSnapshot({ path: '/', integration: { type: 'VELOCITY', integration: rendered } });
  const { step, body } = mapRequest({ stage: stageSnapshot(), route });
  const x = exchange(given);
  x.journal = journal;
  const bytes = Buffer.from(given.body ?? '');
  if (body.type === 'buffer') x.bufferedBody = bytes;
  else x.requestBody = { declaredBytes: bytes.length, atHand: null, open: () => Readable.from([bytes]) };
  expect(step(x)).toBe(x.fault === null ? CONTINUE : 2);
  return x;
}

const sent = (template: string, given: Given = {}): string => {
  const x = request(template, given);
  return x.fault === null ? String(x.upstreamRequest!.body ?? '') : `${x.fault.name} ${String(x.faultCause)}`;
};

test('a request template sees body, parameters, context and stage variables', () => {
  const template =
    '{"name": $input.json(\'$.name\'), "id": "$input.params(\'id\')", "q": "$input.params(\'q\')", "h": "$input.params(\'X-H\')",' +
    ' "ip": "$context.identity.sourceIp", "request": "$context.requestId", "at": $context.requestTimeEpoch, "table": "$stageVariables.table"}';
  const given = { body: '{"name": "Rex"}', params: { id: 'a%20b' }, query: 'q=1&q=2', headers: ['X-H', 'x', 'X-H', 'y'] };
  expect(JSON.parse(sent(template, given))).toEqual({
    name: 'Rex',
    id: 'a b',
    q: '2',
    h: 'y',
    ip: '198.51.100.7',
    request: 'request-1',
    at: 1_700_000_000_000,
    table: 'pets',
  });
});

test('$input.params() holds the last value of each name; a name is only a name', () => {
  const given = { params: { id: '7' }, query: 'q=1&q=2&__proto__=p', headers: ['X-H', 'x'] };
  expect(sent('$input.params()', given)).toBe('{path={id=7}, querystring={q=2, __proto__=p}, header={X-H=x}}');
});

test('names of headers are case-sensitive, but not by HTTP/2', () => {
  expect(sent("[$input.params('X-H')]", { headers: ['x-h', 'v'] })).toBe('[]');
  expect(sent("[$input.params('X-H')]", { headers: ['x-h', 'v'], protocol: 'HTTP/2.0' })).toBe('[v]');
});

test('errors and what is for logs only are not there', () => {
  expect(sent('[$context.error.message$context.status$context.nope$context.authorizer.claims.sub]')).toBe('[]');
});

test('the body is kept back only for a template that reads it', () => {
  const mode = (template: string): string => {
    const integration = { ...HTTP, requestTemplates: { [JSON_TYPE]: template } };
    return mapRequest({ stage: stageSnapshot(), route: routeSnapshot({ integration: { type: 'VELOCITY', integration } }) }).body
      .type;
  };
  expect([mode('$context.requestId'), mode('$input.body'), mode("#evaluate('$in' + 'put')")]).toEqual([
    'stream',
    'buffer',
    'buffer',
  ]);
});

test('a template that ends with an error answers 500, and the cause names line and column', () => {
  expect(sent('{\n  $util.parseJson("{")}')).toBe(
    'API_CONFIGURATION_ERROR VtlRenderError: $util.parseJson: not JSON at line 2, column 8',
  );
  expect(sent("$input.json('$.a')", { body: 'no json' })).toMatch(/^API_CONFIGURATION_ERROR .*Could not parse the body as JSON/);
});

test('the cause names the template, and holds what it saw', () => {
  const { faultCause } = request('$util.parseJson($input.body)', { body: '{' });
  expect(faultCause).toMatchObject({ half: 'request', name: JSON_TYPE, input: Buffer.from('{'), error: { line: 1, column: 6 } });
});

test('a journal tells what went into a template and what came out; without one nothing is kept', () => {
  const x = request('<$input.body>', { body: 'in' }, HTTP, new RequestJournal(new ManualClock(5)));
  expect(x.journal!.entries).toEqual([
    {
      atMs: 5,
      event: { type: 'TEMPLATE_RENDERED', half: 'request', name: JSON_TYPE, input: Buffer.from('in'), output: '<in>' },
    },
  ]);
  expect(request('<$input.body>', { body: 'in' }).journal).toBeNull();
});

test('overrides of the request replace what is mapped', () => {
  const x = request(
    '#set($context.requestOverride.header["X-Mapped"] = "over")#set($context.requestOverride.header.X-List = ["a", "b"])' +
      '#set($context.requestOverride.path.id = "a b/c")#set($context.requestOverride.querystring.q = "over&")ok',
  );
  expect(x.upstreamRequest!.url).toBe('http://backend.example/a%20b%2Fc?q=over%26');
  expect(lastHeader(x.upstreamRequest!.headers, 'x-mapped')).toBe('over');
  expect(lastHeader(x.upstreamRequest!.headers, 'x-list')).toBe('a,b');
  expect(String(x.upstreamRequest!.body)).toBe('ok');
});

test('an override does not walk out of the path, end a header line or set a header that is ours', () => {
  expect(request('#set($context.requestOverride.path.id = "../x")').fault?.name).toBe('MALFORMED_PATH_VALUE');
  expect(request('#set($context.requestOverride.header.Transfer-Encoding = "chunked")').fault?.name).toBe(
    'FORBIDDEN_HEADER_MAPPING',
  );
  const x = request(
    '#set($context.requestOverride.header.X-Bad = "a\r\nX-Injected: b")#set($context.requestOverride.header["X A"] = "v")',
  );
  expect(x.upstreamRequest!.headers.join('|')).not.toMatch(/Injected|X A/);
});

test('a mock takes its status from what the template prints', () => {
  const mock = (template: string, given: Given = {}): unknown => {
    const x = request(template, given, MOCK);
    return x.upstreamAnswer?.status ?? x.fault!.name;
  };
  expect(mock('{"statusCode": $input.params(\'s\')}', { query: 's=201' })).toBe(201);
  expect(mock('#if($input.path("$.a") == 1){"statusCode": 200}#else{"statusCode": 400}#end', { body: '{"a": 1}' })).toBe(200);
  expect(mock('$context.requestId')).toBe('API_CONFIGURATION_ERROR');
});

async function respond(
  response: Partial<IntegrationResponseSnapshot>,
  body: string,
  prepare = (_x: Exchange) => {},
): Promise<Exchange> {
  const whole = { statusCode: 200, selectionPattern: null, responseParameters: {}, responseTemplates: {}, ...response };
  const x = exchange({});
  x.upstreamAnswer = { status: 200, headers: [], body: Readable.from([Buffer.from(body)]) };
  x.integrationResponseIndex = 0;
  prepare(x);
  await mapResponse([whole], { stage: stageSnapshot(), route: routeSnapshot() }, true, true).step(x);
  return x;
}
const templates = (template: string) => ({ responseTemplates: { [JSON_TYPE]: template } });

test("a response template reads the backend's body", async () => {
  const x = await respond(
    templates('{"name": $input.json("$.pet.name"), "id": "$context.requestId"}'),
    '{"pet": {"name": "Rex"}}',
  );
  expect([x.status, String(x.responseBody)]).toEqual([200, '{"name": "Rex", "id": "request-1"}']);
});

test('a body that is no JSON is text to a template', async () => {
  expect(String((await respond(templates('<$input.body>'), 'plain')).responseBody)).toBe('<plain>');
  expect((await respond(templates('$input.json("$")'), 'plain')).fault?.name).toBe('API_CONFIGURATION_ERROR');
});

test('a response template sets status and headers, over what the request template set', async () => {
  const x = await respond(
    templates('#set($context.responseOverride.status = 404)#set($context.responseOverride.header.X-B = "second")no'),
    '{}',
    (each) => {
      each.responseOverrides = {
        responseStatus: 500,
        responseHeaders: new Map([
          ['X-A', 'first'],
          ['X-B', 'first'],
        ]),
      };
    },
  );
  expect([x.status, lastHeader(x.responseHeaders, 'x-a'), lastHeader(x.responseHeaders, 'x-b')]).toEqual([
    404,
    'first',
    'second',
  ]);
});

test('a status that would not end the response is not taken', async () => {
  expect((await respond(templates('#set($context.responseOverride.status = 101)x'), '{}')).status).toBe(200);
});

test('a template is not read anew for each request, and keeps nothing of the last', async () => {
  const route = routeSnapshot({
    integration: {
      type: 'VELOCITY',
      integration: { ...HTTP, requestTemplates: { [JSON_TYPE]: '#set($a = "$!a$context.requestId")$a' } },
    },
  });
  const { step } = mapRequest({ stage: stageSnapshot(), route });
  for (const id of ['1', '2']) {
    const x = exchange({});
    x.requestId = id;
    step(x);
    expect(String(x.upstreamRequest!.body)).toBe(id);
  }
});
