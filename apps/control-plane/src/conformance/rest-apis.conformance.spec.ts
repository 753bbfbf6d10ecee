/** REST APIs and all they are made of, through the AWS SDK: exact answers, exact refusals, every PATCH path once. */
import { paginateGetResources, paginateGetRestApis, type PatchOperation } from '@aws-sdk/client-api-gateway';
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

const ID_10 = /^[a-z0-9]{10}$/;
const ID_6 = /^[a-z0-9]{6}$/;
const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const add = (path: string, value?: string): PatchOperation => ({ op: 'add', path, value });
const remove = (path: string, value?: string): PatchOperation => ({ op: 'remove', path, value });

describe('REST APIs', () => {
  test('CreateRestApi answers 201 with AWS defaults and no member that was not asked for', async () => {
    const output = await api.createRestApi({ name: 'pets' });
    expect(output.$metadata.httpStatusCode).toBe(201);
    expect(answered(output)).toStrictEqual({
      id: expect.stringMatching(ID_10),
      name: 'pets',
      createdDate: expect.any(Date),
      apiKeySource: 'HEADER',
      disableExecuteApiEndpoint: false,
      endpointConfiguration: { types: ['EDGE'], ipAddressType: 'ipv4' },
      rootResourceId: expect.stringMatching(ID_10),
    });
    expect(Math.abs(output.createdDate!.getTime() - Date.now())).toBeLessThan(60_000);
    expect(answered(await api.getRestApi({ restApiId: output.id! }))).toStrictEqual({ ...answered(output), tags: {} });
  });

  test('everything given to CreateRestApi is read back by GetRestApi, the policy with its quotes escaped once more', async () => {
    const given = {
      name: 'everything',
      description: 'd',
      version: 'v1',
      binaryMediaTypes: ['image/png', '*/*'],
      minimumCompressionSize: 0,
      apiKeySource: 'AUTHORIZER' as const,
      endpointConfiguration: { types: ['REGIONAL' as const], ipAddressType: 'dualstack' as const },
      disableExecuteApiEndpoint: true,
      tags: { team: 'a' },
    };
    const created = await api.createRestApi({ ...given, policy: '{"Version":"2012-10-17","Statement":[]}' });
    expect(answered(await api.getRestApi({ restApiId: created.id! }))).toStrictEqual({
      ...given,
      id: created.id,
      createdDate: created.createdDate,
      rootResourceId: created.rootResourceId,
      policy: '{\\"Version\\":\\"2012-10-17\\",\\"Statement\\":[]}',
    });
  });

  test('DeleteRestApi answers 202 without a body and takes everything below along', async () => {
    const { restApiId, key } = await users();
    const response = await tenant.send({ method: 'DELETE', path: `/restapis/${restApiId}` });
    expect([response.status, response.text, response.headers['content-length']]).toEqual([202, '', '0']);
    expect(await refusalOf(api.getRestApi({ restApiId }))).toBe(unknownApi(restApiId));
    expect(await refusalOf(api.getMethod(key))).toBe('404 NotFoundException: Invalid Resource identifier specified');
    expect(await house.query('SELECT 1 FROM methods WHERE api_id = $1', [restApiId])).toEqual([]);
  });

  test('a copy has the content of its original', async () => {
    const { restApiId } = await users();
    const copy = await api.createRestApi({ name: 'copy', cloneFrom: restApiId });
    const paths = (await api.getResources({ restApiId: copy.id!, embed: ['methods'] })).items!.map(
      ({ path, resourceMethods }) => [path, Object.keys(resourceMethods ?? {})],
    );
    expect(paths).toEqual([
      ['/', []],
      ['/users', ['GET']],
    ]);
  });

  for (const [name, input, refusal] of [
    ['an empty description', { description: '' }, '400 BadRequestException: Description cannot be an empty string'],
    [
      'no endpoint type',
      { endpointConfiguration: { types: [] } },
      '400 BadRequestException: REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.',
    ],
    [
      'two endpoint types',
      { endpointConfiguration: { types: ['EDGE', 'REGIONAL'] } },
      '400 BadRequestException: Cannot create an api with multiple Endpoint Types.',
    ],
    [
      'an endpoint type that is none',
      { endpointConfiguration: { types: ['LOCAL' as 'EDGE'] } },
      "400 ValidationException: 1 validation error detected: Value '[LOCAL]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: " +
        'Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]',
    ],
    [
      'a private API on ipv4',
      { endpointConfiguration: { types: ['PRIVATE'], ipAddressType: 'ipv4' } },
      '400 BadRequestException: Only dualstack ipAddressType is supported for Private APIs.',
    ],
    [
      'too large a compression size',
      { minimumCompressionSize: 10_485_761 },
      '400 BadRequestException: Invalid minimum compression size, must be between 0 and 10485760',
    ],
  ] satisfies [string, Partial<Parameters<typeof api.createRestApi>[0]>, string][]) {
    test(`CreateRestApi with ${name} is refused`, async () => {
      expect(await refusalOf(api.createRestApi({ name: 'refused', ...input }))).toBe(refusal);
    });
  }

  test('ids are case-sensitive', async () => {
    const { restApiId } = await users();
    expect(await refusalOf(api.getRestApi({ restApiId: restApiId.toUpperCase() }))).toBe(unknownApi(restApiId.toUpperCase()));
  });

  test('every PATCH path of a REST API does what it says', async () => {
    const { id: restApiId } = await api.createRestApi({ name: 'patched', endpointConfiguration: { types: ['REGIONAL'] } });
    const patch = async (...patchOperations: PatchOperation[]) =>
      answered(await api.updateRestApi({ restApiId, patchOperations }));
    expect(
      await patch(
        replace('/name', 'renamed'),
        add('/description', 'said'),
        replace('/policy', '{"Statement":[]}'),
        replace('/apiKeySource', 'AUTHORIZER'),
        replace('/disableExecuteApiEndpoint', 'true'),
        replace('/securityPolicy', 'TLS_1_2'),
        replace('/endpointAccessMode', 'BASIC'),
        replace('/minimumCompressionSize', '1024'),
        add('/binaryMediaTypes/image~1png'),
        add('/binaryMediaTypes/image~1gif'),
        replace('/binaryMediaTypes/image~1png', 'image/webp'),
        replace('/endpointConfiguration/types/0', 'PRIVATE'),
        add('/endpointConfiguration/vpcEndpointIds', 'vpce-1'),
        add('/endpointConfiguration/vpcEndpointIds', 'vpce-2'),
        remove('/endpointConfiguration/vpcEndpointIds', 'vpce-1'),
      ),
    ).toMatchObject({
      name: 'renamed',
      description: 'said',
      policy: '{\\"Statement\\":[]}',
      apiKeySource: 'AUTHORIZER',
      disableExecuteApiEndpoint: true,
      securityPolicy: 'TLS_1_2',
      endpointAccessMode: 'BASIC',
      minimumCompressionSize: 1024,
      binaryMediaTypes: ['image/gif', 'image/webp'],
      endpointConfiguration: { types: ['PRIVATE'], ipAddressType: 'dualstack', vpcEndpointIds: ['vpce-2'] },
      tags: {},
    });
    const back = await patch(
      replace('/endpointConfiguration/types/PRIVATE', 'REGIONAL'),
      replace('/endpointConfiguration/ipAddressType', 'ipv4'),
      remove('/description'),
      remove('/binaryMediaTypes/image~1gif'),
      remove('/binaryMediaTypes/image~1webp'),
      { op: 'replace', path: '/minimumCompressionSize' },
      replace('/policy', ''),
    );
    expect(back.endpointConfiguration).toEqual({ types: ['REGIONAL'], ipAddressType: 'ipv4' });
    for (const gone of ['description', 'binaryMediaTypes', 'minimumCompressionSize', 'policy'])
      expect(back).not.toHaveProperty(gone);
    expect(answered(await api.getRestApi({ restApiId: restApiId! }))).toStrictEqual(back);
  });

  for (const [name, operation, message] of [
    ['an unknown path', replace('/x', '1'), 'BadRequestException: Invalid patch path /x'],
    ['no path', { op: 'replace', value: '1' }, 'BadRequestException: Invalid patch path null'],
    ['a list without its key', add('/binaryMediaTypes', 'a/b'), 'BadRequestException: Invalid patch path /binaryMediaTypes'],
    [
      'an op the path does not take',
      add('/name', 'x'),
      'BadRequestException: Invalid patch operation specified. Must be one of: [replace]',
    ],
    [
      'an op on endpoint types',
      add('/endpointConfiguration/types/EDGE', 'EDGE'),
      "BadRequestException: Invalid patch operation specified. Must be 'add'|'remove'|'replace'",
    ],
    [
      'an endpoint type that is none',
      replace('/endpointConfiguration/types/0', 'X'),
      'BadRequestException: Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE',
    ],
    [
      'an IP address type that is none',
      replace('/endpointConfiguration/ipAddressType', 'ipv6'),
      'BadRequestException: ipAddressType must be either ipv4 or dualstack.',
    ],
    [
      'an op that is none',
      { op: 'set' as 'add', path: '/name', value: 'x' },
      "ValidationException: 1 validation error detected: Value 'set' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy constraint: " +
        'Member must satisfy enum value set: [add, remove, move, test, replace, copy]',
    ],
  ] satisfies [string, PatchOperation, string][]) {
    test(`UpdateRestApi with ${name} is refused, and the operations before it are not applied`, async () => {
      const { restApiId } = await users();
      const before = answered(await api.getRestApi({ restApiId }));
      // The enum error counts operations from one, so it must come first there.
      const operations = message.startsWith('Validation') ? [operation] : [replace('/name', 'half'), operation];
      expect(await refusalOf(api.updateRestApi({ restApiId, patchOperations: operations }))).toBe(`400 ${message}`);
      expect(answered(await api.getRestApi({ restApiId }))).toStrictEqual(before);
    });
  }
});

