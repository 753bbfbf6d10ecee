import { expect, test } from 'vitest';
import { readTraceparent, writeAmznTrace, writeTraceparent } from './tracing.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = '00f067aa0ba902b7';

test('what is written is read back', () => {
  for (const isSampled of [true, false]) {
    const parent = { traceId: TRACE_ID, spanId: SPAN_ID, isSampled };
    expect(readTraceparent(writeTraceparent(parent))).toEqual(parent);
  }
  expect(writeAmznTrace({ traceId: TRACE_ID, spanId: SPAN_ID, isSampled: true })).toBe(
    `Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=${SPAN_ID};Sampled=1`,
  );
});

test.each([
  ['nothing', null],
  ['another form', 'abc'],
  ['upper case', `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`],
  ['the forbidden version', `ff-${TRACE_ID}-${SPAN_ID}-01`],
  ['more than version 00 has', `00-${TRACE_ID}-${SPAN_ID}-01-more`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN_ID}-01`],
  ['a span of zeros', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
])('%s counts as absent', (_what, value) => expect(readTraceparent(value)).toBeNull());

test('a later version is read as far as it is known', () =>
  expect(readTraceparent(`01-${TRACE_ID}-${SPAN_ID}-03-more`)).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, isSampled: true }));
