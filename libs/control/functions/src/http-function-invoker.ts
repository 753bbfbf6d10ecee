import { INVOKE_HEADERS } from '@gatehouse/contracts';
import { ApiError } from '@gatehouse/domain';
import type { Secret } from '@gatehouse/kernel';
import { Pool } from 'undici';
import type { FunctionAnswer, FunctionCall, FunctionInvoker } from './function-invoker.js';

/** Lambda's longest timeout, and time for a cold start. */
const ANSWER_TIMEOUT_MS = 930_000;
const CONNECTIONS_MAX = 128;

/** The function runner over HTTP (contracts/invoke.ts). */
export class HttpFunctionInvoker implements FunctionInvoker {
  private readonly pool: Pool;

  constructor(
    runnerUrl: string,
    private readonly nodeToken: Secret,
  ) {
    this.pool = new Pool(runnerUrl, { connections: CONNECTIONS_MAX, headersTimeout: ANSWER_TIMEOUT_MS, bodyTimeout: ANSWER_TIMEOUT_MS });
  }

  async invoke(call: FunctionCall): Promise<FunctionAnswer> {
    const { statusCode, headers, body } = await this.pool
      .request({
        method: 'POST',
        path: `/2015-03-31/functions/${encodeURIComponent(call.functionArn)}/invocations`,
        headers: {
          [INVOKE_HEADERS.authorization]: `Bearer ${this.nodeToken.reveal()}`,
          [INVOKE_HEADERS.invocationType]: call.type,
          [INVOKE_HEADERS.requestId]: call.requestId,
          [INVOKE_HEADERS.sourcePrincipal]: call.caller,
          [INVOKE_HEADERS.sourceAccount]: call.caller,
          ...(call.wantsLogTail && { [INVOKE_HEADERS.logType]: 'Tail' }),
          ...(call.clientContext !== undefined && { [INVOKE_HEADERS.clientContext]: call.clientContext }),
          ...(call.revision !== null && { [INVOKE_HEADERS.minRevision]: String(call.revision) }),
        },
        body: call.payload,
      })
      .catch((cause: unknown) => {
        throw serviceException('The function runner could not be reached.', cause);
      });
    const payload = new Uint8Array(await body.arrayBuffer());
    const header = (name: string): string | undefined => {
      const value = headers[name];
      return typeof value === 'string' ? value : undefined;
    };
    if (statusCode >= 300) throw refusal(statusCode, header('x-amzn-errortype'), payload);
    return {
      status: statusCode,
      functionError: header(INVOKE_HEADERS.functionError),
      logResult: header(INVOKE_HEADERS.logResult),
      executedVersion: header(INVOKE_HEADERS.executedVersion),
      payload,
    };
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

/** The runner speaks in Lambda's errors; they go on as they are, except that its own door is none of the caller's business. */
function refusal(status: number, type: string | undefined, body: Uint8Array): ApiError {
  if (type === undefined || status === 401 || status >= 500) return serviceException(`The function runner answered ${status}.`);
  const { message, Reason, Type } = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
  return new ApiError(type, status, String(message), { ...(Reason !== undefined && { Reason }), ...(Type !== undefined && { Type }) });
}

function serviceException(message: string, cause?: unknown): ApiError {
  const error = new ApiError('ServiceException', 500, message, { Type: 'Service' });
  error.cause = cause;
  return error;
}
