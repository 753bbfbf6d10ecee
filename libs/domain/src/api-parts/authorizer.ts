/** Authorizers of REST APIs (API Gateway guide, "Lambda authorizers", "Amazon Cognito user pools as authorizer"). */
import { SelectionPattern, SelectionPatternError } from '@gatehouse/lang';
import { badRequest, conflict, notFound, validationError } from '../errors.js';
import type { PatchRule, PatchRules } from '../patch/patch.js';
import { optionalProperty, property, textOrNull, valueList } from '../patch/rules.js';
import { readServiceArn } from '../rest-apis/integration-uri.js';
import type { Method, Resource } from '../rest-apis/rest-api.js';
import type { ApiPart } from './api-part.js';
import { methodNames } from './references.js';
import { checkRoomAsAws, type Quotas } from '../tenancy/quotas.js';

const TYPES = ['TOKEN', 'REQUEST', 'COGNITO_USER_POOLS'] as const;

export interface Authorizer extends ApiPart {
  readonly name: string;
  readonly type: (typeof TYPES)[number];
  readonly providerARNs: readonly string[];
  /** Free text that imports carry along. */
  readonly authType: string | null;
  /** The function's invocation ARN; `null` for user pools. */
  readonly authorizerUri: string | null;
  readonly authorizerCredentials: string | null;
  /** `method.request.header.Authorization`; of a REQUEST authorizer several, separated by commas. */
  readonly identitySource: string | null;
  readonly identityValidationExpression: string | null;
  /** `null`: not given, which is 300. 0 switches the cache off. */
  readonly authorizerResultTtlInSeconds: number | null;
}

/** What CreateAuthorizer may say. */
export interface AuthorizerRequest {
  readonly name: string;
  readonly type: string;
  readonly providerARNs?: readonly string[] | undefined;
  readonly authType?: string | undefined;
  readonly authorizerUri?: string | undefined;
  readonly authorizerCredentials?: string | undefined;
  readonly identitySource?: string | undefined;
  readonly identityValidationExpression?: string | undefined;
  readonly authorizerResultTtlInSeconds?: number | undefined;
}

const TTL_SECONDS_MAX = 3_600;
const PROVIDERS_MAX = 1_000;

export function newAuthorizer(apiId: string, id: string, request: AuthorizerRequest): Authorizer {
  return checkAuthorizer({
    apiId,
    id,
    name: request.name,
    type: readType(request.type),
    providerARNs: [...new Set(request.providerARNs ?? [])],
    authType: textOrNull(request.authType ?? ''),
    authorizerUri: textOrNull(request.authorizerUri ?? ''),
    authorizerCredentials: textOrNull(request.authorizerCredentials ?? ''),
    identitySource: textOrNull(request.identitySource ?? ''),
    identityValidationExpression: textOrNull(request.identityValidationExpression ?? ''),
    authorizerResultTtlInSeconds: request.authorizerResultTtlInSeconds ?? null,
  });
}

/** Throws BadRequest unless the authorizer is one that may exist; returns it. */
export function checkAuthorizer(authorizer: Authorizer): Authorizer {
  const { type, authorizerResultTtlInSeconds: ttl, providerARNs } = authorizer;
  if (authorizer.name.trim() === '') throw badRequest('Authorizer name cannot be empty');
  if (ttl !== null && !(Number.isInteger(ttl) && ttl >= 0 && ttl <= TTL_SECONDS_MAX))
    throw badRequest(`Authorizer result TTL must be between 0 and ${TTL_SECONDS_MAX} seconds`);
  checkIdentitySource(authorizer);
  checkValidationExpression(authorizer.identityValidationExpression);
  if (authorizer.authorizerCredentials !== null && !ROLE_ARN.test(authorizer.authorizerCredentials))
    throw badRequest('Invalid ARN specified in the request');
  if (type !== 'COGNITO_USER_POOLS') checkUri(authorizer.authorizerUri ?? '');
  else {
    if (providerARNs.length === 0) throw badRequest('At least one provider ARN is required for a COGNITO_USER_POOLS authorizer');
    if (providerARNs.length > PROVIDERS_MAX) throw badRequest(`An authorizer can have at most ${PROVIDERS_MAX} provider ARNs`);
    for (const arn of providerARNs) if (!PROVIDER_ARN.test(arn)) throw badRequest(`Invalid ARN. ARN is not well formed ${arn}`);
  }
  return authorizer;
}

