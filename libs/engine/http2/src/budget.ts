/** Counts events in windows of time: the first one beyond `max` within a window is one too many. */
export class Budget {
  private count = 0;
  private windowEndsAtMs = 0;

  constructor(
    private readonly max: number,
    private readonly windowMs: number,
  ) {}

  /** False when this event is one too many. */
  spend(nowMs: number): boolean {
    if (nowMs >= this.windowEndsAtMs) {
      this.windowEndsAtMs = nowMs + this.windowMs;
      this.count = 0;
    }
    return ++this.count <= this.max;
  }
}
