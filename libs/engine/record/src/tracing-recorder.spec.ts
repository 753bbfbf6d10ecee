import { Exchange } from '@gatehouse/engine-exchange';
import type { FinishedSpan } from '@gatehouse/telemetry';
import { expect, test } from 'vitest';
import { TracingRecorder } from './index.js';

function recorded(change: (x: Exchange) => void): FinishedSpan[] {
  const x = new Exchange();
  x.httpMethod = 'GET';
  x.path = '/dev/pets';
  x.status = 200;
  x.receivedAtMs = 1_000_000;
  x.startedAtMs = performance.now() - 50;
  x.trace = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: '00f067aa0ba902b7',
    upstreamSpanId: 'b7ad6b7169203331',
    parent: null,
    isSampled: true,
    traceparent: '',
  };
  change(x);
  const spans: FinishedSpan[] = [];
  let recordedCount = 0;
  const inner = { record: () => void recordedCount++ };
  new TracingRecorder(inner, { isSampled: () => true, record: (span) => void spans.push(span) }).record(x);
  expect(recordedCount, 'the request is recorded besides').toBe(1);
  return spans;
}

test('a request is one span, its backend call another below it, within its time', () => {
  const [integration, request, ...more] = recorded((x) => {
    x.integrationStartedAtMs = x.startedAtMs + 5;
    x.integrationLatencyMs = 20;
    x.upstreamAnswer = { status: 200, headers: [], body: null };
  });
  expect(more).toEqual([]);
  expect(request).toMatchObject({ kind: 'SERVER', spanId: '00f067aa0ba902b7', parent: null, startMs: 1_000_000, isError: false });
  expect(integration).toMatchObject({ kind: 'CLIENT', parent: { spanId: request!.spanId, isRemote: false }, isError: false });
  expect(integration!.startMs).toBeCloseTo(1_000_005, 6);
  expect(integration!.endMs).toBeCloseTo(1_000_025, 6);
  expect(request!.endMs).toBeGreaterThan(integration!.endMs);
});

test('without a backend call there is one span', () => expect(recorded(() => undefined)).toHaveLength(1));

test('what is not sampled, or not traced, is told to nobody', () => {
  expect(recorded((x) => (x.trace = { ...x.trace!, isSampled: false }))).toEqual([]);
  expect(recorded((x) => (x.trace = null))).toEqual([]);
});

test("a caller's text names no span, and its query is in none", () => {
  const [span] = recorded((x) => {
    x.httpMethod = 'EVIL';
    x.rawQuery = 'secret=1';
  });
  expect(span!.name).toBe('HTTP');
  expect(JSON.stringify(span)).not.toContain('secret');
});
