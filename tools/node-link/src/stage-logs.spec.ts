/** Logs of a stage, from the management API to the node's files. */
import { deploymentOperations } from '@gatehouse/control-deployments';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder } from './harness.js';
import { readiness, startProcess } from './node-process.js';

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

const REGION = 'us-east-1';
const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: REGION },
  requestId: 'request',
  headers: {},
};
const LOG_GROUP = `arn:aws:logs:${REGION}:${TENANT}:log-group:/api/prod`;

const mock = (statusCode: string) => ({
  responses: { '200': { description: 'ok' } },
  'x-amazon-apigateway-integration': {
    type: 'mock',
    requestTemplates: { 'application/json': `{"statusCode": ${statusCode}}` },
    responses: { default: { statusCode, responseTemplates: { 'application/json': '{"pet": 1}' } } },
  },
});

const DOCUMENT = { openapi: '3.0.1', info: { title: 'pets', version: '1' }, paths: { '/pets': { get: mock('200') } } };
const replace = (member: string, value: string) => ({ op: 'replace' as const, path: member, value });
const remove = (member: string) => ({ op: 'remove' as const, path: member });

/** A control plane, an API with the stage `prod`, and a node that serves it. */
async function house(env: Readonly<Record<string, string>> = {}) {
  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const body = Buffer.from(JSON.stringify(DOCUMENT));
  const { id } = await importOperations(dependencies).ImportRestApi(CONTEXT, { body, failOnWarnings: true });
  const operations = deploymentOperations(dependencies);
  await operations.CreateDeployment(CONTEXT, { restApiId: id!, stageName: 'prod' });
  await store.tenants.transact(TENANT, async (tx) =>
    tx.account.write({ ...(await tx.account.read()), cloudwatchRoleArn: `arn:aws:iam::${TENANT}:role/logs` }),
  );
  const node = await startProcess(scope, control.port, { env });
  await vi.waitFor(async () => expect((await readiness(node))[0]).toBe(200), { timeout: 15_000, interval: 10 });
  return {
    id: id!,
    node,
    store,
    get: (to: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${node.port}/_aws/execute-api/${id}/prod${to}`, { headers }),
    update: (...patchOperations: (ReturnType<typeof replace> | ReturnType<typeof remove>)[]) =>
      operations.UpdateStage(CONTEXT, { restApiId: id!, stageName: 'prod', patchOperations }),
  };
}

const logFile = (name: string): string =>
  path.join(scope.folder, 'node/log-groups', TENANT, REGION, `${encodeURIComponent(name)}.log`);
const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []);

test('a stage writes a line per request, in the format of its owner, and one that stops writes none', async () => {
  const { get, update } = await house();
  await get('/pets');
  const format =
    '{"id":"$context.requestId","at":"$context.httpMethod $context.resourcePath","status":$context.status,"bytes":$context.responseLength,"agent":"$context.identity.userAgent"}';
  await update(replace('/accessLogSettings/destinationArn', LOG_GROUP), replace('/accessLogSettings/format', format));
  const file = logFile('/api/prod');
  const ids = new Map<number, string>();
  await vi.waitFor(
    async () => {
      const answer = await get('/pets', { 'user-agent': 'a "quoted" agent' });
      ids.set(1, answer.headers.get('x-amzn-requestid')!);
      expect(linesOf(file).length).toBeGreaterThan(0);
    },
    { timeout: 15_000, interval: 100 },
  );
  const refused = (await get('/nothing')).headers.get('x-amzn-requestid');
  await vi.waitFor(() => expect(linesOf(file).map((line) => (JSON.parse(line) as { id: string }).id)).toContain(refused), 5_000);
  const lines = linesOf(file).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.find(({ id }) => id === ids.get(1))).toEqual({
    id: ids.get(1),
    at: 'GET /pets',
    status: 200,
    bytes: 10,
    agent: 'a "quoted" agent',
  });
  expect(lines.at(-1)).toMatchObject({ at: 'GET -', status: 403 });
  expect(statSync(file).mode & 0o777).toBe(0o600);

  await update(remove('/accessLogSettings'));
  let before = -1;
  await vi.waitFor(
    async () => {
      before = linesOf(file).length;
      await get('/pets');
      await new Promise((resolve) => setTimeout(resolve, 800));
      expect(linesOf(file).length).toBe(before);
    },
    { timeout: 15_000 },
  );
});

test('a method writes what happened to each request, bodies included when they are asked for, and secrets masked', async () => {
  const { id, node, get, update } = await house();
  await update(replace('/*/*/logging/loglevel', 'INFO'), replace('/~1pets/GET/logging/dataTrace', 'true'));
  const file = logFile(`API-Gateway-Execution-Logs_${id}/prod`);
  const ask = async () => (await get('/pets?a=1', { authorization: 'Bearer 0123456789abcdef' })).headers.get('x-amzn-requestid')!;
  await vi.waitFor(
    async () => {
      await ask();
      expect(linesOf(file).length).toBeGreaterThan(0);
    },
    { timeout: 15_000, interval: 100 },
  );
  const requestId = await ask();
  await vi.waitFor(() => expect(linesOf(file).some((line) => line.includes(requestId))).toBe(true), 5_000);
  const texts = linesOf(file).filter((line) => line.includes(`(${requestId}) `));
  const shown = texts.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z \([^)]*\) /, '').replace(/(headers: \{).*/, '$1…'));
  const apiStage = `${id}/prod`;
  expect(shown).toEqual([
    expect.stringMatching(/^Extended Request Id: .+=$/),
    `Verifying Usage Plan for request: ${requestId}. API Key:  API Stage: ${apiStage}`,
    "API Key  authorized because method 'GET /pets' does not require API Key. Request will not contribute to throttle or quota limits",
    `Usage Plan check succeeded for API Key  and API Stage ${apiStage}`,
    `Starting execution for request: ${requestId}`,
    'HTTP Method: GET, Resource Path: /pets',
    'Method request path: {}',
    'Method request query string: {a=1}',
    'Method request headers: {…',
    'Method request body before transformations: ',
    'Method response body after transformations: {"pet": 1}',
    'Method response headers: {…',
    'Successfully completed execution',
    'Method completed with status: 200',
  ]);
  expect(texts.join('\n')).toContain('authorization=*****************abcdef');

  const last = await ask();
  node.child.kill('SIGTERM'); // the lines that wait are written
  await node.exited;
  expect(linesOf(file).at(-1)).toContain(`(${last}) Method completed with status: 200`);
});

test('a log group with a URL goes there; while nobody listens requests are served, and their lines come later', async () => {
  const received: string[] = [];
  const listen = async (port: number): Promise<Server> => {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      request.on('end', () => {
        received.push(...body.split('\n').slice(0, -1));
        response.end();
      });
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    scope.cleanUps.push(() => server.close());
    return server;
  };
  const first = await listen(0);
  const { port } = first.address() as AddressInfo;
  const { node, store, get, update } = await house({ GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true' });
  const messages = (): string[] => received.map((line) => (JSON.parse(line) as { message: string }).message);
  await store.tenants.transact(TENANT, async (tx) =>
    tx.account.write({ ...(await tx.account.read()), logDestinations: { [LOG_GROUP]: `http://127.0.0.1:${port}/in` } }),
  );
  await update(
    replace('/accessLogSettings/destinationArn', LOG_GROUP),
    replace('/accessLogSettings/format', '$context.requestId'),
  );
  await vi.waitFor(
    async () => {
      await get('/pets');
      expect(received.length).toBeGreaterThan(0);
    },
    { timeout: 15_000, interval: 100 },
  );
  expect(JSON.parse(received[0]!)).toMatchObject({ logGroup: '/api/prod', timestamp: expect.any(Number) as number });
  expect(existsSync(logFile('/api/prod'))).toBe(false);

  first.closeAllConnections();
  await new Promise((resolve) => first.close(resolve));
  const meanwhile: string[] = [];
  for (let i = 0; i < 20; i++) {
    const answer = await get('/pets');
    expect(answer.status).toBe(200);
    meanwhile.push(answer.headers.get('x-amzn-requestid')!);
  }
  await listen(port);
  await vi.waitFor(() => expect(messages()).toEqual(expect.arrayContaining(meanwhile)), { timeout: 15_000, interval: 50 });
  const metrics = await (await fetch(`http://127.0.0.1:${node.adminPort}/metrics`)).text();
  expect(metrics).toMatch(/^gatehouse_logs_dropped_lines_total 0$/m);
});
