import { InMemoryStore } from '@gatehouse/domain';
import { systemClock } from '@gatehouse/kernel';
import { startPostgres, type TestPostgres } from '@gatehouse/testkit';
import { createPostgresBackend, Queue } from 'bullmq';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MAINTENANCE_QUEUE, startMaintenance, type FinishedJob, type Maintenance } from './maintenance.js';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

const quiet = { info: () => {}, warn: () => {}, error: () => {} };

/** A store that counts what it is asked to do. */
function countingStore() {
  const calls = { rollUp: 0, clean: 0, forget: 0 };
  const store = new InMemoryStore();
  const rollUp = store.metering.rollUp.bind(store.metering);
  store.metering.rollUp = async (...given) => (calls.rollUp++, rollUp(...given));
  const clean = store.manifest.clean.bind(store.manifest);
  store.manifest.clean = async (...given) => (calls.clean++, clean(...given));
  const forget = store.nodes.forget.bind(store.nodes);
  store.nodes.forget = async (...given) => (calls.forget++, forget(...given));
  return { store, calls };
}

test('on PostgreSQL alone: several workers share one schedule per job, and each job does its work', async () => {
  const databaseUrl = await postgres.createDatabase();
  const { store, calls } = countingStore();
  const workers: Maintenance[] = [];
  for (let count = 0; count < 2; count++)
    workers.push(await startMaintenance({ databaseUrl, store, clock: systemClock, log: quiet }));
  const queue = new Queue(
    MAINTENANCE_QUEUE,
    { connection: { connectionString: databaseUrl, schema: 'bullmq' } },
    createPostgresBackend,
  );
  try {
    const schedulers = await queue.getJobSchedulers();
    expect(schedulers.map(({ key }) => key).sort()).toEqual([
      'clean-leases',
      'clean-manifest',
      'forget-nodes',
      'refresh-access-keys',
      'roll-up-metrics',
    ]);
    for (const name of ['roll-up-metrics', 'clean-manifest', 'forget-nodes'] as const) {
      await workers[0]!.run(name);
      await workers[1]!.run(name);
    }
    await vi.waitFor(() => expect(Math.min(...Object.values(calls))).toBeGreaterThanOrEqual(2), { timeout: 15_000 });
  } finally {
    await queue.close();
    await Promise.all(workers.map((worker) => worker.close()));
  }
});

test('a database that is not there is an error at the start, not a silent worker', async () => {
  const started = startMaintenance({
    databaseUrl: 'postgres://nobody:nothing@127.0.0.1:1/none',
    store: new InMemoryStore(),
    clock: systemClock,
    log: quiet,
  });
  await expect(started).rejects.toThrow();
});

test('whoever asks is told of every run: what it did, or that it failed', async () => {
  const databaseUrl = await postgres.createDatabase();
  const { store } = countingStore();
  store.nodes.forget = () => Promise.reject(new Error('away'));
  const jobs: FinishedJob[] = [];
  const maintenance = await startMaintenance({
    databaseUrl,
    store,
    clock: systemClock,
    log: quiet,
    onJob: (job) => jobs.push(job),
  });
  try {
    await maintenance.run('roll-up-metrics');
    await maintenance.run('forget-nodes');
    const of = (name: string) => jobs.find((job) => job.name === name);
    await vi.waitFor(() => expect([of('roll-up-metrics'), of('forget-nodes')]).not.toContain(undefined), { timeout: 15_000 });
    expect(of('roll-up-metrics')).toMatchObject({ id: expect.any(String), done: { hours: 0, days: 0, dropped: 0 } });
    expect(of('forget-nodes')!.done).toBeNull();
    for (const { startMs, endMs } of jobs) expect(endMs).toBeGreaterThanOrEqual(startMs);
  } finally {
    await maintenance.close();
  }
});
