import { setImmediate } from 'node:timers/promises';

/** How long requests wait for a part of a change that is taken over. */
const TURN_MS = 0.3;

/** Small parts that are done before the clock is looked at: it takes as long as a fifth of one. */
const SMALL_PARTS = 8;

/** Long work in turns with requests: `if (turns.isOver) await turns.next();` between its parts. */
export class Turns {
  private sinceMs = performance.now();
  private smallParts = 0;

  get isOver(): boolean {
    return performance.now() - this.sinceMs >= TURN_MS;
  }

  /** The same between parts of a few microseconds. */
  get isOverSoon(): boolean {
    if (++this.smallParts < SMALL_PARTS) return false;
    this.smallParts = 0;
    return this.isOver;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.begin();
  }

  /** Whoever waited for something else has let requests in. */
  begin(): void {
    this.sinceMs = performance.now();
  }
}
