/**
 * A caller's compressed body, decoded before anybody looks at it (data-plane reference §1.1 row 4, §10.3). Whatever it unfolds to counts for
 * the payload limit, so a bomb ends there, with as much memory as its reader holds.
 *
 *   small and all here   decoded at once: the steps behind see a body like any other
 *   else                 decoded while it is read, no faster than its reader takes it
 */
import { Buffer } from 'node:buffer';
import { pipeline, Readable, Transform } from 'node:stream';
import { createGunzip, createInflate, gunzipSync, inflateSync } from 'node:zlib';
import { allHeaders, BodyTooLarge, CONTINUE, type Exchange, type RequestBody, type Verdict } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { declaredCoding, type ContentCoding } from './content-coding.js';

/** What is decoded in one go, before and after: about 0.1 ms at most, for a caller nobody knows yet. */
const ONE_GO_BYTES_MAX = 16_384;
const ONE_GO_DECODED_BYTES_MAX = 65_536;

/** For a request with a body and a Content-Encoding. */
export function decodeBody(x: Exchange, body: RequestBody, bytesMax: number): Verdict {
  const coding = declaredCoding(allHeaders(x.requestHeaders, 'content-encoding').join(','));
  if (coding === undefined) return x.fail(FAULTS.UNSUPPORTED_MEDIA_TYPE, null, 'reading Content-Encoding');
  if (coding === null || body.declaredBytes === 0) return CONTINUE;
  const { atHand } = body;
  const decoded = atHand !== null && atHand.length <= ONE_GO_BYTES_MAX ? decodeAtOnce(atHand, coding) : LARGE;
  if (decoded === CORRUPT) return x.fail(FAULTS.UNSUPPORTED_MEDIA_TYPE, null, 'decoding the body');
  if (decoded === LARGE) {
    x.requestBody = new DecodedBody(body, coding);
    return CONTINUE;
  }
  if (decoded.length > bytesMax) return x.fail(FAULTS.REQUEST_TOO_LARGE, null, 'decoding the body');
  x.requestBody = { declaredBytes: decoded.length, atHand: decoded, open: () => Readable.from([decoded]) };
  return CONTINUE;
}

/** The bytes were not what Content-Encoding said, or not all of it. */
export function isCorruptCoding(cause: unknown): boolean {
  const code = (cause as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('Z_');
}

const CORRUPT = 'corrupt';
const LARGE = 'large';

function decodeAtOnce(bytes: Buffer, coding: ContentCoding): Buffer | typeof CORRUPT | typeof LARGE {
  const options = { maxOutputLength: ONE_GO_DECODED_BYTES_MAX };
  try {
    return coding === 'gzip' ? gunzipSync(bytes, options) : inflateSync(bytes, options);
  } catch (cause) {
    return isCorruptCoding(cause) ? CORRUPT : LARGE;
  }
}

class DecodedBody implements RequestBody {
  readonly declaredBytes = null;
  readonly atHand = null;

  constructor(
    private readonly encoded: RequestBody,
    private readonly coding: ContentCoding,
  ) {}

  open(limitBytes: number): Readable {
    const { atHand } = this.encoded;
    const source = atHand === null ? this.encoded.open(limitBytes) : Readable.from([atHand]);
    const decoder = this.coding === 'gzip' ? createGunzip() : createInflate();
    // All three go down together, with the error of the one that failed first; nobody else has to hear of it.
    return pipeline(source, decoder, boundedBy(limitBytes), () => undefined);
  }
}

function boundedBy(limitBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > limitBytes) done(new BodyTooLarge(limitBytes));
      else done(null, chunk);
    },
  });
}
