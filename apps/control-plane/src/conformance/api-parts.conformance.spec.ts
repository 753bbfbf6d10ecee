/**
 * Models, request validators, authorizers, gateway responses and documentation, through the AWS SDK: exact answers, exact refusals,
 * every PATCH path, and what a deployment takes along of them.
 */
import type { CreateAuthorizerCommandInput, PatchOperation } from '@aws-sdk/client-api-gateway';
import {
  answered,
  createMockApi,
  refusalOf,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

const ID = /^[a-z0-9]{6}$/;
const JSON_TYPE = 'application/json';
const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const add = (path: string, value?: string): PatchOperation => ({ op: 'add', path, value });
const remove = (path: string, value?: string): PatchOperation => ({ op: 'remove', path, value });
const unknownApi = (): string => `404 NotFoundException: Invalid API identifier specified ${tenant.account}:zzzzzzzzzz`;
interface Listed<T> {
  readonly items?: readonly T[] | undefined;
  readonly position?: string | undefined;
}
async function inPages<T>(get: (page: { position?: string }) => Promise<Listed<T>>): Promise<T[]> {
  const all: T[] = [];
  for (let page = await get({}); ; page = await get({ position: page.position! })) {
    all.push(...page.items!);
    if (page.position === undefined) return all;
  }
}
const newApi = async (): Promise<string> => (await api.createRestApi({ name: 'parts' })).id!;

describe('models', () => {
  const PET = '{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}}}';

  test('a new API has Empty and Error', async () => {
    const { items } = await api.getModels({ restApiId: await newApi() });
    expect(items!.map(({ name, description, contentType }) => [name, description, contentType])).toEqual([
      ['Empty', 'This is a default empty schema model', JSON_TYPE],
      ['Error', 'This is a default error schema model', JSON_TYPE],
    ]);
    expect(JSON.parse(items![1]!.schema!)).toMatchObject({ properties: { message: { type: 'string' } } });
  });

  test('created, read, changed and deleted', async () => {
    const restApiId = await newApi();
    const created = await api.createModel({ restApiId, name: 'Pet', contentType: JSON_TYPE, schema: PET });
    expect([created.$metadata.httpStatusCode, answered(created)]).toStrictEqual([
      201,
      { id: expect.stringMatching(ID), name: 'Pet', contentType: JSON_TYPE, schema: PET },
    ]);
    const key = { restApiId, modelName: 'Pet' };
    expect(answered(await api.getModel(key))).toStrictEqual(answered(created));
    const patchOperations = [replace('/description', 'a pet'), replace('/schema', '{"type":"array"}')];
    const updated = answered(await api.updateModel({ ...key, patchOperations }));
    expect(updated).toStrictEqual({ ...answered(created), description: 'a pet', schema: '{"type":"array"}' });
    expect((await api.deleteModel(key)).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getModel(key))).toBe('404 NotFoundException: Invalid model name specified: Pet');
  });

  for (const [why, input, message] of [
    ['without a name', { name: '' }, 'Model name must be non-empty'],
    ['with a name that is no word', { name: 'a-b' }, 'Model name must be alphanumeric: a-b'],
    ['without a schema', { schema: undefined }, 'Model schema must have at least 1 property or array items defined'],
    [
      'with a schema that is no JSON',
      { schema: '{' },
      'Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified]',
    ],
    [
      'with a schema that is no object',
      { schema: '[1]' },
      'Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified]',
    ],
    [
      'with a schema that draft-04 does not know',
      { schema: '{"properties":{"age":{"type":"int"}}}' },
      'Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. ' +
        '#/properties/age/type: expected a type or a list of types, each once]',
    ],
    [
      'with a pattern that cannot be run in bounded time',
      { schema: '{"pattern":"^(?!a)"}' },
      'Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. ' +
        '#/pattern: invalid pattern: look-ahead is not supported, at character 3]',
    ],
    [
      'that refers to a model that is not there',
      { schema: '{"items":{"$ref":"https://apigateway.amazonaws.com/restapis/other/models/None"}}' },
      'Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. ' +
        '#/items: $ref "https://apigateway.amazonaws.com/restapis/other/models/None" leads nowhere]',
    ],
  ] as const) {
    test(`a model ${why} is refused`, async () => {
      const model = { restApiId: await newApi(), name: 'Pet', contentType: JSON_TYPE, schema: PET, ...input };
      expect(await refusalOf(api.createModel(model))).toBe(`400 BadRequestException: ${message}`);
    });
  }

  test('a name twice, an unknown API, an unknown model, an unknown patch path', async () => {
    const restApiId = await newApi();
    const model = { restApiId, name: 'Error', contentType: JSON_TYPE, schema: PET };
    expect(await refusalOf(api.createModel(model))).toBe('409 ConflictException: Model name already exists for this REST API');
    expect(await refusalOf(api.createModel({ ...model, restApiId: 'zzzzzzzzzz' }))).toBe(unknownApi());
    expect(await refusalOf(api.getModel({ restApiId: 'zzzzzzzzzz', modelName: 'Error' }))).toBe(unknownApi());
    const update = { restApiId, modelName: 'Error', patchOperations: [replace('/name', 'x')] };
    expect(await refusalOf(api.updateModel(update))).toBe(
      "400 BadRequestException: Invalid patch path  '/name' specified for op 'replace'. Must be one of: [/description, /schema]",
    );
  });

  test('a model may point into itself and others of its API, and an update is judged as a new one is', async () => {
    const restApiId = await newApi();
    const uri = `https://apigateway.amazonaws.com/restapis/${restApiId}/models`;
    const key = { restApiId, modelName: 'Tree' };
    const schema = JSON.stringify({
      properties: { children: { items: { $ref: `${uri}/Tree` } }, error: { $ref: `${uri}/Error#/properties/message` } },
    });
    await api.createModel({ restApiId, name: 'Tree', contentType: JSON_TYPE, schema });
    const update = (value: string): Promise<string> =>
      refusalOf(api.updateModel({ ...key, patchOperations: [replace('/schema', value)] }));
    expect(await update('{"required":true}')).toContain('400 BadRequestException: Invalid model specified');
    expect(await update(`{"$ref":"${uri}/Error#/properties/none"}`)).toContain('leads nowhere');
    expect((await api.getModel(key)).schema).toBe(schema);
  });

  test('a model in use stays, and the message says where it is used', async () => {
    const { restApiId, key } = await createMockApi(api);
    const delegate = (name: string): Promise<string> => refusalOf(api.deleteModel({ restApiId, modelName: name }));
    await api.createModel({ restApiId, name: 'Pet', contentType: JSON_TYPE, schema: PET });
    await api.updateMethod({ ...key, patchOperations: [add('/requestModels/application~1json', 'Pet')] });
    const { path } = await api.getResource({ restApiId, resourceId: key.resourceId });
    const place = `${path}/${key.httpMethod}`;
    expect(await delegate('Pet')).toBe(
      `409 ConflictException: Cannot delete model 'Pet', is referenced in method request: ${place}`,
    );
    const $ref = `https://apigateway.amazonaws.com/restapis/${restApiId}/models/Empty`;
    await api.createModel({ restApiId, name: 'Pets', contentType: JSON_TYPE, schema: JSON.stringify({ items: { $ref } }) });
    expect(await delegate('Empty')).toBe("409 ConflictException: Cannot delete model 'Empty', is referenced in model: Pets");
  });

  test('flatten brings in what the schema refers to, in circles too; the template shows a sample of it', async () => {
    const restApiId = await newApi();
    const $ref = (name: string): { $ref: string } => ({
      $ref: `https://apigateway.amazonaws.com/restapis/${restApiId}/models/${name}`,
    });
    const model = (name: string, schema: object): Promise<unknown> =>
      api.createModel({ restApiId, name, contentType: JSON_TYPE, schema: JSON.stringify(schema) });
    await model('Pet', {
      type: 'object',
      properties: { name: { type: 'string' }, friends: { type: 'array', items: $ref('Pet') } },
    });
    await model('Shop', { type: 'object', properties: { first: $ref('Pet'), open: { type: 'boolean' } } });
    const { schema } = await api.getModel({ restApiId, modelName: 'Shop', flatten: true });
    expect(JSON.parse(schema!)).toEqual({
      type: 'object',
      properties: { first: { $ref: '#/definitions/Pet' }, open: { type: 'boolean' } },
      definitions: {
        Pet: {
          type: 'object',
          properties: { name: { type: 'string' }, friends: { type: 'array', items: { $ref: '#/definitions/Pet' } } },
        },
      },
    });
    await model('Flat', {
      type: 'object',
      properties: { id: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
    });
    const { value } = await api.getModelTemplate({ restApiId, modelName: 'Flat' });
    expect(value).toBe(
      [
        "#set($inputRoot = $input.path('$'))",
        '{',
        '  "id" : 42,',
        '  "tags" : [',
        '  #foreach($elem in $inputRoot.tags)',
        '    "foo"#if($foreach.hasNext),#end',
        '  #end',
        '  ]',
        '}',
      ].join('\n'),
    );
    expect((await api.getModelTemplate({ restApiId, modelName: 'Shop' })).value).toContain('"open" : true');
  });
});

describe('request validators', () => {
  test('created, read, changed and deleted; both checks are there as false', async () => {
    const restApiId = await newApi();
    const created = await api.createRequestValidator({ restApiId, name: 'all', validateRequestBody: true });
    const { id: requestValidatorId } = created;
    const expected = {
      id: expect.stringMatching(ID),
      name: 'all',
      validateRequestBody: true,
      validateRequestParameters: false,
    };
    expect([created.$metadata.httpStatusCode, answered(created)]).toStrictEqual([201, expected]);
    const key = { restApiId, requestValidatorId: requestValidatorId! };
    const patchOperations = [
      replace('/name', 'none'),
      replace('/validateRequestBody', 'false'),
      replace('/validateRequestParameters', 'true'),
    ];
    expect(answered(await api.updateRequestValidator({ ...key, patchOperations }))).toStrictEqual({
      ...expected,
      name: 'none',
      validateRequestBody: false,
      validateRequestParameters: true,
    });
    expect(answered(await api.getRequestValidator(key))).toMatchObject({ name: 'none', validateRequestParameters: true });
    expect((await api.getRequestValidators({ restApiId })).items).toHaveLength(1);
    expect((await api.deleteRequestValidator(key)).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getRequestValidator(key))).toBe(
      '404 NotFoundException: Invalid Request Validator identifier specified',
    );
  });

  test('refusals', async () => {
    const restApiId = await newApi();
    const { id } = await api.createRequestValidator({ restApiId });
    const update = { restApiId, requestValidatorId: id!, patchOperations: [replace('/name', '')] };
    expect(await refusalOf(api.updateRequestValidator(update))).toBe(
      '400 BadRequestException: Request Validator name cannot be blank',
    );
    expect(await refusalOf(api.createRequestValidator({ restApiId: 'zzzzzzzzzz' }))).toBe(
      '400 BadRequestException: Invalid REST API identifier specified',
    );
  });

  test('a method names one that is there; then it stays', async () => {
    const { restApiId, key } = await createMockApi(api);
    const { id } = await api.createRequestValidator({ restApiId, name: 'all' });
    const named = await api.updateMethod({ ...key, patchOperations: [replace('/requestValidatorId', id!)] });
    expect(named.requestValidatorId).toBe(id);
    expect(await refusalOf(api.deleteRequestValidator({ restApiId, requestValidatorId: id! }))).toContain(
      '409 ConflictException',
    );
    await api.updateMethod({ ...key, patchOperations: [replace('/requestValidatorId', '')] });
    await api.deleteRequestValidator({ restApiId, requestValidatorId: id! });
  });
});

