import type { Caller } from '@gatehouse/domain';

/** What a handler may know of the request besides its input. */
export interface OperationContext {
  readonly caller: Caller;
  /** Also the `x-amzn-RequestId` of the answer. */
  readonly requestId: string;
  /** Lower-case names; repeated headers are joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
}

/** The shape of the generated `Operations` interfaces. */
export type OperationTypes<Ops> = { readonly [Name in keyof Ops]: { input: unknown; output: unknown } };

export type Handler<Input, Output> = (context: OperationContext, input: Input) => Promise<Output>;

/**
 * A handler for each operation of `Ops`, or for those named. Feature libraries give a part
 * (`Handlers<ApiGateway.Operations, 'GetRestApi' | 'DeleteRestApi'>`), the control plane spreads the parts into the whole
 * table: a missing entry does not compile.
 */
export type Handlers<Ops extends OperationTypes<Ops>, Names extends keyof Ops = keyof Ops> = {
  readonly [Name in Names]: Handler<Ops[Name]['input'], Ops[Name]['output']>;
};
