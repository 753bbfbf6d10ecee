/**
 * The head of a request as a flat list: pseudo fields become method, target and Host. nghttp2 has refused before, with a stream
 * error, what RFC 9113 §8.2 and §8.3 call malformed: see the table in README.md.
 */
import type { RawHeaders } from '@gatehouse/engine-exchange';

export interface RequestHead {
  readonly method: string;
  /** `:path`; empty for CONNECT, which has none. */
  readonly target: string;
  /** `null` when there is none, or when `:authority` and Host name different ones (RFC 9113 §8.3.1). */
  readonly host: string | null;
  /** Without pseudo fields; Host first, as in HTTP/1.1. */
  readonly headers: RawHeaders;
  /** -1 when only the end tells. */
  readonly contentLength: number;
  readonly expectsContinue: boolean;
  /** `TE: trailers`; nghttp2 lets no other TE pass. */
  readonly takesTrailers: boolean;
  /** As RFC 9113 §6.5.2 counts. */
  readonly bytes: number;
}

/** What each field costs beyond its text (RFC 9113 §6.5.2). */
const FIELD_OVERHEAD_BYTES = 32;

export function readRequestHead(rawHeaders: readonly string[]): RequestHead {
  let method = '';
  let target = '';
  let authority: string | null = null;
  let host: string | null = null;
  let contentLength = -1;
  let expectsContinue = false;
  let takesTrailers = false;
  let cookieAt = -1;
  let bytes = 0;
  const fields: string[] = ['Host', ''];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    const value = rawHeaders[i + 1]!;
    bytes += name.length + value.length + FIELD_OVERHEAD_BYTES;
    switch (name) {
      case ':method':
        method = value;
        continue;
      case ':path':
        target = value;
        continue;
      case ':authority':
        authority = value;
        continue;
      case ':scheme':
        continue; // `x.forwardedProto` says what the connection is, not what the caller says of it
      case 'host':
        host = value;
        continue;
      case 'content-length':
        contentLength = Number(value);
        break;
      case 'expect':
        expectsContinue = value.toLowerCase() === '100-continue';
        break;
      case 'te':
        takesTrailers = true;
        break;
      case 'cookie':
        // One field again before anybody sees it (RFC 9113 §8.2.3).
        if (cookieAt !== -1) {
          fields[cookieAt] += `; ${value}`;
          continue;
        }
        cookieAt = fields.length + 1;
        break;
    }
    fields.push(name, value);
  }
  const named = authority ?? host;
  const agrees = authority === null || host === null || authority.toLowerCase() === host.toLowerCase();
  if (named === null) fields.splice(0, 2);
  else fields[1] = named;
  return {
    method,
    target,
    host: agrees ? named : null,
    headers: fields,
    contentLength,
    expectsContinue,
    takesTrailers,
    bytes,
  };
}
