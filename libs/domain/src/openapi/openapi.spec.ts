import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../errors.js';
import { AWS_QUOTAS } from '../tenancy/quotas.js';
import { assemble, type ApiState, type AssembleOptions } from './assemble.js';
import { openApiText } from './json.js';
import { readOpenApi } from './read-document.js';
import type { ApiDocument, BasePathMode, MethodEntry } from './api-document.js';

const API = 'api1234567';

function swagger(members: object): object {
  return { swagger: '2.0', info: { title: 'pets' }, ...members };
}

function openapi(members: object): object {
  return { openapi: '3.0.1', info: { title: 'pets' }, ...members };
}

function read(document: unknown, basePath: BasePathMode = 'ignore'): ApiDocument {
  return readOpenApi(document, { apiId: API, basePath });
}

const EMPTY: ApiState = {
  resources: [{ apiId: API, id: 'root', parentId: null, pathPart: null, path: '/' }],
  methods: [],
  models: [],
  requestValidators: [],
  authorizers: [],
  gatewayResponses: [],
  documentationParts: [],
};

function imported(document: unknown, present: ApiState = EMPTY, options: Partial<AssembleOptions> = {}): ApiState {
  let next = 0;
  const newId = () => `new${next++}`;
  return assemble(read(document), present, {
    mode: 'overwrite',
    ignoresDocumentation: false,
    quotas: AWS_QUOTAS,
    newId,
    ...options,
  }).state;
}

describe('models', () => {
  const $ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
  const withSchemas = (schemas: object) => openapi({ paths: {}, components: { schemas } });

  it('may refer to one another in any order, and in circles', () => {
    const { models } = imported(withSchemas({ A: { items: $ref('B') }, B: { properties: { a: $ref('A'), b: $ref('B') } } }));
    expect(models.map(({ id }) => id).sort()).toEqual(['A', 'B']);
  });

  it('that are no draft-04 schemas are all named', () => {
    const broken = withSchemas({
      Good: { type: 'string' },
      Bad: { pattern: '(?!x)' },
      Worse: { properties: { a: { minLength: -1 } } },
    });
    const form = (error: string): string =>
      `Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. ${error}]`;
    expect(() => imported(broken)).toThrow(
      `Errors found during import: Unable to create model 'Bad': ${form('#/pattern: invalid pattern: look-ahead is not supported, at character 2')}` +
        `\tUnable to create model 'Worse': ${form('#/properties/a/minLength: expected a whole number of 0 or more')}`,
    );
  });
});

