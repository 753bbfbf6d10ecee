// What is this listener's own. What every engine does with callers and upstreams: tools/engine-conformance.
import { CONTINUE, PENDING, proceed, STREAM_BODY, type Connector, type Exchange, type Step } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { WorldKeeper } from '@gatehouse/engine-link';
import { BucketRegistry, QuotaLedger } from '@gatehouse/engine-limits';
import { canonicalJson, sha256Hex, systemClock } from '@gatehouse/kernel';
import { callOnce, RawCaller, routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Http1Listener, MemoryWatch, type Http1ListenerOptions, type UpgradeRequest } from '../index.js';

const HOST = 'abc123defg.execute-api.localhost';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Every proxied call is answered with `body`. */
async function listen(
  over: Partial<Http1ListenerOptions> = {},
  body: Buffer | (() => Readable) = Buffer.alloc(0),
): Promise<Http1Listener> {
  const bodyNow = (): Buffer | Readable => (typeof body === 'function' ? body() : body);
  const worlds = await worldOf({ call: () => Promise.resolve({ status: 200, headers: [], body: bodyNow() }) });
  const recorder = { record: () => undefined };
  const listener = new Http1Listener({ worlds, recorder, clock: systemClock, baseDomain: 'localhost', ...over });
  await listener.listen(0, '127.0.0.1');
  closing.push(() => listener.close({ deadlineMs: 0 }));
  return listener;
}

async function worldOf(backend: Connector): Promise<WorldKeeper> {
  const worlds = new WorldKeeper({
    bindings: {
      limits: {
        buckets: new BucketRegistry(10),
        quotas: new QuotaLedger({ requestMore: () => undefined }),
        usage: { count: () => undefined },
        clock: systemClock,
      },
      http: backend,
      insecureHttp: backend,
      functions: backend,
      metrics: { series: () => ({ record: () => undefined }) },
    },
  });
  const integration = {
    type: 'HTTP_PROXY',
    uri: 'http://backend/',
    httpMethod: 'ANY',
    timeoutMs: 5_000,
    requestParameters: {},
    insecureSkipVerification: false,
  } as const;
  const snapshot = stageSnapshot({ routes: [routeSnapshot(), routeSnapshot({ path: '/large', integration })] });
  const bytes = Buffer.from(canonicalJson(snapshot));
  const id = `${snapshot.apiId}/${snapshot.stage}`;
  const entry = { kind: 'STAGE' as const, id, tenant: snapshot.tenant, digest: sha256Hex(bytes), inline: '' };
  await worlds.adopt({ revision: 1, entries: [entry], removed: [] }, () => bytes);
  return worlds;
}

/** The request as the `ws` library reads it. */
function asIncomingMessage({ httpMethod, target, headers }: UpgradeRequest): never {
  const byName: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) byName[headers[i]!.toLowerCase()] = headers[i + 1]!;
  return { method: httpMethod, url: target, headers: byName } as never;
}

test('an upgrade hands the socket over: the ws library speaks WebSocket on it, frames that came early included', async () => {
  const sockets = new WebSocketServer({ noServer: true });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${String(data)}`)));
  const listener = await listen({
    onUpgrade: (request) => {
      if (request.protocol !== 'websocket') return false;
      sockets.handleUpgrade(asIncomingMessage(request), request.socket, request.leftover, (socket) =>
        sockets.emit('connection', socket),
      );
      return true;
    },
  });
  const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`, { headers: { Host: HOST } });
  await once(socket, 'open');
  socket.send('one');
  expect(String((await once(socket, 'message'))[0])).toBe('echo one');
  const closed = once(socket, 'close');
  socket.close(1000);
  expect((await closed)[0]).toBe(1000);

  const early = await RawCaller.connect(listener.port);
  const handshake =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n';
  early.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n${handshake}\r\n\x81\x83\0\0\0\0two`);
  expect(await early.until('echo two')).toMatch(/^HTTP\/1\.1 101 /);
  early.close();
});

test('an upgrade nobody takes is an ordinary request', async () => {
  const listener = await listen({ onUpgrade: () => false });
  const headers = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
  expect((await callOnce(listener.port, { path: '/dev', host: HOST, headers })).status).toBe(200);
});

test('a caller that repeats its head is served each time, and one that changes a byte of it by its new head', async () => {
  const listener = await listen();
  const caller = await RawCaller.connect(listener.port);
  const head = (path: string, host = HOST): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Same: 1\r\n\r\n`;
  const other = HOST.replace('abc', 'abd'); // of the same length
  for (const [text, status] of [
    [head('/dev'), 200],
    [head('/dev'), 200],
    [head('/nowhere'), 403],
    [head('/dev', other), 403],
    [head('/dev'), 200],
  ] as const) {
    const before = (await caller.until('')).length;
    caller.send(text);
    let received = '';
    while (!received.includes('\r\n\r\n')) received = (await caller.until('\r\n\r\n')).slice(before) || (await nextTurn());
    expect(received.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
  }
  caller.close();
});

const nextTurn = (): Promise<string> => new Promise((resolve) => setImmediate(() => resolve('')));

