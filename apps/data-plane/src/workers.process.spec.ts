// A node with workers, as processes: each answers on the one port, and one that is killed is replaced while the others serve.
import { callOnce, stageSnapshot } from '@gatehouse/testkit';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NodeProcess } from './testing/node-process.js';

const HOST = 'abc123defg.execute-api.localhost';
let node: NodeProcess;

beforeAll(async () => {
  node = await NodeProcess.start({ stages: [stageSnapshot()], environment: { GATEHOUSE_WORKERS: '2' } });
});
afterAll(() => node.stop());

const workers = (): number[] =>
  readFileSync(`/proc/${node.pid}/task/${node.pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);

const status = async (): Promise<number> => (await callOnce(node.port, { path: '/dev', host: HOST })).status;

test('a killed worker is replaced, and callers are answered before and after', { timeout: 40_000 }, async () => {
  await expect.poll(() => workers().length, { timeout: 10_000 }).toBe(2);
  for (let i = 0; i < 20; i++) expect(await status()).toBe(200);
  const [killed, other] = workers() as [number, number];
  process.kill(killed, 'SIGKILL');
  await expect.poll(() => status().catch(() => 0)).toBe(200); // what waited at the killed one's port is gone with it
  await expect.poll(() => workers().filter((pid) => pid !== killed).length, { timeout: 10_000 }).toBe(2);
  expect(workers()).toContain(other);
  await expect
    .poll(async () => (await callOnce(node.adminPort, { path: '/metrics' })).text, { timeout: 10_000 })
    .toMatch(/gatehouse_node_worker_restarts_total 1/);
  for (let i = 0; i < 20; i++) expect(await status()).toBe(200);
  expect(node.hasEnded).toBe(false);
});
