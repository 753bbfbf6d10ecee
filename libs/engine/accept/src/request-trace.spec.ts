import { describe, expect, test } from 'vitest';
import { Randomness } from './randomness.js';
import { beginTrace } from './request-trace.js';
import { completeTrace } from './trace-header.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const ROOT = '1-0af76519-16cd43dd8448eb211c80319c';
const SPAN_ID = '00f067aa0ba902b7';
const random = new Randomness();
const traceOf = (headers: readonly string[], amzn: string | null, isSampled: (hasParent: boolean) => boolean = () => true) =>
  beginTrace(
    { isSampled: (_id, parent) => isSampled(parent !== null), record: () => undefined },
    headers,
    amzn,
    completeTrace(amzn, 0, random),
    random,
  );

describe('a request goes on with', () => {
  test('the traceparent of its caller, whatever else it says', () => {
    const trace = traceOf(['Traceparent', `00-${TRACE_ID}-${SPAN_ID}-00`], 'Root=1-11111111-222222222222222222222222');
    expect(trace).toMatchObject({ traceId: TRACE_ID, parent: { spanId: SPAN_ID, isSampled: false, isRemote: true } });
  });
  test('the X-Amzn-Trace-Id of its caller, and its parent when it names one', () => {
    expect(traceOf([], `Root=${ROOT};Parent=${SPAN_ID};Sampled=1`)).toMatchObject({
      traceId: TRACE_ID,
      parent: { spanId: SPAN_ID, isSampled: true },
    });
    expect(traceOf([], `Root=${ROOT}`)).toMatchObject({ traceId: TRACE_ID, parent: null });
  });
  test('a trace of its own when the caller has none, or one of zeros', () => {
    expect(traceOf([], null)).toMatchObject({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/), parent: null });
    expect(traceOf([], `Root=1-00000000-${'0'.repeat(24)}`).traceId).not.toMatch(/^0+$/);
  });
});

test('an upstream is told of our own span, and whether it is recorded', () => {
  for (const isSampled of [true, false]) {
    const trace = traceOf(['traceparent', `00-${TRACE_ID}-${SPAN_ID}-01`], null, () => isSampled);
    expect(trace.traceparent).toBe(`00-${TRACE_ID}-${trace.upstreamSpanId}-0${isSampled ? 1 : 0}`);
    expect(new Set([SPAN_ID, trace.spanId, trace.upstreamSpanId]).size).toBe(3);
  }
});