describe('a document', () => {
  it.each([
    ['text', 'hello'],
    ['a list', []],
    ['nothing', null],
    ['an object without a version', { info: {} }],
    ['Swagger 1.2', { swagger: '1.2' }],
    ['OpenAPI 4', { openapi: '4.0.0' }],
  ])('that is %s is refused', (_name, document) => {
    expect(() => read(document)).toThrow('Invalid OpenAPI input.');
  });

  it.each([['2.0'], [2]])('of Swagger %s is read', (version) => {
    expect(read({ swagger: version, info: { title: 'a', version: 1 } }).settings).toMatchObject({ name: 'a', version: '1' });
  });

  it.each([['3.0.1'], ['3.1.0']])('of OpenAPI %s is read', (version) => {
    expect(read({ openapi: version, info: { title: 'a', description: 'b' } }).settings).toMatchObject({
      name: 'a',
      description: 'b',
    });
  });

  it('larger than 6 MB, or no UTF-8, is refused', () => {
    expect(() => openApiText(new Uint8Array(6 * 1024 * 1024 + 1))).toThrow('Invalid OpenAPI input.');
    expect(() => openApiText(Uint8Array.of(0xff, 0xfe))).toThrow('Invalid OpenAPI input.');
  });

  it('that nests deeper than anybody can walk is refused', () => {
    expect(() => read(JSON.parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`))).toThrow('Invalid OpenAPI input.');
  });

  it('whose shared values would unfold without end is refused', () => {
    let value: unknown = ['lol'];
    for (let level = 0; level < 30; level++) value = Array.from({ length: 10 }, () => value);
    expect(() => read(swagger({ 'x-bomb': value }))).toThrow('Invalid OpenAPI input.');
  });

  it.each<[string, object]>([
    [
      'parameters',
      { 'x-item': { parameters: Array.from({ length: 50_000 }, (_, i) => ({ name: `q${i}`, in: 'query' })), get: {} } },
    ],
    [
      'media types',
      {
        consumes: Array.from({ length: 50_000 }, (_, i) => `a/${i}`),
        'x-item': { get: { parameters: [{ in: 'body', name: 'b', schema: { type: 'object' } }] } },
      },
    ],
    ['requirements', { security: Array.from({ length: 50_000 }, () => ({ a: [] })), 'x-item': { get: {} } }],
  ])('in which ten thousand paths name the same many %s is refused', (_name, members) => {
    const paths = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`/p${index}`, { $ref: '#/x-item' }]));
    expect(() => read(swagger({ ...members, paths }))).toThrow('Invalid OpenAPI input.');
  });

  it('whose references quote one another without end is refused', () => {
    const quoting = (level: number) => ({
      properties: Object.fromEntries(
        Array.from({ length: 10 }, (_, index) => [`p${index}`, { $ref: `#/x-parts/${level + 1}/schema` }]),
      ),
    });
    const parts = Array.from({ length: 12 }, (_, level) => ({ schema: quoting(level) }));
    expect(() => read(swagger({ 'x-parts': parts, definitions: { Bomb: parts[0]!.schema } }))).toThrow('Invalid OpenAPI input.');
  });
});

describe('paths', () => {
  const paths = { '/test': { get: {} } };
  const server = (url: string, variables: object = {}) => openapi({ paths, servers: [{ url, variables }] });

  it.each<[string, object, BasePathMode, string]>([
    ['Swagger, ignored', swagger({ basePath: '/a/b/c', paths }), 'ignore', '/test'],
    ['Swagger, prepended', swagger({ basePath: '/a/b/c', paths }), 'prepend', '/a/b/c/test'],
    ['Swagger, split', swagger({ basePath: '/a/b/c', paths }), 'split', '/b/c/test'],
    ['Swagger, split of one part', swagger({ basePath: '/base', paths }), 'split', '/test'],
    ['a server variable', server('https://h/{basePath}', { basePath: { default: 'a/b' } }), 'prepend', '/a/b/test'],
    [
      'a server variable that the address does not mention',
      server('https://h/x', { basePath: { default: '/a' } }),
      'prepend',
      '/a/test',
    ],
    ['an address with a path', server('https://h.example/v1/'), 'prepend', '/v1/test'],
    ['an address without a path', server('https://h.example'), 'prepend', '/test'],
    ['a relative address', server('/v2'), 'prepend', '/v2/test'],
  ])('%s', (_name, document, mode, path) => {
    expect(read(document, mode).paths.map((entry) => entry.path)).toEqual([path]);
  });

  it('make the resources above them, and stand where the API says they can', () => {
    const state = imported(swagger({ paths: { '/a/{id}/b': { get: {} }, '/a/': { post: {} }, '/': { get: {} } } }));
    expect(state.resources.map(({ path }) => path)).toEqual(['/', '/a', '/a/{id}', '/a/{id}/b']);
    expect(state.methods.map(({ httpMethod }) => httpMethod)).toEqual(['GET', 'POST', 'GET']);
    expect(() => imported(swagger({ paths: { '/a/{id}': {}, '/a/{name}': {} } }))).toThrow(
      "Errors found during import: Unable to create resource at path '/a/{name}': A sibling ({id}) of this resource already has a variable path part -- only one is allowed",
    );
  });

  it('that mean the same are one resource: the last method stays, and the document is told', () => {
    const document = swagger({ paths: { '/a': { get: { operationId: 'first' } }, '/a/': { get: { operationId: 'last' } } } });
    const options = { mode: 'overwrite', ignoresDocumentation: false, quotas: AWS_QUOTAS, newId: () => 'new' } as const;
    const { state, warnings } = assemble(read(document), EMPTY, options);
    expect(state.methods.map(({ operationName }) => operationName)).toEqual(['last']);
    expect(warnings).toEqual(["Method 'GET' of resource '/a' is defined more than once"]);
  });

  it('stop at the quota, with its own error', () => {
    const paths = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`/p${index}`, {}]));
    expect(() => imported(swagger({ paths }))).toThrow(
      expect.objectContaining({ status: 429, message: expect.stringMatching(/^Maximum number of Resources/) as unknown }),
    );
    expect(imported(swagger({ paths }), EMPTY, { quotas: { ...AWS_QUOTAS, resources: 301 } }).resources).toHaveLength(301);
  });
});

