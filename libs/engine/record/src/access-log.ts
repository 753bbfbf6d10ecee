import type { Writable } from 'node:stream';

export interface AccessLogOptions {
  /** Bytes that may wait for the sink. */
  readonly bufferBytesMax?: number;
  /** Telemetry's counter of lines thrown away. */
  readonly dropped?: { add(count: number): void };
}

/**
 * Lines on their way to a sink that may be slow, stuck or broken. Writing never waits: lines are collected and handed over once
 * per turn; what does not fit the bound is thrown away and counted, so a stuck sink costs log lines, not requests.
 */
export class AccessLog {
  /** Whole lines with their ends. */
  private waiting = '';
  private waitingCount = 0;
  private isScheduled = false;
  private isBlocked = false;
  private isBroken = false;
  droppedCount = 0;
  private readonly bufferBytesMax: number;

  constructor(
    private readonly sink: Writable,
    private readonly options: AccessLogOptions = {},
  ) {
    this.bufferBytesMax = options.bufferBytesMax ?? 4 * 1024 * 1024;
    sink.on('drain', () => {
      this.isBlocked = false;
      this.schedule();
    });
    const broke = (): void => {
      this.isBroken = true;
      this.drop(this.waitingCount);
      this.waiting = '';
      this.waitingCount = 0;
    };
    sink.on('error', broke);
    sink.on('close', broke);
  }

  /** One line without its end. */
  write(line: string): void {
    // Characters, not bytes: close enough for a bound, and free.
    if (this.isBroken || this.waiting.length + line.length + 1 > this.bufferBytesMax) {
      this.drop(1);
      return;
    }
    this.waiting += `${line}\n`;
    this.waitingCount++;
    this.schedule();
  }

  /** Hands over what is left and waits until the sink has taken it; the sink itself stays open. */
  async flush(): Promise<void> {
    while (!this.isBroken && this.waitingCount > 0) {
      if (this.isBlocked) {
        await new Promise<void>((resolve) => {
          this.sink.once('drain', resolve);
          this.sink.once('close', resolve);
          this.sink.once('error', () => resolve());
        });
      } else this.handOver();
    }
  }

  private schedule(): void {
    if (this.isScheduled || this.isBlocked || this.waitingCount === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      if (!this.isBlocked && !this.isBroken) this.handOver();
    });
  }

  private handOver(): void {
    if (this.waitingCount === 0) return;
    const text = this.waiting;
    this.waiting = '';
    this.waitingCount = 0;
    this.isBlocked = !this.sink.write(text);
  }

  private drop(count: number): void {
    if (count === 0) return;
    this.droppedCount += count;
    this.options.dropped?.add(count);
  }
}
