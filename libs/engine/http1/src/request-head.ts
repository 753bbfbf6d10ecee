/**
 * The head of a request, strictly by RFC 9112 §2-3, §5. One empty line in front is skipped (§2.2), everything else that a second
 * reader could understand differently is refused.
 */
import { HeadCollector, NEED_MORE } from './head-collector.js';
import type { HeaderBlock } from '@gatehouse/engine-exchange';
import type { RequestFraming } from './framing.js';
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from './head-limits.js';
import { isToken, readHeaderLines, type RawHeaders } from './header-lines.js';
import { refuse, type Refusal, type RefusalReason } from './refusals.js';

export type TargetForm = 'origin' | 'absolute' | 'asterisk';

export interface RequestHead {
  readonly method: string;
  /** As sent: nothing is decoded. */
  readonly target: string;
  readonly targetForm: TargetForm;
  /** Of HTTP/1.x. */
  readonly minorVersion: 0 | 1;
  readonly headers: RawHeaders;
  /** The value of the one Host line. */
  readonly host: string;
  /** Shared by all heads of the connection whose header lines are the same text. */
  readonly lines: RequestLines;
}

/** The header lines of a head, and what is known of them. */
export class RequestLines {
  framing: RequestFraming | Refusal | null = null;
  /** Those a program may see. */
  visible: HeaderBlock | null = null;

  constructor(
    /** From the line break behind the start line to the empty line, both included. */
    readonly text: string,
    readonly minorVersion: 0 | 1,
    readonly headers: RawHeaders,
    readonly host: string,
  ) {}
}

const CR = 13;
/** Visible ASCII without `#`: a fragment never travels. */
const TARGET = /^[!"$-~]+$/;
const VERSION = /^HTTP\/\d\.\d$/;
const ABSOLUTE = /^https?:\/\/([^/?]+)(?:[/?]|$)/i;
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9.])?|\[[0-9a-f:.]+\])(?::\d{0,5})?$/i;

/** One per connection; ready for the next head when one is complete. After a refusal it must not be used again. */
export class RequestHeadParser {
  private readonly collector: HeadCollector;
  private readonly limits: HeadLimits;
  /** Of the head before: kept-alive callers repeat themselves. */
  private known: RequestLines | null = null;
  /** The last that repeated its lines, and all of its text: many come again word for word. */
  private knownHead: RequestHead | null = null;
  private knownText = '';
  private knownLineEnd = 0;
  private knownBytes = 0;

  constructor(limits: HeadLimits = DEFAULT_HEAD_LIMITS) {
    this.limits = limits;
    this.collector = new HeadCollector('caller', limits);
  }

  /** Of the bytes fed last: how many belong to the head that came out. What follows is the body, or the next request. */
  get consumedBytes(): number {
    return this.knownBytes > 0 ? this.knownBytes : this.collector.consumedBytes;
  }

  /** Forgets what a repeated head would be compared with. */
  forget(): void {
    this.known = null;
    this.knownHead = null;
    this.knownText = '';
  }

  /** Bytes from `from` on. */
  feed(bytes: Buffer, from = 0): RequestHead | Refusal | typeof NEED_MORE {
    this.knownBytes = 0;
    const repeated = this.known !== null && this.collector.isEmpty ? this.readRepeated(this.known, bytes, from) : null;
    if (repeated !== null) return repeated;
    const text = this.collector.feed(bytes, from);
    if (typeof text !== 'string') return text;
    const head = readRequestHead(text, this.limits);
    if (typeof head === 'string') return refuse('caller', head);
    this.known = head.lines;
    this.knownHead = null;
    this.knownText = '';
    return head;
  }