describe('an operation', () => {
  const methodOf = (operation: object, members: object = {}, version: (members: object) => object = swagger): MethodEntry =>
    read(version({ ...members, paths: { '/pets/{id}': { get: operation } } })).paths[0]!.methods[0]!;
  const own = { 'method.request.path.id': true };

  it.each<[string, object, object]>([
    ['query', { name: 'q', in: 'query', required: true }, { ...own, 'method.request.querystring.q': true }],
    ['query, not required', { name: 'q', in: 'query' }, { ...own, 'method.request.querystring.q': false }],
    ['header', { name: 'X-A', in: 'header', required: 'true' }, { ...own, 'method.request.header.X-A': true }],
    ['path', { name: 'id', in: 'path' }, own],
    ['cookie', { name: 'c', in: 'cookie', required: true }, own],
    ['formData', { name: 'f', in: 'formData' }, own],
    ['a reference', { $ref: '#/parameters/shared' }, { ...own, 'method.request.querystring.s': false }],
  ])('has the parameter: %s', (_name, parameter, requestParameters) => {
    const members = { parameters: { shared: { name: 's', in: 'query' } } };
    expect(methodOf({ parameters: [parameter] }, members).request).toMatchObject({ requestParameters });
  });

  it('has the parameters of its path, and its own before them', () => {
    const parameters = [
      { name: 'a', in: 'query' },
      { name: 'b', in: 'query' },
    ];
    const get = { parameters: [{ name: 'a', in: 'query', required: true }] };
    expect(read(swagger({ paths: { '/x': { parameters, get } } })).paths[0]!.methods[0]!.request.requestParameters).toEqual({
      'method.request.querystring.a': true,
      'method.request.querystring.b': false,
    });
  });

  it('below a greedy path has no parameter of it unless it says so', () => {
    const greedy = (operation: object) => read(swagger({ paths: { '/{proxy+}': { get: operation } } })).paths[0]!.methods[0]!;
    expect(greedy({}).request.requestParameters).toBeUndefined();
    expect(greedy({ parameters: [{ name: 'proxy', in: 'path' }] }).request.requestParameters).toEqual({
      'method.request.path.proxy': true,
    });
  });

  it('may be for any method; keys that are no methods are passed over', () => {
    const item = { 'x-amazon-apigateway-any-method': {}, head: {}, summary: 'x', description: {}, servers: [], trace: {} };
    const { paths, warnings } = read(swagger({ paths: { '/a': item, 'x-note': {} } }));
    expect(paths.map(({ methods }) => methods.map(({ httpMethod }) => httpMethod))).toEqual([['ANY', 'HEAD']]);
    expect(warnings).toEqual(["Method 'TRACE' of resource '/a' is not supported"]);
  });

  it.each<[string, (members: object) => object, object, object | undefined]>([
    [
      'a body parameter',
      swagger,
      { parameters: [{ in: 'body', name: 'b', schema: { $ref: '#/definitions/Pet' } }] },
      { 'application/json': 'Pet' },
    ],
    [
      'a short reference',
      swagger,
      { parameters: [{ in: 'body', name: 'b', schema: { $ref: 'Pet' } }] },
      { 'application/json': 'Pet' },
    ],
    [
      'what it consumes',
      swagger,
      { consumes: ['text/a', 'text/b'], parameters: [{ in: 'body', name: 'b', schema: { $ref: '#/definitions/Pet' } }] },
      { 'text/a': 'Pet', 'text/b': 'Pet' },
    ],
    ['an empty schema', swagger, { parameters: [{ in: 'body', name: 'b', schema: {} }] }, undefined],
    [
      'a request body',
      openapi,
      { requestBody: { content: { 'text/a': { schema: { $ref: '#/components/schemas/Pet' } }, 'text/b': {} } } },
      { 'text/a': 'Pet' },
    ],
    [
      'a referenced request body',
      openapi,
      { requestBody: { $ref: '#/components/requestBodies/pet' } },
      { 'application/json': 'Pet' },
    ],
  ])('has the request model of %s', (_name, version, operation, requestModels) => {
    const Pet = { type: 'object' };
    const pet = { content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } } };
    const members = { definitions: { Pet }, components: { schemas: { Pet }, requestBodies: { pet } } };
    expect(methodOf(operation, members, version).request.requestModels).toEqual(requestModels);
  });

  it.each<[string, (members: object) => object, object, object[]]>([
    ['a status', swagger, { 200: {} }, [{ statusCode: '200', request: {} }]],
    ['default is none', swagger, { default: {}, 'x-a': {} }, []],
    [
      'headers',
      swagger,
      { 200: { headers: { 'X-A': {} } } },
      [{ statusCode: '200', request: { responseParameters: { 'method.response.header.X-A': false } } }],
    ],
    [
      'a schema',
      swagger,
      { 200: { schema: { $ref: '#/definitions/Pet' } } },
      [{ statusCode: '200', request: { responseModels: { 'application/json': 'Pet' } } }],
    ],
    ['a primitive schema is none', swagger, { 200: { schema: { type: 'string' } } }, [{ statusCode: '200', request: {} }]],
    ['a file is none', swagger, { 200: { schema: { type: 'file' } } }, [{ statusCode: '200', request: {} }]],
    [
      'content',
      openapi,
      { 200: { content: { 'text/a': { schema: { $ref: '#/components/schemas/Pet' } } } } },
      [{ statusCode: '200', request: { responseModels: { 'text/a': 'Pet' } } }],
    ],
    [
      'a reference',
      swagger,
      { 404: { $ref: '#/responses/none' } },
      [{ statusCode: '404', request: { responseParameters: { 'method.response.header.N': false } } }],
    ],
  ])('has the response of %s', (_name, version, responses, expected) => {
    const members = { responses: { none: { headers: { N: {} } } } };
    expect(JSON.parse(JSON.stringify(methodOf({ responses }, members, version).responses))).toEqual(expected);
  });

  const authorizer = (type: string, more: object = {}) => ({ type, authorizerUri: 'uri', ...more });
  const SCHEMES = {
    key: { type: 'apiKey', name: 'X-API-Key', in: 'header' },
    iam: { type: 'apiKey', name: 'Authorization', in: 'header', 'x-amazon-apigateway-authtype': 'awsSigv4' },
    token: { type: 'apiKey', name: 'Auth', in: 'header', 'x-amazon-apigateway-authorizer': authorizer('token') },
    pool: { type: 'apiKey', name: 'Auth', in: 'header', 'x-amazon-apigateway-authorizer': authorizer('cognito_user_pools') },
    oauth: { type: 'oauth2' },
  };
  const open = { authorizationType: 'NONE', apiKeyRequired: false };
  it.each<[string, object, unknown, object, string | null]>([
    ['nothing', {}, undefined, open, null],
    ['a key', { security: [{ key: [] }] }, undefined, { ...open, apiKeyRequired: true }, null],
    [
      'an authorizer and a key',
      { security: [{ token: [], key: [] }] },
      undefined,
      { authorizationType: 'CUSTOM', apiKeyRequired: true },
      'token',
    ],
    [
      'a user pool with scopes',
      { security: [{ pool: ['a/read'] }] },
      undefined,
      { authorizationType: 'COGNITO_USER_POOLS', authorizationScopes: ['a/read'] },
      'pool',
    ],
    ['a signature', { security: [{ iam: [] }] }, undefined, { authorizationType: 'AWS_IAM' }, null],
    [
      'a signature, by its extension',
      { 'x-amazon-apigateway-auth': { type: 'aws_iam' } },
      undefined,
      { authorizationType: 'AWS_IAM' },
      null,
    ],
    ['a scheme that says nothing to the gateway', { security: [{ oauth: [] }] }, undefined, open, null],
    ['what the root says', {}, [{ token: [] }], { authorizationType: 'CUSTOM' }, 'token'],
    ['nothing, whatever the root says', { security: [] }, [{ token: [] }], open, null],
    ['nothing, by its extension', { 'x-amazon-apigateway-auth': { type: 'NONE' } }, [{ token: [] }], open, null],
  ])('wants %s', (_name, operation, security, request, authorizerName) => {
    expect(methodOf(operation, { security, securityDefinitions: SCHEMES })).toMatchObject({ request, authorizerName });
    const members = { security, components: { securitySchemes: SCHEMES } };
    expect(methodOf(operation, members, openapi)).toMatchObject({ request, authorizerName });
  });

  it('whose security is not defined says so', () => {
    expect(read(swagger({ paths: { '/a': { get: { security: [{ none: [] }] } } } })).warnings).toEqual([
      "Security scheme 'none' of method 'GET' of resource '/a' is not defined",
    ]);
  });

  it.each([
    ['its own', { 'x-amazon-apigateway-request-validator': 'own' }, 'own'],
    ['that of the root', {}, 'root'],
  ])('has the request validator: %s', (_name, operation, name) => {
    expect(methodOf(operation, { 'x-amazon-apigateway-request-validator': 'root' }).requestValidatorName).toBe(name);
  });
});

