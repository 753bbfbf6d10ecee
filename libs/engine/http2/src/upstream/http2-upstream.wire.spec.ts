// Calls to upstreams that speak HTTP/2, on real sockets: node:http2's server, and frames written by hand where it is too polite.
import { END_HEADERS, frame, GOAWAY, HEADERS, hpack, SETTINGS, uint32 } from '@gatehouse/testkit';
import type { CallerPresence, UpstreamAnswer, UpstreamRequest } from '@gatehouse/engine-exchange';
import { readAll } from '@gatehouse/engine-exchange';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  constants,
  createSecureServer,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect as connectPlain, createServer as createPlainServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { Http2Upstream, type Http2Failure, type Http2UpstreamOptions } from '../index.js';

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

class Caller implements CallerPresence {
  isCallerGone = false;
  onCallerLeft: (() => void) | null = null;
  readonly signal = new AbortController().signal;
  leave(): void {
    this.isCallerGone = true;
    this.onCallerLeft?.();
  }
}

const requestOf = (over: Partial<UpstreamRequest> = {}): UpstreamRequest =>
  ({
    httpMethod: 'GET',
    url: 'http://up.example/x',
    tenant: '123456789012',
    traceId: 'Root=1-67891233-abcdef012345678912345678',
    block: null,
    headers: [],
    body: null,
    timeoutMs: 5_000,
    ...over,
  }) as UpstreamRequest;

interface Seen {
  readonly rawHeaders: readonly string[];
  readonly stream: ServerHttp2Stream;
}

interface Pair {
  readonly upstream: Http2Upstream;
  readonly seen: Seen[];
  readonly sessions: ServerHttp2Session[];
  readonly server: Http2Server;
  readonly socket: Socket;
}