describe('resources', () => {
  test('CreateResource answers 201; GetResource names verbs, and embeds methods when asked', async () => {
    const { restApiId, rootId, key } = await users();
    const created = await api.createResource({ restApiId, parentId: key.resourceId, pathPart: '{id}' });
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toStrictEqual({
      id: expect.stringMatching(ID_6),
      parentId: key.resourceId,
      pathPart: '{id}',
      path: '/users/{id}',
    });
    expect(answered(await api.getResource({ restApiId, resourceId: rootId }))).toStrictEqual({ id: rootId, path: '/' });
    const { resourceId } = key;
    expect(answered(await api.getResource({ restApiId, resourceId }))).toStrictEqual({
      id: resourceId,
      parentId: rootId,
      pathPart: 'users',
      path: '/users',
      resourceMethods: { GET: {} },
    });
    const embedded = answered(await api.getResource({ restApiId, resourceId, embed: ['methods'] }));
    expect(embedded.resourceMethods).toStrictEqual({ GET: answered(await api.getMethod(key)) });
    expect(embedded.resourceMethods!['GET']).toHaveProperty('methodIntegration.integrationResponses.200');
  });

  test('every PATCH path moves the whole subtree', async () => {
    const { restApiId, rootId, key } = await users();
    const { id: child } = await api.createResource({ restApiId, parentId: key.resourceId, pathPart: '{id}' });
    const { id: other } = await api.createResource({ restApiId, parentId: rootId, pathPart: 'other' });
    const moved = await api.updateResource({
      restApiId,
      resourceId: key.resourceId,
      patchOperations: [replace('/pathPart', 'people'), replace('/parentId', other)],
    });
    expect(moved).toMatchObject({ parentId: other, pathPart: 'people', path: '/other/people', resourceMethods: { GET: {} } });
    expect((await api.getResource({ restApiId, resourceId: child! })).path).toBe('/other/people/{id}');
  });

  test('DeleteResource answers 202 and takes what stands below it', async () => {
    const { restApiId, key } = await users();
    const child = await api.createResource({ restApiId, parentId: key.resourceId, pathPart: '{id}' });
    expect((await api.deleteResource({ restApiId, resourceId: key.resourceId })).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getResource({ restApiId, resourceId: child.id! }))).toBe(
      '404 NotFoundException: Invalid Resource identifier specified',
    );
  });

  test('what a tree of paths cannot be is refused', async () => {
    const { restApiId, rootId, key } = await users();
    const create = (parentId: string, pathPart: string) => refusalOf(api.createResource({ restApiId, parentId, pathPart }));
    expect(await create(rootId, 'users')).toBe(
      '409 ConflictException: Another resource with the same parent already has this name: users',
    );
    expect(await create(rootId, '')).toBe("400 BadRequestException: Resource's path part must be specified");
    expect(await create(rootId, 'a/b')).toMatch(/^400 BadRequestException: Resource's path part only allow a-zA-Z0-9\._-/);
    expect(await create('nobody', 'x')).toBe('404 NotFoundException: Invalid Resource identifier specified');
    const { id: greedy } = await api.createResource({ restApiId, parentId: rootId, pathPart: '{proxy+}' });
    expect(await create(greedy!, 'x')).toBe(
      '400 BadRequestException: Cannot create a child of a resource with a greedy path variable: {proxy+}',
    );
    expect(await create(rootId, '{other}')).toBe(
      '400 BadRequestException: A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed',
    );
    const { id: child } = await api.createResource({ restApiId, parentId: key.resourceId, pathPart: 'x' });
    const update = (resourceId: string, ...patchOperations: PatchOperation[]) =>
      refusalOf(api.updateResource({ restApiId, resourceId, patchOperations }));
    expect(await update(key.resourceId, replace('/parentId', child))).toBe(
      '400 BadRequestException: Resources cannot be cyclical.',
    );
    expect(await update(rootId, replace('/pathPart', 'x'))).toBe(
      '400 BadRequestException: Root resource cannot update its pathPart.',
    );
    expect(await update(rootId, replace('/parentId', child))).toBe(
      '400 BadRequestException: Root resource cannot update its parentId.',
    );
    expect(await update(child!, replace('/x', '1'))).toBe(
      "400 BadRequestException: Invalid patch path  '/x' specified for op 'replace'. Must be one of: [/parentId, /pathPart]",
    );
    expect(await update(child!, add('/pathPart', 'y'))).toBe(
      "400 BadRequestException: Invalid patch path  '/pathPart' specified for op 'add'. Please choose supported operations",
    );
  });

  test('the 300th resource is the last', async () => {
    const { id: restApiId, rootResourceId } = await api.createRestApi({ name: 'full' });
    for (let i = 1; i < 300; i++)
      await api.createResource({ restApiId: restApiId!, parentId: rootResourceId!, pathPart: `r${i}` });
    expect(await refusalOf(api.createResource({ restApiId: restApiId!, parentId: rootResourceId!, pathPart: 'r300' }))).toBe(
      '429 LimitExceededException: Maximum number of Resources for this API has been reached.  Please contact AWS if you need additional Resources.',
    );
  });
});

