import type { TenantId } from '@gatehouse/domain';

export interface FunctionCall {
  /** Whole ARN, with the qualifier if there is one. */
  readonly functionArn: string;
  readonly type: 'RequestResponse' | 'Event' | 'DryRun';
  readonly wantsLogTail: boolean;
  readonly clientContext: string | undefined;
  readonly traceId: string | undefined;
  readonly payload: Uint8Array;
  readonly requestId: string;
  /** The calling account; the function's policy decides unless it is the owner's. */
  readonly caller: TenantId;
  /** Manifest revision of the function; the runner waits for it. `null` for a function the caller cannot see. */
  readonly revision: number | null;
}

export interface FunctionAnswer {
  readonly status: number;
  /** `Unhandled` when the function failed. */
  readonly functionError: string | undefined;
  /** Base64, the last 4 KB. */
  readonly logResult: string | undefined;
  readonly executedVersion: string | undefined;
  readonly payload: Uint8Array;
}

/** Runs functions. Throws ApiError with Lambda's type and text when the call is refused or nobody can run it. */
export interface FunctionInvoker {
  invoke(call: FunctionCall): Promise<FunctionAnswer>;
}

/** Remembers its calls and answers what it was told to. */
export class ScriptedInvoker implements FunctionInvoker {
  readonly calls: FunctionCall[] = [];
  answer: Partial<FunctionAnswer> | Error = {};

  async invoke(call: FunctionCall): Promise<FunctionAnswer> {
    this.calls.push(call);
    if (this.answer instanceof Error) throw this.answer;
    return {
      status: 200,
      functionError: undefined,
      logResult: undefined,
      executedVersion: '$LATEST',
      payload: new TextEncoder().encode('null'),
      ...this.answer,
    };
  }
}
