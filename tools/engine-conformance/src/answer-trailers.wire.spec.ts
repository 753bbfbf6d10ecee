// Trailers of an answer reach a caller that asked for them, whichever protocol it and the upstream speak, and nobody else.
import { makeCertificates, RawCaller, type RawUpstream } from '@gatehouse/testkit';
import { connect, constants, createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { House, within } from './conform.js';
import { ENGINES } from './engines.js';
import { Gate, HOST } from './gate.js';
import { HTTP2 } from './http2-engine.js';

const PLAIN = ENGINES.filter(({ name }) => name === 'plain sockets');
const FIELDS = ['x-checksum', 'abc', 'x-two', '1', 'x-two', '2'];
const NOT_FOR_TRAILERS = [
  'cache-control',
  'no-store',
  'x-amzn-requestid',
  '1',
  'access-control-allow-origin',
  '*',
  'server',
  'x',
];

const linesOf = (fields: readonly string[]): string =>
  fields.reduce((text, part, i) => text + part + (i % 2 ? '\r\n' : ': '), '');
const chunked = (fields: readonly string[]): string =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n${linesOf(fields)}\r\n`;

async function open<T>(body: (house: House) => Promise<T>, engine = PLAIN[0]!): Promise<T> {
  const house = new House(engine);
  try {
    return await body(house);
  } finally {
    await house.close();
  }
}

/** What a caller of HTTP/1.1 gets behind its head. */
async function overHttp1(gate: Gate, te: string): Promise<string> {
  const caller = await RawCaller.connect(gate.port);
  caller.send(`GET /dev/x HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${te}\r\n`);
  const text = await within(3_000, 'the end of the answer', caller.untilClosed());
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

/** Body and trailers as a caller of HTTP/2 gets them. */
async function overHttp2(gate: Gate, headers: Record<string, string>): Promise<{ body: string; trailers: object | null }> {
  const session = connect(`http://127.0.0.1:${gate.port}`);
  try {
    const stream = session.request({ ':path': '/dev/x', ':authority': HOST, ...headers });
    let trailers: object | null = null;
    let body = '';
    stream.on('trailers', (fields) => (trailers = Object.fromEntries(Object.entries(fields))));
    stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    await within(
      3_000,
      'the end of the stream',
      new Promise((resolve, reject) => stream.on('close', resolve).on('error', reject)),
    );
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    return { body, trailers };
  } finally {
    session.destroy();
  }
}

const rawUpstream = (fields: readonly string[], house: House): Promise<RawUpstream> =>
  house.rawUpstream((call) => call.send(chunked(fields)));

describe('a caller of HTTP/1.1', () => {
  test('that says TE: trailers gets them behind the body, and its upstream hears that it may send some', () =>
    open(async (house) => {
      const up = await rawUpstream(FIELDS, house);
      const gate = await house.gate();
      await gate.proxyTo(up.url);
      for (const te of ['TE: trailers\r\n', 'te: gzip;q=0.5, Trailers\r\n'])
        expect(await overHttp1(gate, te)).toBe(`3\r\nabc\r\n0\r\n${linesOf(FIELDS)}\r\n`);
      expect(up.calls[0]!.head).toMatch(/\r\nTE: trailers\r\n/);
      expect(up.calls[0]!.head).toMatch(/\r\nConnection: TE(\r\n|$)/);
    }));

  test('that does not gets the body alone, and nor does its upstream hear of it', () =>
    open(async (house) => {
      const up = await rawUpstream(FIELDS, house);
      const gate = await house.gate();
      await gate.proxyTo(up.url);
      for (const te of ['', 'TE: gzip\r\n', 'TE: trailers;q=0\r\n'])
        expect(await overHttp1(gate, te)).toMatch(/^3\r\nabc\r\n0\r\n\r\n$|^abc$/);
      expect(up.calls.map(({ head }) => head).join('')).not.toMatch(/\nTE:/i);
    }));

  test('never gets what belongs into a head', () =>
    open(async (house) => {
      const up = await rawUpstream([...NOT_FOR_TRAILERS, ...FIELDS], house);
      const gate = await house.gate();
      await gate.proxyTo(up.url);
      expect(await overHttp1(gate, 'TE: trailers\r\n')).toBe(`3\r\nabc\r\n0\r\n${linesOf(FIELDS)}\r\n`);
    }));

  test('gets them also from an answer without trailers, bytes apart, and on a connection that goes on', () =>
    open(async (house) => {
      const pieces = chunked(FIELDS).split('');
      const up = await house.rawUpstream(async (call) => {
        for (const piece of pieces) {
          call.send(piece);
          if (piece === '\n') await new Promise((resolve) => setImmediate(resolve));
        }
      });
      const gate = await house.gate();
      await gate.proxyTo(up.url);
      const caller = await house.caller(gate);
      const ask = `GET /dev/x HTTP/1.1\r\nHost: ${HOST}\r\nTE: trailers\r\n\r\n`;
      const end = `0\r\n${linesOf(FIELDS)}\r\n`;
      caller.send(ask + ask);
      const text = await within(
        3_000,
        'both answers',
        caller.when((all) => all.split(end).length === 3),
      );
      expect(text.split('HTTP/1.1 200').length).toBe(3);
    }));
});