describe('x-amazon-apigateway-integration', () => {
  const integrationOf = (extension: object) =>
    read(swagger({ paths: { '/a': { get: { 'x-amazon-apigateway-integration': extension } } } }));

  it('says everything an integration has', () => {
    const extension = {
      type: 'aws_proxy',
      httpMethod: 'post',
      uri: 'arn',
      connectionType: 'vpc_link',
      connectionId: 'c',
      credentials: 'role',
      requestParameters: { a: 'b' },
      requestTemplates: { 'text/a': 't' },
      passthroughBehavior: 'when_no_templates',
      contentHandling: 'convert_to_text',
      timeoutInMillis: '1000',
      cacheNamespace: 'n',
      cacheKeyParameters: ['k'],
      tlsConfig: { insecureSkipVerification: true },
      responseTransferMode: 'stream',
      integrationTarget: 't',
      responses: {
        default: { statusCode: 200, responseTemplates: { 'text/a': '' } },
        '4\\d\\d': { statusCode: '400', responseParameters: { x: "'y'" }, contentHandling: 'CONVERT_TO_BINARY' },
      },
    };
    const [method] = integrationOf(extension).paths[0]!.methods;
    expect(method!.integration).toEqual({
      ...extension,
      responses: undefined,
      type: 'AWS_PROXY',
      httpMethod: 'POST',
      connectionType: 'VPC_LINK',
      passthroughBehavior: 'WHEN_NO_TEMPLATES',
      contentHandling: 'CONVERT_TO_TEXT',
      responseTransferMode: 'STREAM',
      timeoutInMillis: 1000,
    });
    expect(JSON.parse(JSON.stringify(method!.integrationResponses))).toEqual([
      { statusCode: '200', request: { responseTemplates: { 'text/a': '' } } },
      {
        statusCode: '400',
        request: { selectionPattern: '4\\d\\d', responseParameters: { x: "'y'" }, contentHandling: 'CONVERT_TO_BINARY' },
      },
    ]);
  });

  it.each<[string, object, string]>([
    ['no type', { uri: 'x' }, 'Integration type must be specified'],
    ['another type', { type: 'soap' }, 'Invalid type specified: soap. Valid options are HTTP,AWS,MOCK,HTTP_PROXY,AWS_PROXY'],
    [
      'another handling',
      { type: 'mock', contentHandling: 'x' },
      'Invalid contentHandling specified: x. Valid options are CONVERT_TO_BINARY,CONVERT_TO_TEXT',
    ],
  ])('with %s is an error', (_name, extension, error) => {
    expect(integrationOf(extension).errors).toEqual([`Unable to put integration on 'GET' for resource at path '/a': ${error}`]);
  });

  it('that is empty is none; two responses with one status are one', () => {
    expect(integrationOf({}).paths[0]!.methods[0]!.integration).toBeNull();
    const { warnings } = integrationOf({
      type: 'mock',
      responses: { default: { statusCode: 200 }, '5..': { statusCode: '200' } },
    });
    expect(warnings).toEqual(["Integration response '5..' of method 'GET' of resource '/a' replaces another with status 200"]);
  });

  it('declares the statuses it answers with', () => {
    const paths = {
      '/a': { get: { 'x-amazon-apigateway-integration': { type: 'mock', responses: { default: { statusCode: '200' } } } } },
    };
    expect(imported(swagger({ paths })).methods[0]!.methodResponses).toMatchObject({ 200: { responseModels: null } });
  });
});

