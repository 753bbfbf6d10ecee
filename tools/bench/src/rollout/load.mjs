// The load on the nodes while the fleet changes (generators/fleet-load.mjs), and the marks on it.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

const PROGRAM = path.join(import.meta.dirname, '../generators/fleet-load.mjs');

export class FleetLoad {
  #child;
  #reports = [];

  constructor(core, settings) {
    const command = [process.execPath, '--max-semi-space-size=64', PROGRAM, JSON.stringify(settings)];
    this.#child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#reports.shift()?.resolve(JSON.parse(line)));
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#reports) reject(new Error(`The load ended with ${code}`));
    });
  }

  /** What is due from now on counts under this name; '' for nothing. */
  mark(name) {
    this.#tell({ mark: name });
  }

  /** All marks since the start: requests, errors, latencies. */
  report() {
    const waiting = Promise.withResolvers();
    this.#reports.push(waiting);
    this.#tell({ report: true });
    return waiting.promise;
  }

  stop() {
    this.#child.stdin.end();
  }

  #tell(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }
}
