/**
 * Usage that survives `kill -9`, counted exactly once.
 *
 * One append-only file per batch, `{epoch}-{sequence}.usage`, in the node's folder. Each counted request adds one line before
 * its answer goes out (`countSoon` and `settle`: requests that one turn of the event loop brings share a write); the name of the file is the name of the batch forever, so a batch may be sent as often as it takes.
 *
 *   gatehouse usage 1
 *   k {"tenant":"...","usagePlanId":"...","apiKeyId":"...","day":"2026-01-01"}    key 0: keys are numbered in order
 *   0                                                                             one request of key 0
 *   0 250                                                                         250 requests of key 0 (after compaction)
 *
 *   count() -> file -> rotate(): closed, sent by the caller -> acknowledge(): deleted
 *                        \ process dies: the next start finds the file and offers the batch again
 *
 * A line counts once its newline is there; a torn last line is a request whose answer never went out. What reached the
 * operating system survives the process, not a loss of power: nothing is flushed per request.
 *
 * When the disk refuses a write, counting goes on in memory until the next rotation, and `problems` says so: serving comes
 * first, and only a crash in that state loses counts (it never doubles any).
 *
 * Used from one thread; one process per folder.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface CountedUsage {
  readonly tenant: string;
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  /** UTC day, `YYYY-MM-DD`. */
  readonly day: string;
  readonly count: number;
}

export interface UsageBatch {
  readonly epoch: number;
  readonly sequence: number;
  /** One entry per plan, key and day. */
  readonly counts: readonly CountedUsage[];
}

const HEADER = 'gatehouse usage 1\n';
const FILE_NAME = /^(\d{1,15})-(\d{1,15})\.usage$/;
const DAY_MS = 86_400_000;
const PROBLEMS_KEPT = 20;
/** Batches without a receipt; from there on `isDue` is false and counts stay in the current file. */
const PENDING_BATCHES_MAX = 1_000;
/** Lines that wait for the write they share. */
const UNWRITTEN_BYTES_MAX = 16 * 1024;
/** A file that grew to this is written anew with one line per key. */
const COMPACT_AT_BYTES = 16 * 1024 * 1024;

/** Requests of one key on one day in the current file. */
interface Counter {
  readonly tenant: string;
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly day: string;
  count: number;
  /** The line that counts one request. */
  readonly line: Buffer;
  /** The same plan and key on a day counted before: a clock may step back over midnight. */
  readonly previous: Counter | null;
}

export class UsageJournal {
  readonly epoch: number;
  /** What went wrong on disk, newest last; for the node's log and its health. */
  readonly problems: string[] = [];
  private readonly folder: string;
  private readonly compactAtBytes: number;
  private lastSequence = 0;
  private lastEarlierSequence = 0;
  /** -1: no file is open. */
  private fd = -1;
  private fileBytes = 0;
  /** The disk refused a write: the rest of this batch is counted in memory only. */
  private isMemoryOnly = false;
  /** Of the current file, in the order of their key lines. */
  private readonly counters: Counter[] = [];
  /** By plan id, then key id: the newest counter. */
  private readonly newest = new Map<string, Map<string, Counter>>();
  /** Without a receipt yet, oldest first. */
  private readonly waiting = new Map<string, UsageBatch>();
  /** Lines that are in no file yet, in order. */
  private readonly unwritten = Buffer.allocUnsafeSlow(UNWRITTEN_BYTES_MAX);
  private unwrittenBytes = 0;
  /** The earliest `nowMs` of a request among them. */
  private unwrittenSinceMs = Number.POSITIVE_INFINITY;
  private isWriteScheduled = false;
  private day = '';
  private dayStartMs = Number.NaN;

  /**
   * Opens the folder (made if missing) and reads what earlier epochs left. `epoch` must be larger than all of them.
   * Throws when the folder cannot be used.
   */
  constructor(folder: string, epoch: number, options: { readonly compactAtBytes?: number } = {}) {
    this.folder = folder;
    this.epoch = epoch;
    this.compactAtBytes = options.compactAtBytes ?? COMPACT_AT_BYTES;
    mkdirSync(folder, { recursive: true });
    for (const batch of this.readLeftovers()) this.waiting.set(nameOf(batch.epoch, batch.sequence), batch);
  }

