import type { Readable } from 'node:stream';

/** Where function logs go for good. Must not block and must bound what it keeps. */
export interface LogSink {
  write(functionName: { readonly tenant: string; readonly functionName: string }, lines: Buffer): void;
}

/** What `LogType: Tail` shows. */
const TAIL_BYTES_MAX = 4 * 1024;
/** Output read at full speed; beyond it a program that floods waits for the runner, not the other way round. */
const BURST_BYTES = 1024 * 1024;
const PAUSE_MS = 100;

/** Reads what a program prints, keeps the tail of the present call and hands everything to the sink. */
export class LogCapture {
  private tail: Buffer[] = [];
  private tailBytes = 0;
  private readBytes = 0;
  private pause: NodeJS.Timeout | null = null;

  constructor(
    private readonly streams: readonly Readable[],
    private readonly keep: (chunk: Buffer) => void,
  ) {
    for (const stream of streams) {
      stream.on('data', (chunk: Buffer) => this.read(chunk));
      stream.on('error', () => stream.destroy());
    }
  }

  /** A line of the platform, e.g. START. */
  line(text: string): void {
    this.add(Buffer.from(`${text}\n`));
  }

  /** The last 4 KB since the last call of this. */
  takeTail(): Buffer {
    const tail = Buffer.concat(this.tail);
    this.tail = [];
    this.tailBytes = 0;
    this.readBytes = 0;
    return tail.subarray(Math.max(0, tail.length - TAIL_BYTES_MAX));
  }

  close(): void {
    if (this.pause !== null) clearTimeout(this.pause);
    for (const stream of this.streams) stream.destroy();
  }

  private read(chunk: Buffer): void {
    this.add(chunk);
    this.readBytes += chunk.length;
    if (this.readBytes < BURST_BYTES || this.pause !== null) return;
    for (const stream of this.streams) stream.pause();
    this.pause = setTimeout(() => {
      this.pause = null;
      this.readBytes = 0;
      for (const stream of this.streams) stream.resume();
    }, PAUSE_MS);
  }

  private add(chunk: Buffer): void {
    this.keep(chunk);
    this.tail.push(chunk);
    this.tailBytes += chunk.length;
    while (this.tailBytes - (this.tail[0] as Buffer).length >= TAIL_BYTES_MAX)
      this.tailBytes -= (this.tail.shift() as Buffer).length;
  }
}
