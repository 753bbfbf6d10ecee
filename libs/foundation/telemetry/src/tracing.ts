/**
 * Spans as whoever measured them tells them: once, when they are over. Nothing is wrapped and nothing is current; ids are made by
 * who propagates them. The adapter is `foundation/otel`; without it there is no Tracing and nobody asks.
 */
export interface Tracing {
  /** Whether a trace that starts or goes on here is recorded. Ids as in W3C Trace Context: 32 and 16 lower-case hex digits. */
  isSampled(traceId: string, parent: SpanParent | null): boolean;
  /** Never waits and never throws; what has no room is dropped and counted. */
  record(span: FinishedSpan): void;
}

export interface SpanParent {
  readonly spanId: string;
  readonly isSampled: boolean;
  /** It is another process's. */
  readonly isRemote: boolean;
}

export interface FinishedSpan {
  readonly name: string;
  /** `CONSUMER`: work that was queued before. */
  readonly kind: 'SERVER' | 'CLIENT' | 'CONSUMER';
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: SpanParent | null;
  /** Milliseconds since the Unix epoch, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly isError: boolean;
}

/** What `traceparent` says. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** W3C Trace Context §3.2; `null` for what is not well-formed, which then counts as absent (§3.2.2.5). */
export function readTraceparent(value: string | null): TraceParent | null {
  const match = value === null ? null : TRACEPARENT.exec(value);
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match;
  // Version ff is forbidden; version 00 has nothing behind its flags.
  if (version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return null;
  return { traceId: traceId!, spanId: spanId!, isSampled: (parseInt(flags!, 16) & 1) === 1 };
}

export function writeTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** The same as `X-Amzn-Trace-Id`, whose root is the trace id in three parts. */
export function writeAmznTrace({ traceId, spanId, isSampled }: TraceParent): string {
  return `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)};Parent=${spanId};Sampled=${isSampled ? 1 : 0}`;
}
