// Faults 27 and 28: callers that write their frames by hand. Counts are bounded, never times: how much a flood got done, how much
// was read of it, and that the connection ends with the reason.
import {
  routeSnapshot,
  ScriptedUpstream,
  stageSnapshot,
  type UpstreamCall,
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  headers,
  hpack,
  PADDED,
  PING,
  PRIORITY,
  RawHttp2Caller,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from '@gatehouse/testkit';
import { constants } from 'node:http2';
import { expect, test } from 'vitest';
import type { Http2SessionsOptions } from './index.js';
import { afterwards, Gate, HOST, proxyTo } from './testing/gate.js';

const GET = [':method', 'GET', ':scheme', 'http', ':path', '/dev/x', ':authority', HOST];
const POST = [':method', 'POST', ...GET.slice(2)];
const { NGHTTP2_ENHANCE_YOUR_CALM: CALM, NGHTTP2_PROTOCOL_ERROR: PROTOCOL_ERROR, NGHTTP2_CANCEL: CANCEL } = constants;
const SETTINGS_INITIAL_WINDOW_SIZE = 4;

const without = (name: string): string[] => {
  const at = GET.indexOf(name);
  return [...GET.slice(0, at), ...GET.slice(at + 2)];
};
const withPath = (path: string): string[] => [...GET.slice(0, 4), ':path', path, ...GET.slice(6)];
const times = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const reset = (stream: number): Buffer => frame(RST_STREAM, 0, stream, uint32(CANCEL));

async function started(
  script: (call: UpstreamCall) => void | Promise<void> = ({ response }) => void response.end('ok'),
  over: Partial<Http2SessionsOptions> = {},
): Promise<{ readonly gate: Gate; readonly up: ScriptedUpstream }> {
  const up = await ScriptedUpstream.start(script);
  afterwards(() => up.close());
  const route = routeSnapshot({ path: '/{proxy+}', httpMethod: 'ANY', integration: proxyTo(up.url) });
  return { gate: await Gate.start(stageSnapshot({ routes: [route] }), over), up };
}

async function opened(gate: Gate, settings?: Buffer, acknowledges?: boolean): Promise<RawHttp2Caller> {
  const caller = await RawHttp2Caller.open(gate.port, settings, acknowledges);
  afterwards(() => void caller.socket.destroy());
  return caller;
}

const statusOf = async (caller: RawHttp2Caller, stream: number): Promise<void> =>
  void (await caller.got((got) => got.type === HEADERS && got.stream === stream));

for (const [what, fields] of [
  ['an upper-case name', [...GET, 'X-A', '1']],
  ['a second :path', [...GET, ':path', '/dev/y']],
  ['a pseudo field behind a regular one', ['x-a', '1', ...GET]],
  ['an unknown pseudo field', [...GET, ':protocol', 'x']],
  ['a pseudo field of answers', [...GET, ':status', '200']],
  ['no :path', without(':path')],
  ['no :method', without(':method')],
  ['no :scheme', without(':scheme')],
  ['an empty :path', withPath('')],
  ['a :path with a space', withPath('/dev/x y')],
  ['a :path with a line break', withPath('/dev/x\r\nx-evil: 1')],
  ['a :path that does not start with a slash', withPath('dev/x')],
  ['a method that is no token', [':method', 'G T', ...GET.slice(2)]],
  ['a method with a line break', [':method', 'GET / HTTP/1.1\r\nx-evil: 1\r\n', ...GET.slice(2)]],
  ['user information in :authority', [...without(':authority'), ':authority', `u@${HOST}`]],
  ['a line break in :authority', [...without(':authority'), ':authority', `${HOST}\r\nx-evil: 1`]],
  ['two Hosts', [...GET, 'host', HOST, 'host', HOST]],
  ['Connection', [...GET, 'connection', 'close']],
  ['Transfer-Encoding', [...GET, 'transfer-encoding', 'chunked']],
  ['Keep-Alive', [...GET, 'keep-alive', '5']],
  ['Proxy-Connection', [...GET, 'proxy-connection', 'close']],
  ['Upgrade', [...GET, 'upgrade', 'h2c']],
  ['TE other than trailers', [...GET, 'te', 'gzip']],
  ['two lengths', [...GET, 'content-length', '0', 'content-length', '0']],
  ['a length that is no number', [...GET, 'content-length', '1x']],
] as const) {
  test(`${what} is a stream error, reaches no backend, and leaves the connection alone`, async () => {
    const { gate, up } = await started();
    const caller = await opened(gate);
    caller.write(headers(1, fields), headers(3, GET));
    expect(await caller.resetOf(1)).toBe(PROTOCOL_ERROR);
    await statusOf(caller, 3);
    expect(up.calls.length, 'only the request behind it reached the backend').toBe(1);
  });
}

// No option of node:http2 makes these stream errors: nghttp2 takes the field away and lets the request pass.
for (const [what, name, value] of [
  ['a line break in its value', 'x-a', '1\r\nx-evil: 1'],
  ['a bare CR in its value', 'x-a', '1\rx-evil: 1'],
  ['a NUL in its value', 'x-a', '1\u0000x-evil\u00001'],
  ['no name', '', 'x-evil'],
  ['a space in its name', 'x evil', '1'],
  ['a colon in its name', 'x-evil: 1\r\nx', '1'],
  ['white space around its value', 'x-evil', ' 1 '],
] as const) {
  test(`a field with ${what} reaches no backend`, async () => {
    const { gate, up } = await started();
    const caller = await opened(gate);
    caller.write(headers(1, [...GET, 'x-before', '1', name, value, 'x-behind', '1']));
    await statusOf(caller, 1);
    const seen = up.calls[0]!.rawHeaders.join('|').toLowerCase();
    expect(seen).toContain('x-before|1|x-behind|1');
    expect(seen).not.toContain('evil');
  });
}

for (const [what, body] of [
  ['shorter', 'abc'],
  ['longer', 'abcdefgh'],
] as const) {
  test(`a body ${what} than its length is an error, and its backend sees no whole request`, async () => {
    const { gate, up } = await started(() => undefined);
    const caller = await opened(gate);
    caller.write(headers(1, [...POST, 'content-length', '5'], END_HEADERS), frame(DATA, 0, 1, Buffer.from(body.slice(0, 2))));
    await up.called(1);
    caller.write(frame(DATA, END_STREAM, 1, Buffer.from(body.slice(2))));
    await caller.got((got) => got.type === RST_STREAM || got.type === GOAWAY);
    await gate.recorded(1);
    await expect(up.calls[0]!.body).rejects.toThrow();
  });
}

for (const method of ['POST', 'HEAD']) {
  test(`half a body of a ${method} and a reset without an error: the backend sees no whole request`, async () => {
    const { gate, up } = await started(() => undefined);
    const caller = await opened(gate);
    const fields = [':method', method, ...GET.slice(2)];
    caller.write(headers(1, fields, END_HEADERS), frame(DATA, 0, 1, Buffer.from('half')));
    await up.called(1);
    caller.write(frame(RST_STREAM, 0, 1, uint32(constants.NGHTTP2_NO_ERROR)));
    await gate.recorded(1);
    await expect(up.calls[0]!.body).rejects.toThrow();
  });
}

test('a caller that sends its whole body and never ends it is answered, and told to stop', async () => {
  const { gate } = await started();
  const caller = await opened(gate);
  caller.write(headers(1, [...POST, 'content-length', '5'], END_HEADERS), frame(DATA, 0, 1, Buffer.from('hello')));
  expect(await caller.resetOf(1)).toBe(constants.NGHTTP2_NO_ERROR);
  await gate.recorded(1);
  expect([gate.lines[0]!.status, gate.lines[0]!.fault]).toEqual([200, undefined]);
});

test('CONNECT is refused: a gateway is no tunnel', async () => {
  const { gate, up } = await started();
  const caller = await opened(gate);
  caller.write(headers(1, [':method', 'CONNECT', ':authority', 'elsewhere:443'], END_HEADERS));
  await gate.recorded(1);
  expect([gate.lines[0]!.status, up.calls.length]).toEqual([400, 0]);
});

test('a head beyond the limit reaches no backend: reset, or 431 while the limit is not acknowledged', async () => {
  const { gate, up } = await started();
  const large = Array.from({ length: 6 }, (_, i) => hpack([`x-${i}`, 'v'.repeat(4_000)]));
  const head = Buffer.concat([
    frame(HEADERS, END_STREAM, 1, hpack(GET)),
    ...large.map((part, i) => frame(CONTINUATION, i === 5 ? END_HEADERS : 0, 1, part)),
  ]);
  const knowing = await opened(gate);
  knowing.write(head);
  expect(await knowing.resetOf(1)).toBe(CALM);
  const early = await opened(gate, undefined, false);
  early.write(head);
  await gate.recorded(1);
  expect([gate.lines[0]!.status, up.calls.length]).toEqual([431, 0]);
});

test('more fields than allowed are a stream error', async () => {
  const { gate, up } = await started();
  const caller = await opened(gate);
  caller.write(headers(1, [...GET, ...Array.from({ length: 300 }, (_, i) => [`x-${i}`, '1']).flat()]));
  expect(await caller.resetOf(1)).toBe(CALM);
  expect(up.calls.length).toBe(0);
});

test('rapid reset: beyond the budget the connection ends with ENHANCE_YOUR_CALM, and no more was begun', async () => {
  const { gate, up } = await started(() => undefined, { resetsMax: 50 });
  const caller = await opened(gate);
  caller.write(times(2_000, (i) => Buffer.concat([headers(1 + 2 * i, GET), reset(1 + 2 * i)])));
  await caller.ended();
  expect([caller.goawayCode(), gate.ends]).toEqual([CALM, ['RESETS']]);
  await gate.recorded(51);
  expect(gate.lines.length, 'requests begun').toBe(51);
  expect([gate.sessions.inFlightCount, up.calls.length <= 51]).toEqual([0, true]);
});

test('streams that are broken so that we reset them count as well', async () => {
  const { gate } = await started(() => undefined, { resetsMax: 50 });
  const caller = await opened(gate);
  const zeroIncrement = (stream: number): Buffer => frame(WINDOW_UPDATE, 0, stream, uint32(0));
  caller.write(times(2_000, (i) => Buffer.concat([headers(1 + 2 * i, POST, END_HEADERS), zeroIncrement(1 + 2 * i)])));
  await caller.ended();
  expect(gate.ends.length).toBe(1);
  expect(gate.lines.length, 'requests begun').toBeLessThanOrEqual(51);
});

test('a caller that changes its mind now and then, within the budget, keeps its connection', async () => {
  const { gate } = await started(({ response }) => void response.end('ok'), { resetsMax: 50 });
  const caller = await opened(gate);
  caller.write(times(50, (i) => Buffer.concat([headers(1 + 2 * i, GET), reset(1 + 2 * i)])));
  caller.write(headers(201, GET));
  await statusOf(caller, 201);
  expect(gate.ends).toEqual([]);
});

test('a backend that breaks its answers costs the caller nothing of its budget', async () => {
  const { gate } = await started(
    ({ response, socket }) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('half', () => socket.resetAndDestroy());
    },
    { resetsMax: 3 },
  );
  const caller = await opened(gate);
  for (let i = 0; i < 8; i++) {
    caller.write(headers(1 + 2 * i, GET));
    await caller.resetOf(1 + 2 * i);
  }
  expect(gate.ends).toEqual([]);
});

