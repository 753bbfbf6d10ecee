/**
 * A chunked body, as it arrives (RFC 9112 §7.1).
 *
 *   SIZE -> [extension] -> LF -> DATA -> CR -> LF -> SIZE ... -> 0 LF -> END_OR_TRAILERS -> done
 *
 * Data is handed on as positions in the bytes given: nothing is copied, nothing is allocated but trailers.
 */
import { HeadCollector, NEED_MORE } from './head-collector.js';
import { DEFAULT_CHUNKED_LIMITS, type ChunkedLimits } from './head-limits.js';
import { readHeaderLines, TOKEN_BYTES, type RawHeaders } from './header-lines.js';
import { refuse, type Peer, type Refusal, type RefusalReason } from './refusals.js';

/** Bytes from `dataStart` to `dataEnd` are body. */
export const CHUNK_DATA = 1;
/** The body is complete; bytes from `nextAt` on are not part of it. */
export const CHUNKS_END = 2;

export type ChunkVerdict = typeof NEED_MORE | typeof CHUNK_DATA | typeof CHUNKS_END | Refusal;

const SIZE = 0;
const EXTENSION_NAME_START = 1;
const EXTENSION_NAME = 2;
const EXTENSION_VALUE_START = 3;
const EXTENSION_VALUE = 4;
const EXTENSION_QUOTED = 5;
const EXTENSION_ESCAPED = 6;
const EXTENSION_QUOTE_CLOSED = 7;
const SIZE_LF = 8;
const DATA = 9;
const DATA_CR = 10;
const DATA_LF = 11;
const TRAILERS = 12;
const DONE = 13;

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const QUOTE = 34;
const SEMICOLON = 59;
const EQUALS = 61;
const BACKSLASH = 92;

/** 13 hex digits: below 2^52, so every size is exact. */
const SIZE_DIGITS_MAX = 13;
const HEX = new Int8Array(256).fill(-1);
for (let i = 0; i < 16; i++) {
  HEX[i.toString(16).charCodeAt(0)] = i;
  HEX[i.toString(16).toUpperCase().charCodeAt(0)] = i;
}

/** They would change how the message is framed, routed or trusted after that was decided (RFC 9110 §6.5.1). */
const FORBIDDEN_TRAILERS = new Set([
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-api-key',
]);

/**
 * One per body. Call `read` with the same bytes and `nextAt` until it needs more:
 *
 *     for (let at = 0; (verdict = decoder.read(bytes, at)) === CHUNK_DATA; at = decoder.nextAt) take(decoder.dataStart, decoder.dataEnd);
 */
export class ChunkedDecoder {
  dataStart = 0;
  dataEnd = 0;
  nextAt = 0;
  /** Complete with CHUNKS_END. */
  readonly trailers: RawHeaders = [];

  private state = SIZE;
  private sizeDigits = 0;
  private leftBytes = 0;
  private extensionBytes = 0;
  private collector: HeadCollector | null = null;
  private readonly peer: Peer;
  private readonly limits: ChunkedLimits;

  constructor(peer: Peer, limits: ChunkedLimits = DEFAULT_CHUNKED_LIMITS) {
    this.peer = peer;
    this.limits = limits;
  }

  read(bytes: Buffer, from: number): ChunkVerdict {
    let at = from;
    while (at < bytes.length && this.state < TRAILERS) {
      if (this.state === DATA) return this.takeData(bytes, at);
      const fault = this.step(bytes[at]!);
      if (fault !== null) return refuse(this.peer, fault);
      at++;
    }
    this.nextAt = at;
    if (this.state === DONE) return CHUNKS_END;
    return this.state === TRAILERS && at < bytes.length ? this.readTrailers(bytes, at) : NEED_MORE;
  }

  private takeData(bytes: Buffer, at: number): typeof CHUNK_DATA {
    const taken = Math.min(this.leftBytes, bytes.length - at);
    this.dataStart = at;
    this.dataEnd = at + taken;
    this.nextAt = at + taken;
    this.leftBytes -= taken;
    if (this.leftBytes === 0) this.state = DATA_CR;
    return CHUNK_DATA;
  }

