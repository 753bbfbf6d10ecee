/** The lease book in a real Cluster: three servers share the slots, the second has a replica. */
import { leaseBookContract } from '@gatehouse/domain/lease-book-contract';
import { askRedis, startRedisCluster, untilReplicated, type TestRedisCluster } from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openRedis, type RedisClient } from './redis-client.js';
import { RedisLeaseBook } from './redis-lease-book.js';

const FAILOVER = { timeout: 40_000, interval: 50 };
const claim = { nodeId: 'a', epoch: 1, held: 5, counted: 0, reported: 0, isFinal: false, generation: 0 };

let cluster: TestRedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
}, 200_000);
afterAll(() => cluster?.stop());

async function openBook(onLost = () => {}): Promise<RedisLeaseBook> {
  const book = new RedisLeaseBook(cluster.url, { onLost });
  await vi.waitFor(() => book.ping(), FAILOVER);
  return book;
}

leaseBookContract(
  'RedisLeaseBook in a Cluster',
  () => openBook(),
  () => openBook(),
);

/** So many that every server has some. */
const pages = Array.from({ length: 40 }, (_, i) => ({ usagePlanId: `plan${i}`, apiKeyId: 'k', periodStart: '2026-01-05' }));
const noteAll = (book: RedisLeaseBook, nodeId: string) =>
  Promise.all(pages.map((page) => book.noteQuota(page, { ...claim, nodeId }, Date.now() + 3_600_000)));

test('names with braces, and pages of every server, do not mix up slots', async () => {
  const book = await openBook();
  const name = () => `${Math.random()}`;
  for (const text of ['}', '{', '{}', '{a}{b}', '', '\u{1F600}']) {
    const page = { usagePlanId: text, apiKeyId: name(), periodStart: '{2}' };
    const { version } = await book.noteQuota(page, claim, Date.now() + 3_600_000);
    expect(await book.raiseQuota(page, version, { nodeId: 'a', epoch: 1, allowed: 9 }, [])).toBe(true);
    expect(await book.shareRates('a', [{ bucket: text + name(), demand: 1 }])).toEqual([1]);
    expect(await book.takeTokens([{ bucket: text + name(), ratePerSecond: 0, burst: 1, wanted: 1 }])).toEqual([0]);
  }
  for (const { port } of cluster.servers) expect(Number((await askRedis(port, 'DBSIZE')).slice(1))).toBeGreaterThan(0);
  await book.close();
});

/** Which of the pair serves is what the last test left. */
for (const [how, from] of [
  ['silent', 1],
  ['killed', 3],
] as const) {
  test(
    `a server is ${how}: the book is lost at once and goes on with its replica, which knows what it was sent`,
    { timeout: 120_000 },
    async () => {
      let lostCount = 0;
      const book = await openBook(() => lostCount++);
      const master = cluster.servers[from]!;
      try {
        const before = await noteAll(book, `before-${how}`);
        await untilReplicated(master);
        // A pair that has just changed places may still close connections: what counts is what the kill does.
        const lostBefore = lostCount;
        if (how === 'killed') {
          await master.kill();
          await expect.poll(() => lostCount).toBeGreaterThan(lostBefore);
        } else master.pause();
        await expect(book.ping(), 'not after the failover').rejects.toThrow();

        await expect.poll(() => book.ping().then(() => 'answers', String), FAILOVER).toBe('answers');
        const after = await noteAll(book, `after-${how}`);
        expect(
          after.map(({ bornAtMs }) => bornAtMs),
          'the same memory',
        ).toEqual(before.map(({ bornAtMs }) => bornAtMs));
        for (const { lines } of after)
          expect(lines.map(({ nodeId }) => nodeId)).toEqual(expect.arrayContaining([`before-${how}`, `after-${how}`]));
        if (how === 'killed') await master.restart();
        else master.resume();
        await expect
          .poll(() => askRedis(master.port, 'INFO replication'), FAILOVER)
          .toMatch(/role:slave[^]*master_link_status:up/);
        await expect.poll(() => noteAll(book, 'later').then(() => 'noted', String), FAILOVER).toBe('noted');
      } finally {
        await book.close();
      }
    },
  );
}

