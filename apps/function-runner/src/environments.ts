/** Which environments exist, who uses which, and how many there may be. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { CallQueue, type QueueLimits } from './call-queue.js';
import type { FunctionCatalog, PublishedFunction } from './catalog.js';
import { Environment, type Completed, type EnvironmentParts } from './environment.js';
import { failure, type Invocation, type Outcome } from './invocation.js';
import { BadPackage, type Packages } from './packages.js';
import { NoRuntime, programOf } from './runtimes.js';

export interface ConcurrencyLimits {
  /** Calls of one function at once, unless it reserves its own number. */
  readonly perFunction: number;
  /** Environments alive at once; idle ones give way. */
  readonly total: number;
  readonly idleMs: number;
  /** How long a call waits when one of the two numbers is reached; 0: it is refused at once. */
  readonly queueMs: number;
}

const QUEUE_BOUNDS: Omit<QueueLimits, 'waitMs'> = {
  callsPerFunctionMax: 256,
  bytesPerTenantMax: 32 * 1024 * 1024,
  bytesMax: 256 * 1024 * 1024,
};

/** The right to run one call: in a warm environment, or in one that is still to be started. */
interface Place {
  readonly owner: string;
  readonly environment: Environment | Start;
}

interface Start {
  readonly codeDigest: string;
}

/** No environment may be started for this call now. The reason is Lambda's. */
export class Throttled extends Error {
  constructor(readonly reason: 'ConcurrentInvocationLimitExceeded' | 'ReservedFunctionConcurrentInvocationLimitExceeded') {
    super('Rate Exceeded.');
    this.name = 'Throttled';
  }
}

export class Environments {
  /** By environment key; the one used last is taken first, so that the others grow old. */
  private readonly idle = new Map<string, Environment[]>();
  private readonly all = new Set<Environment>();
  /** Calls in progress by `{tenant}:{function}`. */
  private readonly running = new Map<string, number>();
  private runningCount = 0;
  /** One for each environment that is being started. */
  private readonly starting = new Set<Start>();
  private readonly queue: CallQueue<Place>;
  private isClosed = false;
  private scratchCounter = 0;
  private readonly reaper: NodeJS.Timeout;
  private whenQuiet: (() => void) | null = null;

  private constructor(
    private readonly scratchRoot: string,
    private readonly catalog: FunctionCatalog,
    private readonly packages: Packages,
    private readonly limits: ConcurrencyLimits,
    private readonly parts: EnvironmentParts,
  ) {
    this.queue = new CallQueue({ ...QUEUE_BOUNDS, waitMs: limits.queueMs });
    this.reaper = setInterval(() => this.reap(), Math.min(limits.idleMs, 10_000)).unref();
    catalog.onChange((ids) => this.retire(ids));
  }

  /** Clears the scratch space of an earlier process. */
  static async open(
    scratchRoot: string,
    catalog: FunctionCatalog,
    packages: Packages,
    limits: ConcurrencyLimits,
    parts: EnvironmentParts,
  ): Promise<Environments> {
    await rm(scratchRoot, { recursive: true, force: true });
    await mkdir(scratchRoot, { recursive: true });
    return new Environments(scratchRoot, catalog, packages, limits, parts);
  }

  /**
   * Runs a call in a warm environment or a new one. Throws Throttled: at once when the function's own reservation is used up,
   * and when this machine's limits are, after waiting for a place. A call without a caller (`left` is `null`) does not wait.
   */
  async invoke(fn: PublishedFunction, invocation: Invocation, left: AbortSignal | null): Promise<Completed> {
    const place = await this.placeFor(fn, invocation.event.length, left);
    try {
      return await this.run(fn, place, invocation);
    } finally {
      this.leave(place);
    }
  }

  /** Waits for the calls in progress, at most `graceMs`, then ends every environment. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.reaper);
    if (this.runningCount > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.whenQuiet = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.isClosed = true;
    this.queue.close();
    for (const environment of this.all) environment.kill('retired');
  }

  private async placeFor(fn: PublishedFunction, eventBytes: number, left: AbortSignal | null): Promise<Place> {
    const { reservedConcurrency } = fn.entry;
    const waitingCount = this.queue.countOf(fn);
    if (reservedConcurrency !== null && (this.running.get(ownerOf(fn)) ?? 0) + waitingCount >= reservedConcurrency) {
      throw new Throttled('ReservedFunctionConcurrentInvocationLimitExceeded');
    }
    const place =
      (waitingCount === 0 ? this.takePlace(fn) : null) ?? (left === null ? null : await this.queue.wait(fn, eventBytes, left));
    if (place === null) throw new Throttled('ConcurrentInvocationLimitExceeded');
    return place;
  }

  /** `null` when there is none now. What is taken counts from here on. */
  private takePlace(fn: PublishedFunction): Place | null {
    const owner = ownerOf(fn);
    const runningNow = this.running.get(owner) ?? 0;
    if (this.isClosed || runningNow >= (fn.entry.reservedConcurrency ?? this.limits.perFunction)) return null;
    const warm = this.takeIdle(fn.environmentKey);
    if (warm === null && !this.makeRoom()) return null;
    const start = { codeDigest: fn.codeDigest };
    if (warm === null) this.starting.add(start);
    this.running.set(owner, runningNow + 1);
    this.runningCount++;
    return { owner, environment: warm ?? start };
  }

