/** What a cache keeps of an answer, and where it may be kept. */
import type { Buffer } from 'node:buffer';
import type { HeaderBlock } from '@gatehouse/engine-exchange';

/** An answer. */
export const RESPONSE = 0;
/** Answers differ by headers of the caller's: each is kept under a key of its own, which names their values. */
export const VARIES = 1;
/** The last answer was none that may be kept: callers do not wait for each other. */
export const PASS = 2;

export interface StoredResponse {
  readonly kind: typeof RESPONSE | typeof VARIES | typeof PASS;
  readonly status: number;
  /** One object for all hits, so that a listener puts it into bytes once. */
  readonly block: HeaderBlock;
  readonly body: Buffer | null;
  /** Length that the caller of a HEAD is told; -1 for none. */
  readonly bodyBytes: number;
  /** The answer had the trace header of its request; each hit gets that of its own. */
  readonly isTraced: boolean;
  /** Of VARIES: names of headers, in lower case and sorted. */
  readonly variesOn: readonly string[];
  /** When the question was asked that this answers; on the clock of `expiresAtMs`. */
  readonly startedAtMs: number;
  /** On this process's steady clock. */
  readonly expiresAtMs: number;
}

/** The cache of one stage. */
export interface CacheScope {
  /** `{tenant}/{apiId}/{stage}`. */
  readonly id: string;
  readonly tenant: string;
  readonly bytesMax: number;
}

/**
 * Keeps answers by key. What is asked for may be gone at any time; what comes back is what was kept last under that key in that scope, and has
 * not expired. Neither throws nor rejects: a store that fails is one that has nothing.
 */
export interface ResponseStore {
  find(scope: CacheScope, key: string, nowMs: number): StoredResponse | null | Promise<StoredResponse | null>;
  /** False when there is no room for it, whatever goes. */
  keep(scope: CacheScope, key: string, response: StoredResponse, nowMs: number): boolean | Promise<boolean>;
}
