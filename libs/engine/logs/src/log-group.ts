/**
 * The lines of one log group on their way to its sink. Writing never waits: lines are queued and handed over in batches, one at a time;
 * what goes beyond the bounds is thrown away and counted. A sink that fails is tried again, later and later, with the same lines.
 */
import type { QueueBudget } from './queue-budget.js';

export interface LogEvent {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  /** One line without its end. */
  readonly message: string;
}

/** `REFUSED`: these lines will never be taken, others may be. */
export type Outcome = 'TAKEN' | 'REFUSED' | 'FAILED';

/** Takes all events of a batch, or none. Never rejects for what the outside causes. */
export interface LogSink {
  append(events: readonly LogEvent[]): Promise<Outcome>;
}

export interface LineCounters {
  readonly delivered: { add(count: number): void };
  readonly dropped: { add(count: number): void };
}

const BATCH_LINES_MAX = 1_000;
const BATCH_CHARS_MAX = 256 * 1024;
/** Lines wait so long for others to go with. */
const GATHERING_MS = 500;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;
/** A line is at least this much: an empty one takes memory, too. */
const LINE_OVERHEAD_CHARS = 64;

export class LogGroup {
  private waiting: LogEvent[] = [];
  private waitingChars = 0;
  private isAppending = false;
  private isFlushing = false;
  private failures = 0;
  private timer: NodeJS.Timeout | null = null;
  private onIdle: (() => void) | null = null;

  constructor(
    readonly tenant: string,
    private readonly sink: LogSink,
    private readonly budget: QueueBudget,
    private readonly counters: LineCounters,
  ) {}

  write(timeMs: number, message: string): void {
    const chars = message.length + LINE_OVERHEAD_CHARS;
    if (!this.budget.take(this.tenant, chars)) {
      this.counters.dropped.add(1);
      return;
    }
    this.waiting.push({ timeMs, message });
    this.waitingChars += chars;
    if (this.isAppending) return;
    if (this.waitingChars >= BATCH_CHARS_MAX && this.failures === 0) this.later(0);
    else if (this.timer === null) this.later(GATHERING_MS);
  }

  /** Hands over what waits, without patience for a sink that fails; resolves when that is done or given up. */
  async flush(): Promise<void> {
    if (this.waiting.length === 0 && !this.isAppending) return;
    this.isFlushing = true;
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
      if (!this.isAppending) this.later(0);
    });
    this.onIdle = null;
    this.isFlushing = false;
  }

  private later(ms: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    // A node that is told to stop flushes; nothing else waits for log lines.
    this.timer = setTimeout(() => void this.append(), ms).unref();
  }

  private async append(): Promise<void> {
    this.timer = null;
    const batch = this.nextBatch();
    this.isAppending = true;
    const outcome = await this.sink.append(batch).catch((): Outcome => 'REFUSED'); // it must not; then it would again
    this.isAppending = false;
    if (outcome === 'FAILED' && !this.isFlushing) {
      this.later(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.failures++));
      return;
    }
    this.failures = 0;
    this.release(outcome === 'FAILED' ? this.waiting.length : batch.length, outcome === 'TAKEN');
    if (this.waiting.length > 0) this.later(this.waitingChars >= BATCH_CHARS_MAX || this.isFlushing ? 0 : GATHERING_MS);
    else this.onIdle?.();
  }

  private nextBatch(): readonly LogEvent[] {
    let chars = 0;
    let count = 0;
    while (count < this.waiting.length && count < BATCH_LINES_MAX && chars < BATCH_CHARS_MAX) {
      chars += this.waiting[count++]!.message.length;
    }
    return this.waiting.slice(0, count);
  }

  private release(count: number, isTaken: boolean): void {
    let chars = 0;
    for (let i = 0; i < count; i++) chars += this.waiting[i]!.message.length + LINE_OVERHEAD_CHARS;
    this.waiting = this.waiting.slice(count);
    this.waitingChars -= chars;
    this.budget.give(this.tenant, chars);
    (isTaken ? this.counters.delivered : this.counters.dropped).add(count);
  }
}
