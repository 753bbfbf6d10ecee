/** Has a thread of its own write to the disk (disk.worker.ts), in the order in which it is asked to. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { BlobBytes } from './decoded-blob.js';

/** Places are whole paths. */
export type DiskJob =
  /** As a whole: written to `draft` first. */
  | { readonly kind: 'write'; readonly place: string; readonly draft: string; readonly bytes: Uint8Array }
  /** The same, decoded and checked before. The outcome is the content; `null`, and nothing written, if it is not what the digest says. */
  | ({ readonly kind: 'blob'; readonly place: string; readonly draft: string } & BlobBytes)
  /** Cut off at `atByte`, then added to, then on the disk. */
  | { readonly kind: 'append'; readonly place: string; readonly atByte: number; readonly bytes: Uint8Array }
  | { readonly kind: 'remove'; readonly place: string }
  /** Closes the file that is appended to. */
  | { readonly kind: 'release' };

export interface DiskThreadSettings {
  readonly folderMode: number;
  readonly fileMode: number;
}

/** Of a job that did not fail; `content` is that of a blob. */
export interface JobDone {
  readonly content: Uint8Array | null;
}

export interface JobFailure {
  readonly message: string;
  /** Of the operating system: ENOSPC and its like; empty when it said none. */
  readonly code: string;
}

type Waiting = PromiseWithResolvers<Uint8Array | null>;

export class DiskThread {
  private worker: Worker | null = null;
  /** Asked for in this turn of the event loop; they go together. */
  private jobs: DiskJob[] = [];
  private asking: Waiting[] = [];
  /** Sent and not answered, the oldest first. */
  private sent: Waiting[][] = [];

  constructor(private readonly settings: DiskThreadSettings) {}

  /** Resolves when it is done, with a blob's content. The bytes may be changed afterwards: a copy is written. */
  run(job: DiskJob): Promise<Uint8Array | null> {
    const waiting = Promise.withResolvers<Uint8Array | null>();
    this.jobs.push('bytes' in job ? { ...job, bytes: new Uint8Array(job.bytes) } : job);
    this.asking.push(waiting);
    if (this.jobs.length === 1) setImmediate(() => this.send());
    return waiting.promise;
  }

  /** After the jobs that were asked for; a later one starts the thread again. */
  async close(): Promise<void> {
    if (this.worker === null && this.jobs.length === 0) return;
    await this.run({ kind: 'release' });
    const worker = this.worker;
    this.worker = null;
    await worker?.terminate();
  }

  private send(): void {
    const { jobs, asking } = this;
    this.jobs = [];
    this.asking = [];
    this.sent.push(asking);
    const worker = (this.worker ??= this.start());
    worker.ref(); // what is to be written keeps the process
    worker.postMessage(
      jobs,
      jobs.flatMap((job) => ('bytes' in job ? [job.bytes.buffer as ArrayBuffer] : [])),
    );
  }

  private start(): Worker {
    const file = new URL(`./disk.worker${path.extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(file, { workerData: this.settings, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 64 } });
    worker.on('message', (outcomes: readonly (JobDone | JobFailure)[]) => {
      const asking = this.sent.shift()!;
      if (this.sent.length === 0) worker.unref();
      for (const [index, outcome] of outcomes.entries()) {
        if ('content' in outcome) asking[index]!.resolve(outcome.content);
        else asking[index]!.reject(Object.assign(new Error(outcome.message), { code: outcome.code }));
      }
    });
    worker.on('error', (cause) => this.lost(worker, cause));
    worker.on('exit', () => this.lost(worker, new Error('the thread that writes to the disk ended')));
    return worker;
  }

  /** What was sent is done or not, nobody knows: to its callers it failed. */
  private lost(worker: Worker, cause: unknown): void {
    if (this.worker !== worker) return; // closed, or lost before
    this.worker = null;
    for (const waiting of this.sent.splice(0).flat()) waiting.reject(cause);
  }
}
