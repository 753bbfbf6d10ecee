import { finishHeaders } from '@gatehouse/engine-accept';
import { isHeaderToken, type Exchange } from '@gatehouse/engine-exchange';

/** They belong to one connection of HTTP/1.1 and make an answer malformed here (RFC 9113 §8.2.2). */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Latin1 without control characters. node:http2 hands fields to nghttp2 in one string with NUL between them and cuts characters
 * to a byte: NUL in a value would start a field of its own, and U+010D would become a CR.
 */
const UNSAFE_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Throws, with nothing sent, when a header cannot be written. */
export function answerHead(x: Exchange): string[] {
  const finished = finishHeaders(x);
  const head: string[] = [':status', String(x.status)];
  for (let i = 0; i < finished.length; i += 2) {
    const name = finished[i]!.toLowerCase();
    const value = finished[i + 1]!;
    if (CONNECTION_SPECIFIC.has(name)) continue;
    if (!isHeaderToken(name) || UNSAFE_VALUE.test(value)) throw new Error(`header ${JSON.stringify(name)} cannot be sent`);
    head.push(name, value);
  }
  return head;
}
