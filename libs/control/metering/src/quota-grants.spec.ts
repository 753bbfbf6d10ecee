import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { QuotaRequestSchema } from '@gatehouse/contracts';
import { InMemoryLeaseBook, InMemoryStore, tenantId, type NodeReport, type TextMap } from '@gatehouse/domain';
import { ManualClock } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test } from 'vitest';
import { QuotaGrants } from './quota-grants.js';

const TENANT = tenantId('111122223333');
const DAY = '2026-01-05';
const NINE_MS = Date.parse(`${DAY}T09:00:00Z`);
const A = { nodeId: 'a', epoch: NINE_MS };
const B = { nodeId: 'b', epoch: NINE_MS };
const STRICT = { 'gatehouse:limit-mode': 'strict' };

let store: InMemoryStore;
let clock: ManualClock;
/** Two control planes on one store and one book. */
let grants: QuotaGrants;
let others: QuotaGrants;
beforeEach(() => {
  clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  store = new InMemoryStore(clock); // the book is older than the period
  clock.advance(NINE_MS - clock.nowMs());
  grants = newGrants();
  others = newGrants();
});

const newGrants = (book = store.leases) =>
  new QuotaGrants({
    metering: store.metering,
    nodes: store.nodes,
    books: { fast: book, strict: book },
    clock,
    releaseMs: 60_000,
  });
const ask = (node: typeof A, fields: Omit<MessageInitShape<typeof QuotaRequestSchema>, '$typeName'>, asked = grants) =>
  asked.answer(node, create(QuotaRequestSchema, { usagePlanId: 'plan', apiKeyId: 'key', periodStart: DAY, ...fields }));
const plan = (limit: number, { offset = 0, tags = {} }: { offset?: number; tags?: TextMap } = {}) =>
  store.tenants.transact(TENANT, (tx) =>
    tx.usagePlans.insert({
      id: 'plan',
      name: 'plan',
      description: null,
      apiStages: [],
      throttle: null,
      quota: { limit, offset, period: 'DAY' },
      productCode: null,
      createdAtMs: 0,
      tags,
    }),
  );
const join = ({ nodeId, epoch }: typeof A) =>
  store.nodes.connected({
    nodeId,
    role: 'DATA_PLANE',
    epoch,
    softwareVersion: '',
    labels: {},
    adminUrl: null,
    connected: true,
    lastSeenAtMs: clock.nowMs(),
    ackedRevision: 0,
    ackedAtMs: null,
    protocol: 1,
    snapshotFormats: [1],
    turnedAway: null,
  });
const report = (node: typeof A, sequence: number, count: number, day = DAY) => {
  const usage = [{ tenant: TENANT, usagePlanId: 'plan', apiKeyId: 'key', day, count }];
  return store.metering.apply({ ...node, sequence, usage, metrics: [] } satisfies NodeReport);
};
/** What a node ends up with when it asks as often as it likes. */
async function all(node: typeof A, asked = grants): Promise<number> {
  let allowed = 0n;
  for (let round = 0; round < 40; round++) allowed = (await ask(node, { wanted: 1_000n, counted: allowed }, asked))!.allowedTotal;
  return Number(allowed);
}

for (const [mode, tags] of [
  ['fast', {}],
  ['strict', STRICT],
] as const) {
  describe(`a ${mode} plan`, () => {
    test('nodes get fair shares of what is free, and nothing is granted twice, whichever control plane they ask', async () => {
      await plan(100, { tags });
      await join(A);
      await join(B);
      expect(await ask(A, { wanted: 100n })).toMatchObject({ allowedTotal: 25n, exhausted: false });
      expect(await ask(B, { wanted: 100n }, others)).toMatchObject({ allowedTotal: 19n });
      const totals = await Promise.all([all(A), all(B, others)]);
      expect(totals[0] + totals[1]).toBe(100);
    });

    test('a control plane that restarts grants nothing that was granted before', async () => {
      await plan(100, { tags });
      const held = await ask(A, { wanted: 60n });
      expect(await all(B, newGrants())).toBe(100 - Number(held!.allowedTotal));
    });

    test('what is in the sums is not counted again, and what is on its way is counted once at least', async () => {
      await plan(100, { tags });
      await ask(A, { wanted: 1n, held: 40n, counted: 30n });
      await report(A, 1, 30);
      expect(await all(B), 'in the sums and on its way').toBe(30);
      await ask(A, { wanted: 0n, held: 40n, counted: 30n, reported: 30n });
      expect(await all(B)).toBe(60);
    });

    test('an epoch that ended gives back what it did not use', async () => {
      await plan(100, { tags });
      await report(A, 1, 10);
      await ask(A, { held: 70n, counted: 10n, reported: 10n, final: true });
      expect(await all(B, others)).toBe(90);
    });

    test('a lease that is given back is free, and no answer to an older question is a lease', async () => {
      await plan(100, { tags });
      await ask(A, { wanted: 100n, held: 70n });
      await ask(A, { wanted: 0n, held: 0n, generation: 1n });
      expect(await all(B)).toBe(100);
      expect(await ask(A, { wanted: 10n, held: 70n })).toMatchObject({ allowedTotal: 0n, generation: 0n });
    });

    test('what a dead epoch held is free once the next one says that all its batches are in', async () => {
      await plan(100, { tags });
      await ask(A, { held: 70n, counted: 10n });
      await report(A, 1, 10);
      const next = { nodeId: 'a', epoch: A.epoch + 5_000 };
      clock.advance(5_000);
      await join(next);
      expect(await all(next)).toBe(20);
      await store.leases.noteDrained(next.nodeId, next.epoch);
      clock.advance(1_000);
      expect(await all(next)).toBe(90);
    });
  });
}

