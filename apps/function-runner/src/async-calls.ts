import { Throttled } from './environments.js';
import type { Outcome } from './invocation.js';

export interface AsyncLimits {
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
  /** Before the second and third attempt of a call whose function failed. Lambda guide, "Asynchronous invocation". */
  readonly retryDelaysMs: readonly number[];
  /** Between attempts of a throttled call: doubled each time, from the first to the second number. */
  readonly throttledDelayMs: readonly [number, number];
  /** Throttled for longer than this, a call is given up. */
  readonly ageMaxMs: number;
}
export const ASYNC_LIMITS: AsyncLimits = {
  waitingMax: 1_000,
  waitingBytesMax: 64 * 1024 * 1024,
  retryDelaysMs: [60_000, 120_000],
  throttledDelayMs: [1_000, 300_000],
  ageMaxMs: 6 * 60 * 60 * 1000,
};

/**
 * `Event` calls: accepted at once, run as soon as there is room, tried up to three times. They wait in memory, so a runner
 * that is killed forgets them; what is given up is logged.
 */
export class AsyncCalls {
  private waitingCount = 0;
  private waitingBytes = 0;
  private readonly timers = new Set<NodeJS.Timeout>();
  private isClosed = false;

  constructor(
    private readonly limits: AsyncLimits,
    private readonly onGivenUp: (requestId: string, reason: string) => void,
  ) {}

  /** False when too many are waiting. `run` may be called several times. */
  accept(requestId: string, bytes: number, run: () => Promise<Outcome>): boolean {
    const { waitingMax, waitingBytesMax } = this.limits;
    if (this.isClosed || this.waitingCount >= waitingMax || this.waitingBytes + bytes > waitingBytesMax) return false;
    this.waitingCount++;
    this.waitingBytes += bytes;
    void this.runToEnd(requestId, run).finally(() => {
      this.waitingCount--;
      this.waitingBytes -= bytes;
    });
    return true;
  }

  /** No further attempts are made. */
  close(): void {
    this.isClosed = true;
    for (const timer of this.timers) clearTimeout(timer);
    if (this.waitingCount > 0) this.onGivenUp('', `the runner stops with ${this.waitingCount} asynchronous calls unfinished`);
  }

  private async runToEnd(requestId: string, run: () => Promise<Outcome>): Promise<void> {
    let failures = 0;
    let throttledMs = 0;
    let [delayMs] = this.limits.throttledDelayMs;
    for (;;) {
      try {
        const outcome = await run();
        if (!outcome.isError) return;
        const retryMs = this.limits.retryDelaysMs[failures++];
        if (retryMs === undefined) return this.onGivenUp(requestId, 'the function failed at every attempt');
        await this.pause(retryMs);
      } catch (cause) {
        if (!(cause instanceof Throttled)) return this.onGivenUp(requestId, (cause as Error).message);
        if (throttledMs >= this.limits.ageMaxMs) return this.onGivenUp(requestId, 'throttled for too long');
        await this.pause(delayMs);
        throttledMs += delayMs;
        delayMs = Math.min(delayMs * 2, this.limits.throttledDelayMs[1]);
      }
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        resolve();
      }, ms);
      this.timers.add(timer);
    });
  }
}
