import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import {
  readAll,
  type CallerPresence,
  type Connector,
  type HeaderBlock,
  type UpstreamAnswer,
  type UpstreamFailure,
  type UpstreamRequest,
} from '@gatehouse/engine-exchange';
import { headersText, type ExecutionLog } from './execution-log.js';

/** API Gateway's payload limit: what is longer is not passed on to anybody's log either. */
export const BODY_BYTES_MAX = 10 * 1024 * 1024;

/** Calls a backend as live traffic does, and writes down what goes there and what comes back. */
export class LoggingConnector implements Connector {
  constructor(
    private readonly connector: Connector,
    private readonly log: ExecutionLog,
    /** The address as AWS shows it. */
    private readonly shownUri: (url: string) => string = (url) => url,
    private readonly asks: 'backend' | 'authorizer' = 'backend',
  ) {}

  async call(request: UpstreamRequest, caller: CallerPresence): Promise<UpstreamAnswer | UpstreamFailure> {
    const { log } = this;
    const uri = this.shownUri(request.url);
    log.add(`Endpoint request URI: ${uri}`);
    const headers = [...fieldsOf(request.block, request.headers), 'X-Amzn-Trace-Id', request.traceId]; // the connector puts the last one in
    log.add(`Endpoint request headers: ${headersText(headers)}`);
    // The caller's body is at hand, so that no request has a stream.
    log.addBody('Endpoint request body after transformations', Buffer.isBuffer(request.body) ? request.body : null);
    log.add(`Sending request to ${uri}`);
    const startedAtMs = performance.now();
    const answer = await this.connector.call(request, caller);
    if ('failure' in answer) return answer;
    const latencyMs = Math.round(performance.now() - startedAtMs);
    const body = await wholeBody(answer);
    if (body !== null && 'failure' in body) return body;
    if (this.asks === 'authorizer') log.addBody('Authorizer result body before parsing', body);
    else {
      log.add(`Received response. Status: ${answer.status}, Integration latency: ${latencyMs} ms`);
      log.add(`Endpoint response headers: ${headersText(answer.headers)}`);
      log.addBody('Endpoint response body before transformations', body);
    }
    return { ...answer, body };
  }
}

/** A request's block stands before its headers. */
const fieldsOf = (block: HeaderBlock | null, headers: readonly string[]): readonly string[] =>
  block === null ? headers : [...block.fields, ...headers];

async function wholeBody({ body }: UpstreamAnswer): Promise<Buffer | null | UpstreamFailure> {
  if (body === null || Buffer.isBuffer(body)) return body;
  try {
    return await readAll(body, BODY_BYTES_MAX);
  } catch (cause) {
    body.on('error', () => undefined).destroy();
    return { failure: 'NETWORK', cause };
  }
}
