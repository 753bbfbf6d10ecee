import { compileStage } from '@gatehouse/compiler';
import { definitionDigest, freezeDefinition, InMemoryStore, newStage, tenantId, type Deployment, type RestApi } from '@gatehouse/domain';
import { ManualClock } from '@gatehouse/kernel';
import { beforeEach, expect, test, vi } from 'vitest';
import { publishStage, unpublishApi } from './publish.js';

// The compiler is real unless a test breaks it: what it calls an error cannot be reached through a frozen definition.
vi.mock(import('@gatehouse/compiler'), { spy: true });

const tenant = tenantId('111111111111');
const api: RestApi = {
  id: 'api1234567',
  name: 'pets',
  description: null,
  version: null,
  createdAtMs: 0,
  region: 'us-east-1',
  rootResourceId: 'root',
  binaryMediaTypes: [],
  minimumCompressionSize: null,
  apiKeySource: 'HEADER',
  endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'ipv4', vpcEndpointIds: [] },
  policy: null,
  disableExecuteApiEndpoint: false,
  securityPolicy: null,
  endpointAccessMode: null,
  tags: {},
};
const definition = freezeDefinition(
  api,
  [{ apiId: api.id, id: 'root', parentId: null, pathPart: null, path: '/' }],
  [
    {
      apiId: api.id,
      resourceId: 'root',
      httpMethod: 'GET',
      authorizationType: 'NONE',
      authorizerId: null,
      authorizationScopes: [],
      apiKeyRequired: false,
      operationName: null,
      requestValidatorId: null,
      requestParameters: null,
      requestModels: null,
      methodResponses: {},
      integration: {
        type: 'HTTP_PROXY',
        httpMethod: 'GET',
        uri: 'http://backend.example/',
        connectionType: 'INTERNET',
        connectionId: null,
        credentials: null,
        requestParameters: null,
        requestTemplates: null,
        passthroughBehavior: 'WHEN_NO_MATCH',
        contentHandling: null,
        timeoutInMillis: 29_000,
        cacheNamespace: 'root',
        cacheKeyParameters: [],
        tlsConfig: null,
        responseTransferMode: null,
        integrationTarget: null,
        integrationResponses: {},
      },
    },
  ],
);
const deployment: Deployment = { apiId: api.id, id: 'dep001', description: null, createdAtMs: 0, definition, digest: definitionDigest(definition) };
const stage = newStage(api.id, 'dev', deployment.id, {}, 0);

let store: InMemoryStore;
beforeEach(async () => {
  vi.mocked(compileStage).mockReset();
  store = new InMemoryStore(new ManualClock());
  await store.tenants.transact(tenant, async (tx) => {
    await tx.restApis.insert(api);
    await tx.deployments.insert(deployment);
    await tx.stages.insert(stage);
    await tx.usagePlans.insert({
      id: 'plan12',
      name: 'gold',
      description: null,
      apiStages: [{ apiId: api.id, stage: 'dev', throttle: null }],
      throttle: null,
      quota: null,
      productCode: null,
      createdAtMs: 0,
      tags: {},
    });
  });
});
const publish = (changed = stage) => store.tenants.transact(tenant, (tx) => publishStage(tx, changed));

test('a stage that is published again unchanged keeps its revision', async () => {
  expect(await publish()).toBe(1);
  expect(await publish()).toBe(1);
  expect(await publish({ ...stage, variables: { a: 'b' } })).toBe(2);
});

test('errors of the compiler name every place and publish nothing; warnings do not stop it', async () => {
  const { snapshot } = compileStage({ tenant, definition, deploymentId: deployment.id, stage, account: await store.tenants.transact(tenant, (tx) => tx.account.read()), region: 'us-east-1' });
  const warning = { severity: 'warning', path: '/ GET', message: 'slow' } as const;
  const error = (path: string) => ({ severity: 'error', path, message: 'broken' }) as const;
  vi.mocked(compileStage).mockReturnValueOnce({ snapshot, diagnostics: [error('/a GET integration.uri'), warning, error('/b GET')] });
  await expect(publish()).rejects.toMatchObject({ type: 'BadRequestException', message: '/a GET integration.uri: broken; /b GET: broken' });
  expect(await store.manifest.head()).toBe(0);
  vi.mocked(compileStage).mockReturnValueOnce({ snapshot, diagnostics: [warning] });
  expect(await publish()).toBe(1);
});

test('an API that goes takes its stages from the nodes and from usage plans', async () => {
  await publish();
  await store.tenants.transact(tenant, (tx) => unpublishApi(tx, api.id));
  expect(await store.manifest.all(['STAGE'])).toEqual([]);
  expect((await store.manifest.since(1, ['STAGE']))!.map(({ id, content }) => [id, content])).toEqual([[`${api.id}/dev`, null]]);
  await store.tenants.transact(tenant, async (tx) => expect((await tx.usagePlans.find('plan12'))!.apiStages).toEqual([]));
});
