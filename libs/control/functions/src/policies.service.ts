import { publishFunction } from '@gatehouse/control-publish';
import {
  checkPermissionAction,
  checkPermissionSource,
  checkStatementId,
  DuplicateKey,
  type FunctionDefinition,
  type FunctionReference,
  type FunctionStatement,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import {
  findFunction,
  findVersion,
  invalidParameter,
  lockFunction,
  preconditionFailed,
  resourceConflict,
  resourceNotFound,
} from './function-lookup.js';
import { policyRevisionId } from './functions.wire.js';

export type StatementRequest = Omit<FunctionStatement, 'functionName' | 'qualifier'>;

export interface Policy {
  readonly statements: readonly FunctionStatement[];
  readonly region: string;
}

/** Resource policies: one for the unqualified function, one for each version and alias. */
export class Policies {
  constructor(private readonly store: TenantStore) {}

  add(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    request: StatementRequest,
    revisionId: string | undefined,
  ): Promise<{ statement: FunctionStatement; region: string }> {
    checkStatementId(request.statementId);
    checkPermissionAction(request.action);
    checkPrincipal(request.principal);
    checkPermissionSource(request.sourceArn, request.sourceAccount);
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      if (reference.qualifier === '$LATEST') throw invalidParameter('We currently do not support adding policies for $LATEST.');
      const { version } = await findVersion(tx, definition, reference.qualifier);
      checkPolicyRevision(await statementsOf(tx, definition, reference), revisionId);
      const statement: FunctionStatement = { functionName: definition.name, qualifier: reference.qualifier ?? '', ...request };
      await tx.functionStatements.insert(statement).catch((cause: unknown) => {
        if (!(cause instanceof DuplicateKey)) throw cause;
        throw resourceConflict(
          `The statement id (${request.statementId}) provided already exists. Please provide a new statement id, or remove the existing statement.`,
        );
      });
      await this.publish(tx, definition, reference, version);
      return { statement, region: definition.region };
    });
  }

  find(tenant: TenantId, region: string, reference: FunctionReference): Promise<Policy> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await findFunction(tx, region, reference);
      await findVersion(tx, definition, reference.qualifier);
      const statements = await statementsOf(tx, definition, reference);
      if (statements.length === 0) throw resourceNotFound('The resource you requested does not exist.');
      return { statements, region: definition.region };
    });
  }

  remove(
    tenant: TenantId,
    region: string,
    reference: FunctionReference,
    statementId: string,
    revisionId: string | undefined,
  ): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const definition = await lockFunction(tx, region, reference);
      const { version } = await findVersion(tx, definition, reference.qualifier);
      const statements = await statementsOf(tx, definition, reference);
      if (statements.length === 0) throw resourceNotFound('No policy is associated with the given resource.');
      checkPolicyRevision(statements, revisionId);
      const qualifier = qualifierOf(reference);
      if (!(await tx.functionStatements.remove({ functionName: definition.name, qualifier, statementId }))) {
        throw resourceNotFound(`Statement ${statementId} is not found in resource policy.`);
      }
      await this.publish(tx, definition, reference, version);
    });
  }

  /** An alias with weights reaches several versions, so its policy stands in the entries of all of them. */
  private async publish(
    tx: TenantRepositories,
    definition: FunctionDefinition,
    { qualifier }: FunctionReference,
    version: string,
  ): Promise<void> {
    const alias = qualifier === null ? null : await tx.functionAliases.find({ functionName: definition.name, name: qualifier });
    await publishFunction(tx, definition, [version, ...Object.keys(alias?.routing ?? {})]);
  }
}

/** `$LATEST` and no qualifier are one policy. */
const qualifierOf = ({ qualifier }: FunctionReference): string => (qualifier === '$LATEST' ? '' : (qualifier ?? ''));

async function statementsOf(
  tx: TenantRepositories,
  { name }: FunctionDefinition,
  reference: FunctionReference,
): Promise<FunctionStatement[]> {
  const qualifier = qualifierOf(reference);
  return (await tx.functionStatements.ofFunction(name)).filter((statement) => statement.qualifier === qualifier);
}

function checkPolicyRevision(statements: readonly FunctionStatement[], given: string | undefined): void {
  if (given === undefined || given === policyRevisionId(statements)) return;
  throw preconditionFailed(
    'The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id',
  );
}

const PRINCIPAL = /^(?:\*|\d{12}|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com|arn:aws[a-z-]*:(?:iam|sts)::\d{12}:[\x21-\x7e]+)$/;

function checkPrincipal(principal: string): void {
  if (!PRINCIPAL.test(principal))
    throw invalidParameter('The provided principal was invalid. Please check the principal and try again.');
}
