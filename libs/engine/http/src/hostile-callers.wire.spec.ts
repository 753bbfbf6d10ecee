// Callers and backends that do what no library does: pipelining into trouble, leaving at bad moments, heads full of headers.
import {
  type CallerPresence,
  type Connector,
  type Exchange,
  type UpstreamAnswer,
  type UpstreamRequest,
} from '@gatehouse/engine-exchange';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { WorldKeeper } from '@gatehouse/engine-link';
import { canonicalJson, ManualClock, sha256Hex } from '@gatehouse/kernel';
import { callOnce, RawCaller, routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { once } from 'node:events';
import { Readable, type Transform } from 'node:stream';
import type { StageSnapshot } from '@gatehouse/contracts';
import { afterEach, expect, test } from 'vitest';
import { HttpListener, type HttpListenerOptions } from './index.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A backend that answers when the test says so. */
class HeldBackend implements Connector {
  readonly calls: {
    readonly request: UpstreamRequest;
    readonly signal: AbortSignal;
    readonly answer: (answer: Partial<UpstreamAnswer>) => void;
  }[] = [];
  private waiting: { count: number; resolve: () => void }[] = [];

  call(request: UpstreamRequest, { signal }: CallerPresence): Promise<UpstreamAnswer> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
      this.calls.push({ request, signal, answer: (answer) => resolve({ status: 200, headers: [], body: null, ...answer }) });
      for (const { count, resolve: seen } of this.waiting) if (this.calls.length >= count) seen();
    });
  }

  async called(count: number): Promise<void> {
    if (this.calls.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
  }
}

interface Recorded {
  readonly status: number;
  readonly path: string;
  readonly fault: string | null;
  readonly isCallerGone: boolean;
}

class Gate {
  readonly backend = new HeldBackend();
  readonly recorded: Recorded[] = [];
  readonly bugs: unknown[] = [];
  readonly listener: HttpListener;
  private readonly worlds: WorldKeeper;
  private waiting: { count: number; resolve: () => void }[] = [];

  constructor(over: Partial<HttpListenerOptions>) {
    const clock = new ManualClock();
    const { backend } = this;
    this.worlds = new WorldKeeper({
      bindings: {
        limits: {
          buckets: new BucketRegistry(100),
          quotas: new QuotaLedger({ requestMore: () => undefined }),
          usage: { count: () => undefined },
          clock,
        },
        http: backend,
        insecureHttp: backend,
        functions: backend,
        metrics: { series: () => ({ record: () => undefined }) },
      },
    });
    const record = ({ status, path, fault, isCallerGone }: Exchange): void => {
      this.recorded.push({ status, path, fault: fault?.name ?? null, isCallerGone });
      for (const { count, resolve } of this.waiting) if (this.recorded.length >= count) resolve();
    };
    this.listener = new HttpListener({
      worlds: this.worlds,
      recorder: { record },
      clock,
      baseDomain: 'localhost',
      onBug: (bug) => void this.bugs.push(bug),
      ...over,
    });
  }

  async publish(snapshot: StageSnapshot): Promise<void> {
    const bytes = Buffer.from(canonicalJson(snapshot));
    const entry = {
      kind: 'STAGE' as const,
      id: `${snapshot.apiId}/${snapshot.stage}`,
      tenant: snapshot.tenant,
      digest: sha256Hex(bytes),
      inline: '',
    };
    expect(await this.worlds.adopt({ revision: 1, entries: [entry], removed: [] }, () => bytes)).toEqual([]);
  }

