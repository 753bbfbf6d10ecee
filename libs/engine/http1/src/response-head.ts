/** The head of an upstream's answer, strictly by RFC 9112 §4-5. A reason may be empty, and then its space may be missing too. */
import { HeadCollector, NEED_MORE } from './head-collector.js';
import { HeaderBlock } from '@gatehouse/engine-exchange';
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from './head-limits.js';
import { readHeaderLines, type RawHeaders } from './header-lines.js';
import { refuse, type Refusal, type RefusalReason } from './refusals.js';

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** Of HTTP/1.x. */
  readonly minorVersion: 0 | 1;
  readonly headers: RawHeaders;
  /** The same headers; one block for all heads of the connection that are the same text. */
  readonly block: HeaderBlock;
}

const STATUS_LINE = /^HTTP\/(\d)\.(\d) (\d{3})(?: (.*))?$/;

/** One per connection; ready for the next head when one is complete. After a refusal it must not be used again. */
export class ResponseHeadParser {
  private readonly collector: HeadCollector;
  private readonly limits: HeadLimits;
  /** Of the head before: upstreams repeat themselves. */
  private known: ResponseHead | null = null;
  private knownText = '';
  private knownBytes = 0;

  constructor(limits: HeadLimits = DEFAULT_HEAD_LIMITS) {
    this.limits = limits;
    this.collector = new HeadCollector('upstream', limits);
  }

  /** Of the bytes fed last: how many belong to the head that came out. */
  get consumedBytes(): number {
    return this.knownBytes > 0 ? this.knownBytes : this.collector.consumedBytes;
  }

  /** Bytes from `from` on. */
  feed(bytes: Buffer, from = 0): ResponseHead | Refusal | typeof NEED_MORE {
    this.knownBytes = 0;
    const repeated = this.known !== null && this.collector.isEmpty ? this.readRepeated(this.known, bytes, from) : null;
    if (repeated !== null) return repeated;
    const text = this.collector.feed(bytes, from);
    if (typeof text !== 'string') return text;
    const head = readResponseHead(text, this.limits);
    if (typeof head === 'string') return refuse('upstream', head);
    this.known = head;
    this.knownText = text;
    return head;
  }

  /** The head before, when this one is the same word for word. */
  private readRepeated(known: ResponseHead, bytes: Buffer, from: number): ResponseHead | null {
    const { length } = this.knownText;
    if (length > bytes.length - from || bytes.toString('latin1', from, from + length) !== this.knownText) return null;
    this.knownBytes = length;
    return known;
  }
}

function readResponseHead(text: string, limits: HeadLimits): ResponseHead | RefusalReason {
  const lineEnd = text.indexOf('\r');
  const match = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (match === null) return 'MALFORMED_START_LINE';
  if (match[1] !== '1' || (match[2] !== '0' && match[2] !== '1')) return 'UNSUPPORTED_VERSION';
  const status = Number(match[3]);
  if (status < 100 || status > 599) return 'MALFORMED_STATUS';
  const headers: RawHeaders = [];
  const fault = readHeaderLines(text, lineEnd + 2, limits, headers);
  if (fault !== null) return fault;
  const minorVersion = match[2] === '1' ? 1 : 0;
  return { status, reason: match[4] ?? '', minorVersion, headers, block: new HeaderBlock(headers) };
}
