import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  CHUNK_DATA,
  CHUNKS_END,
  ChunkedDecoder,
  DEFAULT_CHUNKED_LIMITS,
  frameRequest,
  frameResponse,
  HEAD_BYTES_CEILING,
  NEED_MORE,
  Refusal,
  REFUSALS,
  RequestHeadParser,
  ResponseHeadParser,
  type ChunkedLimits,
  type Framing,
  type HeadLimits,
  type RequestFraming,
} from './index.js';

type Kind = 'request' | 'response' | 'response-to-head' | 'chunked';

interface Case {
  readonly title: string;
  readonly line: number;
  readonly kind: Kind;
  readonly bytes: Buffer;
  readonly expected: string;
}

const FRAMING = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'expect', 'upgrade']);
const KINDS: readonly string[] = ['request', 'response', 'response-to-head', 'chunked'];

describe('cases', () => {
  for (const { title, line, kind, bytes, expected } of readCases(
    readFileSync(new URL('codec.cases.md', import.meta.url), 'utf8'),
  )) {
    test(`${title} (codec.cases.md:${line})`, () => {
      for (const pieces of everySplit(bytes)) {
        const where = `codec.cases.md:${line}, cut ${pieces.length === bytes.length ? 'everywhere' : `at ${pieces[0]!.length}`}: `;
        expect(where + answer(kind, pieces)).toBe(where + expected);
      }
    });
  }
});

describe('limits hold at their very byte, however the head is cut', () => {
  const limits: HeadLimits = { startLineBytesMax: 20, headBytesMax: 48, headerCountMax: 3 };
  for (const [name, text, expected] of [
    ['start line as long as allowed', 'GET /567890 HTTP/1.1\r\nHost: a\r\n\r\n', 'GET origin 1.1 none'],
    ['the same behind an empty line', '\r\nGET /567890 HTTP/1.1\r\nHost: a\r\n\r\n', 'GET origin 1.1 none'],
    ['start line one byte longer', 'GET /5678901 HTTP/1.1\r\nHost: a\r\n\r\n', '414 START_LINE_TOO_LONG'],
    ['start line without an end', `GET /${'a'.repeat(99)}`, '414 START_LINE_TOO_LONG'],
    ['control byte before the limit', `GET /\0${'a'.repeat(99)}`, '400 BROKEN_LINE'],
    ['control byte behind the limit', `GET /${'a'.repeat(30)}\0`, '414 START_LINE_TOO_LONG'],
    ['line ends in a bare CR at its limit', 'GET /567890 HTTP/1.1\rHost: a\r\n\r\n', '400 BROKEN_LINE'],
    [
      'head as long as allowed',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(16)}\r\n\r\n`,
      `GET origin 1.1 none [X: ${'a'.repeat(16)}]`,
    ],
    ['head one byte longer', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(17)}\r\n\r\n`, '431 HEAD_TOO_LARGE'],
    ['head without an end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(99)}`, '431 HEAD_TOO_LARGE'],
    ['three headers', 'GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\n\r\n', 'GET origin 1.1 none [A: ] [B: ]'],
    ['four headers', 'GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\n\r\n', '431 TOO_MANY_HEADERS'],
  ] as const) {
    test(name, () => {
      for (const pieces of everySplit(Buffer.from(text, 'latin1'))) expect(requestAnswer(pieces, limits)).toBe(expected);
    });
  }

  const chunked: ChunkedLimits = {
    chunkExtensionBytesMax: 6,
    trailers: { startLineBytesMax: 99, headBytesMax: 16, headerCountMax: 2 },
  };
  for (const [name, text, expected] of [
    ['extensions of all chunks together', '1;a\r\nx\r\n1;b\r\ny\r\n0\r\n\r\n', '"xy"'],
    ['one byte more of them', '1;a\r\nx\r\n1;bcde\r\ny\r\n0\r\n\r\n', '413 CHUNK_EXTENSIONS_TOO_LARGE'],
    ['an extension without an end', `1;${'a'.repeat(99)}`, '413 CHUNK_EXTENSIONS_TOO_LARGE'],
    ['trailers as long as allowed', '0\r\nAbcde: fgh\r\n\r\n', '"" [Abcde: fgh]'],
    ['trailers too long', '0\r\nAbcde: fghijkl\r\n\r\n', '431 HEAD_TOO_LARGE'],
    ['too many trailers', '0\r\nA:\r\nB:\r\nC:\r\n\r\n', '431 TOO_MANY_HEADERS'],
  ] as const) {
    test(name, () => {
      for (const pieces of everySplit(Buffer.from(text, 'latin1'))) expect(chunkedAnswer(pieces, chunked)).toBe(expected);
    });
  }
});

