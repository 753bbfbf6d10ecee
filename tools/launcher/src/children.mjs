// The processes of the embedded default: started, watched, restarted when they die, stopped in order.
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isOurs } from './state.mjs';

/** Longer than the node takes to drain, so that no request is cut. */
const STOP_DEADLINE_MS = 35_000;

export class Children {
  #running = new Map();
  #stopping = false;

  constructor(root, state) {
    this.root = root;
    this.state = state;
    this.nodeOptions = JSON.parse(readFileSync(path.join(root, 'deploy/node-options.json'), 'utf8'));
  }

  /** Processes that a killed launcher left behind; they end by themselves when it dies, this makes sure. */
  async stopLeftovers() {
    const list = JSON.parse(this.state.read('processes.json') ?? '[]');
    for (const { pid, main } of list) {
      if (!isOurs(pid, main)) continue;
      process.kill(pid, 'SIGTERM');
      for (let waitedMs = 0; waitedMs < STOP_DEADLINE_MS && isOurs(pid, main); waitedMs += 50) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      if (isOurs(pid, main)) process.kill(pid, 'SIGKILL');
    }
  }

  /** Starts `apps/<name>/dist/main.js` with its output in `logs/<name>.log`. It is restarted when it dies. */
  start(name, environment) {
    const main = path.join(this.root, 'apps', name, 'dist/main.js');
    const log = openSync(path.join(this.state.home, 'logs', `${name}.log`), 'a');
    // Its own process group: Ctrl-C reaches the launcher alone, which then stops everything in order. The ipc channel tells the
    // child when the launcher is gone, however that happened.
    const child = spawn(process.execPath, [...this.nodeOptions, main], {
      cwd: this.root,
      detached: true,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: process.env.LANG ?? 'C.UTF-8', ...environment },
      stdio: ['ignore', log, log, 'ipc'],
    });
    const entry = { name, child, main, startedMs: Date.now() };
    this.#running.set(name, entry);
    this.#remember();
    child.on('exit', (code, signal) => {
      if (this.#stopping) return;
      const livedMs = Date.now() - entry.startedMs;
      console.error(
        `${name} ended (${signal ?? `exit code ${code}`}); see ${path.join(this.state.home, 'logs', `${name}.log`)}. Restarting.`,
      );
      setTimeout(() => !this.#stopping && this.start(name, environment), livedMs < 5_000 ? 1_000 : 0);
    });
  }

  pid(name) {
    return this.#running.get(name)?.child.pid;
  }

  /** Asks each in turn to end, in the given order; kills what has not ended after a deadline. */
  async stop(order) {
    this.#stopping = true;
    for (const name of order) {
      const child = this.#running.get(name)?.child;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
      await ended;
      clearTimeout(timer);
    }
    this.state.remove('processes.json');
  }

  #remember() {
    const list = [...this.#running.values()].map(({ child, main }) => ({ pid: child.pid, main }));
    this.state.write('processes.json', JSON.stringify(list));
  }
}
