import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UsageJournal, type UsageBatch } from '@gatehouse/engine-limits';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorkerFolders } from './worker-folders.js';

const NOW_MS = Date.UTC(2026, 0, 5, 9);
/** Above every process id of Linux. */
const NOBODY = 4_194_305;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-worker-folders-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const log = { info: () => undefined, error: vi.fn() };
function open(epoch: number) {
  const journal = new UsageJournal(folder, epoch);
  return { journal, folders: new WorkerFolders({ folder, journal, log }) };
}
const count = (journal: UsageJournal, times: number) => {
  for (let index = 0; index < times; index++) journal.count('tenant', 'plan', 'key', NOW_MS);
};
const summary = (batches: readonly UsageBatch[]) =>
  batches.map(({ epoch, sequence, counts }) => `${epoch}-${sequence}: ${counts[0]!.count}`);
const workerFolders = () => readdirSync(folder).filter((name) => name.startsWith('worker-'));

test('what a worker of this epoch left is taken over when it is gone, and its folder goes', () => {
  const { folders } = open(10);
  const worker = new UsageJournal(folders.make(1, NOBODY), 10);
  count(worker, 2);
  const { counts, sequence } = worker.rotate();
  expect(summary([folders.takeOver(1, sequence, counts)!])).toEqual(['10-1: 2']);
  count(worker, 3); // and killed
  const left = folders.ended(1);
  expect([summary(left.batches), left.isWhole]).toEqual([['10-2: 3'], true]);
  expect(folders.ended(1)).toEqual({ batches: [], isWhole: true });
  expect(workerFolders()).toEqual([]);
});

test('what earlier epochs left comes under the epoch below this one, once nobody counts there any more', async () => {
  const living = spawn('sleep', ['60']);
  const before = open(10);
  count(new UsageJournal(before.folders.make(1, living.pid!), 10), 2);
  count(new UsageJournal(before.folders.make(2, NOBODY), 10), 3);
  const { folders } = open(20);
  const batches: UsageBatch[] = [];
  folders.watch((batch) => batches.push(batch));
  expect(summary(batches)).toEqual(['19-1: 3']);
  expect(workerFolders()).toEqual(['worker-10-1']);
  expect(folders.isEarlierTakenOver, 'or leases of a worker that still counts would be given to others').toBe(false);
  living.kill('SIGKILL');
  await once(living, 'exit');
  await vi.waitFor(() => expect(summary(batches)).toEqual(['19-1: 3', '19-2: 2']), { timeout: 10_000 });
  expect(folders.isEarlierTakenOver).toBe(true);
  expect(workerFolders()).toEqual([]);
  folders.close();
});

test('a process id that is another process’s now owns nothing', () => {
  const own = open(10).folders.make(1, NOBODY);
  count(new UsageJournal(own, 10), 2);
  writeFileSync(path.join(own, 'owner'), JSON.stringify({ pid: process.pid, startedAt: '1' }));
  const batches: UsageBatch[] = [];
  open(20).folders.watch((batch) => batches.push(batch));
  expect(summary(batches)).toEqual(['19-1: 2']);
});

test('a file that cannot be read stays, is reported once and disturbs nothing', () => {
  const own = open(10).folders.make(1, NOBODY);
  writeFileSync(path.join(own, '10-1.usage'), 'gatehouse usage 2\n');
  mkdirSync(path.join(folder, 'worker-10-2'));
  const { folders } = open(20);
  folders.watch(() => undefined);
  expect(log.error).toHaveBeenCalledTimes(1);
  expect(folders.isEarlierTakenOver, 'nobody knows what it counts').toBe(false);
  expect(workerFolders()).toEqual(['worker-10-1']);
});

test('whoever is killed when, however many workers a start has: each count is in one batch, and each name is used once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.nat(3), fc.integer({ min: 1, max: 5 })), { maxLength: 80 }),
      (steps) => {
        rmSync(folder, { recursive: true, force: true });
        let epoch = 10;
        let counted = 0;
        let started = 0;
        let workers: { number: number; journal: UsageJournal }[] = [];
        let node = open(epoch);
        /** What the control plane has, by name: a name that comes again must say the same. */
        const applied = new Map<string, number>();
        const report = (batch: UsageBatch, hasReceipt: boolean): void => {
          const name = `${batch.epoch}-${batch.sequence}`;
          const sum = batch.counts.reduce((total, usage) => total + usage.count, 0);
          if (applied.has(name)) expect(`${name}: ${sum}`).toBe(`${name}: ${applied.get(name)}`);
          applied.set(name, sum);
          if (hasReceipt) node.journal.acknowledge(batch.epoch, batch.sequence);
        };
        const restart = (): void => {
          workers = [];
          epoch += 2; // the least DiskStore.nextEpoch adds
          node = open(epoch);
          for (const batch of node.journal.pending()) report(batch, false);
          node.folders.watch((batch) => report(batch, false));
        };
        for (const [kind, pick, times] of steps) {
          const worker = workers[pick % Math.max(1, workers.length)];
          if (kind === 0) {
            const number = ++started;
            workers.push({ number, journal: new UsageJournal(node.folders.make(number, NOBODY), epoch) });
          } else if (kind <= 3 && worker !== undefined) {
            count(worker.journal, times);
            counted += times;
          } else if (kind <= 5 && worker !== undefined && worker.journal.isDue) {
            const { sequence, counts } = worker.journal.rotate();
            // Now and then the supervisor dies with the message unread.
            if (times < 5) report(node.folders.takeOver(worker.number, sequence, counts)!, times < 3);
            else restart();
          } else if (kind === 6 && worker !== undefined) {
            workers = workers.filter((other) => other !== worker);
            for (const batch of node.folders.ended(worker.number).batches) report(batch, times < 3);
          } else if (kind === 7 && times === 1) restart();
        }
        restart();
        expect([...applied.values()].reduce((sum, one) => sum + one, 0)).toBe(counted);
        expect(workerFolders()).toEqual([]);
      },
    ),
    { numRuns: 60, seed: 4 },
  );
});
