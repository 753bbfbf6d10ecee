import type { PlanLimits } from '@gatehouse/contracts';

/** What a request may do. WAIT: a lease is asked for; `whenAnswered` tells when to ask again. */
export type LeaseVerdict = 'ALLOW' | 'DENY' | 'WAIT';

export const FAST_OPEN: PlanLimits = { mode: 'FAST', fallback: 'OPEN' };

/** Which lease books can be asked, as far as this node knows. */
export interface LeaseBookState {
  readonly fastAvailable: boolean;
  readonly strictAvailable: boolean;
}

export const BOTH_AVAILABLE: LeaseBookState = { fastAvailable: true, strictAvailable: true };

/** A request of a strict plan waits for a lease at most so long; who then still has none takes the plan's fallback, and so do all after it. */
export const LEASE_WAIT_MS = 250;
/** Requests waiting for one lease; further ones are refused. */
export const WAITING_MAX = 256;

/** Told of every decision that no lease covered because none could be had. */
export type OnFallback = (fallback: PlanLimits['fallback']) => void;

/** Requests that wait for the next answer about one bucket or key. */
export class Waiters {
  count = 0;
  private pending: PromiseWithResolvers<void> | null = null;
  private timer: NodeJS.Timeout | null = null;

  /** Resolves at `wake`, or after `waitMs`, when `onTimeout` was called. */
  async next(waitMs: number, onTimeout: () => void): Promise<void> {
    if (this.pending === null) {
      this.pending = Promise.withResolvers<void>();
      this.timer = setTimeout(() => {
        onTimeout();
        this.wake();
      }, waitMs);
    }
    this.count++;
    try {
      await this.pending.promise;
    } finally {
      this.count--;
    }
  }

  wake(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.pending?.resolve();
    this.pending = null;
  }
}
