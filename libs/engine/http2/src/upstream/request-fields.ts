import { isHeaderToken, type UpstreamRequest } from '@gatehouse/engine-exchange';
import { isConnectionSpecific, isUnsafeValue } from '../fields.js';

export interface RequestFields {
  /** Pseudo fields first. */
  readonly fields: string[];
  /** Bytes the body must have; -1 when only its end tells. */
  readonly bodyBytes: number;
}

export interface OriginName {
  readonly scheme: 'http' | 'https';
  /** As it goes out in `:authority`; a mapped Host replaces it. */
  readonly authority: string;
}

const UNSAFE_TARGET = /[^!"$-~]/;

/** `null` when something in it cannot be sent: node:http2 would send it as something else (see `fields.ts`). */
export function requestFields(request: UpstreamRequest, origin: OriginName): RequestFields | null {
  const { httpMethod, body, block, headers } = request;
  const target = targetOf(request.url);
  if (!isHeaderToken(httpMethod) || httpMethod === 'CONNECT' || UNSAFE_TARGET.test(target)) return null;
  const fields = [':method', httpMethod, ':scheme', origin.scheme, ':authority', origin.authority, ':path', target];
  let declaredBytes = -1;
  const add = (list: readonly string[], mayNameHost: boolean): boolean => {
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i]!.toLowerCase();
      const value = list[i + 1]!;
      if (isUnsafeValue(value) || !isHeaderToken(name)) return false;
      if (name === 'content-length') declaredBytes = Number(value);
      else if (name === 'host') {
        if (mayNameHost) fields[5] = value;
      } else if (!isConnectionSpecific(name) || (name === 'te' && value === 'trailers')) fields.push(name, value);
    }
    return true;
  };
  if (!add(block?.fields ?? [], false) || !add(headers, true)) return null;
  fields.push('x-amzn-trace-id', request.traceId);
  const bodyBytes = body === null ? 0 : Buffer.isBuffer(body) ? body.length : declaredBytes;
  if (bodyBytes > 0 || (bodyBytes === 0 && (body !== null || expectsBody(httpMethod)))) {
    fields.push('content-length', String(bodyBytes));
  }
  return { fields, bodyBytes };
}

/** RFC 9110 §8.6: a method that usually has content says so when it has none. */
function expectsBody(httpMethod: string): boolean {
  return httpMethod === 'POST' || httpMethod === 'PUT' || httpMethod === 'PATCH';
}

/** Split by hand, so that it goes out as it was built: a URL object would re-encode it. A fragment never reaches a backend. */
function targetOf(url: string): string {
  const start = url.indexOf('://') + 3;
  const rest = url.slice(start).search(/[/?#]/);
  if (rest === -1) return '/';
  const hash = url.indexOf('#', start);
  const target = hash === -1 ? url.slice(start + rest) : url.slice(start + rest, hash);
  return target.startsWith('/') ? target : `/${target}`;
}
