import { Buffer } from 'node:buffer';
import { readAll } from './body.js';
import type { CallerPresence, Connector, UpstreamAnswer, UpstreamFailure, UpstreamRequest } from './connector.js';

/** API Gateway's payload limit: what is longer is not passed on to anybody's log either. */
export const BODY_BYTES_MAX = 10 * 1024 * 1024;

/** Calls a backend as live traffic does, and waits for the whole answer, so that the journal of the request has it. */
export class WholeAnswers implements Connector {
  constructor(private readonly connector: Connector) {}

  async call(request: UpstreamRequest, caller: CallerPresence): Promise<UpstreamAnswer | UpstreamFailure> {
    const answer = await this.connector.call(request, caller);
    if ('failure' in answer) return answer;
    const body = await wholeBody(answer);
    return body !== null && 'failure' in body ? body : { ...answer, body };
  }
}

async function wholeBody({ body }: UpstreamAnswer): Promise<Buffer | null | UpstreamFailure> {
  if (body === null || Buffer.isBuffer(body)) return body;
  try {
    return await readAll(body, BODY_BYTES_MAX);
  } catch (cause) {
    body.on('error', () => undefined).destroy();
    return { failure: 'NETWORK', cause };
  }
}
