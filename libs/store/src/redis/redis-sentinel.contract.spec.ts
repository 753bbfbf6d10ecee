/** The lease book through Sentinels, with real ones. What a failover may forget is in docs/limits.md. */
import { leaseBookContract } from '@gatehouse/domain/lease-book-contract';
import { askRedis, startRedisSentinels, untilReplicated, type TestRedisSentinels } from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { RedisLeaseBook } from './redis-lease-book.js';

const FAILOVER = { timeout: 40_000, interval: 50 };
const page = { usagePlanId: 'p', apiKeyId: 'k', periodStart: '2026-01-05' };
const claim = { nodeId: 'a', epoch: 1, held: 5, counted: 0, reported: 0, isFinal: false, generation: 0 };

async function openBook(url: string, onLost = () => {}): Promise<RedisLeaseBook> {
  const book = new RedisLeaseBook(url, { onLost });
  await vi.waitFor(() => book.ping(), FAILOVER);
  return book;
}

describe('without a fault', () => {
  let group: TestRedisSentinels;
  beforeAll(async () => {
    group = await startRedisSentinels();
  }, 200_000);
  afterAll(() => group?.stop());
  const open = () => openBook(group.url);
  leaseBookContract('RedisLeaseBook through Sentinels', open, open);
});

for (const how of ['killed', 'silent'] as const) {
  // Sentinels take their time: both at once.
  test.concurrent(
    `the primary is ${how}: the book is lost at once and goes on with the replica, which knows what it was sent`,
    { timeout: 120_000 },
    async ({ expect }) => {
      const group = await startRedisSentinels();
      const [primary, replica] = group.servers as [(typeof group.servers)[0], (typeof group.servers)[0]];
      let lostCount = 0;
      const book = await openBook(group.url, () => lostCount++);
      const note = () => book.noteQuota(page, claim, Date.now() + 3_600_000);
      try {
        const { bornAtMs } = await book.noteQuota(page, { ...claim, nodeId: 'b' }, Date.now() + 3_600_000);
        await untilReplicated(primary);
        expect(lostCount).toBe(0);
        if (how === 'killed') {
          await primary.kill();
          await expect.poll(() => lostCount).toBeGreaterThan(0);
        } else primary.pause();
        await expect(note(), 'not after the failover').rejects.toThrow();

        await expect
          .poll(() => note().then(({ lines }) => lines.map(({ nodeId }) => nodeId).sort(), String), FAILOVER)
          .toEqual(['a', 'b']);
        expect(await askRedis(replica.port, 'INFO replication')).toContain('role:master');
        expect((await note()).bornAtMs, 'the same memory').toBe(bornAtMs);
        expect(lostCount).toBeGreaterThan(0);

        if (how === 'killed') return;
        // Whoever was primary is a replica from now on: nobody is led there.
        primary.resume();
        await expect.poll(() => askRedis(primary.port, 'INFO replication'), FAILOVER).toContain('role:slave');
        await expect.poll(() => note().then(() => 'noted', String), FAILOVER).toBe('noted');
        const later = await openBook(group.url);
        expect((await later.noteQuota(page, claim, Date.now() + 3_600_000)).lines).toHaveLength(2);
        await later.close();
      } finally {
        await book.close();
        await group.stop();
      }
    },
  );
}

test.concurrent('one Sentinel that hangs keeps nobody from the primary', { timeout: 60_000 }, async () => {
  const group = await startRedisSentinels();
  group.sentinels[0]!.pause();
  try {
    const book = await openBook(group.url);
    await book.close();
  } finally {
    await group.stop();
  }
});
