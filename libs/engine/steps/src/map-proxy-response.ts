import { CONTINUE, lastHeader, type RawHeaders, type Step, type UpstreamAnswer } from '@gatehouse/engine-exchange';
import { addProxyHeader } from './response-headers.js';

/** HTTP_PROXY: the backend's status, headers and body, as they come. */
export const mapProxyResponse: Step = (x) => {
  const answer = x.upstreamAnswer!;
  const headers: RawHeaders = [];
  for (let i = 0; i < answer.headers.length; i += 2) addProxyHeader(headers, answer.headers[i]!, answer.headers[i + 1]!);
  if (lastHeader(headers, 'content-type') === null) headers.push('Content-Type', 'application/json');
  x.status = answer.status;
  x.responseHeaders = headers;
  x.responseBody = answer.body;
  x.responseBodyBytes = declaredBytes(answer);
  return CONTINUE;
};

/** The length a backend gave; -1 for none, or for one that does not count because of a transfer coding. */
export function declaredBytes(answer: UpstreamAnswer): number {
  const text = lastHeader(answer.headers, 'content-length');
  return text !== null && /^\d{1,15}$/.test(text) && lastHeader(answer.headers, 'transfer-encoding') === null ? Number(text) : -1;
}
