/** One process of the fleet, as it is built: started, killed, stopped for a while, ended as an operator does. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { endingWithUs } from '@gatehouse/testkit';

export const ROOT = path.resolve(import.meta.dirname, '../../..');
const LISTENING_MS = 30_000;
const ENDED_MS = 45_000;

export class Part {
  private child: ChildProcess | null = null;
  /** Added to what the part is always started with, by a scenario. */
  extra: Record<string, string> = {};

  constructor(
    readonly name: string,
    private readonly main: string,
    private readonly environment: Readonly<Record<string, string>>,
    readonly logFile: string,
  ) {}

  get isRunning(): boolean {
    return this.child !== null;
  }

  get pid(): number {
    return this.child!.pid!;
  }

  /** Resolves when it says that it listens; rejects with the end of its log when it ends before. */
  async start(): Promise<void> {
    if (this.child !== null) throw new Error(`${this.name} runs already`);
    const from = this.log().length;
    const file = openSync(this.logFile, 'a');
    // Nothing is left when this process is killed, not even a part that is stopped and cannot see its channel close.
    const [execPath, execArgv] = endingWithUs([process.execPath, []]);
    const child = fork(path.join(ROOT, this.main), [], {
      env: { PATH: process.env['PATH'], ...this.environment, ...this.extra },
      execPath,
      execArgv: [...execArgv],
      stdio: ['ignore', file, file, 'ipc'],
    });
    closeSync(file);
    this.child = child;
    child.once('exit', () => {
      if (this.child === child) this.child = null;
    });
    const endMs = performance.now() + LISTENING_MS;
    while (!this.log().slice(from).includes('"msg":"listening"')) {
      if (this.child !== child || performance.now() > endMs)
        throw new Error(`${this.name} does not listen:\n${this.log().slice(-3_000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  log(): string {
    try {
      return readFileSync(this.logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.signalled('SIGKILL');
  }

  /** SIGTERM; resolves with the exit code. Rejects when it does not end. */
  async terminate(): Promise<number | null> {
    return this.signalled('SIGTERM');
  }

  /** Stops answering without closing anything, as a machine that hangs. */
  pause(): void {
    this.child!.kill('SIGSTOP');
  }

  resume(): void {
    this.child!.kill('SIGCONT');
  }

  /** Whatever state it is in. */
  killNow(): void {
    this.child?.kill('SIGKILL');
  }

  private async signalled(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.child;
    if (child === null) return null;
    const ended = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    let timer: NodeJS.Timeout;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name} did not end within ${ENDED_MS} ms of ${signal}`)), ENDED_MS);
    });
    const [code] = await Promise.race([ended, late]).finally(() => clearTimeout(timer));
    return code;
  }
}
