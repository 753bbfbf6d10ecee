import { Buffer } from 'node:buffer';
import { CONTINUE, HeaderBlock, lastHeader, type RawHeaders, type Step, type UpstreamAnswer } from '@gatehouse/engine-exchange';
import { endWhenIdle } from './end-when-idle.js';
import { addProxyHeader } from './response-headers.js';

/** HTTP_PROXY: the backend's status, headers and body, as they come. */
export const mapProxyResponse: Step = (x) => {
  const answer = x.upstreamAnswer!;
  const block = answer.block ?? null;
  if (block === null) x.responseHeaders = passedHeaders(answer.headers);
  else x.responseBlock = block.derived ??= new HeaderBlock(passedHeaders(block.fields));
  x.status = answer.status;
  x.responseBody = answer.body;
  if (!Buffer.isBuffer(answer.body)) x.responseBodyBytes = declaredBytes(answer);
  return CONTINUE;
};

/** The same for one that streams: its body breaks off when nothing comes of it for so long. */
export function mapStreamedProxyResponse(idleMs: number): Step {
  return (x) => {
    const answer = x.upstreamAnswer!;
    const { body } = answer;
    if (body !== null && !Buffer.isBuffer(body)) x.upstreamAnswer = { ...answer, body: endWhenIdle(body, idleMs) };
    return mapProxyResponse(x);
  };
}

function passedHeaders(received: readonly string[]): RawHeaders {
  const headers: RawHeaders = [];
  for (let i = 0; i < received.length; i += 2) addProxyHeader(headers, received[i]!, received[i + 1]!);
  if (lastHeader(headers, 'content-type') === null) headers.push('Content-Type', 'application/json');
  return headers;
}

/** The length a backend gave; -1 for none, or for one that does not count because of a transfer coding. */
export function declaredBytes(answer: UpstreamAnswer): number {
  const text = lastHeader(answer.headers, 'content-length');
  return text !== null && /^\d{1,15}$/.test(text) && lastHeader(answer.headers, 'transfer-encoding') === null ? Number(text) : -1;
}