test('malformed heads without end: the connection ends', async () => {
  const { gate, up } = await started(undefined, { invalidFramesMax: 100 });
  const caller = await opened(gate);
  caller.write(times(5_000, (i) => headers(1 + 2 * i, [...GET, 'X-A', '1'])));
  await caller.ended();
  expect([caller.goawayCode() !== null, caller.count(RST_STREAM) <= 101, up.calls.length]).toEqual([true, true, 0]);
});

test('more streams at once than allowed: refused before the limit is acknowledged, the end of the connection afterwards', async () => {
  const { gate, up } = await started(() => undefined, { streamsMax: 10 });
  const early = await opened(gate, undefined, false);
  early.write(times(20, (i) => headers(1 + 2 * i, GET)));
  expect(await early.resetOf(39)).toBe(constants.NGHTTP2_REFUSED_STREAM);
  await up.called(10);
  early.socket.destroy();
  await gate.recorded(10);
  const late = await opened(gate);
  late.write(times(20, (i) => headers(1 + 2 * i, GET)));
  await late.ended();
  await gate.recorded(20);
  expect([late.goawayCode(), up.calls.length <= 20, gate.lines.length]).toEqual([PROTOCOL_ERROR, true, 20]);
});

test('a caller that never acknowledges our SETTINGS is cut', async () => {
  const { gate } = await started(undefined, { settingsTimeoutMs: 50 });
  const caller = await opened(gate, undefined, false);
  await caller.ended();
  expect([caller.goawayCode(), gate.ends]).toEqual([constants.NGHTTP2_SETTINGS_TIMEOUT, ['SETTINGS_TIMEOUT']]);
});

