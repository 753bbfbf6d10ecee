import { Exchange, type FaultKind, type LinkedRoute, type LinkedStage } from '@gatehouse/engine-exchange';
import { ManualClock } from '@gatehouse/kernel';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { AccessLog, RequestRecorder } from './index.js';

class Lines extends Writable {
  text = '';
  pending: (() => void)[] = [];
  constructor(readonly isStuck = false) {
    super({ highWaterMark: 16, decodeStrings: false });
  }
  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    if (this.isStuck) this.pending.push(done);
    else done();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test('lines arrive in order, whole', async () => {
  const sink = new Lines();
  const log = new AccessLog(sink);
  for (let i = 0; i < 100; i++) log.write(`line ${i}`);
  await log.flush();
  expect(sink.text).toBe(Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(''));
});

test('a stuck sink costs lines beyond the bound, which are counted, and recovers', async () => {
  let dropped = 0;
  const sink = new Lines(true);
  const log = new AccessLog(sink, { bufferBytesMax: 20, dropped: { add: (count) => void (dropped += count) } });
  log.write('first, long enough');
  await turn();
  for (let i = 0; i < 10; i++) log.write('12345678');
  expect([dropped, log.droppedCount]).toEqual([8, 8]);
  const drained = once(sink, 'drain');
  sink.pending.shift()!();
  await drained;
  await turn();
  expect(sink.text).toBe('first, long enough\n12345678\n12345678\n');
  log.write('again');
  expect(log.droppedCount).toBe(8);
});

test('a sink that breaks is not written to again, and nobody fails', async () => {
  const sink = new Lines();
  const log = new AccessLog(sink);
  log.write('lost');
  sink.destroy(new Error('disk full'));
  await turn();
  log.write('lost too');
  await log.flush();
  expect([log.droppedCount, sink.text]).toEqual([2, '']);
});

function finished(): Exchange {
  const x = new Exchange();
  Object.assign(x, {
    requestId: 'r1',
    receivedAtMs: Date.UTC(2026, 0, 1),
    startedAtMs: performance.now(),
    httpMethod: 'GET',
    path: '/dev/a"b\n',
    rawQuery: 'token=secret-query',
    requestHeaders: ['Authorization', 'secret-header'],
    apiKeyValue: 'secret-key',
    sourceIp: '198.51.100.7',
    userAgent: 'me',
    status: 200,
    integrationLatencyMs: 1.23456,
    deliveredBytes: 7,
  });
  return x;
}

function record(x: Exchange): { line: Record<string, unknown>; text: string } {
  const lines: string[] = [];
  new RequestRecorder({ clock: new ManualClock(), accessLog: { write: (line) => void lines.push(line) } }).record(x);
  expect(lines.length).toBe(1);
  return { line: JSON.parse(lines[0]!) as Record<string, unknown>, text: lines[0]! };
}

test('a line says what happened, on one line, without a secret', () => {
  const x = finished();
  x.stage = {
    snapshot: { tenant: '1', apiId: 'a', stage: 'dev' },
    metrics: { record: () => undefined },
  } as unknown as LinkedStage;
  const { line, text } = record(x);
  expect(line).toEqual({
    time: '2026-01-01T00:00:00.000Z',
    requestId: 'r1',
    tenant: '1',
    api: 'a',
    stage: 'dev',
    resource: null,
    httpMethod: 'GET',
    path: '/dev/a"b\n',
    status: 200,
    latencyMs: expect.any(Number) as number,
    integrationLatencyMs: 1.23,
    sourceIp: '198.51.100.7',
    userAgent: 'me',
    apiKeyId: null,
    usagePlanId: null,
    usageDay: null,
    bytes: 7,
  });
  expect(text).not.toMatch(/secret|\n/);
});

test('nothing in a line moves a terminal or ends the line', () => {
  const x = finished();
  x.userAgent = 'a\u001b[2J\u009b2J\u2028\u007f';
  const { line, text } = record(x);
  expect(line.userAgent).toBe(x.userAgent);
  expect([...text].every((char) => char >= ' ' && char <= '~')).toBe(true);
});

const BUG: FaultKind = {
  name: 'BUG',
  responseType: 'DEFAULT_5XX',
  status: 500,
  errorType: 'E',
  message: 'm',
  source: 'gateway',
  retry: false,
};

test('a fault is in the line with its cause, and a bug is told', () => {
  const bugs: string[] = [];
  const lines: string[] = [];
  const x = finished();
  x.fail(BUG, new Error('boom'), 'running a step');
  new RequestRecorder({
    clock: new ManualClock(),
    accessLog: { write: (line) => void lines.push(line) },
    onBug: (bug) => void bugs.push(bug.faultDoing),
  }).record(x);
  expect(JSON.parse(lines[0]!)).toMatchObject({ fault: 'BUG', doing: 'running a step', cause: 'boom' });
  expect(bugs).toEqual(['running a step']);
});

test('a request counts for its route, without a route for its stage, without a stage for nobody', () => {
  const counted: string[] = [];
  const metrics = (name: string) => ({
    record: (status: number, latency: number, integration: number) =>
      void counted.push(`${name} ${status} ${latency >= 0} ${integration}`),
  });
  const stage = { snapshot: {}, metrics: metrics('stage') } as unknown as LinkedStage;
  const route = { settings: { path: '/' }, metrics: metrics('route') } as unknown as LinkedRoute;
  for (const [s, r] of [
    [stage, route],
    [stage, null],
    [null, null],
  ] as const) {
    const x = finished();
    x.integrationLatencyMs = -1;
    x.stage = s;
    x.route = r;
    record(x);
  }
  expect(counted).toEqual(['route 200 true -1', 'stage 200 true -1']);
});
