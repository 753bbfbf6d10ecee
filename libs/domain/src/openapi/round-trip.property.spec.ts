/**
 * Import, export, import: over generated documents. The exported document is a fixed point, and the API it makes is the API it was
 * made of: without the second an exporter that says nothing would pass.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readLocation, type DocumentationLocation, type DocumentationVersion } from '../api-parts/documentation.js';
import { AWS_QUOTAS } from '../tenancy/quotas.js';
import { freezeDefinition } from '../deployments/definition.js';
import type { RestApiDefinition } from '../deployments/deployment.js';
import { sampleRestApi } from '../rest-apis/samples.js';
import { assemble, type ApiState, type ImportMode } from './assemble.js';
import { exportOpenApi } from './export-document.js';
import type { JsonObject } from './export-json.js';
import { readExportExtensions, type ExportType } from './export-options.js';
import { documentText } from './export-text.js';
import { readOpenApi } from './read-document.js';
import { withImportedSettings } from './settings.js';
import { FUNCTION_URI, SAMPLE_API_ID as API, sampleDefinition } from './samples.js';

const EMPTY: ApiState = {
  resources: [{ apiId: API, id: 'root', parentId: null, pathPart: null, path: '/' }],
  methods: [],
  models: [],
  requestValidators: [],
  authorizers: [],
  gatewayResponses: [],
  documentationParts: [],
};

let idCount = 0;

/** The API that the document makes of what is there; as it would be deployed. */
function imported(
  document: unknown,
  present: RestApiDefinition | null = null,
  mode: ImportMode = 'overwrite',
): RestApiDefinition {
  const read = readOpenApi(document, { apiId: API, basePath: 'ignore' });
  const state = present === null ? EMPTY : { ...EMPTY, ...present, ...present.parts };
  const { state: made, warnings } = assemble(read, state, {
    mode,
    ignoresDocumentation: false,
    quotas: AWS_QUOTAS,
    newId: () => `id${idCount++}`,
  });
  expect(warnings).toEqual([]);
  const options = { mode, quotas: AWS_QUOTAS, endpointTypes: undefined, vpcEndpointIds: undefined };
  const api = withImportedSettings(present?.api ?? sampleRestApi({ id: API, rootResourceId: 'root' }), read, options);
  return freezeDefinition(api, made.resources, made.methods, made);
}

function exported(definition: RestApiDefinition, type: ExportType, extensions = 'apigateway'): JsonObject {
  return exportOpenApi({ definition, stageName: 'prod', documentation: null }, type, readExportExtensions(extensions));
}

/** What an API is, without the ids of its parts: those are the server's. */
function meaning({ api, resources, methods, parts }: RestApiDefinition): unknown {
  const paths = new Map(resources.map(({ id, path }) => [id, path]));
  const authorizers = new Map(parts!.authorizers.map(({ id, name }) => [id, name]));
  const validators = new Map(parts!.requestValidators.map(({ id, name }) => [id, name]));
  const byName = (list: readonly { readonly name: string | null }[]) =>
    list.map((part) => ({ ...part, id: null })).sort((a, b) => (a.name! < b.name! ? -1 : 1));
  return {
    api,
    paths: [...paths.values()],
    methods: methods.map((method) => ({
      ...method,
      resourceId: paths.get(method.resourceId),
      authorizerId: method.authorizerId === null ? null : authorizers.get(method.authorizerId),
      requestValidatorId: method.requestValidatorId === null ? null : validators.get(method.requestValidatorId),
      integration: {
        ...method.integration!,
        cacheNamespace: method.integration!.cacheNamespace === method.resourceId ? null : method.integration!.cacheNamespace,
      },
    })),
    models: parts!.models.map(({ id, schema, description }) => ({ id, schema: JSON.parse(schema) as unknown, description })),
    validators: byName(parts!.requestValidators),
    authorizers: byName(parts!.authorizers),
    gatewayResponses: parts!.gatewayResponses,
  };
}

// ---- documents ----

const MODELS = ['Pet', 'Toy', 'Shop'];
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const refTo = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