describe('methods and their responses', () => {
  test('PutMethod answers 201 with what was given and the defaults, GetMethod the same', async () => {
    const { restApiId, rootId } = await users();
    const key = { restApiId, resourceId: rootId, httpMethod: 'ANY' };
    const bare = await api.putMethod({ ...key, authorizationType: 'NONE' });
    expect(bare.$metadata.httpStatusCode).toBe(201);
    expect(answered(bare)).toStrictEqual({ httpMethod: 'ANY', authorizationType: 'NONE', apiKeyRequired: false });
    expect(answered(await api.getMethod(key))).toStrictEqual(answered(bare));
    const given = {
      authorizationType: 'AWS_IAM',
      apiKeyRequired: true,
      operationName: 'ListPets',
      requestParameters: { 'method.request.querystring.page': false, 'method.request.header.X-Trace': true },
      requestModels: { 'application/json': 'Empty' },
      authorizationScopes: ['read', 'write'],
    };
    const full = await api.putMethod({ ...key, httpMethod: 'POST', ...given });
    expect(answered(full)).toStrictEqual({ httpMethod: 'POST', ...given });
    expect((await api.deleteMethod(key)).$metadata.httpStatusCode).toBe(204);
    expect(await refusalOf(api.getMethod(key))).toBe('404 NotFoundException: Invalid Method identifier specified');
  });

  for (const [name, input, refusal] of [
    [
      'a verb that is none',
      { httpMethod: 'get' },
      '400 BadRequestException: Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY',
    ],
    [
      'one name in two places',
      { requestParameters: { 'method.request.querystring.id': true, 'method.request.path.id': true } },
      '400 BadRequestException: Parameter names must be unique across querystring, header and path',
    ],
    [
      'an authorizer that is not there',
      { authorizationType: 'CUSTOM', authorizerId: 'abc123' },
      '400 BadRequestException: Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.',
    ],
    [
      'a validator that is not there',
      { requestValidatorId: 'abc123' },
      '400 BadRequestException: Invalid Request Validator identifier specified',
    ],
    [
      'a model that is not there',
      { requestModels: { 'application/json': 'Pet' } },
      '400 BadRequestException: Invalid model identifier specified: Pet',
    ],
    ['a method that is there', { httpMethod: 'GET' }, '409 ConflictException: Method already exists for this resource'],
    ['a resource that is not there', { resourceId: 'nobody' }, '404 NotFoundException: Invalid Resource identifier specified'],
  ] satisfies [string, object, string][]) {
    test(`PutMethod with ${name} is refused`, async () => {
      const { key } = await users();
      expect(await refusalOf(api.putMethod({ ...key, httpMethod: 'PUT', authorizationType: 'NONE', ...input }))).toBe(refusal);
    });
  }

  test('every PATCH path of a method does what it says', async () => {
    const { key } = await users();
    const patch = async (...patchOperations: PatchOperation[]) => answered(await api.updateMethod({ ...key, patchOperations }));
    expect(
      await patch(
        replace('/authorizationType', 'AWS_IAM'),
        replace('/authorizerId', 'ignored'),
        replace('/apiKeyRequired', 'true'),
        replace('/operationName', 'ListUsers'),
        replace('/requestValidatorId', ''),
        add('/authorizationScopes', 'a'),
        add('/authorizationScopes', 'b'),
        remove('/authorizationScopes', 'a'),
        add('/requestParameters/method.request.header.X', 'true'),
        add('/requestParameters/method.request.header.Y', 'false'),
        replace('/requestParameters/method.request.header.X', 'false'),
        remove('/requestParameters/method.request.header.Y'),
        add('/requestModels/application~1json', 'Empty'),
        replace('/requestModels/application~1json', 'Error'),
      ),
    ).toMatchObject({
      authorizationType: 'AWS_IAM',
      apiKeyRequired: true,
      operationName: 'ListUsers',
      authorizationScopes: ['b'],
      requestParameters: { 'method.request.header.X': false },
      requestModels: { 'application/json': 'Error' },
    });
    const back = await patch(
      replace('/authorizationType', 'NONE'),
      replace('/apiKeyRequired', 'yes'),
      replace('/operationName', ''),
      remove('/authorizationScopes', 'b'),
      remove('/requestParameters/method.request.header.X'),
      remove('/requestModels/application~1json'),
    );
    expect(back).toMatchObject({ authorizationType: 'NONE', apiKeyRequired: false });
    for (const gone of ['operationName', 'authorizationScopes', 'requestParameters', 'requestModels', 'authorizerId'])
      expect(back).not.toHaveProperty(gone);
    expect(await refusalOf(patch(replace('/httpMethod', 'PUT')))).toBe('400 BadRequestException: Invalid patch path /httpMethod');
  });

  test('method responses: 201 with what was given, 201 on PATCH, 204 on DELETE', async () => {
    const { key } = await users();
    const response = { ...key, statusCode: '404' };
    const created = await api.putMethodResponse({
      ...response,
      responseParameters: {},
      responseModels: { 'application/json': 'Error' },
    });
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toStrictEqual({
      statusCode: '404',
      responseParameters: {},
      responseModels: { 'application/json': 'Error' },
    });
    expect(answered(await api.getMethodResponse(response))).toStrictEqual(answered(created));
    const patched = await api.updateMethodResponse({
      ...response,
      patchOperations: [
        add('/responseParameters/method.response.header.X', 'true'),
        add('/responseParameters/method.response.header.Y', 'true'),
        replace('/responseParameters/method.response.header.X', 'false'),
        remove('/responseParameters/method.response.header.Y'),
        add('/responseModels/text~1plain', 'Empty'),
        replace('/responseModels/text~1plain', 'Error'),
        remove('/responseModels/application~1json'),
      ],
    });
    expect(patched.$metadata.httpStatusCode).toBe(201);
    expect(answered(patched)).toStrictEqual({
      statusCode: '404',
      responseParameters: { 'method.response.header.X': false },
      responseModels: { 'text/plain': 'Error' },
    });
    const emptied = await api.updateMethodResponse({
      ...response,
      patchOperations: [remove('/responseParameters/method.response.header.X'), remove('/responseModels/text~1plain')],
    });
    expect(answered(emptied)).toStrictEqual({ statusCode: '404' });
    expect((await api.deleteMethodResponse(response)).$metadata.httpStatusCode).toBe(204);
    expect(await refusalOf(api.getMethodResponse(response))).toBe(
      '404 NotFoundException: Invalid Response status code specified',
    );
  });

  test('what a method response cannot be is refused', async () => {
    const { key } = await users();
    const response = { ...key, statusCode: '200' };
    expect(await refusalOf(api.putMethodResponse(response))).toMatch(/^409 ConflictException: /);
    expect(await refusalOf(api.putMethodResponse({ ...key, statusCode: '777' }))).toBe(
      "400 ValidationException: 1 validation error detected: Value '777' at 'statusCode' failed to satisfy constraint: " +
        'Member must satisfy regular expression pattern: [1-5]\\d\\d',
    );
    expect(await refusalOf(api.putMethodResponse({ ...key, statusCode: '201', responseModels: { 'a/b': 'Pet' } }))).toBe(
      '400 BadRequestException: Invalid model identifier specified: Pet',
    );
    const patch = (...patchOperations: PatchOperation[]) => refusalOf(api.updateMethodResponse({ ...response, patchOperations }));
    expect(await patch(remove('/responseParameters/method.response.header.None'))).toBe(
      '404 NotFoundException: Invalid parameter name specified',
    );
    expect(await patch(remove('/responseModels/a~1b'))).toBe('404 NotFoundException: Content-Type specified was not found');
    expect(await patch(replace('/statusCode', '201'))).toBe('400 BadRequestException: Invalid patch path /statusCode');
  });
});

