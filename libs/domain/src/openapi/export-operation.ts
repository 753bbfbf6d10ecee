import type { RequestValidator } from '../api-parts/request-validator.js';
import type { Method, MethodResponse, Resource, TextMap } from '../rest-apis/rest-api.js';
import type { ExportDocumentation } from './export-documentation.js';
import { exportIntegration } from './export-integration.js';
import { fromPairs, present, sortedEntries, unlessEmpty, type Json, type JsonObject } from './export-json.js';
import type { ExportExtensions, ExportType } from './export-options.js';
import { schemaPointer } from './export-schema.js';
import type { ExportSecurity } from './export-security.js';

/** What the operations of one document have in common. */
export interface OperationContext {
  readonly type: ExportType;
  readonly extensions: ExportExtensions;
  readonly documentation: ExportDocumentation;
  readonly security: ExportSecurity;
  /** The name under which the document lists a validator; `undefined` for one that it does not list. */
  readonly validatorName: (id: RequestValidator['id']) => string | undefined;
}

/** The key of a path item. */
export function exportVerb(httpMethod: string): string {
  return httpMethod === 'ANY' ? 'x-amazon-apigateway-any-method' : httpMethod.toLowerCase();
}

export function exportOperation(method: Method, resource: Resource, context: OperationContext): JsonObject {
  const { type, extensions, documentation, security } = context;
  const isSwagger = type === 'swagger';
  const parameters = [
    ...exportParameters(method, resource, context),
    ...(isSwagger ? swaggerBody(method, resource, context) : []),
  ];
  const { integration, requestValidatorId } = method;
  return present({
    ...documentation.about('METHOD', { path: resource.path, method: method.httpMethod }),
    operationId: method.operationName ?? undefined,
    consumes: isSwagger ? mediaTypes([method.requestModels]) : undefined,
    produces: isSwagger
      ? mediaTypes(Object.values(method.methodResponses).map(({ responseModels }) => responseModels))
      : undefined,
    parameters: parameters.length === 0 ? undefined : parameters,
    requestBody: isSwagger ? undefined : requestBody(method, resource, context),
    responses: exportResponses(method, resource, context),
    security: security.requirementsOf(method),
    'x-amazon-apigateway-request-validator':
      extensions.validators && requestValidatorId !== null ? context.validatorName(requestValidatorId) : undefined,
    'x-amazon-apigateway-integration':
      extensions.integrations && integration !== null ? exportIntegration(integration, resource) : undefined,
  });
}

const LOCATIONS = [
  { location: 'path', in: 'path', documented: 'PATH_PARAMETER' },
  { location: 'querystring', in: 'query', documented: 'QUERY_PARAMETER' },
  { location: 'header', in: 'header', documented: 'REQUEST_HEADER' },
] as const;

/**
 * By place, then name. A variable of the path is a parameter whether the method says so or not: a document is not valid
 * without, and an import adds it. A greedy one is no variable to OpenAPI, so it is there when the method says so.
 */
function exportParameters(
  { requestParameters, httpMethod }: Method,
  { path }: Resource,
  { type, documentation }: OperationContext,
): JsonObject[] {
  const variables = [...path.matchAll(/\{([^}+]+)\}/g)].map(([, name]): [string, boolean] => [
    `method.request.path.${name}`,
    true,
  ]);
  const declared = { ...Object.fromEntries(variables), ...requestParameters };
  return LOCATIONS.flatMap(({ location, in: place, documented }) => {
    const prefix = `method.request.${location}.`;
    const ofPlace = sortedEntries(declared).filter(([name]) => name.startsWith(prefix));
    return ofPlace.map(([parameter, isRequired]) => {
      const name = parameter.slice(prefix.length);
      const required = place === 'path' || isRequired;
      return present({
        name,
        in: place,
        ...documentation.about(documented, { path, method: httpMethod, name }),
        // Swagger's writer always says it, OpenAPI's only when it is so.
        required: type === 'swagger' || required ? required : undefined,
        ...stringSchema(type),
      });
    });
  });
}

function stringSchema(type: ExportType): JsonObject {
  return type === 'swagger' ? { type: 'string' } : { schema: { type: 'string' } };
}

/** Swagger has one schema for all media types of a body. */
function swaggerBody(method: Method, { path }: Resource, { documentation, type }: OperationContext): JsonObject[] {
  const name = mainModel(method.requestModels);
  if (name === undefined) return [];
  const about = documentation.about('REQUEST_BODY', { path, method: method.httpMethod });
  return [{ in: 'body', name, ...about, required: true, schema: reference(type, name) }];
}

function requestBody(method: Method, { path }: Resource, { documentation, type }: OperationContext): JsonObject | undefined {
  const content = exportContent(method.requestModels, type);
  if (Object.keys(content).length === 0) return undefined;
  return { ...documentation.about('REQUEST_BODY', { path, method: method.httpMethod }), content, required: true };
}

function exportResponses(method: Method, resource: Resource, context: OperationContext): JsonObject {
  return fromPairs(
    sortedEntries(method.methodResponses).map(([statusCode, response]) => [
      statusCode,
      exportResponse(response, { path: resource.path, method: method.httpMethod, statusCode }, context),
    ]),
  );
}

function exportResponse(
  { statusCode, responseModels, responseParameters }: MethodResponse,
  where: { readonly path: string; readonly method: string; readonly statusCode: string },
  { type, documentation }: OperationContext,
): JsonObject {
  const headers = sortedEntries(responseParameters).map(([parameter]): [string, Json] => {
    const name = parameter.slice('method.response.header.'.length);
    return [name, { ...documentation.about('RESPONSE_HEADER', { ...where, name }), ...stringSchema(type) }];
  });
  const model = mainModel(responseModels);
  return present({
    description: `${statusCode} response`,
    ...documentation.about('RESPONSE', where),
    headers: unlessEmpty(fromPairs(headers)),
    schema: type === 'swagger' && model !== undefined ? reference(type, model) : undefined,
    content: type === 'swagger' ? undefined : exportContent(responseModels, type),
  });
}

function exportContent(models: TextMap | null, type: ExportType): JsonObject {
  return fromPairs(sortedEntries(models).map(([contentType, name]) => [contentType, { schema: reference(type, name) }]));
}

function reference(type: ExportType, model: string): JsonObject {
  return { $ref: schemaPointer(type, model) };
}

/** The model of JSON bodies, or of the first media type there is. */
function mainModel(models: TextMap | null): string | undefined {
  const entries = sortedEntries(models);
  return (entries.find(([contentType]) => contentType === 'application/json') ?? entries[0])?.[1];
}

function mediaTypes(maps: readonly (TextMap | null)[]): string[] | undefined {
  const types = new Set(maps.flatMap((map) => Object.keys(map ?? {})));
  return types.size === 0 ? undefined : [...types].sort();
}
