import { InMemoryStore, tenantId, type UsageCount } from '@gatehouse/domain';
import { expect, test } from 'vitest';
import { queryUsage } from './query-usage.js';

const TENANT = tenantId('111122223333');
const row = (usagePlanId: string, apiKeyId: string, day: string, count: number) => ({ usagePlanId, apiKeyId, day, count });
const COUNTED = [
  row('p', 'a', '2026-01-05', 4),
  row('p', 'a', '2026-01-06', 1),
  row('p', 'b', '2026-01-05', 2),
  row('q', 'a', '2026-01-05', 9),
];

async function counted(): Promise<InMemoryStore> {
  const store = new InMemoryStore();
  const usage = [...COUNTED, row('p', 'a', '2026-01-04', 7)].map((each) => ({ ...each, tenant: TENANT as string }));
  await store.metering.apply({ nodeId: 'n', epoch: 1, sequence: 1, usage, metrics: [] });
  return store;
}

test('the pages of a range hold every plan, key and day once, and nothing of other tenants', async () => {
  const store = await counted();
  const question = { from: '2026-01-05', to: '2026-01-06' };
  for (const pageSize of [1, 2, 3, 4, 5]) {
    const found: UsageCount[] = [];
    let position: string | undefined;
    do {
      const page = await queryUsage(store.tenants, TENANT, { ...question, position }, pageSize);
      found.push(...page.items);
      position = page.position ?? undefined;
    } while (position !== undefined);
    expect(found, `in pages of ${pageSize}`).toEqual(COUNTED);
  }
  expect(await queryUsage(store.tenants, tenantId('444455556666'), question)).toEqual({
    tenant: '444455556666',
    items: [],
    position: null,
  });
});

for (const [what, question, message] of [
  ['a day that is none', { from: '2026-02-30', to: '2026-03-01' }, 'Invalid value for from: expected a day like'],
  ['an end before the start', { from: '2026-01-02', to: '2026-01-01' }, '"from" must not be after "to"'],
  ['a position of nobody', { from: '2026-01-01', to: '2026-01-01', position: 'WyJhIl0' }, 'Invalid position'],
  ['a position that is no JSON', { from: '2026-01-01', to: '2026-01-01', position: 'x' }, 'Invalid position'],
] as const) {
  test(`a question with ${what} is refused`, async () => {
    await expect(queryUsage(new InMemoryStore().tenants, TENANT, question)).rejects.toThrow(message);
  });
}
