import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageJournal, type UsageBatch } from './usage-journal.js';

const NOON_MS = Date.UTC(2026, 0, 1, 12);
const DAY_MS = 86_400_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-usage-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const counted = (apiKeyId: string, count: number, day = '2026-01-01') => ({
  tenant: 'tenant',
  usagePlanId: 'plan',
  apiKeyId,
  day,
  count,
});
const count = (journal: UsageJournal, apiKeyId: string, times = 1, nowMs = NOON_MS): void => {
  for (let i = 0; i < times; i++) journal.count('tenant', 'plan', apiKeyId, nowMs);
};

describe('a batch', () => {
  test('holds what was counted since the last one, under the next number', () => {
    const journal = new UsageJournal(folder, 1);
    count(journal, 'a', 2);
    count(journal, 'b');
    expect(journal.rotate()).toEqual({ epoch: 1, sequence: 1, counts: [counted('a', 2), counted('b', 1)] });
    count(journal, 'a');
    expect(journal.rotate()).toEqual({ epoch: 1, sequence: 2, counts: [counted('a', 1)] });
  });

  test('without counts takes a number and leaves nothing to acknowledge', () => {
    const journal = new UsageJournal(folder, 1);
    expect(journal.isDue).toBe(false);
    expect(journal.rotate()).toEqual({ epoch: 1, sequence: 1, counts: [] });
    expect(journal.pending()).toEqual([]);
    count(journal, 'a');
    expect(journal.isDue).toBe(true);
    expect(journal.rotate().sequence).toBe(2);
    expect(readdirSync(folder)).toEqual(['1-2.usage']);
  });

  test('has one entry per key and day, also when the clock goes back over midnight', () => {
    const journal = new UsageJournal(folder, 1);
    for (const nowMs of [NOON_MS, NOON_MS + DAY_MS, NOON_MS, NOON_MS + DAY_MS, NOON_MS]) count(journal, 'a', 1, nowMs);
    expect(journal.rotate().counts).toEqual([counted('a', 3), counted('a', 2, '2026-01-02')]);
  });

  test('is pending until acknowledged, and acknowledged once', () => {
    const journal = new UsageJournal(folder, 1);
    count(journal, 'a');
    const batch = journal.rotate();
    expect(journal.pending()).toEqual([batch]);
    expect(journal.acknowledge(1, 1)).toEqual(batch);
    expect(journal.acknowledge(1, 1)).toBeNull();
    expect(journal.pending()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('after a crash', () => {
  test('the files of earlier epochs are offered under their own names, oldest first', () => {
    const first = new UsageJournal(folder, 900);
    count(first, 'a', 3);
    first.rotate();
    count(first, 'b', 4); // never rotated: the process dies here
    const second = new UsageJournal(folder, 1_000);
    count(second, 'c');
    const third = new UsageJournal(folder, 1_001);
    expect(third.pending()).toEqual([
      { epoch: 900, sequence: 1, counts: [counted('a', 3)] },
      { epoch: 900, sequence: 2, counts: [counted('b', 4)] },
      { epoch: 1_000, sequence: 1, counts: [counted('c', 1)] },
    ]);
    expect(third.problems).toEqual([]);
    for (const { epoch, sequence } of third.pending()) third.acknowledge(epoch, sequence);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('an epoch that is not new is refused: its names are taken', () => {
    count(new UsageJournal(folder, 5), 'a');
    expect(() => new UsageJournal(folder, 5)).toThrow('5-1.usage is not from an earlier epoch than 5');
  });

  test('a file cut at any byte gives the counts whose lines are whole', () => {
    const journal = new UsageJournal(folder, 1);
    const order = ['a', 'b', 'a', 'a', 'b', 'c'];
    const sizes = order.map((key) => {
      count(journal, key);
      return statSync(join(folder, '1-1.usage')).size;
    });
    const bytes = readFileSync(join(folder, '1-1.usage'));
    for (let cut = 0; cut <= bytes.length; cut++) {
      writeFileSync(join(folder, '1-1.usage'), bytes.subarray(0, cut));
      const wholeCount = sizes.filter((size) => size <= cut).length;
      const leftover = new UsageJournal(folder, 2);
      const sum = leftover.pending().reduce((total, batch) => total + batch.counts.reduce((n, entry) => n + entry.count, 0), 0);
      expect({ cut, sum, problems: leftover.problems }).toEqual({ cut, sum: wholeCount, problems: [] });
    }
  });

  test('a damaged line ends the reading, and is reported', () => {
    const journal = new UsageJournal(folder, 1);
    count(journal, 'a', 2);
    appendFileSync(join(folder, '1-1.usage'), '7\n0\n');
    const leftover = new UsageJournal(folder, 2);
    expect(leftover.pending()).toEqual([{ epoch: 1, sequence: 1, counts: [counted('a', 2)] }]);
    expect(leftover.problems).toEqual(['read 1-1.usage: line 5 of 6 is damaged, the rest is not counted']);
  });

  test('a file this version cannot read is kept and reported', () => {
    writeFileSync(join(folder, '1-1.usage'), 'gatehouse usage 2\n...\n');
    writeFileSync(join(folder, 'notes.txt'), 'not ours');
    const journal = new UsageJournal(folder, 2);
    expect(journal.pending()).toEqual([]);
    expect(journal.problems).toEqual(['read 1-1.usage: not a usage file this version reads']);
    expect(readdirSync(folder)).toEqual(['1-1.usage', 'notes.txt']);
  });

  test('a file without counts is not offered', () => {
    writeFileSync(join(folder, '1-1.usage'), '');
    expect(new UsageJournal(folder, 2).pending()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('a file that grows is rewritten short, and says the same', () => {
  const journal = new UsageJournal(folder, 1, { compactAtBytes: 1_000 });
  for (let i = 0; i < 5_000; i++) count(journal, `key ${i % 3}`);
  expect(statSync(join(folder, '1-1.usage')).size).toBeLessThan(1_100);
  const expected = [counted('key 0', 1_667), counted('key 1', 1_667), counted('key 2', 1_666)];
  expect(new UsageJournal(folder, 2).pending()).toEqual([{ epoch: 1, sequence: 1, counts: expected }]);
  expect(journal.rotate().counts).toEqual(expected);
});

describe('requests that share a write', () => {
  const onDisk = (): string =>
    readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');
  const soon = (journal: UsageJournal, apiKeyId: string, nowMs = NOON_MS): void =>
    journal.countSoon('tenant', 'plan', apiKeyId, nowMs);

  test('are in the file when the first of them is settled', () => {
    const journal = new UsageJournal(folder, 1);
    soon(journal, 'a', NOON_MS);
    soon(journal, 'b', NOON_MS + 1);
    expect(onDisk()).toBe('');
    journal.settle(NOON_MS - 1); // of a request that was counted before, and written
    expect(onDisk()).toBe('');
    journal.settle(NOON_MS);
    expect(
      onDisk()
        .split('\n')
        .filter((line) => /^\d/.test(line)),
    ).toEqual(['0', '1']);
  });

  test('are in the file at the end of the turn when nobody settles them', async () => {
    const journal = new UsageJournal(folder, 1);
    soon(journal, 'a');
    await new Promise((resolve) => setImmediate(resolve));
    expect(onDisk()).toContain('\n0\n');
    soon(journal, 'a');
    await new Promise((resolve) => setImmediate(resolve));
    expect(onDisk()).toContain('\n0\n0\n');
  });

  test('are in the file of their batch when it is closed, and when the journal is', () => {
    const journal = new UsageJournal(folder, 1);
    soon(journal, 'a');
    journal.rotate();
    soon(journal, 'b');
    journal.close();
    const counts = new UsageJournal(folder, 2).pending().map((batch) => batch.counts);
    expect(counts).toEqual([[counted('a', 1)], [counted('b', 1)]]);
  });

  test('a file is not written anew in the middle of a count, or its key would be in it twice', () => {
    const journal = new UsageJournal(folder, 1, { compactAtBytes: 40_000 });
    for (let i = 0; i < 20_250; i++) soon(journal, 'a'); // 40,500 bytes: with those that are not written yet, beyond the limit
    const long = 'longer'.repeat(3_000);
    soon(journal, long);
    soon(journal, 'b');
    journal.settle(NOON_MS);
    const [batch] = new UsageJournal(folder, 2).pending();
    expect(batch!.counts.map(({ apiKeyId, count: n }) => [apiKeyId, n])).toEqual([
      ['a', 20_250],
      [long, 1],
      ['b', 1],
    ]);
    journal.close();
  });

  test('whatever the order, the steps of the clock, long names and files written anew: after a crash all that was settled is counted, and nothing twice', () => {
    const action = fc.record({
      what: fc.constantFrom('soon', 'soon', 'soon', 'now', 'settle', 'rotate'),
      key: fc.constantFrom('a', 'b', 'c', 'long'.repeat(3_000), 'longer'.repeat(3_000)),
      times: fc.constantFrom(1, 1, 1, 2, 50, 2_500, 5_000),
      stepMs: fc.integer({ min: -3, max: 3 }),
    });
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 40 }),
        fc.constantFrom(200, 20_000, 40_000, 1_000_000),
        (actions, compactAtBytes) => {
          const own = mkdtempSync(join(folder, 'run-'));
          const journal = new UsageJournal(own, 1, { compactAtBytes });
          let nowMs = NOON_MS;
          const countedOf = new Map<string, number>();
          let settledOf = new Map<string, number>();
          let countedAtMs = -1;
          for (const { what, key, times, stepMs } of actions) {
            nowMs += stepMs;
            if (what === 'settle') journal.settle(countedAtMs);
            else if (what === 'rotate') journal.rotate();
            else {
              countedAtMs = nowMs;
              for (let i = 0; i < times; i++) journal[what === 'now' ? 'count' : 'countSoon']('tenant', 'plan', key, nowMs);
              countedOf.set(key, (countedOf.get(key) ?? 0) + times);
            }
            if (what !== 'soon') settledOf = new Map(countedOf);
          }
          const after = new UsageJournal(own, 2);
          const foundOf = new Map<string, number>();
          for (const { apiKeyId, count: n } of after.pending().flatMap(({ counts }) => counts))
            foundOf.set(apiKeyId, (foundOf.get(apiKeyId) ?? 0) + n);
          expect([journal.problems, after.problems]).toEqual([[], []]);
          for (const [key, n] of settledOf) expect(foundOf.get(key)).toBeGreaterThanOrEqual(n);
          for (const [key, n] of foundOf) expect(n).toBeLessThanOrEqual(countedOf.get(key)!);
          journal.close();
        },
      ),
      { numRuns: 150, seed: 20_260_101 },
    );
  });
});

test('when the disk refuses, counting goes on in memory and says so', () => {
  const journal = new UsageJournal(folder, 1);
  rmSync(folder, { recursive: true });
  count(journal, 'a', 3);
  expect(journal.problems).toHaveLength(1);
  expect(journal.problems[0]).toContain('open 1-1.usage: ENOENT');
  expect(journal.rotate().counts).toEqual([counted('a', 3)]);
});

test('names of any characters come back as they were', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (apiKeyId, usagePlanId) => {
      const own = mkdtempSync(join(folder, 'run-'));
      new UsageJournal(own, 1).count('tenant', usagePlanId, apiKeyId, NOON_MS);
      const [batch] = new UsageJournal(own, 2).pending();
      expect(batch!.counts).toEqual([{ tenant: 'tenant', usagePlanId, apiKeyId, day: '2026-01-01', count: 1 }]);
    }),
    { numRuns: 50 },
  );
});

type Said = { readonly answered?: string; readonly batch?: UsageBatch };

/** Runs the process until it exits, or kills it with SIGKILL after so many lines. `hear` returns an acknowledgement or null. */
async function run(epoch: number, mode: 'count' | 'drain', linesMax: number, hear: (said: Said) => object | null): Promise<void> {
  const script = fileURLToPath(new URL('../testdata/counting-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, folder, String(epoch), mode], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {}); // it may be dead already
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const reply = hear(JSON.parse(line) as Said);
    if (reply !== null) child.stdin.write(`${JSON.stringify(reply)}\n`);
    if (++lines === linesMax) child.kill('SIGKILL');
  }
  await exited;
}

test('killed with SIGKILL again and again, with batches and receipts lost, every answered request is counted exactly once', async () => {
  const answered = new Map<string, number>();
  const sums = new Map<string, number>();
  const applied = new Set<string>();
  let messages = 0;
  const hear = (lossy: boolean) => (said: Said) => {
    if (said.answered !== undefined) answered.set(said.answered, (answered.get(said.answered) ?? 0) + 1);
    if (said.batch === undefined) return null;
    const { epoch, sequence, counts } = said.batch;
    messages++;
    if (lossy && messages % 3 === 0) return null; // the batch is lost
    const name = `${epoch}/${sequence}`;
    if (!applied.has(name)) for (const entry of counts) sums.set(entry.apiKeyId, (sums.get(entry.apiKeyId) ?? 0) + entry.count);
    applied.add(name);
    return lossy && messages % 3 === 1 ? null : { epoch, sequence }; // or its receipt is
  };
  const kills = [37, 400, 1, 123, 260, 5];
  for (const [i, linesMax] of kills.entries()) await run(i + 1, 'count', linesMax, hear(true));
  await run(100, 'drain', Number.POSITIVE_INFINITY, hear(false));

  expect(readdirSync(folder)).toEqual([]);
  for (const key of answered.keys()) expect(sums.has(key)).toBe(true);
  let unanswered = 0;
  for (const [key, sum] of sums) {
    const answeredCount = answered.get(key) ?? 0;
    expect(sum).toBeGreaterThanOrEqual(answeredCount);
    unanswered += sum - answeredCount;
  }
  // Counted, and killed before the answer was out: at most those of one turn per kill.
  expect(unanswered).toBeLessThanOrEqual(7 * kills.length);
});

describe('a file of another folder', () => {
  test('becomes a batch under the next name, once, and survives a crash from then on', () => {
    const own = join(folder, 'node');
    const worker = new UsageJournal(join(folder, 'worker'), 7);
    const node = new UsageJournal(own, 7);
    count(worker, 'a', 3);
    const { counts } = worker.rotate();
    const file = join(folder, 'worker', '7-1.usage');
    expect(node.takeOver(file, counts)).toEqual({ epoch: 7, sequence: 1, counts: [counted('a', 3)] });
    expect(readdirSync(join(folder, 'worker'))).toEqual([]);
    expect(node.rotate().sequence, 'names go on behind it').toBe(2);
    expect(new UsageJournal(own, 8).pending()).toEqual([{ epoch: 7, sequence: 1, counts: [counted('a', 3)] }]);
  });

  test('of an earlier process is read, and named under the epoch no process has, beside what is counted now', () => {
    const worker = new UsageJournal(join(folder, 'worker'), 7);
    count(worker, 'a', 3); // and killed
    const node = new UsageJournal(join(folder, 'node'), 20);
    count(node, 'b');
    const taken = node.takeOver(join(folder, 'worker', '7-1.usage'), null, true);
    expect(taken).toEqual({ epoch: 19, sequence: 1, counts: [counted('a', 3)] });
    expect(node.rotate()).toEqual({ epoch: 20, sequence: 1, counts: [counted('b', 1)] });
    node.acknowledge(19, 1);
    expect(readdirSync(join(folder, 'node'))).toEqual(['20-1.usage']);
  });

  test('that cannot be read stays where it is', () => {
    const node = new UsageJournal(folder, 20);
    const file = join(folder, 'other');
    writeFileSync(file, 'gatehouse usage 2\n...\n');
    expect(() => node.takeOver(file, null, true)).toThrow('cannot be read');
    expect(readFileSync(file, 'utf8')).toBe('gatehouse usage 2\n...\n');
    writeFileSync(file, 'gatehouse usage 1\n');
    expect(node.takeOver(file, null, true), 'nothing in it').toBeNull();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that its writer could not write counts from memory', () => {
    const node = new UsageJournal(folder, 7);
    expect(node.takeOver(join(folder, 'gone'), [counted('a', 2)])).toEqual({ epoch: 7, sequence: 1, counts: [counted('a', 2)] });
    expect(node.problems).toHaveLength(1);
  });
});
