import {
  ApiError,
  functionArn,
  isVersionNumber,
  type FunctionDefinition,
  type FunctionReference,
  type FunctionVersion,
  type TenantRepositories,
} from '@gatehouse/domain';
import type { IdSource } from '@gatehouse/kernel';

/** Lambda's errors carry who caused them. */
export const functionNotFound = (arn: string): ApiError => resourceNotFound(`Function not found: ${arn}`);
export const resourceNotFound = (message: string): ApiError =>
  new ApiError('ResourceNotFoundException', 404, message, { Type: 'User' });
export const resourceConflict = (message: string): ApiError =>
  new ApiError('ResourceConflictException', 409, message, { Type: 'User' });
export const invalidParameter = (message: string): ApiError =>
  new ApiError('InvalidParameterValueException', 400, message, { Type: 'User' });
export const preconditionFailed = (message: string): ApiError =>
  new ApiError('PreconditionFailedException', 412, message, { Type: 'User' });

/** The function, held until the transaction ends. Another tenant's is not found, like one that does not exist. */
export async function lockFunction(
  tx: TenantRepositories,
  region: string,
  reference: FunctionReference,
): Promise<FunctionDefinition> {
  return present(tx, region, reference, isOwn(tx, reference) ? await tx.functions.lock(reference.name) : null);
}

export async function findFunction(
  tx: TenantRepositories,
  region: string,
  reference: FunctionReference,
): Promise<FunctionDefinition> {
  return present(tx, region, reference, isOwn(tx, reference) ? await tx.functions.find(reference.name) : null);
}

/** The version a qualifier names, directly or through an alias. */
export async function findVersion(
  tx: TenantRepositories,
  definition: FunctionDefinition,
  qualifier: string | null,
): Promise<FunctionVersion> {
  if (qualifier === null || qualifier === '$LATEST') return definition.latest;
  const functionName = definition.name;
  const alias = isVersionNumber(qualifier) ? null : await tx.functionAliases.find({ functionName, name: qualifier });
  const number = alias?.functionVersion ?? qualifier;
  if (number === '$LATEST') return definition.latest;
  const version = isVersionNumber(number) ? await tx.functionVersions.find({ functionName, version: number }) : null;
  if (version === null) throw functionNotFound(functionArn(definition.region, tx.tenant, functionName, qualifier));
  return version;
}

const isOwn = (tx: TenantRepositories, { account }: FunctionReference): boolean => account === null || account === tx.tenant;

function present(
  tx: TenantRepositories,
  callerRegion: string,
  { region, account, name, qualifier }: FunctionReference,
  definition: FunctionDefinition | null,
): FunctionDefinition {
  // A name is unique over all regions; a whole ARN names the function in its region or nothing.
  if (definition !== null && (region === null || region === definition.region)) return definition;
  throw functionNotFound(functionArn(region ?? callerRegion, account ?? tx.tenant, name, qualifier));
}

/** In the form of a UUID; all digits, which are hexadecimal too. */
export function newRevisionId(ids: IdSource): string {
  return [8, 4, 4, 4, 12].map((length) => ids.digits(length)).join('-');
}

export function checkRevision(given: string | undefined, present: string): void {
  if (given === undefined || given === present) return;
  throw preconditionFailed(
    'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
  );
}
