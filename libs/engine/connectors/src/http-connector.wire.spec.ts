import { Readable } from 'node:stream';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Exchange, readAll, type UpstreamAnswer, type UpstreamFailure, type UpstreamRequest } from '@gatehouse/engine-exchange';
import { ScriptedUpstream } from '@gatehouse/testkit';
import { afterEach, expect, test } from 'vitest';
import { AddressRules, HttpConnector, type HttpConnectorOptions } from './index.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function upstream(script?: Parameters<typeof ScriptedUpstream.start>[0]): Promise<ScriptedUpstream> {
  const started = await ScriptedUpstream.start(script);
  closing.push(() => started.close());
  return started;
}

function connector(options: Partial<HttpConnectorOptions> = {}): HttpConnector {
  const made = new HttpConnector({ addressRules: new AddressRules({ allow: ['loopback'] }), ...options });
  closing.push(() => made.close());
  return made;
}

const get = (url: string, over: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  httpMethod: 'GET',
  url,
  tenant: '123456789012',
  traceId: 'Root=1-5759e988-bd862e3fe1be46a994272793',
  block: null,
  headers: [],
  body: null,
  timeoutMs: 5_000,
  ...over,
});

/** A caller that stays. */
const never = new Exchange();

function answered(outcome: UpstreamAnswer | UpstreamFailure): UpstreamAnswer {
  if ('failure' in outcome) throw new Error(`no answer: ${outcome.failure}`, { cause: outcome.cause });
  return outcome;
}

async function text(outcome: UpstreamAnswer | UpstreamFailure): Promise<string> {
  const { body } = answered(outcome);
  if (body === null) return '';
  return (Buffer.isBuffer(body) ? body : await readAll(body, 1e9)).toString();
}

