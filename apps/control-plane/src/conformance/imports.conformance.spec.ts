/**
 * OpenAPI documents as APIs, through the AWS SDK: what an import makes, what merging and overwriting leave, what is refused and changes
 * nothing, and how fast the largest go.
 */
import type { PutRestApiCommandInput } from '@aws-sdk/client-api-gateway';
import { answered, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  api = tenant.apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const INTEGRATION = 'x-amazon-apigateway-integration';
const MOCK = {
  type: 'mock',
  requestTemplates: { 'application/json': '{"statusCode": 200}' },
  responses: { default: { statusCode: '200', responseTemplates: { 'application/json': '' } } },
};
const mocked = (members: object = {}): object => ({ responses: { 200: { description: 'ok' } }, [INTEGRATION]: MOCK, ...members });
const json = (document: object): Uint8Array => Buffer.from(JSON.stringify(document));
const swagger = (members: object = {}): object => ({ swagger: '2.0', info: { title: 'pets', version: '1' }, ...members });

const functionUri = (name: string): string =>
  'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/' +
  `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${name}/invocations`;

const importedId = async (document: object): Promise<string> => (await api.importRestApi({ body: json(document) })).id!;
const put = (restApiId: string, mode: 'merge' | 'overwrite', document: object, more: Partial<PutRestApiCommandInput> = {}) =>
  api.putRestApi({ restApiId, mode, body: json(document), ...more });

/** Everything of an API that can be read, by name. */
async function everythingOf(restApiId: string): Promise<Record<string, unknown>> {
  const key = { restApiId, limit: 500 };
  const { items: resources } = await api.getResources({ ...key, embed: ['methods'] });
  return {
    api: answered(await api.getRestApi({ restApiId })),
    resources,
    models: (await api.getModels(key)).items,
    validators: (await api.getRequestValidators(key)).items,
    authorizers: (await api.getAuthorizers(key)).items,
    responses: (await api.getGatewayResponses(key)).items,
    documentation: (await api.getDocumentationParts(key)).items,
  };
}

const pathsOf = async (restApiId: string): Promise<Record<string, string[]>> => {
  const { items } = await api.getResources({ restApiId, limit: 500 });
  return Object.fromEntries(items!.map(({ path, resourceMethods }) => [path!, Object.keys(resourceMethods ?? {}).sort()]));
};

const PETS = {
  swagger: '2.0',
  info: { title: 'pets', description: 'all of them', version: '2.1' },
  'x-amazon-apigateway-binary-media-types': ['image/png'],
  'x-amazon-apigateway-minimum-compression-size': 1024,
  'x-amazon-apigateway-api-key-source': 'AUTHORIZER',
  'x-amazon-apigateway-policy': { Version: '2012-10-17', Statement: [] },
  'x-amazon-apigateway-endpoint-configuration': { types: ['REGIONAL'], disableExecuteApiEndpoint: true },
  'x-amazon-apigateway-request-validators': { all: { validateRequestBody: true, validateRequestParameters: true } },
  'x-amazon-apigateway-request-validator': 'all',
  'x-amazon-apigateway-gateway-responses': {
    THROTTLED: { statusCode: 420, responseParameters: { 'gatewayresponse.header.x': "'y'" } },
  },
  'x-amazon-apigateway-documentation': {
    version: '1',
    documentationParts: [{ location: { type: 'API' }, properties: { description: 'pets' } }],
  },
  securityDefinitions: {
    key: { type: 'apiKey', name: 'x-api-key', in: 'header' },
    token: {
      type: 'apiKey',
      name: 'Authorization',
      in: 'header',
      'x-amazon-apigateway-authtype': 'oauth2',
      'x-amazon-apigateway-authorizer': { type: 'token', authorizerUri: functionUri('auth'), authorizerResultTtlInSeconds: 60 },
    },
  },
  definitions: {
    Pet: {
      type: 'object',
      description: 'a pet',
      properties: { name: { type: 'string' }, mother: { $ref: '#/definitions/Pet' } },
    },
  },
  paths: {
    '/pets/{id}': {
      get: {
        operationId: 'findPet',
        security: [{ token: ['read'], key: [] }],
        parameters: [{ name: 'verbose', in: 'query', required: true }],
        responses: { 200: { schema: { $ref: '#/definitions/Pet' }, headers: { 'X-Age': { type: 'string' } } } },
        [INTEGRATION]: {
          type: 'aws',
          httpMethod: 'POST',
          uri: functionUri('pets'),
          requestParameters: { 'integration.request.header.id': 'method.request.path.id' },
          responses: { default: { statusCode: 200, responseParameters: { 'method.response.header.X-Age': "'1'" } } },
        },
      },
      post: mocked({ parameters: [{ name: 'pet', in: 'body', schema: { $ref: '#/definitions/Pet' } }] }),
    },
  },
};

describe('ImportRestApi', () => {
  test('makes what the single operations would have made', async () => {
    const created = await api.importRestApi({ body: json(PETS) });
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toMatchObject({
      name: 'pets',
      description: 'all of them',
      version: '2.1',
      binaryMediaTypes: ['image/png'],
      minimumCompressionSize: 1024,
      apiKeySource: 'AUTHORIZER',
      endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'ipv4' },
      disableExecuteApiEndpoint: true,
      policy: expect.stringContaining('2012-10-17'),
    });
    expect(created.warnings).toBeUndefined();
    expect(created.tags).toBeUndefined();
    const { resources, models, validators, authorizers, responses, documentation } = await everythingOf(created.id!);
    const arnOf = (name: string) =>
      functionUri(name)
        .replaceAll('${AWS::Region}', 'us-east-1')
        .replaceAll('${AWS::Partition}', 'aws')
        .replaceAll('${AWS::AccountId}', tenant.account);
    expect(validators).toMatchObject([{ name: 'all', validateRequestBody: true, validateRequestParameters: true }]);
    expect(authorizers).toMatchObject([
      {
        name: 'token',
        type: 'TOKEN',
        authType: 'oauth2',
        authorizerUri: arnOf('auth'),
        identitySource: 'method.request.header.Authorization',
        authorizerResultTtlInSeconds: 60,
      },
    ]);
    expect(models).toMatchObject([{ name: 'Pet', description: 'a pet', contentType: 'application/json' }]);
    expect(JSON.parse((models as { schema: string }[])[0]!.schema)).toMatchObject({
      properties: { mother: { $ref: `https://apigateway.amazonaws.com/restapis/${created.id}/models/Pet` } },
    });
    expect(responses).toContainEqual(
      expect.objectContaining({ responseType: 'THROTTLED', statusCode: '420', defaultResponse: false }),
    );
    expect(documentation).toMatchObject([{ location: { type: 'API' }, properties: '{"description":"pets"}' }]);
    const pet = (resources as { path: string; resourceMethods: Record<string, object> }[]).find(
      ({ path }) => path === '/pets/{id}',
    )!;
    expect(pet.resourceMethods['GET']).toMatchObject({
      operationName: 'findPet',
      authorizationType: 'CUSTOM',
      authorizerId: (authorizers as { id: string }[])[0]!.id,
      authorizationScopes: ['read'],
      apiKeyRequired: true,
      requestValidatorId: (validators as { id: string }[])[0]!.id,
      requestParameters: { 'method.request.path.id': true, 'method.request.querystring.verbose': true },
      methodResponses: {
        200: { responseModels: { 'application/json': 'Pet' }, responseParameters: { 'method.response.header.X-Age': false } },
      },
      methodIntegration: {
        type: 'AWS',
        uri: arnOf('pets'),
        timeoutInMillis: 29_000,
        passthroughBehavior: 'WHEN_NO_MATCH',
        integrationResponses: { 200: { responseParameters: { 'method.response.header.X-Age': "'1'" } } },
      },
    });
    expect(pet.resourceMethods['POST']).toMatchObject({ requestModels: { 'application/json': 'Pet' } });
  });

  test('of YAML is the import of the JSON it means', async () => {
    const yaml = await api.importRestApi({ body: Buffer.from(stringify(PETS)) });
    expect(await pathsOf(yaml.id!)).toEqual(await pathsOf(await importedId(PETS)));
    const shared =
      'swagger: "2.0"\ninfo: {title: a}\nx-a: &op\n  responses: {}\npaths:\n  /a:\n    get: *op\n    put:\n      <<: *op\n';
    expect(await pathsOf((await api.importRestApi({ body: Buffer.from(shared) })).id!)).toEqual({
      '/': [],
      '/a': ['GET', 'PUT'],
    });
  });

  test('of OpenAPI 3 takes bodies, servers and security from where they stand there', async () => {
    const restApiId = await importedId({
      openapi: '3.0.1',
      info: { title: 'three', version: '1' },
      servers: [{ url: 'https://example.com/{basePath}', variables: { basePath: { default: '/v1' } } }],
      paths: {
        '/pets': {
          post: mocked({
            security: [{ iam: [] }],
            requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } } },
            responses: { 200: { content: { 'application/json': { schema: { type: 'array', items: { type: 'string' } } } } } },
          }),
        },
      },
      components: {
        schemas: { Pet: { type: ['object', 'null'] } },
        securitySchemes: {
          iam: { type: 'apiKey', name: 'Authorization', in: 'header', 'x-amazon-apigateway-authtype': 'awsSigv4' },
        },
      },
    });
    const { items } = await api.getResources({ restApiId, embed: ['methods'] });
    const method = items!.find(({ path }) => path === '/pets')!.resourceMethods!['POST']!;
    expect(method).toMatchObject({ authorizationType: 'AWS_IAM', requestModels: { 'application/json': 'Pet' } });
    const inline = method.methodResponses!['200']!.responseModels!['application/json']!;
    expect(inline).toMatch(/^MODEL[0-9a-f]+$/);
    expect(JSON.parse((await api.getModel({ restApiId, modelName: inline })).schema!)).toEqual({
      type: 'array',
      items: { type: 'string' },
    });
  });

  test.each([
    ['ignore', ['/', '/test']],
    ['prepend', ['/', '/a', '/a/b', '/a/b/c', '/a/b/c/test']],
    ['split', ['/', '/b', '/b/c', '/b/c/test']],
  ])('with basepath=%s', async (basepath, paths) => {
    const body = json(swagger({ basePath: '/a/b/c', paths: { '/test': {} } }));
    const { id } = await api.importRestApi({ body, parameters: { basepath } });
    expect(Object.keys(await pathsOf(id!))).toEqual(paths);
  });

  test('takes the type of endpoint from the call, before the document', async () => {
    const parameters = { endpointConfigurationTypes: 'EDGE', ignore: 'documentation' };
    const created = await api.importRestApi({ body: json(PETS), parameters });
    expect(created.endpointConfiguration).toMatchObject({ types: ['EDGE'] });
    expect((await api.getDocumentationParts({ restApiId: created.id! })).items).toEqual([]);
    expect(await refusalOf(api.importRestApi({ body: json(PETS), parameters: { endpointConfigurationTypes: 'MOON' } }))).toBe(
      '400 BadRequestException: Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE',
    );
  });

  test('says what it left out, and with failonwarnings leaves all of it', async () => {
    const document = swagger({
      paths: {
        '/a': { get: { ...mocked(), [INTEGRATION]: { ...MOCK, requestParameters: { 'integration.request.header.a': 1 } } } },
      },
    });
    const warning =
      "Invalid format for 'requestParameters'. Expected type string for property 'integration.request.header.a' of resource '/a' and method 'GET' but got '1'";
    const { warnings } = await api.importRestApi({ body: json(document) });
    expect(warnings).toEqual([warning]);
    const before = (await api.getRestApis({ limit: 500 })).items!.length;
    expect(await refusalOf(api.importRestApi({ body: json(document), failOnWarnings: true }))).toBe(
      `400 BadRequestException: Warnings found during import: ${warning}`,
    );
    expect((await api.getRestApis({ limit: 500 })).items).toHaveLength(before);
  });

  test('reads no file and no address', async () => {
    const { warnings } = await api.importRestApi({
      body: json(
        swagger({
          paths: {
            '/a': { post: mocked({ parameters: [{ name: 'a', in: 'body', schema: { $ref: 'http://127.0.0.1:1/pet.json' } }] }) },
            '/b': { $ref: 'file:///etc/passwd' },
          },
        }),
      ),
    });
    expect(warnings).toEqual([
      "Unable to resolve reference 'http://127.0.0.1:1/pet.json': only references within the document are followed",
      "Unable to resolve reference 'file:///etc/passwd' of path '/b'",
    ]);
  });

  test('of all errors at once leaves nothing', async () => {
    const before = (await api.getRestApis({ limit: 500 })).items!.length;
    const document = swagger({
      paths: {
        '/good': { get: mocked() },
        '/a/{x}': {},
        '/a/{y}': {},
        '/uri': { get: { ...mocked(), [INTEGRATION]: { type: 'http', httpMethod: 'GET', uri: 'ftp://x' } } },
        '/model': { post: mocked({ parameters: [{ name: 'b', in: 'body', schema: { $ref: '#/definitions/None' } }] }) },
        '/vtl': { get: { ...mocked(), [INTEGRATION]: { ...MOCK, requestTemplates: { 'application/json': '#if(' } } } },
        '/regex': { get: { ...mocked(), [INTEGRATION]: { ...MOCK, responses: { '(a+': { statusCode: '200' } } } } },
      },
    });
    const refusal = await refusalOf(api.importRestApi({ body: json(document) }));
    expect(refusal).toMatch(/^400 BadRequestException: Errors found during import: /);
    expect(
      refusal
        .split('\t')
        .map((line) => line.replace(/^.*import: /, '').replace(/: (Invalid (?:mapping template|selection)).*/s, ': $1')),
    ).toEqual([
      "Unable to create resource at path '/a/{y}': A sibling ({x}) of this resource already has a variable path part -- only one is allowed",
      "Unable to put integration on 'GET' for resource at path '/uri': Invalid HTTP endpoint specified for URI",
      "Unable to put method 'POST' for resource at path '/model': Invalid model identifier specified: None",
      "Unable to put integration on 'GET' for resource at path '/vtl': Invalid mapping template",
      "Unable to put integration response on 'GET' for resource at path '/regex': Invalid selection",
    ]);
    expect((await api.getRestApis({ limit: 500 })).items).toHaveLength(before);
  });
});

