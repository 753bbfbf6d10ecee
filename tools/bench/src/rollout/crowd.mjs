// What would the machine do to the requests if nobody told the nodes of a change? Processes beside the nodes, one for each, on the nodes' core:
// they use as much CPU time as the nodes did for changes, at the same moments, and no request is theirs.
import { spawn } from 'node:child_process';
import path from 'node:path';

const PROGRAM = path.join(import.meta.dirname, '../generators/burn.mjs');
/** Under many changes a control plane tells its nodes so often; see GATHER_MS in control/nodes. */
const EVERY_MS = 50;

export class Crowd {
  #children;

  constructor(core, size) {
    this.#children = Array.from({ length: size }, () =>
      spawn('taskset', ['-c', String(core), process.execPath, PROGRAM, String(EVERY_MS)], {
        stdio: ['pipe', 'ignore', 'inherit'],
      }),
    );
  }

  get size() {
    return this.#children.length;
  }

  /** CPU milliseconds per second, by process. */
  use(msPerSecond) {
    this.#children.forEach(({ stdin }, index) => stdin.write(`${Math.max(0, (msPerSecond[index] * EVERY_MS) / 1000)}\n`));
  }

  stop() {
    for (const { stdin } of this.#children) stdin.end();
  }
}