test('a silent epoch of a strict plan keeps its lease: it may have counted what nobody knows yet', async () => {
  await plan(100, { tags: STRICT });
  await ask(A, { held: 70n, counted: 10n });
  clock.advance(3_600_000);
  expect(await all(B)).toBe(30);
});

test('a silent epoch of a fast plan holds nothing any more after a while, unless it is connected', async () => {
  await plan(100);
  await join(A);
  await ask(A, { held: 70n, counted: 10n });
  await report(A, 1, 10);
  clock.advance(61_000);
  await store.nodes.heard([{ ...A, revision: null, atMs: clock.nowMs() }]);
  expect(await all(B)).toBe(20);
  await store.nodes.disconnected(A.nodeId, A.epoch, clock.nowMs());
  clock.advance(59_000);
  expect(await all(B)).toBe(20);
  clock.advance(2_000);
  expect(await all(B)).toBe(90);
});

test('a book that is younger than the period grants nothing while nodes repeat what they hold', async () => {
  await plan(100);
  const reborn = newGrants(new InMemoryLeaseBook(clock));
  expect(await ask(B, { wanted: 50n }, reborn)).toMatchObject({ allowedTotal: 0n, exhausted: false });
  await ask(A, { wanted: 0n, held: 60n, counted: 20n }, reborn);
  clock.advance(3_000);
  expect(await all(B, reborn)).toBe(40);
});

test('a quota that is used up is called exhausted, and no longer when it is extended', async () => {
  await plan(10);
  expect(await ask(A, { wanted: 10n, counted: 1n })).toMatchObject({ allowedTotal: 10n, exhausted: false });
  expect(await ask(A, { wanted: 10n, counted: 10n }), 'counted, not reported yet').toMatchObject({ exhausted: true });
  await report(A, 1, 10);
  const asked = { wanted: 10n, counted: 10n, held: 10n, reported: 10n };
  expect(await ask(A, asked)).toMatchObject({ allowedTotal: 10n, exhausted: true });
  await store.tenants.transact(TENANT, (tx) =>
    tx.usage.extend({ usagePlanId: 'plan', apiKeyId: 'key', periodStart: DAY, extra: 5 }),
  );
  expect(await ask(A, asked)).toMatchObject({ allowedTotal: 15n, exhausted: false });
});

test('the offset counts in the first period in which the key was used, and in no later one', async () => {
  await plan(10, { offset: 4 });
  expect((await ask(A, { wanted: 10n }))!.allowedTotal).toBe(6n);
  await report(A, 1, 6);
  clock.advance(86_400_000);
  expect((await ask(A, { wanted: 10n, periodStart: '2026-01-06' }))!.allowedTotal).toBe(10n);
});

for (const [why, fields] of [
  ['a plan nobody knows', { usagePlanId: 'other' }],
  ['a day that is none', { periodStart: '2026-02-30' }],
  ['a period far ahead', { periodStart: '2027-01-01' }],
] as const) {
  test(`no answer for ${why}`, async () => {
    await plan(10);
    expect(await ask(A, { wanted: 1n, ...fields })).toBeNull();
  });
}

test('periods have pages of their own', async () => {
  await plan(10);
  expect((await ask(A, { wanted: 10n }))!.allowedTotal).toBe(10n);
  expect((await ask(A, { wanted: 10n, periodStart: '2026-01-04' }))!.allowedTotal).toBe(10n);
});

test('a lost book is an error for whoever asks, and its answers go on when it is back', async () => {
  await plan(10);
  store.leases.isLost = true;
  await expect(ask(A, { wanted: 10n })).rejects.toThrow('does not answer');
  store.leases.isLost = false;
  expect((await ask(A, { wanted: 10n }))!.allowedTotal).toBe(10n);
});
