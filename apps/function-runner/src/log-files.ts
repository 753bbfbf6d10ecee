/**
 * Function logs on disk: `{root}/{account}/{function}.log`, and one older file beside it. Bounded on both sides: what waits in
 * memory for the disk, and what stays on it.
 */
import { appendFile, mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import type { LogSink } from './log-capture.js';

const FILE_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_BYTES_MAX = 1024 * 1024;
const FLUSH_MS = 200;

interface Waiting {
  chunks: Buffer[];
  bytes: number;
  droppedBytes: number;
}

export class LogFiles implements LogSink {
  private readonly waiting = new Map<string, Waiting>();
  private timer: NodeJS.Timeout | null = null;
  private flushing: Promise<void> = Promise.resolve();

  constructor(
    private readonly root: string,
    private readonly onError: (cause: unknown) => void,
  ) {}

  // Both names come from the manifest, where they hold no separator or dot (account id, [A-Za-z0-9_-]).
  write({ tenant, functionName }: { tenant: string; functionName: string }, chunk: Buffer): void {
    const file = path.join(this.root, tenant, `${functionName}.log`);
    const waiting = this.waiting.get(file) ?? { chunks: [], bytes: 0, droppedBytes: 0 };
    this.waiting.set(file, waiting);
    if (waiting.bytes + chunk.length > WAITING_BYTES_MAX) waiting.droppedBytes += chunk.length;
    else {
      waiting.chunks.push(chunk);
      waiting.bytes += chunk.length;
    }
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS);
  }

  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const files = [...this.waiting];
    this.waiting.clear();
    this.flushing = this.flushing.then(async () => {
      for (const [file, waiting] of files) await this.append(file, waiting).catch(this.onError);
    });
    return this.flushing;
  }

  private async append(file: string, { chunks, droppedBytes }: Waiting): Promise<void> {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const note = droppedBytes > 0 ? [Buffer.from(`[gatehouse] ${droppedBytes} bytes of log were dropped\n`)] : [];
    await appendFile(file, Buffer.concat([...chunks, ...note]), { mode: 0o600 });
    if ((await stat(file)).size > FILE_BYTES_MAX) await rename(file, `${file}.1`);
  }
}