for (const [what, flood] of [
  [
    'CONTINUATION frames',
    Buffer.concat([
      frame(HEADERS, END_STREAM, 1, hpack(GET)),
      times(20_000, (i) => frame(CONTINUATION, 0, 1, hpack([`x-${i}`, 'y']))),
    ]),
  ],
  [
    'CONTINUATION frames without content',
    Buffer.concat([frame(HEADERS, END_STREAM, 1, hpack(GET)), times(20_000, () => frame(CONTINUATION, 0, 1))]),
  ],
  ['PING', times(20_000, () => frame(PING, 0, 0, Buffer.alloc(8)))],
  ['SETTINGS', times(20_000, () => frame(SETTINGS, 0, 0))],
  [
    'SETTINGS that change',
    times(20_000, (i) =>
      frame(SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, SETTINGS_INITIAL_WINDOW_SIZE]), uint32(1_000 + i)])),
    ),
  ],
  ['empty DATA frames', Buffer.concat([headers(1, POST, END_HEADERS), times(20_000, () => frame(DATA, 0, 1))])],
  [
    'DATA frames with padding only',
    Buffer.concat([headers(1, POST, END_HEADERS), times(20_000, () => frame(DATA, PADDED, 1, Buffer.from([0])))]),
  ],
  ['PRIORITY', times(200_000, () => frame(PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 1])))],
  ['frames of an unknown type', times(200_000, () => frame(0x50, 0, 0, Buffer.alloc(8)))],
  ['heads on a stream that is closed', times(1_000, () => headers(1, GET))],
  ['resets of streams that never were', times(1_000, (i) => reset(1_001 + 2 * i))],
] as const) {
  test(`${what} without end: GOAWAY, with at most one request begun`, async () => {
    const { gate, up } = await started(() => undefined);
    const caller = await opened(gate);
    caller.write(flood);
    await caller.ended();
    expect(caller.goawayCode()).not.toBe(null);
    expect(caller.goawayCode()).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect(gate.ends.length).toBe(1);
    expect([up.calls.length <= 1, gate.sessions.inFlightCount, gate.sessions.openSessions]).toEqual([true, 0, 0]);
    // Answers to a flood are a flood: they are bounded too.
    expect(caller.frames.length).toBeLessThan(1_100);
  });
}

