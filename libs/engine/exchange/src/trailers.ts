/**
 * Trailers of an answer: they go on to a caller that said `TE: trailers`, behind the body, and never become headers (RFC 9110 §6.5).
 * Those of requests are read and dropped: what a backend takes from a caller has passed mappings and authorizers in the head.
 */
import { headerText, isHeaderToken } from './headers.js';

/** A body that streams and may bring trailers; they are there when it has ended. */
export interface TrailedBody {
  readonly trailers: readonly string[] | null;
}

/** What frames, routes, authenticates, says how to read or keep the answer, or is ours to say: in a head or nowhere. */
const HEAD_ONLY = new Set([
  'age',
  'alt-svc',
  'authorization',
  'cache-control',
  'connection',
  'cookie',
  'date',
  'expect',
  'expires',
  'host',
  'keep-alive',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'refresh',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'vary',
  'via',
  'www-authenticate',
  'x-api-key',
]);
const HEAD_ONLY_PREFIXES = ['access-control-', 'content-', 'x-amz-', 'x-amzn-', 'x-forwarded-'];

/** Those that may go on, in order; `null` for none. `body` as a connector gave it, at its end. */
export function passedTrailers(body: object): readonly string[] | null {
  const trailers = (body as Partial<TrailedBody>).trailers ?? null;
  if (trailers === null) return null;
  const passed: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i]!;
    const value = headerText(trailers[i + 1]!);
    if (value !== null && isHeaderToken(name) && mayTrail(name.toLowerCase())) passed.push(name, value);
  }
  return passed.length === 0 ? null : passed;
}

/** Whether it may yet have some. */
export function mayHaveTrailers(body: object): boolean {
  return 'trailers' in body;
}

function mayTrail(lowerName: string): boolean {
  return !HEAD_ONLY.has(lowerName) && !HEAD_ONLY_PREFIXES.some((prefix) => lowerName.startsWith(prefix));
}
