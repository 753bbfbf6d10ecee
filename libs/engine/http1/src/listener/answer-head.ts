import { announcedBytes, isBodyless } from '@gatehouse/engine-accept';
import type { Exchange } from '@gatehouse/engine-exchange';
import { STATUS_CODES } from 'node:http';
import { writeHeaderLines, writeSharedLines } from '../write.js';

/** How the end of an answer's body is shown to the caller. */
export type AnswerFraming = 'none' | 'length' | 'chunked' | 'until-close';

export function frameAnswer(x: Exchange, minorVersion: 0 | 1, isStream: boolean): AnswerFraming {
  if (isBodyless(x)) return 'none';
  if (!isStream || x.responseBodyBytes >= 0) return 'length';
  return minorVersion === 1 ? 'chunked' : 'until-close';
}

/** To be written as latin1; `null` when status or headers cannot stand in a head: nothing is written then. */
export function answerHead(
  x: Exchange,
  framing: AnswerFraming,
  minorVersion: 0 | 1,
  isLast: boolean,
  dateLine: string,
): string | null {
  const statusLine = STATUS_LINES[x.status];
  if (statusLine === undefined) return null;
  const { responseBlock: block, responseHeaders } = x;
  const shared = block === null ? '' : (block.lines ??= writeSharedLines(block.fields));
  const own = responseHeaders.length === 0 ? '' : writeHeaderLines(responseHeaders);
  if (shared === null || own === null) return null;
  let head = `${statusLine}${shared}${own}${dateLine}${x.idLines === '' ? idLines(x) : x.idLines}`;
  if (framing === 'chunked') head += 'Transfer-Encoding: chunked\r\n';
  else {
    const bytes = announcedBytes(x);
    if (bytes >= 0) head += `Content-Length: ${bytes}\r\n`;
  }
  if (x.retryAfterMs >= 0) head += `Retry-After: ${Math.max(1, Math.ceil(x.retryAfterMs / 1_000))}\r\n`;
  head += x.limitLines;
  if (isLast) head += 'Connection: close\r\n';
  else if (minorVersion === 0) head += 'Connection: keep-alive\r\n';
  return `${head}\r\n`;
}

function idLines({ requestId, extendedRequestId }: Exchange): string {
  return `x-amzn-RequestId: ${requestId}\r\nx-amz-apigw-id: ${extendedRequestId}\r\n`;
}

/** By status: of 200 to 599, since no program answers with less. */
const STATUS_LINES: readonly (string | undefined)[] = Array.from({ length: 600 }, (_, status) =>
  status < 200 ? undefined : `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`,
);

/** `Date: ...` of the current second (RFC 9110 §6.6.1), made once per second. */
export class DateLine {
  private second = -1;
  private line = '';

  at(nowMs: number): string {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.second) {
      this.second = second;
      this.line = `Date: ${new Date(second * 1_000).toUTCString()}\r\n`;
    }
    return this.line;
  }
}
