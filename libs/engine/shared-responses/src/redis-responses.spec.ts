// Against a real Redis: that it keeps what the contract says is in the contract's spec; here, what becomes of callers when it does not.
import { HeaderBlock } from '@gatehouse/engine-exchange';
import { RESPONSE, VARIES, type CacheScope, type StoredResponse } from '@gatehouse/engine-response-cache';
import { responseStoreContract } from '@gatehouse/engine-response-cache/store-contract';
import { startRedis, type TestRedis } from '@gatehouse/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RedisResponses, Sealer, type RedisResponsesOptions } from './index.js';

let redis: TestRedis;
const open: RedisResponses[] = [];
beforeAll(async () => {
  redis = await startRedis({ own: true });
}, 200_000);
afterAll(async () => {
  for (const store of open) store.close();
  await redis.stop();
});

async function openStore(options: Partial<RedisResponsesOptions> = {}): Promise<RedisResponses> {
  const store = new RedisResponses({ url: redis.url, nodeToken: 'token', answerMs: 2_000, restMs: 50, ...options });
  open.push(store);
  await vi.waitFor(() => expect(store.isAtWork).toBe(true), { timeout: 10_000, interval: 5 });
  return store;
}

responseStoreContract('RedisResponses', () => openStore());

const scope: CacheScope = { id: '123456789012/api/dev', tenant: '123456789012', bytesMax: 1e9 };
const response = (over: Partial<StoredResponse> = {}): StoredResponse => ({
  kind: RESPONSE,
  status: 200,
  block: new HeaderBlock(['X-Secret', 'of the header']),
  body: Buffer.from('secret of the body'),
  bodyBytes: -1,
  isTraced: false,
  variesOn: [],
  startedAtMs: 0,
  expiresAtMs: 60_000,
  ...over,
});

test('nodes with one token share, and nobody else can read or replace what they keep', async () => {
  const [one, other, stranger] = [await openStore(), await openStore(), await openStore({ nodeToken: 'another' })];
  const client = new Redis(redis.url);
  try {
    await client.flushall();
    await one.keep(scope, 'the key: of a caller', response(), 0);
    expect((await other.find(scope, 'the key: of a caller', 0))?.body?.toString()).toBe('secret of the body');
    expect(await stranger.find(scope, 'the key: of a caller', 0)).toBe(null);
    const [name = ''] = await client.keys('*');
    const value = await client.getBuffer(name);
    for (const text of [name, value!.toString('latin1')]) expect(text).not.toMatch(/secret|caller/);
    // Whoever can write to Redis cannot put one answer in the place of another.
    await one.keep(scope, 'k', response({ body: Buffer.from('of another key') }), 0);
    const moved = (await client.keys('*')).find((other) => other !== name)!;
    await client.copy(moved, name, 'REPLACE');
    expect(await one.find(scope, 'the key: of a caller', 0)).toBe(null);
  } finally {
    client.disconnect();
  }
});

test('what was changed on the way is not there', () => {
  const sealer = new Sealer('token');
  const sealed = sealer.seal('name', response({ kind: VARIES, variesOn: ['accept'] }));
  expect(sealer.open('name', sealed)).toMatchObject({ kind: VARIES, variesOn: ['accept'], status: 200 });
  for (let i = 0; i < sealed.length; i++) {
    const changed = Buffer.from(sealed);
    changed[i]! ^= 1;
    expect(sealer.open('name', changed), `byte ${i}`).toBe(null);
  }
  for (let bytes = 0; bytes < sealed.length; bytes++) expect(sealer.open('name', sealed.subarray(0, bytes))).toBe(null);
});

describe('a Redis that is lost', () => {
  test('hangs: the first who asks waits a moment, the others not at all; and it is asked again when it is back', async () => {
    const troubles: string[] = [];
    const store = await openStore({ answerMs: 5, restMs: 300, onTrouble: ({ message }) => troubles.push(message) });
    await vi.waitFor(async () => {
      await store.keep(scope, 'hangs', response(), 0);
      expect(await store.find(scope, 'hangs', 0)).not.toBe(null);
    }, 5_000);
    troubles.length = 0;
    redis.pause();
    try {
      expect(await store.find(scope, 'hangs', 0)).toBe(null);
      expect([store.isAtWork, await store.find(scope, 'hangs', 0), await store.keep(scope, 'b', response(), 0)]).toEqual([
        false,
        null,
        false,
      ]);
      expect(troubles).toEqual(['no answer within 5 ms']);
    } finally {
      redis.resume();
    }
    await vi.waitFor(async () => expect(await store.find(scope, 'hangs', 0)).not.toBe(null), { timeout: 10_000, interval: 20 });
  });

  test('dies and comes back empty', async () => {
    const store = await openStore();
    await store.keep(scope, 'dies', response(), 0);
    await redis.kill();
    expect(await store.find(scope, 'dies', 0)).toBe(null);
    expect(await store.keep(scope, 'dies', response(), 0)).toBe(false);
    await redis.restart();
    await vi.waitFor(async () => expect(await store.keep(scope, 'dies', response(), 0)).toBe(true), {
      timeout: 15_000,
      interval: 20,
    });
    expect(await store.find(scope, 'dies', 0)).not.toBe(null);
  }, 30_000);

  test('was never there: a node starts and serves without it', async () => {
    const store = new RedisResponses({ url: 'redis://127.0.0.1:9', nodeToken: 'token' });
    open.push(store);
    expect(await store.find(scope, 'k', 0)).toBe(null);
  });
});
