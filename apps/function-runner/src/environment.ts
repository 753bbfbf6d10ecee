/**
 * One execution environment: one program in its own process group, serving one call at a time.
 *
 *   starting ──> waiting ──> calling ──> waiting (frozen) ──> ...
 *       └───────────┴───────────┴──> ended: by itself, or killed for time, memory or nonsense
 *
 * Every limit is enforced from out here. What the program prints and answers is data of a tenant.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import type { Clock } from '@gatehouse/kernel';
import type { PublishedFunction } from './catalog.js';
import type { Command, Confinement } from './confinement.js';
import { exited, failure, outOfMemory, timedOut, type Exit, type Invocation, type Outcome } from './invocation.js';
import { LogCapture, type LogSink } from './log-capture.js';
import { NodeChannel } from './node-channel.js';
import { belongsToTree } from './peer.js';
import { peakResidentBytes } from './process-tree.js';
import { RuntimeApi } from './runtime-api.js';
import type { RuntimeChannel } from './runtime-channel.js';
import type { Folders, Program } from './runtimes.js';
import type { Sandbox } from './sandbox.js';
import type { Watchdog } from './watchdog.js';

export interface Completed {
  readonly outcome: Outcome;
  /** The last 4 KB of log. */
  readonly logTail: Buffer;
}

export interface EnvironmentParts {
  readonly sandbox: Sandbox;
  readonly confinement: Confinement | null;
  readonly watchdog: Watchdog;
  readonly logs: LogSink;
  readonly clock: Clock;
  /** Lambda's time for the init phase. */
  readonly initTimeoutMs: number;
}

type End = { readonly killedFor: KillReason } | { readonly exit: Exit };
type KillReason = 'time' | 'memory' | 'nonsense' | 'retired';

/** Files an environment may write; Lambda's default size of /tmp. */
const SCRATCH_FILE_BYTES_MAX = 512 * 1024 * 1024;
/** How long after its end a program's last output is waited for. */
const LAST_OUTPUT_MS = 50;
/** Read by the dynamic loader of the wrapper too, which runs before any limit is set: handed on by `env` at its end. */
const LOADER_VARIABLE = /^(?:LD_|GLIBC_|GCONV_|MALLOC_)/;

const UNCONFINED = {
  command: ({ argv, variables }: Command): Pick<Command, 'argv' | 'variables'> => {
    const [others, loader] = [false, true].map((isLoader) =>
      Object.entries(variables).filter(([name]) => LOADER_VARIABLE.test(name) === isLoader),
    ) as [[string, string][], [string, string][]];
    const set = loader.map(([name, value]) => `${name}=${value}`);
    return { argv: set.length === 0 ? argv : ['env', ...set, ...argv], variables: Object.fromEntries(others) };
  },
};

export class Environment {
  readonly pid: number;
  readonly isSingle: boolean;
  readonly memoryBytesMax: number;
  isFrozen = false;
  idleSinceMs = 0;
  private readonly logs: LogCapture;
  private readonly end = Promise.withResolvers<End>();
  private readonly stopWatching: () => void;
  private readonly startedMs: number;
  /** Processes stopped one by one while frozen. */
  private readonly stopped = new Set<number>();
  private hasServed = false;
  private isEnded = false;