  /** Counts one request; it is in the file on return. Call it before the answer goes out. Never throws. */
  count(tenant: string, usagePlanId: string, apiKeyId: string, nowMs: number): void {
    this.add(tenant, usagePlanId, apiKeyId, nowMs);
    this.write();
  }

  /** The same, but it is in the file at the end of this turn of the event loop, or after `settle(nowMs)`. */
  countSoon(tenant: string, usagePlanId: string, apiKeyId: string, nowMs: number): void {
    this.add(tenant, usagePlanId, apiKeyId, nowMs);
    if (nowMs < this.unwrittenSinceMs) this.unwrittenSinceMs = nowMs;
    if (this.isWriteScheduled) return;
    this.isWriteScheduled = true;
    setImmediate(() => {
      this.isWriteScheduled = false;
      this.write();
    });
  }

  /** To be called before the answer to a request counted at `countedAtMs` goes out. Mostly an earlier turn has written it. */
  settle(countedAtMs: number): void {
    // A request that is unwritten was not counted before the earliest of those.
    if (countedAtMs >= this.unwrittenSinceMs) this.write();
  }

  private add(tenant: string, usagePlanId: string, apiKeyId: string, nowMs: number): void {
    if (!(nowMs >= this.dayStartMs && nowMs < this.dayStartMs + DAY_MS)) {
      this.dayStartMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
      this.day = new Date(this.dayStartMs).toISOString().slice(0, 10);
    }
    if (this.unwrittenBytes > UNWRITTEN_BYTES_MAX / 2) this.write();
    const newest = this.newest.get(usagePlanId)?.get(apiKeyId) ?? null;
    const counter = newest !== null && newest.day === this.day ? newest : this.counterOf(newest, tenant, usagePlanId, apiKeyId);
    counter.count++;
    this.append(counter.line);
  }

  /** Requests are counted that no batch holds yet, and there is room for one more batch on its way. */
  get isDue(): boolean {
    return this.counters.length > 0 && this.waiting.size < PENDING_BATCHES_MAX;
  }

  /**
   * Closes the current file and returns its batch, to be sent until it is acknowledged. With nothing counted the batch has no
   * counts and needs no acknowledgement: a name for metrics that travel alone.
   */
  rotate(): UsageBatch {
    this.write(); // a crash must find in the file what the batch says
    if (this.fd !== -1) closeSync(this.fd);
    const batch: UsageBatch = {
      epoch: this.epoch,
      sequence: ++this.lastSequence,
      counts: this.counters.map(({ tenant, usagePlanId, apiKeyId, day, count }) => ({
        tenant,
        usagePlanId,
        apiKeyId,
        day,
        count,
      })),
    };
    this.fd = -1;
    this.fileBytes = 0;
    this.isMemoryOnly = false;
    this.counters.length = 0;
    this.newest.clear();
    if (batch.counts.length > 0) this.waiting.set(nameOf(batch.epoch, batch.sequence), batch);
    return batch;
  }

