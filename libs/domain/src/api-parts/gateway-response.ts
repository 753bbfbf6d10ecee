/** What callers get when the gateway itself answers (API Gateway guide, "Gateway responses"; control-plane reference 6.4). */
import { badRequest, notFound, validationError } from '../errors.js';
import { mapEntry, property } from '../patch/rules.js';
import type { PatchRules } from '../patch/patch.js';
import type { TextMap } from '../rest-apis/rest-api.js';
import { checkGatewayResponseMapping } from '../rest-apis/mapping-expressions.js';
import type { ApiPart } from './api-part.js';

/** A customised response; its id is its type. Types without one have the response AWS gives. */
export interface GatewayResponse extends ApiPart {
  /** `null`: that of the class, or the type's own. */
  readonly statusCode: string | null;
  readonly responseParameters: TextMap | null;
  /** Media type to template. */
  readonly responseTemplates: TextMap | null;
}

/** What PutGatewayResponse may say. */
export interface GatewayResponseRequest {
  readonly statusCode?: string | undefined;
  readonly responseParameters?: TextMap | undefined;
  readonly responseTemplates?: TextMap | undefined;
}

/** As GetGatewayResponse shows it. */
export interface ShownGatewayResponse {
  readonly responseType: string;
  readonly isDefault: boolean;
  readonly statusCode: string | null;
  readonly responseParameters: TextMap;
  readonly responseTemplates: TextMap;
}

/** Every type and the status it has; the two classes have none: each response keeps its own. */
const STATUS_OF_TYPE: Readonly<Record<string, string | null>> = {
  ACCESS_DENIED: '403',
  API_CONFIGURATION_ERROR: '500',
  AUTHORIZER_CONFIGURATION_ERROR: '500',
  AUTHORIZER_FAILURE: '500',
  BAD_REQUEST_BODY: '400',
  BAD_REQUEST_PARAMETERS: '400',
  DEFAULT_4XX: null,
  DEFAULT_5XX: null,
  EXPIRED_TOKEN: '403',
  INTEGRATION_FAILURE: '504',
  INTEGRATION_TIMEOUT: '504',
  INVALID_API_KEY: '403',
  INVALID_SIGNATURE: '403',
  MISSING_AUTHENTICATION_TOKEN: '403',
  QUOTA_EXCEEDED: '429',
  REQUEST_TOO_LARGE: '413',
  RESOURCE_NOT_FOUND: '404',
  THROTTLED: '429',
  UNAUTHORIZED: '401',
  UNSUPPORTED_MEDIA_TYPE: '415',
  WAF_FILTERED: '403',
};
/** By name, as AWS lists them. */
export const GATEWAY_RESPONSE_TYPES: readonly string[] = Object.keys(STATUS_OF_TYPE);

const DEFAULT_TEMPLATES: TextMap = { 'application/json': '{"message":$context.error.messageString}' };
const STATUS = /^[1-5]\d\d$/;

/** Throws ValidationException for what is no type of response. */
export function checkResponseType(type: string): string {
  if (Object.hasOwn(STATUS_OF_TYPE, type)) return type;
  throw validationError(
    `1 validation error detected: Value '${type}' at 'responseType' failed to satisfy constraint: ` +
      `Member must satisfy enum value set: [${GATEWAY_RESPONSE_TYPES.join(', ')}]`,
  );
}

export function newGatewayResponse(apiId: string, type: string, request: GatewayResponseRequest): GatewayResponse {
  return checkGatewayResponse({
    apiId,
    id: checkResponseType(type),
    statusCode: request.statusCode === undefined || request.statusCode === '' ? null : request.statusCode,
    responseParameters: request.responseParameters ?? null,
    responseTemplates: request.responseTemplates ?? null,
  });
}

/** Throws BadRequest unless the response is one that may exist; returns it. */
export function checkGatewayResponse(response: GatewayResponse): GatewayResponse {
  const { statusCode } = response;
  if (statusCode !== null && !STATUS.test(statusCode)) {
    throw validationError(
      `1 validation error detected: Value '${statusCode}' at 'statusCode' failed to satisfy constraint: ` +
        'Member must satisfy regular expression pattern: [1-5]\\d\\d',
    );
  }
  for (const [name, value] of Object.entries(response.responseParameters ?? {})) checkGatewayResponseMapping(name, value);
  return response;
}

/** UpdateGatewayResponse; `checkGatewayResponse` judges what comes out. A type that has none starts as what it shows. */
export const gatewayResponsePatchRules: PatchRules<GatewayResponse> = {
  style: 'pathOnly',
  rules: [
    property('/statusCode', 'statusCode', (value) => (value === '' ? null : value)),
    mapEntry<GatewayResponse, string, 'responseParameters'>('/responseParameters/{parameter}', 'responseParameters', {
      read: (_name, value) => notEmpty(value, 'responseParameters'),
      missing: () => notFound('Invalid parameter name specified'),
      strict: true,
    }),
    mapEntry<GatewayResponse, string, 'responseTemplates'>('/responseTemplates/{contentType}', 'responseTemplates', {
      read: (_name, value) => notEmpty(value, 'responseTemplates'),
      missing: () => notFound('Content-Type specified was not found'),
      strict: true,
    }),
  ],
};

function notEmpty(value: string, member: string): string {
  if (value === '') throw badRequest(`Invalid null or empty value in ${member}`);
  return value;
}

/**
 * What a type shows: its own response, or what it inherits from its class, 4XX or 5XX. `customised` is all that the API has.
 */
export function shownGatewayResponse(type: string, customised: readonly GatewayResponse[]): ShownGatewayResponse {
  const own = customised.find(({ id }) => id === type);
  const status = STATUS_OF_TYPE[type] ?? null;
  const general = own === undefined ? customised.find(({ id }) => id === classOf(status)) : undefined;
  const { statusCode, responseParameters, responseTemplates } = own ?? general ?? NOTHING;
  return {
    responseType: type,
    isDefault: own === undefined,
    statusCode: statusCode ?? status,
    responseParameters: responseParameters ?? {},
    responseTemplates: responseTemplates ?? DEFAULT_TEMPLATES,
  };
}

const NOTHING = { statusCode: null, responseParameters: null, responseTemplates: null };

function classOf(status: string | null): string | null {
  return status === null ? null : `DEFAULT_${status.charAt(0)}XX`;
}

/** The response to patch: its own, or a copy of what its type shows. */
export function customisable(apiId: string, type: string, customised: readonly GatewayResponse[]): GatewayResponse {
  const own = customised.find(({ id }) => id === type);
  if (own !== undefined) return own;
  const { statusCode, responseParameters, responseTemplates } = shownGatewayResponse(type, customised);
  return { apiId, id: type, statusCode, responseParameters, responseTemplates };
}

export const uncustomisedGatewayResponse = (): Error => notFound('Gateway response type not defined on api');
