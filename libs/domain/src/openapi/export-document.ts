/**
 * A frozen API as an OpenAPI document (control-plane reference 7.5): `exportOpenApi` is what GetExport answers.
 *
 *   definition (deployment) --+
 *   stage name ---------------+--> document --> JSON or YAML (export-text.ts)
 *   documentation version ----+
 *
 * Equal definitions give equal documents: everything is in the order of its name. With the extensions `integrations` and
 * `authorizers` an import of the document gives an API whose own export is the same document. What a document cannot say is lost:
 * see README.md.
 */
import type { GatewayResponse } from '../api-parts/gateway-response.js';
import type { RequestValidator } from '../api-parts/request-validator.js';
import type { DocumentationVersion } from '../api-parts/documentation.js';
import type { DeployedParts, RestApiDefinition } from '../deployments/deployment.js';
import type { Method, Resource, RestApi, TextMap } from '../rest-apis/rest-api.js';
import { ExportDocumentation, isoSeconds } from './export-documentation.js';
import { fromPairs, parsedOr, present, sortedEntries, unlessEmpty, type Json, type JsonObject } from './export-json.js';
import { exportOperation, exportVerb, type OperationContext } from './export-operation.js';
import type { ExportExtensions, ExportType } from './export-options.js';
import { exportSchemas } from './export-schema.js';
import { exportSecurity } from './export-security.js';

export interface ExportSource {
  readonly definition: RestApiDefinition;
  /** `null`: a deployment by itself; the document then names no base path. */
  readonly stageName: string | null;
  /** What the stage shows, not what the working copy has. */
  readonly documentation: DocumentationVersion | null;
}

const NO_PARTS: DeployedParts = { models: [], requestValidators: [], authorizers: [], gatewayResponses: [] };

export function exportOpenApi(source: ExportSource, type: ExportType, extensions: ExportExtensions): JsonObject {
  const { api, methods, parts = NO_PARTS } = source.definition;
  const documentation = new ExportDocumentation(source.documentation);
  const validators = namedValidators(parts.requestValidators);
  const security = exportSecurity(methods, parts.authorizers, extensions);
  const context: OperationContext = {
    type,
    extensions,
    documentation,
    security,
    validatorName: (id) => validators.get(id)?.name,
  };
  const schemas = documentedSchemas(exportSchemas(parts.models, type), documentation);
  const schemes = fromPairs(
    Object.entries(security.schemes).map(([name, scheme]) => [
      name,
      { ...documentation.about('AUTHORIZER', { name }), ...(scheme as JsonObject) },
    ]),
  );
  return present({
    ...(type === 'swagger' ? { swagger: '2.0' } : { openapi: '3.0.1' }),
    info: exportInfo(api, documentation),
    ...documentation.about('API'),
    ...(type === 'swagger'
      ? swaggerPlace(api, source.stageName, extensions)
      : { servers: [server(api, source.stageName, extensions)] }),
    paths: exportPaths(source.definition.resources, methods, context),
    ...(type === 'swagger'
      ? { securityDefinitions: unlessEmpty(schemes), definitions: unlessEmpty(schemas) }
      : { components: present({ schemas: unlessEmpty(schemas), securitySchemes: unlessEmpty(schemes) }) }),
    ...(extensions.integrations ? rootExtensions(api, parts.gatewayResponses) : {}),
    'x-amazon-apigateway-request-validators': extensions.validators ? exportValidators([...validators.values()]) : undefined,
    'x-amazon-apigateway-documentation': extensions.documentation ? documentation.listed() : undefined,
  });
}

/** The version of a document: the API's own, or the day it was made. */
export function exportVersion({ version, createdAtMs }: RestApi): string {
  return version ?? isoSeconds(createdAtMs);
}

function exportInfo(api: RestApi, documentation: ExportDocumentation): JsonObject {
  return present({
    description: api.description ?? undefined,
    ...documentation.info(),
    version: exportVersion(api),
    title: api.name,
  });
}

function hostOf({ id, region }: RestApi): string {
  return `${id}.execute-api.${region}.amazonaws.com`;
}

function swaggerPlace(api: RestApi, stageName: string | null, extensions: ExportExtensions): Record<string, Json | undefined> {
  return {
    host: hostOf(api),
    basePath: stageName === null ? undefined : `/${stageName}`,
    schemes: ['https'],
    'x-amazon-apigateway-endpoint-configuration': endpointConfiguration(api, extensions),
  };
}

function server(api: RestApi, stageName: string | null, extensions: ExportExtensions): JsonObject {
  const url = `https://${hostOf(api)}`;
  return present({
    ...(stageName === null ? { url } : { url: `${url}/{basePath}`, variables: { basePath: { default: stageName } } }),
    'x-amazon-apigateway-endpoint-configuration': endpointConfiguration(api, extensions),
  });
}

