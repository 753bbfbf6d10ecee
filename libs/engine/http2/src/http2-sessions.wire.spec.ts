// HTTP/2 callers on real sockets, with node:http2's client.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectPlain, createServer as createPlainServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import {
  connect,
  constants,
  performServerHandshake,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { Exchange } from '@gatehouse/engine-exchange';
import { answerHead } from './answer-head.js';
import { CallerStream } from './caller-stream.js';
import { DEFAULT_HTTP2_LIMITS } from './limits.js';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  routeSnapshot,
  ScriptedUpstream,
  stageSnapshot,
  type UpstreamCall,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  headers,
  PREFACE,
  RawHttp2Caller,
  RST_STREAM,
  SETTINGS,
} from '@gatehouse/testkit';
import type { Http2SessionsOptions } from './index.js';
import { afterwards, Gate, HOST, proxyTo } from './testing/gate.js';

const stageOf = (route: Partial<RouteSnapshot>): StageSnapshot => stageSnapshot({ routes: [routeSnapshot(route)] });

async function proxied(
  script: (call: UpstreamCall) => void | Promise<void>,
  over: Partial<Http2SessionsOptions> = {},
): Promise<{ readonly gate: Gate; readonly up: ScriptedUpstream }> {
  const up = await ScriptedUpstream.start(script);
  afterwards(() => up.close());
  return { gate: await Gate.start(stageOf({ path: '/{proxy+}', httpMethod: 'ANY', integration: proxyTo(up.url) }), over), up };
}

function session(gate: Gate): ClientHttp2Session {
  const opened = connect(gate.url);
  opened.on('error', () => undefined);
  afterwards(() => opened.destroy());
  return opened;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly rstCode: number;
}

function open(caller: ClientHttp2Session, head: OutgoingHttpHeaders, endStream: boolean): ClientHttp2Stream {
  return caller.request({ ':authority': HOST, ':path': '/dev/x', ...head }, { endStream });
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const chunks: Buffer[] = [];
  let headers: Record<string, unknown> = {};
  let rawHeaders: readonly string[] = [];
  stream.on('response', (got, _flags, raw) => {
    headers = got as Record<string, unknown>;
    rawHeaders = raw as readonly string[];
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => undefined);
  if (!stream.destroyed) await new Promise((resolve) => stream.on('close', resolve));
  return { status: Number(headers[':status'] ?? 0), headers, rawHeaders, body: Buffer.concat(chunks), rstCode: stream.rstCode! };
}

function call(caller: ClientHttp2Session, head: OutgoingHttpHeaders = {}, body: Buffer | null = null): Promise<Answer> {
  const stream = open(caller, head, body === null);
  if (body !== null) stream.end(body);
  return answerOf(stream);
}

const headersOf = (raw: readonly string[], name: string): string[] =>
  raw.filter((_, i) => i % 2 === 1 && raw[i - 1]!.toLowerCase() === name);

test('a mock answers with the common headers, and the request is recorded once', async () => {
  const gate = await Gate.start(stageSnapshot());
  const answer = await call(session(gate), { ':path': '/dev' });
  expect([answer.status, answer.body.toString(), answer.headers['content-length'], answer.headers['content-type']]).toEqual([
    200,
    '',
    '0',
    'application/json',
  ]);
  expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers['x-amz-apigw-id']).toMatch(/^[A-Za-z0-9+/]{15}=$/);
  await gate.recorded(1);
  expect(gate.lines).toMatchObject([{ status: 200, path: '/dev' }]);
  expect(gate.sessions.inFlightCount).toBe(0);
});

test('method, target, headers and body reach the backend; pseudo fields and connection matters do not', async () => {
  const { gate, up } = await proxied(async ({ response, body }) => void response.end(await body));
  const answer = await call(
    session(gate),
    { ':method': 'POST', ':path': '/dev/a%2Fb?q=1', 'x-a': '1', te: 'trailers', 'content-length': '5' },
    Buffer.from('hello'),
  );
  expect([answer.status, answer.body.toString()]).toEqual([200, 'hello']);
  const [seen] = up.calls;
  expect([seen!.httpMethod, seen!.url]).toEqual(['POST', '/a%2Fb?q=1']);
  expect(headersOf(seen!.rawHeaders, 'x-a')).toEqual(['1']);
  expect(headersOf(seen!.rawHeaders, 'content-length')).toEqual(['5']);
  expect(seen!.rawHeaders.filter((name, i) => i % 2 === 0 && (name.startsWith(':') || name.toLowerCase() === 'te'))).toEqual([]);
});

