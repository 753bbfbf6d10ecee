/** Streamed responses through three real processes: caller, node, function runner. */
import type { FunctionEntry } from '@gatehouse/contracts';
import { deploymentOperations } from '@gatehouse/control-deployments';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { canonicalJson, randomIds, sha256Hex, systemClock } from '@gatehouse/kernel';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import yazl from 'yazl';
import { startControlPlane, TENANT, testFolder } from './harness.js';
import { readiness, startProcess } from './node-process.js';
import { startRunnerProcess } from './runner-process.js';

const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
};
const FUNCTION = `arn:aws:lambda:us-east-1:${TENANT}:function:fn`;
const CODE = `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const { mode } = event.queryStringParameters;
  if (mode === 'early') throw new Error('no');
  if (mode === 'shapeless') return stream.end('no metadata');
  const http = awslambda.HttpResponseStream.from(stream, { statusCode: 206, headers: { 'Content-Type': 'text/plain' }, cookies: ['a=1'] });
  http.write('one;');
  if (mode === 'late') throw new Error('no');
  await new Promise((resolve) => setTimeout(resolve, 150));
  http.write('two;'); http.end(); });`;

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

async function publishFunction(store: InMemoryStore): Promise<void> {
  const zip = new yazl.ZipFile();
  zip.addBuffer(Buffer.from(CODE), 'index.js', { mtime: new Date(2026, 0, 1) });
  zip.end();
  const bytes = await buffer(zip.outputStream);
  const permission = { statementId: 's', principal: 'apigateway.amazonaws.com', action: 'lambda:InvokeFunction' };
  const entry: FunctionEntry = {
    tenant: TENANT,
    region: 'us-east-1',
    functionName: 'fn',
    version: '$LATEST',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    timeoutMs: 10_000,
    memoryMb: 256,
    environment: {},
    aliases: [],
    weightedAliases: {},
    reservedConcurrency: null,
    codeSha256: Buffer.from(sha256Hex(bytes), 'hex').toString('base64'),
    permissions: [{ ...permission, sourceArn: null, sourceAccount: null, qualifier: '' }],
  };
  await store.tenants.transact(TENANT, async (tx) =>
    tx.manifest.put('FUNCTION', `${TENANT}:fn:$LATEST`, {
      digest: await tx.blobs.put(bytes),
      blobBytes: bytes.length,
      inline: canonicalJson(entry),
    }),
  );
}

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
  await publishFunction(store);
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
  const uri = `arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/${FUNCTION}/response-streaming-invocations`;
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
  const log = path.join(scope.folder, 'node-access.log');
  const statuses = (): number[] =>
    readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status);
  await vi.waitFor(() => expect(statuses()).toEqual([206, 206, 502, 500, 200, 200]));
}, 60_000);