const schema = fc.letrec<{ any: object }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'xsmall', maxDepth: 3 },
    fc.constantFrom<object>({ type: 'string' }, { type: 'integer', minimum: 0 }, { enum: ['a', null] }),
    fc.constantFrom(...MODELS.map(refTo)),
    fc.record({ type: fc.constant('array'), items: tie('any') }),
    fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('name', '$ref2', 'constructor', 'a/b~c'), tie('any'), { minKeys: 1, maxKeys: 2 }),
    }),
  ),
})).any;
const model = fc
  .record({
    type: fc.constant('object'),
    title: optional(fc.constant('A title')),
    description: optional(fc.constant('What it is')),
    properties: fc.record({ id: schema }),
  })
  .map(said);

const AUTHORIZERS = {
  door: {
    type: 'apiKey',
    name: 'Authorization',
    in: 'header',
    'x-amazon-apigateway-authtype': 'custom',
    'x-amazon-apigateway-authorizer': { type: 'token', authorizerUri: FUNCTION_URI, authorizerResultTtlInSeconds: 5 },
  },
  window: {
    type: 'apiKey',
    name: 'Unused',
    in: 'header',
    'x-amazon-apigateway-authtype': 'oauth2',
    'x-amazon-apigateway-authorizer': {
      type: 'request',
      authorizerUri: FUNCTION_URI,
      identitySource: 'method.request.querystring.k, context.path',
      authorizerCredentials: 'arn:aws:iam::111111111111:role/r',
    },
  },
  pools: {
    type: 'apiKey',
    name: 'X-Token',
    in: 'header',
    'x-amazon-apigateway-authtype': 'cognito_user_pools',
    'x-amazon-apigateway-authorizer': {
      type: 'cognito_user_pools',
      providerARNs: ['arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_abc'],
    },
  },
  api_key: { type: 'apiKey', name: 'x-api-key', in: 'header' },
  sigv4: { type: 'apiKey', name: 'Authorization', in: 'header', 'x-amazon-apigateway-authtype': 'awsSigv4' },
};
const security = fc.constantFrom<object[]>(
  [],
  [{ door: [] }],
  [{ window: [] }, { api_key: [] }],
  [{ pools: ['read', 'write'] }],
  [{ sigv4: [] }],
  [{ sigv4: [] }, { api_key: [] }],
);

const TEMPLATE = '#set($x = $input.path("$.a"))\n{"a": "$x", "ü": "\\n\'"}';
const templates = fc.dictionary(
  fc.constantFrom('application/json', 'text/plain', '$default'),
  fc.constantFrom('', '{}', TEMPLATE),
  {
    maxKeys: 2,
    minKeys: 1,
  },
);
const backend = fc.oneof(
  fc.constant({ type: 'mock' }),
  fc.record({
    type: fc.constantFrom('http', 'http_proxy'),
    httpMethod: fc.constantFrom('GET', 'POST', 'ANY'),
    uri: fc.constantFrom('http://pets.example/x?y=1', 'https://${stageVariables.host}/a'),
    tlsConfig: optional(fc.record({ insecureSkipVerification: fc.boolean() })),
  }),
  fc.constant({ type: 'aws_proxy', httpMethod: 'POST', uri: FUNCTION_URI }),
);
const common = fc.record({
  passthroughBehavior: optional(fc.constantFrom('when_no_match', 'when_no_templates', 'never')),
  timeoutInMillis: optional(fc.constantFrom(50, 5_000, 29_000)),
  contentHandling: optional(fc.constantFrom('CONVERT_TO_TEXT', 'CONVERT_TO_BINARY')),
  requestTemplates: optional(templates),
  cacheNamespace: optional(fc.constant('shared')),
});

const query = fc.subarray(['page', 'q.1', '$x']);
const headers = fc.subarray(['X-Trace', 'accept-language']);
const STATUSES = ['200', '404', '500'];