test('a parser reads the next head behind the one before, whole and in pieces', () => {
  const parser = new RequestHeadParser();
  const bytes = Buffer.from('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3).replace('/1', '/0'), 'latin1');
  let at = 0;
  const targets: string[] = [];
  for (const end of [10, 40, bytes.length]) {
    for (let from = at; from < end; from = at) {
      const head = parser.feed(bytes.subarray(0, end), from);
      at = head === NEED_MORE ? end : from + parser.consumedBytes;
      if (head !== NEED_MORE) targets.push(head instanceof Refusal ? head.reason : head.target);
    }
  }
  expect(targets).toEqual(['/0', '/1', '/1']);
});

test('the README shows the table of refusals', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  for (const [reason, { status, meaning }] of Object.entries(REFUSALS))
    expect(readme).toContain(`| ${reason} | ${status} | ${meaning} |`);
});

test('the largest head that may be configured is read, in the shortest lines, and a larger limit is refused', () => {
  const limits = { startLineBytesMax: 99, headBytesMax: HEAD_BYTES_CEILING, headerCountMax: 1_000_000 };
  const front = 'GET / HTTP/1.1\r\nHost: a\r\n';
  const count = Math.floor((HEAD_BYTES_CEILING - front.length - 2) / 4);
  const head = new RequestHeadParser(limits).feed(Buffer.from(`${front}${'X:\r\n'.repeat(count)}\r\n`, 'latin1'));
  expect(head).toMatchObject({ headers: { length: 2 * count + 2 } });
  expect(() => new RequestHeadParser({ ...limits, headBytesMax: HEAD_BYTES_CEILING + 1 })).toThrow('headBytesMax is 1048577');
});

/** Whole, byte by byte, and cut in two at every position. */
function everySplit(bytes: Buffer): Buffer[][] {
  const splits = [[bytes], Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))];
  for (let i = 1; i < bytes.length; i++) splits.push([bytes.subarray(0, i), bytes.subarray(i)]);
  return splits;
}

function answer(kind: Kind, pieces: readonly Buffer[]): string {
  if (kind === 'request') return requestAnswer(pieces);
  if (kind === 'chunked') return chunkedAnswer(pieces);
  const parser = new ResponseHeadParser();
  return headAnswer(pieces, parser, (head) => {
    const framing = frameResponse(head, kind === 'response' ? 'GET' : 'HEAD');
    return framing instanceof Refusal
      ? framing
      : `${head.status} 1.${head.minorVersion} ${framingText(framing)}${headerText(head.headers)}`;
  });
}

function requestAnswer(pieces: readonly Buffer[], limits?: HeadLimits): string {
  const parser = new RequestHeadParser(limits);
  return headAnswer(pieces, parser, (head) => {
    const framing = frameRequest(head);
    if (framing instanceof Refusal) return framing;
    const line = `${head.method} ${head.targetForm} 1.${head.minorVersion}`;
    return `${line} ${framingText(framing)}${headerText(head.headers)}`;
  });
}

