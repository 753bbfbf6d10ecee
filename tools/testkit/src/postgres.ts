import { randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgres, findPrograms } from '@gatehouse/embedded-postgres';
import { freePort } from './free-ports.js';
import { processTree } from './process-tree.js';

const PASSWORD = 'for-tests-only';
const FOLDER_PREFIX = 'gatehouse-test-postgres-';
const ROOT = path.resolve(import.meta.dirname, '../../..');
const ATTEMPTS = 3;

export interface TestPostgres {
  /** Of an empty database. */
  readonly url: string;
  /** Makes another empty database on the same server; returns its URL. */
  createDatabase(): Promise<string>;
  /** `kill -9` of the server. Its sessions end with it; `restart` recovers what was committed, if it was told to be safe. */
  kill(): Promise<void>;
  /** Stops all its processes without closing anything, as a machine that hangs. */
  pause(): void;
  resume(): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A real PostgreSQL on a free port with data that goes away. Safe settings are off: it is fast and forgets all in a power cut, and
 * the last moments in a `kill` unless `settings` say `synchronous_commit: 'on'`.
 */
export async function startPostgres({
  settings = {},
}: { readonly settings?: Readonly<Record<string, string>> } = {}): Promise<TestPostgres> {
  await removeLeftovers();
  const template = await makeTemplate();
  const folder = await mkdtemp(path.join(os.tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  const directory = path.join(folder, 'data');
  await promisify(execFile)('chmod', ['755', folder]); // the server may run as another user, see embedded-postgres
  await promisify(execFile)('cp', ['-a', template, directory]);
  for (let attempt = 1; ; attempt++) {
    const server = open(directory, await freePort(), settings);
    let paused: readonly number[] = [];
    const resume = (): void => {
      for (const pid of paused.toReversed()) signal(pid, 'SIGCONT');
      paused = [];
    };
    try {
      await server.start();
    } catch (error) {
      if (attempt < ATTEMPTS) continue; // another process took the port in between
      throw error;
    }
    return {
      url: await server.createDatabase('test'),
      createDatabase: () => server.createDatabase(`test_${randomBytes(6).toString('hex')}`),
      kill: async () => {
        resume();
        const pid = serverPid(directory);
        signal(pid, 'SIGKILL');
        while (existsSync(`/proc/${pid}/exe`)) await new Promise((resolve) => setTimeout(resolve, 10));
      },
      pause: () => {
        // The server first: it starts no further process then.
        paused = processTree(serverPid(directory));
        for (const pid of paused) signal(pid, 'SIGSTOP');
      },
      resume,
      restart: () => server.start(),
      stop: async () => {
        resume();
        await server.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  }
}

function serverPid(directory: string): number {
  return Number(readFileSync(path.join(directory, 'postmaster.pid'), 'utf8').split('\n')[0]);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it ended meanwhile
  }
}

function open(directory: string, port: number, settings: Readonly<Record<string, string>> = {}): EmbeddedPostgres {
  return new EmbeddedPostgres({
    directory,
    logFile: path.join(path.dirname(directory), 'postgres.log'),
    port,
    password: PASSWORD,
    database: 'postgres',
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      shared_buffers: '32MB',
      max_connections: '200',
      ...settings,
    },
  });
}

/** A fresh data directory, made once per checkout, PostgreSQL and user, and copied for every server. */
async function makeTemplate(): Promise<string> {
  const { version } = await findPrograms(null);
  const cache = path.join(ROOT, 'node_modules/.cache/gatehouse');
  const template = path.join(cache, `postgres-${version}-${process.getuid?.() ?? 0}`);
  if (existsSync(template)) return template;
  await mkdir(cache, { recursive: true });
  const unfinished = await mkdtemp(path.join(cache, 'unfinished-'));
  try {
    const directory = path.join(unfinished, 'data');
    await open(directory, 0).initialise();
    await rename(directory, template).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another process was faster
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return template;
}

/** Servers of test processes that were killed. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(os.tmpdir())) {
    const pid = Number(new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1] ?? 0);
    if (pid === 0 || existsSync(`/proc/${pid}`) || !existsSync('/proc')) continue;
    const folder = path.join(os.tmpdir(), name);
    try {
      await open(path.join(folder, 'data'), 0).stop();
      await rm(folder, { recursive: true, force: true });
    } catch {
      // of another user, or removed by another process at this moment
    }
  }
}
