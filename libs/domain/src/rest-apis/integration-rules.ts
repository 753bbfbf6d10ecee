import { SelectionPattern, SelectionPatternError } from '@gatehouse/lang';
import { noSuchVpcLink } from '../backend-access/vpc-link.js';
import { badRequest, notFound } from '../errors.js';
import type { PatchRules } from '../patch/patch.js';
import { flag, keyList, mapEntry, property, textOrNull } from '../patch/rules.js';
import { checkHttpUri, checkProxyUri, checkServiceUri } from './integration-uri.js';
import { checkRequestMapping, checkResponseMapping, noMethodResponse } from './mapping-expressions.js';
import { checkHttpMethod, checkStatusCode, unknownContentType, unknownParameter, unknownStatusCode } from './method-rules.js';
import { AWS_QUOTAS, ownQuotaNote, type Quotas } from '../tenancy/quotas.js';
import type { Integration, IntegrationResponse, IntegrationType, Method, TextMap } from './rest-api.js';
import { readTemplate, readTemplates, type TemplateMap } from './templates.js';

const TIMEOUT_MS_MIN = 50;
const STREAM_TIMEOUT_MS_MAX = 900_000;
const PASSTHROUGH_BEHAVIORS = ['WHEN_NO_MATCH', 'WHEN_NO_TEMPLATES', 'NEVER'];
const CONNECTION_TYPES = ['INTERNET', 'VPC_LINK'];
const CONTENT_HANDLINGS = ['CONVERT_TO_BINARY', 'CONVERT_TO_TEXT'];
const TRANSFER_MODES = ['BUFFERED', 'STREAM'];

/** What PutIntegration may say; absent members are `undefined`. */
export interface IntegrationRequest {
  readonly type: IntegrationType;
  readonly httpMethod?: string | undefined;
  readonly uri?: string | undefined;
  readonly connectionType?: string | undefined;
  readonly connectionId?: string | undefined;
  readonly credentials?: string | undefined;
  readonly requestParameters?: TextMap | undefined;
  readonly requestTemplates?: TemplateMap | undefined;
  readonly passthroughBehavior?: string | undefined;
  readonly contentHandling?: string | undefined;
  readonly timeoutInMillis?: number | undefined;
  readonly cacheNamespace?: string | undefined;
  readonly cacheKeyParameters?: readonly string[] | undefined;
  readonly tlsConfig?: { readonly insecureSkipVerification?: boolean | undefined } | undefined;
  readonly responseTransferMode?: string | undefined;
  readonly integrationTarget?: string | undefined;
}

/** The method with this integration in place of the one it may have had, responses of which go with it. */
export function putIntegration(method: Method, request: IntegrationRequest, quotas: Quotas): Method {
  const { type, tlsConfig } = request;
  const integration: Integration = {
    type,
    httpMethod: textOrNull(request.httpMethod ?? ''),
    uri: textOrNull(request.uri ?? ''),
    connectionType: isHttp(type) ? (request.connectionType ?? 'INTERNET') : null,
    connectionId: textOrNull(request.connectionId ?? ''),
    credentials: textOrNull(request.credentials ?? ''),
    requestParameters: request.requestParameters ?? null,
    requestTemplates: readTemplates(request.requestTemplates, quotas),
    passthroughBehavior: request.passthroughBehavior ?? 'WHEN_NO_MATCH',
    contentHandling: request.contentHandling ?? null,
    // A tenant that may wait longer still waits as long as on AWS unless it says so.
    timeoutInMillis: request.timeoutInMillis ?? Math.min(AWS_QUOTAS.integrationTimeoutMsMax, quotas.integrationTimeoutMsMax),
    cacheNamespace: textOrNull(request.cacheNamespace ?? '') ?? method.resourceId,
    cacheKeyParameters: [...new Set(request.cacheKeyParameters ?? [])],
    tlsConfig: tlsConfig === undefined ? null : { insecureSkipVerification: tlsConfig.insecureSkipVerification ?? false },
    responseTransferMode: request.responseTransferMode ?? null,
    integrationTarget: textOrNull(request.integrationTarget ?? ''),
    integrationResponses: {},
  };
  for (const [destination, source] of Object.entries(integration.requestParameters ?? {})) {
    checkRequestMapping(destination, source, method.requestParameters ?? {});
  }
  for (const parameter of integration.cacheKeyParameters) checkCacheKey(parameter, method);
  return withIntegration(method, integration, quotas);
}

/** Throws BadRequest unless the integration is one that may exist. */
export function withIntegration(method: Method, integration: Integration, quotas: Quotas): Method {
  checkBackend(integration);
  checkConnection(integration);
  checkPassthrough(integration.passthroughBehavior);
  checkTimeout(integration, quotas);
  if (integration.responseTransferMode === 'STREAM' && !integration.type.endsWith('_PROXY')) {
    throw badRequest('Response transfer mode STREAM is only supported for HTTP_PROXY and AWS_PROXY integrations');
  }
  return { ...method, integration };
}