test('crumbs of a cookie are one field again', async () => {
  const { gate, up } = await proxied(({ response }) => void response.end());
  await call(session(gate), { cookie: ['a=1', 'b=2', 'c=3'] });
  expect(headersOf(up.calls[0]!.rawHeaders, 'cookie')).toEqual(['a=1; b=2; c=3']);
});

test('what belongs to one HTTP/1.1 connection is not in the answer; repeated fields are', async () => {
  const { gate } = await proxied(({ response }) => {
    response.writeHead(200, [
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'Keep-Alive',
      'timeout=5',
      'Proxy-Connection',
      'x',
      'X-Y',
      'z',
    ]);
    response.end('ok');
  });
  const answer = await call(session(gate));
  expect(answer.status).toBe(200);
  expect(headersOf(answer.rawHeaders, 'set-cookie')).toEqual(['a=1', 'b=2']);
  for (const name of ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding']) {
    expect(headersOf(answer.rawHeaders, name), name).toEqual([]);
  }
  expect(headersOf(answer.rawHeaders, 'x-y')).toEqual(['z']);
});

test('Host stands in for :authority, may repeat it, and may not contradict it', async () => {
  const gate = await Gate.start(stageSnapshot());
  const caller = session(gate);
  const path = { ':path': '/dev' };
  expect((await call(caller, { ...path, ':authority': HOST, host: HOST.toUpperCase() })).status).toBe(200);
  expect((await call(caller, { ...path, ':authority': HOST, host: 'other.execute-api.localhost' })).status).toBe(400);
  expect((await call(caller, { ...path, ':authority': 'nobody.example' })).status).toBe(403);
});

for (const method of ['GET', 'POST']) {
  test(`HEAD, 204, 205 and 304 have no body, also when a ${method} asked`, async () => {
    const { gate } = await proxied(({ response, url }) => {
      response.writeHead(Number(url.slice(1)), { 'x-a': '1' });
      response.end(url === '/205' ? '' : undefined);
    });
    const caller = session(gate);
    for (const status of [204, 205, 304]) {
      const answer = await call(
        caller,
        { ':method': method, ':path': `/dev/${status}` },
        method === 'POST' ? Buffer.from('x') : null,
      );
      expect([answer.status, answer.body.length, answer.headers['x-a'], answer.rstCode]).toEqual([status, 0, '1', 0]);
    }
    const head = await call(caller, { ':method': 'HEAD', ':path': '/dev/200' });
    expect([head.status, head.body.length, head.rstCode]).toEqual([200, 0, 0]);
    await gate.recorded(4);
    expect(gate.lines.map(({ fault }) => fault)).toEqual([undefined, undefined, undefined, undefined]);
  });
}

test('a hundred requests are under way at once on one connection', async () => {
  const held: (() => void)[] = [];
  const { gate } = await proxied(({ response, url }) => {
    held.push(() => response.end(url));
    if (held.length === 100) for (const release of held) release();
  });
  const caller = session(gate);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => call(caller, { ':path': `/dev/${i}` })));
  expect(answers.map(({ body }) => body.toString())).toEqual(Array.from({ length: 100 }, (_, i) => `/${i}`));
});