const FUNCTION =
  'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:check/invocations';
const TOKEN = {
  name: 'tokens',
  type: 'TOKEN',
  authorizerUri: FUNCTION,
  identitySource: 'method.request.header.Authorization',
} as const;
const POOL = 'arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-east-1_abc';

describe('authorizers', () => {
  test('created, read, changed and deleted; the time to live is absent until it is given', async () => {
    const restApiId = await newApi();
    const created = await api.createAuthorizer({ restApiId, ...TOKEN });
    expect([created.$metadata.httpStatusCode, answered(created)]).toStrictEqual([
      201,
      { id: expect.stringMatching(ID), ...TOKEN, authType: 'custom' },
    ]);
    const key = { restApiId, authorizerId: created.id! };
    const patchOperations = [
      replace('/name', 'requests'),
      replace('/type', 'REQUEST'),
      replace('/authType', 'custom2'),
      replace('/authorizerUri', FUNCTION.replace('check', 'other')),
      replace('/authorizerCredentials', 'arn:aws:iam::111111111111:role/invoke'),
      replace('/authorizerResultTtlInSeconds', '0'),
      replace('/identityValidationExpression', '^Bearer '),
      replace('/identitySource', 'method.request.header.A, method.request.querystring.b, context.path'),
    ];
    const expected = {
      id: created.id,
      name: 'requests',
      type: 'REQUEST',
      authType: 'custom2',
      authorizerUri: FUNCTION.replace('check', 'other'),
      authorizerCredentials: 'arn:aws:iam::111111111111:role/invoke',
      authorizerResultTtlInSeconds: 0,
      identityValidationExpression: '^Bearer ',
      identitySource: 'method.request.header.A, method.request.querystring.b, context.path',
    };
    expect(answered(await api.updateAuthorizer({ ...key, patchOperations }))).toStrictEqual(expected);
    expect(answered(await api.getAuthorizer(key))).toStrictEqual(expected);
    expect((await api.deleteAuthorizer(key)).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getAuthorizer(key))).toBe('404 NotFoundException: Invalid Authorizer identifier specified');
  });

  test('of user pools: providers are added and removed', async () => {
    const restApiId = await newApi();
    const { id } = await api.createAuthorizer({
      restApiId,
      name: 'pool',
      type: 'COGNITO_USER_POOLS',
      providerARNs: [POOL],
      identitySource: 'method.request.header.Authorization',
    });
    const patchOperations = [add('/providerARNs', `${POOL}2`), remove('/providerARNs', POOL)];
    const updated = await api.updateAuthorizer({ restApiId, authorizerId: id!, patchOperations });
    expect([updated.providerARNs, updated.authType]).toEqual([[`${POOL}2`], 'cognito_user_pools']);
  });

  for (const [why, input, message] of [
    ['no name', { name: ' ' }, 'Authorizer name cannot be empty'],
    [
      'a function that is none',
      { authorizerUri: 'arn:aws:lambda:us-east-1:111111111111:function:check' },
      'Invalid Authorizer URI: arn:aws:lambda:us-east-1:111111111111:function:check. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.',
    ],
    ['too long a memory', { authorizerResultTtlInSeconds: 3_601 }, 'Authorizer result TTL must be between 0 and 3600 seconds'],
    [
      'an expression that would look back',
      { identityValidationExpression: '(a)\\1' },
      'Invalid identity validation expression specified: back references are not supported, at character 5',
    ],
    ['no identity source', { identitySource: undefined }, 'Identity source is required for a TOKEN authorizer'],
    [
      'an identity source that tokens have not',
      { identitySource: 'method.request.querystring.token' },
      'Invalid identity source specified: method.request.querystring.token',
    ],
    ['no provider', { type: 'COGNITO_USER_POOLS' }, 'At least one provider ARN is required for a COGNITO_USER_POOLS authorizer'],
  ] as [string, Partial<CreateAuthorizerCommandInput>, string][]) {
    test(`an authorizer with ${why} is refused`, async () => {
      expect(await refusalOf(api.createAuthorizer({ restApiId: await newApi(), ...TOKEN, ...input }))).toBe(
        `400 BadRequestException: ${message}`,
      );
    });
  }

  test('a name twice, an eleventh one, an unknown API', async () => {
    const restApiId = await newApi();
    for (let i = 0; i < 10; i++) await api.createAuthorizer({ restApiId, ...TOKEN, name: `a${i}` });
    expect(await refusalOf(api.createAuthorizer({ restApiId, ...TOKEN, name: 'a3' }))).toBe(
      '409 ConflictException: Authorizer name must be unique. Authorizer a3 already exists in this RestApi.',
    );
    expect(await refusalOf(api.createAuthorizer({ restApiId, ...TOKEN, name: 'b' }))).toBe(
      '429 LimitExceededException: Maximum number of Authorizers for this API has been reached. Please contact AWS if you need additional Authorizers.',
    );
    expect(await refusalOf(api.createAuthorizer({ restApiId: 'zzzzzzzzzz', ...TOKEN }))).toContain('409 ConflictException');
    const names = (await inPages((page) => api.getAuthorizers({ restApiId, limit: 3, ...page }))).map(({ name }) => name!);
    expect(names.sort()).toEqual(Array.from({ length: 10 }, (_, i) => `a${i}`));
  });

  test('a method names one of its own kind; then it stays, and requests are refused until it is served', async () => {
    const { restApiId, key } = await createMockApi(api);
    const { id } = await api.createAuthorizer({ restApiId, ...TOKEN });
    const put = (authorizationType: string, authorizerId?: string): Promise<{ authorizerId?: string | undefined }> =>
      api.updateMethod({
        ...key,
        patchOperations: [replace('/authorizationType', authorizationType), replace('/authorizerId', authorizerId ?? '')],
      });
    const invalid =
      '400 BadRequestException: Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.';
    expect((await put('CUSTOM', id)).authorizerId).toBe(id);
    expect(await refusalOf(put('COGNITO_USER_POOLS', id))).toBe(invalid);
    expect(await refusalOf(put('CUSTOM', 'zzzzzz'))).toBe(invalid);
    expect(await refusalOf(put('CUSTOM'))).toBe(invalid);
    expect(await refusalOf(api.deleteAuthorizer({ restApiId, authorizerId: id! }))).toContain('409 ConflictException');
    expect((await put('AWS_IAM', id)).authorizerId).toBe(undefined);
    await api.deleteAuthorizer({ restApiId, authorizerId: id! });
  });
});

