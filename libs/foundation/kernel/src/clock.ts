/** Time as a dependency: code that needs "now" gets a Clock, so tests move time themselves. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** For durations: milliseconds since some moment before the process started. Nobody sets it, so it never steps. */
export const steadyClock: Clock = { nowMs: () => performance.now() };

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  constructor(private currentMs = Date.UTC(2026, 0, 1)) {}
  nowMs(): number {
    return this.currentMs;
  }
  advance(ms: number): void {
    this.currentMs += ms;
  }
}
