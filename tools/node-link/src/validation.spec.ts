/** Models and a validator from a document, on a real node: what one side writes, the other checks. */
import { deploymentOperations } from '@gatehouse/control-deployments';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder } from './harness.js';
import { readiness, startProcess } from './node-process.js';

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
};

const DOCUMENT = {
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  'x-amazon-apigateway-request-validators': { all: { validateRequestParameters: true, validateRequestBody: true } },
  'x-amazon-apigateway-gateway-responses': {
    BAD_REQUEST_BODY: {
      responseTemplates: {
        'application/json': '{"message": $context.error.messageString, "why": "$context.error.validationErrorString"}',
      },
    },
  },
  paths: {
    '/pets': {
      post: {
        'x-amazon-apigateway-request-validator': 'all',
        parameters: [{ name: 'shop', in: 'query', required: true, schema: { type: 'string' } }],
        requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } } },
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': {
          type: 'mock',
          requestTemplates: { 'application/json': '{"statusCode": 200}' },
          responses: { default: { statusCode: '200' } },
        },
      },
    },
  },
  components: {
    schemas: {
      Pet: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { $ref: '#/components/schemas/Name' },
          friends: { type: 'array', items: { $ref: '#/components/schemas/Pet' } },
        },
      },
      Name: { type: 'string', pattern: '^[A-Z]\\w*$' },
    },
  },
};

test('a node checks parameters and bodies by the models of the deployment', async () => {
  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const body = Buffer.from(JSON.stringify(DOCUMENT));
  const { id } = await importOperations(dependencies).ImportRestApi(CONTEXT, { body, failOnWarnings: true });
  await deploymentOperations(dependencies).CreateDeployment(CONTEXT, { restApiId: id!, stageName: 'prod' });
  const node = await startProcess(scope, control.port);
  await vi.waitFor(async () => expect((await readiness(node))[0]).toBe(200), { timeout: 15_000, interval: 10 });

  const post = async (query: string, pet: unknown): Promise<unknown[]> => {
    const url = `http://127.0.0.1:${node.port}/_aws/execute-api/${id}/prod/pets${query}`;
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(pet) });
    const text = await response.text();
    return [response.status, text === '' ? null : (JSON.parse(text) as unknown)];
  };
  const rex = { name: 'Rex', friends: [{ name: 'Ada' }] };
  expect(await post('', rex)).toEqual([400, { message: 'Missing required request parameters: [shop]' }]);
  expect(await post('?shop=1', { name: 'Rex', friends: [{}] })).toEqual([
    400,
    { message: 'Invalid request body', why: '[object has missing required properties (["name"])]' },
  ]);
  expect(await post('?shop=1', rex)).toEqual([200, null]);
});
