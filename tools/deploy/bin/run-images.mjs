// The images of check-images.mjs, run together on one loopback network, as Kubernetes runs them: user 10001 without rights, a root nobody can
// write to, one volume. Each argument is an image: {app, folder, settings}. Exit code 0: everything below held.
import {
  APIGatewayClient,
  CreateDeploymentCommand,
  CreateRestApiCommand,
  GetResourcesCommand,
} from '@aws-sdk/client-api-gateway';
import {
  PutIntegrationCommand,
  PutIntegrationResponseCommand,
  PutMethodCommand,
  PutMethodResponseCommand,
} from '@aws-sdk/client-api-gateway';
import { CreateFunctionCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { EmbeddedPostgres } from '@gatehouse/embedded-postgres';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import yazl from 'yazl';
import { Container } from './container.mjs';

const DEADLINE_MS = 90_000;
/** What Compose and the chart grant at least. */
const STOP_MS = { 'control-plane': 30_000, 'data-plane': 45_000, 'function-runner': 20_000 };
const secret = (bytes) => randomBytes(bytes).toString('hex');

const images = new Map(
  process.argv
    .slice(2)
    .map((argument) => JSON.parse(argument))
    .map((image) => [image.app, image]),
);
const scratch = mkdtempSync(path.join(tmpdir(), 'gatehouse-images-'));
chmodSync(scratch, 0o755);
const postgres = new EmbeddedPostgres({
  directory: path.join(scratch, 'postgres'),
  logFile: path.join(scratch, 'postgres.log'),
  port: 5432,
  password: secret(8),
  database: 'gatehouse',
});
const credentials = { accessKeyId: 'GHFIRSTKEY0000000001', secretAccessKey: secret(20) };
const client = { endpoint: 'http://127.0.0.1:7080', region: 'us-east-1', credentials };
const nodeToken = { GATEHOUSE_NODE_TOKEN: secret(32) };
const store = { DATABASE_URL: postgres.url, GATEHOUSE_MASTER_KEY: secret(32) };
const containers = [];

try {
  await run();
} catch (error) {
  for (const container of containers) console.error(`--- ${container.app}\n${container.log.slice(-4_000)}`);
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const container of containers) container.kill();
  await postgres.stop();
  rmSync(scratch, { recursive: true, force: true });
}