test('a caller that uses all its streams, with bodies that nobody reads, is refused none of them', async () => {
  const gate = await Gate.start(stageSnapshot(), { streamsMax: 16 });
  const caller = await RawHttp2Caller.open(gate.port);
  afterwards(() => void caller.socket.destroy());
  const fields = [':method', 'POST', ':scheme', 'http', ':path', '/nowhere/x', ':authority', HOST, 'content-length', '5'];
  const body = Buffer.from('hello');
  const isAnswered = (stream: number): boolean =>
    caller.frames.some((got) => got.stream === stream && (got.flags & END_STREAM) !== 0);
  let ends: Buffer[] = [];
  for (let first = 1; first < 200; first += 32) {
    const streams = Array.from({ length: 16 }, (_, i) => first + 2 * i);
    const begun = streams.flatMap((stream) => [
      headers(stream, fields, END_HEADERS),
      frame(DATA, 0, stream, body.subarray(0, 2)),
    ]);
    caller.write(...ends, ...begun);
    await new Promise((resolve) => setTimeout(resolve, 50));
    ends = streams.map((stream) => frame(DATA, END_STREAM, stream, body.subarray(2)));
    // Answered by now, a stream is over with its end, and a new one may come in the same write.
    if (streams.every(isAnswered)) continue;
    caller.write(...ends);
    ends = [];
    await caller.got(() => caller.count(RST_STREAM) > 0 || streams.every(isAnswered));
  }
  expect([caller.count(RST_STREAM), gate.ends]).toEqual([0, []]);
});

test('a large body streams both ways, whole and in order', async () => {
  const { gate } = await proxied(({ request, response }) => void request.pipe(response));
  const body = Buffer.alloc(3_000_000, Buffer.from('0123456789abcdef!'));
  const answer = await call(session(gate), { ':method': 'PUT' }, body);
  expect(answer.body.equals(body)).toBe(true);
  await gate.recorded(1);
  expect(gate.lines[0]).toMatchObject({ status: 200, bytes: body.length });
});

test('nobody reads ahead: a caller that does not read holds its backend back, within its window', async () => {
  let sent = 0;
  const { gate } = await proxied(({ response }) => {
    const more = (): void => {
      while (sent < 50_000_000 && response.write(Buffer.alloc(65_536))) sent += 65_536;
      if (sent < 50_000_000) response.once('drain', more);
      else response.end();
    };
    more();
  });
  const stream = open(session(gate), {}, true);
  stream.on('error', () => undefined);
  await once(stream, 'response');
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(sent, 'bytes the backend could send').toBeLessThan(20_000_000);
  stream.close(constants.NGHTTP2_CANCEL);
  await gate.recorded(1);
  expect(gate.lines[0]).toMatchObject({ fault: 'CALLER_LEFT' });
});

test('a body that nobody reads is held within its window', async () => {
  const { gate, up } = await proxied(({ request }) => void request.pause());
  const stream = open(session(gate), { ':method': 'POST' }, false);
  stream.on('error', () => undefined);
  await once(stream, 'ready');
  let taken = 0;
  const chunk = Buffer.alloc(65_536);
  const more = (): void => void stream.write(chunk, () => (stream.closed ? undefined : ((taken += chunk.length), more())));
  more();
  await up.called(1);
  let before = -1;
  while (before !== taken) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(taken, 'bytes the caller could send').toBeLessThan(20_000_000);
  stream.close(constants.NGHTTP2_CANCEL);
  await gate.recorded(1);
});

test('a caller that resets its stream aborts its upstream call, and no other', async () => {
  const { gate, up } = await proxied(
    ({ url, response }) => void (url === '/stays' && setTimeout(() => response.end('here'), 300)),
  );
  const caller = session(gate);
  const leaving = open(caller, { ':path': '/dev/leaves' }, true);
  leaving.on('error', () => undefined);
  const stays = call(caller, { ':path': '/dev/stays' });
  await up.called(2);
  leaving.close(constants.NGHTTP2_CANCEL);
  await up.calls.find(({ url }) => url === '/leaves')!.closed;
  expect((await stays).body.toString()).toBe('here');
  await gate.recorded(2);
});

test('a caller that drops the connection aborts all its upstream calls, and each is recorded once', async () => {
  const { gate, up } = await proxied(() => undefined);
  const caller = session(gate);
  for (let i = 0; i < 3; i++) open(caller, { ':path': `/dev/${i}` }, true).on('error', () => undefined);
  await up.called(3);
  caller.destroy();
  await Promise.all(up.calls.map(({ closed }) => closed));
  await gate.recorded(3);
  expect([gate.lines.length, gate.sessions.inFlightCount]).toEqual([3, 0]);
});