describe('gateway responses', () => {
  const shown = {
    defaultResponse: true,
    responseParameters: {},
    responseTemplates: { [JSON_TYPE]: '{"message":$context.error.messageString}' },
  };

  test('all 21 are there, by name, in pages', async () => {
    const restApiId = await newApi();
    const all = await inPages((page) => api.getGatewayResponses({ restApiId, limit: 4, ...page }));
    const types = all.map(({ responseType }) => responseType!);
    expect([types.length, types]).toEqual([21, [...types].sort()]);
    expect(answered(await api.getGatewayResponse({ restApiId, responseType: 'INVALID_API_KEY' }))).toStrictEqual({
      ...shown,
      responseType: 'INVALID_API_KEY',
      statusCode: '403',
    });
    expect(answered(await api.getGatewayResponse({ restApiId, responseType: 'DEFAULT_4XX' }))).toStrictEqual({
      ...shown,
      responseType: 'DEFAULT_4XX',
    });
  });

  test('put, changed, and back to the default', async () => {
    const restApiId = await newApi();
    const key = { restApiId, responseType: 'THROTTLED' as const };
    const put = await api.putGatewayResponse({ ...key, statusCode: '503' });
    expect([put.$metadata.httpStatusCode, answered(put)]).toStrictEqual([
      201,
      { ...shown, defaultResponse: false, responseType: 'THROTTLED', statusCode: '503' },
    ]);
    const patchOperations = [
      replace('/statusCode', '429'),
      add('/responseParameters/gatewayresponse.header.Retry-After', "'5'"),
      add('/responseTemplates/text~1plain', 'slow down'),
    ];
    expect(answered(await api.updateGatewayResponse({ ...key, patchOperations }))).toStrictEqual({
      defaultResponse: false,
      responseType: 'THROTTLED',
      statusCode: '429',
      responseParameters: { 'gatewayresponse.header.Retry-After': "'5'" },
      responseTemplates: { 'text/plain': 'slow down' },
    });
    expect((await api.deleteGatewayResponse(key)).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.deleteGatewayResponse(key))).toBe(
      '404 NotFoundException: Gateway response type not defined on api',
    );
  });

  test('patching a default makes a copy of what it shows; a class shows in its types that are not customised', async () => {
    const restApiId = await newApi();
    await api.putGatewayResponse({
      restApiId,
      responseType: 'DEFAULT_5XX',
      statusCode: '599',
      responseTemplates: { 'text/plain': 'oh' },
    });
    const inherited = await api.getGatewayResponse({ restApiId, responseType: 'INTEGRATION_TIMEOUT' });
    expect(answered(inherited)).toStrictEqual({
      defaultResponse: true,
      responseType: 'INTEGRATION_TIMEOUT',
      statusCode: '599',
      responseParameters: {},
      responseTemplates: { 'text/plain': 'oh' },
    });
    const patched = await api.updateGatewayResponse({
      restApiId,
      responseType: 'WAF_FILTERED',
      patchOperations: [add('/responseParameters/gatewayresponse.header.A', "'1'")],
    });
    expect([patched.defaultResponse, patched.statusCode, patched.responseTemplates]).toEqual([
      false,
      '403',
      shown.responseTemplates,
    ]);
  });

  test('refusals', async () => {
    const restApiId = await newApi();
    const responseType = 'THROTTLED';
    const patch = (...patchOperations: PatchOperation[]): Promise<string> =>
      refusalOf(api.updateGatewayResponse({ restApiId, responseType, patchOperations }));
    expect(await patch(add('/statusCode', '500'))).toBe(
      '400 BadRequestException: Invalid patch operation specified. Must be one of: [replace]',
    );
    expect(await patch(replace('/responseParameters/gatewayresponse.header.A', "'1'"))).toBe(
      '404 NotFoundException: Invalid parameter name specified',
    );
    expect(await patch(remove('/responseTemplates/a~1b'))).toBe('404 NotFoundException: Content-Type specified was not found');
    expect(await patch(add('/responseTemplates/a~1b', ''))).toBe(
      '400 BadRequestException: Invalid null or empty value in responseTemplates',
    );
    expect(await patch(replace('/nothing', '1'))).toBe('400 BadRequestException: Invalid patch path /nothing');
    const parameters = { 'method.response.header.A': "'1'" };
    expect(await refusalOf(api.putGatewayResponse({ restApiId, responseType, responseParameters: parameters }))).toBe(
      '400 BadRequestException: Invalid mapping expression specified: Validation Result: warnings : [], ' +
        'errors : [Invalid mapping expression specified: method.response.header.A]',
    );
    expect(await refusalOf(api.putGatewayResponse({ restApiId, responseType: 'TEAPOT' as 'THROTTLED' }))).toContain(
      "400 ValidationException: 1 validation error detected: Value 'TEAPOT' at 'responseType' failed to satisfy constraint",
    );
  });
});

