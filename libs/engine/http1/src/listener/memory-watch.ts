import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

export interface MemoryWatchOptions {
  /** Shares of what there is; above `high` requests are refused until it is below `low`. */
  readonly high?: number;
  readonly low?: number;
  /** For tests: share of heap or resident memory in use, whichever is larger. */
  readonly usedShare?: () => number;
}

/** Tells when memory is short: V8's heap against its limit, the process against what the machine or its container grants. */
export class MemoryWatch {
  isHigh = false;
  private readonly high: number;
  private readonly low: number;
  private readonly usedShare: () => number;

  constructor(options: MemoryWatchOptions = {}) {
    this.high = options.high ?? 0.9;
    this.low = options.low ?? 0.85;
    this.usedShare = options.usedShare ?? usedShare;
  }

  /** Takes some ten microseconds: for a timer, not for a request. */
  look(): void {
    const share = this.usedShare();
    if (share > this.high) this.isHigh = true;
    else if (share < this.low) this.isHigh = false;
  }
}

function usedShare(): number {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  const granted = process.constrainedMemory() || totalmem();
  return Math.max(used_heap_size / heap_size_limit, process.memoryUsage.rss() / granted);
}