/** An operation on a path with the variables. `types` of its bodies. */
function operation(variables: readonly string[], types: readonly string[]): fc.Arbitrary<object> {
  return fc
    .record({
      backend,
      common,
      query,
      headers,
      flag: fc.boolean(),
      operationId: optional(fc.constantFrom('list', 'a b', 'do-it')),
      body: optional(fc.constantFrom(...MODELS)),
      bodyTypes: fc.subarray([...types], { minLength: 1 }),
      statuses: fc.subarray(STATUSES),
      answer: optional(fc.constantFrom(...MODELS)),
      answerHeaders: fc.subarray(['X-Count', 'ETag']),
      mapped: fc.boolean(),
      validator: optional(fc.constantFrom('body only', 'all')),
      security,
    })
    .map((choice) => {
      const content = (name: string | undefined) =>
        name === undefined ? {} : Object.fromEntries(choice.bodyTypes.map((type) => [type, { schema: refTo(name) }]));
      const parameters = [
        ...choice.query.map((name) => ({ name, in: 'query', required: choice.flag, schema: { type: 'string' } })),
        ...choice.headers.map((name) => ({ name, in: 'header', schema: { type: 'string' } })),
        ...variables.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ];
      const responses = choice.statuses.map((status): [string, object] => [
        status,
        {
          description: 'x',
          headers: Object.fromEntries(choice.answerHeaders.map((name) => [name, { schema: { type: 'string' } }])),
          content: content(choice.answer),
        },
      ]);
      const integrationResponses = choice.statuses.map((statusCode, index): [string, object] => [
        index === 0 ? 'default' : `${statusCode}|4\\d{${index}}.*`,
        {
          statusCode,
          responseParameters: choice.mapped
            ? Object.fromEntries(choice.answerHeaders.map((name) => [`method.response.header.${name}`, "'x'"]))
            : undefined,
          responseTemplates: choice.mapped ? { 'application/json': TEMPLATE } : undefined,
        },
      ]);
      const sources = [...choice.query.map((name) => `querystring.${name}`), ...variables.map((name) => `path.${name}`)];
      return said({
        operationId: choice.operationId,
        parameters,
        requestBody: choice.body === undefined ? undefined : { content: content(choice.body) },
        responses: Object.fromEntries(responses),
        security: choice.security,
        'x-amazon-apigateway-request-validator': choice.validator,
        'x-amazon-apigateway-integration': said({
          ...choice.backend,
          ...choice.common,
          requestParameters: Object.fromEntries(sources.map((name) => [`integration.request.${name}`, `method.request.${name}`])),
          cacheKeyParameters: choice.mapped ? sources.map((name) => `method.request.${name}`) : undefined,
          responses: Object.fromEntries(integrationResponses.map(([pattern, response]) => [pattern, said(response)])),
        }),
      });
    });
}

const PATHS: Readonly<Record<string, readonly string[]>> = {
  '/': [],
  '/pets': [],
  '/pets/{petId}': ['petId'],
  '/pets/{petId}/toys/{toy-id}': ['petId', 'toy-id'],
  '/deep/{proxy+}': [],
  '/a.b-c_d': [],
};
const VERBS = ['get', 'post', 'put', 'delete', 'options', 'x-amazon-apigateway-any-method'];

