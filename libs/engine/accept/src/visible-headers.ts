import type { RawHeaders } from '@gatehouse/engine-exchange';

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

/** `Connection: x-api-key` removes nothing: a caller must not take headers away. */
export function visibleHeaders(rawHeaders: readonly string[]): RawHeaders {
  const headers: RawHeaders = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!UNSEEN.has(rawHeaders[i]!.toLowerCase())) headers.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return headers;
}
