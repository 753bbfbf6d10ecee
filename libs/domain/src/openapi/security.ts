/** Security schemes and requirements of a document (control-plane reference 7.3). */
import type { AuthorizerRequest } from '../api-parts/authorizer.js';
import { asNumber, asObject, asText, type JsonObject, listOf, member, membersOf } from './json.js';
import type { References } from './references.js';

const AUTHORIZER = 'x-amazon-apigateway-authorizer';
const AUTH_TYPE = 'x-amazon-apigateway-authtype';

/** How a method lets callers in. */
export interface Access {
  readonly authorizationType: string;
  readonly authorizerName: string | null;
  readonly authorizationScopes: readonly string[] | undefined;
  readonly apiKeyRequired: boolean;
}

type Scheme =
  | { readonly kind: 'authorizer'; readonly authorizer: AuthorizerRequest }
  | { readonly kind: 'iam' | 'apiKey' | 'other' };

export class SecuritySchemes {
  readonly #schemes: ReadonlyMap<string, Scheme>;

  constructor(
    references: References,
    section: string,
    private readonly warn: (warning: string) => void,
  ) {
    this.#schemes = new Map(
      membersOf(references.at(`#/${section}`, '')).map(([name, value]) => [
        name,
        readScheme(name, references.follow(value, section) ?? {}),
      ]),
    );
  }

  /** Also those that no method uses. */
  authorizers(): AuthorizerRequest[] {
    return [...this.#schemes.values()].flatMap((scheme) => (scheme.kind === 'authorizer' ? [scheme.authorizer] : []));
  }

  /** `where` names the operation in warnings. The first authorizer wins: a method has one. */
  accessOf(operation: JsonObject, rootSecurity: unknown, where: string): Access {
    let authorizationType = 'NONE';
    let authorizerName: string | null = null;
    let authorizationScopes: readonly string[] | undefined;
    let apiKeyRequired = false;
    for (const [name, scopes] of requirements(operation['security'] ?? rootSecurity)) {
      const scheme = this.#schemes.get(name);
      if (scheme === undefined) this.warn(`Security scheme '${name}' of ${where} is not defined`);
      else if (scheme.kind === 'apiKey') apiKeyRequired = true;
      else if (scheme.kind === 'iam') authorizationType = 'AWS_IAM';
      else if (scheme.kind === 'authorizer' && authorizerName === null) {
        authorizationType = scheme.authorizer.type === 'COGNITO_USER_POOLS' ? 'COGNITO_USER_POOLS' : 'CUSTOM';
        authorizerName = name;
        authorizationScopes = scopes.length === 0 ? undefined : scopes;
      }
    }
    const said = asText(member(operation['x-amazon-apigateway-auth'], 'type'))?.toUpperCase();
    if (said === undefined) return { authorizationType, authorizerName, authorizationScopes, apiKeyRequired };
    const isAuthorizer = authorizerName !== null && said === authorizationType;
    return isAuthorizer
      ? { authorizationType, authorizerName, authorizationScopes, apiKeyRequired }
      : { authorizationType: said, authorizerName: null, authorizationScopes: undefined, apiKeyRequired };
  }
}

function requirements(security: unknown): [string, string[]][] {
  return listOf(security).flatMap((requirement) =>
    membersOf(requirement).map(([name, scopes]): [string, string[]] => [
      name,
      listOf(scopes).filter((scope) => typeof scope === 'string'),
    ]),
  );
}

function readScheme(name: string, scheme: JsonObject): Scheme {
  const extension = asObject(scheme[AUTHORIZER]);
  const authType = asText(scheme[AUTH_TYPE]);
  if (extension !== null) return { kind: 'authorizer', authorizer: readAuthorizer(name, scheme, extension, authType) };
  if (authType?.toLowerCase() === 'awssigv4') return { kind: 'iam' };
  return { kind: scheme['type'] === 'apiKey' && isApiKeyHeader(scheme) ? 'apiKey' : 'other' };
}

function isApiKeyHeader(scheme: JsonObject): boolean {
  return asText(scheme['name'])?.toLowerCase() === 'x-api-key';
}

function readAuthorizer(
  name: string,
  scheme: JsonObject,
  extension: JsonObject,
  authType: string | undefined,
): AuthorizerRequest {
  const type = (asText(extension['type']) ?? '').toUpperCase();
  const header = asText(scheme['name']);
  const said = asText(extension['identitySource']);
  return {
    name,
    type,
    authType,
    providerARNs: listOf(extension['providerARNs']).filter((arn) => typeof arn === 'string'),
    authorizerUri: asText(extension['authorizerUri']),
    authorizerCredentials: asText(extension['authorizerCredentials']),
    // The scheme names the header that holds a token; requests are identified by what the extension lists.
    identitySource: type === 'REQUEST' || header === undefined ? said : `method.request.header.${header}`,
    identityValidationExpression: asText(extension['identityValidationExpression']),
    authorizerResultTtlInSeconds: asNumber(extension['authorizerResultTtlInSeconds']),
  };
}