/** AWS leaves the type to whoever imports. That of a private API is said: its VPC endpoints mean nothing without. */
function endpointConfiguration(api: RestApi, { integrations }: ExportExtensions): JsonObject | undefined {
  const { vpcEndpointIds, types } = api.endpointConfiguration;
  if (!integrations) return undefined;
  return unlessEmpty(
    present({
      disableExecuteApiEndpoint: api.disableExecuteApiEndpoint ? true : undefined,
      types: vpcEndpointIds.length === 0 ? undefined : types,
      vpcEndpointIds: vpcEndpointIds.length === 0 ? undefined : vpcEndpointIds,
    }),
  );
}

/** Resources that only lead to others are not listed: an import makes them again. */
function exportPaths(resources: readonly Resource[], methods: readonly Method[], context: OperationContext): JsonObject {
  const methodsOf = Map.groupBy(methods, ({ resourceId }) => resourceId);
  const parents = new Set(resources.map(({ parentId }) => parentId));
  return fromPairs(
    [...resources]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .filter(({ id, parentId }) => methodsOf.has(id) || (parentId !== null && !parents.has(id)))
      .map((resource) => [resource.path, exportPathItem(resource, methodsOf.get(resource.id) ?? [], context)]),
  );
}

function exportPathItem(resource: Resource, methods: readonly Method[], context: OperationContext): JsonObject {
  const operations = [...methods]
    .sort((a, b) => (a.httpMethod < b.httpMethod ? -1 : 1))
    .map((method): [string, Json] => [exportVerb(method.httpMethod), exportOperation(method, resource, context)]);
  return { ...fromPairs(operations), ...context.documentation.about('RESOURCE', { path: resource.path }) };
}

function documentedSchemas(schemas: JsonObject, documentation: ExportDocumentation): JsonObject {
  return fromPairs(
    Object.entries(schemas).map(([name, schema]) => [
      name,
      { ...(schema as JsonObject), ...documentation.about('MODEL', { name }) },
    ]),
  );
}

interface NamedValidator {
  readonly name: string;
  readonly validator: RequestValidator;
}

/** By id. A document knows validators by name; one whose name is not its own goes by its id. */
function namedValidators(validators: readonly RequestValidator[]): ReadonlyMap<string, NamedValidator> {
  const named = new Map<string, NamedValidator>();
  const taken = new Set<string>();
  for (const validator of validators) {
    const name = validator.name === null || taken.has(validator.name) ? validator.id : validator.name;
    taken.add(name);
    named.set(validator.id, { name, validator });
  }
  return named;
}

function exportValidators(named: readonly NamedValidator[]): JsonObject | undefined {
  const entries = named.map(({ name, validator }): [string, Json] => [
    name,
    {
      validateRequestParameters: validator.validateRequestParameters,
      validateRequestBody: validator.validateRequestBody,
    },
  ]);
  return unlessEmpty(fromPairs(sortedEntries(Object.fromEntries(entries))));
}

/** What an import would set by itself is left out. */
function rootExtensions(api: RestApi, gatewayResponses: readonly GatewayResponse[]): Record<string, Json | undefined> {
  return {
    'x-amazon-apigateway-api-key-source': api.apiKeySource === 'HEADER' ? undefined : api.apiKeySource,
    'x-amazon-apigateway-binary-media-types': api.binaryMediaTypes.length === 0 ? undefined : api.binaryMediaTypes,
    'x-amazon-apigateway-gateway-responses': unlessEmpty(exportGatewayResponses(gatewayResponses)),
    'x-amazon-apigateway-minimum-compression-size': api.minimumCompressionSize ?? undefined,
    'x-amazon-apigateway-policy': api.policy === null ? undefined : parsedOr(api.policy),
    'x-amazon-apigateway-security-policy': api.securityPolicy ?? undefined,
    'x-amazon-apigateway-endpoint-access-mode': api.endpointAccessMode ?? undefined,
  };
}

function exportGatewayResponses(responses: readonly GatewayResponse[]): JsonObject {
  const entries = responses.map((response): [string, Json] => [
    response.id,
    present({
      statusCode: response.statusCode ?? undefined,
      responseParameters: textMap(response.responseParameters),
      responseTemplates: textMap(response.responseTemplates),
    }),
  ]);
  return fromPairs(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A map that was given empty is not one that was not given. */
function textMap(map: TextMap | null): JsonObject | undefined {
  return map === null ? undefined : fromPairs(sortedEntries(map));
}
