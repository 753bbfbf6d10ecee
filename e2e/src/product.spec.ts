import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { APIGatewayClient, GetRestApisCommand, GetUsageCommand } from '@aws-sdk/client-api-gateway';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { apiWithKey, redeploy } from './apis.js';
import { eventually, freePorts, Gatehouse, isAlive } from './gatehouse.js';
import { startParts } from './parts.js';
import { Traffic } from './traffic.js';

const USERS = '[{"id":1,"name":"John Doe"},{"id":2,"name":"Jane Smith"}]';
const run = promisify(execFile);

let gatehouse: Gatehouse;
beforeAll(async () => {
  gatehouse = await Gatehouse.prepare(inject('checkout'));
  await gatehouse.start();
});
afterAll(() => gatehouse.discard());

async function status(url: string): Promise<number> {
  return (await fetch(url)).status;
}
const demoUrl = (): string => gatehouse.env()['GATEHOUSE_DEMO_URL'] as string;

test('the curl line of the banner answers the users of the tutorial', async () => {
  const line = /^ +(curl \S+\/users)$/m.exec(gatehouse.output)?.[1] as string;
  const { stdout } = await run('bash', ['-c', `source ${gatehouse.home}/env && ${line} --silent --fail`]);
  expect(stdout).toBe(USERS);
});

test('the host form of the URL works as it does on AWS', async () => {
  const { GATEHOUSE_DEMO_API_ID: api } = gatehouse.env();
  const port = gatehouse.environment['GATEHOUSE_PORT'];
  const { stdout } = await run('curl', ['--silent', '--fail', `http://${api}.execute-api.localhost:${port}/dev/pets`]);
  expect(JSON.parse(stdout)).toHaveLength(2);
});

test('health and readiness tell the truth on both planes', async () => {
  for (const variable of ['GATEHOUSE_ADMIN_PORT', 'GATEHOUSE_NODE_ADMIN_PORT', 'GATEHOUSE_RUNNER_PORT'] as const) {
    expect(await status(`${gatehouse.url(variable)}/healthz`)).toBe(200);
    expect(await status(`${gatehouse.url(variable)}/readyz`)).toBe(200);
  }
});

test('secrets are readable by their owner alone', async () => {
  const { stdout } = await run('stat', ['-c', '%a', path.join(gatehouse.home, 'env'), path.join(gatehouse.home, 'secrets.json')]);
  expect(stdout).toBe('600\n600\n');
});

test('a taken port is an error that names the variable', async () => {
  const other = await Gatehouse.prepare(inject('checkout'));
  await expect(other.start({ GATEHOUSE_PORT: gatehouse.environment['GATEHOUSE_PORT'] as string })).rejects.toThrow(
    `Port ${gatehouse.environment['GATEHOUSE_PORT']} is in use. Set GATEHOUSE_PORT to another one.`,
  );
  await other.discard();
});

test('a second start on the same folder is refused and leaves the first one alone', async () => {
  const { stdout, stderr } = await run('npm', ['start'], {
    cwd: gatehouse.checkout,
    env: { ...process.env, NODE_OPTIONS: '', ...gatehouse.environment },
  }).then(
    () => ({ stdout: 'it started', stderr: '' }),
    (error: { stdout: string; stderr: string }) => error,
  );
  expect(stdout + stderr).toContain(`Gatehouse is already running here (process ${gatehouse.launcherPid()})`);
  expect(await (await fetch(`${demoUrl()}/users`)).text()).toBe(USERS);
  expect(await status(`${gatehouse.url('GATEHOUSE_ADMIN_PORT')}/readyz`)).toBe(200);
});

test('redeploying under load fails no request, and each answer belongs to one deployment', async () => {
  const api = await apiWithKey(gatehouse);
  const traffic = new Traffic(api.url, 8, (code, body) => code === 200 && /^\{"version":\d+\}$/.test(body), {
    'x-api-key': api.keyValue,
  });
  for (let version = 1; version <= 20; version++) {
    const deploymentId = await redeploy(gatehouse, api, version, { wait: true });
    expect(await (await fetch(api.url, { headers: { 'x-api-key': api.keyValue } })).json()).toEqual({ version });
    api.sent++;
    expect(deploymentId).toMatch(/^[a-z0-9]{6}$/);
  }
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(traffic.answered).toBeGreaterThan(20);
  api.sent += traffic.answered;
  await usageEquals(api.planId, api.keyId, api.sent);
});

test('verify-usage proves that the sums equal the access log, and finds the one line that is missing', async () => {
  const api = await apiWithKey(gatehouse);
  for (let i = 0; i < 20; i++) await fetch(api.url, { headers: { 'x-api-key': api.keyValue } });
  await usageEquals(api.planId, api.keyId, api.sent + 20);
  const day = new Date().toISOString().slice(0, 10);
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const log = path.join(gatehouse.home, 'logs', 'access.log');
  const verify = async (file: string) => {
    const args = [
      'run',
      '--silent',
      'admin',
      '--',
      'verify-usage',
      '--from',
      yesterday,
      '--to',
      day,
      '--json',
      '--access-log',
      file,
    ];
    const env = { ...process.env, NODE_OPTIONS: '', ...gatehouse.env() };
    const { stdout } = await run('npm', args, { cwd: gatehouse.checkout, env }).catch((error: { stdout: string }) => error);
    return JSON.parse(stdout) as unknown;
  };
  expect(await verify(log)).toMatchObject({ isEqual: true, differences: [], unreadable: [] });

  const lines = readFileSync(log, 'utf8').split('\n');
  lines.splice(
    lines.findLastIndex((line) => line.includes(`"usagePlanId":"${api.planId}"`)),
    1,
  );
  const shorter = path.join(gatehouse.home, 'shorter.log');
  writeFileSync(shorter, lines.join('\n'));
  expect(await verify(shorter)).toMatchObject({
    isEqual: false,
    differences: [{ usagePlanId: api.planId, apiKeyId: api.keyId, inLog: api.sent + 19, inSums: api.sent + 20 }],
  });
});