describe('what is no document', () => {
  const MB = 1024 * 1024;
  const deep = (open: string, close: string) => `{"swagger":"2.0","x-a":${open.repeat(500_000)}${close.repeat(500_000)}}`;
  const aliases = Array.from({ length: 20 }, (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level},`.repeat(10)}]`).join(
    '\n',
  );
  test.each<[string, string | Uint8Array]>([
    ['empty', ' '],
    ['prose', 'hello'],
    ['neither JSON nor YAML', '{"swagger": "2.0"'],
    ['not UTF-8', Uint8Array.of(0xff, 0xfe, 0x7b)],
    ['of another kind', '{"asyncapi": "2.0.0"}'],
    ['larger than 6 MB', `{"swagger":"2.0","x-a":"${'a'.repeat(6 * MB)}"}`],
    ['deep JSON', deep('[', ']')],
    ['deep YAML', `swagger: "2.0"\nx-a: ${'- '.repeat(100_000)}`],
    ['a bomb of aliases', `swagger: "2.0"\na0: &a0 lol\n${aliases}`],
    [
      'a bomb of merges',
      `a: &a {${Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join(',')}}\nb:\n${'- <<: *a\n'.repeat(50_000)}`,
    ],
  ])('%s is refused with the error of AWS', async (_name, text) => {
    expect(await refusalOf(api.importRestApi({ body: typeof text === 'string' ? Buffer.from(text) : text }))).toBe(
      '400 BadRequestException: Invalid OpenAPI input.',
    );
  });
});

