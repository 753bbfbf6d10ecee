/** Text and binary payloads from the management operations to a real node, with a real backend behind it. */
import { deploymentOperations } from '@gatehouse/control-deployments';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder } from './harness.js';
import { readiness, startProcess } from './node-process.js';

const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
};
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const BASE64 = PNG.toString('base64');

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

const method = (integration: object) => ({
  post: { 'x-amazon-apigateway-integration': integration, responses: { '200': { description: 'ok' } } },
});

test('payloads become text and bytes as the integration, the media types and the caller say', async () => {
  const received: Buffer[] = [];
  const backend = createServer((request, response) => {
    void buffer(request).then((body) => {
      received.push(body);
      response.setHeader('content-type', request.url === '/png' ? 'image/png' : 'application/json');
      response.end(request.url === '/png' ? PNG : JSON.stringify({ image: BASE64 }));
    });
  }).listen(0, '127.0.0.1');
  await once(backend, 'listening');
  scope.cleanUps.push(() => void backend.close());
  const origin = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;

  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const template = `{"sent": "$input.body"}`;
  const document = {
    openapi: '3.0.1',
    info: { title: 'payloads', version: '1' },
    'x-amazon-apigateway-binary-media-types': ['image/png'],
    paths: {
      '/proxy': method({ type: 'http_proxy', httpMethod: 'POST', uri: `${origin}/png` }),
      '/to-text': method({
        type: 'http',
        httpMethod: 'POST',
        uri: `${origin}/json`,
        contentHandling: 'CONVERT_TO_TEXT',
        requestTemplates: { 'image/png': template },
        responses: {
          default: {
            statusCode: '200',
            contentHandling: 'CONVERT_TO_BINARY',
            responseTemplates: { 'application/json': `$input.path('$.image')` },
          },
        },
      }),
      '/unreadable': method({
        type: 'http',
        httpMethod: 'POST',
        uri: `${origin}/json`,
        requestTemplates: { 'image/png': template },
        responses: { default: { statusCode: '200' } },
      }),
    },
  };
  const body = Buffer.from(JSON.stringify(document));
  const { id } = await importOperations(dependencies).ImportRestApi(CONTEXT, { body, failOnWarnings: true });
  await deploymentOperations(dependencies).CreateDeployment(CONTEXT, { restApiId: id!, stageName: 'prod' });
  const node = await startProcess(scope, control.port, { env: { GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true' } });
  await vi.waitFor(async () => expect((await readiness(node))[0]).toBe(200), { timeout: 15_000, interval: 20 });

  const post = async (resource: string, accept: string, sent = PNG): Promise<[number, Buffer]> => {
    const url = `http://127.0.0.1:${node.port}/_aws/execute-api/${id}/prod${resource}`;
    const headers = { 'content-type': 'image/png', accept };
    const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(sent) });
    return [response.status, Buffer.from(await response.arrayBuffer())];
  };
  expect(await post('/proxy', 'image/png')).toEqual([200, PNG]);
  expect(await post('/proxy', 'text/html')).toEqual([200, Buffer.from(BASE64)]);
  expect(await post('/to-text', 'text/html'), 'a template in front, bytes behind').toEqual([200, PNG]);
  expect(await post('/unreadable', '*/*')).toEqual([500, Buffer.from('{"message":"Internal server error"}')]);
  expect(received).toEqual([PNG, PNG, Buffer.from(`{"sent": "${BASE64}"}`)]);
});