async function run() {
  await Container.upLoopback();
  await postgres.start();
  const first = {
    GATEHOUSE_FIRST_ACCOUNT_ID: '000000000001',
    GATEHOUSE_FIRST_ACCESS_KEY_ID: credentials.accessKeyId,
    GATEHOUSE_FIRST_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const prepare = start('control-plane', { ...store, ...first }, ['node', 'apps/control-plane/dist/prepare.js']);
  assert.equal(await prepare.ended, 0, 'prepare ends with success');
  report('control-plane', 'prepares an empty database');

  const running = [
    start('control-plane', { ...store, ...nodeToken }),
    start('function-runner', nodeToken),
    start('data-plane', nodeToken),
  ];
  for (const container of running) await checkProcess(container);
  await callApi();
  await callFunctions();
  const help = running[0].run(['node', 'apps/cli/bin/gatehouse-admin.mjs', 'verify-usage', '--help']);
  assert.equal(help.status, 0, `the control plane's image has gatehouse-admin: ${help.stderr}`);
  for (const container of running.toReversed()) await checkEnd(container);
}

function start(app, environment, command) {
  const data = mkdtempSync(path.join(scratch, `${app}-`));
  chownSync(data, 10_001, 10_001);
  const container = new Container(images.get(app), { environment, command, data });
  containers.push(container);
  return container;
}

async function checkProcess(container) {
  const { app } = container;
  await until(`${app} passes the health check of its image`, () => container.isHealthy());
  const port = { 'control-plane': 7080, 'data-plane': 8081, 'function-runner': 7081 }[app];
  await until(`${app} is ready`, async () => (await get(port, '/readyz')).status === 200);
  const status = readFileSync(`/proc/${container.pid}/status`, 'utf8');
  assert.match(status, /^Name:\ttini$/m, 'tini is process 1');
  assert.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
  assert.match(status, /^CapEff:\t0+$/m, 'without rights');
  for (const file of ['/app/x', '/etc/x', '/usr/local/bin/x'])
    assert.notEqual(container.run(['touch', file]).status, 0, `${app} cannot write to ${file}`);
  assert.equal(container.run(['touch', '/tmp/x']).status, 0);
  report(
    app,
    `is healthy and ready as user 10001 below tini, with a root it cannot write to (${(await get(port, '/healthz')).body.trim()})`,
  );
}

async function checkEnd(container) {
  const startedMs = performance.now();
  process.kill(container.pid, 'SIGTERM');
  const code = await Promise.race([container.ended, sleep(STOP_MS[container.app], 'no end', { ref: false })]);
  assert.equal(code, 0, `${container.app} ends by itself after SIGTERM`);
  report(container.app, `ends after SIGTERM with code 0 (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
}

async function callApi() {
  const api = new APIGatewayClient(client);
  const { id: restApiId } = await api.send(new CreateRestApiCommand({ name: 'images' }));
  const { items } = await api.send(new GetResourcesCommand({ restApiId }));
  const method = { restApiId, resourceId: items[0].id, httpMethod: 'GET' };
  const requestTemplates = { 'application/json': '{"statusCode": 200}' };
  const responseTemplates = { 'application/json': '{"from": "an image"}' };
  await api.send(new PutMethodCommand({ ...method, authorizationType: 'NONE' }));
  await api.send(new PutIntegrationCommand({ ...method, type: 'MOCK', requestTemplates }));
  await api.send(new PutMethodResponseCommand({ ...method, statusCode: '200' }));
  await api.send(new PutIntegrationResponseCommand({ ...method, statusCode: '200', responseTemplates }));
  await api.send(new CreateDeploymentCommand({ restApiId, stageName: 'v1' }));
  const answer = () => get(8080, '/v1', `${restApiId}.execute-api.localhost`);
  await until('the node serves what was deployed', async () => (await answer()).body === '{"from": "an image"}');
  report('data-plane', 'answers for an API that was deployed through the control plane');
}

async function callFunctions() {
  const lambda = new LambdaClient(client);
  const languages = {
    'nodejs24.x': { file: 'index.mjs', code: 'export const handler = async () => "from node";' },
    'python3.13': { file: 'index.py', code: 'def handler(event, context):\n    return "from python"\n' },
  };
  for (const [Runtime, { file, code }] of Object.entries(languages)) {
    const FunctionName = Runtime.replace('.', '-');
    const zip = new yazl.ZipFile();
    zip.addBuffer(Buffer.from(code), file);
    zip.end();
    const Role = 'arn:aws:iam::000000000001:role/any';
    const Code = { ZipFile: await buffer(zip.outputStream) };
    await lambda.send(new CreateFunctionCommand({ FunctionName, Runtime, Role, Code, Handler: 'index.handler' }));
    await until(`${Runtime} functions run`, async () => {
      const { Payload, FunctionError } = await lambda.send(new InvokeCommand({ FunctionName }));
      const answer = Buffer.from(Payload).toString();
      if (FunctionError !== undefined) throw new Error(answer);
      return answer.includes('from ');
    });
    report('function-runner', `runs a function of ${Runtime}`);
  }
}

/** Retries what fails or says no; the last reason is told at the deadline. */
async function until(claim, holds) {
  const deadlineMs = performance.now() + DEADLINE_MS;
  let reason;
  while (performance.now() < deadlineMs) {
    try {
      if (await holds()) return;
    } catch (error) {
      reason = error;
    }
    await sleep(200);
  }
  throw new Error(`not so within ${DEADLINE_MS / 1000} s: ${claim}`, { cause: reason });
}

async function get(port, target, host = 'localhost') {
  const outgoing = request({ host: '127.0.0.1', port, path: target, headers: { host }, agent: false }).end();
  const [response] = await once(outgoing, 'response');
  return { status: response.statusCode, body: await text(response) };
}

function report(app, sentence) {
  console.log(`${app}: ${sentence}`);
}
