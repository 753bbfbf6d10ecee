import type { UpstreamRequest } from '@gatehouse/engine-exchange';
import { writeHeaderLines } from '../write.js';
import { isToken } from '../header-lines.js';

export interface OutgoingHead {
  /** To be written as latin1. */
  readonly text: string;
  /** Bytes the body must have; -1 when it goes out in chunks. */
  readonly bodyBytes: number;
}

const UNSAFE_TARGET = /[^!"$-~]/;

/**
 * The head of a request to an upstream. Framing is ours to write: whatever the headers say about it is read, not copied. `null`
 * when something in it cannot stand in a head.
 */
export function outgoingHead(request: UpstreamRequest, target: string, hostHeader: string): OutgoingHead | null {
  const { httpMethod, headers, body } = request;
  if (!isToken(httpMethod) || UNSAFE_TARGET.test(target)) return null;
  let declared = -1;
  let hasHost = false;
  let isPlain = true;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    if (name.length === 4) hasHost ||= name.toLowerCase() === 'host';
    else if (name.length === 14 && name.toLowerCase() === 'content-length') {
      declared = Number(headers[i + 1]);
      isPlain = false;
    } else if ((name.length === 17 || name.length === 10) && isFraming(name)) isPlain = false;
  }
  const lines = writeHeaderLines(isPlain ? headers : withoutFraming(headers));
  if (lines === null) return null;
  let text = `${httpMethod} ${target} HTTP/1.1\r\n${hasHost ? '' : `Host: ${hostHeader}\r\n`}${lines}`;
  const bodyBytes = body === null ? 0 : Buffer.isBuffer(body) ? body.length : declared;
  if (bodyBytes > 0 || (bodyBytes === 0 && (body !== null || expectsBody(httpMethod))))
    text += `Content-Length: ${bodyBytes}\r\n`;
  else if (bodyBytes < 0) text += 'Transfer-Encoding: chunked\r\n';
  return { text: `${text}\r\n`, bodyBytes };
}

/** RFC 9110 §8.6: a method that usually has content says so when it has none. */
function expectsBody(httpMethod: string): boolean {
  return httpMethod === 'POST' || httpMethod === 'PUT' || httpMethod === 'PATCH';
}

function isFraming(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'transfer-encoding' || lower === 'connection' || lower === 'content-length';
}

function withoutFraming(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (!isFraming(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!);
  return kept;
}
