import type { Fleet } from './fleet.js';

export interface Scenario {
  readonly name: string;
  /** What holds, as a sentence. */
  readonly guarantee: string;
  /** It waits a long time for something: left out of a short run. */
  readonly isLong?: boolean;
  /** Rejects when it does not hold; tells what it sees on the way. The load runs, and none of its requests may fail. */
  readonly run: (fleet: Fleet, tell: (text: string) => void) => Promise<void>;
}
