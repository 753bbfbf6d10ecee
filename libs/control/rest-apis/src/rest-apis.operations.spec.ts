import type { ApiGateway } from '@gatehouse/aws-api';
import type { OperationContext } from '@gatehouse/control-wire';
import {
  ApiError,
  InMemoryStore,
  newStage,
  tenantId,
  type PatchOperation,
  type TenantId,
  type OwnQuotas,
} from '@gatehouse/domain';
import { ManualClock, SequentialIds } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test } from 'vitest';
import { restApiOperations, type RestApiOperations } from './rest-apis.operations.js';

const OURS = tenantId('111111111111');
const THEIRS = tenantId('222222222222');
const context = (tenant: TenantId): OperationContext => ({
  caller: { tenant, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${tenant}:user/admin`, region: 'eu-west-1' },
  requestId: 'request',
  headers: {},
});
const ours = context(OURS);
const theirs = context(THEIRS);
const EMPTY_ANSWER = undefined;

let store: InMemoryStore;
let ops: RestApiOperations;

beforeEach(() => {
  store = new InMemoryStore(new ManualClock());
  ops = operations();
});

const operations = (): RestApiOperations =>
  restApiOperations({ store: store.tenants, clock: new ManualClock(1_700_000_000_000), ids: new SequentialIds() });
/** For our tenant alone. */
const setQuotas = (quotas: OwnQuotas) => store.tenants.transact(OURS, (tx) => tx.quotas.write(quotas));

/** What the caller would read: no members that are undefined. */
const seen = async (answer: Promise<unknown>): Promise<unknown> => JSON.parse(JSON.stringify(await answer));

async function refusal(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

type Bare<T> = Omit<T, 'restApiId' | 'resourceId' | 'httpMethod' | 'statusCode'>;

/** An API with `/users` and, on it, GET. */
async function users(method: Partial<Bare<ApiGateway.PutMethodRequest>> = {}) {
  const { id, rootResourceId } = await ops.CreateRestApi(ours, { name: 'users' });
  const restApiId = id!;
  const { id: resourceId } = await ops.CreateResource(ours, { restApiId, parentId: rootResourceId!, pathPart: 'users' });
  const key = { restApiId, resourceId: resourceId!, httpMethod: 'GET' };
  await ops.PutMethod(ours, { ...key, authorizationType: 'NONE', ...method });
  return { restApiId, rootId: rootResourceId!, key };
}

const HTTP = { type: 'HTTP', integrationHttpMethod: 'GET', uri: 'http://example.com/users' } as const;
const FUNCTION_URI =
  'arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111111111111:function:users/invocations';

describe('REST APIs', () => {
  const created = {
    id: '0000000001',
    name: 'pets',
    createdDate: '2023-11-14T22:13:20.000Z',
    apiKeySource: 'HEADER',
    disableExecuteApiEndpoint: false,
    endpointConfiguration: { types: ['EDGE'], ipAddressType: 'ipv4' },
    rootResourceId: '0000000002',
  };

  test('a new one has a root resource and AWS defaults, and no tags unless given', async () => {
    expect(await seen(ops.CreateRestApi(ours, { name: 'pets' }))).toEqual(created);
    expect(await seen(ops.GetRestApi(ours, { restApiId: created.id }))).toEqual({ ...created, tags: {} });
    expect(await seen(ops.GetResources(ours, { restApiId: created.id }))).toEqual({ items: [{ id: '0000000002', path: '/' }] });
  });

  test('a new one keeps all it was given, and reads its policy back escaped once more', async () => {
    const given = {
      name: 'pets',
      description: 'all pets',
      version: '1',
      binaryMediaTypes: ['image/png', '*/*'],
      minimumCompressionSize: 0,
      apiKeySource: 'AUTHORIZER' as const,
      endpointConfiguration: { types: ['PRIVATE' as const], vpcEndpointIds: ['vpce-1'] },
      disableExecuteApiEndpoint: true,
      securityPolicy: 'TLS_1_2' as const,
      tags: { team: 'a' },
    };
    expect(await seen(ops.CreateRestApi(ours, { ...given, policy: '{"Statement":[]}' }))).toEqual({
      ...created,
      ...given,
      endpointConfiguration: { types: ['PRIVATE'], ipAddressType: 'dualstack', vpcEndpointIds: ['vpce-1'] },
      policy: '{\\"Statement\\":[]}',
    });
  });

  for (const [name, input, message] of [
    ['an empty name', { name: '' }, '400 API name cannot be an empty string'],
    ['an empty description', { description: '' }, '400 Description cannot be an empty string'],
    [
      'no endpoint type',
      { endpointConfiguration: { types: [] } },
      '400 REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.',
    ],
    [
      'two endpoint types',
      { endpointConfiguration: { types: ['EDGE', 'REGIONAL'] } },
      '400 Cannot create an api with multiple Endpoint Types.',
    ],
    [
      'a private one on ipv4',
      { endpointConfiguration: { types: ['PRIVATE'], ipAddressType: 'ipv4' } },
      '400 Only dualstack ipAddressType is supported for Private APIs.',
    ],
    [
      'VPC endpoints of a public one',
      { endpointConfiguration: { vpcEndpointIds: ['vpce-1'] } },
      '400 VPC endpoint ids can only be set for Private APIs.',
    ],
    [
      'a negative compression size',
      { minimumCompressionSize: -1 },
      '400 Invalid minimum compression size, must be between 0 and 10485760',
    ],
    [
      'too large a compression size',
      { minimumCompressionSize: 10485761 },
      '400 Invalid minimum compression size, must be between 0 and 10485760',
    ],
    [
      'a policy that is no document',
      { policy: 'deny' },
      '400 Invalid policy document. Please check the policy syntax and ensure that Principals are valid.',
    ],
    ['a tag AWS reserves', { tags: { 'aws:x': '1' } }, '400 Invalid tag key "aws:x": aws: is a reserved prefix'],
    ['an original that is not there', { cloneFrom: 'nobody' }, '404 Invalid API identifier specified 111111111111:nobody'],
  ] satisfies [string, Partial<ApiGateway.CreateRestApiRequest>, string][]) {
    test(`a new one with ${name} is refused`, async () => {
      expect(await refusal(ops.CreateRestApi(ours, { name: 'pets', ...input }))).toBe(message);
      expect(await seen(ops.GetRestApis(ours, {}))).toEqual({ items: [] });
    });
  }

  test('the quota of APIs holds', async () => {
    await setQuotas({ restApis: 1 });
    await ops.CreateRestApi(ours, { name: 'a' });
    expect(await refusal(ops.CreateRestApi(ours, { name: 'b' }))).toBe(
      '429 Maximum number of REST APIs for this account has been reached. (quota restApis: 1)',
    );
    expect(await refusal(ops.CreateRestApi(theirs, { name: 'c' }))).toBe('accepted');
  });

  test('a copy has the content of the original under ids of its own', async () => {
    const { restApiId, key } = await users();
    await ops.UpdateRestApi(ours, { restApiId, patchOperations: [{ op: 'replace', path: '/description', value: 'd' }] });
    await ops.PutIntegration(ours, { ...key, type: 'MOCK' });
    const copy = await ops.CreateRestApi(ours, { name: 'copy', cloneFrom: restApiId });
    expect(copy).toMatchObject({ name: 'copy', description: 'd' });
    const { items } = await ops.GetResources(ours, { restApiId: copy.id!, embed: ['methods'] });
    expect(items!.map(({ path }) => path)).toEqual(['/', '/users']);
    expect(items![1]!.parentId).toBe(copy.rootResourceId);
    expect(items![1]!.id).not.toBe(key.resourceId);
    expect(items![1]!.resourceMethods!['GET']!.methodIntegration!.cacheNamespace).toBe(items![1]!.id);
    await ops.DeleteRestApi(ours, { restApiId });
    expect(await refusal(ops.GetMethod(ours, { ...key, restApiId: copy.id!, resourceId: items![1]!.id! }))).toBe('accepted');
  });

  test('pages hold every API once, in a stable order', async () => {
    for (let index = 0; index < 7; index++) await ops.CreateRestApi(ours, { name: `api ${index}` });
    const names: (string | undefined)[] = [];
    let position: string | undefined;
    do {
      const page: ApiGateway.RestApis = await ops.GetRestApis(ours, { limit: 3, position });
      names.push(...page.items!.map(({ name }) => name));
      position = page.position;
    } while (position !== undefined);
    expect(names).toEqual([0, 1, 2, 3, 4, 5, 6].map((index) => `api ${index}`));
  });

  for (const [operations, expected] of [
    [undefined, {}],
    [[], {}],
    [[{ op: 'replace', path: '/name', value: 'b' }], { name: 'b' }],
    [[{ op: 'replace', path: '/description', value: 'd' }], { description: 'd' }],
    [
      [
        { op: 'add', path: '/description', value: 'd' },
        { op: 'remove', path: '/description' },
      ],
      {},
    ],
    [[{ op: 'replace', path: '/policy', value: '{"Statement":[]}' }], { policy: '{\\"Statement\\":[]}' }],
    [[{ op: 'replace', path: '/policy', value: '' }], {}],
    [[{ op: 'replace', path: '/apiKeySource', value: 'AUTHORIZER' }], { apiKeySource: 'AUTHORIZER' }],
    [[{ op: 'replace', path: '/disableExecuteApiEndpoint', value: 'true' }], { disableExecuteApiEndpoint: true }],
    [
      [{ op: 'replace', path: '/securityPolicy', value: 'SecurityPolicy_TLS13_1_3_2025_09' }],
      { securityPolicy: 'SecurityPolicy_TLS13_1_3_2025_09' },
    ],
    [[{ op: 'replace', path: '/endpointAccessMode', value: 'STRICT' }], { endpointAccessMode: 'STRICT' }],
    [[{ op: 'replace', path: '/minimumCompressionSize', value: '10485760' }], { minimumCompressionSize: 10485760 }],
    [
      [
        { op: 'replace', path: '/minimumCompressionSize', value: '5' },
        { op: 'replace', path: '/minimumCompressionSize' },
      ],
      {},
    ],
    [
      [
        { op: 'add', path: '/binaryMediaTypes/image~1png' },
        { op: 'add', path: '/binaryMediaTypes/*~1*' },
        { op: 'replace', path: '/binaryMediaTypes/image~1png', value: 'a/b' },
      ],
      { binaryMediaTypes: ['*/*', 'a/b'] },
    ],
    [
      [
        { op: 'add', path: '/binaryMediaTypes/image~1png' },
        { op: 'remove', path: '/binaryMediaTypes/image~1png' },
      ],
      {},
    ],
    [
      [{ op: 'replace', path: '/endpointConfiguration/types/EDGE', value: 'REGIONAL' }],
      { endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'ipv4' } },
    ],
    [
      [
        { op: 'replace', path: '/endpointConfiguration/types/0', value: 'PRIVATE' },
        { op: 'add', path: '/endpointConfiguration/vpcEndpointIds', value: 'vpce-1' },
      ],
      { endpointConfiguration: { types: ['PRIVATE'], ipAddressType: 'dualstack', vpcEndpointIds: ['vpce-1'] } },
    ],
    [
      [{ op: 'replace', path: '/endpointConfiguration/ipAddressType', value: 'dualstack' }],
      { endpointConfiguration: { types: ['EDGE'], ipAddressType: 'dualstack' } },
    ],
    [[{ op: 'remove', path: '/endpointConfiguration/vpcEndpointIds', value: 'vpce-1' }], {}],
  ] satisfies [PatchOperation[] | undefined, object][]) {
    test(`UpdateRestApi ${JSON.stringify(operations)}`, async () => {
      await ops.CreateRestApi(ours, { name: 'pets' });
      const patchOperations = operations as ApiGateway.PatchOperation[] | undefined;
      expect(await seen(ops.UpdateRestApi(ours, { restApiId: created.id, patchOperations }))).toEqual({
        ...created,
        tags: {},
        ...expected,
      });
      expect(await seen(ops.GetRestApi(ours, { restApiId: created.id }))).toEqual({ ...created, tags: {}, ...expected });
    });
  }

  for (const [operation, message] of [
    [{ op: 'replace', path: '/version', value: '2' }, '400 Invalid patch path /version'],
    [{ op: 'add', path: '/binaryMediaTypes', value: 'a/b' }, '400 Invalid patch path /binaryMediaTypes'],
    [{ op: 'add', path: '/name', value: 'b' }, '400 Invalid patch operation specified. Must be one of: [replace]'],
    [{ op: 'remove', path: '/minimumCompressionSize' }, '400 Invalid patch operation specified. Must be one of: [replace]'],
    [
      { op: 'add', path: '/endpointConfiguration/types/EDGE', value: 'EDGE' },
      "400 Invalid patch operation specified. Must be 'add'|'remove'|'replace'",
    ],
    [
      { op: 'replace', path: '/endpointConfiguration/types/EDGE', value: 'MOON' },
      '400 Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE',
    ],
    [
      { op: 'replace', path: '/endpointConfiguration/ipAddressType', value: 'ipv5' },
      '400 ipAddressType must be either ipv4 or dualstack.',
    ],
    [
      { op: 'add', path: '/endpointConfiguration/vpcEndpointIds', value: 'v' },
      '400 VPC endpoint ids can only be set for Private APIs.',
    ],
    [
      { op: 'replace', path: '/minimumCompressionSize', value: '10485761' },
      '400 Invalid minimum compression size, must be between 0 and 10485760',
    ],
    [
      { op: 'replace', path: '/minimumCompressionSize', value: 'big' },
      '400 Invalid minimum compression size, must be between 0 and 10485760',
    ],
    [{ op: 'replace', path: '/name', value: '' }, '400 API name cannot be an empty string'],
    [
      { op: 'replace', path: '/policy', value: '{"Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}}' },
      '400 Invalid policy document. Please check the policy syntax and ensure that Principals are valid. ' +
        'statement 1: exactly one of Principal and NotPrincipal is needed',
    ],
    [
      { op: 'replace', path: '/apiKeySource', value: 'QUERY' },
      "400 1 validation error detected: Value 'QUERY' at 'apiKeySource' failed to satisfy constraint: Member must satisfy enum value set: [HEADER, AUTHORIZER]",
    ],
  ] satisfies [ApiGateway.PatchOperation, string][]) {
    test(`UpdateRestApi ${JSON.stringify(operation)} is refused, and so is what stands beside it`, async () => {
      await ops.CreateRestApi(ours, { name: 'pets' });
      const patchOperations = [{ op: 'replace' as const, path: '/description', value: 'changed' }, operation];
      expect(await refusal(ops.UpdateRestApi(ours, { restApiId: created.id, patchOperations }))).toBe(message);
      expect(await seen(ops.GetRestApi(ours, { restApiId: created.id }))).toEqual({ ...created, tags: {} });
    });
  }

  test('a private one cannot go back to ipv4', async () => {
    await ops.CreateRestApi(ours, { name: 'pets', endpointConfiguration: { types: ['PRIVATE'] } });
    const patchOperations = [{ op: 'replace' as const, path: '/endpointConfiguration/ipAddressType', value: 'ipv4' }];
    expect(await refusal(ops.UpdateRestApi(ours, { restApiId: created.id, patchOperations }))).toBe(
      '400 Only dualstack ipAddressType is supported for Private APIs.',
    );
  });

  test('removing one takes everything with it and tells the nodes about its stages', async () => {
    const { restApiId, key } = await users();
    await store.tenants.transact(OURS, async (tx) => {
      for (const stageName of ['dev', 'prod']) {
        await tx.stages.insert(newStage(restApiId, stageName, 'dep001', {}, 0));
        await tx.manifest.put('STAGE', `${restApiId}/${stageName}`, { digest: null, blobBytes: 0, inline: '{}' });
      }
    });
    expect(await store.manifest.all(['STAGE'])).toHaveLength(2);
    expect(await ops.DeleteRestApi(ours, { restApiId })).toBe(EMPTY_ANSWER);
    expect(await store.manifest.all(['STAGE'])).toEqual([]);
    expect(await refusal(ops.GetRestApi(ours, { restApiId }))).toBe(
      `404 Invalid API identifier specified 111111111111:${restApiId}`,
    );
    expect(await refusal(ops.GetMethod(ours, key))).toBe('404 Invalid Resource identifier specified');
    await store.tenants.transact(OURS, async (tx) => {
      expect(await tx.resources.ofApi(restApiId)).toEqual([]);
      expect(await tx.methods.ofApi(restApiId)).toEqual([]);
      expect(await tx.stages.ofApi(restApiId)).toEqual([]);
    });
  });
});

describe('resources', () => {
  async function tree(...paths: string[]) {
    const { id, rootResourceId } = await ops.CreateRestApi(ours, { name: 'tree' });
    const idOf = new Map([['/', rootResourceId!]]);
    for (const path of paths) {
      const cut = path.lastIndexOf('/');
      const parentId = idOf.get(path.slice(0, cut) || '/')!;
      idOf.set(path, (await ops.CreateResource(ours, { restApiId: id!, parentId, pathPart: path.slice(cut + 1) })).id!);
    }
    const paths_ = async (): Promise<string[]> =>
      (await ops.GetResources(ours, { restApiId: id! })).items!.map(({ path }) => path!);
    return { restApiId: id!, idOf, paths: paths_ };
  }

  test('a new one answers where it stands', async () => {
    const { restApiId, rootId } = await users();
    expect(await seen(ops.CreateResource(ours, { restApiId, parentId: rootId, pathPart: '{proxy+}' }))).toEqual({
      id: expect.stringMatching(/^[0-9]{6}$/) as string,
      parentId: rootId,
      pathPart: '{proxy+}',
      path: '/{proxy+}',
    });
  });

  test('methods are listed by name, and whole when they are asked for', async () => {
    const { restApiId, key } = await users();
    const bare = { id: key.resourceId, parentId: '0000000002', pathPart: 'users', path: '/users' };
    const listed = { ...bare, resourceMethods: { GET: {} } };
    const embedded = {
      ...bare,
      resourceMethods: { GET: { httpMethod: 'GET', authorizationType: 'NONE', apiKeyRequired: false } },
    };
    expect(await seen(ops.GetResource(ours, key))).toEqual(listed);
    expect(await seen(ops.GetResource(ours, { ...key, embed: ['methods'] }))).toEqual(embedded);
    expect(await seen(ops.GetResources(ours, { restApiId }))).toEqual({ items: [{ id: '0000000002', path: '/' }, listed] });
    expect(await seen(ops.GetResources(ours, { restApiId, embed: ['methods'] }))).toEqual({
      items: [{ id: '0000000002', path: '/' }, embedded],
    });
  });

  test('pages go by path and hold each resource once', async () => {
    const { restApiId } = await tree('/b', '/a', '/a/z', '/a/b', '/{x}');
    const paths: (string | undefined)[] = [];
    let position: string | undefined;
    do {
      const page: ApiGateway.Resources = await ops.GetResources(ours, { restApiId, limit: 2, position });
      paths.push(...page.items!.map(({ path }) => path));
      position = page.position;
    } while (position !== undefined);
    expect(paths).toEqual(['/', '/a', '/a/b', '/a/z', '/b', '/{x}']);
  });

  for (const [name, parent, pathPart, message] of [
    ['without a name', '/', '', "400 Resource's path part must be specified"],
    [
      'with a slash',
      '/',
      'a/b',
      "400 Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
    ],
    ['named as its sibling', '/', 'a', '409 Another resource with the same parent already has this name: a'],
    [
      'as a second variable',
      '/',
      '{w}',
      '400 A sibling ({x+}) of this resource already has a variable path part -- only one is allowed',
    ],
    ['below a greedy one', '/{x+}', 'a', '400 Cannot create a child of a resource with a greedy path variable: {x+}'],
    ['below nobody', 'nobody', 'a', '404 Invalid Resource identifier specified'],
  ] as const) {
    test(`one ${name} is refused`, async () => {
      const { restApiId, idOf, paths } = await tree('/a', '/{x+}');
      expect(await refusal(ops.CreateResource(ours, { restApiId, parentId: idOf.get(parent) ?? parent, pathPart }))).toBe(
        message,
      );
      expect(await paths()).toEqual(['/', '/a', '/{x+}']);
    });
  }

  test('the quota of resources holds, the root included', async () => {
    await setQuotas({ resources: 2 });
    const { id, rootResourceId } = await ops.CreateRestApi(ours, { name: 'a' });
    await ops.CreateResource(ours, { restApiId: id!, parentId: rootResourceId!, pathPart: 'a' });
    expect(await refusal(ops.CreateResource(ours, { restApiId: id!, parentId: rootResourceId!, pathPart: 'b' }))).toBe(
      '429 Maximum number of Resources for this API has been reached.  Please contact AWS if you need additional Resources. (quota resources: 2)',
    );
  });

  test('renaming and moving takes the paths below along', async () => {
    const { restApiId, idOf, paths } = await tree('/a', '/a/b', '/a/b/c', '/d');
    const update = (path: string, patchOperations: ApiGateway.PatchOperation[]) =>
      ops.UpdateResource(ours, { restApiId, resourceId: idOf.get(path)!, patchOperations });
    expect((await update('/a', [{ op: 'replace', path: '/pathPart', value: 'x' }])).path).toBe('/x');
    expect(await paths()).toEqual(['/', '/d', '/x', '/x/b', '/x/b/c']);
    await update('/a/b', [
      { op: 'replace', path: '/parentId', value: idOf.get('/d')! },
      { op: 'replace', path: '/pathPart', value: '{y}' },
    ]);
    expect(await paths()).toEqual(['/', '/d', '/d/{y}', '/d/{y}/c', '/x']);
    expect((await update('/d', [])).path).toBe('/d');
  });

  for (const [path, operation, message] of [
    ['/', { op: 'replace', path: '/pathPart', value: 'x' }, '400 Root resource cannot update its pathPart.'],
    ['/', { op: 'replace', path: '/parentId', value: '/a' }, '400 Root resource cannot update its parentId.'],
    ['/a', { op: 'replace', path: '/parentId', value: '/a/b' }, '400 Resources cannot be cyclical.'],
    ['/a', { op: 'replace', path: '/parentId', value: 'nobody' }, '404 Invalid Resource identifier specified'],
    [
      '/a',
      { op: 'replace', path: '/pathPart', value: 'd' },
      '409 Another resource with the same parent already has this name: d',
    ],
    [
      '/a',
      { op: 'replace', path: '/path', value: 'd' },
      "400 Invalid patch path  '/path' specified for op 'replace'. Must be one of: [/parentId, /pathPart]",
    ],
    [
      '/a',
      { op: 'add', path: '/pathPart', value: 'd' },
      "400 Invalid patch path  '/pathPart' specified for op 'add'. Please choose supported operations",
    ],
  ] satisfies [string, ApiGateway.PatchOperation, string][]) {
    test(`UpdateResource of ${path} ${JSON.stringify(operation)} is refused`, async () => {
      const { restApiId, idOf, paths } = await tree('/a', '/a/b', '/d');
      const value = idOf.get(operation.value) ?? operation.value;
      const answer = ops.UpdateResource(ours, {
        restApiId,
        resourceId: idOf.get(path)!,
        patchOperations: [{ ...operation, value }],
      });
      expect(await refusal(answer)).toBe(message);
      expect(await paths()).toEqual(['/', '/a', '/a/b', '/d']);
    });
  }

  test('removing one takes its subtree and their methods', async () => {
    const { restApiId, idOf, paths } = await tree('/a', '/a/b', '/ab');
    await ops.PutMethod(ours, { restApiId, resourceId: idOf.get('/a/b')!, httpMethod: 'GET', authorizationType: 'NONE' });
    expect(await ops.DeleteResource(ours, { restApiId, resourceId: idOf.get('/a')! })).toBe(EMPTY_ANSWER);
    expect(await paths()).toEqual(['/', '/ab']);
    await store.tenants.transact(OURS, async (tx) => expect(await tx.methods.ofApi(restApiId)).toEqual([]));
    expect(await refusal(ops.DeleteResource(ours, { restApiId, resourceId: idOf.get('/a')! }))).toBe(
      '404 Invalid Resource identifier specified',
    );
    expect(await refusal(ops.DeleteResource(ours, { restApiId, resourceId: idOf.get('/')! }))).toBe(
      '400 Root resource cannot be deleted.',
    );
  });
});

describe('methods', () => {
  test('a new one answers what it was given and nothing else', async () => {
    const { key } = await users();
    expect(await seen(ops.PutMethod(ours, { ...key, httpMethod: 'ANY', authorizationType: 'AWS_IAM' }))).toEqual({
      httpMethod: 'ANY',
      authorizationType: 'AWS_IAM',
      apiKeyRequired: false,
    });
    const given = {
      authorizationType: 'NONE',
      apiKeyRequired: true,
      operationName: 'listUsers',
      authorizationScopes: ['read'],
      requestParameters: { 'method.request.querystring.q': true },
      requestModels: { 'application/json': 'Empty', $default: 'Error' },
    };
    expect(await seen(ops.PutMethod(ours, { ...key, httpMethod: 'POST', ...given }))).toEqual({ httpMethod: 'POST', ...given });
  });

  const authorizer =
    '400 Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.';
  for (const [name, input, message] of [
    [
      'an unknown verb',
      { httpMethod: 'TRACE' },
      '400 Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY',
    ],
    ['a verb that exists', { httpMethod: 'GET' }, '409 Method already exists for this resource'],
    ['an unknown authorization type', { authorizationType: 'BASIC' }, '400 Invalid authorization type specified'],
    ['an authorizer', { authorizationType: 'CUSTOM', authorizerId: 'abc123' }, authorizer],
    ['a user pool', { authorizationType: 'COGNITO_USER_POOLS' }, authorizer],
    ['a request validator', { requestValidatorId: 'abc123' }, '400 Invalid Request Validator identifier specified'],
    ['an unknown model', { requestModels: { 'application/json': 'Pet' } }, '400 Invalid model identifier specified: Pet'],
    [
      'a parameter twice',
      { requestParameters: { 'method.request.path.id': true, 'method.request.header.id': true } },
      '400 Parameter names must be unique across querystring, header and path',
    ],
    ['an unknown resource', { resourceId: 'nobody' }, '404 Invalid Resource identifier specified'],
    ['an unknown API', { restApiId: 'nobody' }, '404 Invalid Resource identifier specified'],
  ] satisfies [string, Partial<ApiGateway.PutMethodRequest>, string][]) {
    test(`one with ${name} is refused`, async () => {
      const { restApiId, key } = await users();
      expect(await refusal(ops.PutMethod(ours, { ...key, httpMethod: 'POST', authorizationType: 'NONE', ...input }))).toBe(
        message,
      );
      expect((await ops.GetResource(ours, { ...key, restApiId })).resourceMethods).toEqual({ GET: {} });
    });
  }

  test('an authorizer id without a type that takes it is dropped', async () => {
    const { key } = await users();
    expect(
      await ops.PutMethod(ours, {
        ...key,
        httpMethod: 'PUT',
        authorizationType: 'NONE',
        authorizerId: 'x',
        requestValidatorId: '',
      }),
    ).toMatchObject({
      authorizerId: undefined,
      requestValidatorId: undefined,
    });
  });

  const present = {
    httpMethod: 'GET',
    authorizationType: 'NONE',
    apiKeyRequired: false,
    requestParameters: { 'method.request.header.h': true },
  };
  for (const [operations, expected] of [
    [[], {}],
    [[{ op: 'replace', path: '/authorizationType', value: 'AWS_IAM' }], { authorizationType: 'AWS_IAM' }],
    [[{ op: 'replace', path: '/authorizerId', value: 'abc123' }], {}],
    [[{ op: 'replace', path: '/apiKeyRequired', value: 'true' }], { apiKeyRequired: true }],
    [[{ op: 'replace', path: '/apiKeyRequired', value: 'yes' }], {}],
    [[{ op: 'replace', path: '/operationName', value: 'list' }], { operationName: 'list' }],
    [
      [
        { op: 'replace', path: '/operationName', value: 'list' },
        { op: 'replace', path: '/operationName' },
      ],
      {},
    ],
    [[{ op: 'replace', path: '/requestValidatorId', value: '' }], {}],
    [
      [
        { op: 'add', path: '/authorizationScopes', value: 'a' },
        { op: 'add', path: '/authorizationScopes', value: 'b' },
        { op: 'remove', path: '/authorizationScopes', value: 'a' },
      ],
      { authorizationScopes: ['b'] },
    ],
    [
      [{ op: 'add', path: '/requestParameters/method.request.path.id', value: 'true' }],
      { requestParameters: { 'method.request.header.h': true, 'method.request.path.id': true } },
    ],
    [
      [{ op: 'replace', path: '/requestParameters/method.request.header.h', value: 'false' }],
      { requestParameters: { 'method.request.header.h': false } },
    ],
    [[{ op: 'remove', path: '/requestParameters/method.request.header.h' }], { requestParameters: undefined }],
    [
      [{ op: 'add', path: '/requestModels/application~1json', value: 'Empty' }],
      { requestModels: { 'application/json': 'Empty' } },
    ],
    [
      [
        { op: 'add', path: '/requestModels/application~1json', value: 'Empty' },
        { op: 'remove', path: '/requestModels/application~1json' },
      ],
      {},
    ],
  ] satisfies [ApiGateway.PatchOperation[], object][]) {
    test(`UpdateMethod ${JSON.stringify(operations)}`, async () => {
      const { key } = await users(present);
      expect(await seen(ops.UpdateMethod(ours, { ...key, patchOperations: operations }))).toEqual(
        JSON.parse(JSON.stringify({ ...present, ...expected })),
      );
    });
  }

  for (const [operation, message] of [
    [{ op: 'replace', path: '/httpMethod', value: 'POST' }, '400 Invalid patch path /httpMethod'],
    [{ op: 'remove', path: '/apiKeyRequired' }, '400 Invalid patch operation specified. Must be one of: [replace]'],
    [{ op: 'replace', path: '/authorizationType', value: 'CUSTOM' }, authorizer],
    [{ op: 'replace', path: '/requestValidatorId', value: 'abc123' }, '400 Invalid Request Validator identifier specified'],
    [{ op: 'add', path: '/requestModels/application~1json', value: 'Pet' }, '400 Invalid model identifier specified: Pet'],
    [
      { op: 'add', path: '/requestParameters/method.request.path.h', value: 'true' },
      '400 Parameter names must be unique across querystring, header and path',
    ],
    [{ op: 'remove', path: '/requestParameters/method.request.path.x' }, '404 Invalid parameter name specified'],
    [{ op: 'remove', path: '/requestModels/application~1json' }, '404 Content-Type specified was not found'],
  ] satisfies [ApiGateway.PatchOperation, string][]) {
    test(`UpdateMethod ${JSON.stringify(operation)} is refused`, async () => {
      const { key } = await users(present);
      const patchOperations = [{ op: 'replace' as const, path: '/operationName', value: 'changed' }, operation];
      expect(await refusal(ops.UpdateMethod(ours, { ...key, patchOperations }))).toBe(message);
      expect(await seen(ops.GetMethod(ours, key))).toEqual(present);
    });
  }

  test('changing a request parameter takes it out of the cache key, and only it', async () => {
    const { key } = await users({ requestParameters: { 'method.request.header.h': true, 'method.request.header.i': true } });
    await ops.PutIntegration(ours, {
      ...key,
      ...HTTP,
      cacheKeyParameters: ['method.request.header.h', 'method.request.header.i'],
    });
    const patchOperations = [{ op: 'replace' as const, path: '/requestParameters/method.request.header.h', value: 'false' }];
    expect((await ops.UpdateMethod(ours, { ...key, patchOperations })).methodIntegration!.cacheKeyParameters).toEqual([
      'method.request.header.i',
    ]);
  });

  test('a removed one is gone', async () => {
    const { key } = await users();
    expect(await ops.DeleteMethod(ours, key)).toBe(EMPTY_ANSWER);
    for (const answer of [ops.GetMethod(ours, key), ops.DeleteMethod(ours, key), ops.UpdateMethod(ours, key)]) {
      expect(await refusal(answer)).toBe('404 Invalid Method identifier specified');
    }
  });
});

describe('method responses', () => {
  test('one comes back as it was given, empty maps included', async () => {
    const { key } = await users();
    expect(
      await seen(ops.PutMethodResponse(ours, { ...key, statusCode: '200', responseModels: {}, responseParameters: {} })),
    ).toEqual({
      statusCode: '200',
      responseModels: {},
      responseParameters: {},
    });
    expect(await seen(ops.PutMethodResponse(ours, { ...key, statusCode: '404' }))).toEqual({ statusCode: '404' });
    expect((await ops.GetMethod(ours, key)).methodResponses).toHaveProperty('404');
    expect(await ops.DeleteMethodResponse(ours, { ...key, statusCode: '404' })).toBe(EMPTY_ANSWER);
    expect(await refusal(ops.GetMethodResponse(ours, { ...key, statusCode: '404' }))).toBe(
      '404 Invalid Response status code specified',
    );
    expect(await refusal(ops.DeleteMethodResponse(ours, { ...key, statusCode: '404' }))).toBe(
      '404 Invalid Response status code specified',
    );
  });

  const status = (value: string) =>
    `400 1 validation error detected: Value '${value}' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\\d\\d`;
  for (const [input, message] of [
    [{ statusCode: '200' }, '409 Response already exists for this resource'],
    [{ statusCode: '600' }, status('600')],
    [{ statusCode: '20' }, status('20')],
    [{ statusCode: '201', responseModels: { 'application/json': 'Pet' } }, '400 Invalid model identifier specified: Pet'],
    [
      { statusCode: '201', responseParameters: { 'method.request.header.h': true } },
      '400 Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: method.request.header.h]',
    ],
    [{ statusCode: '201', httpMethod: 'POST' }, '404 Invalid Method identifier specified'],
  ] satisfies [Partial<ApiGateway.PutMethodResponseRequest> & { statusCode: string }, string][]) {
    test(`PutMethodResponse ${JSON.stringify(input)} is refused`, async () => {
      const { key } = await users();
      await ops.PutMethodResponse(ours, { ...key, statusCode: '200' });
      expect(await refusal(ops.PutMethodResponse(ours, { ...key, ...input }))).toBe(message);
    });
  }

  const present = { responseParameters: { 'method.response.header.A': true }, responseModels: { 'application/json': 'Empty' } };
  for (const [operation, expected] of [
    [
      { op: 'add', path: '/responseParameters/method.response.header.B', value: 'true' },
      { responseParameters: { 'method.response.header.A': true, 'method.response.header.B': true } },
    ],
    [
      { op: 'replace', path: '/responseParameters/method.response.header.A', value: 'false' },
      { responseParameters: { 'method.response.header.A': false } },
    ],
    [{ op: 'remove', path: '/responseParameters/method.response.header.A' }, { responseParameters: undefined }],
    [
      { op: 'add', path: '/responseModels/text~1plain', value: 'Error' },
      { responseModels: { 'application/json': 'Empty', 'text/plain': 'Error' } },
    ],
    [
      { op: 'replace', path: '/responseModels/application~1json', value: 'Error' },
      { responseModels: { 'application/json': 'Error' } },
    ],
    [{ op: 'remove', path: '/responseModels/application~1json' }, { responseModels: undefined }],
    [
      { op: 'replace', path: '/responseParameters/method.response.header.X', value: 'true' },
      '404 Invalid parameter name specified',
    ],
    [{ op: 'remove', path: '/responseParameters/method.response.header.X' }, '404 Invalid parameter name specified'],
    [{ op: 'replace', path: '/responseModels/a~1b', value: 'Empty' }, '404 Content-Type specified was not found'],
    [{ op: 'remove', path: '/responseModels/a~1b' }, '404 Content-Type specified was not found'],
    [{ op: 'add', path: '/responseModels/a~1b', value: 'Pet' }, '400 Invalid model identifier specified: Pet'],
    [{ op: 'replace', path: '/statusCode', value: '201' }, '400 Invalid patch path /statusCode'],
  ] satisfies [ApiGateway.PatchOperation, object | string][]) {
    test(`UpdateMethodResponse ${JSON.stringify(operation)}`, async () => {
      const { key } = await users();
      await ops.PutMethodResponse(ours, { ...key, statusCode: '200', ...present });
      const answer = ops.UpdateMethodResponse(ours, { ...key, statusCode: '200', patchOperations: [operation] });
      if (typeof expected === 'string') expect(await refusal(answer)).toBe(expected);
      else expect(await seen(answer)).toEqual(JSON.parse(JSON.stringify({ statusCode: '200', ...present, ...expected })));
    });
  }
});

describe('integrations', () => {
  const defaults = { timeoutInMillis: 29000, passthroughBehavior: 'WHEN_NO_MATCH', cacheKeyParameters: [] };

  for (const [input, expected] of [
    [{ type: 'MOCK' }, { type: 'MOCK' }],
    [HTTP, { type: 'HTTP', httpMethod: 'GET', uri: HTTP.uri, connectionType: 'INTERNET' }],
    [
      { ...HTTP, type: 'HTTP_PROXY', integrationHttpMethod: 'ANY', tlsConfig: {} },
      {
        type: 'HTTP_PROXY',
        httpMethod: 'ANY',
        uri: HTTP.uri,
        connectionType: 'INTERNET',
        tlsConfig: { insecureSkipVerification: false },
      },
    ],
    [
      { type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri: FUNCTION_URI, connectionType: 'INTERNET' },
      { type: 'AWS_PROXY', httpMethod: 'POST', uri: FUNCTION_URI },
    ],
    [
      {
        ...HTTP,
        requestTemplates: { 'application/json': '', 'text/plain': 'x' },
        requestParameters: {},
        timeoutInMillis: 50,
        cacheNamespace: 'ns',
        credentials: '',
      },
      {
        type: 'HTTP',
        httpMethod: 'GET',
        uri: HTTP.uri,
        connectionType: 'INTERNET',
        requestTemplates: { 'application/json': '', 'text/plain': 'x' },
        requestParameters: {},
        timeoutInMillis: 50,
        cacheNamespace: 'ns',
      },
    ],
  ] satisfies [Bare<ApiGateway.PutIntegrationRequest>, object][]) {
    test(`PutIntegration ${JSON.stringify(input)}`, async () => {
      const { key } = await users();
      const whole = { cacheNamespace: key.resourceId, ...defaults, ...expected };
      expect(await seen(ops.PutIntegration(ours, { ...key, ...input }))).toEqual(whole);
      expect(await seen(ops.GetIntegration(ours, key))).toEqual(whole);
      expect(await seen(ops.GetMethod(ours, key))).toHaveProperty('methodIntegration', whole);
    });
  }

  const mapping = (reason: string) =>
    `400 Invalid mapping expression specified: Validation Result: warnings : [], errors : [${reason}]`;
  for (const [input, message] of [
    [{ type: 'HTTP', uri: HTTP.uri }, '400 Enumeration value for HttpMethod must be non-empty'],
    [
      { ...HTTP, integrationHttpMethod: 'TRACE' },
      '400 Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY',
    ],
    [{ ...HTTP, uri: 'example.com' }, '400 Invalid HTTP endpoint specified for URI'],
    [{ type: 'HTTP_PROXY', integrationHttpMethod: 'GET' }, '400 Invalid HTTP endpoint specified for URI'],
    [{ type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri: 'users' }, '400 Invalid ARN specified in the request'],
    [
      { type: 'AWS', integrationHttpMethod: 'POST', uri: 'arn:aws:apigateway:eu-west-1:sqs:x' },
      '400 AWS ARN for integration must contain path or action',
    ],
    [
      { type: 'AWS', integrationHttpMethod: 'POST', uri: 'arn:aws:apigateway:eu-west-1:sqs:path/q' },
      '400 Role ARN must be specified for AWS integrations',
    ],
    [
      { type: 'AWS_PROXY', integrationHttpMethod: 'POST', uri: 'arn:aws:apigateway:eu-west-1:sqs:path/q' },
      "400 Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
    ],
    [{ ...HTTP, credentials: 'me' }, '400 Invalid ARN specified in the request'],
    [{ ...HTTP, connectionType: 'VPC_LINK', connectionId: 'abc123' }, '400 Invalid Vpc Link identifier specified'],
    [{ ...HTTP, passthroughBehavior: 'SOMETIMES' }, '400 Invalid passthrough behavior specified'],
    [{ ...HTTP, timeoutInMillis: 49 }, '400 Timeout should be between 50 ms and 29000 ms'],
    [{ ...HTTP, timeoutInMillis: 29001 }, '400 Timeout should be between 50 ms and 29000 ms'],
    [
      { ...HTTP, responseTransferMode: 'STREAM' },
      '400 Response transfer mode STREAM is only supported for HTTP_PROXY and AWS_PROXY integrations',
    ],
    [{ ...HTTP, cacheKeyParameters: ['method.request.header.x'] }, '400 Invalid cache key parameter specified'],
    [
      { ...HTTP, requestParameters: { 'integration.request.header.a': 'static' } },
      mapping('Invalid mapping expression specified: static'),
    ],
    [
      { ...HTTP, requestParameters: { 'integration.request.path.id': 'method.request.path.id' } },
      mapping('Invalid mapping expression parameter specified: method.request.path.id'),
    ],
    [
      { ...HTTP, requestTemplates: { json: 'x' } },
      '400 Validation Result: warnings : [], errors : [Invalid content type specified: json]',
    ],
  ] satisfies [Bare<ApiGateway.PutIntegrationRequest>, string][]) {
    test(`PutIntegration ${JSON.stringify(input)} is refused`, async () => {
      const { key } = await users();
      expect(await refusal(ops.PutIntegration(ours, { ...key, ...input }))).toBe(message);
      expect(await refusal(ops.GetIntegration(ours, key))).toBe('404 Invalid Integration identifier specified');
    });
  }

  test('what streams may take 15 minutes, and goes back to less before it streams no more', async () => {
    const { key } = await users();
    const stream = { ...HTTP, type: 'HTTP_PROXY', responseTransferMode: 'STREAM' } as const;
    expect((await ops.PutIntegration(ours, { ...key, ...stream, timeoutInMillis: 900_000 })).timeoutInMillis).toBe(900_000);
    expect(await refusal(ops.PutIntegration(ours, { ...key, ...stream, timeoutInMillis: 900_001 }))).toBe(
      '400 Timeout should be between 50 ms and 900000 ms',
    );
    await ops.PutIntegration(ours, { ...key, ...stream, timeoutInMillis: 900_000 });
    const buffered = { op: 'replace', path: '/responseTransferMode', value: 'BUFFERED' } as const;
    expect(await refusal(ops.UpdateIntegration(ours, { ...key, patchOperations: [buffered] }))).toBe(
      '400 Timeout should be between 50 ms and 29000 ms',
    );
  });

  test('an operator may raise the timeout', async () => {
    await setQuotas({ integrationTimeoutMsMax: 60_000 });
    const { key } = await users();
    expect((await ops.PutIntegration(ours, { ...key, ...HTTP, timeoutInMillis: 60_000 })).timeoutInMillis).toBe(60_000);
    expect((await ops.PutIntegration(ours, { ...key, ...HTTP })).timeoutInMillis, 'the default stays').toBe(29_000);
    expect(await refusal(ops.PutIntegration(ours, { ...key, ...HTTP, timeoutInMillis: 60_001 }))).toBe(
      '400 Timeout should be between 50 ms and 60000 ms (quota integrationTimeoutMsMax: 60000)',
    );
  });

  const present = {
    type: 'HTTP',
    httpMethod: 'GET',
    uri: HTTP.uri,
    connectionType: 'INTERNET',
    ...defaults,
    requestParameters: { 'integration.request.header.a': "'x'" },
    requestTemplates: { 'application/json': 't' },
  };
  for (const [operation, expected] of [
    [{ op: 'replace', path: '/httpMethod', value: 'POST' }, { httpMethod: 'POST' }],
    [{ op: 'replace', path: '/uri', value: 'https://example.org/{id}' }, { uri: 'https://example.org/{id}' }],
    [{ op: 'replace', path: '/connectionType', value: 'INTERNET' }, {}],
    [{ op: 'replace', path: '/connectionId', value: '' }, {}],
    [{ op: 'replace', path: '/contentHandling', value: 'CONVERT_TO_TEXT' }, { contentHandling: 'CONVERT_TO_TEXT' }],
    [{ op: 'replace', path: '/credentials', value: 'arn:aws:iam::*:user/*' }, { credentials: 'arn:aws:iam::*:user/*' }],
    [{ op: 'replace', path: '/passthroughBehavior', value: 'NEVER' }, { passthroughBehavior: 'NEVER' }],
    [{ op: 'replace', path: '/timeoutInMillis', value: '50' }, { timeoutInMillis: 50 }],
    [{ op: 'replace', path: '/cacheNamespace', value: 'ns' }, { cacheNamespace: 'ns' }],
    [{ op: 'replace', path: '/responseTransferMode', value: 'BUFFERED' }, { responseTransferMode: 'BUFFERED' }],
    [{ op: 'replace', path: '/integrationTarget', value: '' }, {}],
    [
      { op: 'replace', path: '/tlsConfig/insecureSkipVerification', value: 'true' },
      { tlsConfig: { insecureSkipVerification: true } },
    ],
    [
      { op: 'add', path: '/cacheKeyParameters/method.request.header.h', value: '' },
      { cacheKeyParameters: ['method.request.header.h'] },
    ],
    [{ op: 'replace', path: '/cacheKeyParameters/method.request.header.h' }, { cacheKeyParameters: ['method.request.header.h'] }],
    [{ op: 'remove', path: '/cacheKeyParameters/method.request.header.h' }, {}],
    [
      { op: 'add', path: '/requestParameters/integration.request.header.b', value: 'method.request.header.h' },
      { requestParameters: { 'integration.request.header.a': "'x'", 'integration.request.header.b': 'method.request.header.h' } },
    ],
    [
      { op: 'replace', path: '/requestParameters/integration.request.header.a', value: "'y'" },
      { requestParameters: { 'integration.request.header.a': "'y'" } },
    ],
    [{ op: 'remove', path: '/requestParameters/integration.request.header.a' }, { requestParameters: undefined }],
    [
      { op: 'add', path: '/requestTemplates/text~1plain', value: 'u' },
      { requestTemplates: { 'application/json': 't', 'text/plain': 'u' } },
    ],
    [{ op: 'replace', path: '/requestTemplates/application~1json' }, { requestTemplates: { 'application/json': '' } }],
    [{ op: 'remove', path: '/requestTemplates/application~1json' }, { requestTemplates: undefined }],
    [{ op: 'replace', path: '/type', value: 'MOCK' }, '400 Invalid patch path /type'],
    [{ op: 'add', path: '/uri', value: 'http://x' }, '400 Invalid patch operation specified. Must be one of: [replace]'],
    [{ op: 'replace', path: '/httpMethod', value: '' }, '400 Enumeration value for HttpMethod must be non-empty'],
    [{ op: 'replace', path: '/uri', value: 'x' }, '400 Invalid HTTP endpoint specified for URI'],
    [{ op: 'replace', path: '/timeoutInMillis', value: '49' }, '400 Timeout should be between 50 ms and 29000 ms'],
    [{ op: 'replace', path: '/timeoutInMillis', value: 'soon' }, '400 Timeout should be between 50 ms and 29000 ms'],
    [{ op: 'replace', path: '/connectionType', value: 'VPC_LINK' }, '400 Invalid Vpc Link identifier specified'],
    [{ op: 'replace', path: '/integrationTarget', value: 'arn' }, '400 Invalid Vpc Link identifier specified'],
    [{ op: 'replace', path: '/passthroughBehavior', value: '' }, '400 Invalid passthrough behavior specified'],
    [
      { op: 'replace', path: '/contentHandling', value: 'x' },
      '400 Invalid content handling specified. Valid options are CONVERT_TO_BINARY,CONVERT_TO_TEXT',
    ],
    [
      { op: 'replace', path: '/responseTransferMode', value: 'x' },
      '400 Invalid response transfer mode specified. Valid options are BUFFERED,STREAM',
    ],
    [{ op: 'add', path: '/cacheKeyParameters/method.request.header.x' }, '400 Invalid cache key parameter specified'],
    [
      { op: 'add', path: '/requestParameters/integration.request.header.b', value: 'method.request.header.x' },
      mapping('Invalid mapping expression parameter specified: method.request.header.x'),
    ],
    [{ op: 'remove', path: '/requestParameters/integration.request.header.b' }, '404 Invalid parameter name specified'],
    [{ op: 'remove', path: '/requestTemplates/a~1b' }, '404 Content-Type specified was not found'],
  ] satisfies [ApiGateway.PatchOperation, object | string][]) {
    test(`UpdateIntegration ${JSON.stringify(operation)}`, async () => {
      const { key } = await users({ requestParameters: { 'method.request.header.h': false } });
      const { requestParameters, requestTemplates } = present;
      const put = { ...key, ...HTTP, requestParameters, requestTemplates };
      await ops.PutIntegration(ours, put);
      const answer = ops.UpdateIntegration(ours, { ...key, patchOperations: [operation] });
      const before = { ...present, cacheNamespace: key.resourceId };
      if (typeof expected === 'string') expect(await refusal(answer)).toBe(expected);
      else expect(await seen(answer)).toEqual(JSON.parse(JSON.stringify({ ...before, ...expected })));
      if (typeof expected === 'string') expect(await seen(ops.GetIntegration(ours, key))).toEqual(before);
    });
  }

  test('a mock has no backend to point elsewhere', async () => {
    const { key } = await users();
    await ops.PutIntegration(ours, { ...key, type: 'MOCK' });
    for (const path of ['/uri', '/httpMethod']) {
      const patchOperations = [{ op: 'replace' as const, path, value: 'x' }];
      expect(await refusal(ops.UpdateIntegration(ours, { ...key, patchOperations }))).toBe(`400 Invalid patch path ${path}`);
    }
    expect(await seen(ops.UpdateIntegration(ours, key))).toHaveProperty('type', 'MOCK');
  });

  test('an update goes through although another mapping has lost its source', async () => {
    const { key } = await users({ requestParameters: { 'method.request.header.h': false } });
    await ops.PutIntegration(ours, {
      ...key,
      ...HTTP,
      requestParameters: { 'integration.request.header.a': 'method.request.header.h' },
    });
    await ops.UpdateMethod(ours, {
      ...key,
      patchOperations: [{ op: 'remove', path: '/requestParameters/method.request.header.h' }],
    });
    const patchOperations = [{ op: 'replace' as const, path: '/timeoutInMillis', value: '100' }];
    expect(await refusal(ops.UpdateIntegration(ours, { ...key, patchOperations }))).toBe('accepted');
  });

  test('a removed one is gone, and a new one starts without responses', async () => {
    const { key } = await users();
    await ops.PutMethodResponse(ours, { ...key, statusCode: '200' });
    await ops.PutIntegration(ours, { ...key, type: 'MOCK' });
    await ops.PutIntegrationResponse(ours, { ...key, statusCode: '200' });
    expect((await ops.PutIntegration(ours, { ...key, ...HTTP })).integrationResponses).toBeUndefined();
    expect(await ops.DeleteIntegration(ours, key)).toBe(EMPTY_ANSWER);
    for (const answer of [ops.GetIntegration(ours, key), ops.UpdateIntegration(ours, key), ops.DeleteIntegration(ours, key)]) {
      expect(await refusal(answer)).toBe('404 Invalid Integration identifier specified');
    }
  });
});

describe('integration responses', () => {
  async function responding(header = 'method.response.header.A') {
    const { key } = await users();
    await ops.PutMethodResponse(ours, { ...key, statusCode: '200', responseParameters: { [header]: false } });
    await ops.PutIntegration(ours, { ...key, ...HTTP });
    return { ...key, statusCode: '200' };
  }
  const given = {
    selectionPattern: '',
    responseParameters: { 'method.response.header.A': "'x'" },
    responseTemplates: { 'application/json': '' },
  };

  test('one comes back as it was given, and putting it again replaces it', async () => {
    const key = await responding();
    expect(await seen(ops.PutIntegrationResponse(ours, { ...key, ...given }))).toEqual({ statusCode: '200', ...given });
    expect(await seen(ops.PutIntegrationResponse(ours, key))).toEqual({ statusCode: '200' });
    expect(await seen(ops.GetIntegrationResponse(ours, key))).toEqual({ statusCode: '200' });
    expect((await ops.GetIntegration(ours, key)).integrationResponses).toHaveProperty('200');
  });

  const mapping = (reason: string) =>
    `400 Invalid mapping expression specified: Validation Result: warnings : [], errors : [${reason}]`;
  for (const [input, message] of [
    [{ statusCode: '201' }, '404 Invalid Response status code specified'],
    [
      { statusCode: '201', responseParameters: { 'method.response.header.A': "'x'" } },
      mapping('No method response exists for method.'),
    ],
    [
      { responseParameters: { 'method.response.header.B': "'x'" } },
      mapping('Invalid mapping expression parameter specified: method.response.header.B'),
    ],
    [{ responseParameters: { 'method.response.header.A': 'x' } }, mapping('Invalid mapping expression specified: x')],
    [
      { responseTemplates: { json: '' } },
      '400 Validation Result: warnings : [], errors : [Invalid content type specified: json]',
    ],
    [{ selectionPattern: '(' }, '400 Invalid selection pattern specified: missing ), at character 1'],
    [
      { selectionPattern: '(a)\\1' },
      '400 Invalid selection pattern specified: back references are not supported, at character 5',
    ],
    [{ httpMethod: 'POST' }, '404 Invalid Method identifier specified'],
  ] satisfies [Partial<ApiGateway.PutIntegrationResponseRequest>, string][]) {
    test(`PutIntegrationResponse ${JSON.stringify(input)} is refused`, async () => {
      const key = await responding();
      expect(await refusal(ops.PutIntegrationResponse(ours, { ...key, ...input }))).toBe(message);
    });
  }

  test('one needs an integration', async () => {
    const { key } = await users();
    await ops.PutMethodResponse(ours, { ...key, statusCode: '200' });
    expect(await refusal(ops.PutIntegrationResponse(ours, { ...key, statusCode: '200' }))).toBe(
      '404 No integration defined for method',
    );
    for (const answer of [
      ops.GetIntegrationResponse(ours, { ...key, statusCode: '200' }),
      ops.DeleteIntegrationResponse(ours, { ...key, statusCode: '200' }),
    ]) {
      expect(await refusal(answer)).toBe('404 Invalid Integration identifier specified');
    }
  });

  for (const [operation, expected] of [
    [{ op: 'replace', path: '/selectionPattern', value: '4\\d{2}' }, { selectionPattern: '4\\d{2}' }],
    [{ op: 'replace', path: '/selectionPattern', value: '' }, { selectionPattern: '' }],
    [{ op: 'replace', path: '/contentHandling', value: 'CONVERT_TO_BINARY' }, { contentHandling: 'CONVERT_TO_BINARY' }],
    [
      { op: 'add', path: '/responseParameters/method.response.header.A', value: 'context.requestId' },
      { responseParameters: { 'method.response.header.A': 'context.requestId' } },
    ],
    [
      { op: 'replace', path: '/responseParameters/method.response.header.A', value: "'y'" },
      { responseParameters: { 'method.response.header.A': "'y'" } },
    ],
    [{ op: 'remove', path: '/responseParameters/method.response.header.A' }, { responseParameters: undefined }],
    [
      { op: 'add', path: '/responseTemplates/text~1plain', value: 'u' },
      { responseTemplates: { 'application/json': '', 'text/plain': 'u' } },
    ],
    [
      { op: 'replace', path: '/responseTemplates/application~1json', value: 'u' },
      { responseTemplates: { 'application/json': 'u' } },
    ],
    [{ op: 'remove', path: '/responseTemplates/application~1json' }, { responseTemplates: undefined }],
    [
      { op: 'replace', path: '/selectionPattern', value: '(?=a)' },
      '400 Invalid selection pattern specified: look-ahead is not supported, at character 2',
    ],
    [{ op: 'remove', path: '/selectionPattern' }, '400 Invalid patch operation specified. Must be one of: [replace]'],
    [{ op: 'replace', path: '/statusCode', value: '201' }, '400 Invalid patch path /statusCode'],
    [
      { op: 'add', path: '/responseParameters/method.response.header.B', value: "'y'" },
      mapping('Invalid mapping expression parameter specified: method.response.header.B'),
    ],
    [
      { op: 'add', path: '/responseTemplates/json', value: '' },
      '400 Validation Result: warnings : [], errors : [Invalid content type specified: json]',
    ],
    [{ op: 'remove', path: '/responseParameters/method.response.header.B' }, '404 Invalid parameter name specified'],
    [{ op: 'remove', path: '/responseTemplates/a~1b' }, '404 Content-Type specified was not found'],
  ] satisfies [ApiGateway.PatchOperation, object | string][]) {
    test(`UpdateIntegrationResponse ${JSON.stringify(operation)}`, async () => {
      const key = await responding();
      await ops.PutIntegrationResponse(ours, { ...key, ...given });
      const answer = ops.UpdateIntegrationResponse(ours, { ...key, patchOperations: [operation] });
      if (typeof expected === 'string') expect(await refusal(answer)).toBe(expected);
      else expect(await seen(answer)).toEqual(JSON.parse(JSON.stringify({ statusCode: '200', ...given, ...expected })));
    });
  }

  test('a removed one is gone; a missing method is named as a missing integration', async () => {
    const key = await responding();
    await ops.PutIntegrationResponse(ours, key);
    expect(await ops.DeleteIntegrationResponse(ours, key)).toBe(EMPTY_ANSWER);
    for (const answer of [
      ops.GetIntegrationResponse(ours, key),
      ops.UpdateIntegrationResponse(ours, key),
      ops.DeleteIntegrationResponse(ours, key),
    ]) {
      expect(await refusal(answer)).toBe('404 Invalid Response status code specified');
    }
    expect(await refusal(ops.DeleteIntegrationResponse(ours, { ...key, httpMethod: 'POST' }))).toBe(
      '404 Invalid Integration identifier specified',
    );
  });
});
