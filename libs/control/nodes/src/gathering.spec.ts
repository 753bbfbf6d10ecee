import type { ManifestLog, NodeRegistry } from '@gatehouse/domain';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NodeLinkServer } from './node-link-server.js';

const GATHER_MS = 50;
let reads: number[];
let publish: () => void;
let server: NodeLinkServer;

beforeEach(async () => {
  vi.useFakeTimers();
  reads = [];
  const startMs = Date.now();
  const manifest = {
    head: async () => reads.push(Date.now() - startMs) && 0,
    since: async () => (reads.push(Date.now() - startMs), []),
    subscribe: async (onPublished: () => void) => {
      publish = onPublished;
      return async () => {};
    },
  } satisfies Partial<ManifestLog>;
  server = new NodeLinkServer({
    manifest: manifest as unknown as ManifestLog,
    nodes: {} as NodeRegistry,
    token: new Secret('t'),
    leases: {} as never,
    applyReport: async () => {},
    clock: new ManualClock(),
    log: { info: () => {}, warn: () => {}, error: () => {} },
    pollMs: 1_000_000,
    gatherMs: GATHER_MS,
  });
  await server.start();
});
afterEach(async () => {
  await server.close();
  vi.useRealTimers();
});

test('a change after a quiet time is read at once', async () => {
  publish();
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(10 * GATHER_MS);
  publish();
  await vi.advanceTimersByTimeAsync(0);
  expect(reads).toEqual([0, 10 * GATHER_MS]);
});

test('a burst is read once at its start and then once per gathering time, its last change included', async () => {
  for (let ms = 0; ms < 120; ms += 10) {
    publish();
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.advanceTimersByTimeAsync(10 * GATHER_MS);
  expect(reads).toEqual([0, 50, 100, 150]);
});