  /** A head whose lines are those of the head before, so that only its start line is new; `null` when it is none. */
  private readRepeated(known: RequestLines, bytes: Buffer, from: number): RequestHead | null {
    const { startLineBytesMax, headBytesMax } = this.limits;
    // A CR before that one is no part of a start line that can be read.
    const lineEnd = bytes[from + this.knownLineEnd] === CR ? this.knownLineEnd : bytes.indexOf(CR, from) - from;
    const length = lineEnd + known.text.length;
    if (lineEnd < 1 || lineEnd > startLineBytesMax || length > headBytesMax || length > bytes.length - from) return null;
    const text = bytes.toString('latin1', from, from + length);
    if (text === this.knownText) {
      this.knownBytes = length;
      return this.knownHead;
    }
    if (text.slice(lineEnd) !== known.text) return null;
    const start = readStartLine(text, 0, lineEnd);
    // Whatever is wrong with it is said by the whole reading.
    if (typeof start === 'string' || start.minorVersion !== known.minorVersion) return null;
    if (start.targetForm === 'absolute' && !agrees(start.target, known.host)) return null;
    this.knownBytes = length;
    this.knownText = text;
    this.knownLineEnd = lineEnd;
    this.knownHead = { ...start, headers: known.headers, host: known.host, lines: known };
    return this.knownHead;
  }
}

interface StartLine {
  readonly method: string;
  readonly target: string;
  readonly targetForm: TargetForm;
  readonly minorVersion: 0 | 1;
}

function readRequestHead(text: string, limits: HeadLimits): RequestHead | RefusalReason {
  const lineStart = text.startsWith('\r\n') ? 2 : 0;
  const lineEnd = text.indexOf('\r', lineStart);
  const start = readStartLine(text, lineStart, lineEnd);
  if (typeof start === 'string') return start;
  const headers: RawHeaders = [];
  const fault = readHeaderLines(text, lineEnd + 2, limits, headers);
  if (fault !== null) return fault;
  const hostIndex = onlyHost(headers);
  if (typeof hostIndex === 'string') return hostIndex;
  const host = headers[hostIndex]!;
  if (!HOST.test(host)) return 'MALFORMED_HOST';
  if (start.targetForm === 'absolute' && !agrees(start.target, host)) return 'HOST_DISAGREES';
  return { ...start, headers, host, lines: new RequestLines(text.slice(lineEnd), start.minorVersion, headers, host) };
}

function agrees(target: string, host: string): boolean {
  return ABSOLUTE.exec(target)![1]!.toLowerCase() === host.toLowerCase();
}

function readStartLine(text: string, lineStart: number, lineEnd: number): StartLine | RefusalReason {
  const methodEnd = text.indexOf(' ', lineStart);
  if (methodEnd === -1 || methodEnd > lineEnd) return 'MALFORMED_START_LINE';
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  if (targetEnd === -1 || targetEnd > lineEnd) return 'MALFORMED_START_LINE';
  const method = text.slice(lineStart, methodEnd);
  if (!isToken(method)) return 'MALFORMED_METHOD';
  const target = text.slice(methodEnd + 1, targetEnd);
  const version = text.slice(targetEnd + 1, lineEnd);
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0')
    return VERSION.test(version) ? 'UNSUPPORTED_VERSION' : 'MALFORMED_START_LINE';
  if (method === 'CONNECT') return 'CONNECT';
  if (!TARGET.test(target)) return 'MALFORMED_TARGET';
  const targetForm = formOf(target, method);
  if (targetForm === null) return 'MALFORMED_TARGET';
  return { method, target, targetForm, minorVersion: version === 'HTTP/1.1' ? 1 : 0 };
}

function formOf(target: string, method: string): TargetForm | null {
  if (target.startsWith('/')) return 'origin';
  if (target === '*') return method === 'OPTIONS' ? 'asterisk' : null;
  return ABSOLUTE.test(target) ? 'absolute' : null;
}

/** Index of its value. */
function onlyHost(headers: RawHeaders): number | RefusalReason {
  let found = -1;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    if (name.length !== 4 || (name !== 'Host' && name.toLowerCase() !== 'host')) continue;
    if (found !== -1) return 'SEVERAL_HOSTS';
    found = i + 1;
  }
  return found === -1 ? 'MISSING_HOST' : found;
}
