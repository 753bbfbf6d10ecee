import type { Invocation, Outcome } from './invocation.js';

/**
 * How the runner talks with the program inside an execution environment. Neither promise settles when the program ends
 * without a word: the environment watches the process itself.
 */
export interface RuntimeChannel {
  /** `null` once the program waits for its first call; else the error its initialisation ended with. */
  readonly initialized: Promise<Outcome | null>;
  /** One call at a time. */
  invoke(invocation: Invocation, deadlineMs: number): Promise<Outcome>;
  /** The program said that it ends: no further calls. */
  readonly isSpent: boolean;
  close(): void;
}