  async records(count: number): Promise<void> {
    if (this.recorded.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
  }

  async connect(): Promise<RawCaller> {
    const caller = await RawCaller.connect(this.listener.port);
    closing.push(() => Promise.resolve(caller.close()));
    return caller;
  }
}

const HTTP_PROXY = {
  type: 'HTTP_PROXY',
  uri: 'http://backend/',
  httpMethod: 'ANY',
  timeoutMs: 5_000,
  requestParameters: {},
  insecureSkipVerification: false,
} as const;

async function gateWith(over: Partial<HttpListenerOptions> = {}, stage: Partial<StageSnapshot> = {}): Promise<Gate> {
  const gate = new Gate(over);
  await gate.listener.listen(0, '127.0.0.1');
  closing.push(() => gate.listener.close({ deadlineMs: 0 }));
  await gate.publish(
    stageSnapshot({
      routes: [routeSnapshot(), routeSnapshot({ path: '/{proxy+}', httpMethod: 'ANY', integration: HTTP_PROXY })],
      ...stage,
    }),
  );
  return gate;
}

const HOST = 'abc123defg.execute-api.localhost';
const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${headers}\r\n`;

test('pipelined requests are answered in order, each by its own answer', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(get('/dev/1') + get('/dev/2') + get('/dev/3', 'Connection: close\r\n'));
  await gate.backend.called(3);
  for (const i of [2, 0, 1]) gate.backend.calls[i]!.answer({ body: Buffer.from(`<${i + 1}>`) });
  expect((await caller.untilClosed()).match(/<\d>/g)).toEqual(['<1>', '<2>', '<3>']);
});

test('a caller that pipelines and leaves: every call is aborted and recorded', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(get('/dev/1') + get('/dev/2'));
  await gate.backend.called(2);
  caller.close();
  await gate.records(2);
  expect([gate.backend.calls.map(({ signal }) => signal.aborted), gate.listener.inFlightCount]).toEqual([[true, true], 0]);
});

test('a pipelined answer that waits behind another is let go when the caller leaves', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(get('/dev/1') + get('/dev'));
  await gate.backend.called(1);
  caller.close();
  await gate.records(2);
  expect(gate.recorded.map(({ path }) => path).sort()).toEqual(['/dev', '/dev/1']);
});

test('rubbish behind several requests: nothing is written in front of the answers that are due', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(`${get('/dev/1')}${get('/dev')}rubbish\r\n\r\n`);
  await gate.backend.called(1);
  gate.backend.calls[0]!.answer({ body: Buffer.from('<1>') });
  const text = await caller.untilClosed();
  expect(text.match(/HTTP\/1\.1 \d+|<1>/g)).toEqual(['HTTP/1.1 200', '<1>', 'HTTP/1.1 200']);
});

test('a broken chunk in the last of several requests does not answer for the first', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(`${get('/dev/1')}POST /dev/2 HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  await gate.backend.called(2);
  const aborted = once(gate.backend.calls[1]!.signal, 'abort');
  caller.send('zz\r\n');
  await aborted;
  gate.backend.calls[0]!.answer({ body: Buffer.from('<1>') });
  const text = await caller.untilClosed();
  expect(text.match(/HTTP\/1\.1 \d+|<1>/g)).toEqual(['HTTP/1.1 200', '<1>']);
  await gate.records(2);
});