/** What streams may take 15 minutes, whatever the quota for others is (data-plane reference §3.5). */
function checkTimeout({ timeoutInMillis: timeoutMs, responseTransferMode }: Integration, quotas: Quotas): void {
  const isStreamed = responseTransferMode === 'STREAM' && quotas.integrationTimeoutMsMax < STREAM_TIMEOUT_MS_MAX;
  const maxMs = isStreamed ? STREAM_TIMEOUT_MS_MAX : quotas.integrationTimeoutMsMax;
  if (Number.isInteger(timeoutMs) && timeoutMs >= TIMEOUT_MS_MIN && timeoutMs <= maxMs) return;
  const note = isStreamed ? '' : ownQuotaNote(quotas, 'integrationTimeoutMsMax');
  throw badRequest(`Timeout should be between ${TIMEOUT_MS_MIN} ms and ${maxMs} ms${note}`);
}

const isHttp = (type: IntegrationType): boolean => type === 'HTTP' || type === 'HTTP_PROXY';

function checkBackend({ type, httpMethod, uri, credentials }: Integration): void {
  checkCredentials(credentials);
  if (httpMethod !== null) checkHttpMethod(httpMethod);
  if (type === 'MOCK') return;
  if (httpMethod === null) throw badRequest('Enumeration value for HttpMethod must be non-empty');
  if (isHttp(type)) checkHttpUri(uri ?? '');
  else if (type === 'AWS_PROXY') checkProxyUri(uri ?? '');
  else checkServiceUri(uri ?? '', credentials);
}

/** A role, a stage variable in its place, or the caller's own credentials (`arn:aws:iam::*:user/*`). */
function checkCredentials(credentials: string | null): void {
  if (credentials !== null && !/^arn:aws[a-z-]*:iam::[^:\s]+:\S+$/.test(credentials))
    throw badRequest('Invalid ARN specified in the request');
}

/**
 * Whether the VPC link exists is the caller's question. A target beside the link is for links of API Gateway v2, of which there are
 * none yet.
 */
function checkConnection({ type, connectionType, connectionId, integrationTarget }: Integration): void {
  if (connectionType !== null && !CONNECTION_TYPES.includes(connectionType))
    throw badRequest(`Invalid connection type specified. Valid options are ${CONNECTION_TYPES.join(',')}`);
  const isPrivate = connectionType === 'VPC_LINK';
  if (isPrivate !== (connectionId !== null) || integrationTarget !== null || (isPrivate && !isHttp(type))) throw noSuchVpcLink();
}

function checkPassthrough(behavior: string): void {
  if (!PASSTHROUGH_BEHAVIORS.includes(behavior)) throw badRequest('Invalid passthrough behavior specified');
}

/** API reference, Integration: cache key parameters must be request parameters of the method. */
function checkCacheKey(parameter: string, method: Method): void {
  if (!Object.hasOwn(method.requestParameters ?? {}, parameter)) throw badRequest('Invalid cache key parameter specified');
}

/**
 * UpdateIntegration; `withIntegration` judges what comes out. Mappings are checked where they are written: others may have
 * lost their source to an UpdateMethod, and must not stand in the way.
 */
export function integrationPatchRules(method: Method, quotas: Quotas): PatchRules<Integration> {
  const declared = method.requestParameters ?? {};
  return {
    style: 'pathOnly',
    rules: [
      ...backendRules(),
      property('/connectionId', 'connectionId', textOrNull),
      property('/connectionType', 'connectionType', (value) => textOrNull(value) ?? 'INTERNET'),
      property('/contentHandling', 'contentHandling', readContentHandling),
      property('/credentials', 'credentials', textOrNull),
      property('/passthroughBehavior', 'passthroughBehavior', (value) => value),
      property('/timeoutInMillis', 'timeoutInMillis', (value) => (/^\d{1,9}$/.test(value) ? Number(value) : NaN)),
      property('/cacheNamespace', 'cacheNamespace', (value) => textOrNull(value) ?? method.resourceId),
      property('/integrationTarget', 'integrationTarget', textOrNull),
      property('/responseTransferMode', 'responseTransferMode', readTransferMode),
      {
        path: '/tlsConfig/insecureSkipVerification',
        replace: ({ value }) => {
          const tlsConfig = { insecureSkipVerification: flag(value) };
          return (integration) => ({ ...integration, tlsConfig });
        },
      },
      keyList('/cacheKeyParameters/{parameter}', 'cacheKeyParameters', (parameter) => {
        checkCacheKey(parameter, method);
        return parameter;
      }),
      mapEntry<Integration, string, 'requestParameters'>('/requestParameters/{destination}', 'requestParameters', {
        read: (destination, source) => {
          checkRequestMapping(destination, source, declared);
          return source;
        },
        missing: unknownParameter,
      }),
      mapEntry<Integration, string | null, 'requestTemplates'>('/requestTemplates/{contentType}', 'requestTemplates', {
        read: (contentType, template) => readTemplate(contentType, template, quotas),
        missing: unknownContentType,
      }),
    ],
  };
}