for (const [what, type, payload] of [
  ['PING', PING, Buffer.alloc(8)],
  ['SETTINGS', SETTINGS, Buffer.alloc(0)],
] as const) {
  test(`${what} by a caller that reads what comes back: bounded all the same, and a few of them are harmless`, async () => {
    const { gate } = await started(undefined, { controlFramesMax: 30 });
    const caller = await opened(gate);
    const echoed = (count: number): boolean =>
      caller.frames.filter((got) => got.type === type && got.flags === ACK).length >= count;
    for (let i = 0; i < 25; i++) {
      const before = caller.frames.length;
      caller.write(frame(type, 0, 0, payload));
      await caller.got((got) => got.type === type && got.flags === ACK && caller.frames.length > before);
    }
    caller.write(headers(1, GET));
    await statusOf(caller, 1);
    expect([echoed(25), gate.ends]).toEqual([true, []]);
    caller.write(times(20, () => frame(type, 0, 0, payload)));
    await caller.ended();
    expect([caller.goawayCode(), gate.ends]).toEqual([CALM, ['CONTROL_FRAMES']]);
  });
}

test('a caller without a window gets the head, is cut when its time is up, and frees its upstream call', async () => {
  const { gate, up } = await started(({ response }) => void response.end(Buffer.alloc(1_000_000)), { stalledCallerMs: 100 });
  const noWindow = Buffer.concat([Buffer.from([0, SETTINGS_INITIAL_WINDOW_SIZE]), uint32(0)]);
  const caller = await opened(gate, noWindow);
  caller.write(headers(1, GET));
  await statusOf(caller, 1);
  await caller.resetOf(1);
  await gate.recorded(1);
  expect([gate.lines[0]!.fault, caller.count(DATA)]).toEqual(['CALLER_LEFT', 0]);
  await up.calls[0]!.closed;
});

