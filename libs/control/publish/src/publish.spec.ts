import { compileStage } from '@gatehouse/compiler';
import {
  definitionDigest,
  InMemoryStore,
  newStage,
  poolsOf,
  tenantId,
  type Deployment,
  type FunctionDefinition,
  type FunctionVersion,
  type UsagePlan,
} from '@gatehouse/domain';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  functionEntryId,
  publishApiKey,
  publishFunction,
  publishStage,
  publishUsagePlan,
  unpublishApi,
  unpublishFunction,
} from './publish.js';
import { placeTenant } from './placement.js';
import { oneMethodDefinition } from './testing/definition.js';
import { sampleRestApi } from '@gatehouse/domain/samples';

// The compiler is real unless a test breaks it: what it calls an error cannot be reached through a frozen definition.
vi.mock('@gatehouse/compiler', { spy: true });

const tenant = tenantId('111111111111');
const api = sampleRestApi();
const definition = oneMethodDefinition(api);
const deployment: Deployment = {
  apiId: api.id,
  id: 'dep001',
  description: null,
  createdAtMs: 0,
  definition,
  digest: definitionDigest(definition),
};
const stage = newStage(api.id, 'dev', deployment.id, {}, 0);

const emptyPlan: UsagePlan = {
  id: 'plan12',
  name: 'gold',
  description: null,
  apiStages: [],
  throttle: null,
  quota: null,
  productCode: null,
  createdAtMs: 0,
  tags: {},
};

let store: InMemoryStore;
beforeEach(async () => {
  vi.mocked(compileStage).mockReset();
  store = new InMemoryStore(new ManualClock());
  await store.tenants.transact(tenant, async (tx) => {
    await tx.restApis.insert(api);
    await tx.deployments.insert(deployment);
    await tx.stages.insert(stage);
    await tx.usagePlans.insert({
      ...emptyPlan,
      apiStages: [{ apiId: api.id, stage: 'dev', throttle: null }],
    });
  });
});
const publish = (changed = stage) => store.tenants.transact(tenant, (tx) => publishStage(tx, changed));

test('a stage that is published again unchanged keeps its revision', async () => {
  expect(await publish()).toBe(1);
  expect(await publish()).toBe(1);
  expect(await publish({ ...stage, variables: { a: 'b' } })).toBe(2);
});

test('a canary with traffic is published with its own deployment, one without traffic is not', async () => {
  const canary = { ...deployment, id: 'dep002' };
  await store.tenants.transact(tenant, (tx) => tx.deployments.insert(canary));
  const settings = { deploymentId: canary.id, stageVariableOverrides: { a: 'b' }, useStageCache: false };
  const published = async (percentTraffic: number) => {
    await publish({ ...stage, canarySettings: { ...settings, percentTraffic } });
    return vi.mocked(compileStage).mock.settledResults.at(-1)!.value.snapshot.canary;
  };
  expect(await published(7)).toMatchObject({
    percentTraffic: 7,
    members: { deploymentId: 'dep002', stageVariables: { a: 'b' } },
  });
  expect(await published(0)).toBeUndefined();
});

