/** The response half of an Exchange goes out over node:http, no faster than the caller takes it. */
import { finishHeaders, isBodyless } from '@gatehouse/engine-accept';
import { FAULTS } from '@gatehouse/engine-faults';
import type { Readable } from 'node:stream';
import type { Call } from './connection.js';

export interface DeliverOptions {
  /** A caller that takes nothing for so long is cut off. */
  readonly stalledCallerMs: number;
  /** The connection ends with this response. */
  readonly isLast: boolean;
}

/**
 * Resolves when the caller has the response, or is gone, or the body broke: then the connection is cut, never padded. Throws,
 * with nothing sent, when a header cannot be written.
 */
export async function deliver(call: Call, options: DeliverOptions): Promise<void> {
  const { x, response } = call;
  if (x.isCallerGone) return;
  const headers = finishHeaders(x);
  if (options.isLast) headers.push('Connection', 'close');
  response.writeHead(x.status, headers);
  response.setTimeout(options.stalledCallerMs, () => response.destroy());
  const body = isBodyless(x) ? null : x.responseBody;
  if (body !== null && !Buffer.isBuffer(body)) return stream(call, body);
  return call.untilGoneOr((done) => {
    response.on('close', done);
    if (body === null) response.end();
    else {
      x.deliveredBytes = body.length;
      response.end(body);
    }
  });
}

function stream(call: Call, body: Readable): Promise<void> {
  const { x, response } = call;
  let isOver = false; // the Exchange is somebody else's afterwards
  return call
    .untilGoneOr((done) => {
      const cut = (cause: unknown): void => {
        if (isOver) return;
        if (x.isCallerGone || response.destroyed) x.fail(FAULTS.CALLER_LEFT, cause, 'sending the answer');
        else x.fail(FAULTS.INTEGRATION_FAILURE, cause, "streaming the backend's body");
        response.destroy();
      };
      response.on('close', () => {
        if (!response.writableFinished) cut(null);
        done();
      });
      body.on('data', (chunk: Buffer) => {
        if (!isOver) x.deliveredBytes += chunk.length;
      });
      body.on('error', cut);
      body.on('close', () => {
        if (!body.readableEnded) cut(null);
      });
      body.pipe(response);
      // A body that takes its time does not hold back the head.
      setImmediate(() => {
        if (!isOver && x.deliveredBytes === 0 && !response.writableEnded) response.flushHeaders();
      });
    })
    .finally(() => (isOver = true));
}
