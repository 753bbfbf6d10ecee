/** One request through a draft, or to one of its authorizers. */
export interface TestInvocation {
  /** That of the API: a node of it runs the draft. */
  readonly pool: string;
  /** Canonical JSON of a snapshot of the draft's one route. */
  readonly snapshot: Uint8Array;
  readonly httpMethod: string;
  readonly pathWithQuery: string;
  /** Name, value, name, value, ... */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** Of the snapshot, which has no route then; `null` for the route. */
  readonly authorizerId: string | null;
}

export interface TestOutcome {
  /** Of an authorizer that answered, whatever it said, 0. */
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  readonly latencyMs: number;
  /** In the lines of an execution log. */
  readonly log: string;
}

export type NoTestOutcome =
  /** None of the pool is connected here, or none that can. */
  | 'NO_NODE'
  /** It may still run, and its outcome is nobody's. */
  | 'TIMEOUT'
  /** The node has enough of them under way. */
  | 'BUSY'
  /** The node could not, or was lost meanwhile. */
  | 'FAILED';

/** Has a node run a draft. Implemented where the node streams end (control/nodes). */
export interface TestInvoker {
  testInvoke(invocation: TestInvocation, timeoutMs: number): Promise<TestOutcome | NoTestOutcome>;
}