async function pair(
  script: (stream: ServerHttp2Stream, path: string) => void,
  over: Partial<Http2UpstreamOptions> = {},
  settings: object = {},
): Promise<Pair> {
  const seen: Seen[] = [];
  const sessions: ServerHttp2Session[] = [];
  const server = createServer({ settings });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers, _flags, rawHeaders) => {
    stream.on('error', () => undefined);
    seen.push({ rawHeaders: rawHeaders as unknown as string[], stream });
    script(stream, headers[':path']!);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connectPlain((server.address() as AddressInfo).port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const upstream = new Http2Upstream(socket, { scheme: 'http', authority: 'up.example', ...over });
  closing.push(() => {
    upstream.destroy();
    for (const session of sessions) session.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { upstream, seen, sessions, server, socket };
}

const isFailure = (outcome: UpstreamAnswer | Http2Failure): outcome is Http2Failure => 'failure' in outcome;

async function bodyOf(outcome: UpstreamAnswer | Http2Failure): Promise<string> {
  if (isFailure(outcome)) throw new Error(`failed: ${outcome.failure} ${String(outcome.cause)}`);
  const { body } = outcome;
  return body === null ? '' : Buffer.isBuffer(body) ? body.toString() : (await readAll(body, 1e9)).toString();
}

const echo = (stream: ServerHttp2Stream): void => {
  stream.respond({ ':status': 200 });
  stream.pipe(stream);
};
const answer =
  (text: string) =>
  (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': 200, 'content-length': Buffer.byteLength(text) });
    stream.end(text);
  };
const settled = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('a request becomes pseudo fields and lower-case fields; what belongs to one HTTP/1.1 connection stays behind', async () => {
  const { upstream, seen } = await pair(answer('ok'));
  const headers = [
    'X-A',
    '1',
    'X-A',
    '2',
    'Connection',
    'x-a',
    'Transfer-Encoding',
    'chunked',
    'TE',
    'gzip',
    'Upgrade',
    'x',
    'Content-Type',
    'a',
    'Content-Type',
    'b',
  ];
  const outcome = await upstream.request(requestOf({ url: 'http://up.example/a%2Fb?q=%20#f', headers }), new Caller());
  expect(await bodyOf(outcome)).toBe('ok');
  expect(seen[0]!.rawHeaders).toEqual(
    [':method', 'GET', ':scheme', 'http', ':authority', 'up.example', ':path', '/a%2Fb?q=%20'].concat([
      'x-a',
      '1',
      'x-a',
      '2',
      'content-type',
      'a',
      'content-type',
      'b',
      'x-amzn-trace-id',
      'Root=1-67891233-abcdef012345678912345678',
    ]),
  );
});

for (const [url, target] of [
  ['http://up.example', '/'],
  ['http://up.example?q', '/?q'],
  ['http://up.example#f', '/'],
  ['http://up.example/..%2f//', '/..%2f//'],
] as const) {
  test(`${url} asks for ${target}`, async () => {
    const { upstream, seen } = await pair(answer('ok'));
    await upstream.request(requestOf({ url }), new Caller());
    expect(seen[0]!.rawHeaders[7]).toBe(target);
  });
}

test('a mapped Host names the authority', async () => {
  const { upstream, seen } = await pair(answer('ok'));
  await upstream.request(requestOf({ headers: ['Host', 'mapped.example'] }), new Caller());
  expect([seen[0]!.rawHeaders[5], seen[0]!.rawHeaders.includes('host')]).toEqual(['mapped.example', false]);
});

for (const [what, over] of [
  ['a NUL in a value', { headers: ['x-a', '1\u0000x-evil\u00001'] }],
  ['a line break in a value', { headers: ['x-a', '1\r\nx-evil: 1'] }],
  ['a character that would be cut to a line break', { headers: ['x-a', '1\u010d'] }],
  ['a pseudo field', { headers: [':path', '/evil'] }],
  ['a space in its target', { url: 'http://up.example/a b' }],
  ['a method that is no token', { httpMethod: 'G T' }],
  ['CONNECT', { httpMethod: 'CONNECT' }],
] as const) {
  test(`a request with ${what} is not sent`, async () => {
    const { upstream, seen } = await pair(answer('ok'));
    const body = Readable.from(['x']);
    const outcome = await upstream.request(
      requestOf({ ...over, headers: [...('headers' in over ? over.headers : [])], body }),
      new Caller(),
    );
    expect([isFailure(outcome) && outcome.failure, body.destroyed, seen.length]).toEqual(['ADDRESS', true, 0]);
  });
}

test('bodies stream both ways, whole and in order, beside each other', async () => {
  const { upstream, seen } = await pair(echo);
  const bodies = Array.from({ length: 8 }, (_, i) => Buffer.alloc(400_000 + i, `${i}abcdefg`));
  const answers = await Promise.all(
    bodies.map(async (body, i) => {
      const stream = i % 2 === 0 ? Readable.from([body.subarray(0, 1_000), body.subarray(1_000)], { objectMode: false }) : body;
      return bodyOf(await upstream.request(requestOf({ httpMethod: 'PUT', body: stream }), new Caller()));
    }),
  );
  expect(answers.map((text, i) => text === bodies[i]!.toString())).toEqual(bodies.map(() => true));
  expect(seen.length).toBe(8);
});

test('an answer that is here with its head is bytes; HEAD, 204 and an empty one are none', async () => {
  const { upstream } = await pair((stream, path) => {
    if (path === '/empty') stream.respond({ ':status': 200 }, { endStream: true });
    else if (path === '/204') stream.respond({ ':status': 204 });
    else answer('bytes')(stream);
  });
  const whole = (await upstream.request(requestOf(), new Caller())) as UpstreamAnswer;
  expect(Buffer.isBuffer(whole.body) && whole.body.toString()).toBe('bytes');
  for (const over of [{ url: 'http://up.example/empty' }, { url: 'http://up.example/204' }, { httpMethod: 'HEAD' }]) {
    expect(((await upstream.request(requestOf(over), new Caller())) as UpstreamAnswer).body).toBe(null);
  }
  expect(upstream.callCount).toBe(0);
});

test('an answer in several frames that came in one read is bytes, all of them', async () => {
  const upstream = await rawUpstream((socket, chunk) => {
    const [stream] = headersIn(chunk);
    if (stream === undefined) return;
    const head = frame(HEADERS, END_HEADERS, stream, hpack([':status', '200', 'content-length', '5']));
    socket.write(Buffer.concat([head, frame(0, 0, stream, Buffer.from('he')), frame(0, 1, stream, Buffer.from('llo'))]));
  });
  const outcome = (await upstream.request(requestOf(), new Caller())) as UpstreamAnswer;
  expect(Buffer.isBuffer(outcome.body) && outcome.body.toString()).toBe('hello');
});

test('headers of an answer keep order and repetitions, without :status', async () => {
  const { upstream } = await pair((stream) => {
    stream.respond(
      [':status', '201', 'set-cookie', 'a=1', 'x-a', '1', 'set-cookie', 'b=2'] as never,
      { sendDate: false } as never,
    );
    stream.end();
  });
  const outcome = (await upstream.request(requestOf(), new Caller())) as UpstreamAnswer;
  expect([outcome.status, outcome.headers]).toEqual([201, ['set-cookie', 'a=1', 'x-a', '1', 'set-cookie', 'b=2']]);
});

test('a body that nobody reads holds its upstream back', async () => {
  let sent = 0;
  const { upstream } = await pair((stream) => {
    stream.respond({ ':status': 200 });
    const more = (): void => {
      while (sent < 50_000_000 && stream.write(Buffer.alloc(65_536))) sent += 65_536;
      stream.once('drain', more);
    };
    more();
  });
  await upstream.request(requestOf(), new Caller());
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(sent).toBeLessThan(4_000_000);
});

test('a caller that leaves resets its stream and no other, before and in the middle of the answer', async () => {
  const { upstream, seen } = await pair((stream, path) => {
    if (path === '/half') {
      stream.respond({ ':status': 200 });
      stream.write('half');
    }
  });
  const [early, late, stays] = [new Caller(), new Caller(), new Caller()];
  const waiting = upstream.request(requestOf(), early);
  const half = (await upstream.request(requestOf({ url: 'http://up.example/half' }), late)) as UpstreamAnswer;
  void upstream.request(requestOf(), stays);
  await settled(() => seen.length === 3);
  early.leave();
  late.leave();
  expect(await waiting).toMatchObject({ failure: 'ABORTED', isUnprocessed: false });
  await expect(readAll(half.body as Readable, 1_000)).rejects.toThrow();
  await settled(() => upstream.callCount === 1);
  await settled(() => seen.filter(({ stream }) => stream.destroyed).length === 2);
  expect(upstream.isOpen).toBe(true);
});

test('destroying the body ends the call', async () => {
  const { upstream, seen } = await pair((stream) => {
    stream.respond({ ':status': 200 });
    stream.write('half');
  });
  const outcome = (await upstream.request(requestOf(), new Caller())) as UpstreamAnswer;
  (outcome.body as Readable).destroy();
  await settled(() => seen[0]!.stream.destroyed && upstream.callCount === 0);
});

for (const [what, breakIt] of [
  ['breaks', (body: Readable): unknown => body.destroy(new Error('broke'))],
  ['is shorter than announced', (body: Readable): unknown => body.push(null)],
] as const) {
  test(`a request whose body ${what} is reset: its upstream never sees it end`, async () => {
    let hasEnded = false;
    const { upstream, seen } = await pair((stream) => void stream.on('end', () => (hasEnded = !stream.aborted)).resume());
    const body = new Readable({ read: () => undefined });
    body.push('half');
    const waiting = upstream.request(requestOf({ httpMethod: 'PUT', headers: ['Content-Length', '10'], body }), new Caller());
    await settled(() => seen.length === 1);
    breakIt(body);
    expect(await waiting).toMatchObject({ failure: 'ABORTED', isUnprocessed: false });
    await settled(() => seen[0]!.stream.destroyed);
    expect([hasEnded, seen[0]!.stream.rstCode]).toEqual([false, constants.NGHTTP2_INTERNAL_ERROR]);
  });
}

test('a request whose body breaks without an announced length is reset as well', async () => {
  let hasEnded = false;
  const { upstream, seen } = await pair((stream) => void stream.on('end', () => (hasEnded = !stream.aborted)).resume());
  const body = new Readable({ read: () => undefined });
  body.push('half');
  const waiting = upstream.request(requestOf({ httpMethod: 'PUT', body }), new Caller());
  await settled(() => seen.length === 1);
  body.destroy();
  expect(await waiting).toMatchObject({ failure: 'ABORTED' });
  await settled(() => seen[0]!.stream.destroyed);
  expect([hasEnded, seen[0]!.stream.rstCode]).toEqual([false, constants.NGHTTP2_INTERNAL_ERROR]);
});

test('a call that is not answered in time fails as TIMEOUT; the connection is probed and lives', async () => {
  const { upstream, seen } = await pair((stream, path) => void (path === '/fast' && answer('ok')(stream)));
  expect(await upstream.request(requestOf({ timeoutMs: 40 }), new Caller())).toMatchObject({
    failure: 'TIMEOUT',
    isUnprocessed: false,
  });
  await settled(() => upstream.hasRoom);
  expect(await bodyOf(await upstream.request(requestOf({ url: 'http://up.example/fast' }), new Caller()))).toBe('ok');
  expect(seen.length).toBe(2);
});

test('no more calls at once than the upstream allows; one without room leaves its body alone', async () => {
  const { upstream, seen } = await pair(() => undefined, {}, { maxConcurrentStreams: 2 });
  await settled(() => upstream.hasRoom && upstream.isOpen);
  await new Promise((resolve) => setTimeout(resolve, 50)); // SETTINGS of the upstream
  const callers = [new Caller(), new Caller()];
  for (const caller of callers) void upstream.request(requestOf(), caller);
  expect(upstream.hasRoom).toBe(false);
  const body = Readable.from(['x']);
  expect(await upstream.request(requestOf({ body }), new Caller())).toMatchObject({
    failure: 'UNAVAILABLE',
    isUnprocessed: true,
  });
  expect(body.destroyed).toBe(false);
  await settled(() => seen.length === 2);
  callers[0]!.leave();
  await settled(() => upstream.hasRoom);
});

test('a stream that is refused is unprocessed; one that is broken is not', async () => {
  const { upstream } = await pair((stream, path) => {
    if (path === '/refused') stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  });
  const refused = await upstream.request(
    requestOf({ url: 'http://up.example/refused', httpMethod: 'POST', body: Buffer.from('x') }),
    new Caller(),
  );
  expect(refused).toMatchObject({ failure: 'NETWORK', isUnprocessed: true });
  expect(await upstream.request(requestOf({ url: 'http://up.example/broken' }), new Caller())).toMatchObject({
    failure: 'NETWORK',
    isUnprocessed: false,
  });
});

test('an upstream that closes in order: running calls are answered, no new ones are taken', async () => {
  let release = (): void => undefined;
  const { upstream, sessions, seen } = await pair((stream) => void (release = () => answer('late')(stream)));
  const running = upstream.request(requestOf(), new Caller());
  await settled(() => seen.length === 1);
  sessions[0]!.close();
  await settled(() => !upstream.hasRoom);
  expect(upstream.isOpen).toBe(false);
  release();
  expect(await bodyOf(await running)).toBe('late');
});

async function rawUpstream(script: (socket: Socket, chunk: Buffer) => void): Promise<Http2Upstream> {
  const sockets: Socket[] = [];
  const server = createPlainServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(frame(SETTINGS, 0, 0));
    socket.on('data', (chunk: Buffer) => script(socket, chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connectPlain((server.address() as AddressInfo).port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const upstream = new Http2Upstream(socket, { scheme: 'http', authority: 'up.example', probeTimeoutMs: 50 });
  closing.push(() => {
    upstream.destroy();
    for (const accepted of sockets) accepted.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return upstream;
}

/** Streams whose HEADERS a chunk carries. */
function headersIn(chunk: Buffer): number[] {
  const streams: number[] = [];
  let at = chunk.subarray(0, 3).toString('latin1') === 'PRI' ? 24 : 0;
  for (; at + 9 <= chunk.length; at += 9 + chunk.readUIntBE(at, 3))
    if (chunk[at + 3] === HEADERS) streams.push(chunk.readUInt32BE(at + 5));
  return streams;
}

for (const [what, code] of [
  ['in order', constants.NGHTTP2_NO_ERROR],
  ['with an error', constants.NGHTTP2_INTERNAL_ERROR],
] as const) {
  test(`GOAWAY ${what}: a stream behind the last one that was looked at is unprocessed, one before it is not`, async () => {
    const opened: number[] = [];
    const upstream = await rawUpstream((socket, chunk) => {
      opened.push(...headersIn(chunk));
      if (opened.length !== 2) return;
      socket.end(frame(GOAWAY, 0, 0, Buffer.concat([uint32(opened[0]!), uint32(code)])));
    });
    const first = upstream.request(requestOf(), new Caller());
    await settled(() => opened.length === 1);
    const second = upstream.request(requestOf({ httpMethod: 'POST', body: Buffer.from('x') }), new Caller());
    expect(await second).toMatchObject({ failure: 'NETWORK', isUnprocessed: true });
    expect(await first).toMatchObject({ failure: 'NETWORK', isUnprocessed: false });
    expect(upstream.isOpen).toBe(false);
  });
}

test('an upstream that went silent takes one call down with it, not the next', async () => {
  const upstream = await rawUpstream(() => undefined);
  expect(await upstream.request(requestOf({ timeoutMs: 30 }), new Caller())).toMatchObject({ failure: 'TIMEOUT' });
  expect(upstream.hasRoom).toBe(false);
  await settled(() => !upstream.isOpen);
});

test('an upstream that closes in the middle of a body: the body fails, it does not end', async () => {
  const upstream = await rawUpstream((socket, chunk) => {
    const [stream] = headersIn(chunk);
    if (stream === undefined) return;
    socket.write(
      Buffer.concat([frame(HEADERS, END_HEADERS, stream, hpack([':status', '200'])), frame(0, 0, stream, Buffer.from('half'))]),
    );
    setTimeout(() => socket.end(), 30);
  });
  const outcome = (await upstream.request(requestOf(), new Caller())) as UpstreamAnswer;
  await expect(readAll(outcome.body as Readable, 1_000)).rejects.toThrow();
});

test('a stream that is reset without an error in the middle of a body: the body fails, it does not end', async () => {
  const upstream = await rawUpstream((socket, chunk) => {
    const [stream] = headersIn(chunk);
    if (stream === undefined) return;
    socket.write(
      Buffer.concat([frame(HEADERS, END_HEADERS, stream, hpack([':status', '200'])), frame(0, 0, stream, Buffer.from('half'))]),
    );
    setTimeout(() => socket.write(frame(3, 0, stream, uint32(0))), 30);
  });
  const outcome = (await upstream.request(requestOf(), new Caller())) as UpstreamAnswer;
  await expect(readAll(outcome.body as Readable, 1_000)).rejects.toThrow();
});

test('interim answers are bounded', async () => {
  const upstream = await rawUpstream((socket, chunk) => {
    const [stream] = headersIn(chunk);
    if (stream === undefined) return;
    for (let i = 0; i < 100; i++) socket.write(frame(HEADERS, END_HEADERS, stream, hpack([':status', '103'])));
  });
  expect(await upstream.request(requestOf(), new Caller())).toMatchObject({ failure: 'NETWORK', isUnprocessed: false });
});

test('a connection without calls is closed when it has idled long enough, and not while a call runs', async () => {
  let release = (): void => undefined;
  const { upstream, seen } = await pair((stream) => void (release = () => answer('ok')(stream)), { idleMs: 40 });
  const running = upstream.request(requestOf(), new Caller());
  await settled(() => seen.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(upstream.isOpen).toBe(true);
  release();
  await running;
  await settled(() => !upstream.isOpen);
});

test('close lets running calls end', async () => {
  let release = (): void => undefined;
  const { upstream, seen } = await pair((stream) => void (release = () => answer('ok')(stream)));
  const running = upstream.request(requestOf(), new Caller());
  await settled(() => seen.length === 1);
  const closed = upstream.close();
  expect(upstream.hasRoom).toBe(false);
  release();
  expect(await bodyOf(await running)).toBe('ok');
  await closed;
});

test('on TLS, with h2 chosen by ALPN', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-h2-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [path.join(folder, 'key'), path.join(folder, 'crt')];
  const kind = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync('openssl', ['req', '-x509', '-newkey', ...kind, '-nodes', '-subj', '/CN=test', '-keyout', key, '-out', cert], {
    stdio: 'pipe',
  });
  const server = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) });
  server.on('stream', (stream: ServerHttp2Stream, headers) => answer(`${headers[':scheme']} ${headers[':authority']}`)(stream));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connectTls({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  expect(socket.alpnProtocol).toBe('h2');
  const upstream = new Http2Upstream(socket, { scheme: 'https', authority: 'up.example:8443' });
  closing.push(() => {
    upstream.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  expect(await bodyOf(await upstream.request(requestOf({ url: 'https://up.example:8443/' }), new Caller()))).toBe(
    'https up.example:8443',
  );
});
