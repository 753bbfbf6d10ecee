/**
 * What a streaming function answers becomes the response (data-plane reference §3.5): metadata as JSON, eight zero bytes, and then the body,
 * which is handed on as it comes. Once the head is out, a function that fails can only be cut off.
 */
import { CONTINUE, lastHeader, type Exchange, type Step, type Verdict } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { Readable } from 'node:stream';
import { endWhenIdle } from './end-when-idle.js';
import { parsePrelude } from './map-function-response.js';

const DELIMITER = Buffer.alloc(8);
/** Within which the delimiter stands. */
const PRELUDE_BYTES_MAX = 16 * 1024;

export function mapStreamedResponse(idleMs: number): Step {
  return (x) => {
    const { body } = x.upstreamAnswer!;
    return body === null || Buffer.isBuffer(body) ? mapWhole(x, body) : mapStream(x, body, idleMs);
  };
}

/** A test run waits for the end of it. */
function mapWhole(x: Exchange, body: Buffer | null): Verdict {
  const end = body === null ? -1 : delimiterIn(body);
  if (end === -1) return withoutDelimiter(x);
  return respond(x, body!.subarray(0, end), body!.subarray(end + DELIMITER.length));
}

async function mapStream(x: Exchange, body: Readable, idleMs: number): Promise<Verdict> {
  let prelude: Buffer | null;
  try {
    prelude = await readPrelude(body);
  } catch (cause) {
    body.destroy();
    return x.fail(FAULTS.FUNCTION_FAILED, cause, "reading the metadata of the function's stream");
  }
  if (prelude === null) {
    body.destroy();
    return withoutDelimiter(x);
  }
  const verdict = respond(x, prelude, endWhenIdle(body, idleMs));
  if (verdict !== CONTINUE) body.destroy();
  return verdict;
}

function withoutDelimiter(x: Exchange): Verdict {
  return x.fail(
    FAULTS.MALFORMED_STREAM,
    null,
    `reading the function's stream: no metadata in its first ${PRELUDE_BYTES_MAX} bytes`,
  );
}

function respond(x: Exchange, bytes: Buffer, body: Buffer | Readable): Verdict {
  const prelude = parsePrelude(bytes);
  if (typeof prelude === 'string')
    return x.fail(FAULTS.MALFORMED_FUNCTION_RESPONSE, null, `reading the metadata of the function's stream: ${prelude}`);
  const { status, headers } = prelude;
  if (lastHeader(headers, 'content-type') === null) headers.push('Content-Type', 'application/json');
  headers.push('X-Amzn-Trace-Id', x.traceId);
  x.status = status;
  x.responseHeaders = headers;
  x.responseBody = body;
  return CONTINUE;
}

/** -1 for none where one has to be. */
function delimiterIn(bytes: Buffer): number {
  const at = bytes.indexOf(DELIMITER);
  return at > PRELUDE_BYTES_MAX - DELIMITER.length ? -1 : at;
}

/** Takes the metadata and its delimiter out of the stream; `null` when there are none. Rejects when the stream breaks before that. */
function readPrelude(body: Readable): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (prelude: Buffer | null): void => {
      body.off('readable', read);
      body.off('end', onEnd);
      body.off('close', onClose);
      resolve(prelude);
    };
    const read = (): void => {
      for (;;) {
        const chunk = body.read() as Buffer | null;
        if (chunk === null) return;
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        const end = delimiterIn(bytes);
        if (end !== -1) {
          const rest = bytes.subarray(end + DELIMITER.length);
          if (rest.length > 0) body.unshift(rest);
          return settle(bytes.subarray(0, end));
        }
        if (bytes.length >= PRELUDE_BYTES_MAX) return settle(null);
      }
    };
    const onEnd = (): void => settle(null);
    const onClose = (): void => reject(body.errored ?? new Error('the stream ended early'));
    body.on('readable', read);
    body.on('end', onEnd);
    body.on('close', onClose);
    body.on('error', () => undefined); // 'close' follows
    read();
  });
}
