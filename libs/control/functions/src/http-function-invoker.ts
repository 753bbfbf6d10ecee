import { INVOKE_HEADERS, INVOKE_PAYLOAD_BYTES_MAX } from '@gatehouse/contracts';
import { ApiError } from '@gatehouse/domain';
import type { Secret } from '@gatehouse/kernel';
import { Pool } from 'undici';
import type { FunctionAnswer, FunctionCall, FunctionInvoker } from './function-invoker.js';

/** Lambda's longest timeout, and time for a cold start. */
const ANSWER_TIMEOUT_MS = 930_000;
const CONNECTIONS_MAX = 128;

/** What a refusal of the runner may say to its caller; anything else is between the runner and us. */
const CALLER_REFUSALS = new Set([
  'AccessDeniedException',
  'InvalidParameterValueException',
  'InvalidRequestContentException',
  'RequestTooLargeException',
  'ResourceConflictException',
  'ResourceNotFoundException',
  'TooManyRequestsException',
]);

/** The function runner over HTTP (contracts/invoke.ts). */
export class HttpFunctionInvoker implements FunctionInvoker {
  private readonly pool: Pool;
  private readonly authorization: Secret;

  constructor({ url, token }: { url: string; token: Secret }) {
    this.authorization = token;
    this.pool = new Pool(url, {
      connections: CONNECTIONS_MAX,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      maxResponseSize: INVOKE_PAYLOAD_BYTES_MAX + 1_024, // the runner cuts at the limit; this only bounds memory
    });
  }

  async invoke(call: FunctionCall): Promise<FunctionAnswer> {
    const { status, headers, payload } = await this.post(call).catch((cause: unknown) => {
      throw serviceException('The function runner could not be reached.', cause);
    });
    const header = (name: string): string | undefined => {
      const value = headers[name];
      return typeof value === 'string' ? value : undefined;
    };
    if (status >= 300) throw refusal(status, header('x-amzn-errortype'), payload);
    return {
      status,
      functionError: header(INVOKE_HEADERS.functionError),
      logResult: header(INVOKE_HEADERS.logResult),
      executedVersion: header(INVOKE_HEADERS.executedVersion),
      payload,
    };
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private async post(call: FunctionCall) {
    const { statusCode, headers, body } = await this.pool.request({
      method: 'POST',
      path: `/2015-03-31/functions/${encodeURIComponent(call.functionArn)}/invocations`,
      headers: {
        [INVOKE_HEADERS.authorization]: `Bearer ${this.authorization.reveal()}`,
        [INVOKE_HEADERS.invocationType]: call.type,
        [INVOKE_HEADERS.requestId]: call.requestId,
        [INVOKE_HEADERS.sourcePrincipal]: call.caller,
        [INVOKE_HEADERS.sourceAccount]: call.caller,
        ...(call.wantsLogTail && { [INVOKE_HEADERS.logType]: 'Tail' }),
        ...(call.clientContext !== undefined && { [INVOKE_HEADERS.clientContext]: call.clientContext }),
        ...(call.traceId !== undefined && { [INVOKE_HEADERS.traceId]: call.traceId }),
        ...(call.revision !== null && { [INVOKE_HEADERS.minRevision]: String(call.revision) }),
      },
      body: call.payload,
    });
    return { status: statusCode, headers, payload: new Uint8Array(await body.arrayBuffer()) };
  }
}

function refusal(status: number, type: string | undefined, body: Uint8Array): ApiError {
  if (type === undefined || !CALLER_REFUSALS.has(type)) return serviceException(`The function runner answered ${status}.`);
  const { message, Type, Reason } = JSON.parse(new TextDecoder().decode(body)) as Readonly<Record<string, string | undefined>>;
  return new ApiError(type, status, message ?? type, { Type, ...(Reason !== undefined && { Reason }) });
}

function serviceException(message: string, cause?: unknown): ApiError {
  const error = new ApiError('ServiceException', 500, message, { Type: 'Service' });
  error.cause = cause;
  return error;
}
