/** Who may call: methods' authorization as security requirements, authorizers as security schemes. */
import type { Authorizer } from '../api-parts/authorizer.js';
import type { Method } from '../rest-apis/rest-api.js';
import { fromPairs, present, type Json, type JsonObject } from './export-json.js';
import type { ExportExtensions } from './export-options.js';

export interface ExportSecurity {
  /** `undefined` for a method that everybody may call. */
  requirementsOf(method: Method): Json | undefined;
  /** The schemes by name: those that methods name and, with the extension, every authorizer. */
  readonly schemes: JsonObject;
}

export function exportSecurity(
  methods: readonly Method[],
  authorizers: readonly Authorizer[],
  extensions: ExportExtensions,
): ExportSecurity {
  const byId = new Map(authorizers.map((authorizer) => [authorizer.id, authorizer]));
  const taken = new Set(authorizers.map(({ name }) => name));
  const apiKey = freeName('api_key', taken);
  const sigv4 = freeName('sigv4', taken);

  const requirementsOf = (method: Method): Json | undefined => {
    const requirements: JsonObject[] = [];
    const authorizer = byId.get(authorizerIdOf(method) ?? '');
    if (method.authorizationType === 'AWS_IAM') requirements.push({ [sigv4]: [] });
    if (authorizer !== undefined) requirements.push(fromPairs([[authorizer.name, method.authorizationScopes]]));
    if (method.apiKeyRequired) requirements.push({ [apiKey]: [] });
    return requirements.length === 0 ? undefined : requirements;
  };
  const isUsed = ({ id }: Authorizer): boolean => methods.some((method) => authorizerIdOf(method) === id);
  const schemes: [string, Json][] = authorizers
    .filter((authorizer) => extensions.authorizers || isUsed(authorizer))
    .map((authorizer) => [authorizer.name, authorizerScheme(authorizer, extensions)]);
  if (methods.some(({ apiKeyRequired }) => apiKeyRequired)) schemes.push([apiKey, header('x-api-key')]);
  if (methods.some(({ authorizationType }) => authorizationType === 'AWS_IAM')) {
    const authtype = extensions.authorizers || extensions.integrations ? 'awsSigv4' : undefined;
    schemes.push([sigv4, present({ ...header('Authorization'), 'x-amazon-apigateway-authtype': authtype })]);
  }
  return { requirementsOf, schemes: fromPairs(schemes.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** A method whose type wants none may still name one, from the time before its type was changed. */
function authorizerIdOf({ authorizationType, authorizerId }: Method): string | null {
  return authorizationType === 'CUSTOM' || authorizationType === 'COGNITO_USER_POOLS' ? authorizerId : null;
}

/** An authorizer may have the name that AWS gives its own schemes. */
function freeName(wanted: string, taken: ReadonlySet<string>): string {
  return taken.has(wanted) ? freeName(`${wanted}_`, taken) : wanted;
}

const HEADER_SOURCE = /^method\.request\.header\.([^\s,]+)$/;

function authorizerScheme(authorizer: Authorizer, extensions: ExportExtensions): JsonObject {
  // A REQUEST authorizer may look at anything; AWS writes this name then.
  const name = HEADER_SOURCE.exec(authorizer.identitySource ?? '')?.[1] ?? 'Unused';
  if (!extensions.authorizers) return header(name);
  const isUserPool = authorizer.type === 'COGNITO_USER_POOLS';
  return {
    ...header(name),
    'x-amazon-apigateway-authtype': authorizer.authType ?? (isUserPool ? 'cognito_user_pools' : 'custom'),
    'x-amazon-apigateway-authorizer': present({
      type: authorizer.type.toLowerCase(),
      authorizerUri: authorizer.authorizerUri ?? undefined,
      authorizerCredentials: authorizer.authorizerCredentials ?? undefined,
      providerARNs: isUserPool ? authorizer.providerARNs : undefined,
      // Of the other types the scheme's name is the header.
      identitySource: authorizer.type === 'REQUEST' ? (authorizer.identitySource ?? undefined) : undefined,
      identityValidationExpression: authorizer.identityValidationExpression ?? undefined,
      authorizerResultTtlInSeconds: authorizer.authorizerResultTtlInSeconds ?? undefined,
    }),
  };
}

function header(name: string): JsonObject {
  return { type: 'apiKey', name, in: 'header' };
}
