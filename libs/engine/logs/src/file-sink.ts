/**
 * A log group as a file that is appended to. It is opened for each batch: a node may have thousands of log groups and few descriptors.
 * A full file becomes `.1`, that one `.2`, and the oldest goes. One process writes to it.
 */
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { LogEvent, LogSink, Outcome } from './log-group.js';

export interface FileLimits {
  readonly fileBytesMax: number;
  /** Full ones that are kept. */
  readonly oldFilesMax: number;
}

export class FileSink implements LogSink {
  constructor(
    private readonly file: string,
    private readonly limits: FileLimits,
    /** Told why a batch was not written. */
    private readonly onFailure: (file: string, cause: unknown) => void,
    /** Lines have no time of their own. */
    private readonly isStamped: boolean,
  ) {}

  async append(events: readonly LogEvent[]): Promise<Outcome> {
    const text = Buffer.from(events.map((event) => `${this.textOf(event)}\n`).join(''), 'utf8');
    try {
      await this.write(text);
      return 'TAKEN';
    } catch (cause) {
      this.onFailure(this.file, cause);
      return 'FAILED';
    }
  }

  private textOf({ timeMs, message }: LogEvent): string {
    return this.isStamped ? `${new Date(timeMs).toISOString()} ${message}` : message;
  }

  private async write(text: Buffer): Promise<void> {
    let file = await this.open();
    try {
      const { size } = await file.stat();
      if (size > 0 && size + text.length > this.limits.fileBytesMax) {
        await file.close();
        await this.rotate();
        file = await this.open();
      }
      await file.appendFile(text);
    } finally {
      await file.close();
    }
  }

  private async open(): Promise<FileHandle> {
    try {
      return await open(this.file, 'a', 0o600);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      await mkdir(path.dirname(this.file), { recursive: true, mode: 0o700 });
      return open(this.file, 'a', 0o600);
    }
  }

  private async rotate(): Promise<void> {
    if (this.limits.oldFilesMax === 0) await rm(this.file, { force: true });
    for (let i = this.limits.oldFilesMax; i > 0; i--) {
      await rename(i === 1 ? this.file : `${this.file}.${i - 1}`, `${this.file}.${i}`).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'ENOENT') throw cause; // there are not that many yet
      });
    }
  }
}
