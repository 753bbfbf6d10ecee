/**
 * Invokes functions on the runner (contract: libs/contracts/src/invoke.ts). `request.url` is the function's ARN with its
 * qualifier; the body is the event. The answer is whole: a payload has at most 6 MB; of a streamed one it is a stream.
 */
import { INVOKE_HEADERS, INVOKE_PAYLOAD_BYTES_MAX } from '@gatehouse/contracts';
import {
  BodyTooLarge,
  FunctionError,
  lastHeader,
  readAll,
  type CallerPresence,
  type Connector,
  type FailureReason,
  type RawHeaders,
  type UpstreamAnswer,
  type UpstreamFailure,
  type UpstreamRequest,
} from '@gatehouse/engine-exchange';
import type { Secret } from '@gatehouse/kernel';
import { Pool, type Dispatcher } from 'undici';
import { Deadline } from './deadline.js';

export interface FunctionConnectorOptions {
  /** Origin of the function runner: ours, so no address rules apply. */
  readonly runnerUrl: string;
  readonly nodeToken: Secret;
  readonly connectionsMax?: number;
}

export class FunctionConnector implements Connector {
  private readonly pool: Pool;

  constructor(private readonly options: FunctionConnectorOptions) {
    this.pool = new Pool(options.runnerUrl, {
      connections: options.connectionsMax ?? 1_000,
      headersTimeout: 0, // the deadline covers both
      bodyTimeout: 0,
    });
  }

  async call(request: UpstreamRequest, caller: CallerPresence): Promise<UpstreamAnswer | UpstreamFailure> {
    const isStreamed = request.isStreamed === true;
    let isOver = true;
    const deadline = new Deadline(caller.signal, request.timeoutMs);
    try {
      const data = await this.pool.request({
        path: pathOf(request.url, isStreamed),
        method: 'POST',
        headers: [
          ...request.headers,
          INVOKE_HEADERS.traceId,
          request.traceId,
          INVOKE_HEADERS.authorization,
          `Bearer ${this.options.nodeToken.reveal()}`,
        ],
        body: request.body,
        signal: deadline.signal,
        responseHeaders: 'raw',
      });
      if (!isStreamed || !isPayload(data)) return await answerOf(data);
      isOver = false;
      return streamedAnswerOf(data, deadline);
    } catch (cause) {
      return { failure: deadline.isTimeUp ? 'TIMEOUT' : deadline.signal.aborted ? 'ABORTED' : 'NETWORK', cause };
    } finally {
      if (isOver) deadline.clear();
    }
  }

  async close(): Promise<void> {
    await this.pool.close();
  }
}

function pathOf(functionArn: string, isStreamed: boolean): string {
  const name = encodeURIComponent(functionArn);
  return isStreamed
    ? `/2021-11-15/functions/${name}/response-streaming-invocations`
    : `/2015-03-31/functions/${name}/invocations`;
}

const isPayload = ({ statusCode, headers }: Dispatcher.ResponseData): boolean =>
  statusCode === 200 && lastHeader(headers as unknown as RawHeaders, INVOKE_HEADERS.functionError) === null;

/** Until its last byte, the time runs and the caller is watched. */
function streamedAnswerOf({ headers, body }: Dispatcher.ResponseData, deadline: Deadline): UpstreamAnswer {
  body.on('error', () => undefined);
  body.on('close', () => deadline.clear());
  return { status: 200, headers: headers as unknown as RawHeaders, body };
}

async function answerOf(data: Dispatcher.ResponseData): Promise<UpstreamAnswer | UpstreamFailure> {
  const headers = data.headers as unknown as RawHeaders; // responseHeaders: 'raw'
  data.body.on('error', () => undefined);
  let body: Buffer;
  try {
    body = await readAll(data.body, INVOKE_PAYLOAD_BYTES_MAX + 1024); // the runner cuts at the limit; this only bounds memory
  } catch (cause) {
    data.body.destroy();
    if (cause instanceof BodyTooLarge) return { failure: 'FUNCTION_ERROR', cause };
    throw cause;
  }
  if (data.statusCode === 200) {
    const functionError = lastHeader(headers, INVOKE_HEADERS.functionError);
    if (functionError === null) return { status: 200, headers, body };
    return { failure: 'FUNCTION_ERROR', cause: new FunctionError(functionError, body) };
  }
  if (data.statusCode === ACCEPTED || data.statusCode === NO_CONTENT) return { status: data.statusCode, headers, body };
  return { failure: refusalOf(data.statusCode), cause: new Error(`the runner answered ${data.statusCode}: ${excerpt(body)}`) };
}

/** The answers to `Event` and to `DryRun`: nothing came of the call yet. */
const ACCEPTED = 202;
const NO_CONTENT = 204;

function refusalOf(status: number): FailureReason {
  if (status === 403) return 'PERMISSION';
  if (status === 413) return 'REQUEST_TOO_LARGE';
  return 'REFUSED';
}

function excerpt(body: Buffer): string {
  return body.subarray(0, 256).toString('utf8');
}