test('a server that comes back empty is known to be younger, and only it is', { timeout: 120_000 }, async () => {
  let lostCount = 0;
  const book = await openBook(() => lostCount++);
  try {
    const before = await noteAll(book, 'before');
    await cluster.servers[0]!.kill();
    await expect.poll(() => lostCount, { message: 'nodes must tell their leases anew' }).toBeGreaterThan(0);
    await expect(book.ping(), 'a Cluster is lost as a whole').rejects.toThrow();
    await cluster.servers[0]!.restart();
    await expect.poll(() => book.ping().then(() => 'answers', String), FAILOVER).toBe('answers');
    const after = await noteAll(book, 'after');
    const isForgotten = after.map(({ lines }) => !lines.some(({ nodeId }) => nodeId === 'before'));
    expect(after.map(({ bornAtMs }, i) => bornAtMs > before[i]!.bornAtMs)).toEqual(isForgotten);
    expect(new Set(isForgotten)).toEqual(new Set([true, false]));
  } finally {
    await book.close();
  }
});

test(
  'a slot that moves takes its pages along, and whoever knows the old place is led to the new one',
  { timeout: 60_000 },
  async () => {
    const book = await openBook();
    const [page] = pages as [(typeof pages)[0]];
    const note = (nodeId: string) => book.noteQuota(page, { ...claim, nodeId }, Date.now() + 3_600_000);
    const { bornAtMs } = await note('before');
    const { tag, from } = await placeOf(`quota:${page.usagePlanId}/${page.apiKeyId}/${page.periodStart}`);
    const to = [cluster.servers[0]!, cluster.servers[2]!].find(({ port }) => port !== from)!.port;
    const [source, target] = [from, to].map((port) => openRedis(`redis://127.0.0.1:${port}`, { deadlineMs: null })) as [
      RedisClient,
      RedisClient,
    ];
    try {
      const slot = await source.call('CLUSTER', 'KEYSLOT', tag);
      const [fromId, toId] = [await source.call('CLUSTER', 'MYID'), await target.call('CLUSTER', 'MYID')] as [string, string];
      await target.call('CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', fromId);
      await source.call('CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', toId);
      await note('at the old place');
      const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '1000')) as string[];
      expect(keys).toContain(`gatehouse:${tag}:born`);
      await source.call('MIGRATE', '127.0.0.1', `${to}`, '', '0', '5000', 'KEYS', ...keys);
      await note('on the way');
      for (const server of [target, source]) await server.call('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', toId);
      const { lines, bornAtMs: stillBornAtMs } = await note('at the new place');
      expect(lines.map(({ nodeId }) => nodeId)).toEqual(
        expect.arrayContaining(['before', 'at the old place', 'on the way', 'at the new place']),
      );
      expect(stillBornAtMs, 'the same memory').toBe(bornAtMs);
    } finally {
      source.disconnect();
      target.disconnect();
      await book.close();
    }
  },
);

/** Where a key lies whose partition nobody tells. */
async function placeOf(name: string): Promise<{ readonly tag: string; readonly from: number }> {
  for (const { port } of cluster.servers)
    for (let partition = 0; partition < 64; partition++)
      if ((await askRedis(port, `EXISTS gatehouse:{${partition}}:${name}`)) === ':1')
        return { tag: `{${partition}}`, from: port };
  throw new Error(`nobody has ${name}`);
}

test('a Cluster that was away as a whole is found again', { timeout: 120_000 }, async () => {
  let lostCount = 0;
  const book = await openBook(() => lostCount++);
  try {
    await Promise.all(cluster.servers.map((server) => server.kill()));
    await expect.poll(() => lostCount).toBeGreaterThan(0);
    await expect(book.ping()).rejects.toThrow();
    await Promise.all(cluster.servers.map((server) => server.restart()));
    await expect.poll(() => noteAll(book, 'a').then(() => 'noted', String), FAILOVER).toBe('noted');
  } finally {
    await book.close();
  }
});