const FUNCTION_ARN = 'arn:aws:lambda:us-east-1:111111111111:function:users';
const FUNCTION_URI = `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${FUNCTION_ARN}/invocations`;
const HTTP = { type: 'HTTP', integrationHttpMethod: 'GET', uri: 'http://example.com/users' } as const;

describe('integrations and their responses', () => {
  test('PutIntegration answers 201 with the defaults of its type', async () => {
    const { key } = await users();
    const { resourceId } = key;
    const common = {
      passthroughBehavior: 'WHEN_NO_MATCH',
      timeoutInMillis: 29_000,
      cacheNamespace: resourceId,
      cacheKeyParameters: [],
    };
    const put = async (input: Omit<Parameters<typeof api.putIntegration>[0], keyof typeof key>) => {
      const output = await api.putIntegration({ ...key, ...input });
      expect(output.$metadata.httpStatusCode).toBe(201);
      expect(answered(await api.getIntegration(key))).toStrictEqual(answered(output));
      return answered(output);
    };
    expect(await put({ type: 'MOCK' })).toStrictEqual({ type: 'MOCK', ...common });
    expect(await put(HTTP)).toStrictEqual({
      type: 'HTTP',
      httpMethod: 'GET',
      uri: HTTP.uri,
      connectionType: 'INTERNET',
      ...common,
    });
    expect(await put({ type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri: FUNCTION_URI })).toStrictEqual({
      type: 'AWS_PROXY',
      httpMethod: 'POST',
      uri: FUNCTION_URI,
      ...common,
    });
    expect(
      await put({
        ...HTTP,
        type: 'HTTP_PROXY',
        integrationHttpMethod: 'ANY',
        uri: 'https://${stageVariables.host}/users',
        requestParameters: { 'integration.request.header.X-From': "'gatehouse'" },
        requestTemplates: { 'application/json': '' },
        timeoutInMillis: 50,
        cacheNamespace: 'ns',
        contentHandling: 'CONVERT_TO_TEXT',
        passthroughBehavior: 'NEVER',
        tlsConfig: { insecureSkipVerification: true },
        responseTransferMode: 'STREAM',
      }),
    ).toMatchObject({
      httpMethod: 'ANY',
      uri: 'https://${stageVariables.host}/users',
      requestParameters: { 'integration.request.header.X-From': "'gatehouse'" },
      timeoutInMillis: 50,
      cacheNamespace: 'ns',
      contentHandling: 'CONVERT_TO_TEXT',
      passthroughBehavior: 'NEVER',
      tlsConfig: { insecureSkipVerification: true },
      responseTransferMode: 'STREAM',
    });
    // The SDK drops null members; the wire has one.
    const raw = await tenant.send({ path: `/restapis/${key.restApiId}/resources/${resourceId}/methods/GET/integration` });
    expect(JSON.parse(raw.text)).toHaveProperty(['requestTemplates', 'application/json'], null);
    expect((await api.deleteIntegration(key)).$metadata.httpStatusCode).toBe(204);
    expect(await refusalOf(api.getIntegration(key))).toBe('404 NotFoundException: Invalid Integration identifier specified');
  });

  for (const [name, input, refusal] of [
    [
      'no verb',
      { type: 'HTTP', uri: 'http://example.com' },
      '400 BadRequestException: Enumeration value for HttpMethod must be non-empty',
    ],
    [
      'an address that is no URL',
      { ...HTTP, uri: 'ftp://example.com' },
      '400 BadRequestException: Invalid HTTP endpoint specified for URI',
    ],
    [
      'an address that is no ARN',
      { type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri: 'http://example.com' },
      '400 BadRequestException: Invalid ARN specified in the request',
    ],
    [
      'an ARN without path or action',
      { type: 'AWS', integrationHttpMethod: 'POST', uri: 'arn:aws:apigateway:us-east-1:sqs:queue' },
      '400 BadRequestException: AWS ARN for integration must contain path or action',
    ],
    [
      'a proxy to another service',
      { type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri: 'arn:aws:apigateway:us-east-1:sqs:path/1/q' },
      "400 BadRequestException: Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
    ],
    [
      'a service without a role',
      { type: 'AWS', integrationHttpMethod: 'POST', uri: 'arn:aws:apigateway:us-east-1:sqs:path/1/q' },
      '400 BadRequestException: Role ARN must be specified for AWS integrations',
    ],
    [
      'a source that is not declared',
      { ...HTTP, requestParameters: { 'integration.request.header.X': 'method.request.header.Nope' } },
      '400 BadRequestException: Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: method.request.header.Nope]',
    ],
    [
      'a type that is none',
      { type: 'SOAP' as 'HTTP' },
      "400 ValidationException: 1 validation error detected: Value 'SOAP' at 'putIntegrationInput.type' failed to satisfy constraint: " +
        'Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]',
    ],
  ] satisfies [string, Omit<Parameters<typeof api.putIntegration>[0], 'restApiId' | 'resourceId' | 'httpMethod'>, string][]) {
    test(`PutIntegration with ${name} is refused and leaves the integration as it was`, async () => {
      const { key } = await users();
      const before = answered(await api.getIntegration(key));
      expect(await refusalOf(api.putIntegration({ ...key, ...input }))).toBe(refusal);
      expect(answered(await api.getIntegration(key))).toStrictEqual(before);
    });
  }

  test('every PATCH path of an integration does what it says, and an empty patch answers what there is', async () => {
    const { key } = await users();
    await api.updateMethod({ ...key, patchOperations: [add('/requestParameters/method.request.querystring.page', 'false')] });
    await api.putIntegration({ ...key, ...HTTP });
    const patch = async (...patchOperations: PatchOperation[]) =>
      answered(await api.updateIntegration({ ...key, patchOperations }));
    const patched = await patch(
      replace('/httpMethod', 'POST'),
      replace('/uri', 'https://example.org/{page}'),
      replace('/connectionType', 'INTERNET'),
      replace('/contentHandling', 'CONVERT_TO_BINARY'),
      replace('/credentials', 'arn:aws:iam::111111111111:role/r'),
      replace('/passthroughBehavior', 'NEVER'),
      replace('/timeoutInMillis', '1000'),
      replace('/cacheNamespace', 'ns'),
      replace('/responseTransferMode', 'BUFFERED'),
      replace('/tlsConfig/insecureSkipVerification', 'true'),
      add('/cacheKeyParameters/method.request.querystring.page', ''),
      add('/requestParameters/integration.request.path.page', 'method.request.querystring.page'),
      replace('/requestParameters/integration.request.path.page', "'1'"),
      add('/requestTemplates/application~1json', '{}'),
      replace('/requestTemplates/application~1json', '$input.json("$")'),
    );
    expect(patched).toStrictEqual({
      type: 'HTTP',
      httpMethod: 'POST',
      uri: 'https://example.org/{page}',
      connectionType: 'INTERNET',
      contentHandling: 'CONVERT_TO_BINARY',
      credentials: 'arn:aws:iam::111111111111:role/r',
      passthroughBehavior: 'NEVER',
      timeoutInMillis: 1000,
      cacheNamespace: 'ns',
      cacheKeyParameters: ['method.request.querystring.page'],
      responseTransferMode: 'BUFFERED',
      tlsConfig: { insecureSkipVerification: true },
      requestParameters: { 'integration.request.path.page': "'1'" },
      requestTemplates: { 'application/json': '$input.json("$")' },
    });
    expect(await patch()).toStrictEqual(patched);
    const back = await patch(
      remove('/cacheKeyParameters/method.request.querystring.page'),
      remove('/requestParameters/integration.request.path.page'),
      remove('/requestTemplates/application~1json'),
      replace('/contentHandling', ''),
      replace('/credentials', ''),
    );
    expect(back.cacheKeyParameters).toEqual([]);
    for (const gone of ['requestParameters', 'requestTemplates', 'contentHandling', 'credentials'])
      expect(back).not.toHaveProperty(gone);
    expect(await refusalOf(patch(replace('/type', 'MOCK')))).toBe('400 BadRequestException: Invalid patch path /type');
    await api.putIntegration({ ...key, type: 'MOCK' });
    expect(await refusalOf(patch(replace('/uri', 'http://example.com')))).toBe(
      '400 BadRequestException: Invalid patch path /uri',
    );
  });

  test('integration responses: 201 with what was given, 200 on PATCH, 204 on DELETE', async () => {
    const { key } = await users();
    const response = { ...key, statusCode: '200' };
    const put = await api.putIntegrationResponse({
      ...response,
      selectionPattern: '',
      responseTemplates: { 'application/json': '{}' },
    });
    expect(put.$metadata.httpStatusCode).toBe(201);
    expect(answered(put)).toStrictEqual({
      statusCode: '200',
      selectionPattern: '',
      responseTemplates: { 'application/json': '{}' },
    });
    await api.updateMethodResponse({
      ...response,
      patchOperations: [add('/responseParameters/method.response.header.X', 'false')],
    });
    const patched = await api.updateIntegrationResponse({
      ...response,
      patchOperations: [
        replace('/selectionPattern', '4\\d{2}'),
        replace('/contentHandling', 'CONVERT_TO_TEXT'),
        add('/responseParameters/method.response.header.X', "'1'"),
        replace('/responseParameters/method.response.header.X', 'integration.response.header.Y'),
        add('/responseTemplates/text~1plain', 'x'),
        replace('/responseTemplates/text~1plain', 'y'),
        remove('/responseTemplates/application~1json'),
      ],
    });
    expect(patched.$metadata.httpStatusCode).toBe(200);
    expect(answered(patched)).toStrictEqual({
      statusCode: '200',
      selectionPattern: '4\\d{2}',
      contentHandling: 'CONVERT_TO_TEXT',
      responseParameters: { 'method.response.header.X': 'integration.response.header.Y' },
      responseTemplates: { 'text/plain': 'y' },
    });
    expect(answered(await api.getIntegrationResponse(response))).toStrictEqual(answered(patched));
    expect((await api.deleteIntegrationResponse(response)).$metadata.httpStatusCode).toBe(204);
    expect(await refusalOf(api.getIntegrationResponse(response))).toBe(
      '404 NotFoundException: Invalid Response status code specified',
    );
    expect(await refusalOf(api.deleteIntegrationResponse({ ...response, httpMethod: 'PUT' }))).toBe(
      '404 NotFoundException: Invalid Integration identifier specified',
    );
  });

  test('what an integration response cannot be is refused', async () => {
    const { key } = await users();
    const put = (input: Partial<Parameters<typeof api.putIntegrationResponse>[0]>) =>
      refusalOf(api.putIntegrationResponse({ ...key, statusCode: '200', ...input }));
    expect(await put({ statusCode: '418' })).toBe('404 NotFoundException: Invalid Response status code specified');
    expect(await put({ responseTemplates: { nonsense: '{}' } })).toBe(
      '400 BadRequestException: Validation Result: warnings : [], errors : [Invalid content type specified: nonsense]',
    );
    expect(await put({ responseParameters: { 'method.response.header.X': "'1'" } })).toBe(
      '400 BadRequestException: Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: method.response.header.X]',
    );
    await api.updateMethodResponse({
      ...key,
      statusCode: '200',
      patchOperations: [add('/responseParameters/method.response.header.X', 'false')],
    });
    expect(await put({ responseParameters: { 'method.response.header.X': 'nonsense' } })).toBe(
      '400 BadRequestException: Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: nonsense]',
    );
    expect(await put({ selectionPattern: '(' })).toMatch(/^400 BadRequestException: Invalid selection pattern specified: /);
    await api.deleteIntegration(key);
    expect(await put({})).toBe('404 NotFoundException: No integration defined for method');
  });
});

