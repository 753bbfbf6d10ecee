/**
 * A parsed Swagger 2.0 or OpenAPI 3 document as the requests that make the API it describes (control-plane reference 7.3, 7.4).
 *
 * Tolerant: what it does not know it passes over, what it cannot use it leaves out with a warning. It judges nothing that the
 * single operations judge: that is `assemble`'s, by their own rules. It reads no file and no address.
 */
import { ApiError } from '../errors.js';
import type { ValidatorEntry, ApiDocument, DocumentationEntry, MethodEntry, PathEntry, ReadOptions } from './api-document.js';
import { partsOf, pathPrefix } from './base-path.js';
import { readIntegration, readIntegrationResponses } from './integration.js';
import {
  asFlag,
  asNumber,
  asObject,
  asText,
  checkBounds,
  invalidDocument,
  type JsonObject,
  listOf,
  member,
  membersOf,
  textMap,
} from './json.js';
import { References } from './references.js';
import { Schemas } from './schemas.js';
import { type Access, SecuritySchemes } from './security.js';

const VERBS = ['get', 'put', 'post', 'delete', 'patch', 'options', 'head'];
const ANY_METHOD = 'x-amazon-apigateway-any-method';
const JSON_TYPE = 'application/json';
const LOCATIONS: Readonly<Record<string, string>> = { query: 'querystring', header: 'header', path: 'path' };
const ENDPOINT = 'x-amazon-apigateway-endpoint-configuration';

/** Throws BadRequest ("Invalid OpenAPI input.") for what is no document of a version that is read, or is too large to walk. */
export function readOpenApi(parsed: unknown, options: ReadOptions): ApiDocument {
  checkBounds(parsed);
  const root = asObject(parsed);
  if (root === null) throw invalidDocument();
  return new Reader(root, versionOf(root), options).read();
}

function versionOf(root: JsonObject): 2 | 3 {
  if (/^2(?:\.0)?$/.test(asText(root['swagger']) ?? '')) return 2;
  if (/^3\.\d+(?:\.\d+)?$/.test(asText(root['openapi']) ?? '')) return 3;
  throw invalidDocument();
}

class Reader {
  readonly #warnings = new Set<string>();
  readonly #errors: string[] = [];
  readonly #references: References;
  readonly #schemas: Schemas;
  readonly #security: SecuritySchemes;
  readonly #rootRequirements: number;

  constructor(
    private readonly root: JsonObject,
    private readonly version: 2 | 3,
    private readonly options: ReadOptions,
  ) {
    const warn = (warning: string) => this.#warn(warning);
    this.#references = new References(root);
    this.#schemas = new Schemas(this.#references, version === 2 ? 'definitions' : 'components/schemas', options.apiId, warn);
    const schemes = version === 2 ? 'securityDefinitions' : 'components/securitySchemes';
    this.#security = new SecuritySchemes(this.#references, schemes, warn);
    this.#rootRequirements = listOf(root['security']).reduce<number>((sum, entry) => sum + 1 + membersOf(entry).length, 0);
  }

  read(): ApiDocument {
    const paths = this.#paths();
    return {
      settings: this.#settings(),
      models: [...this.#schemas.named(), ...this.#schemas.inline()],
      requestValidators: this.#requestValidators(),
      authorizers: this.#security.authorizers(),
      gatewayResponses: membersOf(this.root['x-amazon-apigateway-gateway-responses']).map(([type, response]) => ({
        type,
        request: {
          statusCode: asText(member(response, 'statusCode')),
          responseParameters: textMap(member(response, 'responseParameters')),
          responseTemplates: textMap(member(response, 'responseTemplates')),
        },
      })),
      paths,
      documentation: readDocumentation(this.root),
      warnings: [...this.#warnings],
      errors: this.#errors,
    };
  }

  #warn(warning: string): void {
    this.#warnings.add(warning);
  }

  #settings(): ApiDocument['settings'] {
    const info = this.root['info'];
    const policy = this.root['x-amazon-apigateway-policy'];
    const endpoint = this.#endpoint();
    return {
      name: asText(member(info, 'title')),
      description: asText(member(info, 'description')),
      version: asText(member(info, 'version')),
      binaryMediaTypes: Array.isArray(this.root['x-amazon-apigateway-binary-media-types'])
        ? listOf(this.root['x-amazon-apigateway-binary-media-types']).filter((type) => typeof type === 'string')
        : undefined,
      minimumCompressionSize: asNumber(this.root['x-amazon-apigateway-minimum-compression-size']),
      apiKeySource: this.#apiKeySource(),
      policy: asObject(policy) === null ? asText(policy) : JSON.stringify(policy),
      endpointConfiguration: endpoint?.configuration,
      disableExecuteApiEndpoint: endpoint?.isDisabled,
      securityPolicy: asText(this.root['x-amazon-apigateway-security-policy']),
      endpointAccessMode: asText(this.root['x-amazon-apigateway-endpoint-access-mode']),
    };
  }

