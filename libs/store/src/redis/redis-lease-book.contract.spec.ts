import { setImmediate } from 'node:timers/promises';
import { leaseBookContract } from '@gatehouse/domain/lease-book-contract';
import { startRedis, type TestRedis } from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RedisLeaseBook } from './redis-lease-book.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
}, 200_000);
afterAll(() => redis.stop());

async function openBook(): Promise<RedisLeaseBook> {
  const book = new RedisLeaseBook(redis.url);
  while (
    !(await book.ping().then(
      () => true,
      () => false,
    ))
  )
    await setImmediate(); // connects in the background
  return book;
}

leaseBookContract('RedisLeaseBook', openBook, openBook);

test(
  'a Redis that comes back empty is known to be younger, and gives no tokens for the time before',
  { timeout: 30_000 },
  async () => {
    const own = await startRedis({ own: true });
    let lostCount = 0;
    const book = new RedisLeaseBook(own.url, { onLost: () => lostCount++ });
    try {
      const page = { usagePlanId: 'p', apiKeyId: 'k', periodStart: '2026-01-05' };
      const claim = { nodeId: 'a', epoch: 1, held: 5, counted: 0, reported: 0, isFinal: false, generation: 0 };
      const note = () => book.noteQuota(page, claim, Date.now() + 3_600_000);
      await expect.poll(() => note().then(({ lines }) => lines.length, String)).toBe(1);
      const before = await note();
      await own.kill();
      await expect.poll(() => lostCount).toBeGreaterThan(0);
      await expect(note(), 'at once, not after a wait for the connection').rejects.toThrow();
      await own.restart();
      await expect.poll(() => note().then(({ bornAtMs }) => bornAtMs > before.bornAtMs, String), { timeout: 10_000 }).toBe(true);
      expect(await book.takeTokens([{ bucket: 'b', ratePerSecond: 0.001, burst: 1_000, wanted: 1_000 }])).toEqual([0]);
    } finally {
      await book.close();
      await own.stop();
    }
  },
);