test('a backend that breaks in the middle of its body resets the stream; it is not ended as if it were whole', async () => {
  const { gate } = await proxied(({ response, socket }) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half', () => setTimeout(() => socket.resetAndDestroy(), 50));
  });
  const caller = session(gate);
  const answer = await call(caller);
  expect([answer.status, answer.body.toString(), answer.rstCode]).toEqual([200, 'half', constants.NGHTTP2_INTERNAL_ERROR]);
  await gate.recorded(1);
  expect(gate.lines[0]).toMatchObject({ fault: 'INTEGRATION_FAILURE' });
  expect((await call(caller, { ':path': '/other' })).status, 'the connection lives').toBe(403);
});

test('an answer that comes before the end of the request arrives whole, and the caller is told to stop', async () => {
  const { gate } = await proxied(() => undefined);
  const stream = open(session(gate), { ':method': 'POST', ':path': '/nowhere/x' }, false);
  stream.write(Buffer.alloc(1_000));
  const answer = await answerOf(stream);
  expect([answer.status, answer.rstCode]).toEqual([403, constants.NGHTTP2_NO_ERROR]);
  expect(JSON.parse(answer.body.toString())).toEqual({ message: 'Forbidden' });
});

test('a caller that waits for 100 Continue is told to go on when somebody wants its body', async () => {
  const { gate } = await proxied(async ({ response, body }) => void response.end(await body));
  const stream = open(session(gate), { ':method': 'POST', expect: '100-continue', 'content-length': '4' }, false);
  const answered = answerOf(stream);
  await once(stream, 'continue');
  stream.end('body');
  expect((await answered).body.toString()).toBe('body');
});