  /** One byte outside of data. */
  private step(byte: number): RefusalReason | null {
    switch (this.state) {
      case SIZE:
        return this.stepSize(byte);
      case SIZE_LF:
        if (byte !== LF) return 'BROKEN_LINE';
        this.state = this.leftBytes === 0 ? TRAILERS : DATA;
        this.sizeDigits = 0;
        return null;
      case DATA_CR:
        this.state = DATA_LF;
        return byte === CR ? null : 'MALFORMED_CHUNK_END';
      case DATA_LF:
        this.state = SIZE;
        return byte === LF ? null : 'MALFORMED_CHUNK_END';
      default:
        return this.stepExtension(byte);
    }
  }

  private stepSize(byte: number): RefusalReason | null {
    const digit = HEX[byte]!;
    if (digit !== -1) {
      this.leftBytes = this.leftBytes * 16 + digit;
      return ++this.sizeDigits > SIZE_DIGITS_MAX ? 'MALFORMED_CHUNK_SIZE' : null;
    }
    if (byte === LF) return 'BROKEN_LINE';
    if (this.sizeDigits === 0 || (byte !== CR && byte !== SEMICOLON)) return 'MALFORMED_CHUNK_SIZE';
    this.state = byte === CR ? SIZE_LF : EXTENSION_NAME_START;
    return null;
  }

  /** Without the spaces that RFC 9112 §7.1.1 lets one read for the sake of old senders. */
  private stepExtension(byte: number): RefusalReason | null {
    if (++this.extensionBytes > this.limits.chunkExtensionBytesMax) return 'CHUNK_EXTENSIONS_TOO_LARGE';
    const next = nextInExtension(this.state, byte);
    if (next === -1) return byte !== CR && isControl(byte) ? 'BROKEN_LINE' : 'MALFORMED_CHUNK_EXTENSION';
    this.state = next;
    return null;
  }

  private readTrailers(bytes: Buffer, at: number): ChunkVerdict {
    if (this.collector === null) {
      if (bytes[at] === CR && bytes[at + 1] === LF) {
        this.nextAt = at + 2;
        this.state = DONE;
        return CHUNKS_END;
      }
      // The CRLF of the last chunk's line, in front, makes an absent section end like any other: with an empty line.
      this.collector = new HeadCollector(this.peer, this.limits.trailers);
      this.collector.feed(Buffer.from('\r\n', 'latin1'));
    }
    const text = this.collector.feed(bytes, at);
    this.nextAt = bytes.length;
    if (typeof text !== 'string') return text;
    this.nextAt = at + this.collector.consumedBytes;
    const fault = text.length === 4 ? null : readHeaderLines(text, 2, this.limits.trailers, this.trailers);
    if (fault !== null) return refuse(this.peer, fault);
    for (let i = 0; i < this.trailers.length; i += 2) {
      if (FORBIDDEN_TRAILERS.has(this.trailers[i]!.toLowerCase())) return refuse(this.peer, 'FORBIDDEN_TRAILER');
    }
    this.state = DONE;
    return CHUNKS_END;
  }
}

/** State behind `byte`, or -1. */
function nextInExtension(state: number, byte: number): number {
  const isTokenByte = TOKEN_BYTES[byte] === 1;
  switch (state) {
    case EXTENSION_NAME_START:
      return isTokenByte ? EXTENSION_NAME : -1;
    case EXTENSION_NAME:
      if (byte === EQUALS) return EXTENSION_VALUE_START;
      return isTokenByte ? EXTENSION_NAME : afterExtension(byte);
    case EXTENSION_VALUE_START:
      if (byte === QUOTE) return EXTENSION_QUOTED;
      return isTokenByte ? EXTENSION_VALUE : -1;
    case EXTENSION_VALUE:
      return isTokenByte ? EXTENSION_VALUE : afterExtension(byte);
    case EXTENSION_QUOTED:
      if (byte === QUOTE) return EXTENSION_QUOTE_CLOSED;
      if (byte === BACKSLASH) return EXTENSION_ESCAPED;
      return isControl(byte) ? -1 : EXTENSION_QUOTED;
    case EXTENSION_ESCAPED:
      return isControl(byte) ? -1 : EXTENSION_QUOTED;
    default: // EXTENSION_QUOTE_CLOSED
      return afterExtension(byte);
  }
}

function afterExtension(byte: number): number {
  if (byte === SEMICOLON) return EXTENSION_NAME_START;
  return byte === CR ? SIZE_LF : -1;
}

function isControl(byte: number): boolean {
  return (byte < SPACE && byte !== TAB) || byte === 0x7f;
}
