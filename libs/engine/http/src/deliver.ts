/** The response half of an Exchange goes out over node:http, no faster than the caller takes it. */
import type { ServerResponse } from 'node:http';
import type { Exchange, RawHeaders } from '@gatehouse/engine-exchange';

export interface DeliverOptions {
  /** A caller that takes nothing for so long is cut off. */
  readonly stalledCallerMs: number;
  /** The connection ends with this response. */
  readonly isLast: boolean;
}

/** Resolves when the caller has the response, or is gone, or the body broke: then the connection is cut, never padded. */
export function deliver(x: Exchange, response: ServerResponse, options: DeliverOptions): Promise<void> {
  const body = x.responseBody;
  if (response.destroyed) {
    if (body !== null && !Buffer.isBuffer(body)) body.destroy();
    return Promise.resolve();
  }
  const isBodyless = x.httpMethod === 'HEAD' || x.status === 204 || x.status === 304;
  response.writeHead(x.status, headersOf(x, options.isLast));
  response.setTimeout(options.stalledCallerMs, () => response.destroy());
  return new Promise<void>((resolve) => {
    response.on('close', resolve);
    if (body === null || isBodyless) {
      if (body !== null && !Buffer.isBuffer(body)) body.destroy();
      response.end();
    } else if (Buffer.isBuffer(body)) {
      x.deliveredBytes = body.length;
      response.end(body);
    } else {
      body.on('data', (chunk: Buffer) => {
        x.deliveredBytes += chunk.length;
      });
      body.on('error', () => response.destroy());
      body.on('close', () => {
        if (!body.readableEnded) response.destroy();
      });
      response.on('close', () => body.destroy());
      body.pipe(response);
    }
  });
}

function headersOf(x: Exchange, isLast: boolean): RawHeaders {
  const headers = [...x.responseHeaders, 'x-amzn-RequestId', x.requestId, 'x-amz-apigw-id', x.extendedRequestId];
  const bytes = Buffer.isBuffer(x.responseBody) ? x.responseBody.length : x.responseBodyBytes;
  if (x.status !== 204 && x.status !== 304) {
    if (bytes >= 0) headers.push('Content-Length', String(bytes));
    else if (x.responseBody === null && x.httpMethod !== 'HEAD') headers.push('Content-Length', '0');
  }
  if (isLast) headers.push('Connection', 'close');
  return headers;
}
