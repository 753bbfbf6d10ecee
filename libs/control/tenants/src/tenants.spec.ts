import type { OperationContext } from '@gatehouse/control-wire';
import {
  definitionDigest,
  InMemoryStore,
  newStage,
  tenantId,
  type ApiKey,
  type Deployment,
  type RestApiDefinition,
  type TenantId,
  type UsagePlan,
} from '@gatehouse/domain';
import { ManualClock, randomIds, Secret, SequentialIds } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test } from 'vitest';
import { createTenant } from './create-tenant.js';
import { tenantOperations } from './tenants.operations.js';
import { sampleRestApi } from '@gatehouse/domain/samples';

const OURS = tenantId('111111111111');
const THEIRS = tenantId('222222222222');
const context = (tenant: TenantId): OperationContext => ({
  caller: { tenant, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${tenant}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
});

const api = sampleRestApi();
const definition: RestApiDefinition = { formatVersion: 1, api, resources: [], methods: [] };
const deployment: Deployment = {
  apiId: api.id,
  id: 'dep001',
  description: null,
  createdAtMs: 0,
  definition,
  digest: definitionDigest(definition),
};
const key: ApiKey = {
  id: 'key1234567',
  value: new Secret('v'.repeat(40)),
  name: null,
  description: null,
  customerId: null,
  enabled: true,
  createdAtMs: 0,
  lastUpdatedAtMs: 0,
  stageKeys: [],
  tags: {},
};
const plan: UsagePlan = {
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
let operations: ReturnType<typeof tenantOperations>;
const ours = context(OURS);

beforeEach(async () => {
  store = new InMemoryStore(new ManualClock());
  operations = tenantOperations({ store: store.tenants });
  await store.tenants.transact(OURS, async (tx) => {
    await tx.restApis.insert(api);
    await tx.stages.insert(newStage(api.id, 'dev', 'dep001', {}, 0));
    await tx.apiKeys.insert(key);
    await tx.usagePlans.insert(plan);
  });
});

describe('tags', () => {
  const arns = ['/restapis/api1234567', '/restapis/api1234567/stages/dev', '/apikeys/key1234567', '/usageplans/plan12'].map(
    (resource) => `arn:aws:apigateway:us-east-1::${resource}`,
  );

  test.each(arns)('are added, overwritten, listed and removed: %s', async (resourceArn) => {
    await operations.TagResource(ours, { resourceArn, tags: { team: 'a', cost: '1' } });
    await operations.TagResource(ours, { resourceArn, tags: { team: 'b' } });
    expect(await operations.GetTags(ours, { resourceArn })).toEqual({ tags: { team: 'b', cost: '1' } });
    await operations.UntagResource(ours, { resourceArn, tagKeys: ['cost', 'absent'] });
    expect(await operations.GetTags(ours, { resourceArn })).toEqual({ tags: { team: 'b' } });
  });

  test('that say how the limits of a usage plan hold reach the nodes', async () => {
    const resourceArn = arns[3]!;
    const published = () =>
      store.tenants.transact(OURS, async (tx) => JSON.parse((await tx.manifest.find('USAGE_PLAN', 'plan12'))!.content!.inline));
    await operations.TagResource(ours, { resourceArn, tags: { 'gatehouse:limit-mode': 'strict' } });
    expect((await published()).limits).toEqual({ mode: 'STRICT', fallback: 'CLOSED' });
    await operations.UntagResource(ours, { resourceArn, tagKeys: ['gatehouse:limit-mode'] });
    expect((await published()).limits).toBeUndefined();
  });

  test('that say whether callers of a stage are told of their limits reach the nodes; others are not published', async () => {
    const resourceArn = arns[1]!;
    await store.tenants.transact(OURS, async (tx) => void (await tx.deployments.insert(deployment)));
    const published = () =>
      store.tenants.transact(OURS, async (tx) => {
        const digest = (await tx.manifest.find('STAGE', 'api1234567/dev'))?.content?.digest;
        return digest === undefined ? null : JSON.parse(Buffer.from((await store.manifest.blob(digest!))!).toString());
      });
    await operations.TagResource(ours, { resourceArn, tags: { team: 'a' } });
    expect(await published()).toBeNull();
    await operations.TagResource(ours, { resourceArn, tags: { 'gatehouse:limit-headers': 'off' } });
    expect((await published()).limitHeaders).toBe(false);
    await operations.UntagResource(ours, { resourceArn, tagKeys: ['gatehouse:limit-headers'] });
    expect(await published()).not.toHaveProperty('limitHeaders');
    await expect(operations.TagResource(ours, { resourceArn, tags: { 'gatehouse:limit-headers': 'no' } })).rejects.toMatchObject({
      message: 'Invalid value of tag "gatehouse:limit-headers": expected one of on, off, got "no"',
    });
  });

  test.each([
    ['gatehouse:limit-mode', 'exact', 'fast, strict'],
    ['gatehouse:limit-fallback', 'shut', 'open, closed'],
  ])('of a usage plan with a value that means nothing are refused: %s', async (tag, value, allowed) => {
    const resourceArn = arns[3]!;
    await expect(operations.TagResource(ours, { resourceArn, tags: { [tag]: value } })).rejects.toMatchObject({
      type: 'BadRequestException',
      message: `Invalid value of tag "${tag}": expected one of ${allowed}, got "${value}"`,
    });
    expect(await operations.GetTags(ours, { resourceArn })).toEqual({ tags: {} });
  });

  test('of a stage are its own, not those of its API', async () => {
    await operations.TagResource(ours, { resourceArn: arns[0]!, tags: { team: 'a' } });
    expect(await operations.GetTags(ours, { resourceArn: arns[1]! })).toEqual({ tags: {} });
  });

  test.each([
    ['/restapis/nope', `Invalid API identifier specified ${OURS}:nope`],
    ['/restapis/nope/stages/dev', `Invalid API identifier specified ${OURS}:nope`],
    ['/restapis/api1234567/stages/nope', 'Invalid stage identifier specified'],
    ['/apikeys/nope', 'Invalid API Key identifier specified'],
    ['/usageplans/nope', 'Invalid Usage Plan ID specified'],
    ['/apis/nope', `Invalid API identifier specified ${OURS}:nope`],
    ['/domainnames/nope', 'Invalid domain name identifier specified'],
    ['/vpclinks/nope', 'Invalid Vpc Link identifier specified'],
  ])('of an unknown resource are not found: %s', async (resource, message) => {
    const call = operations.GetTags(ours, { resourceArn: `arn:aws:apigateway:us-east-1::${resource}` });
    await expect(call).rejects.toMatchObject({ type: 'NotFoundException', message });
  });

  test.each(arns)('of another tenant answer as if there were no such resource: %s', async (resourceArn) => {
    const theirs = context(THEIRS);
    await expect(operations.GetTags(theirs, { resourceArn })).rejects.toMatchObject({ type: 'NotFoundException' });
    await expect(operations.TagResource(theirs, { resourceArn, tags: { a: 'b' } })).rejects.toMatchObject({
      type: 'NotFoundException',
    });
    expect(await operations.GetTags(ours, { resourceArn })).toEqual({ tags: {} });
  });

  test.each([
    'nonsense',
    'arn:aws:s3:::bucket',
    'arn:aws:apigateway:us-east-1:111111111111:/restapis/api1234567',
    'arn:aws:apigateway:us-east-1::/restapis/api1234567/stages',
    'arn:aws:apigateway:us-east-1::/restapis/api1234567/stages/dev/x',
    'arn:aws:apigateway:us-east-1::/apikeys/key1234567/x',
    'arn:aws:apigateway:us-east-1::/unknown/x',
  ])('need an ARN of the right form: %s', async (resourceArn) => {
    const message = 'Invalid ARN specified in the request';
    await expect(operations.GetTags(ours, { resourceArn })).rejects.toMatchObject({ type: 'BadRequestException', message });
  });

  test.each([
    ['a reserved prefix', { 'aws:x': 'y' }, 'reserved prefix'],
    [
      'a pool no node can be named after',
      { 'gatehouse:pool': 'e u' },
      'Invalid value of tag "gatehouse:pool": expected the name of a pool',
    ],
    ['an empty key', { '': 'y' }, 'must have 1 to 128 characters'],
    ['a long key', { ['k'.repeat(129)]: 'y' }, 'must have 1 to 128 characters'],
    ['a long value', { k: 'v'.repeat(257) }, 'must have at most 256 characters'],
    ['too many', Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v'])), 'at most 50 tags'],
  ])('are refused as a whole for %s', async (_name, tags, message) => {
    const resourceArn = arns[0]!;
    await expect(operations.TagResource(ours, { resourceArn, tags: { fine: '1', ...tags } })).rejects.toThrow(message);
    expect(await operations.GetTags(ours, { resourceArn })).toEqual({ tags: {} });
  });
});

describe('account', () => {
  const defaults = { throttleSettings: { rateLimit: 10_000, burstLimit: 5_000 }, features: ['UsagePlans'], apiKeyVersion: '1' };
  const role = 'arn:aws:iam::111111111111:role/service/logs';
  const replaceRole = (value: string) => ({ patchOperations: [{ op: 'replace', path: '/cloudwatchRoleArn', value }] as const });

  test('starts with the limits of AWS', async () => {
    expect(await operations.GetAccount(ours, {})).toEqual(defaults);
  });

  test('keeps the role for CloudWatch until an empty one clears it', async () => {
    expect(await operations.UpdateAccount(ours, replaceRole(role))).toEqual({ ...defaults, cloudwatchRoleArn: role });
    expect(await operations.GetAccount(ours, {})).toEqual({ ...defaults, cloudwatchRoleArn: role });
    expect(await operations.GetAccount(context(THEIRS), {})).toEqual(defaults);
    expect(await operations.UpdateAccount(ours, replaceRole(''))).toEqual(defaults);
  });

  test('accepts an empty patch', async () => {
    expect(await operations.UpdateAccount(ours, {})).toEqual(defaults);
    expect(await operations.UpdateAccount(ours, { patchOperations: [] })).toEqual(defaults);
  });

  test('accepts the feature it has', async () => {
    expect(
      await operations.UpdateAccount(ours, { patchOperations: [{ op: 'add', path: '/features', value: 'UsagePlans' }] }),
    ).toEqual(defaults);
  });

  test.each([
    [{ op: 'replace', path: '/cloudwatchRoleArn', value: 'logs' }, 'The role ARN is not well formed'],
    [{ op: 'remove', path: '/features', value: 'UsagePlans' }, 'Usage Plans cannot be disabled once enabled'],
    [{ op: 'add', path: '/features', value: 'Flight' }, 'Invalid feature "Flight"'],
    [
      { op: 'replace', path: '/throttle', value: '1' },
      "Invalid patch path  '/throttle' specified for op 'replace'. Must be one of: [/cloudwatchRoleArn]",
    ],
    [
      { op: 'move', path: '/features' },
      "Invalid patch path  '/features' specified for op 'move'. Please choose supported operations",
    ],
  ] as const)('refuses %j and changes nothing', async (operation, message) => {
    const patchOperations = [...replaceRole(role).patchOperations, operation];
    await expect(operations.UpdateAccount(ours, { patchOperations })).rejects.toThrow(message);
    expect(await operations.GetAccount(ours, {})).toEqual(defaults);
  });
});

describe('createTenant', () => {
  test('makes an account with one access key in the forms of AWS', async () => {
    const { tenant, credential } = await createTenant(store.directory, randomIds, new ManualClock(5));
    expect(tenant).toEqual({ id: expect.stringMatching(/^[1-9]\d{11}$/), name: 'admin', createdAtMs: 5 });
    expect(credential.accessKeyId).toMatch(/^AKIA[A-Z0-9]{16}$/);
    expect(credential.secret.reveal()).toMatch(/^[A-Za-z0-9]{40}$/);
    expect(credential).toMatchObject({ tenant: tenant.id, enabled: true, principalArn: `arn:aws:iam::${tenant.id}:user/admin` });
    expect(await store.directory.list()).toEqual([tenant]);
    expect(await store.directory.credential(credential.accessKeyId)).toEqual(credential);
  });

  test('tries another account id when one is taken', async () => {
    const clock = new ManualClock();
    const { tenant } = await createTenant(store.directory, new SequentialIds(), clock);
    const clashing = new SequentialIds();
    const second = await createTenant(store.directory, clashing, clock, 'second');
    expect(second.tenant.id).not.toBe(tenant.id);
    expect(await store.directory.list()).toHaveLength(2);
  });

  test('refuses a name that cannot stand in an ARN', async () => {
    await expect(createTenant(store.directory, randomIds, new ManualClock(), 'a b')).rejects.toThrow('not a name for a tenant');
  });
});
