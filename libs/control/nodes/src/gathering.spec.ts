import type { ManifestEntry, ManifestLog, NodeRegistry } from '@gatehouse/domain';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NodeLinkServer } from './node-link-server.js';

const GATHER_MS = 50;
let reads: number[];
let publish: (entries?: readonly ManifestEntry[]) => void;
let server: NodeLinkServer;

beforeEach(async () => {
  vi.useFakeTimers();
  reads = [];
  const startMs = Date.now();
  const manifest = {
    head: async () => reads.push(Date.now() - startMs) && 0,
    since: async () => (reads.push(Date.now() - startMs), []),
    subscribe: async (onPublished: (entries: readonly ManifestEntry[] | null) => void) => {
      publish = (entries) => onPublished(entries ?? null);
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

const commit = (...revisions: number[]) =>
  revisions.map(
    (revision) => ({ kind: 'STAGE', id: `a${revision}/dev`, tenant: '123456789012', revision, content: null }) as ManifestEntry,
  );

test('what is told is not read; what was not told, or lies before it, is', async () => {
  publish(); // at the first time the newest revision is read, which is 0
  await vi.advanceTimersByTimeAsync(GATHER_MS);
  for (const entries of [commit(1), commit(2, 3), commit(2, 3), commit(1), commit(4)]) publish(entries);
  await vi.advanceTimersByTimeAsync(2 * GATHER_MS);
  expect(reads, 'each step by step, some of them twice').toHaveLength(1);
  publish(commit(6, 7));
  await vi.advanceTimersByTimeAsync(2 * GATHER_MS);
  expect(reads, 'revision 5 was missed').toHaveLength(2);
  publish(commit(5));
  await vi.advanceTimersByTimeAsync(2 * GATHER_MS);
  expect(reads).toHaveLength(2);
  publish();
  await vi.advanceTimersByTimeAsync(2 * GATHER_MS);
  expect(reads, 'there is something that is not told').toHaveLength(3);
});