describe('a caller of HTTP/2', () => {
  const trailers = { 'x-checksum': 'abc', 'x-two': '1, 2' };

  test('that says te: trailers gets them; one that does not, none; and nothing that belongs into a head', () =>
    open(async (house) => {
      const up = await rawUpstream([...NOT_FOR_TRAILERS, ...FIELDS], house);
      const gate = await house.gate();
      await gate.proxyTo(up.url);
      expect(await overHttp2(gate, { te: 'trailers' })).toEqual({ body: 'abc', trailers });
      expect(await overHttp2(gate, {})).toEqual({ body: 'abc', trailers: null });
    }, HTTP2));

  test('that asks and gets none has its stream ended all the same', () =>
    open(async (house) => {
      const up = await rawUpstream([], house);
      const gate = await house.gate();
      await gate.proxyTo(up.url);
      expect(await overHttp2(gate, { te: 'trailers' })).toEqual({ body: 'abc', trailers: null });
      up.does((call) => call.send('HTTP/1.1 200 OK\r\n\r\nabc') && call.socket.end());
      expect(await overHttp2(gate, { te: 'trailers' })).toEqual({ body: 'abc', trailers: null });
    }, HTTP2));
});

for (const [protocol, engine] of [
  ['HTTP/1.1', PLAIN[0]!],
  ['HTTP/2', HTTP2],
] as const) {
  test(`an upstream on HTTP/2 is told too, and its trailers reach a caller of ${protocol}`, () =>
    open(async (house) => {
      const asked: unknown[] = [];
      const up = createSecureServer(makeCertificates().good);
      up.on('stream', (stream: ServerHttp2Stream, { te }: IncomingHttpHeaders) => {
        asked.push(te);
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc', 'cache-control': 'no-store' }));
        stream.end('abc');
      });
      await new Promise<void>((resolve) => up.listen(0, '127.0.0.1', resolve));
      house.atEnd(() => void up.close());
      const gate = await house.gate();
      await gate.proxyTo(`https://127.0.0.1:${(up.address() as AddressInfo).port}`, { insecureSkipVerification: true });
      if (engine === HTTP2) {
        expect(await overHttp2(gate, { te: 'trailers' })).toEqual({ body: 'abc', trailers: { 'x-checksum': 'abc' } });
        expect(await overHttp2(gate, {})).toEqual({ body: 'abc', trailers: null });
      } else {
        expect(await overHttp1(gate, 'TE: trailers\r\n')).toBe('3\r\nabc\r\n0\r\nx-checksum: abc\r\n\r\n');
        expect(await overHttp1(gate, '')).toBe('3\r\nabc\r\n0\r\n\r\n');
      }
      expect(asked).toEqual(['trailers', undefined]);
    }, engine));
}
