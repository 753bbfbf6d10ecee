/** What every listener does with an Exchange whose program has run: the response's own headers, and letting bodies go. */
import { Buffer } from 'node:buffer';
import { setHeader, settleProgram, type Exchange, type RawHeaders } from '@gatehouse/engine-exchange';
import { BUILT_IN_FAULTS, FAULTS } from '@gatehouse/engine-faults';
import { Readable } from 'node:stream';

/** No body follows, whatever the headers say (RFC 9110 §6.4.1). */
export function isBodyless({ httpMethod, status }: Exchange): boolean {
  return httpMethod === 'HEAD' || status === 204 || status === 304;
}

/** Length of the body the caller is told of; -1 when only the end tells, or when none may be told. */
export function announcedBytes(x: Exchange): number {
  if (x.status === 204 || x.status === 304) return -1;
  if (Buffer.isBuffer(x.responseBody)) return x.responseBody.length;
  if (x.responseBodyBytes >= 0) return x.responseBodyBytes;
  return x.responseBody === null && x.httpMethod !== 'HEAD' ? 0 : -1;
}

/** The headers of the answer, those the gateway adds to every answer included; framing apart from Content-Length is the listener's. */
export function finishHeaders(x: Exchange): RawHeaders {
  const headers = x.responseBlock === null ? [...x.responseHeaders] : [...x.responseBlock.fields, ...x.responseHeaders];
  setHeader(headers, 'x-amzn-RequestId', x.requestId);
  setHeader(headers, 'x-amz-apigw-id', x.extendedRequestId);
  if (x.retryAfterMs >= 0) setHeader(headers, 'Retry-After', String(Math.max(1, Math.ceil(x.retryAfterMs / 1_000))));
  if (x.limitLines !== '') pushLines(headers, x.limitLines);
  const bytes = announcedBytes(x);
  if (bytes >= 0) headers.push('Content-Length', String(bytes));
  return headers;
}

function pushLines(headers: RawHeaders, lines: string): void {
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) headers.push(line.slice(0, colon), line.slice(colon + 2));
  }
}

/** The answer of a request that ended in a bug outside of every program. Nothing of an earlier answer stays. */
export function renderBug(x: Exchange, bug: unknown): void {
  settleProgram(x);
  x.fail(FAULTS.BUG, bug, 'serving a request');
  letGo(x);
  BUILT_IN_FAULTS.render(x);
  x.responseBodyBytes = -1;
}

/** Bodies that were opened and that nobody reads to their end. */
export function letGo({ upstreamAnswer, responseBody }: Exchange): void {
  if (upstreamAnswer !== null) letGoOf(upstreamAnswer.body);
  letGoOf(responseBody);
}

function letGoOf(body: unknown): void {
  if (body instanceof Readable && !body.destroyed) body.on('error', () => undefined).destroy();
}
