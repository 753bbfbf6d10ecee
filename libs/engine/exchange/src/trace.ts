/** Where a request stands in its trace; ids are lower-case hex. Made at its head, told to upstreams, recorded at its end. */
export interface RequestTrace {
  readonly traceId: string;
  /** Of our span for the request. */
  readonly spanId: string;
  /** Of our span for the call of the backend. */
  readonly upstreamSpanId: string;
  /** The caller's span. */
  readonly parent: { readonly spanId: string; readonly isSampled: boolean; readonly isRemote: boolean } | null;
  readonly isSampled: boolean;
  /** What goes to the backend. */
  readonly traceparent: string;
}
