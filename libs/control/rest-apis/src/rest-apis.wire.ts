/**
 * Domain to wire. What is not set is absent, and so is what AWS leaves out when it is empty (control-plane reference 2.6);
 * maps of mappings and models come back as they were given.
 */
import type { ApiGateway } from '@gatehouse/aws-api';
import type { Integration, IntegrationResponse, Method, MethodResponse, Resource, RestApi } from '@gatehouse/domain';
import type { ResourceWithMethods } from './resources.service.js';

/** `tags` differ: reading and updating one API answers `{}` where creating and listing leave them out. */
export function restApiToWire(api: RestApi, emptyTags: 'shown' | 'absent'): ApiGateway.RestApi {
  const { types, ipAddressType, vpcEndpointIds } = api.endpointConfiguration;
  return {
    id: api.id,
    name: api.name,
    description: api.description ?? undefined,
    createdDate: new Date(api.createdAtMs),
    version: api.version ?? undefined,
    binaryMediaTypes: unlessEmpty(api.binaryMediaTypes),
    minimumCompressionSize: api.minimumCompressionSize ?? undefined,
    apiKeySource: api.apiKeySource,
    endpointConfiguration: {
      types: types as readonly ApiGateway.EndpointType[],
      ipAddressType: ipAddressType as ApiGateway.IpAddressType,
      vpcEndpointIds: unlessEmpty(vpcEndpointIds),
    },
    policy: api.policy === null ? undefined : escapeOnce(api.policy),
    tags: emptyTags === 'shown' ? api.tags : unlessNothing(api.tags),
    disableExecuteApiEndpoint: api.disableExecuteApiEndpoint,
    rootResourceId: api.rootResourceId,
    securityPolicy: (api.securityPolicy ?? undefined) as ApiGateway.SecurityPolicy | undefined,
    endpointAccessMode: (api.endpointAccessMode ?? undefined) as ApiGateway.EndpointAccessMode | undefined,
  };
}

/** AWS returns a policy's text with its quotes escaped once more; Terraform undoes that and fails on plain JSON. */
const escapeOnce = (policy: string): string => JSON.stringify(policy).slice(1, -1);

export function resourceToWire(resource: Resource): ApiGateway.Resource {
  return {
    id: resource.id,
    parentId: resource.parentId ?? undefined,
    pathPart: resource.pathPart ?? undefined,
    path: resource.path,
  };
}

/** Without `embedsMethods` a method is an empty object. */
export function resourceWithMethodsToWire(
  { resource, methods }: ResourceWithMethods,
  embedsMethods: boolean,
): ApiGateway.Resource {
  const wire = resourceToWire(resource);
  if (methods.length === 0) return wire;
  return {
    ...wire,
    resourceMethods: Object.fromEntries(methods.map((method) => [method.httpMethod, embedsMethods ? methodToWire(method) : {}])),
  };
}

export function methodToWire(method: Method): ApiGateway.Method {
  return {
    httpMethod: method.httpMethod,
    authorizationType: method.authorizationType,
    authorizerId: method.authorizerId ?? undefined,
    apiKeyRequired: method.apiKeyRequired,
    requestValidatorId: method.requestValidatorId ?? undefined,
    operationName: method.operationName ?? undefined,
    requestParameters: method.requestParameters ?? undefined,
    requestModels: method.requestModels ?? undefined,
    methodResponses: unlessNothing(mapValues(method.methodResponses, methodResponseToWire)),
    methodIntegration: method.integration === null ? undefined : integrationToWire(method.integration),
    authorizationScopes: unlessEmpty(method.authorizationScopes),
  };
}

export function methodResponseToWire(response: MethodResponse): ApiGateway.MethodResponse {
  return {
    statusCode: response.statusCode,
    responseParameters: response.responseParameters ?? undefined,
    responseModels: response.responseModels ?? undefined,
  };
}

export function integrationToWire(integration: Integration): ApiGateway.Integration {
  return {
    type: integration.type,
    httpMethod: integration.httpMethod ?? undefined,
    uri: integration.uri ?? undefined,
    connectionType: (integration.connectionType ?? undefined) as ApiGateway.ConnectionType | undefined,
    connectionId: integration.connectionId ?? undefined,
    credentials: integration.credentials ?? undefined,
    requestParameters: integration.requestParameters ?? undefined,
    requestTemplates: templatesToWire(integration.requestTemplates),
    passthroughBehavior: integration.passthroughBehavior,
    contentHandling: (integration.contentHandling ?? undefined) as ApiGateway.ContentHandlingStrategy | undefined,
    timeoutInMillis: integration.timeoutInMillis,
    cacheNamespace: integration.cacheNamespace,
    cacheKeyParameters: integration.cacheKeyParameters,
    integrationResponses: unlessNothing(mapValues(integration.integrationResponses, integrationResponseToWire)),
    tlsConfig: integration.tlsConfig ?? undefined,
    responseTransferMode: (integration.responseTransferMode ?? undefined) as ApiGateway.ResponseTransferMode | undefined,
    integrationTarget: integration.integrationTarget ?? undefined,
  };
}

export function integrationResponseToWire(response: IntegrationResponse): ApiGateway.IntegrationResponse {
  return {
    statusCode: response.statusCode,
    selectionPattern: response.selectionPattern ?? undefined,
    responseParameters: response.responseParameters ?? undefined,
    responseTemplates: templatesToWire(response.responseTemplates),
    contentHandling: (response.contentHandling ?? undefined) as ApiGateway.ContentHandlingStrategy | undefined,
  };
}

/** The encoder writes an empty template as `null`. */
function templatesToWire(templates: Integration['requestTemplates']): Readonly<Record<string, string>> | undefined {
  return templates === null ? undefined : mapValues(templates, (template) => template ?? '');
}

function mapValues<V, W>(map: Readonly<Record<string, V>>, change: (value: V) => W): Readonly<Record<string, W>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}

const unlessEmpty = <E>(list: readonly E[]): readonly E[] | undefined => (list.length === 0 ? undefined : list);
const unlessNothing = <V>(map: Readonly<Record<string, V>>): Readonly<Record<string, V>> | undefined =>
  Object.keys(map).length === 0 ? undefined : map;
