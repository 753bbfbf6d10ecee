import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { QuotaRequestSchema } from '@gatehouse/contracts';
import { InMemoryStore, tenantId, type NodeReport } from '@gatehouse/domain';
import { ManualClock } from '@gatehouse/kernel';
import { beforeEach, expect, test } from 'vitest';
import { QuotaGrants } from './quota-grants.js';

const TENANT = tenantId('111122223333');
const DAY = '2026-01-05';
const A = { nodeId: 'a', epoch: 1 };
const B = { nodeId: 'b', epoch: 1 };

let store: InMemoryStore;
let clock: ManualClock;
let grants: QuotaGrants;
beforeEach(() => {
  store = new InMemoryStore();
  clock = new ManualClock(Date.parse(`${DAY}T09:00:00Z`));
  grants = newGrants();
  grants.expect([]);
});

const newGrants = () => new QuotaGrants({ metering: store.metering, clock, settleMs: 3_600_000, releaseMs: 60_000 });
const ask = (node: typeof A, fields: Omit<MessageInitShape<typeof QuotaRequestSchema>, '$typeName'>, book = grants) =>
  book.answer(node, create(QuotaRequestSchema, { usagePlanId: 'plan', apiKeyId: 'key', periodStart: DAY, ...fields }));
const plan = (limit: number, offset = 0) =>
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
      tags: {},
    }),
  );
const report = (node: typeof A, sequence: number, count: number, day = DAY): Promise<void> => {
  const batch: NodeReport = {
    ...node,
    sequence,
    usage: [{ tenant: TENANT, usagePlanId: 'plan', apiKeyId: 'key', day, count }],
    metrics: [],
  };
  return grants.whileApplying(batch, () => store.metering.apply(batch));
};

test('nodes get fair shares of what is free, and nothing is granted twice', async () => {
  await plan(100);
  grants.joined(A);
  grants.joined(B);
  expect(await ask(A, { wanted: 100n, counted: 0n })).toMatchObject({ allowedTotal: 25n, exhausted: false });
  expect(await ask(B, { wanted: 100n, counted: 0n })).toMatchObject({ allowedTotal: 19n });
  let total = 0n;
  for (let round = 0; round < 20; round++) {
    const a = await ask(A, { wanted: 100n, counted: 0n });
    const b = await ask(B, { wanted: 100n, counted: 0n });
    total = a!.allowedTotal + b!.allowedTotal;
  }
  expect(total).toBe(100n);
});

test('after a restart nobody gets an answer until the nodes that were connected have said what they hold', async () => {
  await plan(100);
  grants.joined(A);
  const held = (await ask(A, { wanted: 60n, counted: 0n }))!.allowedTotal;
  const restarted = newGrants();
  restarted.expect(['a']);
  restarted.joined(B);
  const answers: bigint[] = [];
  const waiting = ask(B, { wanted: 100n, counted: 0n }, restarted).then((grant) => answers.push(grant!.allowedTotal));
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(answers).toEqual([]);
  restarted.joined(A);
  const announcement = ask(A, { wanted: 0n, counted: 5n, held }, restarted);
  restarted.announced(A);
  expect((await announcement)!.allowedTotal, 'what it holds is confirmed').toBe(held);
  await waiting;
  for (let round = 0; round < 20; round++) answers.push((await ask(B, { wanted: 100n, counted: 0n }, restarted))!.allowedTotal);
  expect(answers.at(-1)! + held, 'the rest and no more').toBe(100n);
});

test('what a dead epoch held and did not use is free again once its last batches must be in', async () => {
  await plan(100);
  grants.joined(A);
  const held = (await ask(A, { wanted: 100n, counted: 0n }))!.allowedTotal;
  await report(A, 1, 10);
  grants.left(A);
  grants.joined(B);
  const all = async () => {
    let allowed = 0n;
    for (let round = 0; round < 20; round++) allowed = (await ask(B, { wanted: 100n, counted: 0n }))!.allowedTotal;
    return allowed;
  };
  expect(await all()).toBe(100n - held);
  clock.advance(60_000);
  expect(await all()).toBe(90n);
});

test('a quota that is used up is called exhausted, and no longer when it is extended', async () => {
  await plan(10);
  grants.joined(A);
  expect(await ask(A, { wanted: 10n, counted: 1n })).toMatchObject({ allowedTotal: 10n, exhausted: false });
  expect(await ask(A, { wanted: 10n, counted: 10n }), 'counted, not reported yet').toMatchObject({ exhausted: true });
  await report(A, 1, 10);
  expect(await ask(A, { wanted: 10n, counted: 10n, held: 10n, reported: 10n })).toMatchObject({
    allowedTotal: 10n,
    exhausted: true,
  });
  await store.tenants.transact(TENANT, (tx) =>
    tx.usage.extend({ usagePlanId: 'plan', apiKeyId: 'key', periodStart: DAY, extra: 5 }),
  );
  expect(await ask(A, { wanted: 10n, counted: 10n, held: 10n, reported: 10n })).toMatchObject({
    allowedTotal: 15n,
    exhausted: false,
  });
});

test('the offset counts in the first period in which the key was used, and in no later one', async () => {
  await plan(10, 4);
  grants.joined(A);
  expect((await ask(A, { wanted: 10n, counted: 0n }))!.allowedTotal).toBe(6n);
  await report(A, 1, 6);
  clock.advance(86_400_000);
  expect((await ask(A, { wanted: 10n, counted: 0n, periodStart: '2026-01-06' }))!.allowedTotal).toBe(10n);
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

test('a question about a period that is over has no answer and disturbs nothing', async () => {
  await plan(10);
  grants.joined(A);
  expect((await ask(A, { wanted: 10n, counted: 0n }))!.allowedTotal).toBe(10n);
  expect(await ask(A, { wanted: 10n, counted: 0n, periodStart: '2026-01-04' })).toBeNull();
  expect((await ask(A, { wanted: 0n, counted: 0n }))!.allowedTotal).toBe(10n);
});