describe('the root', () => {
  it.each<[string, object, object]>([
    [
      'x-amazon-apigateway-api-key-source',
      { 'x-amazon-apigateway-api-key-source': 'authorizer' },
      { settings: { apiKeySource: 'AUTHORIZER' } },
    ],
    [
      'x-amazon-apigateway-binary-media-types',
      { 'x-amazon-apigateway-binary-media-types': ['a/b', 1] },
      { settings: { binaryMediaTypes: ['a/b'] } },
    ],
    [
      'x-amazon-apigateway-minimum-compression-size',
      { 'x-amazon-apigateway-minimum-compression-size': 5 },
      { settings: { minimumCompressionSize: 5 } },
    ],
    [
      'x-amazon-apigateway-policy',
      { 'x-amazon-apigateway-policy': { Statement: [] } },
      { settings: { policy: '{"Statement":[]}' } },
    ],
    ['x-amazon-apigateway-policy as text', { 'x-amazon-apigateway-policy': '{"a":1}' }, { settings: { policy: '{"a":1}' } }],
    [
      'x-amazon-apigateway-security-policy',
      { 'x-amazon-apigateway-security-policy': 'TLS_1_2' },
      { settings: { securityPolicy: 'TLS_1_2' } },
    ],
    [
      'x-amazon-apigateway-endpoint-access-mode',
      { 'x-amazon-apigateway-endpoint-access-mode': 'STRICT' },
      { settings: { endpointAccessMode: 'STRICT' } },
    ],
    [
      'x-amazon-apigateway-endpoint-configuration',
      {
        'x-amazon-apigateway-endpoint-configuration': {
          types: 'private',
          vpcEndpointIds: ['vpce-1'],
          disableExecuteApiEndpoint: true,
        },
      },
      {
        settings: { endpointConfiguration: { types: ['PRIVATE'], vpcEndpointIds: ['vpce-1'] }, disableExecuteApiEndpoint: true },
      },
    ],
    [
      'x-amazon-apigateway-request-validators',
      { 'x-amazon-apigateway-request-validators': { v: { validateRequestBody: true } } },
      { requestValidators: [{ name: 'v', validateRequestBody: true, validateRequestParameters: false }] },
    ],
    [
      'x-amazon-apigateway-gateway-responses',
      { 'x-amazon-apigateway-gateway-responses': { THROTTLED: { statusCode: 420, responseTemplates: { 'a/b': 't' } } } },
      { gatewayResponses: [{ type: 'THROTTLED', request: { statusCode: '420', responseTemplates: { 'a/b': 't' } } }] },
    ],
    [
      'x-amazon-apigateway-documentation',
      { 'x-amazon-apigateway-documentation': { documentationParts: [{ location: { type: 'API' }, properties: { a: 1 } }] } },
      { documentation: [{ location: { type: 'API' }, properties: '{"a":1}' }] },
    ],
  ])('%s', (_name, members, expected) => {
    expect(read(swagger(members))).toMatchObject(expected);
    expect(read(openapi(members))).toMatchObject(expected);
  });

  it('of OpenAPI 3 has its endpoint at a server', () => {
    const servers = [{ url: 'https://a', 'x-amazon-apigateway-endpoint-configuration': { disableExecuteApiEndpoint: true } }];
    expect(read(openapi({ servers })).settings.disableExecuteApiEndpoint).toBe(true);
  });

  it.each<[string, object, object]>([
    ['token', { type: 'token' }, { type: 'TOKEN', identitySource: 'method.request.header.Auth', authType: 'oauth2' }],
    [
      'pool',
      { type: 'cognito_user_pools', providerARNs: ['arn'] },
      { type: 'COGNITO_USER_POOLS', identitySource: 'method.request.header.Auth', providerARNs: ['arn'] },
    ],
    [
      'request',
      { type: 'request', identitySource: 'context.a', authorizerResultTtlInSeconds: '0' },
      { type: 'REQUEST', identitySource: 'context.a', authorizerResultTtlInSeconds: 0 },
    ],
  ])('x-amazon-apigateway-authorizer: %s', (name, extension, expected) => {
    const scheme = {
      type: 'apiKey',
      in: 'header',
      name: 'Auth',
      'x-amazon-apigateway-authtype': 'oauth2',
      'x-amazon-apigateway-authorizer': extension,
    };
    expect(read(swagger({ securityDefinitions: { [name]: scheme } })).authorizers).toMatchObject([{ name, ...expected }]);
  });
});

