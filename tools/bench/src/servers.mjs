// Processes of the benchmark: on 127.0.0.1, on a free port, out of a temporary folder, ended with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';

const READY_DEADLINE_MS = 30_000;
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

  /** How many were started; `stop` takes it. */
  get count() {
    return this.#children.length;
  }

  /** Starts `command` on one core, or a list like "0,1" (all it starts stays there), and remembers to end it. */
  start(core, [program, ...args], environment = {}, cwd = undefined) {
    // exec: taskset becomes the program, so the process id is the program's.
    const child = spawn('taskset', ['-c', String(core), program, ...args], {
      cwd,
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

  /** Ends all that were started after the first `from`; the last started ends first. */
  async stop(from = 0) {
    for (const { child } of this.#children.splice(from).reverse()) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
      await ended;
      clearTimeout(timer);
    }
  }
}

/** Resolves with the body once `target` answers 200; rejects with what the server printed when it does not in time. */
export async function answers(target, server, deadlineMs = READY_DEADLINE_MS) {
  const endMs = performance.now() + deadlineMs;
  let last = 'no answer';
  while (performance.now() < endMs && server.child.exitCode === null) {
    try {
      const { status, body } = await (target.isHttp2 ? callHttp2(target) : call(target));
      if (status === 200) return body;
      last = `${status} ${body.slice(0, 200)}`;
    } catch (error) {
      last = error.cause?.code ?? error.code ?? error.message; // of HTTP/2 the cause says it
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const ended = server.child.exitCode === null ? '' : ` (ended with ${server.child.exitCode})\n${server.output}`;
  throw new Error(`${target.url} does not answer: ${last}${ended}`);
}

/** node:http, because fetch does not let a caller choose the Host header. */
function call({ url, headers = {}, body }) {
  const { request } = url.startsWith('https:') ? https : http;
  const options = {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    agent: false,
    timeout: 2_000,
    rejectUnauthorized: false,
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode, body: text }));
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer within 2 s')));
    sent.once('error', reject);
    sent.end(body);
  });
}

function callHttp2({ url, headers: { Host, ...headers } = {} }) {
  const { origin, host, pathname } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false });
  const answer = new Promise((resolve, reject) => {
    session.once('error', reject);
    session.setTimeout(2_000, () => reject(new Error('no answer within 2 s')));
    const stream = session.request({ ':path': pathname, ':authority': Host ?? host, ...headers });
    let status;
    let body = '';
    stream.setEncoding('utf8');
    stream.once('response', (head) => (status = head[':status']));
    stream.on('data', (chunk) => (body += chunk));
    stream.once('error', reject);
    stream.once('end', () => resolve({ status, body }));
    stream.end();
  });
  return answer.finally(() => session.destroy());
}
