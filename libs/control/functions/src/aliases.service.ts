import { publishFunction } from '@gatehouse/control-publish';
import {
  checkAliasName,
  checkAliasRouting,
  DuplicateKey,
  functionArn,
  type FunctionAlias,
  type FunctionDefinition,
  type FunctionReference,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { IdSource } from '@gatehouse/kernel';
import {
  checkRevision,
  findFunction,
  findVersion,
  invalidParameter,
  lockFunction,
  newRevisionId,
  resourceConflict,
  resourceNotFound,
} from './function-lookup.js';

export interface AliasRequest {
  readonly functionVersion?: string | undefined;
  readonly description?: string | undefined;
  readonly routing?: Readonly<Record<string, number>> | undefined;
}

export interface FoundAlias {
  readonly alias: FunctionAlias;
  readonly region: string;
}

export class Aliases {
  constructor(
    private readonly store: TenantStore,
    private readonly ids: IdSource,
  ) {}

  create(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    name: string,
    request: AliasRequest & { functionVersion: string },
  ): Promise<FoundAlias> {
    checkAliasName(name);
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      const alias: FunctionAlias = {
        functionName: definition.name,
        name,
        functionVersion: request.functionVersion,
        description: request.description ?? '',
        routing: request.routing ?? {},
        revisionId: newRevisionId(this.ids),
      };
      await checkTargets(tx, definition, alias);
      await tx.functionAliases.insert(alias).catch((cause: unknown) => {
        if (cause instanceof DuplicateKey)
          throw resourceConflict(`Alias already exists: ${functionArn(definition.region, tenant, definition.name, name)}`);
        throw cause;
      });
      await publishFunction(tx, definition, targets(alias));
      return { alias, region: definition.region };
    });
  }

  find(tenant: TenantId, region: string, reference: FunctionReference, name: string): Promise<FoundAlias> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await findFunction(tx, region, reference);
      return { alias: await requireAlias(tx, definition, name), region: definition.region };
    });
  }

  list(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    functionVersion: string | undefined,
  ): Promise<FoundAlias[]> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await findFunction(tx, region, reference);
      const aliases = await tx.functionAliases.ofFunction(definition.name);
      return aliases
        .filter((alias) => functionVersion === undefined || targets(alias).includes(functionVersion))
        .map((alias) => ({ alias, region: definition.region }));
    });
  }

  update(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    name: string,
    request: AliasRequest,
    revisionId: string | undefined,
  ): Promise<FoundAlias> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      const before = await requireAlias(tx, definition, name);
      checkRevision(revisionId, before.revisionId);
      const alias: FunctionAlias = {
        ...before,
        functionVersion: request.functionVersion ?? before.functionVersion,
        description: request.description ?? before.description,
        routing: request.routing ?? before.routing,
        revisionId: newRevisionId(this.ids),
      };
      await checkTargets(tx, definition, alias);
      await tx.functionAliases.replace(alias);
      await publishFunction(tx, definition, [...targets(before), ...targets(alias)]);
      return { alias, region: definition.region };
    });
  }

  /** An alias that does not exist counts as deleted. */
  remove(tenant: TenantId, region: string, reference: FunctionReference, name: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      const functionName = definition.name;
      const alias = await tx.functionAliases.find({ functionName, name });
      if (alias === null) return;
      for (const { qualifier, statementId } of await tx.functionStatements.ofFunction(functionName)) {
        if (qualifier === name) await tx.functionStatements.remove({ functionName, qualifier, statementId });
      }
      await tx.functionAliases.remove({ functionName, name });
      await publishFunction(tx, definition, targets(alias));
    });
  }
}

const targets = ({ functionVersion, routing }: FunctionAlias): string[] => [functionVersion, ...Object.keys(routing)];

async function checkTargets(tx: TenantRepositories, definition: FunctionDefinition, alias: FunctionAlias): Promise<void> {
  checkAliasRouting(alias.functionVersion, alias.routing);
  for (const version of targets(alias)) {
    if (version !== '$LATEST' && !/^[0-9]+$/.test(version))
      throw invalidParameter('Alias can only point to a version number or $LATEST.');
    await findVersion(tx, definition, version);
  }
}

async function requireAlias(
  tx: TenantRepositories,
  { name: functionName, region }: FunctionDefinition,
  name: string,
): Promise<FunctionAlias> {
  const alias = await tx.functionAliases.find({ functionName, name });
  if (alias === null) throw resourceNotFound(`Cannot find alias arn: ${functionArn(region, tx.tenant, functionName, name)}`);
  return alias;
}