describe('PutRestApi', () => {
  test('merges: a method goes in whole, everything else stays', async () => {
    const restApiId = await importedId(PETS);
    const before = await everythingOf(restApiId);
    const merged = await put(restApiId, 'merge', {
      ...swagger({ definitions: { Dog: { type: 'object' } } }),
      info: { title: 'dogs' },
      'x-amazon-apigateway-binary-media-types': ['image/gif'],
      paths: { '/pets/{id}': { get: mocked() }, '/dogs': { get: mocked() } },
    });
    expect(merged).toMatchObject({
      name: 'dogs',
      description: 'all of them',
      version: '2.1',
      tags: {},
      binaryMediaTypes: ['image/png', 'image/gif'],
    });
    expect(await pathsOf(restApiId)).toEqual({ '/': [], '/dogs': ['GET'], '/pets': [], '/pets/{id}': ['GET', 'POST'] });
    const after = await everythingOf(restApiId);
    const methods = (state: Record<string, unknown>) =>
      (state['resources'] as { id: string; path: string; resourceMethods: Record<string, object> }[]).find(
        ({ path }) => path === '/pets/{id}',
      )!;
    expect(methods(after).id).toBe(methods(before).id);
    expect(methods(after).resourceMethods['POST']).toEqual(methods(before).resourceMethods['POST']);
    expect(methods(after).resourceMethods['GET']).toMatchObject({
      authorizationType: 'NONE',
      methodIntegration: { type: 'MOCK' },
    });
    expect(methods(after).resourceMethods['GET']).not.toHaveProperty('authorizerId');
    expect((after['models'] as { name: string }[]).map(({ name }) => name)).toEqual(['Dog', 'Pet']);
    for (const kind of ['validators', 'authorizers', 'responses', 'documentation'] as const)
      expect(after[kind]).toEqual(before[kind]);
  });

  test('overwrites: what the document does not have goes; deployments, stages and the ids of what stays do not', async () => {
    const restApiId = await importedId({ ...PETS, paths: { ...PETS.paths, '/keep': { get: mocked() } } });
    await api.updateRestApi({
      restApiId,
      patchOperations: [{ op: 'replace', path: '/disableExecuteApiEndpoint', value: 'false' }],
    });
    await put(restApiId, 'merge', { ...swagger(), info: { title: 'pets' }, paths: { '/pets/{id}': { get: mocked() } } });
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const before = await everythingOf(restApiId);
    const { rootResourceId } = await api.getRestApi({ restApiId });
    const overwritten = await put(restApiId, 'overwrite', swagger({ paths: { '/keep': { get: mocked() } } }));
    expect(overwritten).toMatchObject({
      id: restApiId,
      rootResourceId,
      name: 'pets',
      version: '1',
      endpointConfiguration: { types: ['REGIONAL'] },
    });
    expect(overwritten.description).toBeUndefined();
    expect(overwritten.binaryMediaTypes).toBeUndefined();
    const after = await everythingOf(restApiId);
    expect(await pathsOf(restApiId)).toEqual({ '/': [], '/keep': ['GET'] });
    const kept = (state: Record<string, unknown>) =>
      (state['resources'] as { path: string }[]).filter(({ path }) => path === '/keep')[0];
    expect(kept(after)).toMatchObject({ id: (kept(before) as unknown as { id: string }).id });
    expect(after).toMatchObject({ models: [], validators: [], authorizers: [] });
    expect((after['responses'] as { defaultResponse: boolean }[]).every(({ defaultResponse }) => defaultResponse)).toBe(true);
    expect((await api.getStages({ restApiId })).item).toMatchObject([{ stageName: 'dev' }]);
  });

  test('of the same document changes nothing, as Terraform does it: import, then overwrite', async () => {
    const restApiId = await importedId(PETS);
    const before = await everythingOf(restApiId);
    await put(restApiId, 'overwrite', PETS);
    await put(restApiId, 'merge', PETS);
    expect(await everythingOf(restApiId)).toEqual(before);
  });

  test('that is refused changes nothing', async () => {
    const restApiId = await importedId(PETS);
    const before = await everythingOf(restApiId);
    const bad = { ...swagger({ paths: { '/new': { get: mocked() }, 'bad path': {} } }), info: { title: 'other' } };
    for (const mode of ['merge', 'overwrite'] as const)
      expect(await refusalOf(put(restApiId, mode, bad))).toMatch(/^400 BadRequestException: Errors found during import: /);
    expect(await everythingOf(restApiId)).toEqual(before);
  });

  test('of an API that is not there', async () => {
    expect(await refusalOf(put('zzzzzzzzzz', 'merge', PETS))).toBe(
      `404 NotFoundException: Invalid API identifier specified ${tenant.account}:zzzzzzzzzz`,
    );
  });
});

