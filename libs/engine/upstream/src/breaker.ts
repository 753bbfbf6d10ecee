/**
 * The breaker of one destination: while too many calls fail, further ones are refused at once.
 *
 *            enough calls in the window failed                openMs over: this call is the probe
 *   CLOSED ------------------------------------> OPEN ------------------------------------------> HALF_OPEN
 *      ^                                          ^                                                |  |  |
 *      |                                          +--------------- the probe failed ---------------+  |  |
 *      +-------------------------------------------------------- the probe succeeded ----------------+  |
 *                                       (abandoned, or silent for probeTimeoutMs: the next call is the probe)
 *
 * Every admission belongs to an epoch, and a report counts only within its epoch: what calls from before the opening report late
 * (a timeout of 29 s) must decide neither about the probe nor about the time after it.
 */
import { FailureWindow } from './failure-window.js';
import { isAhead } from './is-ahead.js';
import type { BreakerSettings } from './settings.js';

export const CLOSED = 0;
export const OPEN = 1;
export const HALF_OPEN = 2;
export type BreakerState = typeof CLOSED | typeof OPEN | typeof HALF_OPEN;

/** What is told to callers while a probe is under way: its end is not known. */
const RETRY_AFTER_PROBE_MS = 1_000;

export class Breaker {
  state: BreakerState = CLOSED;
  /** To be read with an admission and handed back with its report. */
  epoch = 0;
  /** OPEN: until then. HALF_OPEN: the probe is waited for until then. */
  private untilMs = 0;
  private isProbeOut = false;
  private readonly window: FailureWindow;

  constructor(private readonly settings: BreakerSettings) {
    this.window = new FailureWindow(settings.windowMs);
  }

  /** Changes nothing: a call that is refused for another reason must not have taken the probe's place. */
  refuses(nowMs: number): boolean {
    if (this.state === CLOSED) return false;
    if (this.state === OPEN) return isAhead(this.untilMs, nowMs, this.settings.openMs);
    return this.isProbeOut && isAhead(this.untilMs, nowMs, this.settings.probeTimeoutMs);
  }

  /** The call goes out; only after `refuses` said no. */
  admit(nowMs: number): void {
    if (this.state === CLOSED) return;
    this.state = HALF_OPEN;
    this.isProbeOut = true;
    this.untilMs = nowMs + this.settings.probeTimeoutMs;
    this.epoch++;
  }

  succeeded(epoch: number, nowMs: number): void {
    if (epoch !== this.epoch) return;
    if (this.state === CLOSED) this.window.add(0, nowMs);
    else if (this.isProbeOut) this.close();
  }

  failed(epoch: number, nowMs: number): void {
    if (epoch !== this.epoch) return;
    if (this.state === CLOSED) {
      this.window.add(1, nowMs);
      const { callCount, failureCount } = this.window;
      if (callCount < this.settings.volumeMin || failureCount < callCount * this.settings.failureShare) return;
    } else if (!this.isProbeOut) return;
    this.open(nowMs);
  }

  /** The call ended without saying anything about the upstream: its caller left. */
  abandoned(epoch: number): void {
    if (epoch === this.epoch) this.isProbeOut = false;
  }

  /** When another attempt makes sense; 0 when one would be let through. */
  retryAfterMs(nowMs: number): number {
    if (!this.refuses(nowMs)) return 0;
    return this.state === OPEN ? Math.ceil(this.untilMs - nowMs) : RETRY_AFTER_PROBE_MS;
  }

  private open(nowMs: number): void {
    this.state = OPEN;
    this.isProbeOut = false;
    this.untilMs = nowMs + this.settings.openMs;
    this.epoch++;
  }

  private close(): void {
    this.state = CLOSED;
    this.isProbeOut = false;
    this.window.clear();
    this.epoch++;
  }
}
