import type { ApiGateway } from '@gatehouse/aws-api';
import type { StageSnapshot } from '@gatehouse/contracts';
import type { OperationContext } from '@gatehouse/control-wire';
import {
  InMemoryStore,
  tenantId,
  type ApiError,
  type Integration,
  type Method,
  type Resource,
  type RolloutWaiter,
  type TenantId,
  type UsagePlan,
} from '@gatehouse/domain';
import { canonicalJson, ManualClock, randomIds, sha256Hex } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test } from 'vitest';
import { deploymentOperations } from './deployments.operations.js';
import { sampleRestApi } from '@gatehouse/domain/samples';

const OURS = tenantId('111111111111');
const THEIRS = tenantId('222222222222');
const context = (tenant: TenantId, headers: Record<string, string> = {}): OperationContext => ({
  caller: { tenant, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${tenant}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers,
});
const ours = context(OURS);
const theirs = context(THEIRS);

const api = sampleRestApi({ region: 'eu-central-1', rootResourceId: 'root123456' });
const root: Resource = { apiId: api.id, id: api.rootResourceId, parentId: null, pathPart: null, path: '/' };
const pets: Resource = { apiId: api.id, id: 'pets12', parentId: root.id, pathPart: 'pets', path: '/pets' };
const proxy: Integration = {
  type: 'HTTP_PROXY',
  httpMethod: 'GET',
  uri: 'http://backend.example/pets',
  connectionType: 'INTERNET',
  connectionId: null,
  credentials: null,
  requestParameters: null,
  requestTemplates: null,
  passthroughBehavior: 'WHEN_NO_MATCH',
  contentHandling: null,
  timeoutInMillis: 29_000,
  cacheNamespace: 'pets12',
  cacheKeyParameters: [],
  tlsConfig: null,
  responseTransferMode: null,
  integrationTarget: null,
  integrationResponses: {},
};
const method = (resourceId: string, httpMethod: string, change: Partial<Method> = {}): Method => ({
  apiId: api.id,
  resourceId,
  httpMethod,
  authorizationType: 'NONE',
  authorizerId: null,
  authorizationScopes: [],
  apiKeyRequired: false,
  operationName: null,
  requestValidatorId: null,
  requestParameters: null,
  requestModels: null,
  methodResponses: {},
  integration: proxy,
  ...change,
});

let store: InMemoryStore;
let clock: ManualClock;
let waits: { revision: number; timeoutMs: number }[];
let laggards: string[];
let operations: ReturnType<typeof deploymentOperations>;

beforeEach(async () => {
  clock = new ManualClock();
  store = new InMemoryStore(clock);
  waits = [];
  laggards = [];
  const waiter: RolloutWaiter = {
    waitUntilLive: async (revision, timeoutMs) => {
      waits.push({ revision, timeoutMs });
      return { live: laggards.length === 0, waitingFor: laggards };
    },
  };
  operations = deploymentOperations({ store: store.tenants, clock, ids: randomIds, waiter });
  await store.tenants.transact(OURS, async (tx) => {
    await tx.restApis.insert(api);
    for (const resource of [root, pets]) await tx.resources.insert(resource);
    await tx.methods.insert(method(pets.id, 'GET', { apiKeyRequired: true }));
  });
});

const restApiId = api.id;
const deploy = async (input: Omit<ApiGateway.CreateDeploymentRequest, 'restApiId'> = {}, as = ours): Promise<string> => {
  const { id } = await operations.CreateDeployment(as, { restApiId, ...input });
  clock.advance(1);
  return id!;
};
const createStage = (input: Partial<ApiGateway.CreateStageRequest> & { deploymentId: string }) =>
  operations.CreateStage(ours, { restApiId, stageName: 'dev', ...input });
const getStage = (stageName = 'dev') => operations.GetStage(ours, { restApiId, stageName });
const updateStage = (patchOperations: readonly ApiGateway.PatchOperation[], as = ours) =>
  operations.UpdateStage(as, { restApiId, stageName: 'dev', patchOperations });
const replace = (path: string, value: string): ApiGateway.PatchOperation => ({ op: 'replace', path, value });

/** What nodes hold for a stage, checked against its digest. */
async function live(stageName = 'dev'): Promise<StageSnapshot | null> {
  const entry = (await store.manifest.all(['STAGE'])).find(({ id }) => id === `${restApiId}/${stageName}`);
  if (entry === undefined) return null;
  const bytes = (await store.manifest.blob(entry.content!.digest!))!;
  expect(sha256Hex(bytes)).toBe(entry.content!.digest);
  expect(entry.content!.blobBytes).toBe(bytes.byteLength);
  const snapshot = JSON.parse(new TextDecoder().decode(bytes)) as StageSnapshot;
  expect(new TextDecoder().decode(bytes)).toBe(canonicalJson(snapshot));
  return snapshot;
}
const rollouts = (deploymentId: string) => store.tenants.transact(OURS, (tx) => tx.manifest.rolloutsOf(deploymentId));
const refused = (type: string, message: string) => ({ type, message: expect.stringContaining(message) });

describe('CreateDeployment', () => {
  test('without a stage freezes the API and makes nothing live', async () => {
    const created = await operations.CreateDeployment(ours, { restApiId, description: 'first' });
    expect(created).toEqual({
      id: expect.stringMatching(/^[a-z0-9]{6}$/),
      description: 'first',
      createdDate: new Date(clock.nowMs()),
    });
    expect(await operations.GetDeployment(ours, { restApiId, deploymentId: created.id! })).toEqual(created);
    expect(await operations.GetStages(ours, { restApiId })).toEqual({ item: [] });
    expect(await store.manifest.head()).toBe(0);
  });

  test('treats an empty stage name as none', async () => {
    await deploy({ stageName: '' });
    expect(await operations.GetStages(ours, { restApiId })).toEqual({ item: [] });
  });

  test('creates its stage with all settings, live in the same transaction', async () => {
    const id = await deploy({
      stageName: 'dev',
      stageDescription: 'for us',
      variables: { host: 'a.example' },
      cacheClusterEnabled: true,
      cacheClusterSize: '1.6',
      tracingEnabled: true,
    });
    const createdDate = new Date(clock.nowMs() - 1);
    expect(await getStage()).toEqual({
      deploymentId: id,
      stageName: 'dev',
      description: 'for us',
      variables: { host: 'a.example' },
      cacheClusterEnabled: true,
      cacheClusterSize: '1.6',
      cacheClusterStatus: 'AVAILABLE',
      methodSettings: {},
      tracingEnabled: true,
      createdDate,
      lastUpdatedDate: createdDate,
    });
    expect(await live()).toMatchObject({
      tenant: OURS,
      region: 'eu-central-1',
      apiId: restApiId,
      stage: 'dev',
      deploymentId: id,
      stageVariables: { host: 'a.example' },
      routes: [{ path: '/pets', httpMethod: 'GET' }],
    });
  });

  test('repoints a stage that exists, keeps its settings and notes the rollout', async () => {
    const first = await deploy({ stageName: 'dev', variables: { a: '1', b: '2' } });
    const second = await deploy({ stageName: 'dev', variables: { b: '3' } });
    expect(await getStage()).toMatchObject({ deploymentId: second, variables: { a: '1', b: '3' } });
    expect((await live())!.deploymentId).toBe(second);
    const at = (deploymentId: string, revision: number, publishedAtMs: number) => ({
      deploymentId,
      apiId: restApiId,
      stageName: 'dev',
      revision,
      publishedAtMs,
    });
    expect(await rollouts(first)).toEqual([at(first, 1, clock.nowMs() - 2)]);
    expect(await rollouts(second)).toEqual([at(second, 2, clock.nowMs() - 1)]);
  });

  test('a change of the API after it is not live before the next one', async () => {
    await deploy({ stageName: 'dev' });
    await store.tenants.transact(OURS, (tx) => tx.methods.insert(method(pets.id, 'POST')));
    expect((await live())!.routes.map((route) => route.httpMethod)).toEqual(['GET']);
    await deploy({ stageName: 'dev' });
    expect((await live())!.routes.map((route) => route.httpMethod)).toEqual(['GET', 'POST']);
  });

  test('freezes equal APIs to equal digests', async () => {
    const [first, second] = [await deploy(), await deploy()];
    await store.tenants.transact(OURS, async (tx) => {
      const [a, b] = [
        await tx.deployments.find({ apiId: restApiId, deploymentId: first }),
        await tx.deployments.find({ apiId: restApiId, deploymentId: second }),
      ];
      expect(a!.digest).toBe(b!.digest);
      expect(a!.digest).toBe(sha256Hex(canonicalJson(a!.definition)));
    });
  });

  test('refuses an API without methods', async () => {
    await store.tenants.transact(OURS, (tx) => tx.methods.remove({ apiId: restApiId, resourceId: pets.id, httpMethod: 'GET' }));
    await expect(deploy()).rejects.toMatchObject(refused('BadRequestException', "The REST API doesn't contain any methods"));
  });

  test('refuses a method without integration', async () => {
    await store.tenants.transact(OURS, (tx) => tx.methods.insert(method(root.id, 'GET', { integration: null })));
    await expect(deploy()).rejects.toMatchObject(refused('BadRequestException', 'No integration defined for method'));
  });

  test.each([
    ['a bad stage name', { stageName: 'a b' }, 'Stage name only allows'],
    ['a bad variable', { stageName: 'dev', variables: { 'a-b': 'x' } }, 'Invalid stage variable name "a-b"'],
    [
      'a canary without stage',
      { canarySettings: { percentTraffic: 5 } },
      'Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. Provided value is null',
    ],
    [
      'a canary of a stage that does not exist',
      { stageName: 'nope', canarySettings: { percentTraffic: 5 } },
      'Invalid deployment content specified.Stage nope must already be created before making a canary release deployment',
    ],
  ] as const)('refuses %s and leaves nothing behind', async (_name, input, message) => {
    await expect(deploy(input)).rejects.toMatchObject(refused('BadRequestException', message));
    expect((await operations.GetDeployments(ours, { restApiId })).items).toEqual([]);
    expect((await operations.GetStages(ours, { restApiId })).item).toEqual([]);
    expect(await store.manifest.head()).toBe(0);
  });

  test('as a canary leaves the stage where it was', async () => {
    const stable = await deploy({ stageName: 'dev', variables: { host: 'a.example' } });
    const canary = await deploy({
      stageName: 'dev',
      canarySettings: { percentTraffic: 10, stageVariableOverrides: { host: 'b.example' } },
    });
    expect(await getStage()).toMatchObject({
      deploymentId: stable,
      canarySettings: {
        deploymentId: canary,
        percentTraffic: 10,
        stageVariableOverrides: { host: 'b.example' },
        useStageCache: false,
      },
    });
    expect((await live())!.deploymentId).toBe(stable);
  });

  test('does not overrun a canary', async () => {
    const stable = await deploy({ stageName: 'dev' });
    await deploy({ stageName: 'dev', canarySettings: {} });
    await expect(deploy({ stageName: 'dev' })).rejects.toMatchObject(refused('BadRequestException', 'Stage dev has a canary'));
    expect((await getStage()).deploymentId).toBe(stable);
  });
});

describe('deployments', () => {
  test('embed=apisummary shows the frozen methods', async () => {
    const deploymentId = await deploy();
    const { apiSummary } = await operations.GetDeployment(ours, { restApiId, deploymentId, embed: ['apisummary'] });
    expect(apiSummary).toEqual({ '/pets': { GET: { authorizationType: 'NONE', apiKeyRequired: true } } });
  });

  test('are listed newest first, page by page', async () => {
    const ids = [await deploy(), await deploy(), await deploy()].reverse();
    const first = await operations.GetDeployments(ours, { restApiId, limit: 2 });
    const second = await operations.GetDeployments(ours, { restApiId, limit: 2, position: first.position });
    expect([...first.items!, ...second.items!].map((deployment) => deployment.id)).toEqual(ids);
    expect([first.position !== undefined, second.position]).toEqual([true, undefined]);
  });

  test('only their description changes', async () => {
    const deploymentId = await deploy();
    const updated = await operations.UpdateDeployment(ours, {
      restApiId,
      deploymentId,
      patchOperations: [replace('/description', 'new')],
    });
    expect(updated).toMatchObject({ id: deploymentId, description: 'new' });
    expect(await operations.GetDeployment(ours, { restApiId, deploymentId })).toEqual(updated);
    expect(await operations.UpdateDeployment(ours, { restApiId, deploymentId })).toEqual(updated);
    const patchOperations = [replace('/description', 'newer'), replace('/id', 'x')];
    await expect(operations.UpdateDeployment(ours, { restApiId, deploymentId, patchOperations })).rejects.toThrow(
      "Invalid patch path  '/id' specified for op 'replace'",
    );
    expect(await operations.GetDeployment(ours, { restApiId, deploymentId })).toEqual(updated);
  });

  test('are not deleted while a stage or a canary needs them', async () => {
    const stable = await deploy({ stageName: 'dev' });
    const canary = await deploy({ stageName: 'dev', canarySettings: {} });
    for (const deploymentId of [stable, canary]) {
      await expect(operations.DeleteDeployment(ours, { restApiId, deploymentId })).rejects.toMatchObject(
        refused('BadRequestException', 'Active stages pointing to this deployment must be moved or deleted'),
      );
    }
    await updateStage([{ op: 'remove', path: '/canarySettings' }]);
    await operations.DeleteDeployment(ours, { restApiId, deploymentId: canary });
    await expect(operations.GetDeployment(ours, { restApiId, deploymentId: canary })).rejects.toMatchObject(
      refused('NotFoundException', 'Invalid Deployment identifier specified'),
    );
  });
});

describe('stages', () => {
  test('a created stage has the defaults of AWS and is live', async () => {
    const deploymentId = await deploy();
    const created = await createStage({ deploymentId });
    expect(created).toEqual({
      deploymentId,
      stageName: 'dev',
      cacheClusterEnabled: false,
      cacheClusterStatus: 'NOT_AVAILABLE',
      methodSettings: {},
      tracingEnabled: false,
      createdDate: new Date(clock.nowMs()),
      lastUpdatedDate: new Date(clock.nowMs()),
    });
    expect(await getStage()).toEqual(created);
    expect((await live())!.deploymentId).toBe(deploymentId);
    expect(await rollouts(deploymentId)).toMatchObject([{ stageName: 'dev', revision: 1 }]);
  });

  test('a created stage keeps everything it was given', async () => {
    const deploymentId = await deploy();
    const given = { description: 'd', variables: { a: 'b' }, documentationVersion: 'v1', tracingEnabled: true, tags: { x: 'y' } };
    expect(
      await createStage({ deploymentId, ...given, canarySettings: { percentTraffic: 1.5, useStageCache: true } }),
    ).toMatchObject({
      ...given,
      canarySettings: { percentTraffic: 1.5, deploymentId, useStageCache: true },
    });
  });

  test.each([
    ['no deployment', { deploymentId: '' }, 'BadRequestException', 'DeploymentId cannot be empty'],
    ['an unknown deployment', { deploymentId: 'nope12' }, 'BadRequestException', 'Deployment id does not exist'],
    ['a bad tag', { tags: { 'aws:a': 'b' } }, 'BadRequestException', 'reserved prefix'],
    [
      'a bad cache size',
      { cacheClusterSize: '7' as ApiGateway.CacheClusterSize },
      'BadRequestException',
      'Invalid cache cluster size "7"',
    ],
    [
      'an unknown canary deployment',
      { canarySettings: { deploymentId: 'nope12' } },
      'BadRequestException',
      'Deployment id does not exist',
    ],
  ])('a stage with %s is refused', async (_name, input, type, message) => {
    const deploymentId = await deploy();
    await expect(createStage({ deploymentId, ...input })).rejects.toMatchObject(refused(type, message));
    expect((await operations.GetStages(ours, { restApiId })).item).toEqual([]);
    expect(await store.manifest.head()).toBe(0);
  });

  test('a name exists once, and an API has ten stages at most', async () => {
    const deploymentId = await deploy({ stageName: 'dev' });
    await expect(createStage({ deploymentId })).rejects.toMatchObject(refused('ConflictException', 'Stage already exists'));
    for (let i = 1; i < 10; i++) await createStage({ deploymentId, stageName: `s${i}` });
    await expect(createStage({ deploymentId, stageName: 's10' })).rejects.toMatchObject(
      refused('LimitExceededException', 'Maximum number of Stages'),
    );
    await expect(deploy({ stageName: 's10' })).rejects.toMatchObject(
      refused('LimitExceededException', 'Maximum number of Stages'),
    );
  });

  test('are listed by name, all or those of a deployment', async () => {
    const [first, second] = [await deploy({ stageName: 'b' }), await deploy({ stageName: 'a' })];
    const names = ({ item }: ApiGateway.Stages) => item!.map((stage) => stage.stageName);
    expect(names(await operations.GetStages(ours, { restApiId }))).toEqual(['a', 'b']);
    expect(names(await operations.GetStages(ours, { restApiId, deploymentId: first }))).toEqual(['b']);
    expect(names(await operations.GetStages(ours, { restApiId, deploymentId: second }))).toEqual(['a']);
  });

  test('an update is stored, answered and live', async () => {
    const first = await deploy({ stageName: 'dev' });
    const second = await deploy();
    clock.advance(1000);
    const updated = await updateStage([
      replace('/deploymentId', second),
      replace('/variables/a', 'b'),
      replace('/*/*/throttling/rateLimit', '-1.000000'),
    ]);
    expect(updated).toMatchObject({
      deploymentId: second,
      variables: { a: 'b' },
      methodSettings: {
        '*/*': {
          throttlingRateLimit: -1,
          throttlingBurstLimit: 5000,
          unauthorizedCacheControlHeaderStrategy: 'SUCCEED_WITH_RESPONSE_HEADER',
        },
      },
      lastUpdatedDate: new Date(clock.nowMs()),
    });
    expect(updated.methodSettings!['*/*']).not.toHaveProperty('loggingLevel', expect.anything());
    expect(await getStage()).toEqual(updated);
    expect(await live()).toMatchObject({ deploymentId: second, stageVariables: { a: 'b' } });
    expect([await rollouts(first), await rollouts(second)]).toMatchObject([[{ revision: 1 }], [{ revision: 2 }]]);
  });

  test('a canary is promoted in one call', async () => {
    await deploy({ stageName: 'dev', variables: { host: 'a.example', port: '80' } });
    const canary = await deploy({
      stageName: 'dev',
      canarySettings: { percentTraffic: 10, stageVariableOverrides: { host: 'b.example' } },
    });
    await updateStage([
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
      { op: 'copy', from: '/canarySettings/stageVariableOverrides', path: '/variables' },
      replace('/canarySettings/percentTraffic', '0.0'),
    ]);
    const stage = await updateStage([{ op: 'remove', path: '/canarySettings' }]);
    expect(stage).toMatchObject({ deploymentId: canary, variables: { host: 'b.example', port: '80' } });
    expect(stage.canarySettings).toBeUndefined();
    expect(await live()).toMatchObject({ deploymentId: canary, stageVariables: { host: 'b.example', port: '80' } });
  });

  test('an update that changes nothing for nodes makes no new revision', async () => {
    const id = await deploy({ stageName: 'dev' });
    const [head, rollout] = [await store.manifest.head(), await rollouts(id)];
    await updateStage([]);
    await updateStage([replace('/description', 'x'), replace('/tracingEnabled', 'true')]);
    expect(await store.manifest.head()).toBe(head);
    expect(await rollouts(id)).toEqual(rollout);
  });

  test.each([
    ['an unknown deployment', replace('/deploymentId', 'nope12'), 'Deployment id does not exist'],
    ['an unknown canary deployment', replace('/canarySettings/deploymentId', 'nope12'), 'Deployment id does not exist'],
    ['an unknown path', replace('/nope', 'x'), 'Invalid method setting path: /nope. Must be one of: ['],
    [
      'logging without a role',
      replace('/*/*/logging/loglevel', 'INFO'),
      'CloudWatch Logs role ARN must be set in account settings to enable logging',
    ],
    [
      'promotion without canary',
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
      'Promotion not available. Canary does not exist.',
    ],
  ] as const)('a patch with %s changes and publishes nothing', async (_name, operation, message) => {
    await deploy({ stageName: 'dev' });
    const [before, head] = [await getStage(), await store.manifest.head()];
    await expect(updateStage([replace('/variables/a', 'b'), operation])).rejects.toMatchObject(
      refused('BadRequestException', message),
    );
    expect(await getStage()).toEqual(before);
    expect(await store.manifest.head()).toBe(head);
  });

  test('logging is allowed once the account has a role', async () => {
    await deploy({ stageName: 'dev' });
    await store.tenants.transact(OURS, async (tx) =>
      tx.account.write({ ...(await tx.account.read()), cloudwatchRoleArn: 'arn:aws:iam::111111111111:role/logs' }),
    );
    expect((await updateStage([replace('/*/*/logging/loglevel', 'INFO')])).methodSettings!['*/*']!.loggingLevel).toBe('INFO');
  });

  test('a deleted stage is gone from the nodes and from the plans that named it', async () => {
    await deploy({ stageName: 'dev' });
    await deploy({ stageName: 'prod' });
    const planned = (stage: string) => ({ apiId: restApiId, stage, throttle: null });
    const plan: UsagePlan = {
      id: 'plan12',
      name: 'gold',
      description: null,
      apiStages: [planned('dev'), planned('prod')],
      throttle: null,
      quota: null,
      productCode: null,
      createdAtMs: 0,
      tags: {},
    };
    await store.tenants.transact(OURS, (tx) => tx.usagePlans.insert(plan));
    await operations.DeleteStage(ours, { restApiId, stageName: 'dev' });
    await expect(getStage()).rejects.toMatchObject(refused('NotFoundException', 'Invalid stage identifier specified'));
    expect(await live()).toBeNull();
    expect(await live('prod')).not.toBeNull();
    const [entry] = await store.manifest.all(['USAGE_PLAN']);
    expect(JSON.parse(entry!.content!.inline)).toMatchObject({ apiStages: [{ apiId: restApiId, stage: 'prod' }] });
    await store.tenants.transact(OURS, async (tx) =>
      expect(await tx.usagePlans.find('plan12')).toEqual({ ...plan, apiStages: [planned('prod')] }),
    );
  });
});

describe('waiting for the nodes', () => {
  const waiting = (timeoutMs?: string) =>
    context(OURS, {
      'x-gatehouse-wait': 'live',
      ...(timeoutMs === undefined ? {} : { 'x-gatehouse-wait-timeout-ms': timeoutMs }),
    });

  test('happens after the commit, for the revision of the change', async () => {
    await deploy({ stageName: 'dev' });
    expect(waits).toEqual([]);
    await deploy({ stageName: 'dev' }, waiting());
    await updateStage([replace('/variables/a', 'b')], waiting('250'));
    expect(waits).toEqual([
      { revision: 2, timeoutMs: 10_000 },
      { revision: 3, timeoutMs: 250 },
    ]);
  });

  test('is not for what nodes never see', async () => {
    await deploy({}, waiting());
    expect(waits).toEqual([]);
  });

  test('names the nodes that lag; the deployment stays', async () => {
    laggards = ['node-a', 'node-b'];
    const error = await deploy({ stageName: 'dev' }, waiting('5')).then(
      () => null,
      (thrown: ApiError) => thrown,
    );
    const { deploymentId } = await getStage();
    expect(error).toMatchObject({
      type: 'ServiceUnavailableException',
      status: 503,
      message: `Deployment ${deploymentId} is committed as revision 1 but was not live after 5 ms on: node-a, node-b`,
    });
    expect((await live())!.deploymentId).toBe(deploymentId);
  });

  test.each([
    [{ 'x-gatehouse-wait': 'soon' }, 'Invalid value for header x-gatehouse-wait'],
    [{ 'x-gatehouse-wait': 'live', 'x-gatehouse-wait-timeout-ms': '-1' }, 'Invalid value for header x-gatehouse-wait-timeout-ms'],
    [
      { 'x-gatehouse-wait': 'live', 'x-gatehouse-wait-timeout-ms': '300001' },
      'Invalid value for header x-gatehouse-wait-timeout-ms',
    ],
  ])('with a bad header changes nothing: %j', async (headers, message) => {
    await expect(deploy({ stageName: 'dev' }, context(OURS, headers))).rejects.toMatchObject(
      refused('BadRequestException', message),
    );
    expect((await operations.GetDeployments(ours, { restApiId })).items).toEqual([]);
  });
});

test('another tenant gets for our ids what it gets for ids that do not exist', async () => {
  const deploymentId = await deploy({ stageName: 'dev' });
  const stageName = 'dev';
  const calls: ((api: string) => Promise<unknown>)[] = [
    (id) => operations.CreateDeployment(theirs, { restApiId: id, stageName }),
    (id) => operations.GetDeployment(theirs, { restApiId: id, deploymentId }),
    (id) => operations.GetDeployments(theirs, { restApiId: id }),
    (id) => operations.UpdateDeployment(theirs, { restApiId: id, deploymentId }),
    (id) => operations.DeleteDeployment(theirs, { restApiId: id, deploymentId }),
    (id) => operations.CreateStage(theirs, { restApiId: id, stageName, deploymentId }),
    (id) => operations.GetStage(theirs, { restApiId: id, stageName }),
    (id) => operations.GetStages(theirs, { restApiId: id }),
    (id) => operations.UpdateStage(theirs, { restApiId: id, stageName, patchOperations: [replace('/description', 'x')] }),
    (id) => operations.DeleteStage(theirs, { restApiId: id, stageName }),
  ];
  for (const id of [restApiId, 'nope123456']) {
    for (const call of calls) {
      await expect(call(id)).rejects.toMatchObject({
        type: 'NotFoundException',
        message: `Invalid API identifier specified ${THEIRS}:${id}`,
      });
    }
  }
  expect((await getStage()).deploymentId).toBe(deploymentId);
});