test('errors of the compiler name every place and publish nothing; warnings do not stop it', async () => {
  const { snapshot } = compileStage({
    tenant,
    definition,
    deploymentId: deployment.id,
    stage,
    account: await store.tenants.transact(tenant, (tx) => tx.account.read()),
    region: 'us-east-1',
  });
  const warning = { severity: 'warning', path: '/ GET', message: 'slow' } as const;
  const error = (path: string) => ({ severity: 'error', path, message: 'broken' }) as const;
  vi.mocked(compileStage).mockReturnValueOnce({
    snapshot,
    diagnostics: [error('/a GET integration.uri'), warning, error('/b GET')],
  });
  await expect(publish()).rejects.toMatchObject({
    type: 'BadRequestException',
    message: '/a GET integration.uri: broken; /b GET: broken',
  });
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

describe('functions', () => {
  const version = (number: string): FunctionVersion => ({
    functionName: 'users',
    version: number,
    description: '',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    role: 'arn:aws:iam::111111111111:role/lambda',
    timeoutSeconds: 3,
    memoryMb: 128,
    environment: { COLOUR: new Secret('red') },
    architectures: ['x86_64'],
    ephemeralStorageMb: 512,
    layers: [],
    tracingMode: 'PassThrough',
    packageType: 'Zip',
    codeDigest: 'ab'.repeat(32),
    codeBytes: 7,
    lastModifiedAtMs: 0,
    revisionId: 'r1',
  });
  const definition: FunctionDefinition = {
    name: 'users',
    region: 'us-east-1',
    latest: version('$LATEST'),
    newestVersion: 1,
    createdAtMs: 0,
    tags: {},
    reservedConcurrency: null,
  };
  const statement = {
    functionName: 'users',
    action: 'lambda:InvokeFunction',
    principal: '*',
    sourceArn: null,
    sourceAccount: null,
  };

  beforeEach(() =>
    store.tenants.transact(tenant, async (tx) => {
      await tx.functions.insert(definition);
      await tx.functionVersions.insert(version('1'));
      await tx.functionAliases.insert({
        functionName: 'users',
        name: 'live',
        functionVersion: '1',
        description: '',
        routing: {},
        revisionId: 'r1',
      });
      for (const qualifier of ['', '1', 'live'])
        await tx.functionStatements.insert({ ...statement, qualifier, statementId: 's' });
    }),
  );
  const entries = async () =>
    Object.fromEntries(
      (await store.manifest.all(['FUNCTION'])).map(({ id, content }) => [
        id,
        { ...content, inline: JSON.parse(content!.inline) as unknown },
      ]),
    );

  test('each version is an entry with its code, its names and the statements of those names', async () => {
    await store.tenants.transact(tenant, (tx) => publishFunction(tx, definition));
    const entry = (number: string, aliases: string[], qualifiers: string[]) => ({
      digest: 'ab'.repeat(32),
      blobBytes: 7,
      inline: {
        tenant,
        region: 'us-east-1',
        functionName: 'users',
        version: number,
        runtime: 'nodejs22.x',
        handler: 'index.handler',
        timeoutMs: 3_000,
        memoryMb: 128,
        environment: { COLOUR: 'red' },
        aliases,
        weightedAliases: {},
        reservedConcurrency: null,
        permissions: qualifiers.map((qualifier) => ({
          qualifier,
          statementId: 's',
          action: 'lambda:InvokeFunction',
          principal: '*',
          sourceArn: null,
          sourceAccount: null,
        })),
        codeSha256: Buffer.from('ab'.repeat(32), 'hex').toString('base64'),
      },
    });
    expect(await entries()).toEqual({
      '111111111111:users:$LATEST': entry('$LATEST', [], ['']),
      '111111111111:users:1': entry('1', ['live'], ['1', 'live']),
    });
  });

  test('only the versions named are published, and what goes is removed', async () => {
    await store.tenants.transact(tenant, (tx) => publishFunction(tx, definition, ['1']));
    expect(Object.keys(await entries())).toEqual([functionEntryId(tenant, 'users', '1')]);
    await store.tenants.transact(tenant, (tx) => unpublishFunction(tx, 'users', ['1', '2']));
    expect(await entries()).toEqual({});
  });
});

describe('placement', () => {
  /** Entry to the pools that serve it now and those that did before. */
  async function placed(): Promise<Record<string, string>> {
    const entries = (await store.manifest.since(0, ['STAGE', 'USAGE_PLAN', 'API_KEY']))!;
    return Object.fromEntries(
      entries.map(({ kind, id, content, formerPools }) => [
        `${kind} ${id}`,
        `${content === null ? 'removed' : poolsOf(content).join('+')}${formerPools === undefined ? '' : ` was ${formerPools.join('+')}`}`,
      ]),
    );
  }
  const tag = (apiId: string, pool: string | null) =>
    store.tenants.transact(tenant, async (tx) => {
      const found = (await tx.restApis.lock(apiId))!;
      await tx.placement.lock();
      await tx.restApis.replace({ ...found, tags: pool === null ? {} : { 'gatehouse:pool': pool } });
      await placeTenant(tx);
    });
  const place = (pool: string | null) =>
    store.tenants.transact(tenant, async (tx) => {
      await tx.placement.lock();
      await tx.placement.write(pool);
      await placeTenant(tx);
    });
  const addKey = () =>
    store.tenants.transact(tenant, async (tx) => {
      await tx.apiKeys.insert({
        id: 'key123',
        name: 'k',
        description: null,
        value: new Secret('v'.repeat(20)),
        enabled: true,
        customerId: null,
        createdAtMs: 0,
        lastUpdatedAtMs: 0,
        stageKeys: [],
        tags: {},
      });
      await tx.usagePlanKeys.insert({ usagePlanId: 'plan12', apiKeyId: 'key123', createdAtMs: 0 });
      await publishUsagePlan(tx, (await tx.usagePlans.find('plan12'))!);
      await publishApiKey(tx, 'key123');
    });

  test('an API without the tag is served by the default pool, with its plans and keys', async () => {
    await publish();
    await addKey();
    expect(await placed()).toEqual({
      'STAGE api1234567/dev': 'default',
      'USAGE_PLAN plan12': 'default',
      'API_KEY key123': 'default',
    });
  });

  test('the tag moves stages, plans and keys, which the former pool is told to forget, and back', async () => {
    await publish();
    await addKey();
    await tag(api.id, 'eu');
    const moved = 'eu was default';
    expect(await placed()).toEqual({ 'STAGE api1234567/dev': moved, 'USAGE_PLAN plan12': moved, 'API_KEY key123': moved });
    await publish({ ...stage, variables: { a: 'b' } });
    expect((await placed())['STAGE api1234567/dev'], 'a later deployment stays there').toBe(moved);
    await tag(api.id, null);
    const back = 'default was eu';
    expect(await placed()).toEqual({ 'STAGE api1234567/dev': back, 'USAGE_PLAN plan12': back, 'API_KEY key123': back });
  });

  test('a tenant that is placed takes along what is published and what comes later, but not an API with a tag of its own', async () => {
    await publish();
    await addKey();
    const other = sampleRestApi({ id: 'other1', tags: { 'gatehouse:pool': 'us' } });
    await store.tenants.transact(tenant, async (tx) => {
      await tx.restApis.insert(other);
      await tx.deployments.insert({ ...deployment, apiId: 'other1' });
      await tx.stages.insert({ ...stage, apiId: 'other1' });
      await publishStage(tx, { ...stage, apiId: 'other1' });
    });
    await place('eu');
    const moved = 'eu was default';
    expect(await placed()).toEqual({
      'STAGE api1234567/dev': moved,
      'USAGE_PLAN plan12': moved,
      'API_KEY key123': moved,
      'STAGE other1/dev': 'us',
    });
    const head = await store.manifest.head();
    await place('eu');
    expect(await store.manifest.head(), 'the same again is no change').toBe(head);
    await publish({ ...stage, variables: { a: 'b' } });
    await store.tenants.transact(tenant, (tx) => publishUsagePlan(tx, { ...emptyPlan, id: 'plan34' }));
    expect(await placed()).toMatchObject({ 'STAGE api1234567/dev': moved, 'USAGE_PLAN plan34': 'eu' });
    await place(null);
    expect((await placed())['STAGE api1234567/dev']).toBe('default was eu');
    expect((await placed())['STAGE other1/dev']).toBe('us');
  });

  test('a plan that covers APIs of two pools goes to both, and so do its keys, also those that were there before', async () => {
    await publish();
    await addKey();
    const other = sampleRestApi({ id: 'other1', tags: { 'gatehouse:pool': 'us' } });
    await store.tenants.transact(tenant, async (tx) => {
      await tx.restApis.insert(other);
      const plan = (await tx.usagePlans.lock('plan12'))!;
      const wider = { ...plan, apiStages: [...plan.apiStages, { apiId: 'other1', stage: 'dev', throttle: null }] };
      await tx.usagePlans.replace(wider);
      await publishUsagePlan(tx, wider);
    });
    expect(await placed()).toEqual({
      'STAGE api1234567/dev': 'default',
      'USAGE_PLAN plan12': 'default+us',
      'API_KEY key123': 'default+us',
    });
  });
});
