/** BullMQ on real Sentinels and on a real Cluster; redis-queue.spec.ts is one server. */
import { MAINTENANCE_QUEUE, startMaintenance, type Maintenance } from '@gatehouse/control-metering';
import { InMemoryStore } from '@gatehouse/domain';
import { systemClock } from '@gatehouse/kernel';
import { openRedis } from '@gatehouse/store';
import { askRedis, startRedisCluster, startRedisSentinels, untilReplicated, type RedisProcess } from '@gatehouse/testkit';
import { test } from 'vitest';

const FAILOVER = { timeout: 60_000, interval: 50 };
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const PREFIX = '{gatehouse}';
const SCHEDULES = `${PREFIX}:${MAINTENANCE_QUEUE}:repeat`;

/** Who answers for the queue, so that the right one can be killed. */
async function serverOfQueue(servers: readonly RedisProcess[]): Promise<RedisProcess> {
  for (const server of servers) {
    const answer = await askRedis(server.port, `EXISTS ${SCHEDULES}`);
    if (answer === ':1' && (await askRedis(server.port, 'INFO replication')).includes('role:master')) return server;
  }
  throw new Error('nobody has the queue');
}

/** `ran` gets the id of every job that is done. */
const startWorker = (url: string, ran: string[] = []) =>
  startMaintenance({
    redis: { connect: () => openRedis(url, { deadlineMs: null }), prefix: PREFIX },
    store: new InMemoryStore(),
    clock: systemClock,
    log: quiet,
    onJob: ({ id, done }) => void (done !== null && ran.push(id)),
  });

function openClient(url: string) {
  const client = openRedis(url, { deadlineMs: null });
  client.on('error', () => {});
  return client;
}

for (const [place, start] of [
  ['through Sentinels', startRedisSentinels],
  ['in a Cluster', startRedisCluster],
] as const) {
  for (const how of ['killed', 'silent'] as const) {
    test.concurrent(
      `the queue ${place}: one schedule and one run per job for two workers, and both go on when its server is ${how}`,
      { timeout: 240_000 },
      async ({ expect }) => {
        const group = await start();
        const ran: string[] = [];
        const workers: Maintenance[] = [];
        const client = openClient(group.url);
        // Those of schedules have names.
        const byHandCount = () => ran.filter((id) => /^\d+$/.test(id)).length;
        try {
          for (let count = 0; count < 2; count++) workers.push(await startWorker(group.url, ran));
          await Promise.all(Array.from({ length: 10 }, (_, i) => workers[i % 2]!.run('clean-leases')));
          await expect.poll(byHandCount, FAILOVER).toBe(10);
          await expect.poll(() => client.zcard(SCHEDULES), FAILOVER).toBe(5);
          expect(ran.length, 'each job once').toBe(new Set(ran).size);

          const server = await serverOfQueue(group.servers);
          await untilReplicated(server);
          if (how === 'killed') await server.kill();
          else server.pause();
          await Promise.all(workers.map((worker) => worker.run('clean-leases')));
          await expect.poll(byHandCount, FAILOVER).toBeGreaterThanOrEqual(12);
          expect(await client.zcard(SCHEDULES)).toBe(5);
        } finally {
          client.disconnect();
          await Promise.all(workers.map((worker) => worker.close()));
          await group.stop();
        }
      },
    );
  }

  test.concurrent(`the queue ${place} begins when there is one`, { timeout: 120_000 }, async ({ expect }) => {
    const group = await start();
    await Promise.all(group.processes.map((server) => server.kill()));
    const worker = await startWorker(group.url);
    const client = openClient(group.url);
    try {
      await Promise.all(group.processes.map((server) => server.restart()));
      await expect.poll(() => client.zcard(SCHEDULES), FAILOVER).toBe(5);
    } finally {
      client.disconnect();
      await worker.close();
      await group.stop();
    }
  });
}
