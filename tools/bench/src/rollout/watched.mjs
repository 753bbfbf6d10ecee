// What a process holds: live heap after a full garbage collection, resident memory, descriptors.
import { readdirSync } from 'node:fs';
import { openInspector } from '../inspector.mjs';
import { cpuUs, residentBytes } from '../proc.mjs';
import { hottest, parts } from '../profile.mjs';

const SAMPLE_US = 500;

export class Watched {
  #session = null;

  constructor({ name, pid, inspectPort, program, server }) {
    Object.assign(this, { name, pid, inspectPort, program, server });
  }

  /** Collects garbage first, so that what is left is alive. */
  async sample() {
    const session = await this.#inspector();
    // Twice: what a finalizer of the first one lets go of is gone after the second.
    await session.send('HeapProfiler.collectGarbage');
    await session.send('HeapProfiler.collectGarbage');
    const expression = '(({ heapUsed, external }) => ({ heapUsed, external }))(process.memoryUsage())';
    const { heapUsed, external } = await this.evaluate(expression);
    return {
      heapBytes: heapUsed,
      externalBytes: external,
      residentBytes: residentBytes([this.pid]),
      descriptors: readdirSync(`/proc/${this.pid}/fd`).length,
    };
  }

  /** Of the event loop since the last time it was asked; see turns-in-node.mjs. */
  turns() {
    return this.evaluate('benchTurns()');
  }

  async evaluate(expression) {
    const session = await this.#inspector();
    const { result } = await session.send('Runtime.evaluate', { expression, returnByValue: true });
    return result.value;
  }

  cpuUs() {
    return cpuUs([this.pid]);
  }

  /** Where the process spends its time while `work` runs. */
  async profile(root, work) {
    const session = await this.#inspector();
    await session.send('Profiler.enable');
    await session.send('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await session.send('Profiler.start');
    const result = await work();
    const { profile } = await session.send('Profiler.stop');
    await session.send('Profiler.disable');
    return { result, hottest: hottest(profile, root), parts: parts(profile, root) };
  }

  async #inspector() {
    if (this.#session === null) {
      process.kill(this.pid, 'SIGUSR1');
      this.#session = await openInspector(this.inspectPort, this.program);
    }
    return this.#session;
  }

  close() {
    this.#session?.close();
  }
}
