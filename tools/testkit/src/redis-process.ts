/** One Redis server (or Sentinel) as a process that ends with this one. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { endingWithUs } from './programs.js';

export interface RedisProcess {
  readonly port: number;
  /** `kill -9`. It comes back without data with `restart`. */
  readonly kill: () => Promise<void>;
  /** Stops answering without closing anything, as a machine that hangs. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly restart: () => Promise<void>;
}

const ROOT = path.resolve(import.meta.dirname, '../../..');
const READY_MS = 20_000;

// A test process that ends does not leave its servers behind.
const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Resolves when it answers. */
export async function startRedisProcess(command: readonly [string, readonly string[]], port: number): Promise<RedisProcess> {
  let child = await launch(command, port);
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    port,
    kill,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    restart: async () => {
      await kill();
      child = await launch(command, port);
    },
  };
}

/** The answer to one command: the text of a string, of an error, or the first line of what is neither. Rejects without a connection. */
export function askRedis(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    let answer = '';
    socket.setTimeout(1_000, () => socket.destroy(new Error(`${command}: no answer on port ${port}`)));
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      const lineEnd = answer.indexOf('\r\n');
      if (lineEnd === -1) return;
      const length = answer.startsWith('$') ? Number(answer.slice(1, lineEnd)) : null;
      if (length === null) resolve(answer.slice(0, lineEnd));
      else if (answer.length >= lineEnd + 2 + length) resolve(answer.slice(lineEnd + 2, lineEnd + 2 + length));
      else return;
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${command}: port ${port} closed the connection`)));
  });
}

async function launch([file, options]: readonly [string, readonly string[]], port: number): Promise<ChildProcess> {
  const [program, args] = endingWithUs([file, options]);
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output = `${output}${chunk}`.slice(-4_000)));
  running.add(child);
  child.once('exit', () => running.delete(child));
  for (const deadline = Date.now() + READY_MS; !(await answersPing(port));) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${file} does not answer on port ${port}:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

const answersPing = (port: number): Promise<boolean> =>
  askRedis(port, 'PING').then(
    (answer) => answer === '+PONG',
    () => false,
  );