function document(types: readonly string[]): fc.Arbitrary<object> {
  const item = (variables: readonly string[]): fc.Arbitrary<object> =>
    fc.dictionary(fc.constantFrom(...VERBS), operation(variables, types), { maxKeys: 2 });
  const paths = fc
    .record(Object.fromEntries(Object.entries(PATHS).map(([path, variables]) => [path, optional(item(variables))])))
    .map(said)
    .filter((all) => Object.values(all).some((methods) => Object.keys(methods as object).length > 0));
  return fc
    .record({
      openapi: fc.constant('3.0.1'),
      info: fc
        .record({
          title: fc.constantFrom('pets', 'ü "x"'),
          version: fc.constantFrom('1.0', ''),
          description: optional(fc.constant('d')),
        })
        .map(said),
      paths,
      components: fc.record({
        schemas: fc.record(Object.fromEntries(MODELS.map((name) => [name, model]))),
        securitySchemes: fc.constant(AUTHORIZERS),
      }),
      'x-amazon-apigateway-request-validators': fc.constant({
        all: { validateRequestBody: true, validateRequestParameters: true },
        'body only': { validateRequestBody: true, validateRequestParameters: false },
      }),
      'x-amazon-apigateway-gateway-responses': optional(
        fc.constant({
          THROTTLED: { statusCode: 420, responseParameters: { 'gatewayresponse.header.X-A': "'b'" } },
          DEFAULT_4XX: { responseTemplates: { 'application/json': '{}' } },
        }),
      ),
      'x-amazon-apigateway-policy': optional(
        fc.constant({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Principal: '*', Action: 'execute-api:Invoke', Resource: '*' }],
        }),
      ),
      'x-amazon-apigateway-binary-media-types': optional(fc.subarray(['image/png', '*/*'], { minLength: 1 })),
      'x-amazon-apigateway-minimum-compression-size': optional(fc.constantFrom(0, 1_024)),
      'x-amazon-apigateway-api-key-source': optional(fc.constantFrom('HEADER', 'AUTHORIZER')),
      servers: optional(
        fc.constant([{ url: 'https://x', 'x-amazon-apigateway-endpoint-configuration': { disableExecuteApiEndpoint: true } }]),
      ),
    })
    .map(said);
}

/** Without what was left out. */
function said(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}

describe.each([
  ['oas30', ['application/json', 'application/xml', 'text/plain; charset=utf-8']],
  // Swagger says the media types of an operation's answers together, so they are all of one.
  ['swagger', ['application/json']],
] as const)('%s', (type, types) => {
  test('an exported document makes the API it was made of, and is its own export', () => {
    fc.assert(
      fc.property(document(types), (original) => {
        const first = imported(original);
        const exportedFirst = exported(first, type);
        const second = imported(JSON.parse(documentText(exportedFirst, 'json')));
        expect(meaning(second)).toEqual(meaning(first));
        expect(exported(second, type)).toEqual(exportedFirst);
      }),
      { seed: 11, numRuns: 60 },
    );
  });

  test('put over the API it came of, it changes nothing, whichever mode and format', () => {
    fc.assert(
      fc.property(document(types), fc.constantFrom<ImportMode>('merge', 'overwrite'), (original, mode) => {
        const present = imported(original);
        const yaml = documentText(exported(present, type), 'yaml');
        expect(imported(parse(yaml), present, mode)).toEqual(present);
      }),
      { seed: 12, numRuns: 25 },
    );
  });
});

test('documentation that is listed comes back part by part', () => {
  const at = (location: Partial<DocumentationLocation>, properties: string): DocumentationVersion['parts'][number] => ({
    location: { type: 'API', path: null, method: null, statusCode: null, name: null, ...location },
    properties,
  });
  const parts = [
    at({}, '{"info":{"description":"d"},"x-a":1}'),
    at({ type: 'METHOD', path: '/pets', method: '*' }, '{"summary":"s"}'),
    at({ type: 'RESPONSE_HEADER', path: '/pets', method: 'GET', statusCode: '200', name: 'ETag' }, '{"description":"e"}'),
    at({ type: 'MODEL', name: 'Pet' }, '{"title":"P"}'),
  ];
  const documentation = { apiId: API, id: 'v1', description: null, createdAtMs: 0, parts };
  const source = { definition: sampleDefinition(), stageName: 'prod', documentation };
  const document = exportOpenApi(source, 'oas30', readExportExtensions('apigateway,documentation'));
  const { documentation: read } = readOpenApi(document, { apiId: API, basePath: 'ignore' });
  const back = (read ?? []).map(({ location, properties }) => ({ location: readLocation(location), properties }));
  expect(back).toEqual(parts);
});

test('an API made by single operations keeps its document through an import', () => {
  for (const type of ['oas30', 'swagger'] as const) {
    const first = exported(sampleDefinition(), type);
    const second = exported(imported(first), type);
    // A validator without a name goes by its id from then on; references into the middle of a model are written out.
    const third = exported(imported(second), type);
    expect(third).toEqual(second);
    expect({ ...second, definitions: null, components: null }).toEqual({ ...first, definitions: null, components: null });
  }
});
