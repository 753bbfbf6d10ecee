/**
 * Payloads between text and binary (data-plane reference §3.10): what an integration is sent, and what a caller gets of its answer.
 * Templates read text: one that would have to read bytes is 500.
 *
 * Decided here, where the reference says nothing or is not followed:
 *   - a payload without a byte is neither text nor binary: nothing is converted, and any template may be chosen
 *   - without Content-Type (of a request or an answer) or Accept it is text, whatever the API's binary media types are
 *   - text that is not converted is handed on as its bytes; AWS replaces those that are not UTF-8
 *   - of an answer, what becomes base64 does so before its template, and what is decoded is so behind it
 *   - a mock has no answer that could be of a kind: of its response, only CONVERT_TO_BINARY decodes
 */
import type { ContentHandling } from '@gatehouse/contracts';
import {
  CONTINUE,
  mediaType,
  requestMediaType,
  type BodyMode,
  type Exchange,
  type RouteSettings,
  type Step,
  type UpstreamAnswer,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { decodeBase64 } from './base64.js';
import { compileBinaryTest, firstAccepted } from './media-types.js';
import { readAnswer } from './read-answer.js';

/** What becomes of a payload. */
export const KEEP = 0;
/** Its bytes are kept, and are no text. */
export const KEEP_BYTES = 1;
/** Bytes become base64 text. */
export const ENCODE = 2;
/** Base64 text becomes bytes. */
export const DECODE = 3;
export type Conversion = typeof KEEP | typeof KEEP_BYTES | typeof ENCODE | typeof DECODE;

export const CONVERTED_BODY: BodyMode = { type: 'buffer', reason: 'contentHandling converts the body' };

/** `null`: every request is text and stays it. */
export type RequestConversion = (x: Exchange) => Conversion;

export function compileRequestConversion(
  { stage: { binaryMediaTypes } }: RouteSettings,
  contentHandling: ContentHandling | null,
): RequestConversion | null {
  const ofText = contentHandling === 'CONVERT_TO_BINARY' ? DECODE : KEEP;
  if (binaryMediaTypes.length === 0) return ofText === KEEP ? null : () => ofText;
  const ofBytes = contentHandling === 'CONVERT_TO_TEXT' ? ENCODE : KEEP_BYTES;
  const isBinary = compileBinaryTest(binaryMediaTypes);
  return (x) => (isBinary(requestMediaType(x)) ? ofBytes : ofText);
}

/** Of a body that a program holds; `null` for what is no base64. */
export function converted(payload: Buffer, conversion: Conversion): Buffer | null {
  if (payload.length === 0) return payload;
  if (conversion === ENCODE) return Buffer.from(payload.toString('base64'), 'latin1');
  return conversion === DECODE ? decodeBase64(payload.toString('latin1')) : payload;
}

/** The request's body in its new form. */
export function convertBody(x: Exchange, conversion: Conversion): Verdict {
  if (conversion !== ENCODE && conversion !== DECODE) return CONTINUE;
  const body = converted(x.bufferedBody!, conversion);
  if (body === null) return x.fail(FAULTS.API_CONFIGURATION_ERROR, null, 'decoding the base64 body for CONVERT_TO_BINARY');
  x.bufferedBody = body;
  return CONTINUE;
}

/** Whether a template would find bytes in place of text. */
export function holdsBytes({ bufferedBody, requestBody }: Exchange, conversion: Conversion): boolean {
  if (conversion !== KEEP_BYTES && conversion !== DECODE) return false;
  return bufferedBody === null ? requestBody !== null && requestBody.declaredBytes !== 0 : bufferedBody.length > 0;
}

export function failedToRead(x: Exchange): Verdict {
  return x.fail(FAULTS.API_CONFIGURATION_ERROR, null, 'choosing a template for a binary body');
}

export type AnswerConversion = (x: Exchange, answer: UpstreamAnswer) => Conversion;

/** `null`: no answer is converted, and none is binary. */
export function compileAnswerConversion(
  binaryMediaTypes: readonly string[],
  contentHandling: ContentHandling | null,
): AnswerConversion | null {
  if (binaryMediaTypes.length === 0) return contentHandling === 'CONVERT_TO_BINARY' ? () => DECODE : null;
  const isBinary = compileBinaryTest(binaryMediaTypes);
  return (x, answer) => {
    const isAccepted = isBinary(firstAccepted(x.requestHeaders));
    const goesOutAsBytes = isAccepted ? contentHandling !== 'CONVERT_TO_TEXT' : contentHandling === 'CONVERT_TO_BINARY';
    if (isBinary(mediaType(answer.headers))) return goesOutAsBytes ? KEEP_BYTES : ENCODE;
    return goesOutAsBytes ? DECODE : KEEP;
  };
}

/** HTTP_PROXY: the backend's body in the form the caller takes; `null` for an API without binary media types. */
export function convertProxyAnswer({ stage }: RouteSettings): Step | null {
  const conversionOf = compileAnswerConversion(stage.binaryMediaTypes, null);
  if (conversionOf === null) return null;
  return (x) => {
    const answer = x.upstreamAnswer!;
    const conversion = answer.body === null ? KEEP : conversionOf(x, answer);
    return conversion === ENCODE || conversion === DECODE ? convertAnswer(x, conversion) : CONTINUE;
  };
}

async function convertAnswer(x: Exchange, conversion: Conversion): Promise<Verdict> {
  const payload = await readAnswer(x);
  if (payload === null) return x.fail(FAULTS.INTEGRATION_FAILURE);
  const body = converted(payload, conversion);
  if (body === null) return failedToDecode(x);
  x.upstreamAnswer = { ...x.upstreamAnswer!, body };
  return CONTINUE;
}

export function failedToDecode(x: Exchange): Verdict {
  return x.fail(FAULTS.API_CONFIGURATION_ERROR, null, "decoding the backend's base64 body");
}