const ROLE_ARN = /^arn:aws[a-z-]*:iam::(?:\d{12}:role\/.+|\*:user\/\*)$/;
/** A user pool; here also whatever OIDC provider a tenant names by one. */
const PROVIDER_ARN = /^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+$/;
const HEADER_SOURCE = /^method\.request\.header\.[^\s,.]+$/;
const ANY_SOURCE = /^(?:method\.request\.(?:header|querystring)\.[^\s,]+|(?:stageVariables|context)\.[A-Za-z0-9_.-]+)$/;

/** Of a REQUEST authorizer that does not cache, nothing need be named. */
function checkIdentitySource({ type, identitySource, authorizerResultTtlInSeconds: ttl }: Authorizer): void {
  if (identitySource === null) {
    if (type === 'REQUEST' && ttl === 0) return;
    throw badRequest(
      type === 'REQUEST'
        ? 'Identity source is required for a REQUEST authorizer whose results are cached'
        : `Identity source is required for a ${type} authorizer`,
    );
  }
  const sources = type === 'REQUEST' ? identitySource.split(',').map((source) => source.trim()) : [identitySource];
  const form = type === 'REQUEST' ? ANY_SOURCE : HEADER_SOURCE;
  for (const source of sources) if (!form.test(source)) throw badRequest(`Invalid identity source specified: ${source}`);
}

/** It is run over what callers send, and so in bounded time, as selection patterns are. */
function checkValidationExpression(expression: string | null): void {
  if (expression === null) return;
  try {
    SelectionPattern.parse(expression);
  } catch (error) {
    if (!(error instanceof SelectionPatternError)) throw error;
    throw badRequest(`Invalid identity validation expression specified: ${error.message}`);
  }
}

function checkUri(uri: string): void {
  const invalid = badRequest(
    `Invalid Authorizer URI: ${uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.`,
  );
  try {
    if (readServiceArn(uri).functionArn === null) throw invalid;
  } catch {
    throw invalid;
  }
}

function readType(type: string): Authorizer['type'] {
  const found = TYPES.find((known) => known === type);
  if (found !== undefined) return found;
  throw validationError(
    `1 validation error detected: Value '${type}' at 'createAuthorizerInput.type' failed to satisfy constraint: ` +
      `Member must satisfy enum value set: [${TYPES.join(', ')}]`,
  );
}

/** UpdateAuthorizer; `checkAuthorizer` judges what comes out. */
export const authorizerPatchRules: PatchRules<Authorizer> = {
  style: 'pathOnly',
  rules: [
    property('/name', 'name', (value) => value),
    property('/type', 'type', readType),
    property('/authType', 'authType', textOrNull),
    property('/authorizerUri', 'authorizerUri', textOrNull),
    property('/authorizerCredentials', 'authorizerCredentials', textOrNull),
    property('/authorizerResultTtlInSeconds', 'authorizerResultTtlInSeconds', readTtl),
    property('/identityValidationExpression', 'identityValidationExpression', textOrNull),
    optionalProperty('/identitySource', 'identitySource', textOrNull, null),
    providerRule(),
  ],
};

/** Empty text is "not given"; what is no number fails as one that is out of range. */
function readTtl(value: string): number | null {
  return value === '' ? null : /^\d{1,9}$/.test(value) ? Number(value) : NaN;
}

function providerRule(): PatchRule<Authorizer> {
  return valueList<Authorizer, 'providerARNs'>('/providerARNs', 'providerARNs');
}

/** Throws Conflict when another authorizer of the API has the name. */
export function checkAuthorizerName({ id, name }: Authorizer, others: readonly Authorizer[]): void {
  if (others.some((other) => other.name === name && other.id !== id))
    throw conflict(`Authorizer name must be unique. Authorizer ${name} already exists in this RestApi.`);
}

/** Throws LimitExceeded when the API has as many as it may have. */
export function checkAuthorizerCount(count: number, quotas: Quotas): void {
  checkRoomAsAws(
    quotas,
    'authorizers',
    count,
    'Maximum number of Authorizers for this API has been reached. Please contact AWS if you need additional Authorizers.',
  );
}

/** Throws Conflict while a method uses it. */
export function checkAuthorizerUnused({ id }: Authorizer, methods: readonly Method[], resources: readonly Resource[]): void {
  const user = methods.find((method) => method.authorizerId === id);
  if (user === undefined) return;
  throw conflict(`Cannot delete authorizer '${id}', is referenced in method: ${methodNames(resources)(user)}`);
}

export const unknownAuthorizer = (): Error => notFound('Invalid Authorizer identifier specified');