test('a caller that opens its window one piece at a time is not cut', async () => {
  const piece = 65_536;
  const { gate } = await started(({ response }) => void response.end(Buffer.alloc(4 * piece)), { stalledCallerMs: 1_000 });
  const noWindow = Buffer.concat([Buffer.from([0, SETTINGS_INITIAL_WINDOW_SIZE]), uint32(0)]);
  const caller = await opened(gate, noWindow);
  caller.write(headers(1, GET));
  await statusOf(caller, 1);
  const takenBytes = (): number =>
    caller.frames.reduce((sum, { type, payload }) => sum + (type === DATA ? payload.length : 0), 0);
  for (let i = 1; i <= 4; i++) {
    caller.write(frame(WINDOW_UPDATE, 0, 1, uint32(piece)), frame(WINDOW_UPDATE, 0, 0, uint32(piece)));
    await caller.got(() => takenBytes() >= i * piece);
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  await gate.recorded(1);
  expect(gate.lines[0]!.fault).toBe(undefined);
});

test('a caller that stops in the middle of its body is cut when its time is up', async () => {
  const { gate, up } = await started(() => undefined, { requestTimeoutMs: 100 });
  const caller = await opened(gate);
  caller.write(headers(1, [...POST, 'content-length', '10'], END_HEADERS), frame(DATA, 0, 1, Buffer.from('half')));
  await caller.resetOf(1);
  await up.calls[0]!.closed;
  await gate.recorded(1);
  expect(gate.sessions.inFlightCount).toBe(0);
});

test('a connection without requests is closed in order when it has idled long enough', async () => {
  const { gate } = await started(undefined, { keepAliveMs: 50 });
  const caller = await opened(gate);
  await caller.ended();
  expect([caller.goawayCode(), gate.ends]).toEqual([constants.NGHTTP2_NO_ERROR, ['IDLE']]);
});

test('a caller that ends its side is gone', async () => {
  const { gate, up } = await started(() => undefined);
  const caller = await opened(gate);
  caller.write(headers(1, GET));
  await up.called(1);
  caller.socket.end();
  await up.calls[0]!.closed;
  await gate.recorded(1);
  expect(gate.sessions.openSessions).toBe(0);
});

test('what is no HTTP/2 behind the preface ends the connection', async () => {
  const { gate } = await started();
  const caller = await opened(gate);
  caller.write(Buffer.alloc(100_000, 'GET / HTTP/1.1\r\n\r\n'));
  await caller.ended();
  expect([gate.ends.length, caller.count(GOAWAY) > 0]).toEqual([1, true]);
});

test('connections beyond the limit are turned away', async () => {
  const { gate } = await started(undefined, { sessionsMax: 1 });
  await opened(gate);
  await expect(RawHttp2Caller.open(gate.port)).rejects.toThrow('the connection ended');
  expect(gate.ends).toEqual(['TURNED_AWAY']);
});
