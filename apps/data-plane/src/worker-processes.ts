/**
 * Keeps a number of worker processes alive. A dead one is started again at once or, when it dies again and again, after a pause
 * that doubles; its successor is a new process with a new number. One that is stuck (says nothing, though asked) is killed: it
 * would hold its share of connections, and every change, forever.
 */
import type { ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import type { FromWorker, ToWorker } from './ipc.js';

export interface WorkerHandlers {
  /** The process is there and listens to its channel. */
  joined(worker: WorkerProcess): void;
  said(worker: WorkerProcess, message: FromWorker): void;
  /** It is gone, and everything it said was heard. Also for one that never joined. `isMissed`: another one takes its place. */
  ended(worker: WorkerProcess, isMissed: boolean): void;
}

export interface WorkerProcessesOptions {
  readonly count: number;
  /** Starts a process for one of the places 1 to `count`, with a channel. */
  readonly fork: (slot: number) => ChildProcess;
  readonly handlers: WorkerHandlers;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly backOff?: BackOff;
}

export interface BackOff {
  readonly minMs: number;
  readonly maxMs: number;
  /** One that lived this long starts over with `minMs`. */
  readonly longLifeMs: number;
}

const PING_EVERY_MS = 5_000;
/** Pings, not time: a supervisor that was stopped itself must not blame its workers. */
const UNANSWERED_PINGS_MAX = 6;

const BACK_OFF: BackOff = { minMs: 100, maxMs: 5_000, longLifeMs: 10_000 };

export class WorkerProcess {
  /** Took requests at least once. */
  isServing = false;
  /** Since it was last heard of; -1 before it joined. */
  unansweredPings = -1;
  /** Its own reason, if it had time to say one. */
  failure: string | null = null;

  constructor(
    /** Counts up with every start; no other process of this supervisor has it. */
    readonly worker: number,
    readonly slot: number,
    readonly child: ChildProcess,
  ) {}

  /** Dropped when the process is gone. */
  send(message: ToWorker): void {
    if (this.child.connected) this.child.send(message, () => undefined);
  }
}

export class WorkerProcesses {
  private readonly bySlot = new Map<number, WorkerProcess>();
  private readonly failureCounts = new Map<number, number>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private pinging: NodeJS.Timeout | null = null;
  private startCount = 0;
  private isStopping = false;
  private onAllEnded: (() => void) | null = null;

  constructor(private readonly options: WorkerProcessesOptions) {}

  start(): void {
    for (let slot = 1; slot <= this.options.count; slot++) this.startOne(slot);
    this.pinging = setInterval(() => this.ping(), PING_EVERY_MS);
  }

  all(): WorkerProcess[] {
    return [...this.bySlot.values()];
  }

  get servingCount(): number {
    return this.all().filter(({ isServing }) => isServing).length;
  }

  /** Tells all to end and starts none again; resolves when all are gone. What lives at the deadline is killed. */
  async stop(deadlineMs: number): Promise<void> {
    this.isStopping = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.stopPinging();
    for (const worker of this.bySlot.values()) worker.send({ kind: 'stop' });
    if (this.bySlot.size === 0) return;
    const killing = setTimeout(() => this.kill(), deadlineMs);
    await new Promise<void>((resolve) => (this.onAllEnded = resolve));
    clearTimeout(killing);
  }

  kill(): void {
    this.isStopping = true;
    this.stopPinging();
    for (const { child } of this.bySlot.values()) child.kill('SIGKILL');
  }

  private ping(): void {
    for (const worker of this.bySlot.values()) {
      if (worker.unansweredPings === -1) continue;
      if (worker.unansweredPings === UNANSWERED_PINGS_MAX) {
        worker.failure = 'it was stuck and was killed';
        worker.child.kill('SIGKILL');
      } else {
        worker.unansweredPings++;
        worker.send({ kind: 'ping' });
      }
    }
  }

  private stopPinging(): void {
    if (this.pinging !== null) clearInterval(this.pinging);
  }

  private startOne(slot: number): void {
    const { fork, handlers } = this.options;
    const child = fork(slot);
    const worker = new WorkerProcess(++this.startCount, slot, child);
    const startedAtMs = performance.now();
    this.bySlot.set(slot, worker);
    child.on('message', (message) => {
      const said = message as FromWorker;
      worker.unansweredPings = 0;
      if (said.kind === 'pong') return;
      if (said.kind === 'hello') {
        if (this.isStopping) worker.send({ kind: 'stop' });
        handlers.joined(worker);
        return;
      }
      if (said.kind === 'failed') worker.failure = said.reason;
      handlers.said(worker, said);
    });
    // Messages may still come behind the news of its death; the end of the channel is behind them all.
    let open = 2;
    let reason = '';
    const over = (): void => {
      if (--open === 0) this.ended(worker, reason, performance.now() - startedAtMs);
    };
    child.once('error', (error) => {
      // Could not be started, or a signal could not be sent to it. Only the first has no process id, and no other event.
      this.options.log.error({ err: error, worker: slot }, 'worker process');
      if (child.pid === undefined) this.ended(worker, error.message, 0);
    });
    child.once('exit', (code, signal) => {
      reason = signal ?? `exit code ${code}`;
      over();
    });
    child.once('disconnect', over);
  }

  private ended(worker: WorkerProcess, reason: string, livedMs: number): void {
    const { handlers, log } = this.options;
    const { slot } = worker;
    worker.isServing = false;
    this.bySlot.delete(slot);
    handlers.ended(worker, !this.isStopping);
    if (this.isStopping) {
      if (this.bySlot.size === 0) this.onAllEnded?.();
      return;
    }
    const pauseMs = this.pauseAfter(slot, livedMs);
    const fields = {
      worker: slot,
      pid: worker.child.pid,
      reason: worker.failure ?? reason,
      livedMs: Math.round(livedMs),
      pauseMs,
    };
    log.error(fields, 'a worker ended and is started again');
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.startOne(slot);
    }, pauseMs);
    this.timers.add(timer);
  }

  private pauseAfter(slot: number, livedMs: number): number {
    const { minMs, maxMs, longLifeMs } = this.options.backOff ?? BACK_OFF;
    const failures = livedMs >= longLifeMs ? 0 : (this.failureCounts.get(slot) ?? 0);
    this.failureCounts.set(slot, failures + 1);
    return Math.min(maxMs, minMs * 2 ** Math.min(failures, 20));
  }
}
