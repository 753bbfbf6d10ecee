// The bounds: what a store holds is never more than it may, and what was kept last is there.
import { HeaderBlock } from '@gatehouse/engine-exchange';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { responseStoreContract } from './store.contract.js';
import { bytesOf, ENTRY_BYTES, MemoryResponses, RESPONSE, type CacheScope, type StoredResponse } from './index.js';

const scope = (tenant: string, bytesMax: number, stage = 'dev'): CacheScope => ({
  id: `${tenant}/api/${stage}`,
  tenant,
  bytesMax,
});
const response = (over: Partial<StoredResponse> = {}): StoredResponse => ({
  kind: RESPONSE,
  status: 200,
  block: new HeaderBlock([]),
  body: null,
  bodyBytes: -1,
  isTraced: false,
  variesOn: [],
  startedAtMs: 0,
  expiresAtMs: 1_000,
  ...over,
});
const ofBytes = (bytes: number, over: Partial<StoredResponse> = {}): StoredResponse =>
  response({ body: Buffer.alloc(bytes), ...over });

responseStoreContract('MemoryResponses', () => new MemoryResponses(1e8));

/** Says the same by going through everything. */
class NaiveModel {
  readonly kept = new Map<string, { scope: CacheScope; key: string; response: StoredResponse }>();
  bytesIn(test: (scope: CacheScope) => boolean): number {
    let bytes = 0;
    for (const { scope: of, key, response: kept } of this.kept.values()) if (test(of)) bytes += bytesOf(key, kept);
    return bytes;
  }
}

test('any sequence of keeps, finds and sweeps stays within all bounds, and finds what was kept last or nothing', () => {
  const scopes = [scope('a', 20_000), scope('a', 9_000, 'prod'), scope('b', 30_000), scope('c', 6_000)];
  const step = fc.record({
    what: fc.constantFrom('keep', 'keep', 'find', 'sweep'),
    scope: fc.nat(scopes.length - 1),
    key: fc.integer({ min: 0, max: 30 }).map(String),
    bytes: fc.integer({ min: 0, max: 5_000 }),
    ttlMs: fc.integer({ min: 1, max: 50 }),
    tickMs: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const store = new MemoryResponses(40_000);
      const model = new NaiveModel();
      let nowMs = 0;
      for (const { what, scope: index, key, bytes, ttlMs, tickMs } of steps) {
        nowMs += tickMs;
        const at = scopes[index]!;
        const name = `${at.id} ${key}`;
        if (what === 'sweep') store.sweep(nowMs);
        else if (what === 'find') {
          const found = store.find(at, key, nowMs);
          if (found !== null) {
            expect(found).toBe(model.kept.get(name)?.response);
            expect(found.expiresAtMs).toBeGreaterThan(nowMs);
          }
        } else {
          const kept = ofBytes(bytes, { startedAtMs: nowMs, expiresAtMs: nowMs + ttlMs });
          const fits = bytesOf(key, kept) <= at.bytesMax;
          expect(store.keep(at, key, kept, nowMs)).toBe(fits);
          model.kept.set(name, { scope: at, key, response: kept });
          expect(store.find(at, key, nowMs)).toBe(fits ? kept : null);
        }
        // What the store has given up is found by asking for everything; asking may change who goes next, never what is there.
        for (const [known, { scope: of, key: asked, response: kept }] of model.kept)
          if (store.find(of, asked, nowMs) !== kept) model.kept.delete(known);
        for (const of of scopes) expect(model.bytesIn(({ id }) => id === of.id)).toBeLessThanOrEqual(of.bytesMax);
        expect(store.bytes).toBe(model.bytesIn(() => true));
        expect(store.bytes).toBeLessThanOrEqual(40_000);
      }
    }),
    { numRuns: 150, seed: 46 },
  );
});

describe('who goes', () => {
  const roomFor = (count: number): number => count * (ENTRY_BYTES + 10);

  test('keys that are asked for once, however many, do not push out what is asked for again', () => {
    const store = new MemoryResponses(roomFor(100));
    const at = scope('a', roomFor(100));
    for (let i = 0; i < 20; i++) store.keep(at, `hot ${i}`, response(), 0);
    for (let i = 0; i < 100_000; i++) {
      store.keep(at, `cold ${i % 90_000}`, response(), 0);
      if (i % 20 === 0) for (let hot = 0; hot < 20; hot++) store.find(at, `hot ${hot}`, 0);
    }
    const left = Array.from({ length: 20 }, (_, i) => store.find(at, `hot ${i}`, 0)).filter((found) => found !== null);
    expect(left).toHaveLength(20);
    expect(store.bytes).toBeLessThanOrEqual(roomFor(100));
  });

  test('a tenant that fills the process gives way to the others, who lose nothing', () => {
    const store = new MemoryResponses(roomFor(100));
    const modest = scope('modest', roomFor(100));
    for (let i = 0; i < 10; i++) store.keep(modest, `m${i}`, response(), 0);
    for (const stage of ['dev', 'prod'])
      for (let i = 0; i < 10_000; i++) store.keep(scope('greedy', roomFor(100), stage), `g${i}`, response(), 0);
    for (let i = 0; i < 10; i++) expect(store.find(modest, `m${i}`, 0)).not.toBe(null);
    for (let i = 10; i < 50; i++) store.keep(modest, `m${i}`, response(), 0);
    for (let i = 0; i < 50; i++) expect(store.find(modest, `m${i}`, 0)).not.toBe(null);
  });

  test('a stage whose answers are all asked for still lets the next one in', () => {
    const store = new MemoryResponses(1e9);
    const at = scope('a', roomFor(1_000));
    for (let i = 0; i < 1_000; i++) store.keep(at, String(i), response(), 0);
    for (let i = 0; i < 1_000; i++) store.find(at, String(i), 0);
    for (let i = 1_000; i < 1_200; i++) {
      expect(store.keep(at, String(i), response(), 0)).toBe(true);
      expect(store.find(at, String(i), 0)).not.toBe(null);
    }
  });
});

test('an answer to an older question does not replace one to a younger question', () => {
  const store = new MemoryResponses(1e6);
  const at = scope('a', 1e6);
  const young = response({ startedAtMs: 20 });
  store.keep(at, 'k', young, 30);
  store.keep(at, 'k', response({ startedAtMs: 10 }), 40);
  expect(store.find(at, 'k', 50)).toBe(young);
});

test('the memory of a stage that nobody asks any more comes back', () => {
  const store = new MemoryResponses(1e6);
  store.keep(scope('a', 1e6), 'k', response({ expiresAtMs: 100 }), 0);
  store.keep(scope('b', 1e6), 'k', response({ expiresAtMs: 200 }), 0);
  store.sweep(150);
  expect([store.bytes, store.find(scope('b', 1e6), 'k', 150)]).toEqual([ENTRY_BYTES + 1, expect.anything()]);
  store.sweep(200);
  expect(store.bytes).toBe(0);
});

test('tenants and stages do not see what others keep under the same key', () => {
  const store = new MemoryResponses(1e6);
  store.keep(scope('a', 1e6), 'k', response(), 0);
  expect([store.find(scope('b', 1e6), 'k', 0), store.find(scope('a', 1e6, 'prod'), 'k', 0)]).toEqual([null, null]);
});
