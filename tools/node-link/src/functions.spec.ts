/** Functions that misbehave, through three real processes: caller, node, function runner (fault 60). */
import { deploymentOperations } from '@gatehouse/control-deployments';
import { importOperations } from '@gatehouse/control-rest-apis';
import { InMemoryStore } from '@gatehouse/domain';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startControlPlane, TENANT, testFolder } from './harness.js';
import { readiness, startProcess, type NodeProcess } from './node-process.js';
import { functionArn, publishFunction } from './published-functions.js';
import { startRunnerProcess } from './runner-process.js';

const CONTEXT = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
};
const handler = (body: string): string => `exports.handler = async (event) => { ${body} };`;

/** What each does, and what the log of its owner names as the cause. */
const BAD: Readonly<Record<string, readonly [code: string, cause: RegExp]>> = {
  loops: [handler('for (;;);'), /timed out|Timedout/],
  exits: [handler('process.exit(1);'), /exited/i],
  floods: [handler("const line = 'x'.repeat(9999); for (;;) console.log(line);"), /timed out|Timedout/],
  throws: [handler("throw 'a string';"), /a string/],
  grows: [handler("return { statusCode: 200, body: 'x'.repeat(6 * 1024 * 1024 + 1) };"), /size|large/i],
  forks: [handler("for (;;) require('node:child_process').fork(__filename);"), /allow-child-process/],
  shapeless: [handler("return 'no object';"), /Malformed Lambda proxy response/],
  numbered: [handler("return { statusCode: 'many' };"), /Malformed Lambda proxy response/],
};

let scope: Awaited<ReturnType<typeof testFolder>>;
let node: NodeProcess;
let apiId: string;

beforeAll(async () => {
  scope = await testFolder();
  const store = new InMemoryStore();
  const control = await startControlPlane(store);
  scope.cleanUps.push(() => control.stop());
  for (const [name, [code]] of Object.entries(BAD)) await publishFunction(store, name, code, { timeoutMs: 1_500 });
  await publishFunction(store, 'good', handler('return { statusCode: 200, body: event.queryStringParameters.n };'));
  const dependencies = { store: store.tenants, clock: systemClock, ids: randomIds, waiter: control.server };
  const pathOf = (name: string) => {
    const uri = `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${functionArn(name)}/invocations`;
    const integration = { type: 'aws_proxy', httpMethod: 'POST', uri };
    return { get: { 'x-amazon-apigateway-integration': integration, responses: { '200': { description: 'ok' } } } };
  };
  const paths = Object.fromEntries([...Object.keys(BAD), 'good'].map((name) => [`/${name}`, pathOf(name)]));
  const body = Buffer.from(JSON.stringify({ openapi: '3.0.1', info: { title: 'functions', version: '1' }, paths }));
  apiId = (await importOperations(dependencies).ImportRestApi(CONTEXT, { body, failOnWarnings: true })).id!;
  const deployments = deploymentOperations(dependencies);
  await deployments.CreateDeployment(CONTEXT, { restApiId: apiId, stageName: 'prod' });
  await store.tenants.transact(TENANT, async (tx) =>
    tx.account.write({ ...(await tx.account.read()), cloudwatchRoleArn: `arn:aws:iam::${TENANT}:role/logs` }),
  );
  const patchOperations = [{ op: 'replace' as const, path: '/*/*/logging/loglevel', value: 'ERROR' }];
  await deployments.UpdateStage(CONTEXT, { restApiId: apiId, stageName: 'prod', patchOperations });
  const env = { GATEHOUSE_RUNNER_URL: await startRunnerProcess(scope, control.port) };
  node = await startProcess(scope, control.port, { env });
  await vi.waitFor(async () => expect((await readiness(node))[0]).toBe(200), { timeout: 15_000, interval: 20 });
}, 60_000);
afterAll(() => scope.close());

async function ask(resource: string): Promise<{ readonly text: string; readonly requestId: string }> {
  const answer = await fetch(`http://127.0.0.1:${node.port}/_aws/execute-api/${apiId}/prod/${resource}`);
  return { text: `${answer.status} ${await answer.text()}`, requestId: answer.headers.get('x-amzn-requestid')! };
}

/** Of the execution log, which is the owner's: the line that says why, of a request whose answer had this id. */
function causeOf(requestId: string): string {
  const folder = path.join(scope.folder, 'node/log-groups', TENANT, 'us-east-1');
  const file = path.join(folder, `${encodeURIComponent(`API-Gateway-Execution-Logs_${apiId}/prod`)}.log`);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const [cause = ''] = lines.filter((line) => line.includes(`(${requestId}) `));
  return cause.replace(/^.*?\) /, '');
}

test('a function that misbehaves is 502 with its cause in the log, and its neighbour answers all the while', async () => {
  expect((await ask('good?n=warm')).text).toBe('200 warm');
  const names = Object.keys(BAD);
  let isOver = false;
  const bad = Promise.all(names.map(ask)).finally(() => (isOver = true));
  let answered = 0;
  for (; !isOver || answered < 20; answered++) expect((await ask(`good?n=${answered}`)).text).toBe(`200 ${answered}`);
  const answers = await bad;
  for (const [index, [name, [, cause]]] of Object.entries(BAD).entries()) {
    const { text, requestId } = answers[index]!;
    expect(text, name).toBe('502 {"message":"Internal server error"}');
    await vi.waitFor(() => expect(causeOf(requestId), name).toMatch(cause), 5_000);
  }
  expect((await ask('throws')).text).toBe('502 {"message":"Internal server error"}');
  expect((await ask('good?n=after')).text).toBe('200 after');
}, 60_000);