  /**
   * Makes a closed file of another folder (of a worker of this node) a batch of this journal, to be sent until it is acknowledged.
   * The file is renamed to its batch's name before anybody hears of it, so a crash finds it under one of the two, never both.
   * `counts` is what it holds if that is known, else it is read. `isEarlier`: an earlier process of the node counted it; it gets
   * a name of the epoch before this one, which no process uses (DiskStore.nextEpoch), and is no business of this epoch's quotas.
   * `null` when it holds nothing. Throws, with everything as it was, when it cannot be read or moved.
   * Not for a journal that counts itself unless `isEarlier`: the name of its open file is taken.
   */
  takeOver(file: string, counts: readonly CountedUsage[] | null, isEarlier = false): UsageBatch | null {
    if (!isEarlier && this.counters.length > 0) throw new Error('usage journal: the next name is that of the open file');
    const held = counts ?? this.readOther(file);
    if (held.length === 0) {
      rmSync(file, { force: true });
      return null;
    }
    const epoch = isEarlier ? this.epoch - 1 : this.epoch;
    const sequence = 1 + (isEarlier ? this.lastEarlierSequence : this.lastSequence);
    const name = nameOf(epoch, sequence);
    try {
      renameSync(file, join(this.folder, name));
    } catch (cause) {
      // Not there: its writer's disk refused, and what it counted is in memory only.
      if (counts === null || (cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      this.note(`take over ${file}: it is counted in memory only`);
    }
    if (isEarlier) this.lastEarlierSequence = sequence;
    else this.lastSequence = sequence;
    const batch = { epoch, sequence, counts: held };
    this.waiting.set(name, batch);
    return batch;
  }

  /** Batches without a receipt, oldest first: those of earlier epochs, then this one's. */
  pending(): UsageBatch[] {
    return [...this.waiting.values()];
  }

  /** The control plane has the batch: forgets it. Returns it, or `null` when it was forgotten before. */
  acknowledge(epoch: number, sequence: number): UsageBatch | null {
    const name = nameOf(epoch, sequence);
    const batch = this.waiting.get(name);
    if (batch === undefined) return null;
    this.waiting.delete(name);
    rmSync(join(this.folder, name), { force: true });
    return batch;
  }

  /** Leaves everything on disk for the next start. */
  close(): void {
    this.write();
    if (this.fd !== -1) closeSync(this.fd);
    this.fd = -1;
    this.isMemoryOnly = true;
  }

  private counterOf(newest: Counter | null, tenant: string, usagePlanId: string, apiKeyId: string): Counter {
    for (let counter = newest; counter !== null; counter = counter.previous) if (counter.day === this.day) return counter;
    const index = this.counters.length;
    const counter: Counter = {
      tenant,
      usagePlanId,
      apiKeyId,
      day: this.day,
      count: 0,
      line: Buffer.from(`${index}\n`),
      previous: newest,
    };
    this.counters.push(counter);
    let keys = this.newest.get(usagePlanId);
    if (keys === undefined) this.newest.set(usagePlanId, (keys = new Map()));
    keys.set(apiKeyId, counter);
    if (index === 0) this.open();
    this.append(Buffer.from(keyLine(counter)));
    return counter;
  }

  private open(): void {
    try {
      // The batch's name is fixed here: if the process dies, this very file is the batch.
      this.fd = openSync(this.currentPath(), 'ax');
      this.append(Buffer.from(HEADER));
    } catch (cause) {
      this.fail('open', cause);
    }
  }

  private append(line: Buffer): void {
    if (this.isMemoryOnly) return;
    if (line.length > UNWRITTEN_BYTES_MAX - this.unwrittenBytes) {
      this.writeUnwritten();
      if (line.length > UNWRITTEN_BYTES_MAX) {
        this.writeBytes(line, line.length);
        return;
      }
    }
    // A line is a few bytes: a loop is faster than Buffer.copy.
    const { unwritten } = this;
    let at = this.unwrittenBytes;
    for (let i = 0; i < line.length; i++) unwritten[at++] = line[i]!;
    this.unwrittenBytes = at;
  }

  /** Not between a count and its line: a file that is written anew says what the counters say. */
  private write(): void {
    this.writeUnwritten();
    if (this.fileBytes < this.compactAtBytes || this.isMemoryOnly) return;
    try {
      this.compact();
    } catch (cause) {
      this.fail('write', cause);
    }
  }

  private writeUnwritten(): void {
    const bytes = this.unwrittenBytes;
    this.unwrittenBytes = 0;
    this.unwrittenSinceMs = Number.POSITIVE_INFINITY;
    if (bytes > 0) this.writeBytes(this.unwritten, bytes);
  }

  private writeBytes(lines: Buffer, bytes: number): void {
    if (this.isMemoryOnly) return;
    try {
      const written = writeSync(this.fd, lines, 0, bytes);
      if (written !== bytes) throw new Error(`${written} of ${bytes} bytes written`);
      this.fileBytes += written;
    } catch (cause) {
      // No further write to this file: whatever is torn stays the last line, which readers drop.
      this.fail('write', cause);
    }
  }

  /** Replaces the file by a short one that says the same; in one step, so that a crash finds either. */
  private compact(): void {
    const text = HEADER + this.counters.map(keyLine).join('') + this.counters.map(({ count }, i) => `${i} ${count}\n`).join('');
    const path = this.currentPath();
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    const replaced = this.fd;
    this.fd = openSync(path, 'a');
    closeSync(replaced);
    // Half of the threshold at least lies ahead, however many keys there are: compaction stays rare.
    this.fileBytes = Math.min(text.length, this.compactAtBytes / 2);
  }

  private currentPath(): string {
    return join(this.folder, nameOf(this.epoch, this.lastSequence + 1));
  }

  private fail(doing: string, cause: unknown): void {
    this.isMemoryOnly = true;
    this.note(`${doing} ${nameOf(this.epoch, this.lastSequence + 1)}: ${(cause as Error).message}`);
  }

  private note(problem: string): void {
    if (this.problems.length === PROBLEMS_KEPT) this.problems.shift();
    this.problems.push(problem);
  }

  private readLeftovers(): UsageBatch[] {
    const batches: UsageBatch[] = [];
    for (const name of readdirSync(this.folder)) {
      const match = FILE_NAME.exec(name);
      if (match === null) {
        if (name.endsWith('.usage.new')) rmSync(join(this.folder, name), { force: true }); // a compaction that never finished
        continue;
      }
      const [epoch, sequence] = [Number(match[1]), Number(match[2])];
      if (epoch >= this.epoch) throw new Error(`usage journal: ${name} is not from an earlier epoch than ${this.epoch}`);
      const counts = this.readFile(name);
      if (counts === null) continue; // unreadable: kept for a human, named in `problems`
      if (counts.length > 0) batches.push({ epoch, sequence, counts });
      else rmSync(join(this.folder, name), { force: true });
    }
    return batches.sort((a, b) => a.epoch - b.epoch || a.sequence - b.sequence);
  }

  private readOther(file: string): CountedUsage[] {
    const { counts, damage } = readUsage(readFileSync(file, 'utf8'));
    if (damage !== null) this.note(`read ${file}: ${damage}`);
    if (damage !== null && counts.length === 0) throw new Error(`usage journal: ${file} cannot be read: ${damage}`);
    return counts;
  }

  private readFile(name: string): CountedUsage[] | null {
    try {
      const { counts, damage } = readUsage(readFileSync(join(this.folder, name), 'utf8'));
      if (damage !== null) this.note(`read ${name}: ${damage}`);
      return damage !== null && counts.length === 0 ? null : counts;
    } catch (cause) {
      this.note(`read ${name}: ${(cause as Error).message}`);
      return null;
    }
  }
}

function nameOf(epoch: number, sequence: number): string {
  return `${epoch}-${sequence}.usage`;
}

function keyLine({ tenant, usagePlanId, apiKeyId, day }: Counter): string {
  return `k ${JSON.stringify({ tenant, usagePlanId, apiKeyId, day })}\n`;
}

/** Reads up to the first line that makes no sense; an unfinished last line is no damage. */
function readUsage(text: string): { readonly counts: CountedUsage[]; readonly damage: string | null } {
  const lines = text.split('\n');
  lines.pop(); // behind the last newline: nothing, or a torn line
  if (lines.length === 0) return { counts: [], damage: null };
  if (`${lines[0]}\n` !== HEADER) return { counts: [], damage: 'not a usage file this version reads' };
  const keys: { tenant: string; usagePlanId: string; apiKeyId: string; day: string }[] = [];
  const sums: number[] = [];
  let damage: string | null = null;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const match = /^(\d{1,9})(?: (\d{1,15}))?$/.exec(line);
    if (match !== null && Number(match[1]) < keys.length) {
      sums[Number(match[1])]! += Number(match[2] ?? 1);
    } else if (line.startsWith('k ')) {
      keys.push(JSON.parse(line.slice(2)) as (typeof keys)[number]);
      sums.push(0);
    } else {
      damage = `line ${i + 1} of ${lines.length} is damaged, the rest is not counted`;
      break;
    }
  }
  const counts = keys.map((key, i) => ({ ...key, count: sums[i]! })).filter(({ count }) => count > 0);
  return { counts, damage };
}
