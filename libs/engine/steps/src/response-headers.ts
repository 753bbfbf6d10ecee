import { headerText, type RawHeaders } from '@gatehouse/engine-exchange';

/**
 * How a backend's headers come out of a proxy integration. The recordings of data-plane reference §3.6.4 rename five; for the others
 * the official table of §3.6.2 holds (§13: "proxy drop, mapped remap").
 */
const REMAPPED = new Set([
  'connection',
  'content-length',
  'date',
  'server',
  'x-amzn-requestid',
  'authorization',
  'content-md5',
  'max-forwards',
  'user-agent',
  'www-authenticate',
]);
/** The last two belong to a connection, or are written by us alone. */
const DROPPED = new Set([
  'transfer-encoding',
  'via',
  'expect',
  'host',
  'te',
  'trailer',
  'upgrade',
  'proxy-authenticate',
  'keep-alive',
  'x-amz-apigw-id',
]);

/** Adds one header of a backend under the name it may leave with, or not at all. */
export function addProxyHeader(headers: RawHeaders, name: string, value: string): void {
  const lowerName = name.toLowerCase();
  if (DROPPED.has(lowerName)) return;
  const text = headerText(value);
  if (text !== null) headers.push(REMAPPED.has(lowerName) ? `x-amzn-Remapped-${name}` : name, text);
}
