import type { ServiceModel } from '@gatehouse/aws-api';
import type { Handler, Handlers, OperationTypes } from './handlers.js';

/** Thrown by the handlers of `notYet`; answered as a modelled refusal, never as a success. */
export class OperationNotAvailable extends Error {
  constructor(readonly operation: string) {
    super(`The operation ${operation} is not available on this server.`);
    this.name = 'OperationNotAvailable';
  }
}

export type NotYet<Name extends string> = { readonly [Operation in Name]: Handler<unknown, never> };

/** Entries of an operation table that refuse. Naming them is what lets the compiler find the forgotten ones. */
export function notYet<const Name extends string>(...names: readonly Name[]): NotYet<Name> {
  const refuse =
    (name: Name): Handler<unknown, never> =>
    () =>
      Promise.reject(new OperationNotAvailable(name));
  return Object.fromEntries(names.map((name) => [name, refuse(name)])) as NotYet<Name>;
}

/** A whole table that refuses, for a service that has no handlers at all. */
export function noneYet<Ops extends OperationTypes<Ops>>(service: ServiceModel): Handlers<Ops> {
  return notYet(...Object.keys(service.operations)) as unknown as Handlers<Ops>;
}
