import type { ApiKeyEntry } from '@gatehouse/contracts';
import { sha256Hex } from '@gatehouse/kernel';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyTable } from './key-table.js';

const seed = 7;
const TENANTS = ['000000000012', '999999999999', '12', 'a tenant'];
const IDS = ['0000000000', 'zzzzzzzzzz', 'abc123defg', 'abc123defh', 'k', 'Schlüssel \ud800 "1"', '', '12345678901'];
const PLANS = ['000000', 'zzzzzz', 'pl4n01', 'a plan', ''];
/** The second has the first one's head: they lie beside each other. */
const DIGESTS = ['00'.repeat(32), `${'00'.repeat(31)}01`, 'ff'.repeat(32), sha256Hex('a'), sha256Hex('b')];

const anyKey: fc.Arbitrary<ApiKeyEntry> = fc.record({
  apiKeyId: fc.constantFrom(...IDS),
  tenant: fc.constantFrom(...TENANTS),
  valueDigest: fc.constantFrom(...DIGESTS),
  enabled: fc.boolean(),
  usagePlanIds: fc.array(fc.constantFrom(...PLANS), { maxLength: 4 }),
});
const anyEdit = fc.oneof(
  { weight: 3, arbitrary: anyKey.map((key) => [key.apiKeyId, key] as const) },
  { weight: 1, arbitrary: fc.constantFrom(...IDS).map((id) => [id, null] as const) },
);

/** All that is asked of a table. */
function found(table: KeyTable): string[] {
  return TENANTS.flatMap((tenant) => DIGESTS.map((digest) => JSON.stringify(table.find(tenant, digest))));
}

/** The same from a map by id. Of several keys with one value, that with the least id. */
function expected(keys: ReadonlyMap<string, ApiKeyEntry>): string[] {
  const least = (tenant: string, digest: string) =>
    [...keys.values()]
      .filter((key) => key.tenant === tenant && key.valueDigest === digest)
      .sort((a, b) => (a.apiKeyId < b.apiKeyId ? -1 : 1))[0] ?? null;
  return TENANTS.flatMap((tenant) =>
    DIGESTS.map((digest) => {
      const key = least(tenant, digest);
      if (key === null) return 'null';
      const { apiKeyId, valueDigest, enabled, usagePlanIds } = key;
      return JSON.stringify({ apiKeyId, tenant, valueDigest, enabled, usagePlanIds });
    }),
  );
}

test('after any changes a table says what a map by id would say, and its earlier forms say what they said', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyEdit, { maxLength: 6 }), { maxLength: 12 }), (rounds) => {
      const plain = new Map<string, ApiKeyEntry>();
      let table = KeyTable.EMPTY;
      for (const edits of rounds) {
        const before = table;
        const foundBefore = found(before);
        const byId = new Map(edits);
        table = table.with(byId);
        for (const [id, key] of byId) {
          if (key === null) plain.delete(id);
          else plain.set(id, key);
        }
        expect(found(before), 'the earlier form').toEqual(foundBefore);
        expect(found(table)).toEqual(expected(plain));
        expect(table.size).toBe(plain.size);
      }
    }),
    { seed, numRuns: 400 },
  );
});

const keyOf = (index: number, value = `value ${index}`): ApiKeyEntry => ({
  apiKeyId: index.toString(36).padStart(10, '0'),
  tenant: String(100_000_000_000 + (index % 7)),
  valueDigest: sha256Hex(value),
  enabled: index % 3 > 0,
  usagePlanIds: index % 5 === 0 ? [] : [`plan${10 + (index % 5)}`],
});

test('many keys, in whatever portions they come, change and go', () => {
  const plain = new Map<string, ApiKeyEntry>();
  let table = KeyTable.EMPTY;
  let state = 5;
  const random = (below: number): number => ((state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8) % below;
  for (let round = 0; round < 60; round++) {
    const edits = new Map<string, ApiKeyEntry | null>();
    for (let count = random(round % 10 === 0 ? 5_000 : 20); count > 0; count--) {
      const key = keyOf(random(8_000), `value ${random(30_000)}`);
      edits.set(key.apiKeyId, random(4) === 0 ? null : key);
    }
    table = table.with(edits);
    for (const [id, key] of edits) {
      if (key === null) plain.delete(id);
      else plain.set(id, key);
    }
  }
  expect(table.size).toBe(plain.size);
  const byValue = new Map<string, string[]>();
  for (const { tenant, valueDigest, apiKeyId } of plain.values()) {
    const name = `${tenant} ${valueDigest}`;
    byValue.set(name, [...(byValue.get(name) ?? []), apiKeyId].sort());
  }
  for (const [name, ids] of byValue) {
    const [tenant, digest] = name.split(' ') as [string, string];
    expect(table.find(tenant, digest)).toEqual(plain.get(ids[0]!));
  }
  const none = new Map([...plain.keys()].map((id) => [id, null]));
  expect(table.with(none).size, 'all of them gone').toBe(0);
});

test('a key that is asked for again is the same object, also after a change to others', () => {
  const keys = Array.from({ length: 3_000 }, (_, index) => keyOf(index));
  const table = KeyTable.EMPTY.with(new Map(keys.map((key) => [key.apiKeyId, key])));
  const { tenant, valueDigest } = keys[1_234]!;
  const key = table.find(tenant, valueDigest);
  expect(key).toEqual(keys[1_234]);
  expect(table.find(tenant, valueDigest)).toBe(key);
  const elsewhere = keys.find((other) => other.valueDigest.slice(0, 3) !== valueDigest.slice(0, 3))!;
  expect(table.with(new Map([[elsewhere.apiKeyId, null]])).find(tenant, valueDigest)).toBe(key);
});

test('what is no digest finds nothing', () => {
  const key = keyOf(1);
  const table = KeyTable.EMPTY.with(new Map([[key.apiKeyId, key]]));
  for (const text of ['', 'x', key.valueDigest.slice(0, 62), `${key.valueDigest}00`, 'g'.repeat(64)])
    expect(table.find(key.tenant, text), text).toBe(null);
});
