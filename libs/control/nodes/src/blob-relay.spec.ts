import { expect, test } from 'vitest';
import { BlobRelay } from './blob-relay.js';

/** Counts reads; answers when it is told to. */
class Store {
  reads: string[] = [];
  private readonly waiting = new Map<string, PromiseWithResolvers<Uint8Array | null>>();
  readonly compressedBlob = (digest: string): Promise<Uint8Array | null> => {
    this.reads.push(digest);
    const waiting = Promise.withResolvers<Uint8Array | null>();
    this.waiting.set(digest, waiting);
    return waiting.promise;
  };
  async answer(digest: string, bytes: Uint8Array | null | Error): Promise<void> {
    const { resolve, reject } = this.waiting.get(digest)!;
    if (bytes instanceof Error) reject(bytes);
    else resolve(bytes);
    await Promise.resolve();
  }
}

test('nodes that ask for a blob at once and soon after cost one read', async () => {
  const store = new Store();
  const relay = new BlobRelay(store);
  const both = Promise.all([relay.read('a'), relay.read('a')]);
  const bytes = new Uint8Array(10);
  await store.answer('a', bytes);
  expect(await both).toEqual([bytes, bytes]);
  expect(await relay.read('a')).toBe(bytes);
  expect(store.reads).toEqual(['a']);
});

test('what could not be read, and what is not there, is read again', async () => {
  const store = new Store();
  const relay = new BlobRelay(store);
  const failing = relay.read('a');
  await store.answer('a', new Error('database is away'));
  await expect(failing).rejects.toThrow('database is away');
  const absent = relay.read('a');
  await store.answer('a', null);
  expect(await absent).toBeNull();
  void relay.read('a');
  expect(store.reads).toEqual(['a', 'a', 'a']);
});

test('it keeps no more than its bound: the oldest goes first, and a large blob is not kept at all', async () => {
  const store = new Store();
  const relay = new BlobRelay(store, 25);
  for (const [digest, size] of [
    ['a', 10],
    ['b', 10],
    ['c', 10],
    ['large', 2_000_000],
  ] as const) {
    const reading = relay.read(digest);
    await store.answer(digest, new Uint8Array(size));
    await reading;
  }
  store.reads = [];
  for (const digest of ['b', 'c', 'a', 'large']) void relay.read(digest);
  expect(store.reads, 'read again').toEqual(['a', 'large']);
});

test('a small part of something large does not keep all of it', async () => {
  const store = new Store();
  const relay = new BlobRelay(store);
  const reading = relay.read('a');
  await store.answer('a', new Uint8Array(65_536).fill(7, 0, 10).subarray(0, 10));
  const bytes = (await reading)!;
  expect([bytes.length, bytes.buffer.byteLength, bytes[9]]).toEqual([10, 10, 7]);
});
