// Processes of the benchmark: on 127.0.0.1, on a free port, out of a temporary folder, ended with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

const READY_DEADLINE_MS = 15_000;
const STOP_DEADLINE_MS = 40_000;

/** Ports nobody listens on now. */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class Servers {
  #children = [];

  /** Starts `command` on one core (all it starts stays there) and remembers to end it. */
  start(core, [program, ...args], environment = {}) {
    // exec: taskset becomes the program, so the process id is the program's.
    const child = spawn('taskset', ['-c', String(core), program, ...args], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = { child, name: program, output: '' };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => (server.output = `${server.output}${chunk}`.slice(-4_000)));
    }
    child.once('error', (error) => (server.output += error.message));
    this.#children.push(server);
    return server;
  }

  /** The last started ends first. */
  async stop() {
    for (const { child } of this.#children.reverse()) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
      await ended;
      clearTimeout(timer);
    }
  }
}

/** Resolves with the body once `url` answers 200; rejects with what the server printed when it does not in time. */
export async function answers({ url, headers = {} }, server, deadlineMs = READY_DEADLINE_MS) {
  const endMs = performance.now() + deadlineMs;
  let last = 'no answer';
  while (performance.now() < endMs && server.child.exitCode === null) {
    try {
      const { status, body } = await get(url, headers);
      if (status === 200) return body;
      last = `${status} ${body}`;
    } catch (error) {
      last = error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} does not answer (${last})\n${server.output}`);
}

/** node:http, because fetch does not let a caller choose the Host header. */
function get(url, headers) {
  return new Promise((resolve, reject) => {
    const call = http.request(url, { headers, agent: false, timeout: 2_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (body += chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode, body }));
    });
    call.once('timeout', () => call.destroy(new Error('no answer within 2 s')));
    call.once('error', reject);
    call.end();
  });
}
