/** What methods refer to by name or id, and whether it is there. */
import { badRequest } from '../errors.js';
import type { Method, MethodResponse, Resource } from '../rest-apis/rest-api.js';
import type { Authorizer } from './authorizer.js';

/** The parts of an API that its methods may name. */
export interface KnownParts {
  readonly models: ReadonlySet<string>;
  readonly requestValidators: ReadonlySet<string>;
  /** By id. */
  readonly authorizers: ReadonlyMap<string, Authorizer['type']>;
}

/** A name for each method, as AWS's messages write it: `/pets/GET`; of the root `//GET`. */
export function methodNames(resources: readonly Resource[]): (method: Method) => string {
  const paths = new Map(resources.map((resource) => [resource.id, resource.path]));
  return ({ resourceId, httpMethod }) => `${paths.get(resourceId) ?? ''}/${httpMethod}`;
}

/** Whether `checkReferences` needs to know the API's parts. */
export function hasReferences(method: Method): boolean {
  return (
    method.authorizerId !== null || needsAuthorizer(method) || method.requestValidatorId !== null || modelsOf(method).length > 0
  );
}

/**
 * Throws BadRequest when the method names a part that its API does not have; returns it. An authorizer that comes with a type
 * that takes none is dropped without a word, as AWS does.
 */
export function checkReferences(method: Method, known: KnownParts): Method {
  for (const name of modelsOf(method))
    if (!known.models.has(name)) throw badRequest(`Invalid model identifier specified: ${name}`);
  if (method.requestValidatorId !== null && !known.requestValidators.has(method.requestValidatorId))
    throw badRequest('Invalid Request Validator identifier specified');
  if (!needsAuthorizer(method)) return method.authorizerId === null ? method : { ...method, authorizerId: null };
  const type = method.authorizerId === null ? undefined : known.authorizers.get(method.authorizerId);
  const isFitting = type !== undefined && (type === 'COGNITO_USER_POOLS') === (method.authorizationType === 'COGNITO_USER_POOLS');
  if (isFitting) return method;
  throw badRequest(
    'Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.',
  );
}

function needsAuthorizer({ authorizationType }: Method): boolean {
  return authorizationType === 'CUSTOM' || authorizationType === 'COGNITO_USER_POOLS';
}

function modelsOf({ requestModels, methodResponses }: Method): string[] {
  const ofResponse = ({ responseModels }: MethodResponse): string[] => Object.values(responseModels ?? {});
  return [...Object.values(requestModels ?? {}), ...Object.values(methodResponses).flatMap(ofResponse)];
}