  private constructor(
    readonly fn: PublishedFunction,
    child: ChildProcess,
    private readonly channel: RuntimeChannel,
    program: Program,
    private readonly parts: EnvironmentParts,
    private readonly onEnd: () => void,
  ) {
    this.startedMs = parts.clock.nowMs();
    this.pid = child.pid as number;
    this.isSingle = program.speaksFrames;
    this.memoryBytesMax = fn.entry.memoryMb * 1024 * 1024;
    this.logs = new LogCapture([child.stdout!, child.stderr!], (chunk) => parts.logs.write(fn.entry, chunk));
    this.stopWatching = parts.watchdog.watch(this);
    child.once('exit', (code, signal) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.ended({ exit: { code, signal } });
      };
      const timer = setTimeout(finish, LAST_OUTPUT_MS);
      child.once('close', finish);
    });
  }

  /** Starts the program; throws when the operating system refuses. `onEnd` is called once, however it ends. */
  static async start(
    fn: PublishedFunction,
    program: Program,
    folders: Folders,
    parts: EnvironmentParts,
    onEnd: () => void,
  ): Promise<Environment> {
    let pid = 0;
    const api = program.speaksFrames ? null : await RuntimeApi.listen((socket) => belongsToTree(socket, pid));
    const variables = { ...program.environment, ...(api !== null && { AWS_LAMBDA_RUNTIME_API: api.address }) };
    const cell = parts.confinement?.cell(folders) ?? null;
    const command = (cell ?? UNCONFINED).command({ argv: program.argv, variables, isSingle: program.speaksFrames });
    const isConfined = program.speaksFrames || cell !== null;
    const [file, ...args] = parts.sandbox.wrap(command.argv, { isConfined, fileBytesMax: SCRATCH_FILE_BYTES_MAX });
    const child = spawn(file as string, args, {
      cwd: folders.taskRoot,
      detached: true, // its own session and process group, to be killed as one
      env: command.variables,
      stdio: ['ignore', 'pipe', 'pipe', ...(program.speaksFrames ? (['pipe'] as const) : [])],
    });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    }).catch((cause: unknown) => {
      api?.close();
      cell?.close();
      throw cause;
    });
    child.on('error', () => {}); // of signals to a process that is gone
    pid = child.pid as number;
    let environment: Environment | null = null;
    const channel =
      api ??
      new NodeChannel(
        child.stdio[3] as Duplex,
        { handler: fn.entry.handler, taskRoot: folders.taskRoot, environment: fn.entry.environment },
        () => environment?.kill('nonsense'),
      );
    environment = new Environment(fn, child, channel, program, parts, () => {
      cell?.close();
      onEnd();
    });
    return environment;
  }

  /** May it take a call? */
  get isUsable(): boolean {
    return !this.isEnded && !this.channel.isSpent;
  }

  /** Runs one call to its end; never rejects. The first one includes the init phase. */
  async invoke(invocation: Invocation): Promise<Completed> {
    this.thaw();
    const { requestId } = invocation;
    this.logs.line(`START RequestId: ${requestId} Version: ${this.fn.entry.version}`);
    let outcome = this.hasServed ? null : await this.initialize(requestId);
    const initMs = this.hasServed ? null : this.parts.clock.nowMs() - this.startedMs;
    const calledMs = performance.now();
    outcome ??= await this.call(invocation);
    const durationMs = performance.now() - calledMs;
    this.hasServed = true;
    // What was printed before the answer has reached our sockets by now; one turn of the event loop reads it.
    await new Promise((resolve) => setImmediate(resolve));
    this.report(requestId, durationMs, initMs);
    return { outcome, logTail: this.logs.takeTail() };
  }

  /** Stops everything in it until the next call, as Lambda does, so that idle functions cost no processor time. */
  freeze(): void {
    this.idleSinceMs = this.parts.clock.nowMs();
    if (!this.parts.sandbox.endsWithRunner || this.isEnded) return;
    this.isFrozen = true;
    this.signal('SIGSTOP');
  }

  stop(pids: readonly number[]): void {
    for (const pid of pids) {
      if (this.stopped.has(pid)) continue;
      this.stopped.add(pid);
      send(pid, 'SIGSTOP');
    }
  }

  kill(reason: KillReason): void {
    this.signal('SIGKILL');
    this.ended({ killedFor: reason });
  }

  private thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    this.signal('SIGCONT');
    for (const pid of this.stopped) send(pid, 'SIGCONT');
    this.stopped.clear();
  }

  private async initialize(requestId: string): Promise<Outcome | null> {
    // Lambda gives the init phase ten seconds, then starts it again under the function's own timeout; here it simply goes on.
    const limitMs = this.parts.initTimeoutMs + this.fn.entry.timeoutMs;
    const outcome = await this.within(limitMs, this.channel.initialized, requestId);
    if (outcome !== null) this.kill('retired');
    return outcome;
  }

  private call(invocation: Invocation): Promise<Outcome> {
    const { timeoutMs } = this.fn.entry;
    const deadlineMs = this.parts.clock.nowMs() + timeoutMs;
    return this.within(timeoutMs, this.channel.invoke(invocation, deadlineMs), invocation.requestId);
  }

  /** `work`, unless the environment ends first; at `limitMs` it is ended. */
  private async within<T>(limitMs: number, work: Promise<T>, requestId: string): Promise<T | Outcome> {
    const timer = setTimeout(() => this.kill('time'), limitMs);
    try {
      return await Promise.race([work, this.end.promise.then((end) => this.outcomeOf(end, requestId))]);
    } finally {
      clearTimeout(timer);
    }
  }

  private outcomeOf(end: End, requestId: string): Outcome {
    if ('exit' in end) return exited(requestId, end.exit);
    switch (end.killedFor) {
      case 'time': {
        const { timeoutMs } = this.fn.entry;
        this.logs.line(
          `${new Date(this.parts.clock.nowMs()).toISOString()} ${requestId} Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds\n`,
        );
        return timedOut(requestId, timeoutMs);
      }
      case 'memory':
        return outOfMemory(requestId);
      case 'nonsense':
        return failure('Runtime.ExitError', `RequestId: ${requestId} Error: the runtime wrote something else than its protocol`);
      case 'retired':
        return exited(requestId, { code: null, signal: 'SIGKILL' });
    }
  }

  private report(requestId: string, durationMs: number, initMs: number | null): void {
    const { memoryMb } = this.fn.entry;
    const usedMb = Math.ceil(peakResidentBytes(this.pid) / (1024 * 1024));
    this.logs.line(`END RequestId: ${requestId}`);
    this.logs.line(
      `REPORT RequestId: ${requestId}\tDuration: ${durationMs.toFixed(2)} ms\tBilled Duration: ${Math.ceil(durationMs)} ms\t` +
        `Memory Size: ${memoryMb} MB\tMax Memory Used: ${usedMb} MB\t${initMs === null ? '' : `Init Duration: ${initMs.toFixed(2)} ms\t`}`,
    );
  }

  private ended(end: End): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.end.resolve(end);
    this.stopWatching();
    this.signal('SIGKILL'); // the rest of the group, if the leader ended by itself
    this.channel.close();
    // The output read so far belongs to the call that is just being answered.
    setTimeout(() => this.logs.close(), LAST_OUTPUT_MS).unref();
    this.onEnd();
  }

  private signal(name: Signal): void {
    send(-this.pid, name);
  }
}

type Signal = 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';

/** To a process, or with a negative number to its group. */
function send(pid: number, signal: Signal): void {
  try {
    process.kill(pid, signal);
  } catch {
    // nobody left to signal
  }
}
