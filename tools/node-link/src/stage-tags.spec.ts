/** What a stage's tags make of callers from blocked networks and of paths that are not there, through a real node. */
import { tenantOperations } from '@gatehouse/control-tenants';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { testFolder } from './harness.js';
import { CONTEXT, serveApi, type ServedApi } from './imported-api.js';

const BLOCKED = '127.0.0.9';
const FORBIDDEN = '{"message":"Forbidden"}';
const MISSING = '{"message":"Missing Authentication Token"}';

const mock = {
  responses: { '200': { description: 'ok' } },
  'x-amazon-apigateway-integration': {
    type: 'mock',
    requestTemplates: { 'application/json': '{"statusCode": 200}' },
    responses: { default: { statusCode: '200' } },
  },
};
const documentFor = (settings: object): object => ({
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  ...settings,
  paths: { '/pets': { get: mock } },
});

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => void (scope = await testFolder()));
afterEach(() => scope.close());

async function tag({ store, restApiId }: ServedApi, tags: Readonly<Record<string, string>>): Promise<void> {
  const resourceArn = `arn:aws:apigateway:us-east-1::/restapis/${restApiId}/stages/prod`;
  await tenantOperations({ store: store.tenants }).TagResource(CONTEXT, { resourceArn, tags });
}

const answerOf = async (api: ServedApi, path: string, localAddress = '127.0.0.1'): Promise<[number, string]> => {
  const { status, body } = await api.ask(path, { localAddress });
  return [status, String(body)];
};

test('a blocked network gets 403 for whatever it asks, other callers nothing else than before; without the tag it is as it was', async () => {
  const api = await serveApi(scope, documentFor({}));
  expect(await answerOf(api, '/pets', BLOCKED)).toEqual([200, '']);
  await tag(api, { 'gatehouse:blocked-networks': '203.0.113.0/24  127.0.0.8/31' });
  await vi.waitFor(async () => expect(await answerOf(api, '/pets', BLOCKED)).toEqual([403, FORBIDDEN]));
  const { headers } = await api.ask('/pets', { localAddress: BLOCKED });
  expect(headers['x-amzn-errortype']).toBe('ForbiddenException');
  expect(await answerOf(api, '/none', BLOCKED)).toEqual([403, FORBIDDEN]);
  expect(await answerOf(api, '/pets')).toEqual([200, '']);
  expect(await answerOf(api, '/none')).toEqual([403, MISSING]);

  const resourceArn = `arn:aws:apigateway:us-east-1::/restapis/${api.restApiId}/stages/prod`;
  const { UntagResource } = tenantOperations({ store: api.store.tenants });
  await UntagResource(CONTEXT, { resourceArn, tagKeys: ['gatehouse:blocked-networks'] });
  await vi.waitFor(async () => expect(await answerOf(api, '/pets', BLOCKED)).toEqual([200, '']));
}, 30_000);

describe('paths that are not there', () => {
  test.each<[string, object, [number, string | RegExp]]>([
    ['an open API', {}, [404, '{"message":"Not Found"}']],
    [
      'one whose resource policy does not let the caller in',
      {
        'x-amazon-apigateway-policy': {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Principal: '*', Action: 'execute-api:Invoke', Resource: 'execute-api:/*/GET/pets' }],
        },
      },
      [403, /is not authorized to perform: execute-api:Invoke on resource: .*prod\/GET\/none/],
    ],
    [
      'a private one',
      {
        'x-amazon-apigateway-endpoint-configuration': { types: ['PRIVATE'] },
        'x-amazon-apigateway-policy': {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Principal: '*', Action: 'execute-api:Invoke', Resource: 'execute-api:/*' }],
        },
      },
      [403, FORBIDDEN],
    ],
  ])(
    '%s: as the tag says, to whom it lets in',
    async (_what, settings, [status, body]) => {
      const api = await serveApi(scope, documentFor(settings));
      expect(await answerOf(api, '/none')).toEqual([403, MISSING]);
      await tag(api, { 'gatehouse:unknown-paths': 'not-found' });
      await vi.waitFor(async () =>
        expect(await answerOf(api, '/none')).toEqual([
          status,
          typeof body === 'string' ? body : (expect.stringMatching(body) as string),
        ]),
      );
    },
    30_000,
  );
});
