/**
 * Header fields as they stood on the wire: name, value, name, value, ... in order, with their case and repetitions.
 * Names are compared without regard to case unless a function says otherwise.
 */
import type { HeaderBlock } from './header-block.js';

export type RawHeaders = string[];

export function isHeaderName(name: string, lowerName: string): boolean {
  return name.length === lowerName.length && (name === lowerName || name.toLowerCase() === lowerName);
}

/** Value of the last field of that name, or `null`. */
export function lastHeader(headers: readonly string[], lowerName: string): string | null {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (isHeaderName(headers[i]!, lowerName)) return headers[i + 1]!;
  return null;
}

/** All values in order. */
export function allHeaders(headers: readonly string[], lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (isHeaderName(headers[i]!, lowerName)) values.push(headers[i + 1]!);
  return values;
}

/** Values of exactly this spelling, in order: the names of mappings are case-sensitive in REST APIs. */
export function exactHeaders(headers: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) values.push(headers[i + 1]!);
  return values;
}

export function removeHeader(headers: RawHeaders, lowerName: string): void {
  let kept = 0;
  for (let i = 0; i < headers.length; i += 2) {
    if (isHeaderName(headers[i]!, lowerName)) continue;
    headers[kept++] = headers[i]!;
    headers[kept++] = headers[i + 1]!;
  }
  headers.length = kept;
}

/** Replaces every field of that name by one at the end. */
export function setHeader(headers: RawHeaders, name: string, value: string): void {
  removeHeader(headers, name.toLowerCase());
  headers.push(name, value);
}

/** The media type without parameters, in lower case; `null` when there is no such header. */
export function mediaType(headers: readonly string[]): string | null {
  const value = lastHeader(headers, 'content-type');
  if (value === null) return null;
  const end = value.indexOf(';');
  return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase();
}

/** The same of a request, whose headers may have come before. */
export function requestMediaType({ requestBlock, requestHeaders }: RequestHeaders): string | null {
  if (requestBlock === null || requestBlock.fields !== requestHeaders) return mediaType(requestHeaders);
  let type = requestBlock.mediaType;
  if (type === undefined) requestBlock.mediaType = type = mediaType(requestHeaders);
  return type;
}

interface RequestHeaders {
  readonly requestBlock: HeaderBlock | null;
  readonly requestHeaders: readonly string[];
}

/**
 * A value fit for the wire, or `null` when it holds control characters: a mapped value must not end its header line.
 * What is beyond Latin-1 goes out as its UTF-8 bytes.
 */
export function headerText(value: string): string | null {
  let isWide = false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return null;
    if (code > 0xff) isWide = true;
  }
  return isWide ? Buffer.from(value, 'utf8').toString('latin1') : value;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function isHeaderToken(name: string): boolean {
  return TOKEN.test(name);
}

const REMAPPED_WHEN_MAPPED = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-md5',
  'date',
  'expect',
  'host',
  'max-forwards',
  'proxy-authenticate',
  'server',
  'trailer',
  'upgrade',
  'user-agent',
  'www-authenticate',
  // Not in the recordings: of a proxy's answer it is renamed, and the gateway's own is on every answer, once.
  'x-amzn-requestid',
]);

/**
 * Name under which a header that an API's owner maps into a response goes out; `null` for one that never does.
 * Source: data-plane reference §3.6.4, recordings of mapped headers.
 */
export function mappedResponseHeaderName(name: string): string | null {
  const lowerName = name.toLowerCase();
  if (lowerName === 'transfer-encoding' || lowerName === 'x-amz-apigw-id') return null;
  return REMAPPED_WHEN_MAPPED.has(lowerName) ? `x-amzn-Remapped-${name}` : name;
}
