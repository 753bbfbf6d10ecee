import { startMaintenance } from '@gatehouse/control-metering';
import { InMemoryStore } from '@gatehouse/domain';
import { systemClock } from '@gatehouse/kernel';
import { openRedis } from '@gatehouse/store';
import { askRedis, startRedis, type TestRedis } from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readControlPlaneConfig } from './config.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis({ own: true });
}, 200_000);
afterAll(() => redis.stop());

const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const queueIn = (url: string) => ({ redis: { connect: () => openRedis(url, { deadlineMs: null }), prefix: '{gatehouse}' } });

test(
  'with REDIS_URL maintenance runs in Redis: one schedule per job for all workers, and each job does its work',
  { timeout: 60_000 },
  async () => {
    const store = new InMemoryStore();
    const clean = vi.spyOn(store.leases, 'clean');
    const workers = [];
    for (let count = 0; count < 2; count++)
      workers.push(await startMaintenance({ ...queueIn(redis.url), store, clock: systemClock, log: quiet }));
    const client = openRedis(redis.url, { deadlineMs: null });
    try {
      await workers[0]!.run('clean-leases');
      await vi.waitFor(() => expect(clean).toHaveBeenCalled(), { timeout: 15_000 });
      await vi.waitFor(async () => expect(await client.zcard('{gatehouse}:gatehouse-maintenance:repeat')).toBe(5), {
        timeout: 15_000,
      });
    } finally {
      client.disconnect();
      await Promise.all(workers.map((worker) => worker.close()));
    }
  },
);

test('a Redis that refuses writes at the start gets the schedules when it takes them', { timeout: 60_000 }, async () => {
  const full = await startRedis({ own: true });
  const port = Number(new URL(full.url).port);
  const refusals: unknown[] = [];
  await askRedis(port, 'CONFIG SET maxmemory 1');
  const maintenance = await startMaintenance({
    ...queueIn(full.url),
    store: new InMemoryStore(),
    clock: systemClock,
    log: { ...quiet, error: (_fields: unknown, message: string) => void refusals.push(message) },
  });
  try {
    await vi.waitFor(() => expect(refusals).toContain('maintenance could not be scheduled'), { timeout: 15_000 });
    await askRedis(port, 'CONFIG SET maxmemory 0');
    await vi.waitFor(async () => expect(await askRedis(port, 'ZCARD {gatehouse}:gatehouse-maintenance:repeat')).toBe(':5'), {
      timeout: 20_000,
    });
  } finally {
    await maintenance.close();
    await full.stop();
  }
});

test('a Redis that is away does not keep a control plane from starting, nor from ending', { timeout: 30_000 }, async () => {
  const maintenance = await startMaintenance({
    ...queueIn('redis://127.0.0.1:1'),
    store: new InMemoryStore(),
    clock: systemClock,
    log: quiet,
  });
  await maintenance.close();
});

test('a REDIS_URL that means nothing is refused at the start, by name and without its password', () => {
  const environment = { REDIS_URL: 'redis://me:hunter2@a,b' };
  expect(() => readControlPlaneConfig(environment)).toThrow(/REDIS_URL: several hosts need/);
  expect(() => readControlPlaneConfig(environment)).not.toThrow(/hunter2/);
});
