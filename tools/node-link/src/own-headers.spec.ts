/** The headers that the gateway adds, renames and drops, through a real node: data-plane reference §1.6, §1.7 and §3.6.4, row by row. */
import { ScriptedUpstream } from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveApi, type Call, type ServedApi } from './imported-api.js';
import { testFolder } from './harness.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const COMPLETE = /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]$/;

let scope: Awaited<ReturnType<typeof testFolder>>;
let upstream: ScriptedUpstream;
let api: ServedApi;

const BACKEND_HEADERS = {
  date: 'Mon, 01 Jan 2024 00:00:00 GMT',
  server: 'backend',
  'x-amzn-requestid': 'of the backend',
  'x-amz-apigw-id': 'forged',
  'x-amzn-trace-id': 'Root=1-00000000-000000000000000000000000',
  'x-own': 'kept',
  age: '7',
};

const answer = (settings: object) => ({ responses: { default: { statusCode: '200', ...settings } } });
const declared = (...names: string[]) => ({
  responses: {
    '200': { description: 'ok', headers: Object.fromEntries(names.map((name) => [name, { schema: { type: 'string' } }])) },
  },
});
const method = (integration: object, ...names: string[]) => ({
  get: { ...declared(...names), 'x-amazon-apigateway-integration': integration },
});

const documentFor = (url: string) => ({
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  paths: {
    '/mock': method({ type: 'mock', requestTemplates: { 'application/json': '{"statusCode": 200}' }, ...answer({}) }),
    '/proxy': method({ type: 'http_proxy', httpMethod: 'GET', uri: url }),
    '/http': method({ type: 'http', httpMethod: 'GET', uri: url, ...answer({}) }),
    '/mapped': method(
      {
        type: 'mock',
        requestTemplates: { 'application/json': '{"statusCode": 200}' },
        ...answer({
          responseParameters: Object.fromEntries(
            ['Date', 'Server', 'x-amzn-RequestId', 'x-amz-apigw-id', 'Via', 'Age'].map((name) => [
              `method.response.header.${name}`,
              "'mine'",
            ]),
          ),
        }),
      },
      'Date',
      'Server',
      'x-amzn-RequestId',
      'x-amz-apigw-id',
      'Via',
      'Age',
    ),
  },
});

beforeAll(async () => {
  scope = await testFolder();
  upstream = await ScriptedUpstream.start(({ response }) => void response.writeHead(200, BACKEND_HEADERS).end('{}'));
  scope.cleanUps.push(() => upstream.close());
  api = await serveApi(scope, documentFor(upstream.url), { GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true' });
}, 30_000);
afterAll(() => scope.close());

const PATHS = ['/mock', '/proxy', '/http', '/mapped', '/nowhere'];

describe('x-amzn-RequestId and x-amz-apigw-id', () => {
  test.each(PATHS)('are on every answer, once: %s', async (path) => {
    const { headers } = await api.ask(path);
    expect(headers['x-amzn-requestid']).toMatch(UUID);
    expect(headers['x-amz-apigw-id']).toMatch(/^[A-Za-z0-9+/]{15}=$/);
  });

  test('a caller’s own request id is taken when it is a UUID', async () => {
    const requestId = '11111111-2222-4333-8444-555555555555';
    const asked = async (value: string) =>
      (await api.ask('/mock', { headers: { 'x-amzn-requestid': value } })).headers['x-amzn-requestid'];
    expect(await asked(requestId)).toBe(requestId);
    expect(await asked('mine')).toMatch(UUID);
    expect(await asked(`${requestId}x`)).toMatch(UUID);
  });
});

test.each([
  ['/mock', 'application/json', undefined],
  ['/proxy', 'application/json', undefined],
  ['/nowhere', 'application/json', 'MissingAuthenticationTokenException'],
])('Content-Type, Content-Length and Date are on every answer, x-amzn-ErrorType on errors: %s', async (path, type, errorType) => {
  const { headers, body } = await api.ask(path);
  expect(headers['content-type']).toBe(type);
  if (path !== '/proxy') expect(headers['content-length']).toBe(String(body.length));
  expect(Math.abs(Date.parse(headers.date!) - Date.now())).toBeLessThan(60_000);
  expect(headers['x-amzn-errortype']).toBe(errorType);
});

describe('X-Amzn-Trace-Id', () => {
  test('is on answers of a backend that the gateway maps, and not on those of mocks and errors; a proxied backend’s own passes', async () => {
    const of = async (path: string) => (await api.ask(path)).headers['x-amzn-trace-id'];
    expect(await of('/http')).toMatch(COMPLETE);
    expect([await of('/mock'), await of('/nowhere')]).toEqual([undefined, undefined]);
    expect(await of('/proxy')).toBe(BACKEND_HEADERS['x-amzn-trace-id']);
  });

  const ROOT = 'Root=1-5759e988-bd862e3fe1be46a994272793';
  const PARENT = 'Parent=53995c3f42cd8ad8';
  test.each([
    ['nothing', undefined, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/],
    ['a root', ROOT, /^Root=1-5759e988-bd862e3fe1be46a994272793;Parent=[0-9a-f]{16};Sampled=0$/],
    ['root and parent', `${ROOT};${PARENT}`, /^Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1$/],
    ['all three', `${ROOT};${PARENT};Sampled=0`, /^Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0$/],
    ['a parent', PARENT, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=53995c3f42cd8ad8;Sampled=1$/],
    ['nonsense', 'Root=1-x;Parent=y;Sampled=z', COMPLETE],
  ])('of a caller with %s is completed for the backend, and answered as sent', async (_, sent, expected) => {
    const call: Call = sent === undefined ? {} : { headers: { 'x-amzn-trace-id': sent } };
    const { headers } = await api.ask('/http', call);
    const received = upstream.calls.at(-1)!.request.headers['x-amzn-trace-id'];
    expect(received).toMatch(expected);
    expect(headers['x-amzn-trace-id']).toBe(received);
  });
});

test('headers of a proxied backend that are the gateway’s own are renamed', async () => {
  const { headers } = await api.ask('/proxy');
  expect(headers).toMatchObject({
    'x-amzn-remapped-date': BACKEND_HEADERS.date,
    'x-amzn-remapped-server': 'backend',
    'x-amzn-remapped-x-amzn-requestid': BACKEND_HEADERS['x-amzn-requestid'],
    'x-own': 'kept',
    age: '7',
  });
  expect(headers['x-amz-apigw-id']).not.toContain('forged');
  expect(headers).not.toHaveProperty('server');
});

test('headers that an owner maps are renamed where they are the gateway’s own', async () => {
  const { headers } = await api.ask('/mapped');
  expect(headers).toMatchObject({
    'x-amzn-remapped-date': 'mine',
    'x-amzn-remapped-server': 'mine',
    'x-amzn-remapped-x-amzn-requestid': 'mine',
    via: 'mine',
    age: 'mine',
  });
});
