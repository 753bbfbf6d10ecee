/** Fields as HTTP/2 carries them, both ways. */

/** They belong to one connection of HTTP/1.1 and make a message malformed here (RFC 9113 §8.2.2). */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

export function isConnectionSpecific(lowerName: string): boolean {
  return CONNECTION_SPECIFIC.has(lowerName);
}

/**
 * Anything but Latin-1 without control characters. node:http2 hands fields to nghttp2 in one string with NUL between them and cuts
 * characters to a byte: NUL in a value would start a field of its own, and U+010D would become a CR.
 */
const UNSAFE_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

export function isUnsafeValue(value: string): boolean {
  return UNSAFE_VALUE.test(value);
}