test('GetResources and GetRestApis page through the SDK, each item once and in one order', async () => {
  const { id: restApiId, rootResourceId } = await api.createRestApi({ name: 'paged' });
  for (const pathPart of ['b', 'a', 'c', 'e', 'd', 'f'])
    await api.createResource({ restApiId: restApiId!, parentId: rootResourceId!, pathPart });
  const paths = async (pageSize: number) => {
    const sizes: number[] = [];
    const found: string[] = [];
    for await (const { items } of paginateGetResources({ client: api, pageSize }, { restApiId: restApiId! })) {
      sizes.push(items!.length);
      found.push(...items!.map(({ path }) => path!));
    }
    return { sizes, found };
  };
  const expected = ['/', '/a', '/b', '/c', '/d', '/e', '/f'];
  expect(await paths(3)).toEqual({ sizes: [3, 3, 1], found: expected });
  expect(await paths(7)).toEqual({ sizes: [7], found: expected });
  expect(await paths(1)).toEqual({ sizes: [1, 1, 1, 1, 1, 1, 1], found: expected });
  expect(await paths(0)).toEqual({ sizes: [7], found: expected });
  expect(await paths(100_000)).toEqual({ sizes: [7], found: expected });
  const all = (await api.getRestApis({ limit: 500 })).items!.map(({ id }) => id);
  const ids: (string | undefined)[] = [];
  for await (const { items } of paginateGetRestApis({ client: api, pageSize: 7 }, {})) ids.push(...items!.map(({ id }) => id));
  expect(ids).toEqual(all);
  expect(new Set(ids).size).toBe(ids.length);
});

const unknownApi = (restApiId: string): string =>
  `404 NotFoundException: Invalid API identifier specified ${tenant.account}:${restApiId}`;

const users = () => createMockApi(api);
