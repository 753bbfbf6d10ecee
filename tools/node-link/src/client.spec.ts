/** A generated client and a real node: what GetSdk answers calls the stage that it was made of. */
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { deploymentOperations } from '@gatehouse/control-deployments';
import { exportOperations } from '@gatehouse/control-exports';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fromBufferPromise } from 'yauzl';
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

/** Answers what it was asked. */
async function startEcho(): Promise<string> {
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    const seen = { method, url, trace: headers['x-trace'], body: await text(request) };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(seen));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  scope.cleanUps.push(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function proxyTo(uri: string, requestParameters: Record<string, string> = {}): object {
  return { 'x-amazon-apigateway-integration': { type: 'http_proxy', httpMethod: 'ANY', uri, requestParameters } };
}

const documentOf = (echo: string): object => ({
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  paths: {
    '/pets/{petId}': {
      put: {
        operationId: 'savePet',
        parameters: [
          { name: 'loud', in: 'query', schema: { type: 'string' } },
          { name: 'X-Trace', in: 'header', required: true, schema: { type: 'string' } },
        ],
        ...proxyTo(`${echo}/animals/{id}`, { 'integration.request.path.id': 'method.request.path.petId' }),
      },
    },
    '/files/{path+}': {
      'x-amazon-apigateway-any-method': {
        parameters: [{ name: 'path', in: 'path', required: true, schema: { type: 'string' } }],
        ...proxyTo(`${echo}/files/{path}`, { 'integration.request.path.path': 'method.request.path.path' }),
      },
    },
    '/mock': {
      get: {
        responses: { '404': { description: 'no' } },
        'x-amazon-apigateway-integration': {
          type: 'mock',
          requestTemplates: { 'application/json': '{"statusCode": 404}' },
          responses: { default: { statusCode: '404', responseTemplates: { 'application/json': '{"message": "no"}' } } },
        },
      },
    },
  },
});

type Client = Record<string, (params?: unknown, body?: unknown, options?: unknown) => Promise<{ status: number; body: unknown }>>;

/** The module in the archive, as its user would load it. */
async function clientIn(archive: Uint8Array, baseUrl: string): Promise<Client> {
  const zip = await fromBufferPromise(Buffer.from(archive));
  for await (const entry of zip.eachEntry()) {
    const file = path.join(scope.folder, entry.fileName);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, await buffer(await zip.openReadStreamPromise(entry)));
  }
  const file = pathToFileURL(path.join(scope.folder, 'apiGateway-js-sdk', 'apigClient.js')).href;
  const { createClient } = (await import(/* @vite-ignore */ file)) as { createClient: (options: object) => Client };
  return createClient({ baseUrl });
}

test('a client that GetSdk makes calls every kind of method of its stage on a node', async () => {
  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const body = Buffer.from(JSON.stringify(documentOf(await startEcho())));
  const { id } = await importOperations(dependencies).ImportRestApi(CONTEXT, { body, failOnWarnings: true });
  const stage = { restApiId: id!, stageName: 'prod' };
  await deploymentOperations(dependencies).CreateDeployment(CONTEXT, stage);
  const node = await startProcess(scope, control.port, { env: { GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true' } });
  await vi.waitFor(async () => expect((await readiness(node))[0]).toBe(200), { timeout: 15_000, interval: 10 });

  const sdk = await exportOperations(dependencies).GetSdk(CONTEXT, { ...stage, sdkType: 'javascript' });
  const client = await clientIn(sdk.body!, `http://127.0.0.1:${node.port}/_aws/execute-api/${id}/prod`);

  expect(await client['savePet']!({ petId: 'a b', loud: 'yes', 'X-Trace': 't1' }, { name: 'Rex' })).toMatchObject({
    status: 200,
    body: { method: 'PUT', url: '/animals/a%20b?loud=yes', trace: 't1', body: '{"name":"Rex"}' },
  });
  expect(await client['filesPathAny']!({ path: 'a/b' }, undefined, { method: 'DELETE' })).toMatchObject({
    body: { method: 'DELETE', url: '/files/a/b' },
  });
  await expect(client['mockGet']!()).rejects.toMatchObject({ name: 'ApiError', status: 404, body: { message: 'no' } });
});
