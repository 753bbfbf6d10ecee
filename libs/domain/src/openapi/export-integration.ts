import type { Integration, IntegrationResponse, Resource } from '../rest-apis/rest-api.js';
import { fromPairs, present, sortedEntries, unlessEmpty, type Json, type JsonObject } from './export-json.js';

const DEFAULT_TIMEOUT_MS = 29_000;

/** `x-amazon-apigateway-integration`. What an import would set by itself is left out; so are ids of the API's own. */
export function exportIntegration(integration: Integration, resource: Resource): JsonObject {
  const { tlsConfig, cacheKeyParameters, cacheNamespace, timeoutInMillis } = integration;
  return present({
    type: integration.type.toLowerCase(),
    httpMethod: integration.httpMethod ?? undefined,
    uri: integration.uri ?? undefined,
    credentials: integration.credentials ?? undefined,
    connectionType: integration.connectionType === 'VPC_LINK' ? 'VPC_LINK' : undefined,
    connectionId: integration.connectionId ?? undefined,
    responses: unlessEmpty(exportResponses(Object.values(integration.integrationResponses))),
    requestParameters: texts(integration.requestParameters),
    requestTemplates: texts(integration.requestTemplates),
    passthroughBehavior: integration.passthroughBehavior.toLowerCase(),
    contentHandling: integration.contentHandling ?? undefined,
    timeoutInMillis: timeoutInMillis === DEFAULT_TIMEOUT_MS ? undefined : timeoutInMillis,
    cacheNamespace: cacheNamespace === resource.id ? undefined : cacheNamespace,
    cacheKeyParameters: cacheKeyParameters.length === 0 ? undefined : cacheKeyParameters,
    tlsConfig: tlsConfig === null ? undefined : { insecureSkipVerification: tlsConfig.insecureSkipVerification },
    responseTransferMode: integration.responseTransferMode ?? undefined,
    integrationTarget: integration.integrationTarget ?? undefined,
  });
}

/** By pattern. Of two with the same one the first is taken when a request is answered, so it is the one that is written. */
function exportResponses(responses: readonly IntegrationResponse[]): JsonObject {
  const byPattern = new Map<string, Json>();
  for (const response of [...responses].sort((a, b) => Number(a.statusCode) - Number(b.statusCode))) {
    const pattern = response.selectionPattern || 'default';
    if (!byPattern.has(pattern)) byPattern.set(pattern, exportResponse(response));
  }
  return fromPairs(sortedEntries(Object.fromEntries(byPattern)));
}

function exportResponse(response: IntegrationResponse): JsonObject {
  return present({
    statusCode: response.statusCode,
    responseParameters: texts(response.responseParameters),
    responseTemplates: texts(response.responseTemplates),
    contentHandling: response.contentHandling ?? undefined,
  });
}

/** A map that was given empty is not one that was not given; an empty template is stored as `null`. */
function texts(map: Readonly<Record<string, string | null>> | null): JsonObject | undefined {
  return map === null ? undefined : fromPairs(sortedEntries(map).map(([name, text]) => [name, text ?? '']));
}
