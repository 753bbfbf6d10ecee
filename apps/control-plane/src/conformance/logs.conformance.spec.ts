/** Logs of stages as their owners ask for them: formats that are refused, and URLs of log groups in what nodes are told. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StageSnapshot } from '@gatehouse/contracts';
import { createMockApi, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { openNode } from '@gatehouse/tools-node-link';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let folder: string;
let node: Awaited<ReturnType<typeof openNode>>;
let tenant: TestTenant;
let restApiId: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-logs-'));
  house = await startControlPlaneHouse(composition);
  node = await openNode(path.join(folder, 'node'), house.plane.grpcPort, { token: house.config.nodeToken });
  node.link.connect();
});
beforeEach(async () => {
  tenant = await house.tenant();
  restApiId = (await createMockApi(tenant.apiGateway)).restApiId;
  await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
  await tenant.apiGateway.updateAccount({
    patchOperations: [{ op: 'replace', path: '/cloudwatchRoleArn', value: `arn:aws:iam::${tenant.account}:role/logs` }],
  });
});
afterAll(async () => {
  await node.link.close();
  await house.close();
  await rm(folder, { recursive: true, force: true });
  expect(bugs).toEqual([]);
});

const update = (...changes: readonly (readonly [string, string])[]) =>
  tenant.apiGateway.updateStage({
    restApiId,
    stageName: 'dev',
    patchOperations: changes.map(([to, value]) => ({ op: 'replace' as const, path: to, value })),
  });
const group = (name = '/api/dev'): string => `arn:aws:logs:us-east-1:${tenant.account}:log-group:${name}`;
const FORMAT = '$context.requestId $context.status';
const snapshot = (): StageSnapshot => JSON.parse(node.world.texts.get(`STAGE ${restApiId}/dev`) ?? '{}') as StageSnapshot;
const told = (part: Partial<StageSnapshot>) => vi.waitFor(() => expect(snapshot()).toMatchObject(part), 10_000);

async function ask(method: string, body?: unknown, by = tenant): Promise<unknown[]> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const { status, text } = await by.send({ method, path: '/admin/v1/log-destinations', ...sent });
  return [status, JSON.parse(text) as unknown];
}

async function askAsOperator(method: string, body?: unknown): Promise<unknown[]> {
  const headers = { authorization: `Bearer ${house.config.operatorToken!.reveal()}` };
  const to = `/admin/v1/tenants/${tenant.account}/log-destinations`;
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const { status, text } = await tenant.send({ method, path: to, headers, signature: null, ...sent });
  return [status, JSON.parse(text) as unknown];
}

describe('formats', () => {
  test.each([
    [
      'of two lines',
      '{\n"id":"$context.requestId"}',
      'Access Log format must be single line, new line character is allowed only at end of the format',
    ],
    ['without an id', '$context.status', 'Access Log format must contain $context.requestId or $context.extendedRequestId'],
  ])('%s are refused', async (_, format, message) => {
    await expect(update(['/accessLogSettings/format', format])).rejects.toThrow(message);
  });

  test('of one line with an id are taken, with a line feed at their end too', async () => {
    await update(['/accessLogSettings/format', '$context.extendedRequestId\n']);
    await update(['/accessLogSettings/format', FORMAT]);
  });
});

test('nodes are told format and log group, and of execution logs of the methods that have a level', async () => {
  await update(['/accessLogSettings/format', FORMAT], ['/accessLogSettings/destinationArn', `${group()}:*`]);
  await told({ accessLog: { format: FORMAT, arn: group() } });
  expect(snapshot()).not.toHaveProperty('executionLog');
  await update(['/*/*/logging/loglevel', 'ERROR']);
  await told({ executionLog: { arn: group(`API-Gateway-Execution-Logs_${restApiId}/dev`) } });
  expect(snapshot().routes.map(({ logging }) => logging)).toEqual([{ level: 'ERROR', hasDataTrace: false }]);
  await update(['/*/*/logging/loglevel', 'OFF']);
  await vi.waitFor(() => expect(snapshot()).not.toHaveProperty('executionLog'), 10_000);
});

test('a log group with a URL is published with it, and without it when it is taken away', async () => {
  await update(['/accessLogSettings/format', FORMAT], ['/accessLogSettings/destinationArn', group()]);
  await told({ accessLog: { format: FORMAT, arn: group() } });
  const url = 'https://logs.example.com/in';
  expect(await ask('GET')).toEqual([200, { destinations: {} }]);
  expect(await ask('PATCH', { [group()]: url })).toEqual([200, { destinations: { [group()]: url } }]);
  await told({ accessLog: { format: FORMAT, arn: group(), url } });
  const other = group('other');
  expect(await ask('PATCH', { [other]: url })).toEqual([200, { destinations: { [group()]: url, [other]: url } }]);
  expect(await ask('PUT', { [other]: url })).toEqual([200, { destinations: { [other]: url } }]);
  await vi.waitFor(() => expect(snapshot().accessLog).toEqual({ format: FORMAT, arn: group() }), 10_000);
  expect(await ask('PATCH', { [other]: null })).toEqual([200, { destinations: {} }]);
});

test('the operator says where the log groups of a tenant lead, and its tenant alone reads it', async () => {
  const destinations = { [group()]: 'http://collector.internal:8080/' };
  expect(await askAsOperator('PUT', destinations)).toEqual([200, { destinations }]);
  expect(await askAsOperator('GET')).toEqual([200, { destinations }]);
  expect(await ask('GET')).toEqual([200, { destinations }]);
  expect(await ask('GET', undefined, await house.tenant())).toEqual([200, { destinations: {} }]);
  expect(await askAsOperator('PATCH', { [group()]: null })).toEqual([200, { destinations: {} }]);
});

test('what is no URL, no ARN or no JSON is refused and changes nothing', async () => {
  for (const [body, message] of [
    [{ [group()]: 'ftp://logs.example.com' }, `Invalid URL for ${group()}`],
    [{ 'arn:aws:s3:::x': 'https://logs.example.com' }, 'Invalid ARN "arn:aws:s3:::x"'],
    ['text', 'Invalid body: expected JSON like'],
  ] as const) {
    const refused = { type: 'BadRequestException', message: expect.stringContaining(message) as string };
    expect(await ask('PATCH', body)).toEqual([400, refused]);
  }
  expect(await ask('GET')).toEqual([200, { destinations: {} }]);
});

test('who has not signed reads nothing', async () => {
  const { status } = await tenant.send({ path: '/admin/v1/log-destinations', signature: null });
  expect(status).toBe(403);
});
