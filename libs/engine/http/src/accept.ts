/** A request of node:http becomes an Exchange. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { lastHeader, type Exchange, type RawHeaders, type RequestBody } from '@gatehouse/engine-exchange';
import { completeTrace } from './trace-header.js';

/** Never visible to proxies, mappings, templates and events (data-plane reference §3.6.1). */
const UNSEEN = new Set([
  'connection',
  'content-length',
  'content-md5',
  'expect',
  'max-forwards',
  'proxy-authenticate',
  'server',
  'te',
  'transfer-encoding',
  'trailer',
  'upgrade',
  'www-authenticate',
]);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Everything but host, path and stage. `Connection: x-api-key` removes nothing: a caller must not take headers away. */
export function acceptRequest(x: Exchange, request: IncomingMessage, nowMs: number, askForBody: () => void): void {
  x.startedAtMs = performance.now();
  x.receivedAtMs = nowMs;
  x.httpMethod = request.method!;
  x.path = request.url!.split('?', 1)[0]!; // for the record; a stage's path replaces it
  x.protocol = `HTTP/${request.httpVersion}`;
  x.requestHeaders = visibleHeaders(request.rawHeaders);
  const requestId = lastHeader(x.requestHeaders, 'x-amzn-requestid');
  x.requestId = requestId !== null && UUID.test(requestId) ? requestId : randomUUID();
  x.extendedRequestId = randomBytes(11).toString('base64'); // 15 characters and "="
  x.sourceIp = plainAddress(request.socket);
  x.userAgent = lastHeader(x.requestHeaders, 'user-agent') ?? '';
  x.forwardedPort = String(request.socket.localPort ?? '');
  x.forwardedProto = 'encrypted' in request.socket ? 'https' : 'http';
  x.traceId = completeTrace(lastHeader(x.requestHeaders, 'x-amzn-trace-id'), nowMs);
  x.requestBody = bodyOf(request, askForBody);
}

/** A coding under `chunked` would reach backends without its name: only the plain form is taken (RFC 9112 §6.1). */
export function hasKnownFraming(request: IncomingMessage): boolean {
  const coding = request.headers['transfer-encoding'];
  return coding === undefined || coding.toLowerCase() === 'chunked';
}

function visibleHeaders(rawHeaders: readonly string[]): RawHeaders {
  const headers: RawHeaders = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!UNSEEN.has(rawHeaders[i]!.toLowerCase())) headers.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return headers;
}

function bodyOf(request: IncomingMessage, askForBody: () => void): RequestBody | null {
  const length = request.headers['content-length'];
  const isChunked = request.headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || Number(length) === 0)) return null;
  return {
    declaredBytes: isChunked ? null : Number(length),
    open: () => {
      askForBody();
      return request;
    },
  };
}

/** An IPv4 address on a dual-stack socket is shown as what it is. */
function plainAddress(socket: Socket): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
