/**
 * Generated and mutated requests through this codec and through node:http with its strict settings. What we take, Node must take
 * with the same meaning: then we are the stricter one.
 */
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  CHUNK_DATA,
  CHUNKS_END,
  ChunkedDecoder,
  ChunkedEncoder,
  frameRequest,
  NEED_MORE,
  Refusal,
  RequestHeadParser,
  ResponseHeadParser,
  writeRequestHead,
  writeResponseHead,
} from './index.js';

interface Message {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string;
}

const TIME_MS = 8_000;
/** The same inputs at every run, so that a failure is there again; `GATEHOUSE_SEED` looks for new ones. */
const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20_261_121);
let server: Server;
let seen: Message[] = [];

beforeAll(async () => {
  server = createServer({ insecureHTTPParser: false, requireHostHeader: true, maxHeaderSize: 20_480 }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('error', () => undefined);
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString('latin1');
      seen.push({ method: request.method!, target: request.url!, headers: request.rawHeaders, body });
      response.end();
    });
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('upgrade', (request, socket) => {
    seen.push({ method: request.method!, target: request.url!, headers: request.rawHeaders, body: '' });
    socket.destroy();
  });
  server.on('checkExpectation', (_request, response) => response.writeHead(417).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** What Node makes of the first message in `bytes`; `null` when it refuses it or wants more. */
async function nodes(bytes: Buffer): Promise<Message | null> {
  seen = [];
  await new Promise<void>((resolve) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () => socket.end(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
  });
  return seen[0] ?? null;
}

/** What we make of it. */
function ours(bytes: Buffer): Message | null {
  const parser = new RequestHeadParser();
  const head = parser.feed(bytes);
  if (head === NEED_MORE || head instanceof Refusal) return null;
  const framing = frameRequest(head);
  if (framing instanceof Refusal) return null;
  const at = parser.consumedBytes;
  const body =
    framing.body === 'chunked'
      ? chunks(bytes, at)
      : bytes.length < at + framing.bodyBytes
        ? null
        : bytes.toString('latin1', at, at + framing.bodyBytes);
  return body === null ? null : { method: head.method, target: head.target, headers: head.headers, body };
}

function chunks(bytes: Buffer, from: number): string | null {
  const decoder = new ChunkedDecoder('caller');
  let body = '';
  let verdict = decoder.read(bytes, from);
  for (; verdict === CHUNK_DATA; verdict = decoder.read(bytes, decoder.nextAt))
    body += bytes.toString('latin1', decoder.dataStart, decoder.dataEnd);
  return verdict === CHUNKS_END ? body : null;
}

/** Node knows a closed list of methods; a token that is none of them is no fault of syntax (RFC 9110 §9.1). */
const NODE_METHODS = new Set(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/** codec.cases.md, "A tab behind `chunked` is white space". */
const TAB_AT_CODING = /^transfer-encoding:.*\t/im;

const SEEDS = [
  'GET /a?b=c HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n',
  'PATCH http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \xe9\r\n\r\n',
  'OPTIONS * HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
];
const SPLICES = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '"',
    '=',
    '0',
    '1',
    'a',
    'g',
    '\x7f',
    '\x80',
    '\xa0',
    '\xff',
    '+',
    '-',
    '_',
    '#',
    '%',
  ],
  ...[
    'Content-Length: 5\r\n',
    'Content-Length: 6\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip\r\n',
    'Host: b\r\n',
    'X : y\r\n',
  ],
  ...['\r\n folded', 'HTTP/1.0', 'HTTP/1.1', 'chunked', '5\r\n', '0\r\n\r\n', ': ', 'Connection: x\r\n'],
];

const mutated = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom('', ...SPLICES)), { minLength: 0, maxLength: 3 }),
  )
  .map(([seed, edits]) =>
    edits.reduce((text, [place, cut, splice]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + splice + text.slice(at + cut);
    }, seed),
  );

test(
  'a mutated request that we take means the same to Node',
  async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const mine = ours(bytes);
        if (mine === null || !NODE_METHODS.has(mine.method) || TAB_AT_CODING.test(text)) return;
        taken++;
        expect(await nodes(bytes)).toEqual(mine);
      }),
      { seed: SEED, numRuns: 40_000, interruptAfterTimeLimit: TIME_MS, markInterruptAsFailure: false },
    );
    expect(taken).toBeGreaterThan(50);
  },
  TIME_MS * 2,
);

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
const headers = fc
  .array(fc.tuple(token, value), { maxLength: 10 })
  .map((pairs) => pairs.filter(([name]) => name.toLowerCase() !== 'host').flat());

test('what is written is read back as it was', () => {
  fc.assert(
    fc.property(token, fc.stringMatching(/^\/[!"$-~]{0,30}$/), headers, (method, target, others) => {
      fc.pre(method !== 'CONNECT');
      const all = ['Host', 'a', ...others];
      const head = new RequestHeadParser().feed(Buffer.from(writeRequestHead(method, target, all) as string, 'latin1'));
      expect(head).toMatchObject({ method, target, targetForm: 'origin', minorVersion: 1, headers: all, host: 'a' });
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), value, headers, (status, reason, all) => {
      const head = new ResponseHeadParser().feed(Buffer.from(writeResponseHead(status, reason, all) as string, 'latin1'));
      expect(head).toMatchObject({ status, reason, minorVersion: 1, headers: all });
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
      const encoder = new ChunkedEncoder();
      const written = pieces.map((piece) => Buffer.concat([Buffer.from(encoder.prefix(piece.length), 'latin1'), piece]));
      const bytes = Buffer.concat([...written, Buffer.from(encoder.end([]) as string, 'latin1')]);
      expect(chunks(bytes, 0)).toBe(Buffer.concat(pieces).toString('latin1'));
    }),
  );
});

test('a head that would break out of its line is not written', () => {
  for (const bad of ['a\r\nX: y', 'a\rb', 'a\nb', 'a\0b', 'a\x7fb', 'a\u010ab', 'a\u2028b']) {
    const refusals = [
      writeRequestHead(bad, '/', []),
      writeRequestHead('GET', bad, []),
      writeRequestHead('GET', '/', [bad, 'v']),
      writeRequestHead('GET', '/', ['X', bad]),
      writeResponseHead(200, bad, []),
      writeResponseHead(200, 'OK', ['X', bad]),
      new ChunkedEncoder().end(['X', bad]),
    ];
    for (const refusal of refusals) expect(refusal).toMatchObject({ status: 500, reason: 'UNSAFE_HEAD' });
  }
  expect(writeRequestHead('GET', '/a b', [])).toMatchObject({ reason: 'UNSAFE_HEAD' });
  expect(writeResponseHead(1e21, '', [])).toMatchObject({ reason: 'UNSAFE_HEAD' });
});
