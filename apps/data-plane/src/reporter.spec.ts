import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Report } from '@gatehouse/engine-control-link';
import { UsageJournal, type CountedUsage } from '@gatehouse/engine-limits';
import { ManualClock } from '@gatehouse/kernel';
import { MetricsRegistry } from '@gatehouse/telemetry';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Reporter } from './reporter.js';

let folder: string;
let clock: ManualClock;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-reporter-'));
  clock = new ManualClock(Date.UTC(2026, 0, 5, 9));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A control plane that gives receipts when told to. */
function setUp(epoch: number) {
  const sent: Report[] = [];
  const receipts: (() => void)[] = [];
  const status = { connected: true, complete: true, revision: 1, entryCount: 0, refusedCount: 0 };
  const journal = new UsageJournal(folder, epoch);
  const metrics = new MetricsRegistry();
  const told: CountedUsage[] = [];
  const link = {
    status,
    report: (report: Report) => {
      sent.push(report);
      return new Promise<boolean>((resolve) => receipts.push(() => resolve(true)));
    },
  };
  const reporter = new Reporter({
    link,
    journal,
    metrics,
    quotas: { reported: (usage) => told.push(usage as CountedUsage) },
    epoch,
    clock,
  });
  const giveReceipts = async () => {
    for (const receipt of receipts.splice(0)) receipt();
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return { sent, status, journal, metrics, told, reporter, giveReceipts };
}
const series = { tenant: 't', apiId: 'a', stage: 'dev', resource: '/', httpMethod: 'GET' };

test('usage goes out at every tick, metrics every five seconds, and nothing when there is nothing', () => {
  const { sent, journal, metrics, reporter } = setUp(1);
  reporter.tick();
  expect(sent).toEqual([]);
  journal.count('t', 'plan', 'key', clock.nowMs());
  metrics.series(series, clock.nowMs()).record(200, 5, 3, clock.nowMs());
  clock.advance(1_000);
  reporter.tick();
  expect(sent).toEqual([
    {
      epoch: 1,
      sequence: 1,
      usage: [{ tenant: 't', usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-05', count: 1n }],
      metrics: [],
    },
  ]);
  clock.advance(4_000);
  reporter.tick();
  expect(sent[1]).toMatchObject({
    sequence: 2,
    usage: [],
    metrics: [{ ...series, minute: BigInt(clock.nowMs() / 1000 - 5), count: 1n }],
  });
});

test('a batch is forgotten with its receipt and not before; the quotas of this epoch learn of it', async () => {
  const { journal, told, reporter, giveReceipts } = setUp(1);
  journal.count('t', 'plan', 'key', clock.nowMs());
  reporter.tick();
  expect(journal.pending()).toHaveLength(1);
  await giveReceipts();
  expect(journal.pending()).toEqual([]);
  expect(told).toMatchObject([{ apiKeyId: 'key', count: 1 }]);
});

test('what an earlier process left is sent under its old name, and is not of this epoch', async () => {
  const earlier = setUp(1);
  earlier.journal.count('t', 'plan', 'key', clock.nowMs());
  earlier.journal.close();
  const { sent, told, journal, reporter, giveReceipts } = setUp(2);
  reporter.start();
  const flushed = reporter.flush();
  expect(sent).toMatchObject([{ epoch: 1, sequence: 1, usage: [{ count: 1n }] }]);
  await giveReceipts();
  await flushed;
  expect(journal.pending()).toEqual([]);
  expect(told).toEqual([]);
});

test('while nobody is connected everything waits where it is counted', () => {
  const { sent, status, journal, metrics, reporter } = setUp(1);
  status.connected = false;
  journal.count('t', 'plan', 'key', clock.nowMs());
  metrics.series(series, clock.nowMs()).record(200, 5, 3, clock.nowMs());
  reporter.tick();
  expect(sent).toEqual([]);
  status.connected = true;
  reporter.tick();
  expect(sent).toMatchObject([{ usage: [{ count: 1n }], metrics: [{ count: 1n }] }]);
});

test('the samples of many methods travel in several batches, each under a name of its own, and others get their turn in between', async () => {
  const { sent, metrics, reporter } = setUp(1);
  const record = () => {
    for (let index = 0; index < 1_001; index++) {
      metrics.series({ ...series, resource: `/${index}` }, clock.nowMs()).record(200, 5, 3, clock.nowMs());
    }
  };
  record();
  reporter.tick();
  expect(sent, 'the first batch leaves at once, the others in turns of their own').toHaveLength(1);
  record();
  await vi.waitFor(() => expect(sent).toHaveLength(3));
  expect(sent.map(({ sequence, metrics: samples }) => [sequence, samples?.length])).toEqual([
    [1, 500],
    [2, 500],
    [3, 1],
  ]);
  void reporter.flush();
  await vi.waitFor(() => expect(metrics.activeCount).toBe(0));
  const counted = sent.flatMap(({ metrics: samples }) => samples ?? []).reduce((sum, { count }) => sum + count!, 0n);
  expect(counted, 'nothing is lost or doubled').toBe(2_002n);
});