describe('schemas', () => {
  const MODEL = `https://apigateway.amazonaws.com/restapis/${API}/models`;
  const modelOf = (schema: unknown, members: object = {}): unknown => {
    const { models } = read(swagger({ ...members, definitions: { Own: schema, Other: { type: 'object' } } }));
    return JSON.parse(models.find(({ name }) => name === 'Own')!.schema!);
  };

  it.each<[string, unknown, unknown]>([
    ['a reference to another', { $ref: '#/definitions/Other' }, { $ref: `${MODEL}/Other` }],
    ['a short reference', { items: { $ref: 'Other' } }, { items: { $ref: `${MODEL}/Other` } }],
    [
      'a reference to itself',
      { properties: { a: { $ref: '#/definitions/Own' } } },
      { properties: { a: { $ref: `${MODEL}/Own` } } },
    ],
    [
      'a reference of another API',
      { $ref: 'https://apigateway.amazonaws.com/restapis/zzz/models/Other' },
      { $ref: `${MODEL}/Other` },
    ],
    ['a part of a model of AWS', { $ref: `${MODEL}/Other#/items` }, { $ref: `${MODEL}/Other#/items` }],
    ['a part of another, in its place', { items: { $ref: '#/x-part/a~1b' } }, { items: { type: 'string' } }],
    [
      'a part of itself, without end',
      { properties: { a: { $ref: '#/definitions/Own/properties/a' } } },
      { properties: { a: {} } },
    ],
    ['another file', { items: { $ref: 'other.json#/Pet' } }, { items: {} }],
    [
      'a bound of 3.1',
      { exclusiveMinimum: 5, minimum: 7, exclusiveMaximum: 9 },
      { minimum: 7, maximum: 9, exclusiveMaximum: true },
    ],
    ['a tighter bound of 3.1', { minimum: 3, exclusiveMinimum: 5 }, { minimum: 5, exclusiveMinimum: true }],
    ['a bound of draft-04', { minimum: 3, exclusiveMinimum: true }, { minimum: 3, exclusiveMinimum: true }],
    ['a constant of 3.1', { const: 1 }, { enum: [1] }],
    [
      'flags for schemas',
      { properties: { a: true, b: false }, additionalProperties: false },
      { properties: { a: {}, b: { not: {} } }, additionalProperties: false },
    ],
    ['nobody required', { required: [], properties: { a: { required: true } } }, { properties: { a: {} } }],
    [
      'a property that is called like a keyword',
      { properties: { required: { type: 'string' }, const: {} } },
      { properties: { required: { type: 'string' }, const: {} } },
    ],
    ['null beside a type', { type: ['object', 'null'] }, { type: ['object', 'null'] }],
  ])('%s', (_name, schema, expected) => {
    expect(modelOf(schema, { 'x-part': { 'a/b': { type: 'string' } } })).toEqual(expected);
  });

  it('in place are models by their content: the same schema is the same model', () => {
    const body = (schema: object) => ({ post: { parameters: [{ in: 'body', name: 'b', schema }] } });
    const { paths, models } = read(
      swagger({
        paths: {
          '/a': body({ type: 'object', title: 'x' }),
          '/b': body({ title: 'x', type: 'object' }),
          '/c': body({ type: 'array' }),
        },
      }),
    );
    const names = paths.map(({ methods }) => methods[0]!.request.requestModels!['application/json']);
    expect(names).toEqual([models[0]!.name, models[0]!.name, models[1]!.name]);
  });

  it('are judged as CreateModel judges them, all of them at once', () => {
    const definitions = { Bad: { type: 'any' }, Good: { type: 'object' }, Lost: { $ref: '#/definitions/None' }, 'no-name': {} };
    expect(() => imported(swagger({ definitions }))).toThrow(
      /Unable to create model 'no-name': Model name must be alphanumeric: no-name\tUnable to create model 'Bad': .*\tUnable to create model 'Lost': .*leads nowhere/,
    );
  });

  it('that refer to one another in endless chains are refused, and soon', () => {
    const definitions = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [
        `M${index}`,
        { properties: { next: { $ref: `#/definitions/M${index + 1}` } } },
      ]),
    );
    expect(() => imported(swagger({ definitions }))).toThrow('Invalid model schema specified.');
  });
});

