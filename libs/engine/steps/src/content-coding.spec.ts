import {
  Exchange,
  FAULT,
  HeaderBlock,
  runProgram,
  STREAM_BODY,
  type Program,
  type RawHeaders,
  type RequestBody,
  type Step,
} from '@gatehouse/engine-exchange';
import { BUILT_IN_FAULTS, FAULTS } from '@gatehouse/engine-faults';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { acceptedCoding, declaredCoding } from './content-coding.js';
import { compressResponse, limitBody, readBody } from './index.js';

const casesFile = new URL('./content-coding.cases.md', import.meta.url);

/** Lines of the fenced blocks of one kind: what stands before and behind `->`. */
function cases(kind: string): [input: string, expected: string][] {
  const found: [string, string][] = [];
  let fence: string | null = null;
  for (const line of readFileSync(casesFile, 'utf8').split('\n')) {
    if (line.startsWith('```')) fence = fence === null ? line.slice(3) : null;
    else if (fence === kind) found.push(line.split('->').map((part) => part.trim()) as [string, string]);
  }
  return found;
}

describe('Accept-Encoding', () => {
  test.each(cases('accept'))('"%s" -> %s', (header, expected) => expect(acceptedCoding(header) ?? 'none').toBe(expected));

  test('none at all asks for nothing', () => expect(acceptedCoding(null)).toBeNull());

  test('is read without throwing, whatever it says, and as often as one likes', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        const first = acceptedCoding(header);
        expect([null, 'gzip', 'deflate']).toContain(first);
        expect(acceptedCoding(header)).toBe(first);
      }),
    );
  });
});

describe('Content-Encoding', () => {
  test.each(cases('declared'))('"%s" -> %s', (header, expected) => {
    const coding = declaredCoding(header);
    expect(coding === undefined ? '415' : (coding ?? 'as it is')).toBe(expected);
  });
});

const LIMIT = 100_000;

/** A body that came with its head, or one that comes in pieces. */
function bodyOf(bytes: Buffer, isStreamed: boolean): RequestBody {
  const pieces = (): Readable => Readable.from(bytes.length === 0 ? [] : [bytes.subarray(0, 7), bytes.subarray(7)]);
  return { declaredBytes: isStreamed ? null : bytes.length, atHand: isStreamed ? null : bytes, open: pieces };
}

async function received(bytes: Buffer, headers: RawHeaders, isStreamed: boolean): Promise<Exchange> {
  const x = new Exchange();
  x.requestHeaders = headers;
  x.requestBody = bodyOf(bytes, isStreamed);
  const steps = [
    limitBody({ stage: stageSnapshot({ payloadBytesMax: LIMIT }), route: routeSnapshot() })!,
    readBody({ type: 'buffer', reason: '' })!,
  ];
  await runProgram(programOf(steps, []), x);
  return x;
}

const programOf = (requestSteps: readonly Step[], responseSteps: readonly Step[]): Program => ({
  requestSteps,
  responseSteps,
  stepNames: { request: [], response: [] },
  requestBody: STREAM_BODY,
  responseBody: STREAM_BODY,
  faults: BUILT_IN_FAULTS,
  bugFault: FAULTS.BUG,
});

const TEXT = Buffer.from(JSON.stringify({ pets: Array.from({ length: 40 }, (_, id) => ({ id, name: `pet ${id}` })) }));
/** Incompressible, so that it comes in more than one go. */
const noise = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, i) => (i * i * 31 + (i >> 3)) & 255));