test('a control plane killed with kill -9 costs no request, comes back, and loses no usage', async () => {
  const api = await apiWithKey(gatehouse);
  const before = gatehouse.pid('control-plane');
  const traffic = new Traffic(api.url, 4, (code) => code === 200, { 'x-api-key': api.keyValue });
  const demo = new Traffic(`${demoUrl()}/users`, 1, (_, body) => body === USERS);
  process.kill(before, 'SIGKILL');
  await eventually(
    'the control plane is back',
    async () => (await fetch(`${gatehouse.url('GATEHOUSE_ADMIN_PORT')}/readyz`).catch(() => null))?.status === 200,
  );
  await Promise.all([traffic.stop(), demo.stop()]);
  expect(gatehouse.pid('control-plane')).not.toBe(before);
  expect([...traffic.failures, ...demo.failures]).toEqual([]);
  expect(demo.answered).toBeGreaterThan(0);
  await usageEquals(api.planId, api.keyId, api.sent + traffic.answered);
});

test('a node killed with kill -9 comes back from its disk and loses no usage', async () => {
  const api = await apiWithKey(gatehouse);
  let answered = 0;
  for (; answered < 50; answered++) expect((await fetch(api.url, { headers: { 'x-api-key': api.keyValue } })).status).toBe(200);
  process.kill(gatehouse.pid('data-plane'), 'SIGKILL');
  await eventually(
    'the node is back',
    async () => (await fetch(`${gatehouse.url('GATEHOUSE_NODE_ADMIN_PORT')}/readyz`).catch(() => null))?.status === 200,
  );
  expect((await fetch(api.url, { headers: { 'x-api-key': api.keyValue } })).status).toBe(200);
  await usageEquals(api.planId, api.keyId, api.sent + answered + 1);
});

test('everything stopped and started again is as it was', async () => {
  const api = await apiWithKey(gatehouse);
  for (let sent = 0; sent < 7; sent++) await fetch(api.url, { headers: { 'x-api-key': api.keyValue } });
  api.sent += 7;
  const before = await apiNames();
  const parts = (['control-plane', 'data-plane', 'function-runner'] as const).map((name) => gatehouse.pid(name));
  expect(await gatehouse.stop('SIGINT')).toBe(0);
  expect(parts.filter(isAlive)).toEqual([]);

  const startedMs = performance.now();
  await gatehouse.start();
  console.log(`second start: ${((performance.now() - startedMs) / 1000).toFixed(1)} s from "npm start" to the banner`);
  expect(await apiNames()).toEqual(before);
  expect(await (await fetch(`${demoUrl()}/users`)).text()).toBe(USERS);
  await usageEquals(api.planId, api.keyId, api.sent);
});

test('a launcher killed with kill -9 leaves nothing that breaks the next start', async () => {
  const before = await apiNames();
  await gatehouse.kill();
  await gatehouse.start();
  expect(await apiNames()).toEqual(before);
  expect(await (await fetch(`${demoUrl()}/users`)).text()).toBe(USERS);
});

test('node and function runner serve alone, without control plane and database', async () => {
  const url = new URL(demoUrl());
  await gatehouse.stop();
  const [dead] = await freePorts(1);
  const parts = await startParts(gatehouse, ['data-plane', 'function-runner'], {
    GATEHOUSE_CONTROL_ADDRESS: `127.0.0.1:${dead}`,
  });
  try {
    expect(await (await fetch(`${url}/users`)).text()).toBe(USERS);
  } finally {
    await parts.stop();
  }
  await gatehouse.start();
});

test('the access log has one JSON line per request', async () => {
  const file = path.join(gatehouse.home, 'logs/access.log');
  const mark = `agent-${Date.now()}`;
  for (let sent = 0; sent < 5; sent++) await fetch(`${demoUrl()}/users`, { headers: { 'user-agent': mark } });
  const lines = (): string[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes(mark));
  await eventually('the lines are written', () => lines().length >= 5);
  expect(lines()).toHaveLength(5);
  expect(JSON.parse(lines()[0] as string)).toMatchObject({ status: 200, stage: 'dev', resource: '/users', httpMethod: 'GET' });
});

async function apiNames(): Promise<string[]> {
  const { items } = await new APIGatewayClient(gatehouse.sdk()).send(new GetRestApisCommand({ limit: 500 }));
  return (items ?? []).map(({ id, name }) => `${id} ${name}`).sort();
}

/** GetUsage of today shows exactly `expected` requests once the nodes have reported. */
async function usageEquals(usagePlanId: string, keyId: string, expected: number): Promise<void> {
  const client = new APIGatewayClient(gatehouse.sdk());
  const startDate = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const endDate = new Date().toISOString().slice(0, 10);
  let used = -1;
  await eventually(
    `usage ${expected}`,
    async () => {
      const { items } = await client.send(new GetUsageCommand({ usagePlanId, keyId, startDate, endDate }));
      used = (items?.[keyId] ?? []).reduce((sum, day) => sum + (day[0] ?? 0), 0);
      return used >= expected;
    },
    15_000,
  ).catch(() => undefined);
  expect(used).toBe(expected);
}
