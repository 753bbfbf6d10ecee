import type { ApiKeyEntry } from '@gatehouse/contracts';
import type { WorldView } from '@gatehouse/engine-exchange';
import { sha256Hex } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { KnownKeys } from './known-keys.js';

/** A World with one key for each pair of tenant and value; `asked` counts the look-ups. */
class KeyWorld implements WorldView {
  accessKey(): null {
    return null;
  }
  serviceAccess(): null {
    return null;
  }
  readonly revision = 1;
  asked = 0;
  private readonly keys = new Map<string, ApiKeyEntry>();

  constructor(pairs: readonly (readonly [tenant: string, value: string])[]) {
    for (const [tenant, value] of pairs) {
      const valueDigest = sha256Hex(value);
      const key = { apiKeyId: `${tenant} ${value}`, tenant, valueDigest, enabled: true, usagePlanIds: [] };
      this.keys.set(`${tenant} ${valueDigest}`, key);
    }
  }

  apiKey(tenant: string, valueDigest: string): ApiKeyEntry | null {
    this.asked++;
    return this.keys.get(`${tenant} ${valueDigest}`) ?? null;
  }

  usagePlan(): null {
    return null;
  }
}

test('a key is what the World of the request says, whatever other Worlds and tenants said before', () => {
  let state = 7;
  const random = (below: number): number => ((state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8) % below;
  const tenants = ['t1', 't2'];
  const values = ['v1', 'v2', 'v3'];
  const known = new KnownKeys();
  let worlds: KeyWorld[] = [];
  for (let step = 0; step < 5_000; step++) {
    if (step % 50 === 0) {
      const pairs = tenants.flatMap((tenant) => values.map((value) => [tenant, value] as const));
      worlds = [1, 2].map(() => new KeyWorld(pairs.filter(() => random(2) === 0)));
    }
    const [world, tenant, value] = [worlds[random(2)]!, tenants[random(2)]!, values[random(3)]!];
    const nowMs = step * 1_000 - random(200_000); // clocks step, too
    expect(known.find(world, tenant, value, nowMs), `step ${step}`).toBe(world.apiKey(tenant, sha256Hex(value)));
  }
});

test('a key that comes again is not looked up again, and is in a new World', () => {
  const known = new KnownKeys();
  for (const world of [new KeyWorld([['t', 'v']]), new KeyWorld([['t', 'v']])]) {
    for (let i = 0; i < 3; i++) expect(known.find(world, 't', 'v', i)?.apiKeyId).toBe('t v');
    expect(world.asked).toBe(1);
  }
});

test('a value that is no key stays nowhere', () => {
  const known = new KnownKeys();
  const world = new KeyWorld([['t', 'v']]);
  expect([known.find(world, 't', 'guess', 0), known.size]).toEqual([null, 0]);
  known.find(world, 't', 'v', 0);
  expect(known.size).toBe(1);
  expect([known.find(new KeyWorld([]), 't', 'v', 0), known.size]).toEqual([null, 0]);
});

test('a value is forgotten two minutes after its last use, and one in use is not', () => {
  const known = new KnownKeys();
  const world = new KeyWorld([
    ['t', 'resting'],
    ['t', 'in use'],
  ]);
  known.find(world, 't', 'resting', 0);
  for (let nowMs = 0; nowMs <= 130_000; nowMs += 10_000) known.find(world, 't', 'in use', nowMs);
  expect([known.size, world.asked]).toEqual([1, 2]);
});

test('however many keys there are, a bounded number of values is in memory', () => {
  const known = new KnownKeys();
  const values = Array.from({ length: 20_000 }, (_, i) => `value ${i}`);
  const world = new KeyWorld(values.map((value) => ['t', value]));
  for (const value of values) expect(known.find(world, 't', value, 0)).not.toBe(null);
  expect(known.size).toBeLessThanOrEqual(8_192);
});