describe('documentation', () => {
  const text = '{"description":"A shop."}';

  test('parts: created, read, found by what they are about, changed and deleted', async () => {
    const { restApiId, key } = await createMockApi(api);
    const created = await api.createDocumentationPart({
      restApiId,
      location: { type: 'METHOD', path: '/', method: 'GET', name: '', statusCode: '' },
      properties: text,
    });
    const expected = { id: expect.stringMatching(ID), location: { type: 'METHOD', path: '/', method: 'GET' }, properties: text };
    expect([created.$metadata.httpStatusCode, answered(created)]).toStrictEqual([201, expected]);
    await api.createDocumentationPart({ restApiId, location: { type: 'MODEL', name: 'Error' }, properties: text });
    const found = async (filter: object): Promise<(string | undefined)[]> =>
      (await api.getDocumentationParts({ restApiId, ...filter })).items!.map(({ location }) => location!.type);
    expect((await found({})).sort()).toEqual(['METHOD', 'MODEL']);
    expect(await found({ type: 'MODEL' })).toEqual(['MODEL']);
    expect(await found({ path: '/', type: 'METHOD' })).toEqual(['METHOD']);
    expect(await found({ nameQuery: 'rro' })).toEqual(['MODEL']);
    const undocumented = await api.getDocumentationParts({ restApiId, locationStatus: 'UNDOCUMENTED' });
    expect(undocumented.items).toContainEqual({ location: { type: 'MODEL', name: 'Empty' } });
    expect(undocumented.items).not.toContainEqual({ location: { type: 'MODEL', name: 'Error' } });
    const part = { restApiId, documentationPartId: created.id! };
    expect(answered(await api.getDocumentationPart(part))).toStrictEqual(expected);
    const patchOperations = [replace('/properties', '{"description":"Another."}')];
    expect((await api.updateDocumentationPart({ ...part, patchOperations })).properties).toBe('{"description":"Another."}');
    expect((await api.deleteDocumentationPart(part)).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getDocumentationPart(part))).toBe(
      '404 NotFoundException: Invalid Documentation part identifier specified',
    );
    expect(key.restApiId).toBe(restApiId);
  });

  test('refusals', async () => {
    const restApiId = await newApi();
    const create = (location: object, properties = text): Promise<string> =>
      refusalOf(api.createDocumentationPart({ restApiId, location: location as never, properties }));
    expect(await create({ type: 'API' }, '{}')).toBe('400 BadRequestException: Documentation part properties must be non-empty');
    expect(await create({ type: 'API' }, 'x')).toBe(
      '400 BadRequestException: Documentation part properties must be a JSON object',
    );
    expect(await create({ type: 'API', path: '/' })).toBe(
      '400 BadRequestException: Invalid location: path cannot be set for documentation part type API',
    );
    expect(await create({ type: 'MODEL' })).toBe(
      '400 BadRequestException: Invalid location: name is required for documentation part type MODEL',
    );
    await api.createDocumentationPart({ restApiId, location: { type: 'RESPONSE', path: '/a' }, properties: text });
    expect(await create({ type: 'RESPONSE', path: '/a', method: '*', statusCode: '*' })).toBe(
      "409 ConflictException: Documentation part already exists for the specified location: type 'RESPONSE'.",
    );
    expect(await create({ type: 'TEAPOT' })).toContain("400 ValidationException: 1 validation error detected: Value 'TEAPOT'");
  });

  test('versions keep the parts, and a stage can name one', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const version = { restApiId, documentationVersion: 'v1' };
    expect(await refusalOf(api.createDocumentationVersion(version))).toContain('400 BadRequestException');
    await api.createDocumentationPart({ restApiId, location: { type: 'API' }, properties: text });
    const created = await api.createDocumentationVersion({ ...version, description: 'first', stageName: 'dev' });
    expect([created.$metadata.httpStatusCode, answered(created)]).toStrictEqual([
      201,
      { version: 'v1', description: 'first', createdDate: expect.any(Date) },
    ]);
    expect((await api.getStage({ restApiId, stageName: 'dev' })).documentationVersion).toBe('v1');
    expect(await refusalOf(api.createDocumentationVersion(version))).toContain('409 ConflictException');
    const patchOperations = [replace('/description', 'second')];
    expect((await api.updateDocumentationVersion({ ...version, patchOperations })).description).toBe('second');
    expect(await api.getDocumentationVersion(version)).toMatchObject({ version: 'v1', description: 'second' });
    expect((await api.getDocumentationVersions({ restApiId })).items).toHaveLength(1);
    expect((await api.deleteDocumentationVersion(version)).$metadata.httpStatusCode).toBe(202);
  });
});

