import { setImmediate } from 'node:timers/promises';

/** How long requests wait for a part of a change that is taken over. */
const TURN_MS = 0.3;

/** Long work in turns with requests: `if (turns.isOver) await turns.next();` between its parts. */
export class Turns {
  private sinceMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.sinceMs >= TURN_MS;
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