  #apiKeySource(): 'HEADER' | 'AUTHORIZER' | undefined {
    const said = asText(this.root['x-amazon-apigateway-api-key-source']);
    const source = said?.toUpperCase();
    if (source === 'HEADER' || source === 'AUTHORIZER' || source === undefined) return source;
    this.#errors.push(`Invalid API key source specified: ${said}. Valid options are HEADER,AUTHORIZER`);
    return undefined;
  }

  /** At the root in Swagger, at a server in OpenAPI 3; here in either place. */
  #endpoint(): {
    readonly configuration: NonNullable<ApiDocument['settings']['endpointConfiguration']>;
    readonly isDisabled: boolean | undefined;
  } | null {
    const stands = [this.root, ...listOf(this.root['servers'])].map((place) => asObject(member(place, ENDPOINT)));
    const said = stands.find((value) => value !== null);
    if (said === undefined || said === null) return null;
    const texts = (value: unknown): string[] | undefined =>
      value === undefined ? undefined : [value].flat().filter((entry) => typeof entry === 'string');
    return {
      configuration: {
        types: texts(said['types'])?.map((type) => type.toUpperCase()),
        ipAddressType: asText(said['ipAddressType']),
        vpcEndpointIds: texts(said['vpcEndpointIds']),
      },
      isDisabled: asFlag(said['disableExecuteApiEndpoint']),
    };
  }

  #requestValidators(): ValidatorEntry[] {
    return membersOf(this.root['x-amazon-apigateway-request-validators']).map(([name, validator]) => ({
      name,
      validateRequestBody: asFlag(member(validator, 'validateRequestBody')) ?? false,
      validateRequestParameters: asFlag(member(validator, 'validateRequestParameters')) ?? false,
    }));
  }

  #paths(): PathEntry[] {
    const prefix = pathPrefix(this.root, this.options.basePath);
    return membersOf(this.root['paths']).flatMap(([key, value]) => {
      if (key.startsWith('x-')) return [];
      const path = partsOf(`${prefix}/${key}`)
        .map((part) => `/${part}`)
        .join('');
      const item = this.#references.follow(value, 'paths');
      if (item === null && member(value, '$ref') !== undefined) this.#unresolved(value, `path '${key}'`);
      return [{ path: path === '' ? '/' : path, methods: this.#methods(path === '' ? '/' : path, item ?? {}) }];
    });
  }

  #unresolved(value: unknown, where: string): void {
    this.#warn(`Unable to resolve reference '${asText(member(value, '$ref'))}' of ${where}`);
  }

  #methods(path: string, item: JsonObject): MethodEntry[] {
    const methods: MethodEntry[] = [];
    for (const [key, value] of Object.entries(item)) {
      const operation = asObject(value);
      if (key === 'trace') this.#warn(`Method 'TRACE' of resource '${path}' is not supported`);
      if (operation === null || !(VERBS.includes(key) || key === ANY_METHOD)) continue;
      methods.push(this.#method(path, key === ANY_METHOD ? 'ANY' : key.toUpperCase(), operation, item['parameters']));
    }
    return methods;
  }

  #method(path: string, httpMethod: string, operation: JsonObject, shared: unknown): MethodEntry {
    const where = `method '${httpMethod}' of resource '${path}'`;
    this.#references.spend(this.#rootRequirements);
    const access = this.#security.accessOf(operation, this.root['security'], where);
    const parameters = this.#parameters(operation, shared, where);
    return {
      httpMethod,
      request: this.#request(path, operation, parameters, access, where),
      authorizerName: access.authorizerName,
      requestValidatorName:
        asText(operation['x-amazon-apigateway-request-validator']) ??
        asText(this.root['x-amazon-apigateway-request-validator']) ??
        null,
      responses: this.#responses(operation, where),
      ...this.#integration(path, httpMethod, operation),
    };
  }

  #request(
    path: string,
    operation: JsonObject,
    parameters: readonly JsonObject[],
    access: Access,
    where: string,
  ): MethodEntry['request'] {
    const flags = requestParameters(path, parameters);
    const models = this.#requestModels(operation, parameters, where);
    return {
      authorizationType: access.authorizationType,
      authorizationScopes: access.authorizationScopes,
      apiKeyRequired: access.apiKeyRequired,
      operationName: asText(operation['operationId']),
      requestParameters: Object.keys(flags).length === 0 ? undefined : flags,
      requestModels: Object.keys(models).length === 0 ? undefined : models,
    };
  }

  /** Those of the path and those of the operation, which win. */
  #parameters(operation: JsonObject, shared: unknown, where: string): JsonObject[] {
    const byKey = new Map<string, JsonObject>();
    for (const value of [...listOf(shared), ...listOf(operation['parameters'])]) {
      const parameter = this.#references.follow(value, this.version === 2 ? 'parameters' : 'components/parameters');
      if (parameter === null) this.#unresolved(value, where);
      else byKey.set(JSON.stringify([parameter['in'], parameter['name']]), parameter);
    }
    return [...byKey.values()];
  }

  #requestModels(operation: JsonObject, parameters: readonly JsonObject[], where: string): Record<string, string> {
    if (this.version === 3) {
      const body = operation['requestBody'];
      if (body === undefined) return {};
      const resolved = this.#references.follow(body, 'components/requestBodies');
      if (resolved === null) this.#unresolved(body, where);
      return this.#contentModels(member(resolved, 'content'), (schema) => this.#schemas.modelOfRequest(schema));
    }
    const body = parameters.find((parameter) => parameter['in'] === 'body');
    const model = body === undefined ? null : this.#schemas.modelOfRequest(body['schema']);
    return model === null ? {} : this.#forEachType(operation, 'consumes', model);
  }

  /** Swagger says the types of bodies apart from their schemas, and of all operations at once. */
  #forEachType(operation: JsonObject, member: 'consumes' | 'produces', model: string): Record<string, string> {
    const said = listOf(operation[member] ?? this.root[member]);
    this.#references.spend(said.length);
    const types = said.filter((type) => typeof type === 'string');
    return Object.fromEntries((types.length === 0 ? [JSON_TYPE] : types).map((type) => [type, model]));
  }

  #contentModels(content: unknown, modelOf: (schema: unknown) => string | null): Record<string, string> {
    return Object.fromEntries(
      membersOf(content).flatMap(([type, media]): [string, string][] => {
        const model = modelOf(member(media, 'schema'));
        return model === null ? [] : [[type, model]];
      }),
    );
  }

  #responses(operation: JsonObject, where: string): MethodEntry['responses'] {
    return membersOf(operation['responses']).flatMap(([statusCode, value]) => {
      if (statusCode === 'default' || statusCode.startsWith('x-')) return [];
      const response = this.#references.follow(value, this.version === 2 ? 'responses' : 'components/responses');
      if (response === null) this.#unresolved(value, `response ${statusCode} of ${where}`);
      const models = this.#responseModels(operation, response ?? {});
      const headers = membersOf(member(response, 'headers')).map(([name]): [string, boolean] => [
        `method.response.header.${name}`,
        false,
      ]);
      return [
        {
          statusCode,
          request: {
            responseParameters: headers.length === 0 ? undefined : Object.fromEntries(headers),
            responseModels: Object.keys(models).length === 0 ? undefined : models,
          },
        },
      ];
    });
  }

  #responseModels(operation: JsonObject, response: JsonObject): Record<string, string> {
    if (this.version === 3) return this.#contentModels(response['content'], (schema) => this.#schemas.modelOfResponse(schema));
    const model = this.#schemas.modelOfResponse(response['schema']);
    return model === null ? {} : this.#forEachType(operation, 'produces', model);
  }

  #integration(
    path: string,
    httpMethod: string,
    operation: JsonObject,
  ): Pick<MethodEntry, 'integration' | 'integrationResponses'> {
    const extension = this.#references.follow(
      operation['x-amazon-apigateway-integration'],
      'components/x-amazon-apigateway-integrations',
    );
    if (extension === null || Object.keys(extension).length === 0) return { integration: null, integrationResponses: [] };
    const warn = (warning: string) => this.#warn(warning);
    try {
      return {
        integration: readIntegration(extension, path, httpMethod, warn),
        integrationResponses: readIntegrationResponses(
          extension['responses'],
          `method '${httpMethod}' of resource '${path}'`,
          warn,
        ),
      };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#errors.push(`Unable to put integration on '${httpMethod}' for resource at path '${path}': ${error.message}`);
      return { integration: null, integrationResponses: [] };
    }
  }
}