/** A pooled connection is free again one turn after the last byte was read. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const failure = (outcome: UpstreamAnswer | UpstreamFailure): string => ('failure' in outcome ? outcome.failure : 'answered');

test('path, query and headers go out as they are, and the answer comes back with case, order and repetitions', async () => {
  const up = await upstream(({ response }) => {
    response.writeHead(201, ['X-B', '2', 'x-a', '1', 'X-B', '3', 'Content-Length', '2']).end('ok');
  });
  const answer = answered(
    await connector().call(get(`${up.url}/a//b;v=1/%2F/%7Ex?q=1%2B+2&q#no`, { headers: ['X-One', '1', 'x-one', '2'] }), never),
  );
  expect(up.calls[0]!.url).toBe('/a//b;v=1/%2F/%7Ex?q=1%2B+2&q');
  expect(up.calls[0]!.rawHeaders.filter((_, i, all) => all[i - (i % 2)]!.toLowerCase() === 'x-one')).toEqual([
    'X-One',
    '1',
    'x-one',
    '2',
  ]);
  expect(answer.status).toBe(201);
  expect(answer.headers.slice(0, 6)).toEqual(['X-B', '2', 'x-a', '1', 'X-B', '3']);
});

test('two calls one after the other share a connection', async () => {
  const up = await upstream(({ response }) => void response.end('x'));
  const http = connector();
  await text(await http.call(get(up.url), never));
  await nextTurn();
  await text(await http.call(get(up.url), never));
  expect(up.connections).toBe(1);
});

test('an upstream slower than the timeout is a TIMEOUT, and its connection is closed', async () => {
  const up = await upstream(() => undefined);
  expect(failure(await connector().call(get(up.url, { timeoutMs: 50 }), never))).toBe('TIMEOUT');
  await up.calls[0]!.closed;
});

test('the timeout also covers the body: it breaks off instead of hanging', async () => {
  const up = await upstream(({ response }) => void response.write('first'));
  const answer = answered(await connector().call(get(up.url, { timeoutMs: 100 }), never));
  await expect(readAll(answer.body as Readable, 100)).rejects.toThrow();
});

test('a refused connection is a NETWORK failure', async () => {
  const up = await upstream();
  const { url } = up;
  await up.close();
  closing.length = 0;
  expect(failure(await connector().call(get(url), never))).toBe('NETWORK');
});

for (const [what, script] of [
  ['before the head', ({ socket }: { socket: import('node:net').Socket }) => void socket.resetAndDestroy()],
  [
    'in the middle of the head',
    ({ socket }: { socket: import('node:net').Socket }) =>
      void socket.write('HTTP/1.1 200 OK\r\nX-A: ', () => socket.resetAndDestroy()),
  ],
  ['with an answer that is not HTTP', ({ socket }: { socket: import('node:net').Socket }) => void socket.end('hello\r\n\r\n')],
  [
    'with a head of 10 MB',
    ({ socket }: { socket: import('node:net').Socket }) =>
      void socket.on('error', () => undefined).write(`HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(10_000_000)}\r\n\r\n`),
  ],
] as const) {
  test(`an upstream that breaks off ${what} is a NETWORK failure`, async () => {
    const up = await upstream(script);
    expect(failure(await connector().call(get(up.url, { httpMethod: 'POST' }), never))).toBe('NETWORK');
    expect(up.calls.length).toBe(1);
  });
}

test('a body shorter than its Content-Length breaks the stream', async () => {
  const up = await upstream(({ socket }) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
  const answer = answered(await connector().call(get(up.url), never));
  await expect(readAll(answer.body as Readable, 100)).rejects.toThrow();
});

test('bytes behind an answer are seen by no other request', async () => {
  const up = await upstream(
    ({ socket }) =>
      void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nAHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray'),
  );
  const http = connector();
  expect(await text(await http.call(get(`${up.url}/1`), never))).toBe('A');
  expect(await text(await http.call(get(`${up.url}/2`), never))).toBe('A');
});

test('a body on 204 and 304 is not handed on', async () => {
  for (const status of [204, 304]) {
    const up = await upstream(({ socket }) => void socket.write(`HTTP/1.1 ${status} X\r\nContent-Length: 3\r\n\r\nbad`));
    const outcome = await connector().call(get(up.url), never);
    expect(answered(outcome).body).toBe(null);
  }
});

/** Answers its first request on each connection and resets the connection at the second: a keep-alive socket gone stale. */
async function staleServer(): Promise<{ url: string; seen: string[]; server: Server }> {
  const seen: string[] = [];
  const server = createServer((socket) => {
    let count = 0;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      seen.push(bytes.toString().split(' ', 1)[0]!);
      if (++count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      else socket.resetAndDestroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server };
}

test('a safe call on a stale pooled connection is sent once more, over a fresh connection', async () => {
  const { url, seen } = await staleServer();
  const http = connector();
  expect(await text(await http.call(get(url), never))).toBe('ok');
  await nextTurn();
  expect(await text(await http.call(get(url), never))).toBe('ok');
  expect(seen).toEqual(['GET', 'GET', 'GET']);
});

test('a POST on a stale pooled connection fails and is never sent twice', async () => {
  const { url, seen } = await staleServer();
  const http = connector();
  expect(await text(await http.call(get(url), never))).toBe('ok');
  await nextTurn();
  expect(failure(await http.call(get(url, { httpMethod: 'POST', body: Buffer.from('x') }), never))).toBe('NETWORK');
  expect(seen.filter((method) => method === 'POST').length).toBe(1);
});

test('a caller that leaves aborts the call, before or after the head', async () => {
  const up = await upstream(({ url, response }) => void (url === '/late' && response.write('head')));
  const http = connector();
  for (const path of ['/early', '/late']) {
    const leaving = new Exchange();
    const outcome = http.call(get(up.url + path), leaving);
    const call = await up.called();
    if (path === '/late') await outcome;
    leaving.callerLeft();
    if (path === '/early') expect(failure(await outcome)).toBe('ABORTED');
    await call.closed;
  }
});

test('a request body is streamed with its declared length, or chunked without one', async () => {
  const up = await upstream(async ({ body, response }) => void response.end(await body));
  const http = connector();
  const stream = (): Readable => Readable.from([Buffer.from('ab'), Buffer.from('cd')]);
  expect(
    await text(await http.call(get(up.url, { httpMethod: 'POST', body: stream(), headers: ['Content-Length', '4'] }), never)),
  ).toBe('abcd');
  expect(await text(await http.call(get(up.url, { httpMethod: 'POST', body: stream() }), never))).toBe('abcd');
  expect(up.calls[0]!.request.headers['content-length']).toBe('4');
  expect(up.calls[1]!.request.headers['transfer-encoding']).toBe('chunked');
});

test('an answer is received no faster than it is read', async () => {
  const bytes = 16 * 1024 * 1024;
  const up = await upstream(({ response }) => void response.end(Buffer.alloc(bytes)));
  const answer = answered(await connector().call(get(up.url), never));
  const body = answer.body as Readable;
  await once(body, 'readable');
  const call = up.calls[0]!;
  await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  // What is not read stays at the upstream: kernel buffers and one high-water mark, not 16 MB.
  expect(call.socket.writableLength).toBeGreaterThan(bytes / 4);
  expect(body.readableLength).toBeLessThan(1024 * 1024);
  expect((await readAll(body, bytes)).length).toBe(bytes);
});

for (const [url, expected] of [
  ['nonsense', 'ADDRESS'],
  ['ftp://example.com/', 'ADDRESS'],
  ['http://user:pass@example.com/', 'ADDRESS'],
  ['http://127.0.0.1:22/', 'ADDRESS'],
  ['http:///x', 'ADDRESS'],
  ['http://169.254.169.254/latest/meta-data', 'FORBIDDEN_ADDRESS'],
  ['http://[fe80::1]/', 'FORBIDDEN_ADDRESS'],
  ['http://[::ffff:169.254.169.254]/', 'FORBIDDEN_ADDRESS'],
  ['http://[::ffff:10.0.0.1]/', 'FORBIDDEN_ADDRESS'],
  ['http://10.1.2.3/', 'FORBIDDEN_ADDRESS'],
  ['http://192.168.0.1/', 'FORBIDDEN_ADDRESS'],
  ['http://172.31.255.255/', 'FORBIDDEN_ADDRESS'],
  ['http://[fd00::1]/', 'FORBIDDEN_ADDRESS'],
  ['http://0/', 'FORBIDDEN_ADDRESS'],
  ['http://0xa9fea9fe/', 'FORBIDDEN_ADDRESS'],
  ['http://[::]/', 'FORBIDDEN_ADDRESS'],
  ['http://[64:ff9b::a9fe:a9fe]/', 'FORBIDDEN_ADDRESS'],
] as const) {
  test(`${url} is ${expected}`, async () => {
    expect(failure(await connector().call(get(url), never))).toBe(expected);
  });
}

test('loopback is closed unless it is opened, by address and by name, and single ports can stay closed', async () => {
  const up = await upstream(({ response }) => void response.end('ok'));
  const closed = connector({ addressRules: new AddressRules({ allow: [] }) });
  expect(failure(await closed.call(get(up.url), never))).toBe('FORBIDDEN_ADDRESS');
  expect(failure(await closed.call(get(`http://localhost:${up.port}`), never))).toBe('FORBIDDEN_ADDRESS');
  const guarded = connector({ addressRules: new AddressRules({ allow: ['loopback'], refusedLoopbackPorts: [up.port] }) });
  expect(failure(await guarded.call(get(up.url), never))).toBe('FORBIDDEN_ADDRESS');
  expect(failure(await guarded.call(get(`http://localhost:${up.port}`), never))).toBe('FORBIDDEN_ADDRESS');
  expect(up.connections).toBe(0);
  expect(await text(await connector().call(get(`http://localhost:${up.port}`), never))).toBe('ok');
});

test('a pool that made room for another origin still finishes its calls', async () => {
  const slow = await upstream(() => undefined);
  const other = await upstream(({ response }) => void response.end('other'));
  const http = connector({ originsMax: 1 });
  const pending = http.call(get(slow.url), never);
  const call = await slow.called();
  expect(await text(await http.call(get(other.url), never))).toBe('other');
  call.response.end('slow');
  expect(await text(await pending)).toBe('slow');
});
