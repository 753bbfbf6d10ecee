import { badRequest, conflict, notFound, validationError } from '../errors.js';
import type { PatchRules, ReadChange } from '../patch/patch.js';
import { flag, mapEntry, property, textOrNull, valueList } from '../patch/rules.js';
import { checkRequestParameters, checkResponseParameter } from './mapping-expressions.js';
import type { FlagMap, Method, MethodResponse, TextMap } from './rest-api.js';
import { checkContentType } from './templates.js';

const HTTP_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'ANY'];
const AUTHORIZATION_TYPES = ['NONE', 'AWS_IAM', 'CUSTOM', 'COGNITO_USER_POOLS'];

/** What PutMethod may say; absent members are `undefined`. */
export interface MethodRequest {
  readonly authorizationType: string;
  readonly authorizerId?: string | undefined;
  readonly authorizationScopes?: readonly string[] | undefined;
  readonly apiKeyRequired?: boolean | undefined;
  readonly operationName?: string | undefined;
  readonly requestValidatorId?: string | undefined;
  readonly requestParameters?: FlagMap | undefined;
  readonly requestModels?: TextMap | undefined;
}

export function newMethod(key: Pick<Method, 'apiId' | 'resourceId' | 'httpMethod'>, request: MethodRequest): Method {
  checkHttpMethod(key.httpMethod);
  return checkMethod({
    apiId: key.apiId,
    resourceId: key.resourceId,
    httpMethod: key.httpMethod,
    authorizationType: request.authorizationType,
    authorizerId: textOrNull(request.authorizerId ?? ''),
    authorizationScopes: [...new Set(request.authorizationScopes ?? [])],
    apiKeyRequired: request.apiKeyRequired ?? false,
    operationName: textOrNull(request.operationName ?? ''),
    requestValidatorId: textOrNull(request.requestValidatorId ?? ''),
    requestParameters: request.requestParameters ?? null,
    requestModels: request.requestModels ?? null,
    methodResponses: {},
    integration: null,
  });
}

/** Also the rule for the verb towards a backend. */
export function checkHttpMethod(httpMethod: string): string {
  if (HTTP_METHODS.includes(httpMethod)) return httpMethod;
  throw badRequest(`Invalid HttpMethod specified. Valid options are ${HTTP_METHODS.join(',')}`);
}

/** Throws BadRequest unless the method is one that may exist; returns it. Whether what it refers to is there: `checkReferences`. */
export function checkMethod(method: Method): Method {
  checkAuthorizationType(method.authorizationType);
  checkRequestParameters(method.requestParameters ?? {});
  Object.keys(method.requestModels ?? {}).forEach(checkContentType);
  return method;
}

function checkAuthorizationType(type: string): string {
  if (!AUTHORIZATION_TYPES.includes(type)) throw badRequest('Invalid authorization type specified');
  return type;
}

/** UpdateMethod; `checkMethod` judges what comes out. */
export const methodPatchRules: PatchRules<Method> = {
  style: 'pathOnly',
  rules: [
    property('/authorizationType', 'authorizationType', checkAuthorizationType),
    property('/authorizerId', 'authorizerId', textOrNull),
    property('/apiKeyRequired', 'apiKeyRequired', flag),
    property('/operationName', 'operationName', textOrNull),
    property('/requestValidatorId', 'requestValidatorId', textOrNull),
    valueList('/authorizationScopes', 'authorizationScopes'),
    ...requestParameterRules(),
    mapEntry<Method, string, 'requestModels'>('/requestModels/{contentType}', 'requestModels', {
      read: (_contentType, value) => value,
      missing: unknownContentType,
    }),
  ],
};

/** Replacing or removing a request parameter takes it out of the integration's cache key (Terraform relies on it). */
function requestParameterRules(): PatchRules<Method>['rules'] {
  const rule = mapEntry<Method, boolean, 'requestParameters'>('/requestParameters/{parameter}', 'requestParameters', {
    read: (_parameter, value) => flag(value),
    missing: unknownParameter,
  });
  const dropping =
    (read: ReadChange<Method> | undefined): ReadChange<Method> =>
    (operand) => {
      const change = read!(operand);
      return (method) => withoutCacheKey(change(method), operand.key);
    };
  return [{ ...rule, replace: dropping(rule.replace), remove: dropping(rule.remove) }];
}

function withoutCacheKey(method: Method, parameter: string): Method {
  const { integration } = method;
  if (integration === null) return method;
  const cacheKeyParameters = integration.cacheKeyParameters.filter((name) => name !== parameter);
  return { ...method, integration: { ...integration, cacheKeyParameters } };
}

/** What PutMethodResponse may say. */
export interface MethodResponseRequest {
  readonly responseParameters?: FlagMap | undefined;
  readonly responseModels?: TextMap | undefined;
}

/** The method with one more response. Throws Conflict when it has it already. */
export function addMethodResponse(method: Method, statusCode: string, request: MethodResponseRequest): Method {
  checkStatusCode(statusCode);
  if (Object.hasOwn(method.methodResponses, statusCode)) throw conflict('Response already exists for this resource');
  return withMethodResponse(method, {
    statusCode,
    responseParameters: request.responseParameters ?? null,
    responseModels: request.responseModels ?? null,
  });
}

export function withMethodResponse(method: Method, response: MethodResponse): Method {
  Object.keys(response.responseParameters ?? {}).forEach(checkResponseParameter);
  Object.keys(response.responseModels ?? {}).forEach(checkContentType);
  return { ...method, methodResponses: { ...method.methodResponses, [response.statusCode]: response } };
}

export function withoutMethodResponse(method: Method, statusCode: string): Method {
  methodResponse(method, statusCode);
  const rest = Object.entries(method.methodResponses).filter(([status]) => status !== statusCode);
  return { ...method, methodResponses: Object.fromEntries(rest) };
}

/** Throws NotFound. */
export function methodResponse(method: Method, statusCode: string): MethodResponse {
  checkStatusCode(statusCode);
  const response = Object.hasOwn(method.methodResponses, statusCode) ? method.methodResponses[statusCode] : undefined;
  if (response === undefined) throw unknownStatusCode();
  return response;
}

/** UpdateMethodResponse; `withMethodResponse` judges what comes out. */
export const methodResponsePatchRules: PatchRules<MethodResponse> = {
  style: 'pathOnly',
  rules: [
    mapEntry<MethodResponse, boolean, 'responseParameters'>('/responseParameters/{parameter}', 'responseParameters', {
      read: (_parameter, value) => flag(value),
      missing: unknownParameter,
      strict: true,
    }),
    mapEntry<MethodResponse, string, 'responseModels'>('/responseModels/{contentType}', 'responseModels', {
      read: (_contentType, value) => value,
      missing: unknownContentType,
      strict: true,
    }),
  ],
};

/** Throws ValidationException unless the text is a status code from 100 to 599. */
export function checkStatusCode(statusCode: string): void {
  if (/^[1-5]\d\d$/.test(statusCode)) return;
  throw validationError(
    `1 validation error detected: Value '${statusCode}' at 'statusCode' failed to satisfy constraint: ` +
      'Member must satisfy regular expression pattern: [1-5]\\d\\d',
  );
}

export const unknownMethod = (): Error => notFound('Invalid Method identifier specified');
export const unknownStatusCode = (): Error => notFound('Invalid Response status code specified');

// Declarations, not constants: the tables above use them while this module is loaded.
export function unknownParameter(): Error {
  return notFound('Invalid parameter name specified');
}
export function unknownContentType(): Error {
  return notFound('Content-Type specified was not found');
}
