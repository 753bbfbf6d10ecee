import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { findPrograms } from './programs.js';
import { commandAs, findServerUser } from './server-user.js';

const USER = 'gatehouse';
const POLL_MS = 20;
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;

export interface EmbeddedPostgresOptions {
  /** Data directory; made at the first start. */
  readonly directory: string;
  readonly logFile: string;
  /** TCP, 127.0.0.1. */
  readonly port: number;
  readonly password: string;
  /** Made at the start when absent. */
  readonly database: string;
  /** Settings beyond our own, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** What a running server says about itself in `postmaster.pid`. */
interface Running {
  readonly pid: number;
  readonly port: number;
  readonly isReady: boolean;
}

/** One PostgreSQL server over one data directory. It outlives this process unless it is stopped. */
export class EmbeddedPostgres {
  /** Connects to `database`; holds the password. */
  readonly url: string;

  constructor(private readonly options: EmbeddedPostgresOptions) {
    this.url = this.urlOf(options.database);
  }

  urlOf(database: string): string {
    const { password, port } = this.options;
    return `postgresql://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  }

  /** Resolves when `database` answers. Rejects with the end of the server's log when it does not come up. May be called again. */
  async start(): Promise<void> {
    while (!(await this.#startOnce()));
  }

  /** False when the server that was found running turned out to be dying: its end is awaited, the next try launches one. */
  async #startOnce(): Promise<boolean> {
    const found = await this.#settled();
    if (found !== null && (found.port !== this.options.port || !found.isReady)) await this.stop();
    const running = this.#running();
    if (running === null) {
      if (!existsSync(path.join(this.options.directory, 'PG_VERSION'))) await this.initialise();
      await this.#launch();
    }
    try {
      await this.createDatabase(this.options.database);
      return true;
    } catch (cause) {
      if (running === null || !isConnectionLoss(cause)) throw cause;
      const deadlineMs = performance.now() + STOP_DEADLINE_MS;
      while (isAlive(running.pid) && performance.now() < deadlineMs) await sleep(POLL_MS);
      if (isAlive(running.pid)) throw cause;
      return false;
    }
  }

  /** Waits for the server's clean end; kills it after a deadline. Nothing happens when none runs. */
  async stop(): Promise<void> {
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      const running = this.#running();
      if (running === null) return;
      process.kill(running.pid, signal); // SIGINT: ends sessions, writes a checkpoint. SIGQUIT: recovers at the next start.
      const deadlineMs = performance.now() + STOP_DEADLINE_MS;
      while (isAlive(running.pid) && performance.now() < deadlineMs) await sleep(POLL_MS);
    }
  }

  /** Makes the database unless it exists; returns its URL. */
  async createDatabase(name: string): Promise<string> {
    const client = new pg.Client({ connectionString: this.urlOf('postgres') });
    await client.connect();
    try {
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    } finally {
      await client.end();
    }
    return this.urlOf(name);
  }

  /** A server that is just coming up or going down is given time to arrive. */
  async #settled(): Promise<Running | null> {
    const deadlineMs = performance.now() + START_DEADLINE_MS;
    for (;;) {
      const running = this.#running();
      if (running === null || running.isReady || performance.now() > deadlineMs) return running;
      await sleep(POLL_MS);
    }
  }

  /** Makes the data directory; `start` does it when there is none. */
  async initialise(): Promise<void> {
    const { directory, password } = this.options;
    const user = await findServerUser();
    const { initdb } = await findPrograms(user);
    // Under another name until it is complete: a start that is cut short leaves nothing that looks like a database.
    const unfinished = `${directory}.new`;
    const passwordFile = `${directory}.password`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true, mode: 0o700 });
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    try {
      if (user !== null) for (const place of [unfinished, passwordFile]) await chown(place, user.uid, user.gid);
      const command = await commandAs(user, unfinished, initdb, [
        `--pgdata=${unfinished}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
      ]);
      await this.#run(command, path.dirname(unfinished));
      await rm(directory, { recursive: true, force: true });
      await rename(unfinished, directory);
    } finally {
      await rm(passwordFile, { force: true });
    }
  }

  async #launch(): Promise<void> {
    const { directory, logFile, port } = this.options;
    const user = await findServerUser();
    const { postgres } = await findPrograms(user);
    const settings = {
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      log_timezone: 'UTC',
      timezone: 'UTC',
      jit: 'off',
      ...this.options.settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const command = await commandAs(user, directory, postgres, ['-D', directory, ...args]);
    const deadlineMs = performance.now() + START_DEADLINE_MS;
    for (;;) {
      // Whatever the file says, nothing of ours runs: a left-over with a reused process id would make the server refuse.
      await rm(path.join(directory, 'postmaster.pid'), { force: true });
      const logEnd = await this.#spawnServer(command, logFile, directory, deadlineMs);
      if (logEnd === null) return;
      // After a kill -9 of the server its children need a moment to notice and let go of its memory.
      const isTransient = logEnd.includes('still in use');
      if (!isTransient || performance.now() > deadlineMs)
        throw new Error(`PostgreSQL did not start on 127.0.0.1:${port}:\n${logEnd}`);
      await sleep(10 * POLL_MS);
    }
  }

  /** `null` when the server is ready, else the last lines of its log. */
  async #spawnServer(command: readonly string[], logFile: string, cwd: string, deadlineMs: number): Promise<string | null> {
    await mkdir(path.dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a', 0o600);
    // A process group of its own: Ctrl-C reaches the launcher alone, which stops the server last.
    const child = spawn(command[0]!, command.slice(1), {
      cwd,
      detached: true,
      stdio: ['ignore', log, log],
      env: serverEnvironment(),
    });
    closeSync(log);
    child.unref();
    let end: string | null = null;
    child.once('error', (error) => (end = error.message));
    child.once('exit', (code, signal) => (end = `it ended with ${signal ?? `exit code ${code}`}`));
    while (performance.now() < deadlineMs) {
      if (end !== null) return `${end}\n${await lastLines(logFile)}`;
      if (this.#running()?.isReady) return null;
      await sleep(POLL_MS);
    }
    await this.stop();
    return `not ready in ${START_DEADLINE_MS / 1000} s\n${await lastLines(logFile)}`;
  }

  async #run(command: readonly string[], cwd: string): Promise<void> {
    const child = spawn(command[0]!, command.slice(1), { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: serverEnvironment() });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once('error', reject);
    child.once('close', resolve);
    const code = await promise;
    if (code !== 0)
      throw new Error(
        `${command.find((word) => word.endsWith('initdb')) ?? command[0]} failed (${code}):\n${output.slice(-2000)}`,
      );
  }

  /** Lines of postmaster.pid: process id, data directory, start time, port, socket directory, address, memory, status. */
  #running(): Running | null {
    const file = path.join(this.options.directory, 'postmaster.pid');
    let lines: string[];
    try {
      lines = readFileSync(file, 'utf8').split('\n');
    } catch {
      return null;
    }
    const pid = Number(lines[0]);
    if (!(pid > 0) || !isAlive(pid) || !mentions(pid, this.options.directory)) return null;
    return { pid, port: Number(lines[3]), isReady: lines[7]?.trim() === 'ready' };
  }
}

/** Nothing of our own environment: PGDATA, PGPORT or a preloaded library would change what the server does. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

/** The connection broke or was turned away because the server is on its way out: 57P0x are "shutdown", "crash" and "cannot connect now". */
function isConnectionLoss(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', '57P01', '57P02', '57P03'].includes(code ?? '') || /terminated/.test(message);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the command line of `pid` holds `text`; true where that cannot be seen. */
function mentions(pid: number, text: string): boolean {
  if (!existsSync('/proc/self/cmdline')) return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
  } catch {
    return false; // ended in between
  }
}

async function lastLines(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, 2000));
    await handle.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8').split('\n').slice(-10).join('\n');
  } finally {
    await handle.close();
  }
}
