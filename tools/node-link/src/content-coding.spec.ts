/** Compressed bodies in both directions, through a real node between real sockets (data-plane reference §10.3). */
import { randomBytes } from 'node:crypto';
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { ScriptedUpstream } from '@gatehouse/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testFolder } from './harness.js';
import { serveApi, type ServedApi } from './imported-api.js';

let scope: Awaited<ReturnType<typeof testFolder>>;
let upstream: ScriptedUpstream;
let api: ServedApi;
beforeEach(async () => {
  scope = await testFolder();
  upstream = await ScriptedUpstream.start(async ({ body, response }) => {
    await body.then(
      () => response.end(),
      () => undefined,
    );
  });
  scope.cleanUps.push(() => upstream.close());
  api = await serveApi(scope, documentFor(upstream.url), { GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true' });
});
afterEach(() => scope.close());

const PET = { type: 'object', required: ['name'] };

const documentFor = (url: string) => ({
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  'x-amazon-apigateway-minimum-compression-size': 1_000,
  'x-amazon-apigateway-request-validators': { all: { validateRequestParameters: false, validateRequestBody: true } },
  paths: {
    '/proxy': {
      'x-amazon-apigateway-any-method': {
        responses: {},
        'x-amazon-apigateway-integration': { type: 'http_proxy', httpMethod: 'ANY', uri: `${url}/backend` },
      },
    },
    '/checked': {
      post: {
        'x-amazon-apigateway-request-validator': 'all',
        requestBody: { content: { 'application/json': { schema: PET } } },
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': {
          type: 'http',
          httpMethod: 'POST',
          uri: `${url}/backend`,
          requestTemplates: { 'application/json': `{"called": "$input.path('$.name')"}` },
          responses: {
            default: { statusCode: '200', responseTemplates: { 'application/json': `{"name": "${'x'.repeat(2_000)}"}` } },
          },
        },
      },
    },
  },
});

const JSON_GZIP = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
const coded = (body: object) => gzipSync(JSON.stringify(body));
/** What the backend was sent last. */
const lastCall = async () => {
  const call = upstream.calls.at(-1)!;
  return { body: String(await call.body), headers: call.request.headers };
};

test('a compressed request is validated, mapped and passed on as what it says', async () => {
  const checked = (body: Buffer) => api.ask('/checked', { httpMethod: 'POST', headers: JSON_GZIP, body });
  expect((await checked(coded({ name: 'Rex' }))).status).toBe(200);
  expect((await lastCall()).body).toBe('{"called": "Rex"}');
  expect(await checked(coded({ no: 'name' }))).toMatchObject({
    status: 400,
    body: Buffer.from('{"message":"Invalid request body"}'),
  });

  for (const [coding, encode] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const) {
    for (const body of [Buffer.from('small'), randomBytes(300_000)]) {
      const headers = { 'content-encoding': coding, 'content-type': 'application/octet-stream' };
      expect((await api.ask('/proxy', { httpMethod: 'POST', headers, body: encode(body) })).status).toBe(200);
      const sent = upstream.calls.at(-1)!;
      expect([Buffer.compare(await sent.body, body), sent.request.headers['content-encoding']]).toEqual([0, undefined]);
    }
  }
});

test('another coding and broken bytes are 415, and a bomb is 413; the node goes on', async () => {
  const post = (path: string, coding: string, body: Buffer) =>
    api.ask(path, { httpMethod: 'POST', headers: { ...JSON_GZIP, 'content-encoding': coding }, body });
  const before = upstream.calls.length;
  for (const [coding, body] of [
    ['br', brotliCompressSync('{"name":"Rex"}')],
    ['gzip, gzip', gzipSync(coded({ name: 'Rex' }))],
    ['gzip', Buffer.from('{"name":"Rex"}')],
    ['gzip', gzipSync(randomBytes(300_000)).subarray(0, 200_000)],
  ] as const) {
    const answer = await post('/checked', coding, body);
    expect([answer.status, String(answer.body), answer.headers['x-amzn-errortype']]).toEqual([
      415,
      '{"message":"Unsupported Media Type"}',
      'BadRequestException',
    ]);
  }
  expect(upstream.calls.length).toBe(before);
  // On its way to a backend a broken body shows late: the backend gets no whole request, and the caller hears what was wrong.
  expect((await post('/proxy', 'gzip', gzipSync(randomBytes(300_000)).subarray(0, 200_000))).status).toBe(415);
  const bomb = gzipSync(Buffer.alloc(11 * 1024 * 1024));
  for (const path of ['/checked', '/proxy']) {
    const answer = await post(path, 'gzip', bomb);
    expect([path, answer.status, String(answer.body)]).toEqual([
      path,
      413,
      '{"message":"HTTP content length exceeded 10485760 bytes."}',
    ]);
  }
  expect((await post('/checked', 'gzip', coded({ name: 'Rex' }))).status).toBe(200);
}, 30_000);

test('answers of the size and above are compressed for who asks, streamed or not; others are not', async () => {
  const gzip = { 'accept-encoding': 'gzip' };
  const mapped = await api.ask('/checked', {
    httpMethod: 'POST',
    headers: { ...JSON_GZIP, ...gzip },
    body: coded({ name: 'Rex' }),
  });
  expect(mapped.headers).toMatchObject({
    'content-encoding': 'gzip',
    vary: 'Accept-Encoding',
    'content-length': String(mapped.body.length),
  });
  expect(String(gunzipSync(mapped.body))).toContain('x'.repeat(2_000));

  const body = randomBytes(500_000);
  upstream.does(({ response }) => void response.writeHead(200, { etag: '"v1"', 'content-length': body.length }).end(body));
  const streamed = await api.ask('/proxy', { headers: gzip });
  expect(streamed.headers).toMatchObject({ 'content-encoding': 'gzip', 'transfer-encoding': 'chunked', etag: 'W/"v1"' });
  expect(Buffer.compare(gunzipSync(streamed.body), body)).toBe(0);
  const plain = await api.ask('/proxy');
  expect(plain.headers).toMatchObject({ 'content-length': '500000', etag: '"v1"', vary: 'Accept-Encoding' });
  expect([Buffer.compare(plain.body, body), plain.headers['content-encoding']]).toEqual([0, undefined]);

  upstream.does(({ response }) => {
    response.write('short, ');
    setImmediate(() => response.end('in two chunks'));
  });
  const short = await api.ask('/proxy', { headers: gzip });
  expect([String(short.body), short.headers['content-encoding'], short.headers['content-length']]).toEqual([
    'short, in two chunks',
    undefined,
    '20',
  ]);

  upstream.does(({ response }) => void response.writeHead(200, { 'content-encoding': 'br' }).end(brotliCompressSync(body)));
  const coded2 = await api.ask('/proxy', { headers: gzip });
  expect([coded2.headers['content-encoding'], Buffer.compare(coded2.body, brotliCompressSync(body))]).toEqual(['br', 0]);
});
