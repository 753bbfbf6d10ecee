import { processUse, treeUses, type TreeUse } from './process-tree.js';

/** Lambda's limit for processes and threads of an environment is 1,024; a fork bomb is told from a program much earlier. */
const PROCESS_COUNT_MAX = 256;
const SAMPLE_MS = 100;

export interface Watched {
  readonly pid: number;
  /** Cannot start processes, so its own numbers are enough. */
  readonly isSingle: boolean;
  /** Between calls; its process group is stopped. */
  readonly isFrozen: boolean;
  readonly memoryBytesMax: number;
  kill(reason: 'memory'): void;
  /** Stops what left the process group and runs on while the environment is frozen. */
  stop(pids: readonly number[]): void;
}

/** Samples the environments and ends those above their memory or process limit; neighbours must not pay for them. */
export class Watchdog {
  private readonly watched = new Set<Watched>();
  private timer: NodeJS.Timeout | null = null;

  watch(environment: Watched): () => void {
    this.watched.add(environment);
    this.timer ??= setInterval(() => this.sample(), SAMPLE_MS).unref();
    return () => {
      this.watched.delete(environment);
      if (this.watched.size > 0 || this.timer === null) return;
      clearInterval(this.timer);
      this.timer = null;
    };
  }

  private sample(): void {
    // A frozen single process cannot change; a frozen tree may hold members that left its process group.
    const changing = [...this.watched].filter(({ isFrozen, isSingle }) => !isFrozen || !isSingle);
    const leaders = changing.filter(({ isSingle }) => !isSingle).map(({ pid }) => pid);
    const trees = leaders.length > 0 ? treeUses(leaders) : new Map<number, TreeUse>();
    for (const environment of changing) {
      const use = environment.isSingle ? processUse(environment.pid) : trees.get(environment.pid);
      if (use === null || use === undefined) continue;
      if (use.residentBytes > environment.memoryBytesMax || use.pids.length > PROCESS_COUNT_MAX) environment.kill('memory');
      else if (environment.isFrozen) environment.stop(use.pids);
    }
  }
}
