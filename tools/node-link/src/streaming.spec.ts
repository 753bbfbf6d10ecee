/** Streamed responses through three real processes: caller, node, function runner. */
import { deploymentOperations } from '@gatehouse/control-deployments';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder } from './harness.js';
import { readiness, startProcess } from './node-process.js';
import { functionArn, publishFunction } from './published-functions.js';
import { startRunnerProcess } from './runner-process.js';

const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
};
const CODE = `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const { mode } = event.queryStringParameters;
  if (mode === 'early') throw new Error('no');
  if (mode === 'shapeless') return stream.end('no metadata');
  const http = awslambda.HttpResponseStream.from(stream, { statusCode: 206, headers: { 'Content-Type': 'text/plain' }, cookies: ['a=1'] });
  http.write('one;');
  if (mode === 'late') throw new Error('no');
  for (let n = 0; mode === 'long' && n < 25; n++) { await new Promise((resolve) => setTimeout(resolve, 20)); http.write('more;'); }
  await new Promise((resolve) => setTimeout(resolve, 150));
  http.write('two;'); http.end(); });`;

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

const method = (verb: string, integration: object) => ({
  [verb]: {
    'x-amazon-apigateway-integration': { responseTransferMode: 'STREAM', timeoutInMillis: 900_000, ...integration },
    responses: { '200': { description: 'ok' } },
  },
});

test('a function and a backend stream to the caller; what fails late is cut, what fails early is an answer', async () => {
  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  await publishFunction(store, 'fn', CODE);
  const pending: ServerResponse[] = [];
  const backend = createServer((_request, response) => {
    response.setHeader('content-type', 'image/png');
    response.write(Buffer.from([0x89, 1]));
    pending.push(response);
  }).listen(0, '127.0.0.1');
  await once(backend, 'listening');
  scope.cleanUps.push(() => void backend.close());
  const { port } = backend.address() as AddressInfo;

  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const uri = `arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/${functionArn('fn')}/response-streaming-invocations`;
  const document = {
    openapi: '3.0.1',
    info: { title: 'streams', version: '1' },
    'x-amazon-apigateway-binary-media-types': ['image/png'],
    'x-amazon-apigateway-minimum-compression-size': 0,
    paths: {
      '/fn': method('get', { type: 'aws_proxy', httpMethod: 'POST', uri }),
      '/http': method('get', { type: 'http_proxy', httpMethod: 'GET', uri: `http://127.0.0.1:${port}/` }),
    },
  };
  const body = Buffer.from(JSON.stringify(document));
  const { id } = await importOperations(dependencies).ImportRestApi(CONTEXT, { body, failOnWarnings: true });
  await deploymentOperations(dependencies).CreateDeployment(CONTEXT, { restApiId: id!, stageName: 'prod' });
  const runnerUrl = await startRunnerProcess(scope, control.port);
  const env = { GATEHOUSE_RUNNER_URL: runnerUrl, GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true' };
  const node = await startProcess(scope, control.port, { env });
  await vi.waitFor(async () => expect((await readiness(node))[0]).toBe(200), { timeout: 15_000, interval: 20 });

  const ask = async (resource: string, headers = {}): Promise<IncomingMessage> => {
    const asked = get(`http://127.0.0.1:${node.port}/_aws/execute-api/${id}/prod${resource}`, { headers });
    return ((await once(asked, 'response')) as [IncomingMessage])[0];
  };
  const first = async (response: IncomingMessage): Promise<string> => {
    const [chunk] = (await once(response, 'data')) as [Buffer];
    response.pause();
    return chunk.toString('latin1');
  };
  const rest = async (response: IncomingMessage): Promise<string> => (await buffer(response)).toString('latin1');

  const whole = await ask('/fn?mode=whole', { 'accept-encoding': 'gzip' });
  expect([
    whole.statusCode,
    whole.headers['content-type'],
    whole.headers['set-cookie'],
    whole.headers['transfer-encoding'],
  ]).toEqual([206, 'text/plain', ['a=1'], 'chunked']);
  expect([await first(whole), whole.headers['content-encoding'], await rest(whole)]).toEqual(['one;', undefined, 'two;']);

  const late = await ask('/fn?mode=late');
  expect([late.statusCode, await first(late)]).toEqual([206, 'one;']);
  await expect(rest(late), 'not ended as if it were whole').rejects.toThrow();
  const early = await ask('/fn?mode=early');
  expect([early.statusCode, await rest(early)]).toEqual([502, '{"message":"Internal server error"}']);
  const shapeless = await ask('/fn?mode=shapeless');
  expect([shapeless.statusCode, await rest(shapeless)]).toEqual([500, '{"message":"Internal server error"}']);

  // Bytes though no caller said that it takes binary: streams are not converted.
  const proxied = await ask('/http', { accept: 'text/plain' });
  expect(await first(proxied)).toBe('\x89\x01');
  pending[0]!.end(Buffer.from([0xff]));
  expect(await rest(proxied)).toBe('\xff');

  // A caller that leaves early: the backend hears of it, and the request is accounted for.
  const left = await ask('/http');
  await first(left);
  const hungUp = once(pending[1]!, 'close');
  left.destroy();
  await hungUp;

  // So is one that leaves a function; it goes on and answers the next one.
  const abandoned = await ask('/fn?mode=long');
  await first(abandoned);
  abandoned.destroy();
  expect(await rest(await ask('/fn?mode=whole'))).toBe('one;two;');

  const log = path.join(scope.folder, 'node-access.log');
  const statuses = (): number[] =>
    readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status);
  await vi.waitFor(() => expect(statuses()).toEqual([206, 206, 502, 500, 200, 200, 206, 206]));
}, 60_000);
