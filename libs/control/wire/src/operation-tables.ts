import { ApiGateway, ApiGatewayV2, Lambda, type ServiceModel } from '@gatehouse/aws-api';
import type { Handler, Handlers } from './handlers.js';

/** All that the endpoint answers. Every operation has an entry: a missing one does not compile. */
export interface OperationTables {
  readonly ApiGateway: Handlers<ApiGateway.Operations>;
  readonly ApiGatewayV2: Handlers<ApiGatewayV2.Operations>;
  readonly Lambda: Handlers<Lambda.Operations>;
}

export const SERVED: readonly ServiceModel[] = [ApiGateway.model, ApiGatewayV2.model, Lambda.model];

export type AnyHandler = Handler<unknown, unknown>;

/**
 * The tables by service id and operation name. Types end where requests begin, so this checks once more at start: throws
 * one error that lists every operation without a handler and every handler without an operation.
 */
export function checkedTables(tables: OperationTables): ReadonlyMap<string, ReadonlyMap<string, AnyHandler>> {
  const problems: string[] = [];
  const checked = SERVED.map((service) => {
    const table = tables[service.id as keyof OperationTables] as unknown as Readonly<Record<string, AnyHandler | undefined>>;
    for (const name of Object.keys(service.operations)) {
      if (typeof table[name] !== 'function') problems.push(`${service.id}.${name} has no handler`);
    }
    for (const name of Object.keys(table)) {
      if (!Object.hasOwn(service.operations, name)) problems.push(`${service.id}.${name} is no operation`);
    }
    return [service.id, new Map(Object.entries(table) as [string, AnyHandler][])] as const;
  });
  if (problems.length > 0) throw new Error(`Operation tables:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  return new Map(checked);
}