  private leave({ owner }: Place): void {
    const left = (this.running.get(owner) as number) - 1;
    if (left === 0) this.running.delete(owner);
    else this.running.set(owner, left);
    this.runningCount--;
    this.serveQueue();
    if (this.runningCount === 0) this.whenQuiet?.();
  }

  private serveQueue(): void {
    this.queue.serve((fn) => this.takePlace(fn));
  }

  private async run(fn: PublishedFunction, place: Place, invocation: Invocation): Promise<Completed> {
    const environment = place.environment instanceof Environment ? place.environment : await this.start(fn, place.environment);
    if (!(environment instanceof Environment)) return { outcome: environment, logTail: Buffer.alloc(0) };
    const completed = await environment.invoke(invocation);
    this.release(environment);
    return completed;
  }

  private async start(fn: PublishedFunction, start: Start): Promise<Environment | Outcome> {
    const scratch = path.join(this.scratchRoot, String(this.scratchCounter++));
    try {
      const taskRoot = await this.packages.folder(fn.codeDigest, this.catalog.code);
      await mkdir(scratch, { mode: 0o700 });
      const folders = { taskRoot, scratch };
      const program = await programOf(fn, folders, {
        logStream: path.basename(scratch),
        isConfined: this.parts.confinement !== null,
      });
      const environment: Environment = await Environment.start(fn, program, folders, this.parts, () => {
        this.all.delete(environment);
        this.forget(environment);
        queueMicrotask(() => this.serveQueue()); // not now: it may have given way to a call that is just taking its place
        void rm(scratch, { recursive: true, force: true, maxRetries: 3 }).catch(() => {}); // the next start clears it
      });
      this.all.add(environment);
      return environment;
    } catch (cause) {
      await rm(scratch, { recursive: true, force: true });
      if (cause instanceof BadPackage) return failure('InvalidZipFileException', cause.message);
      if (cause instanceof NoRuntime) return failure(cause.errorType, cause.message);
      throw cause;
    } finally {
      this.starting.delete(start);
    }
  }

  private release(environment: Environment): void {
    if (!environment.isUsable) return environment.kill('retired');
    const { environmentKey, id } = environment.fn;
    if (this.catalog.get(id)?.environmentKey !== environmentKey) return environment.kill('retired'); // changed meanwhile
    environment.freeze();
    const list = this.idle.get(environmentKey);
    if (list === undefined) this.idle.set(environmentKey, [environment]);
    else list.push(environment);
  }

  private takeIdle(key: string): Environment | null {
    for (let list = this.idle.get(key); list !== undefined; list = this.idle.get(key)) {
      const environment = list.pop();
      if (list.length === 0) this.idle.delete(key);
      if (environment?.isUsable === true) return environment;
      environment?.kill('retired');
    }
    return null;
  }

  private forget(environment: Environment): void {
    const { environmentKey } = environment.fn;
    const rest = this.idle.get(environmentKey)?.filter((other) => other !== environment);
    if (rest === undefined) return;
    if (rest.length === 0) this.idle.delete(environmentKey);
    else this.idle.set(environmentKey, rest);
  }

  /** Is there room for one more? The environment idle for longest gives way. */
  private makeRoom(): boolean {
    if (this.all.size + this.starting.size < this.limits.total) return true;
    let oldest: Environment | null = null;
    for (const [environment] of this.idle.values()) {
      if (environment !== undefined && (oldest === null || environment.idleSinceMs < oldest.idleSinceMs)) oldest = environment;
    }
    oldest?.kill('retired');
    return oldest !== null;
  }

  private reap(): void {
    const beforeMs = this.parts.clock.nowMs() - this.limits.idleMs;
    for (const list of [...this.idle.values()]) {
      for (const environment of [...list]) if (environment.idleSinceMs <= beforeMs) environment.kill('retired');
    }
  }

  /** Ends idle environments of functions that changed, and removes code nobody uses any more. */
  private retire(ids: readonly string[]): void {
    const changed = new Set(ids);
    for (const list of [...this.idle.values()]) {
      for (const environment of [...list]) {
        const { id, environmentKey } = environment.fn;
        if (changed.has(id) && this.catalog.get(id)?.environmentKey !== environmentKey) environment.kill('retired');
      }
    }
    void this.packages.keepOnly((digest) => this.isUsed(digest)).catch(() => {}); // tried again at the next change
  }

  private isUsed(codeDigest: string): boolean {
    if (this.catalog.hasCode(codeDigest) || this.queue.hasCode(codeDigest)) return true;
    for (const { fn } of this.all) if (fn.codeDigest === codeDigest) return true;
    for (const fn of this.starting) if (fn.codeDigest === codeDigest) return true;
    return false;
  }
}

const ownerOf = ({ entry }: PublishedFunction): string => `${entry.tenant}:${entry.functionName}`;