test('a broken chunk is 400, and the backend call ends', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(`POST /dev/1 HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  await gate.backend.called(1);
  caller.send('0x1\r\na\r\n');
  expect(await caller.untilClosed()).toMatch(/^HTTP\/1\.1 400 /);
  await gate.records(1);
  expect(gate.backend.calls[0]!.signal.aborted).toBe(true);
});

test('of more than a thousand headers none is dropped', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(`GET /dev HTTP/1.1\r\n${'a:\r\n'.repeat(1_200)}Host: ${HOST}\r\nHost: other\r\n\r\n`);
  expect(await caller.until('"}')).toMatch(/^HTTP\/1\.1 400 /);
});

for (const coding of ['gzip, chunked', 'chunked, chunked', 'identity', 'xchunked']) {
  test(`Transfer-Encoding: ${coding} is 400 and reaches no backend`, async () => {
    const gate = await gateWith();
    const caller = await gate.connect();
    caller.send(`POST /dev/1 HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`);
    expect(await caller.until('"}')).toMatch(/^HTTP\/1\.1 400 /);
    expect(gate.backend.calls.length).toBe(0);
  });
}

test('the head of an answer goes out before the first byte of its body', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(get('/dev/1'));
  await gate.backend.called(1);
  const body = new Readable({ read: () => undefined });
  gate.backend.calls[0]!.answer({ headers: ['X-Early', 'yes'], body });
  expect(await caller.until('\r\n\r\n')).toContain('X-Early: yes');
  body.push('late');
  body.push(null);
  await caller.until('late');
});

test('a body that breaks cuts the connection and is a fault of the backend in the record', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(get('/dev/1'));
  await gate.backend.called(1);
  const body = new Readable({ read: () => undefined });
  gate.backend.calls[0]!.answer({ body });
  body.push('half');
  await caller.until('half');
  body.destroy(new Error('reset'));
  expect(await caller.untilClosed()).not.toContain('0\r\n\r\n');
  await gate.records(1);
  expect(gate.recorded).toEqual([{ status: 200, path: '/dev/1', fault: 'INTEGRATION_FAILURE', isCallerGone: true }]);
});

test('an answer that cannot be written is a 500 and a bug, not a cut connection', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(get('/dev/1'));
  await gate.backend.called(1);
  gate.backend.calls[0]!.answer({ status: 1_000 });
  const text = await caller.until('"}');
  expect(text).toMatch(/^HTTP\/1\.1 500 [^]*Internal server error/);
  expect(gate.bugs.length).toBe(1);
});

test('an upload that the backend does not take is held in buffers of fixed size, and comes whole when it does', async () => {
  const bytes = 9 * 1024 * 1024;
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(`PUT /dev/1 HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${bytes}\r\n\r\n`);
  caller.socket.write(Buffer.alloc(bytes, 'a'));
  await gate.backend.called(1);
  const body = gate.backend.calls[0]!.request.body as Transform;
  let held = -1;
  while (held !== body.readableLength + body.writableLength) {
    held = body.readableLength + body.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 50)); // no event says "nothing moved"
  }
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThan(256 * 1024);
  let taken = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) taken += chunk.length;
  expect(taken).toBe(bytes);
  gate.backend.calls[0]!.answer({ body: Buffer.from('<done>') });
  await caller.until('<done>');
});

test("a backend's body that nobody wants is let go", async () => {
  const responses = [{ statusCode: 200, selectionPattern: '200', responseParameters: {}, responseTemplates: {} }];
  const integration = {
    ...HTTP_PROXY,
    type: 'HTTP' as const,
    passthroughBehavior: 'WHEN_NO_MATCH' as const,
    requestTemplates: {},
    responses,
  };
  const gate = await gateWith({}, { routes: [routeSnapshot({ path: '/x', integration })] });
  const answered = callOnce(gate.listener.port, { path: '/dev/x', host: HOST });
  await gate.backend.called(1);
  const body = new Readable({ read: () => undefined });
  gate.backend.calls[0]!.answer({ status: 404, body });
  expect((await answered).status).toBe(500);
  expect(body.destroyed).toBe(true);
});

test("the AWS form of a host reaches the API of its region, and none in another's", async () => {
  const gate = await gateWith();
  for (const [region, status] of [
    ['us-east-1', 200],
    ['eu-west-1', 403],
  ] as const) {
    expect(
      (await callOnce(gate.listener.port, { path: '/dev', host: `abc123defg.execute-api.${region}.localhost` })).status,
    ).toBe(status);
  }
});

test('what was asked for is in the record, also of a request that is refused', async () => {
  const gate = await gateWith();
  await callOnce(gate.listener.port, { path: '/nowhere/x?secret', host: 'other' });
  await callOnce(gate.listener.port, { path: '/dev/%', host: HOST });
  await gate.records(2);
  expect(gate.recorded.map(({ path, status }) => `${status} ${path}`)).toEqual(['403 /nowhere/x', '400 /dev/%']);
});

test('a drain does not wait for connections that never sent anything', async () => {
  const gate = await gateWith();
  const silent = await gate.connect();
  await gate.listener.close({ deadlineMs: 60_000 });
  expect(await silent.untilClosed()).toBe('');
});

test('a drain answers pipelined requests before it closes their connection', async () => {
  const gate = await gateWith();
  const caller = await gate.connect();
  caller.send(get('/dev/1') + get('/dev/2'));
  await gate.backend.called(2);
  const closed = gate.listener.close({ deadlineMs: 60_000 });
  for (const [i, call] of gate.backend.calls.entries()) call.answer({ body: Buffer.from(`<${i + 1}>`) });
  expect((await caller.untilClosed()).match(/<\d>/g)).toEqual(['<1>', '<2>']);
  await closed;
  expect(gate.recorded.length).toBe(2);
});