describe('ImportDocumentationParts', () => {
  const part = (location: object, text: string) => ({ location, properties: { description: text } });
  const document = (...documentationParts: object[]) =>
    json({ swagger: '2.0', 'x-amazon-apigateway-documentation': { documentationParts } });
  const textsOf = async (restApiId: string) =>
    (await api.getDocumentationParts({ restApiId })).items!.map(({ properties }) => properties).sort();

  test('merges and overwrites by location, and leaves nothing when it fails', async () => {
    const restApiId = (await api.createRestApi({ name: 'documented' })).id!;
    const first = await api.importDocumentationParts({
      restApiId,
      body: document(part({ type: 'API' }, 'api'), part({ type: 'METHOD', path: '/a', method: 'GET' }, 'get')),
    });
    expect([first.$metadata.httpStatusCode, first.ids]).toEqual([
      200,
      [expect.stringMatching(/^[a-z0-9]{6}$/), expect.any(String)],
    ]);
    const second = await api.importDocumentationParts({ restApiId, mode: 'merge', body: document(part({ type: 'API' }, 'new')) });
    expect(second.ids).toEqual([first.ids![0]]);
    expect(await textsOf(restApiId)).toEqual(['{"description":"get"}', '{"description":"new"}']);
    await api.importDocumentationParts({
      restApiId,
      mode: 'overwrite',
      body: document(part({ type: 'RESOURCE', path: '/b' }, 'b')),
    });
    expect(await textsOf(restApiId)).toEqual(['{"description":"b"}']);
    const failing = api.importDocumentationParts({
      restApiId,
      mode: 'overwrite',
      body: document(part({ type: 'API' }, 'x'), { location: { type: 'MODEL' } }),
    });
    expect(await refusalOf(failing)).toMatch(/^400 BadRequestException: Errors found during import: /);
    expect(await textsOf(restApiId)).toEqual(['{"description":"b"}']);
    expect(await refusalOf(api.importDocumentationParts({ restApiId, body: Buffer.from('[') }))).toBe(
      '400 BadRequestException: Unable to build importer with provided input.',
    );
  });
});