test('trailers of a request are read and dropped', async () => {
  const { gate, up } = await proxied(async ({ response, body }) => void response.end(await body));
  const stream = session(gate).request(
    { ':method': 'POST', ':authority': HOST, ':path': '/dev/x' },
    { endStream: false, waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': '1', authorization: 'none' }));
  stream.end('body');
  const answer = await answerOf(stream);
  expect([answer.status, answer.body.toString()]).toEqual([200, 'body']);
  expect([up.calls[0]!.rawHeaders, up.calls[0]!.request.rawTrailers].flat()).not.toContain('x-late');
});

for (const value of ['a\u0000x-evil\u00001', 'a\r\nx-evil: 1', 'a\u010dx']) {
  test(`an answer with the header value ${JSON.stringify(value)} is not sent: it would become another one`, () => {
    const x = new Exchange();
    x.status = 200;
    x.responseHeaders = ['x-a', value];
    expect(() => answerHead(x)).toThrow('cannot be sent');
  });
}

test('close: requests under way are answered, then the connection ends', async () => {
  let release = (): void => undefined;
  const { gate, up } = await proxied(({ response }) => void (release = () => response.end('late')));
  const caller = session(gate);
  const running = call(caller);
  await up.called(1);
  const closed = gate.sessions.close({ deadlineMs: 10_000 });
  const goaway = once(caller, 'goaway');
  await goaway;
  release();
  expect((await running).body.toString()).toBe('late');
  await closed;
  expect([gate.sessions.inFlightCount, gate.sessions.openSessions, gate.lines.length]).toEqual([0, 0, 1]);
});

test('close: a request that crosses the GOAWAY is behind the last stream it names, and is not begun', async () => {
  let release = (): void => undefined;
  const { gate, up } = await proxied(({ response }) => void (release = () => response.end('late')));
  const caller = await RawHttp2Caller.open(gate.port);
  afterwards(() => void caller.socket.destroy());
  const fields = [':method', 'GET', ':scheme', 'http', ':path', '/dev/x', ':authority', HOST];
  caller.write(headers(1, fields));
  await up.called(1);
  const closed = gate.sessions.close({ deadlineMs: 10_000 });
  const goaway = await caller.got(({ type }) => type === GOAWAY);
  expect([goaway.payload.readUInt32BE(0), goaway.payload.readUInt32BE(4)]).toEqual([1, constants.NGHTTP2_NO_ERROR]);
  caller.write(headers(3, fields));
  await new Promise((resolve) => setTimeout(resolve, 50));
  release();
  await caller.got(({ type, stream }) => type === HEADERS && stream === 1);
  await closed;
  expect([gate.lines.length, up.calls.length]).toEqual([1, 1]);
});

test('close: what is left at the deadline is cut, and recorded', async () => {
  const { gate, up } = await proxied(() => undefined);
  const running = call(session(gate));
  await up.called(1);
  await gate.sessions.close({ deadlineMs: 20 });
  expect((await running).status).toBe(0);
  expect(gate.lines.length).toBe(1);
});

test('a node short of memory answers 503 and makes no Exchange', async () => {
  let isShedding = true;
  const gate = await Gate.start(stageSnapshot(), { isShedding: () => isShedding });
  const caller = session(gate);
  const answer = await call(caller, { ':path': '/dev' });
  expect([answer.status, answer.headers['retry-after'], gate.lines.length]).toEqual([503, '1', 0]);
  isShedding = false;
  expect((await call(caller, { ':path': '/dev' })).status).toBe(200);
});

test('bytes that were read to recognise the preface, and put back, are read first', async () => {
  const gate = await Gate.start(stageSnapshot());
  const server = createPlainServer((socket) => {
    socket.once('data', (chunk: Buffer) => {
      socket.removeAllListeners('data');
      socket.pause();
      socket.unshift(chunk);
      gate.sessions.accept(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterwards(() => void server.close());
  const caller = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  afterwards(() => caller.destroy());
  expect((await call(caller, { ':path': '/dev' })).status).toBe(200);
});

test('on TLS: the backend hears of https', async () => {
  const { gate, up } = await proxied(({ response }) => void response.end('ok'));
  const server = createTlsServer({ ...selfSigned(), ALPNProtocols: ['h2'] }, (socket) => gate.sessions.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterwards(() => void server.close());
  const caller = connect(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, { rejectUnauthorized: false });
  afterwards(() => caller.destroy());
  const answers = await Promise.all([call(caller), call(caller, { ':method': 'POST' }, Buffer.alloc(300_000))]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(headersOf(up.calls[0]!.rawHeaders, 'x-forwarded-proto')).toEqual(['https']);
});

function selfSigned(): { readonly key: Buffer; readonly cert: Buffer } {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-h2-'));
  const [key, cert] = [path.join(folder, 'key'), path.join(folder, 'crt')];
  const kind = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync('openssl', ['req', '-x509', '-newkey', ...kind, '-nodes', '-subj', '/CN=test', '-keyout', key, '-out', cert], {
    stdio: 'pipe',
  });
  const pair = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(folder, { recursive: true });
  return pair;
}

for (const [what, pieces, expected] of [
  ['in the same read as its head is at hand', ['hello'], 'hello'],
  ['in two frames of the same read is at hand', ['he', 'llo'], 'hello'],
  ['in part is not', ['he'], null],
] as const) {
  test(`a body of known length that came ${what}`, async () => {
    const taken = new Promise<Buffer | null>((resolve) => {
      const server = createPlainServer((socket) => {
        const session = performServerHandshake(socket).on('error', () => undefined);
        session.on('stream', (stream: ServerHttp2Stream) => {
          const owner = { limits: DEFAULT_HTTP2_LIMITS, streamBroken: () => undefined };
          const body = new CallerStream(stream, new Exchange(), 5, false, owner, performance.now());
          setImmediate(() => {
            body.takeWhole();
            resolve(body.atHand);
          });
        });
      });
      server.listen(0, '127.0.0.1', () => {
        const socket = connectPlain((server.address() as AddressInfo).port, '127.0.0.1');
        socket.write(
          Buffer.concat([
            PREFACE,
            frame(SETTINGS, 0, 0),
            headers(
              1,
              [':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', HOST, 'content-length', '5'],
              END_HEADERS,
            ),
            ...pieces.map((piece) => frame(DATA, 0, 1, Buffer.from(piece))),
          ]),
        );
        afterwards(() => {
          socket.destroy();
          server.close();
        });
      });
    });
    expect((await taken)?.toString() ?? null).toBe(expected);
  });
}