describe.each([
  ['here with its head', false],
  ['in pieces', true],
])("a caller's body that comes %s", (_, isStreamed) => {
  test.each([
    ['gzip', gzipSync(TEXT), TEXT],
    ['deflate', deflateSync(TEXT), TEXT],
    ['GZIP', gzipSync(TEXT), TEXT],
    ['identity', TEXT, TEXT],
    ['gzip', gzipSync(noise(50_000)), noise(50_000)],
    ['gzip', Buffer.concat([gzipSync('two '), gzipSync('members')]), Buffer.from('two members')],
    ['gzip', gzipSync(''), Buffer.alloc(0)],
  ])('is decoded: %s', async (coding, bytes, expected) => {
    const x = await received(bytes, ['Content-Encoding', coding], isStreamed);
    expect([x.fault, x.bufferedBody]).toEqual([null, expected]);
  });

  test.each([
    ['another coding', 'br', TEXT],
    ['two codings', 'gzip, deflate', gzipSync(TEXT)],
    ['bytes that are not coded', 'gzip', TEXT],
    ['half of the bytes', 'gzip', gzipSync(TEXT).subarray(0, 60)],
    ['another coding than declared', 'deflate', gzipSync(TEXT)],
    ['deflate without the frame of zlib', 'deflate', deflateRawSync(TEXT)],
  ])('is refused with 415 for %s', async (_what, coding, bytes) => {
    const x = await received(bytes, ['Content-Encoding', coding], isStreamed);
    expect([x.status, String(x.responseBody), x.fault!.responseType]).toEqual([
      415,
      '{"message":"Unsupported Media Type"}',
      'UNSUPPORTED_MEDIA_TYPE',
    ]);
  });

  test('ends at the payload limit, however little it was before', async () => {
    const fits = await received(gzipSync(Buffer.alloc(LIMIT)), ['Content-Encoding', 'gzip'], isStreamed);
    expect([fits.fault, fits.bufferedBody!.length]).toEqual([null, LIMIT]);
    const bomb = await received(gzipSync(Buffer.alloc(LIMIT + 1)), ['Content-Encoding', 'gzip'], isStreamed);
    expect([bomb.status, bomb.fault!.name]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });
});

test('two Content-Encoding fields are two codings', async () => {
  const x = await received(gzipSync(TEXT), ['Content-Encoding', 'gzip', 'content-encoding', 'gzip'], false);
  expect(x.status).toBe(415);
});

test('a small body in one piece stays one, with the length it has now', () => {
  const x = new Exchange();
  x.requestHeaders = ['Content-Encoding', 'gzip'];
  x.requestBody = bodyOf(gzipSync(TEXT), false);
  limitBody({ stage: stageSnapshot(), route: routeSnapshot() })!(x);
  expect([x.requestBody.declaredBytes, x.requestBody.atHand]).toEqual([TEXT.length, TEXT]);
});

test('a small bomb unfolds no further than its reader lets it', async () => {
  const x = new Exchange();
  x.requestHeaders = ['Content-Encoding', 'gzip'];
  const bomb = gzipSync(Buffer.alloc(8 * 1024 * 1024));
  x.requestBody = bodyOf(bomb, false);
  limitBody({ stage: stageSnapshot(), route: routeSnapshot() })!(x);
  const stream = x.requestBody.open(1_000_000);
  let bytes = 0;
  const ended = new Promise((resolve) => stream.on('error', resolve));
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  expect(String(await ended)).toContain('BodyTooLarge');
  expect([bytes <= 1_000_000, bomb.length < 16_384]).toEqual([true, true]);
});

test('a caller who leaves in the middle of a compressed body has sent nothing wrong', async () => {
  const x = new Exchange();
  x.requestHeaders = ['Content-Encoding', 'gzip'];
  const source = new Readable({ read: () => undefined });
  x.requestBody = { declaredBytes: null, atHand: null, open: () => source };
  const steps = [limitBody({ stage: stageSnapshot(), route: routeSnapshot() })!, readBody({ type: 'buffer', reason: '' })!];
  const over = runProgram(programOf(steps, []), x);
  source.push(gzipSync(TEXT).subarray(0, 50));
  source.destroy(new Error('the caller left'));
  await over;
  expect(x.fault!.name).toBe('CALLER_LEFT');
});

// Answers

const decoders = { gzip: gunzipSync, deflate: inflateSync };

interface AnswerInput {
  readonly body: Buffer | Readable | null;
  readonly min?: number;
  readonly bytes?: number;
  readonly headers?: RawHeaders;
  readonly accept?: string | null;
  readonly status?: number;
  readonly httpMethod?: string;
}

async function answered({
  body,
  min = 100,
  bytes = -1,
  headers = [],
  accept = 'gzip',
  status = 200,
  httpMethod = 'GET',
}: AnswerInput) {
  const x = new Exchange();
  x.httpMethod = httpMethod;
  x.requestHeaders = accept === null ? [] : ['Accept-Encoding', accept];
  const map: Step = () => {
    x.status = status;
    x.responseHeaders = ['Content-Type', 'application/json', ...headers];
    x.responseBody = body;
    x.responseBodyBytes = bytes;
    return 0;
  };
  const step = compressResponse({ stage: stageSnapshot({ minimumCompressionSize: min }), route: routeSnapshot() })!;
  await runProgram(programOf([], [map, step]), x);
  const sent = x.responseBody === null ? null : Buffer.isBuffer(x.responseBody) ? x.responseBody : await buffer(x.responseBody);
  return { x, sent, headers: x.responseHeaders.slice(2) };
}

const inPieces = (bytes: Buffer, size = 1_000): Readable =>
  Readable.from(Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)));

