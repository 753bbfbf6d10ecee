/**
 * Calls and failures of the last `windowMs`, in ten slices: what is counted leaves at most a tenth of the window late.
 * A clock that steps back empties it, as one that steps far forward does: a few calls are forgotten, none is counted twice.
 */
const SLICES = 10;

export class FailureWindow {
  callCount = 0;
  failureCount = 0;
  private readonly sliceMs: number;
  /** Slice i: calls at [2i], failures at [2i + 1]. */
  private readonly slices = new Uint32Array(SLICES * 2);
  /** Number of the newest slice since the epoch of the clock. */
  private newest = 0;

  constructor(windowMs: number) {
    this.sliceMs = windowMs / SLICES;
  }

  /** `failures` is 0 or 1. */
  add(failures: number, nowMs: number): void {
    const slice = Math.floor(nowMs / this.sliceMs);
    if (slice !== this.newest) this.moveTo(slice);
    const at = (slice % SLICES) * 2;
    this.slices[at]!++;
    this.slices[at + 1]! += failures;
    this.callCount++;
    this.failureCount += failures;
  }

  clear(): void {
    this.slices.fill(0);
    this.callCount = 0;
    this.failureCount = 0;
  }

  private moveTo(slice: number): void {
    if (slice < this.newest || slice - this.newest >= SLICES) this.clear();
    else for (let passed = this.newest + 1; passed <= slice; passed++) this.empty((passed % SLICES) * 2);
    this.newest = slice;
  }

  private empty(at: number): void {
    this.callCount -= this.slices[at]!;
    this.failureCount -= this.slices[at + 1]!;
    this.slices[at] = 0;
    this.slices[at + 1] = 0;
  }
}