test('a clone has the parts of its original, and its models refer to its own', async () => {
  const restApiId = await newApi();
  await api.createRequestValidator({ restApiId, name: 'all' });
  await api.createAuthorizer({ restApiId, ...TOKEN });
  await api.putGatewayResponse({ restApiId, responseType: 'THROTTLED', statusCode: '503' });
  await api.createDocumentationPart({ restApiId, location: { type: 'API' }, properties: '{"a":1}' });
  const $ref = `https://apigateway.amazonaws.com/restapis/${restApiId}/models/Error`;
  await api.createModel({ restApiId, name: 'Errors', contentType: JSON_TYPE, schema: JSON.stringify({ items: { $ref } }) });
  const { id } = await api.createRestApi({ name: 'clone', cloneFrom: restApiId });
  const clone = { restApiId: id! };
  expect((await api.getModel({ ...clone, modelName: 'Errors' })).schema).toContain(`/restapis/${id}/models/Error`);
  expect((await api.getRequestValidators(clone)).items).toHaveLength(1);
  expect((await api.getAuthorizers(clone)).items).toHaveLength(1);
  expect((await api.getGatewayResponse({ ...clone, responseType: 'THROTTLED' })).statusCode).toBe('503');
  expect((await api.getDocumentationParts(clone)).items).toHaveLength(1);
});
