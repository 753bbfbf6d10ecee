/** A request of node:http becomes an Exchange. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { visibleHeaders, type Intake } from '@gatehouse/engine-accept';
import { limitStream, type Exchange, type RequestBody } from '@gatehouse/engine-exchange';

/** Everything but host, path and stage. */
export function acceptRequest(
  x: Exchange,
  request: IncomingMessage,
  intake: Intake,
  nowMs: number,
  askForBody: () => void,
): void {
  x.startedAtMs = performance.now();
  x.httpMethod = request.method!;
  x.protocol = `HTTP/${request.httpVersion}`;
  x.requestHeaders = visibleHeaders(request.rawHeaders);
  x.sourceIp = plainAddress(request.socket);
  x.forwardedPort = String(request.socket.localPort ?? '');
  x.forwardedProto = 'encrypted' in request.socket ? 'https' : 'http';
  x.requestBody = bodyOf(request, askForBody);
  intake.identify(x, request.url!, nowMs);
}

/** A coding under `chunked` would reach backends without its name: only the plain form is taken (RFC 9112 §6.1). */
export function hasKnownFraming(request: IncomingMessage): boolean {
  const coding = request.headers['transfer-encoding'];
  return coding === undefined || coding.toLowerCase() === 'chunked';
}

function bodyOf(request: IncomingMessage, askForBody: () => void): RequestBody | null {
  const length = request.headers['content-length'];
  const isChunked = request.headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || Number(length) === 0)) return null;
  return {
    declaredBytes: isChunked ? null : Number(length),
    atHand: null,
    open: (limitBytes) => {
      askForBody();
      return limitStream(request, limitBytes);
    },
  };
}

/** An IPv4 address on a dual-stack socket is shown as what it is. */
function plainAddress(socket: Socket): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