describe('anything at all', () => {
  const KEYS = [
    'swagger',
    'openapi',
    'info',
    'paths',
    '/a',
    '/{b}',
    'get',
    'post',
    'parameters',
    'responses',
    '200',
    'schema',
    '$ref',
    'in',
    'name',
    'security',
    'definitions',
    'components',
    'schemas',
    'securityDefinitions',
    'x-amazon-apigateway-integration',
    'x-amazon-apigateway-authorizer',
    'x-amazon-apigateway-documentation',
    'documentationParts',
    'type',
    'uri',
    'servers',
    'properties',
    '__proto__',
  ];
  const TEXTS = [
    '2.0',
    '3.0.1',
    'body',
    'query',
    'mock',
    'http',
    '#/definitions/a',
    '#/paths',
    '#/',
    'constructor',
    '__proto__',
    '',
  ];
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'large', withCrossShrink: true },
      fc.constantFrom<unknown>(...TEXTS, null, true, 0, -1.5),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...KEYS), tie('any'), { maxKeys: 6 }),
    ),
  }))['any'] as fc.Arbitrary<unknown>;

  it('is an API or a refusal, never another error', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 12 }), fc.boolean(), (document, isThree) => {
        try {
          imported({ ...document, ...(isThree ? { openapi: '3.0.1', swagger: undefined } : { swagger: '2.0' }) });
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
        }
      }),
      { seed: 1, numRuns: 3_000, interruptAfterTimeLimit: 4_000, markInterruptAsFailure: false },
    );
  });
});
