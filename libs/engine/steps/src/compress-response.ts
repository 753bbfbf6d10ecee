/**
 * The answer of a method, compressed for a caller who asks for it (data-plane reference §10.3): last of all steps, when the payload is what the
 * owner's mappings made of it. Left as they are: what is coded already, parts of a whole (206), what forbids transformation (RFC 9110
 * §7.7), and event streams, which would wait here for more to come.
 *
 *   up to 16 KiB   compressed at once
 *   larger, whole  in one piece by the thread pool
 *   streams        while they pass, no faster than the caller takes them
 */
import { Buffer } from 'node:buffer';
import { pipeline, type Readable } from 'node:stream';
import { constants, createDeflate, createGzip, deflate, deflateSync, gzip, gzipSync } from 'node:zlib';
import {
  CONTINUE,
  lastHeader,
  mediaType,
  PENDING,
  proceed,
  removeHeader,
  type Exchange,
  type RawHeaders,
  type Step,
  type StepFactory,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { acceptedCoding, type ContentCoding } from './content-coding.js';

/** About 0.1 ms of the event loop; the way through the thread pool costs about as much. */
const AT_ONCE_BYTES_MAX = 16_384;
/** As nginx does: beyond the first level texts get a tenth smaller for twice the time. */
const OPTIONS = { level: constants.Z_BEST_SPEED };
/** What has come in goes out: nobody waits for bytes that the coder holds back. */
const STREAM_OPTIONS = { ...OPTIONS, flush: constants.Z_SYNC_FLUSH };

/** `null` for an API that compresses nothing. */
export const compressResponse: StepFactory = ({ stage: { minimumCompressionSize: bytesMin } }) => {
  if (bytesMin === undefined) return null;
  return (x) => {
    const { responseBody } = x;
    if (responseBody === null || x.httpMethod === 'HEAD' || x.status === 204 || x.status === 304) return CONTINUE;
    const coding = acceptedCoding(lastHeader(x.requestHeaders, 'accept-encoding'));
    const bytes = Buffer.isBuffer(responseBody) ? responseBody.length : x.responseBodyBytes;
    if (bytes === 0 || (bytes >= 0 && bytes < bytesMin)) return CONTINUE;
    const headers = x.responseBlock === null ? x.responseHeaders : [...x.responseBlock.fields, ...x.responseHeaders];
    if (x.status === 206 || !isCompressible(headers)) return CONTINUE;
    if (coding === null) return vary(x, headers);
    if (Buffer.isBuffer(responseBody)) return compressWhole(x, headers, responseBody, coding);
    return bytes >= 0
      ? compressStream(x, headers, responseBody, coding)
      : whenLongEnough(x, headers, responseBody, coding, bytesMin);
  };
};

function isCompressible(headers: readonly string[]): boolean {
  if (lastHeader(headers, 'content-encoding') !== null || mediaType(headers) === 'text/event-stream') return false;
  return !/(?:^|[,\s])no-transform(?:$|[,\s])/i.test(lastHeader(headers, 'cache-control') ?? '');
}

/** Caches must know that another caller would get other bytes (RFC 9110 §12.5.5). */
function vary(x: Exchange, headers: readonly string[]): Verdict {
  if (/accept-encoding/i.test(lastHeader(headers, 'vary') ?? '')) return CONTINUE;
  x.responseBlock = null;
  x.responseHeaders = [...headers, 'Vary', 'Accept-Encoding'];
  return CONTINUE;
}

function compressWhole(x: Exchange, headers: readonly string[], body: Buffer, coding: ContentCoding): ReturnType<Step> {
  if (body.length <= AT_ONCE_BYTES_MAX) {
    answerWith(x, headers, coding, coding === 'gzip' ? gzipSync(body, OPTIONS) : deflateSync(body, OPTIONS));
    return CONTINUE;
  }
  (coding === 'gzip' ? gzip : deflate)(body, OPTIONS, (cause, compressed) => {
    if (cause === null) answerWith(x, headers, coding, compressed);
    proceed(x, cause === null ? CONTINUE : x.fail(FAULTS.BUG, cause, 'compressing the answer'));
  });
  return PENDING;
}

function compressStream(x: Exchange, headers: readonly string[], body: Readable, coding: ContentCoding): Verdict {
  const coder = coding === 'gzip' ? createGzip(STREAM_OPTIONS) : createDeflate(STREAM_OPTIONS);
  x.responseBodyBytes = -1;
  // Both go down together; the listener hears of errors from the coder.
  answerWith(
    x,
    headers,
    coding,
    pipeline(body, coder, () => undefined),
  );
  return CONTINUE;
}

/** Nobody said how long it is: looked at until it is long enough or over. */
async function whenLongEnough(
  x: Exchange,
  headers: readonly string[],
  body: Readable,
  coding: ContentCoding,
  bytesMin: number,
): Promise<Verdict> {
  let whole: Buffer | null;
  try {
    whole = await readBelow(body, bytesMin);
  } catch (cause) {
    return x.fail(x.isCallerGone ? FAULTS.CALLER_LEFT : FAULTS.INTEGRATION_FAILURE, cause, "reading the backend's body");
  }
  if (whole === null) return compressStream(x, headers, body, coding);
  x.responseBody = whole;
  return CONTINUE;
}

/** The whole of a stream that has fewer bytes; `null` for a longer one, which then begins with what was read of it. */
function readBelow(body: Readable, bytesMin: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (): void => {
      body.off('readable', look);
      body.off('end', onEnd);
      body.off('close', onClose);
    };
    const look = (): void => {
      while (bytes < bytesMin) {
        const chunk = body.read() as Buffer | null;
        if (chunk === null) return;
        chunks.push(chunk);
        bytes += chunk.length;
      }
      stop();
      // Before the stream, which may have been read to its end, can say so.
      if (bytes > 0) body.unshift(Buffer.concat(chunks, bytes));
      resolve(null);
    };
    const onEnd = (): void => {
      stop();
      resolve(Buffer.concat(chunks, bytes));
    };
    const onClose = (): void => {
      stop();
      reject(body.errored ?? new Error('the body ended early'));
    };
    body.on('end', onEnd);
    body.on('close', onClose);
    if (body.destroyed) return onClose();
    body.on('readable', look);
    if (bytesMin === 0) look();
  });
}

/** Another representation: a strong validator of the one before does not name it (RFC 9110 §8.8.1). */
function answerWith(x: Exchange, headers: readonly string[], coding: ContentCoding, body: Buffer | Readable): void {
  const answered: RawHeaders = [...headers];
  removeHeader(answered, 'accept-ranges');
  for (let i = 0; i < answered.length; i += 2) {
    if (answered[i]!.toLowerCase() === 'etag' && !answered[i + 1]!.startsWith('W/')) answered[i + 1] = `W/${answered[i + 1]!}`;
  }
  answered.push('Content-Encoding', coding, 'Vary', 'Accept-Encoding');
  x.responseBlock = null;
  x.responseHeaders = answered;
  x.responseBody = body;
}
