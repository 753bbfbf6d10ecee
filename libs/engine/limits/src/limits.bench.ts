/** Nanoseconds per operation; run with `node src/limits.bench.ts`. The journal's figure is one small write per counted request. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TokenBucket } from './token-bucket.ts';
import { UsageJournal } from './usage-journal.ts';

function measure(name: string, rounds: number, operation: (i: number) => void): void {
  for (let i = 0; i < rounds / 10; i++) operation(i);
  const start = process.hrtime.bigint();
  for (let i = 0; i < rounds; i++) operation(i);
  console.log(`${name.padEnd(50)} ${(Number(process.hrtime.bigint() - start) / rounds).toFixed(0).padStart(8)} ns`);
}

const nowMs = Date.now();
const bucket = new TokenBucket({ ratePerSecond: 1_000, burst: 5_000 }, nowMs);
measure('token bucket, one take', 1_000_000, (i) => bucket.tryTake(nowMs + (i >> 5)));

const keys = Array.from({ length: 1_000 }, (_, i) => `key-${i}`);
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const journal = new UsageJournal(folder, nowMs);
measure('usage journal, one of 1,000 keys', 200_000, (i) => journal.count('123456789012', 'plan', keys[i % keys.length]!, nowMs));
rmSync(folder, { recursive: true });
