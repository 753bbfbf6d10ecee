// http2-requests.cases.md through real sockets: frames written by hand, and every byte that the upstream got.
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  hpack,
  RawHttp2Caller,
  RST_STREAM,
  type Frame,
  type RawUpstreamCall,
} from '@gatehouse/testkit';
import { constants } from 'node:http2';
import { expect } from 'vitest';
import { escaped, readCases, unescaped, type Case } from './cases.js';
import { conform, within, type House } from './conform.js';
import { HOST } from './gate.js';
import { HTTP2 } from './http2-engine.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const GOOD = [':method', 'GET', ':scheme', 'http', ':path', '/dev/good', ':authority', HOST];

for (const one of readCases('http2-requests.cases.md')) {
  conform(HTTP2, one.fault, `${one.title} (${one.where})`, (house) => run(house, one));
}

/** What the gateway itself writes into a message to an upstream. */
const OURS =
  /^(host|content-type|content-length|transfer-encoding|x-amzn-apigateway-api-id|x-amzn-trace-id|x-forwarded-[a-z]+): /i;

async function run(house: House, one: Case): Promise<void> {
  const whole: string[] = [];
  const up = await house.rawUpstream((call) =>
    call.body.then(
      (body) => {
        whole.push(messageOf(call, body));
        call.send(OK);
      },
      () => undefined,
    ),
  );
  const gate = await house.gate();
  await gate.proxyTo(up.url);
  const connect = async (): Promise<RawHttp2Caller> => {
    const caller = await RawHttp2Caller.open(gate.port);
    house.atEnd(() => void caller.socket.destroy());
    return caller;
  };
  let caller = await connect();
  caller.write(framesOf(one.lines));
  const status = await within(3_000, 'an answer, or the end of the stream,', outcomeOf(caller, 1));
  if (status === 'end') caller = await connect();
  caller.write(frame(HEADERS, END_STREAM | END_HEADERS, 3, hpack(GOOD)));
  expect(await within(3_000, 'an answer to a good request behind it', outcomeOf(caller, 3))).toBe('200');
  expect(whole.pop()).toBe('GET /good ""');
  expect(`${status}${whole.map((message) => ` <- ${message}`).join('')}`, one.where).toBe(one.expected);
  expect(up.unreadable, 'what the upstream could not read').toEqual([]);
  expect(gate.bugs).toEqual([]);
}

function messageOf({ httpMethod, target, head }: RawUpstreamCall, body: string): string {
  const fields = head.split('\r\n').slice(1);
  const framing = fields.filter((field) => /^(content-length|transfer-encoding):/i.test(field));
  expect(framing.length, `framed once: ${framing.join(', ')}`).toBeLessThanOrEqual(1);
  const others = fields.filter((field) => !OURS.test(field));
  return `${httpMethod} ${target} "${escaped(body)}"${others.map((field) => ` [${escaped(field)}]`).join('')}`;
}

function framesOf(lines: readonly string[]): Buffer {
  const all = lines.flatMap((line) => line.split(' | ')).filter((line) => line !== '');
  const trailersAt = all.indexOf('TRAILERS');
  const front = trailersAt === -1 ? all : all.slice(0, trailersAt);
  const trailers = trailersAt === -1 ? null : hpack(all.slice(trailersAt + 1).flatMap(fieldOf));
  const data = front.filter((line) => line.startsWith('DATA ')).map((line) => unescaped(line.slice(5)));
  const fields = hpack(front.filter((line) => !line.startsWith('DATA ')).flatMap(fieldOf));
  const isLast = (at: number): number => (at === data.length && trailers === null ? END_STREAM : 0);
  return Buffer.concat([
    frame(HEADERS, END_HEADERS | isLast(0), 1, fields),
    ...data.map((text, i) => frame(DATA, isLast(i + 1), 1, Buffer.from(text, 'latin1'))),
    ...(trailers === null ? [] : [frame(HEADERS, END_HEADERS | END_STREAM, 1, trailers)]),
  ]);
}

/** The first colon separates that is not a pseudo field's own. */
function fieldOf(line: string): [string, string] {
  const at = line.indexOf(':', /^:[a-z]/.test(line) ? 1 : 0);
  const text = (part: string): string => unescaped(part).replaceAll('~', ' ');
  return [text(line.slice(0, at)), text(line.slice(at + 1).replace(/^ /, ''))];
}

async function outcomeOf(caller: RawHttp2Caller, stream: number): Promise<string> {
  const ends = (one: Frame): boolean => one.type === HEADERS || one.type === RST_STREAM;
  const got = await caller.got((one) => one.type === GOAWAY || (one.stream === stream && ends(one)));
  if (got.type === GOAWAY) return caller.goawayCode() === constants.NGHTTP2_NO_ERROR ? 'end without a reason' : 'end';
  if (got.type === RST_STREAM) {
    const code = got.payload.readUInt32BE(0);
    return code === constants.NGHTTP2_PROTOCOL_ERROR ? 'reset' : `reset with ${code}`;
  }
  return statusOf(got.payload);
}

/** The first field of an answer, as nghttp2 writes it: indexed (RFC 7541 appendix A, 8-14), or a literal with that name. */
function statusOf(block: Buffer): string {
  let at = 0;
  while ((block[at]! & 0xe0) === 0x20) at++; // size updates of the table; ours are one byte
  const first = block[at]!;
  if (first >= 0x88 && first <= 0x8e) return ['200', '204', '206', '304', '400', '404', '500'][first - 0x88]!;
  const length = block[at + 1]!;
  if ((length & 0x80) === 0) return block.toString('latin1', at + 2, at + 2 + length);
  return huffmanDigits(block.subarray(at + 2, at + 2 + (length & 0x7f)));
}

/** Digits alone (RFC 7541 appendix B): 0-2 have five bits, 3-9 six. */
function huffmanDigits(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let text = '';
  for (let at = 0; text.length < 3;) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2);
    if (five <= 2) {
      text += five;
      at += 5;
    } else {
      text += Number.parseInt(bits.slice(at, at + 6), 2) - 22;
      at += 6;
    }
  }
  return text;
}
