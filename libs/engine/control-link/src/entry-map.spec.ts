import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { EntryMap } from './entry-map.js';
import { entryKey, sameEntry, type EntryName, type LinkEntry } from './manifest.js';

const seed = 3;
const IDS = ['0000000000', 'zzzzzzzzzz', 'abc123defg', 'abc123defh', 'short', '', 'ABC123DEFG', '012345678+', 'abc/dev'];
const DIGEST = 'ab'.repeat(32);
const inlineOf = (apiKeyId: string, tenant: string, enabled: boolean, usagePlanIds: readonly string[], valueDigest: string) =>
  JSON.stringify({ apiKeyId, enabled, tenant, usagePlanIds, valueDigest });

const usual = {
  kind: 'API_KEY' as LinkEntry['kind'],
  digest: null as string | null,
  blobBytes: 0,
  revision: 77,
  tenant: '999999999999',
  idInside: null as string | null,
  tenantInside: null as string | null,
  enabled: true,
  plans: ['pl4n01'],
  valueDigest: DIGEST,
  edited: (text: string) => text,
};
/** Each is a little different from what control planes send, or from what comes most. */
const VARIANTS: readonly Partial<typeof usual>[] = [
  {},
  { enabled: false },
  { plans: [] },
  { plans: ['000000', 'zzzzzz', 'pl4n01'] },
  { plans: Array.from({ length: 127 }, () => 'pl4n01') },
  { plans: Array.from({ length: 128 }, () => 'pl4n01') },
  { plans: ['a plan'] },
  { plans: ['pl4n01', ''] },
  { plans: ['quo"te'] },
  ...[0, 2 ** 40 - 1, 2 ** 40, Number.MAX_SAFE_INTEGER].map((revision) => ({ revision })),
  { tenant: '000000000001' },
  { tenant: '1234' },
  { tenant: 'Müller AG' },
  { idInside: 'abc123defx' },
  { tenantInside: '888888888888' },
  { valueDigest: '00'.repeat(32) },
  { valueDigest: DIGEST.toUpperCase() },
  { valueDigest: 'ab' },
  { digest: DIGEST },
  { blobBytes: 5 },
  { kind: 'USAGE_PLAN' },
  { kind: 'STAGE' },
  { edited: (text) => ` ${text}` },
  { edited: (text) => `${text}\n` },
  { edited: (text) => text.replace('{', '{"a":1,') },
  { edited: (text) => text.replace('"]', '",]') },
  { edited: (text) => text.replace('true', '1') },
  { edited: () => '' },
];
const anyEntry: fc.Arbitrary<LinkEntry> = fc.tuple(fc.constantFrom(...IDS), fc.constantFrom(...VARIANTS)).map(([id, variant]) => {
  const { kind, digest, blobBytes, revision, tenant, idInside, tenantInside, enabled, plans, valueDigest, edited } = {
    ...usual,
    ...variant,
  };
  const inline = edited(inlineOf(idInside ?? id, tenantInside ?? tenant, enabled, plans, valueDigest));
  return { kind, id, tenant, revision, digest, blobBytes, inline };
});

const anyStep = fc.oneof(
  { weight: 4, arbitrary: anyEntry.map((entry) => ({ set: entry })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom<EntryName['kind'][]>('API_KEY', 'USAGE_PLAN', 'STAGE'), fc.constantFrom(...IDS))
      .map(([kind, id]) => ({ remove: entryKey({ kind, id }) })),
  },
);

const sorted = (entries: Iterable<LinkEntry>): LinkEntry[] => [...entries].sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1));

test('whatever entries it is given, it says what a plain map would say, to the last character', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const plain = new Map<string, LinkEntry>();
      const map = new EntryMap();
      for (const step of steps) {
        if ('set' in step) {
          map.set(step.set);
          plain.set(entryKey(step.set), step.set);
        } else {
          map.delete(step.remove);
          plain.delete(step.remove);
        }
        expect(map.size).toBe(plain.size);
      }
      for (const kind of ['API_KEY', 'USAGE_PLAN', 'STAGE'] as const) {
        for (const id of IDS) {
          const key = entryKey({ kind, id });
          expect(map.get(key)).toEqual(plain.get(key));
          expect(map.has(key)).toBe(plain.has(key));
        }
      }
      expect(sorted(map.values())).toEqual(sorted(plain.values()));
      expect([...map.keys()].sort()).toEqual([...plain.keys()].sort());
    }),
    { seed, numRuns: 300 },
  );
});

function keyEntry(index: number, revision: number): LinkEntry {
  const id = index.toString(36).padStart(10, '0');
  const tenant = String(100_000_000_000 + (index % 9));
  const plans = Array.from({ length: revision % 4 }, (_, i) => `plan${10 + i}`);
  return {
    kind: 'API_KEY',
    id,
    tenant,
    revision,
    digest: null,
    blobBytes: 0,
    inline: inlineOf(id, tenant, revision % 2 === 0, plans, DIGEST),
  };
}

/** A text, because comparing so many objects takes minutes. */
const textOf = (entries: Iterable<LinkEntry>): string =>
  Array.from(entries, (entry) => JSON.stringify(entry))
    .sort()
    .join();

test('many keys that come, change and go are all there as they were last; a list once taken does not change', () => {
  const plain = new Map<string, LinkEntry>();
  const map = new EntryMap();
  let state = 9;
  const random = (below: number): number => ((state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8) % below;
  for (let round = 0; round < 6; round++) {
    const taken = map.values();
    const takenPlain = textOf(plain.values());
    const removals = round === 4 ? 3 : 8; // of ten; much waste in one round
    for (let step = 0; step < 8_000; step++) {
      const entry = keyEntry(random(10_000), round * 100_000 + step);
      const key = entryKey(entry);
      if (random(10) >= removals) {
        map.delete(key);
        plain.delete(key);
      } else {
        map.set(entry);
        plain.set(key, entry);
      }
    }
    expect(textOf(taken) === takenPlain, `the list of round ${round}`).toBe(true);
    expect(map.size).toBe(plain.size);
    expect(textOf(map.values()) === textOf(plain.values()), `after round ${round}`).toBe(true);
  }
  const lost = [...plain].filter(([key, entry]) => !sameEntry(map.get(key), entry));
  expect(lost).toEqual([]);
  for (const key of plain.keys()) map.delete(key);
  expect([map.size, [...map.values()]]).toEqual([0, []]);
});