/** Declared ones, and those the path holds: `/{proxy+}` does not count as one. */
function requestParameters(path: string, parameters: readonly JsonObject[]): Record<string, boolean> {
  const declared = parameters.flatMap((parameter): [string, boolean][] => {
    const name = asText(parameter['name']);
    const kind = asText(parameter['in']) ?? '';
    const location = Object.hasOwn(LOCATIONS, kind) ? LOCATIONS[kind] : undefined;
    if (name === undefined || location === undefined) return [];
    return [[`method.request.${location}.${name}`, location === 'path' || asFlag(parameter['required']) === true]];
  });
  const inPath = partsOf(path).flatMap((part): [string, boolean][] => {
    const name = /^\{([^{}+]+)\}$/.exec(part)?.[1];
    return name === undefined ? [] : [[`method.request.path.${name}`, true]];
  });
  return Object.fromEntries([...inPath, ...declared]);
}

/** `null`: the document has no such extension. */
export function readDocumentation(root: unknown): DocumentationEntry[] | null {
  const extension = asObject(member(root, 'x-amazon-apigateway-documentation'));
  if (extension === null) return null;
  return listOf(extension['documentationParts']).map((part) => {
    const location = member(part, 'location');
    const properties = member(part, 'properties');
    return {
      location: {
        type: (asText(member(location, 'type')) ?? '').toUpperCase(),
        path: asText(member(location, 'path')),
        method: asText(member(location, 'method')),
        statusCode: asText(member(location, 'statusCode')),
        name: asText(member(location, 'name')),
      },
      properties: typeof properties === 'string' ? properties : JSON.stringify(properties ?? {}),
    };
  });
}
