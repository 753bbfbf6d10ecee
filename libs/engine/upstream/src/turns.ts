/** Lets a few tasks run at once; the others wait in line. */
export class Turns {
  private runningCount = 0;
  /** In the order of arrival; who gave up is taken out. */
  private readonly waiting = new Set<() => void>();

  constructor(private readonly runningMax: number) {}

  /** Rejects with the signal's reason when it is raised before the task's turn; a task that began is not ended by it. */
  async take<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.runningCount >= this.runningMax) await this.turn(signal);
    else this.runningCount++;
    try {
      return await task();
    } finally {
      this.handOver();
    }
  }

  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.waiting.delete(begin);
        reject(signal.reason as Error);
      };
      if (signal.aborted) {
        leave();
        return;
      }
      this.waiting.add(begin);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** The place goes to the next in line, or becomes free. */
  private handOver(): void {
    for (const begin of this.waiting) {
      this.waiting.delete(begin);
      begin();
      return;
    }
    this.runningCount--;
  }
}
