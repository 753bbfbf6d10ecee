import { Buffer } from 'node:buffer';
import type { HeaderBlock, UpstreamRequest } from '@gatehouse/engine-exchange';
import { isToken } from '../header-lines.js';
import { inOnePiece, writeHeaderLines, writeSharedLines } from '../write.js';

export interface OutgoingHead {
  /** To be written as latin1. */
  readonly text: string;
  /** Bytes the body must have; -1 when it goes out in chunks. */
  readonly bodyBytes: number;
}

const UNSAFE_TARGET = /[^!"$-~]/;

/**
 * The head of a request to an upstream. Framing is ours to write: whatever the headers say about it is read, not copied. `null`
 * when something in it cannot stand in a head. `hostLine` is the origin's own; a mapped Host replaces it.
 */
export function outgoingHead(request: UpstreamRequest, target: string, hostLine: string): OutgoingHead | null {
  const { httpMethod, block, body } = request;
  if (block !== null && body === null && request.headers.length === 0 && !expectsBody(httpMethod)) {
    const start = startOfPlain(httpMethod, target, hostLine, block);
    return start === null ? null : { text: `${start}${request.traceId}\r\n\r\n`, bodyBytes: 0 };
  }
  if (!isToken(httpMethod) || UNSAFE_TARGET.test(target)) return null;
  const shared = block === null ? '' : linesOf(block);
  const own = request.headers.length === 0 ? NO_OWN_HEADERS : new OwnHeaders(request.headers);
  const lines = own.kept.length === 0 ? '' : writeHeaderLines(own.kept);
  if (shared === null || lines === null) return null;
  let text = `${httpMethod} ${target} HTTP/1.1\r\n${own.hasHost ? '' : hostLine}${shared}${lines}X-Amzn-Trace-Id: ${request.traceId}\r\n`;
  if (own.hasTe) text += 'Connection: TE\r\n'; // it speaks of this connection alone (RFC 9110 §10.1.4)
  const bodyBytes = body === null ? 0 : Buffer.isBuffer(body) ? body.length : own.declaredBytes;
  if (bodyBytes > 0 || (bodyBytes === 0 && (body !== null || expectsBody(httpMethod))))
    text += `Content-Length: ${bodyBytes}\r\n`;
  else if (bodyBytes < 0) text += 'Transfer-Encoding: chunked\r\n';
  return { text: `${text}\r\n`, bodyBytes };
}

/** Up to the trace, which alone is new in each: of a request without a body or headers of its own. Kept from the second time on. */
function startOfPlain(httpMethod: string, target: string, hostLine: string, block: HeaderBlock): string | null {
  const isFirst = block.headMethod === '';
  const isKnown = target === block.headTarget && hostLine === block.headHostLine && httpMethod === block.headMethod;
  if (isKnown && block.headStart !== '') return block.headStart;
  const lines = isFirst ? writeHeaderLines(new OwnHeaders(block.fields).withoutHost()) : linesOf(block);
  if (lines === null || !isToken(httpMethod) || UNSAFE_TARGET.test(target)) return null;
  const start = `${httpMethod} ${target} HTTP/1.1\r\n${hostLine}${lines}X-Amzn-Trace-Id: `;
  block.headStart = isKnown ? inOnePiece(start) : '';
  block.headMethod = httpMethod;
  block.headTarget = target;
  block.headHostLine = hostLine;
  return start;
}

/** Without Host and framing, whatever a block holds of them. */
function linesOf(block: HeaderBlock): string | null {
  return (block.lines ??= writeSharedLines(new OwnHeaders(block.fields).withoutHost()));
}

class OwnHeaders {
  /** Without those that frame. */
  readonly kept: readonly string[];
  hasHost = false;
  hasTe = false;
  declaredBytes = -1;

  constructor(headers: readonly string[]) {
    let isPlain = true;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!;
      if (name.length === 4) this.hasHost ||= name.toLowerCase() === 'host';
      else if (name.length === 2) this.hasTe ||= name.toLowerCase() === 'te';
      else if (isFraming(name)) {
        if (name.length === 14) this.declaredBytes = Number(headers[i + 1]);
        isPlain = false;
      }
    }
    this.kept = isPlain ? headers : without(headers, isFraming);
  }

  withoutHost(): readonly string[] {
    return this.hasHost ? without(this.kept, (name) => name.toLowerCase() === 'host') : this.kept;
  }
}

const NO_OWN_HEADERS = new OwnHeaders([]);

/** RFC 9110 §8.6: a method that usually has content says so when it has none. */
function expectsBody(httpMethod: string): boolean {
  return httpMethod === 'POST' || httpMethod === 'PUT' || httpMethod === 'PATCH';
}

function isFraming(name: string): boolean {
  switch (name.length) {
    case 10:
    case 14:
    case 17: {
      const lower = name.toLowerCase();
      return lower === 'connection' || lower === 'content-length' || lower === 'transfer-encoding';
    }
    default:
      return false;
  }
}

function without(headers: readonly string[], isUnwanted: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (!isUnwanted(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!);
  return kept;
}