describe('quotas', () => {
  test('hold in an import, and an API as large as the operator lets it be comes in', async () => {
    const large = await house.tenant();
    const paths = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`/p${index % 100}/r${index}`, { get: mocked() }]),
    );
    const body = json(swagger({ paths }));
    expect(await refusalOf(large.apiGateway.importRestApi({ body }))).toMatch(
      /^429 LimitExceededException: Maximum number of Resources/,
    );
    const raised = await large.send({
      method: 'PATCH',
      path: `/admin/v1/tenants/${large.account}/quotas`,
      headers: { authorization: `Bearer ${house.config.operatorToken!.reveal()}` },
      signature: null,
      body: JSON.stringify({ resources: 20_000 }),
    });
    expect(raised.status).toBe(200);
    const { id } = await large.apiGateway.importRestApi({ body });
    const { items, position } = await large.apiGateway.getResources({ restApiId: id!, limit: 500 });
    expect([items!.length, position]).toEqual([500, expect.any(String)]);
    await large.apiGateway.putRestApi({
      restApiId: id!,
      mode: 'overwrite',
      body: json(swagger({ paths: { '/a': { get: mocked() } } })),
    });
    expect((await large.apiGateway.getResources({ restApiId: id! })).items).toHaveLength(2);
  }, 120_000);
});
