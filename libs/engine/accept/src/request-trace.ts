import { lastHeader, type RequestTrace } from '@gatehouse/engine-exchange';
import { readTraceparent, writeTraceparent, type Tracing } from '@gatehouse/telemetry';
import type { Randomness } from './randomness.js';

const ROOT = /Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=([01])/i;

/**
 * The trace a request goes on with: the caller's `traceparent` where it is well-formed, else its `X-Amzn-Trace-Id`, else a fresh one.
 * `completed` is the latter header with whatever was missing, `incoming` as the caller sent it.
 */
export function beginTrace(
  tracing: Tracing,
  headers: readonly string[],
  incoming: string | null,
  completed: string,
  random: Randomness,
): RequestTrace {
  const [, seconds, rest, parentId, sampled] = ROOT.exec(completed)!;
  const caller = readTraceparent(lastHeader(headers, 'traceparent'));
  const root = `${seconds}${rest}`.toLowerCase();
  const traceId = caller?.traceId ?? (/[1-9a-f]/.test(root) ? root : random.hex(32));
  const amznParent =
    incoming !== null && incoming.includes(parentId!) ? { spanId: parentId!.toLowerCase(), isSampled: sampled === '1' } : null;
  const from = caller ?? amznParent;
  const parent = from === null ? null : { spanId: from.spanId, isSampled: from.isSampled, isRemote: true };
  const isSampled = tracing.isSampled(traceId, parent);
  const upstreamSpanId = random.hex(16);
  return {
    traceId,
    spanId: random.hex(16),
    upstreamSpanId,
    parent,
    isSampled,
    traceparent: writeTraceparent({ traceId, spanId: upstreamSpanId, isSampled }),
  };
}
