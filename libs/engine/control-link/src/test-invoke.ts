/** One request through a draft; see TestInvoke in the node protocol. */
export interface TestInvokeRequest {
  readonly snapshot: Uint8Array;
  readonly httpMethod: string;
  readonly pathWithQuery: string;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** Of the snapshot: it alone is asked. Empty: the route is run. */
  readonly authorizerId: string;
}

export interface TestInvokeAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  readonly latencyMs: number;
  readonly log: string;
}
