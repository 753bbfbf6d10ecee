import type { WireRequest } from '@gatehouse/control-wire';
import type { FastifyRequest } from 'fastify';

const NO_BODY = new Uint8Array(0);

/** The request as it came: raw URL, unparsed body, header lines of one name joined as RFC 9110 §5.3 allows. */
export function toWireRequest(request: FastifyRequest): WireRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.raw.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  return {
    method: request.raw.method ?? 'GET',
    rawUrl: request.originalUrl,
    headers,
    body: request.body instanceof Uint8Array ? request.body : NO_BODY,
    remoteAddress: request.ip,
  };
}
