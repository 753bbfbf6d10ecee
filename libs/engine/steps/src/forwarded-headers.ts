/** Header rules towards backends (data-plane reference §3.6.2, §3.6.3). What never leaves the parser is gone already (§3.6.1). */
import { HeaderBlock, lastHeader, removeHeader, type Exchange, type RawHeaders } from '@gatehouse/engine-exchange';

/** Of the caller's headers, these do not reach an HTTP_PROXY backend; the last ones frame connections and are ours to write. */
const NOT_PASSED = new Set([
  'host',
  'content-encoding',
  'via',
  'expect',
  'proxy-authenticate',
  'te',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'content-length',
  'upgrade',
]);

/** The headers that this gateway writes anew, whatever the caller sent under their names. */
const REWRITTEN = new Set([
  'x-amzn-trace-id',
  'x-amzn-apigateway-api-id',
  'x-forwarded-for',
  'x-forwarded-port',
  'x-forwarded-proto',
]);

/** All but the trace header, which is new with every request. */
export function passedBlock(x: Exchange, apiId: string): HeaderBlock {
  const { requestBlock } = x;
  if (requestBlock === null) return new HeaderBlock(passedHeaders(x, apiId));
  // A block belongs to one connection, so what else goes into the form (addresses, port, protocol) is the same each time.
  if (requestBlock.derived === null || requestBlock.derivedFor !== apiId) {
    requestBlock.derived = new HeaderBlock(passedHeaders(x, apiId));
    requestBlock.derivedFor = apiId;
  }
  return requestBlock.derived;
}

function passedHeaders(x: Exchange, apiId: string): RawHeaders {
  const headers: RawHeaders = [];
  const { requestHeaders } = x;
  let hasContentType = false;
  for (let i = 0; i < requestHeaders.length; i += 2) {
    const lowerName = requestHeaders[i]!.toLowerCase();
    if (NOT_PASSED.has(lowerName) || REWRITTEN.has(lowerName)) continue;
    if (lowerName === 'traceparent' && x.trace !== null) continue; // ours goes out instead, new with every request
    if (lowerName === 'authorization' && isSigV4(requestHeaders[i + 1]!)) continue;
    if (lowerName === 'content-type') hasContentType = true;
    headers.push(requestHeaders[i]!, requestHeaders[i + 1]!);
  }
  if (!hasContentType) headers.push('Content-Type', 'application/json');
  headers.push('X-Forwarded-For', forwardedFor(x), 'X-Forwarded-Port', x.forwardedPort, 'X-Forwarded-Proto', x.forwardedProto);
  headers.push('X-Amzn-Apigateway-Api-Id', apiId);
  return headers;
}

/** A signature made for us is of no use to a backend and might be for an attacker. */
export function isSigV4(authorization: string): boolean {
  return authorization.startsWith('AWS4-HMAC-SHA256');
}

/** The caller's own list, with the address we see at its end. */
export function forwardedFor(x: Exchange): string {
  const known = lastHeader(x.requestHeaders, 'x-forwarded-for');
  return known === null ? x.sourceIp : `${known}, ${x.sourceIp}`;
}

/**
 * What an HTTP backend gets besides the mapped headers. Requests of a route are mostly of one media type: the block of the last one is kept,
 * so that its lines are written once.
 */
export function ownBlock(apiId: string): (x: Exchange) => HeaderBlock {
  let last: HeaderBlock | null = null;
  let lastType: string | null = null;
  return (x) => {
    const type = contentTypeOf(x);
    if (last !== null && type === lastType) return last;
    const block = new HeaderBlock(headersOfOwn(type, apiId));
    if (type === null || type.length <= KEPT_TYPE_MAX) {
      last = block;
      lastType = type;
    }
    return block;
  };
}

/** A node has a million routes, and callers say what they like. */
const KEPT_TYPE_MAX = 100;

/** `null` for methods whose requests have none. */
function contentTypeOf({ httpMethod, requestHeaders }: Exchange): string | null {
  if (httpMethod === 'GET' || httpMethod === 'HEAD' || httpMethod === 'OPTIONS') return null;
  return lastHeader(requestHeaders, 'content-type') ?? 'application/json';
}

function headersOfOwn(contentType: string | null, apiId: string): RawHeaders {
  const headers: RawHeaders = ['Accept', 'application/json', 'User-Agent', `AmazonAPIGateway_${apiId}`];
  if (contentType !== null) headers.push('Content-Type', contentType);
  headers.push('X-Amzn-Apigateway-Api-Id', apiId);
  return headers;
}

export const FORBIDDEN_TARGETS: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'x-amzn-trace-id',
  'x-amzn-apigateway-api-id',
]);

/** What a mapping towards an AWS service may not set either: it would break the signature, or the connection. */
export const FORBIDDEN_SERVICE_TARGETS: ReadonlySet<string> = new Set([
  ...FORBIDDEN_TARGETS,
  'authorization',
  'connection',
  'expect',
  'proxy-authenticate',
  'te',
]);

/**
 * Mapped, but never sent. Upgrade and Connection are among them because they would change the connection itself
 * (AWS sends a mapped Upgrade on; no backend can make use of it).
 */
export const DROPPED_TARGETS: ReadonlySet<string> = new Set([
  'expect',
  'proxy-authenticate',
  'te',
  'via',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
]);

/** A mapped header replaces the others of its name. */
export function putMapped(headers: RawHeaders, name: string, lowerName: string, value: string): void {
  removeHeader(headers, lowerName);
  headers.push(name, value);
}