test('a caller that pipelines and reads nothing is not read from either; all its answers come when it reads', async () => {
  const count = 250_000; // more than the kernel holds for either side
  const listener = await listen();
  const caller = await RawCaller.connect(listener.port);
  caller.socket.pause();
  caller.send(`GET /dev HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(count));
  let left = -1;
  for (let unmoved = 0; unmoved < 8; unmoved++) {
    if (left !== caller.socket.writableLength) unmoved = 0;
    left = caller.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 100)); // no event says "nothing moved"
  }
  expect(left).toBeGreaterThan(0);
  let answers = 0;
  let rest = '';
  const all = new Promise<void>((resolve) => {
    caller.socket.on('data', (text) => {
      const parts = (rest + String(text)).split('HTTP/1.1 200 OK');
      answers += parts.length - 1;
      rest = parts.at(-1)!.slice(-20);
      if (answers === count) resolve();
    });
  });
  caller.socket.resume();
  await all;
  caller.close();
});

// Longer than a connection that only waits for its caller's end is given.
for (const [what, stalledCallerMs, isWhole] of [
  ['a caller that takes the last answer of its connection late gets it whole', 60_000, true],
  ['a caller that takes nothing is cut, in the last answer as in any other', 400, false],
] as const) {
  test(what, async () => {
    const body = Buffer.alloc(24 * 1024 * 1024, 'a'); // more than the kernel holds for either side
    const listener = await listen({ stalledCallerMs }, body);
    const caller = await RawCaller.connect(listener.port);
    caller.socket.pause();
    caller.send(`GET /dev/large HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 6_500));
    caller.socket.resume();
    const text = await caller.untilClosed();
    expect(text.length - text.indexOf('\r\n\r\n') - 4 === body.length).toBe(isWhole);
  });
}

test('a listener that leaves answers on connections old and new, and each answer is the last on its connection', async () => {
  const listener = await listen();
  const request = `GET /dev HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
  const idle = await RawCaller.connect(listener.port);
  idle.send(request);
  await idle.until('\r\n\r\n');
  listener.leave();
  idle.send(request);
  expect(await idle.untilClosed()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n/i);
  const late = await RawCaller.connect(listener.port);
  late.send(request);
  expect(await late.untilClosed()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n/i);
});

test('a connection ends with the last request it may carry', async () => {
  const listener = await listen({ requestsPerConnectionMax: 3 });
  const caller = await RawCaller.connect(listener.port);
  caller.send(`GET /dev HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(5));
  const answers = (await caller.untilClosed()).split('HTTP/1.1 200 ').slice(1);
  expect(answers.map((answer) => answer.includes('Connection: close'))).toEqual([false, false, true]);
});

test('a caller of HTTP/1.0 gets a body of unknown length as it is, up to the end of the connection', async () => {
  const listener = await listen({}, () => Readable.from([Buffer.from('one '), Buffer.from('two')]));
  const caller = await RawCaller.connect(listener.port);
  caller.send(`GET /dev/large HTTP/1.0\r\nHost: ${HOST}\r\nConnection: keep-alive\r\n\r\n`);
  const answer = await caller.untilClosed();
  expect(answer).not.toMatch(/transfer-encoding|content-length|keep-alive/i);
  expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe('one two');
});

test('memory that is short refuses requests until it is well below the mark again', () => {
  let share = 0.5;
  const memory = new MemoryWatch({ high: 0.9, low: 0.8, usedShare: () => share });
  const seen = [0.5, 0.91, 0.85, 0.79, 0.85].map((next) => {
    share = next;
    memory.look();
    return memory.isHigh;
  });
  expect(seen).toEqual([false, true, true, false, false]);
});

/** A listener whose every route runs these steps, and what it settled when the answer's first byte was there. */
async function settling(step: Step): Promise<{ listener: Http1Listener; settled: number[] }> {
  const settled: number[] = [];
  const counted: Step = (x) => {
    x.countedAtMs = 5;
    return step(x);
  };
  const program = {
    requestSteps: [counted],
    responseSteps: [],
    requestBody: STREAM_BODY,
    responseBody: STREAM_BODY,
    faults: { render: () => undefined, settle: ({ countedAtMs }: { countedAtMs: number }) => void settled.push(countedAtMs) },
    bugFault: FAULTS.BUG,
  };
  const worlds = await worldOf({ call: () => Promise.reject(new Error('nobody calls')) });
  const found = await worlds.stage(worlds.current, 'abc123defg', 'dev');
  if (typeof found === 'string') throw new Error(found);
  const route = { ...found.match({ httpMethod: 'GET', resourcePath: '/', params: [] } as never)!, program };
  const stage = { ...found, match: () => route };
  return { listener: await listen({ worlds: { current: worlds.current, stage: () => stage } }), settled };
}

test('an answer of our own to a request that was counted goes out after it is counted for good', async () => {
  const unwritable = await settling((x) => {
    x.status = 99; // no status line has it
    return CONTINUE;
  });
  expect((await callOnce(unwritable.listener.port, { path: '/dev', host: HOST })).status).toBe(500);
  expect(unwritable.settled).toEqual([5]);

  const begun = Promise.withResolvers<Exchange>();
  const waiting = await settling((x) => {
    begun.resolve(x);
    return PENDING;
  });
  const caller = await RawCaller.connect(waiting.listener.port);
  caller.send(`POST /dev HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const x = await begun.promise;
  caller.send('nonsense\r\n');
  expect(await caller.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  expect(waiting.settled).toEqual([5]);
  proceed(x, CONTINUE); // its program ends later, and nobody hears of it
  caller.close();
});