/** A mock has no backend to point elsewhere. */
function backendRules(): PatchRules<Integration>['rules'] {
  return (['httpMethod', 'uri'] as const).map((name) => ({
    path: `/${name}`,
    replace: ({ value }) => {
      return (integration) => {
        if (integration.type === 'MOCK') throw badRequest(`Invalid patch path /${name}`);
        return { ...integration, [name]: textOrNull(value) };
      };
    },
  }));
}

function readContentHandling(value: string): string | null {
  if (value === '' || CONTENT_HANDLINGS.includes(value)) return textOrNull(value);
  throw badRequest(`Invalid content handling specified. Valid options are ${CONTENT_HANDLINGS.join(',')}`);
}

function readTransferMode(value: string): string | null {
  if (value === '' || TRANSFER_MODES.includes(value)) return textOrNull(value);
  throw badRequest(`Invalid response transfer mode specified. Valid options are ${TRANSFER_MODES.join(',')}`);
}

/** The method's integration. Throws NotFound. */
export function integrationOf(method: Method): Integration {
  if (method.integration === null) throw unknownIntegration();
  return method.integration;
}

/** What PutIntegrationResponse may say. */
export interface IntegrationResponseRequest {
  readonly selectionPattern?: string | undefined;
  readonly responseParameters?: TextMap | undefined;
  readonly responseTemplates?: TemplateMap | undefined;
  readonly contentHandling?: string | undefined;
}

/** The method whose integration has this response, in place of one with the same status. */
export function putIntegrationResponse(
  method: Method,
  statusCode: string,
  request: IntegrationResponseRequest,
  quotas: Quotas,
): Method {
  checkStatusCode(statusCode);
  if (method.integration === null) throw notFound('No integration defined for method');
  checkFilledResponse(method, statusCode, request.responseParameters ?? {});
  return withIntegrationResponse(method, method.integration, {
    statusCode,
    selectionPattern: checkSelectionPattern(request.selectionPattern ?? null),
    responseParameters: request.responseParameters ?? null,
    responseTemplates: readTemplates(request.responseTemplates, quotas),
    contentHandling: request.contentHandling ?? null,
  });
}

export function withIntegrationResponse(method: Method, integration: Integration, response: IntegrationResponse): Method {
  const integrationResponses = { ...integration.integrationResponses, [response.statusCode]: response };
  return { ...method, integration: { ...integration, integrationResponses } };
}

export function withoutIntegrationResponse(method: Method, integration: Integration, statusCode: string): Method {
  integrationResponse(integration, statusCode);
  const rest = Object.entries(integration.integrationResponses).filter(([status]) => status !== statusCode);
  return { ...method, integration: { ...integration, integrationResponses: Object.fromEntries(rest) } };
}

/** Throws NotFound. */
export function integrationResponse(integration: Integration, statusCode: string): IntegrationResponse {
  checkStatusCode(statusCode);
  const { integrationResponses: responses } = integration;
  const response = Object.hasOwn(responses, statusCode) ? responses[statusCode] : undefined;
  if (response === undefined) throw unknownStatusCode();
  return response;
}

/** UpdateIntegrationResponse. */
export function integrationResponsePatchRules(
  method: Method,
  statusCode: string,
  quotas: Quotas,
): PatchRules<IntegrationResponse> {
  const declared = method.methodResponses[statusCode]?.responseParameters ?? {};
  return {
    style: 'pathOnly',
    rules: [
      property('/selectionPattern', 'selectionPattern', checkSelectionPattern),
      property('/contentHandling', 'contentHandling', readContentHandling),
      mapEntry<IntegrationResponse, string, 'responseParameters'>('/responseParameters/{destination}', 'responseParameters', {
        read: (destination, source) => {
          checkResponseMapping(destination, source, declared);
          return source;
        },
        missing: unknownParameter,
      }),
      mapEntry<IntegrationResponse, string | null, 'responseTemplates'>('/responseTemplates/{contentType}', 'responseTemplates', {
        read: (contentType, template) => readTemplate(contentType, template, quotas),
        missing: unknownContentType,
      }),
    ],
  };
}

/** An integration response needs the method response it fills; AWS says so in two ways. */
function checkFilledResponse(method: Method, statusCode: string, parameters: TextMap): void {
  const response = Object.hasOwn(method.methodResponses, statusCode) ? method.methodResponses[statusCode] : undefined;
  const mappings = Object.entries(parameters);
  if (response === undefined) throw mappings.length === 0 ? unknownStatusCode() : noMethodResponse();
  for (const [destination, source] of mappings) checkResponseMapping(destination, source, response.responseParameters ?? {});
}

/** Empty is the default response, and is kept as given. Nodes run patterns with the same code that reads them here. */
function checkSelectionPattern<P extends string | null>(pattern: P): P {
  try {
    if (pattern !== null) SelectionPattern.parse(pattern);
    return pattern;
  } catch (error) {
    if (error instanceof SelectionPatternError) throw badRequest(`Invalid selection pattern specified: ${error.message}`);
    throw error;
  }
}

export const unknownIntegration = (): Error => notFound('Invalid Integration identifier specified');