function headAnswer<Head extends object>(
  pieces: readonly Buffer[],
  parser: { readonly consumedBytes: number; feed(bytes: Buffer): Head | Refusal | null },
  text: (head: Head) => string | Refusal,
): string {
  let left = pieces.reduce((sum, piece) => sum + piece.length, 0);
  for (const piece of pieces) {
    const head = parser.feed(piece);
    if (head instanceof Refusal) return refusalText(head);
    if (head === NEED_MORE) {
      left -= piece.length;
      continue;
    }
    left -= parser.consumedBytes;
    const shown = text(head);
    return shown instanceof Refusal ? refusalText(shown) : shown + (left > 0 ? ` +${left}` : '');
  }
  return 'more';
}

function chunkedAnswer(pieces: readonly Buffer[], limits: ChunkedLimits = DEFAULT_CHUNKED_LIMITS): string {
  const decoder = new ChunkedDecoder('caller', limits);
  let data = '';
  let left = pieces.reduce((sum, piece) => sum + piece.length, 0);
  for (const piece of pieces) {
    let verdict = decoder.read(piece, 0);
    for (; verdict === CHUNK_DATA; verdict = decoder.read(piece, decoder.nextAt)) {
      data += piece.toString('latin1', decoder.dataStart, decoder.dataEnd);
    }
    if (verdict instanceof Refusal) return refusalText(verdict);
    left -= decoder.nextAt;
    if (verdict === CHUNKS_END) return `"${data}"${headerText(decoder.trailers)}${left > 0 ? ` +${left}` : ''}`;
  }
  return 'more';
}

function refusalText({ status, reason }: Refusal): string {
  return `${status} ${reason}`;
}

function framingText(framing: Framing & Partial<RequestFraming>): string {
  const words: string[] = [framing.body === 'length' ? `length=${framing.bodyBytes}` : framing.body];
  if (!framing.isKeptAlive) words.push('close');
  if (framing.expectsContinue === true) words.push('continue');
  if (framing.upgrade !== null) words.push(`upgrade=${framing.upgrade}`);
  if (framing.connectionNames.length > 0) words.push(`names=${framing.connectionNames.join(',')}`);
  return words.join(' ');
}

function headerText(headers: readonly string[]): string {
  let text = '';
  for (let i = 0; i < headers.length; i += 2) {
    if (!FRAMING.has(headers[i]!.toLowerCase())) text += ` [${headers[i]}: ${headers[i + 1]}]`;
  }
  return text;
}

/** `## title`, then a fenced message, then `expect` or `variants`; anything else is prose. */
function readCases(text: string): Case[] {
  const cases: Case[] = [];
  let fence: string | null = null;
  let title = '';
  let message: { kind: Kind; lines: string[] } | null = null;
  text.split('\n').forEach((content, i) => {
    if (content.startsWith('```')) {
      fence = fence === null ? content.slice(3) : null;
      if (fence !== null && KINDS.includes(fence)) message = { kind: fence as Kind, lines: [] };
    } else if (fence === null) {
      if (content.startsWith('## ')) title = content.slice(3);
    } else if (fence === 'expect' || fence === 'variants') {
      const arrow = fence === 'expect' ? -4 : content.lastIndexOf(' -> ');
      const variant = fence === 'expect' ? '' : content.slice(0, arrow);
      const lines = message!.lines.map((line) => unescaped(line.replace('{}', () => variant)));
      const bytes = Buffer.from(lines.join(''), 'latin1');
      const name = fence === 'expect' ? title : `${title}: ${variant}`;
      cases.push({ title: name, line: i + 1, kind: message!.kind, bytes, expected: unescaped(`${content.slice(arrow + 4)}\\`) });
    } else message!.lines.push(content);
  });
  return cases;
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' };

function unescaped(line: string): string {
  const isOpen = line.endsWith('\\');
  const text = (isOpen ? line.slice(0, -1) : line).replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex?: string, letter?: string) =>
    hex === undefined ? ESCAPES[letter!]! : String.fromCharCode(parseInt(hex, 16)),
  );
  return isOpen ? text : `${text}\r\n`;
}
