/** What every store of answers does; run against each. */
import { Buffer } from 'node:buffer';
import { HeaderBlock } from '@gatehouse/engine-exchange';
import { beforeAll, describe, expect, test } from 'vitest';
import { RESPONSE, VARIES, type CacheScope, type ResponseStore, type StoredResponse } from './stored-response.js';

let number = 0;

export function responseStoreContract(name: string, open: () => ResponseStore | Promise<ResponseStore>): void {
  const scopeOf = (tenant: string, stage: string): CacheScope => ({ id: `${tenant}/api/${stage}`, tenant, bytesMax: 10_000_000 });
  const response = (over: Partial<StoredResponse> = {}): StoredResponse => ({
    kind: RESPONSE,
    status: 203,
    block: new HeaderBlock(['Content-Type', 'text/plain', 'X-Latin', '\xe9']),
    body: Buffer.from('pets'),
    bodyBytes: -1,
    isTraced: true,
    variesOn: [],
    startedAtMs: 0,
    expiresAtMs: 60_000,
    ...over,
  });
  const content = (found: StoredResponse | null) =>
    found === null
      ? null
      : [found.kind, found.status, found.block.fields, found.body, found.bodyBytes, found.isTraced, found.variesOn];

  describe(`${name}, as every store of answers`, () => {
    let store: ResponseStore;
    let scope: CacheScope;
    beforeAll(async () => {
      store = await open();
      scope = scopeOf(`${Date.now()}${number++}`, 'dev'); // nobody else's, on a store that outlives the test
    });

    for (const [what, kept] of [
      ['an answer', response()],
      ['one without a body', response({ body: null, status: 204 })],
      ['one with an empty body', response({ body: Buffer.alloc(0) })],
      ['one of a HEAD', response({ body: null, bodyBytes: 12, isTraced: false })],
      ['one of 1 MiB of all bytes', response({ body: Buffer.from(Uint8Array.from({ length: 1_048_576 }, (_, i) => i % 256)) })],
      ['what answers differ by', response({ kind: VARIES, variesOn: ['accept', 'origin'], body: null })],
    ] as const) {
      test(`finds ${what} as it was kept`, async () => {
        expect(await store.find(scope, what, 0)).toBe(null);
        expect(await store.keep(scope, what, kept, 0)).toBe(true);
        expect(content(await store.find(scope, what, 0))).toEqual(content(kept));
      });
    }

    test('finds what was kept last', async () => {
      await store.keep(scope, 'last', response({ status: 200 }), 0);
      await store.keep(scope, 'last', response({ status: 201 }), 0);
      expect((await store.find(scope, 'last', 0))?.status).toBe(201);
    });

    test('finds nothing under other keys, of other stages or of other tenants', async () => {
      await store.keep(scope, 'k', response(), 0);
      const others = [scopeOf(scope.tenant, 'prod'), scopeOf('another', 'dev')];
      expect(await Promise.all(others.map((other) => store.find(other, 'k', 0)))).toEqual([null, null]);
      expect(await store.find(scope, 'K', 0)).toBe(null);
    });

    test('what it finds is good for as long as what was kept is, and no longer', async () => {
      await store.keep(scope, 'ttl', response({ expiresAtMs: 5_000 }), 0);
      const found = await store.find(scope, 'ttl', 0);
      expect(found!.expiresAtMs).toBeGreaterThan(0);
      expect(found!.expiresAtMs).toBeLessThanOrEqual(5_000);
    });

    test('what was kept does not outlive its time', async () => {
      await store.keep(scope, 'short', response({ expiresAtMs: 30 }), 0);
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(await store.find(scope, 'short', 60)).toBe(null);
    });
  });
}