describe('an answer', () => {
  test('of an API that compresses nothing costs nothing', () => {
    expect(compressResponse({ stage: stageSnapshot(), route: routeSnapshot() })).toBeNull();
  });

  for (const coding of ['gzip', 'deflate'] as const) {
    test.each([
      ['small', TEXT, undefined],
      ['larger', noise(200_000), undefined],
      ['streamed, of known length', inPieces(noise(200_000)), 200_000],
      ['streamed, of unknown length', inPieces(noise(200_000)), undefined],
      ['exactly of the size', noise(100), undefined],
      ['streamed and exactly of the size', inPieces(noise(100), 30), undefined],
    ])(`${coding}: %s`, async (_, body, bytes) => {
      const whole = Buffer.isBuffer(body) ? body : null;
      const { x, sent, headers } = await answered({ body, accept: coding, ...(bytes !== undefined && { bytes }) });
      expect(headers).toEqual(['Content-Encoding', coding, 'Vary', 'Accept-Encoding']);
      const decoded = decoders[coding](sent!);
      expect(decoded).toEqual(whole ?? noise(decoded.length));
      expect([100, 200_000, TEXT.length]).toContain(decoded.length);
      expect(x.responseBodyBytes).toBe(-1);
    });
  }

  test.each([
    ['shorter than the size', { body: noise(99) }],
    ['shorter than the size, as a stream of known length', { body: inPieces(noise(99)), bytes: 99 }],
    ['shorter than the size, as a stream that does not say so', { body: inPieces(noise(99), 10) }],
    ['empty, though any size will do', { body: Buffer.alloc(0), min: 0 }],
    ['without a body', { body: null, min: 0 }],
    ['coded already', { body: TEXT, headers: ['Content-Encoding', 'br'] }],
    ['said to be identity', { body: TEXT, headers: ['content-encoding', 'identity'] }],
    ['not to be transformed', { body: TEXT, headers: ['Cache-Control', 'public, no-transform'] }],
    ['a part of a whole', { body: TEXT, status: 206 }],
    ['of HEAD', { body: TEXT, httpMethod: 'HEAD' }],
    ['304', { body: null, status: 304 }],
  ] as [string, AnswerInput][])('that is %s stays as it is', async (_, input) => {
    const { sent, headers } = await answered(input);
    expect(headers).toEqual(input.headers ?? []);
    expect(sent?.length ?? 0).toBe(Buffer.isBuffer(input.body) ? input.body.length : input.body === null ? 0 : 99);
  });

  test('of events is not held back', async () => {
    const { headers } = await answered({ body: inPieces(noise(500)), headers: ['content-type', 'text/event-stream'] });
    expect(headers).toEqual(['content-type', 'text/event-stream']);
  });

  test('that nobody asked to compress says to caches that another caller may', async () => {
    for (const accept of [null, 'identity', 'br', '*']) {
      const { sent, headers } = await answered({ body: TEXT, accept });
      expect([sent, headers]).toEqual([TEXT, ['Vary', 'Accept-Encoding']]);
    }
  });

  test('that says so already says it once', async () => {
    const { headers } = await answered({ body: TEXT, accept: null, headers: ['vary', 'Origin, accept-encoding'] });
    expect(headers).toEqual(['vary', 'Origin, accept-encoding']);
  });

  test('loses its strong validator, and keeps a weak one', async () => {
    for (const tag of ['"abc"', 'W/"abc"']) {
      const { headers } = await answered({ body: TEXT, headers: ['ETag', tag, 'Accept-Ranges', 'bytes'] });
      expect(headers.slice(0, 2)).toEqual(['ETag', 'W/"abc"']);
      expect(headers).not.toContain('Accept-Ranges');
    }
  });

  test('leaves the headers alone that other answers share', async () => {
    const x = new Exchange();
    const block = new HeaderBlock(['ETag', '"abc"', 'Content-Type', 'text/plain']);
    x.requestHeaders = ['Accept-Encoding', 'gzip'];
    x.status = 200;
    x.responseBlock = block;
    x.responseBody = TEXT;
    compressResponse({ stage: stageSnapshot({ minimumCompressionSize: 0 }), route: routeSnapshot() })!(x);
    expect(block.fields).toEqual(['ETag', '"abc"', 'Content-Type', 'text/plain']);
    expect(x.responseHeaders.slice(0, 2)).toEqual(['ETag', 'W/"abc"']);
  });

  test('whose source breaks off breaks off, and its source is let go when nobody takes it', async () => {
    const source = new Readable({ read: () => undefined });
    source.on('error', () => undefined);
    const { x } = await answeredLater(source);
    const broke = new Promise((resolve) => (x.responseBody as Readable).on('error', resolve));
    source.destroy(new Error('reset'));
    expect(String(await broke)).toContain('reset');

    const other = new Readable({ read: () => undefined });
    const later = await answeredLater(other);
    (later.x.responseBody as Readable).on('error', () => undefined).destroy();
    await new Promise((resolve) => other.on('close', resolve));
    expect(other.destroyed).toBe(true);
  });

  test('whose source breaks off before it is known to be long enough is a fault', async () => {
    const source = new Readable({ read: () => undefined });
    source.on('error', () => undefined);
    const over = answered({ body: source });
    source.push('x');
    await new Promise((resolve) => setImmediate(resolve));
    source.destroy(new Error('reset'));
    expect((await over).x.fault!.name).toBe('INTEGRATION_FAILURE');
  });

  test('is compressed no faster than it is taken', async () => {
    let given = 0;
    const source = new Readable({
      highWaterMark: 16_384,
      read() {
        given += 16_384;
        this.push(randomBytes(16_384)); // as long when it is compressed
      },
    });
    const { x } = await answeredLater(source, 1_000_000_000);
    const body = x.responseBody as Readable;
    body.read(0);
    // The thread that compresses takes its time: what counts is that it comes to a stop.
    let before = -1;
    while (given !== before && given <= 1_000_000) {
      before = given;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(given).toBeLessThanOrEqual(1_000_000);
    body.on('error', () => undefined).destroy();
  });
});

async function answeredLater(body: Readable, bytes = 1_000): Promise<{ x: Exchange }> {
  const x = new Exchange();
  x.requestHeaders = ['Accept-Encoding', 'gzip'];
  x.status = 200;
  x.responseBody = body;
  x.responseBodyBytes = bytes;
  const step = compressResponse({ stage: stageSnapshot({ minimumCompressionSize: 100 }), route: routeSnapshot() })!;
  expect(await step(x)).not.toBe(FAULT);
  return { x };
}
