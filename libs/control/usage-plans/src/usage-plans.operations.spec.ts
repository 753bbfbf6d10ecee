import type { ApiGateway } from '@gatehouse/aws-api';
import type { ApiKeyEntry, UsagePlanEntry } from '@gatehouse/contracts';
import type { OperationContext } from '@gatehouse/control-wire';
import { InMemoryStore, newStage, tenantId, type EntryKind, type TenantId } from '@gatehouse/domain';
import { ManualClock, randomIds, sha256Hex } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test } from 'vitest';
import { usagePlanOperations } from './usage-plans.operations.js';
import { sampleRestApi } from '@gatehouse/domain/samples';

const OURS = tenantId('111111111111');
const THEIRS = tenantId('222222222222');
const context = (tenant: TenantId): OperationContext => ({
  caller: { tenant, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${tenant}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
});
const ours = context(OURS);
const theirs = context(THEIRS);

const api = sampleRestApi();
const dev = { apiId: api.id, stage: 'dev' };
const prod = { apiId: api.id, stage: 'prod' };
const DAY_MS = 86_400_000;

let store: InMemoryStore;
let clock: ManualClock;
let operations: ReturnType<typeof usagePlanOperations>;

beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2026, 10, 18)); // a Wednesday
  store = new InMemoryStore(clock);
  operations = usagePlanOperations({ store: store.tenants, clock, ids: randomIds });
  await store.tenants.transact(OURS, async (tx) => {
    await tx.restApis.insert(api);
    for (const stageName of ['dev', 'prod']) await tx.stages.insert(newStage(api.id, stageName, 'dep001', {}, 0));
  });
});

async function published<E>(kind: EntryKind, id: string): Promise<E | null> {
  const entry = (await store.manifest.all([kind])).find((candidate) => candidate.id === id);
  return entry === undefined ? null : (JSON.parse(entry.content!.inline) as E);
}
const createKey = async (input: ApiGateway.CreateApiKeyRequest = {}): Promise<string> => {
  const { id } = await operations.CreateApiKey(ours, { enabled: true, ...input });
  clock.advance(1);
  return id!;
};
const createPlan = async (input: Partial<ApiGateway.CreateUsagePlanRequest> = {}): Promise<string> => {
  const { id } = await operations.CreateUsagePlan(ours, { name: 'gold', ...input });
  clock.advance(1);
  return id!;
};
const addKey = (usagePlanId: string, keyId: string) =>
  operations.CreateUsagePlanKey(ours, { usagePlanId, keyId, keyType: 'API_KEY' });
const patch = (op: ApiGateway.Op, path: string, value?: string): ApiGateway.PatchOperation => ({ op, path, value });

describe('API keys', () => {
  test('a created key is disabled, has a value of its own and shows it once', async () => {
    const created = await operations.CreateApiKey(ours, {});
    expect(created).toEqual({
      id: expect.stringMatching(/^[a-z0-9]{10}$/),
      value: expect.stringMatching(/^[A-Za-z0-9]{40}$/),
      enabled: false,
      createdDate: new Date(clock.nowMs()),
      lastUpdatedDate: new Date(clock.nowMs()),
      stageKeys: [],
    });
    expect(await operations.GetApiKey(ours, { apiKey: created.id! })).toEqual({ ...created, value: undefined });
    expect(await operations.GetApiKey(ours, { apiKey: created.id!, includeValue: true })).toEqual(created);
  });

  test('a created key keeps everything it was given; an empty value is none', async () => {
    const value = 'x'.repeat(20);
    const input = { name: 'n', description: 'd', enabled: true, customerId: 'c', value, tags: { a: 'b' } };
    const created = await operations.CreateApiKey(ours, {
      ...input,
      stageKeys: [{ restApiId: api.id, stageName: 'dev' }],
      generateDistinctId: true,
    });
    expect(created).toMatchObject({ ...input, stageKeys: [`${api.id}/dev`] });
    expect((await operations.CreateApiKey(ours, { value: '' })).value).toHaveLength(40);
  });

  test.each([
    ['a short value', { value: 'x'.repeat(19) }, 'API Key value should be at least 20 characters'],
    ['a long value', { value: 'x'.repeat(129) }, 'API Key value exceeds maximum size of 128 characters'],
    ['a long name', { name: 'x'.repeat(1025) }, 'Invalid API Key name, can be at most 1024 characters.'],
    ['a long description', { description: 'x'.repeat(125_001) }, 'Invalid API Key description specified.'],
    [
      'a stage that does not exist',
      { stageKeys: [{ restApiId: api.id, stageName: 'nope' }] },
      'Invalid stage identifier specified',
    ],
    ['a reserved tag', { tags: { 'aws:a': 'b' } }, 'reserved prefix'],
  ])('%s is refused', async (_name, input, message) => {
    await expect(operations.CreateApiKey(ours, input)).rejects.toThrow(message);
    expect((await operations.GetApiKeys(ours, {})).items).toEqual([]);
  });

  test('a value exists once per tenant', async () => {
    const value = 'shared-value-of-both-tenants';
    await createKey({ value });
    await expect(operations.CreateApiKey(ours, { value })).rejects.toMatchObject({
      type: 'ConflictException',
      message: 'API Key already exists',
    });
    await expect(operations.CreateApiKey(theirs, { value })).resolves.toMatchObject({ value });
  });

  test('lists are newest first, page by page, filtered by name prefix and customer', async () => {
    for (const name of ['alpha', 'beta', 'alphabet']) await createKey({ name, customerId: name === 'beta' ? 'c' : undefined });
    const names = ({ items }: ApiGateway.ApiKeys) => items!.map((key) => key.name);
    expect(names(await operations.GetApiKeys(ours, {}))).toEqual(['alphabet', 'beta', 'alpha']);
    const first = await operations.GetApiKeys(ours, { limit: 2 });
    expect(names(first)).toEqual(['alphabet', 'beta']);
    const second = await operations.GetApiKeys(ours, { limit: 2, position: first.position });
    expect([names(second), second.position]).toEqual([['alpha'], undefined]);
    expect(names(await operations.GetApiKeys(ours, { nameQuery: 'alpha' }))).toEqual(['alphabet', 'alpha']);
    expect(names(await operations.GetApiKeys(ours, { nameQuery: 'Alpha' }))).toEqual([]);
    expect(names(await operations.GetApiKeys(ours, { customerId: 'c' }))).toEqual(['beta']);
    expect(names(await operations.GetApiKeys(ours, { limit: -1 }))).toHaveLength(3);
    expect((await operations.GetApiKeys(ours, {})).items![0]!.value).toBeUndefined();
    expect((await operations.GetApiKeys(ours, { includeValues: true })).items![0]!.value).toHaveLength(40);
  });

  test.each([
    [patch('replace', '/name', 'new'), { name: 'new' }],
    [patch('replace', '/description', 'new'), { description: 'new' }],
    [patch('replace', '/customerId', 'new'), { customerId: 'new' }],
    [patch('replace', '/enabled', 'true'), { enabled: true }],
    [patch('replace', '/enabled', 'TRUE'), { enabled: false }],
    [patch('add', '/stages', `${api.id}/dev`), { stageKeys: [`${api.id}/dev`] }],
    [patch('remove', '/stages', `${api.id}/dev`), { stageKeys: [] }],
  ])('patch %j', async (operation, change) => {
    const before = await operations.CreateApiKey(ours, { name: 'old' });
    clock.advance(5);
    const updated = await operations.UpdateApiKey(ours, { apiKey: before.id!, patchOperations: [operation] });
    expect(updated).toEqual({ ...before, value: undefined, tags: {}, lastUpdatedDate: new Date(clock.nowMs()), ...change });
    expect(await operations.GetApiKey(ours, { apiKey: before.id! })).toEqual({ ...updated, tags: undefined });
  });

  test('an empty patch answers the key as it is', async () => {
    const apiKey = await createKey({ name: 'n' });
    expect(await operations.UpdateApiKey(ours, { apiKey })).toEqual({
      ...(await operations.GetApiKey(ours, { apiKey })),
      tags: {},
    });
  });

  test.each([
    [
      patch('replace', '/value', 'x'),
      "Invalid patch path  '/value' specified for op 'replace'. Must be one of: [/name, /description, /enabled, /customerId]",
    ],
    [patch('move', '/name'), "Invalid patch path  '/name' specified for op 'move'. Please choose supported operations"],
    [patch('replace', '/name', 'x'.repeat(1025)), 'Invalid API Key name, can be at most 1024 characters.'],
    [patch('add', '/stages', `${api.id}/nope`), 'Invalid stage identifier specified'],
    [patch('add', '/stages', `${api.id}/dev/x`), 'Invalid stage identifier specified'],
  ])('a wrong patch changes and publishes nothing: %j', async (operation, message) => {
    const apiKey = await createKey({ name: 'old' });
    await addKey(await createPlan(), apiKey);
    const [before, head] = [await operations.GetApiKey(ours, { apiKey }), await store.manifest.head()];
    const patchOperations = [patch('replace', '/enabled', 'false'), operation];
    await expect(operations.UpdateApiKey(ours, { apiKey, patchOperations })).rejects.toThrow(message);
    expect(await operations.GetApiKey(ours, { apiKey })).toEqual(before);
    expect(await store.manifest.head()).toBe(head);
  });
});

describe('nodes know a key exactly while it can open a door', () => {
  test('not before it is in a plan, not while it is disabled, not after it is gone', async () => {
    const value = 'value-of-the-key-of-the-test';
    const apiKey = await createKey({ value });
    expect(await published('API_KEY', apiKey)).toBeNull();
    const plan = await createPlan();
    await addKey(plan, apiKey);
    const entry: ApiKeyEntry = {
      apiKeyId: apiKey,
      tenant: OURS,
      valueDigest: sha256Hex(value),
      enabled: true,
      usagePlanIds: [plan],
    };
    expect(await published('API_KEY', apiKey)).toEqual(entry);
    await operations.UpdateApiKey(ours, { apiKey, patchOperations: [patch('replace', '/enabled', 'false')] });
    expect(await published('API_KEY', apiKey)).toBeNull();
    await operations.UpdateApiKey(ours, { apiKey, patchOperations: [patch('replace', '/enabled', 'true')] });
    expect(await published('API_KEY', apiKey)).toEqual(entry);
    await operations.DeleteUsagePlanKey(ours, { usagePlanId: plan, keyId: apiKey });
    expect(await published('API_KEY', apiKey)).toBeNull();
    await addKey(plan, apiKey);
    await operations.DeleteApiKey(ours, { apiKey });
    expect(await published('API_KEY', apiKey)).toBeNull();
  });

  test('the value itself is never published', async () => {
    const value = 'value-of-the-key-of-the-test';
    await addKey(await createPlan(), await createKey({ value }));
    expect(JSON.stringify(await store.manifest.all(['API_KEY', 'USAGE_PLAN']))).not.toContain(value);
  });

  test('a rename publishes nothing', async () => {
    const apiKey = await createKey();
    await addKey(await createPlan(), apiKey);
    const head = await store.manifest.head();
    await operations.UpdateApiKey(ours, { apiKey, patchOperations: [patch('replace', '/name', 'x')] });
    expect(await store.manifest.head()).toBe(head);
  });

  test('a deleted plan leaves the entry of its keys', async () => {
    const [apiKey, first, second] = [await createKey(), await createPlan(), await createPlan()];
    await addKey(first, apiKey);
    await addKey(second, apiKey);
    expect((await published<ApiKeyEntry>('API_KEY', apiKey))!.usagePlanIds).toEqual([first, second].sort());
    await operations.DeleteUsagePlan(ours, { usagePlanId: first });
    expect((await published<ApiKeyEntry>('API_KEY', apiKey))!.usagePlanIds).toEqual([second]);
    await operations.DeleteUsagePlan(ours, { usagePlanId: second });
    expect(await published('API_KEY', apiKey)).toBeNull();
  });
});

describe('usage plans', () => {
  test('a plan of a name alone', async () => {
    const created = await operations.CreateUsagePlan(ours, { name: 'gold' });
    expect(created).toEqual({ id: expect.stringMatching(/^[a-z0-9]{6}$/), name: 'gold', apiStages: [] });
    expect(await operations.GetUsagePlan(ours, { usagePlanId: created.id! })).toEqual({ ...created, tags: {} });
  });

  test('a full plan reads back as given and is published as nodes need it', async () => {
    const input = {
      name: 'gold',
      description: 'd',
      apiStages: [{ ...dev, throttle: { '/pets/{id}/GET': { rateLimit: 0.5, burstLimit: 3 } } }, prod],
      throttle: { rateLimit: 10, burstLimit: 100 },
      quota: { limit: 1000, offset: 2, period: 'MONTH' },
      tags: { a: 'b' },
    } as const;
    const usagePlanId = await createPlan(input);
    expect(await operations.GetUsagePlan(ours, { usagePlanId })).toEqual({ id: usagePlanId, ...input });
    expect(await published<UsagePlanEntry>('USAGE_PLAN', usagePlanId)).toEqual({
      usagePlanId,
      tenant: OURS,
      throttle: { ratePerSecond: 10, burst: 100 },
      quota: input.quota,
      apiStages: [
        { ...dev, methodThrottles: { '/pets/{id}/GET': { ratePerSecond: 0.5, burst: 3 } } },
        { ...prod, methodThrottles: {} },
      ],
    });
  });

  test.each([
    [{ rateLimit: 2.5 }, { ratePerSecond: 2.5, burst: 3 }],
    [{ rateLimit: 0 }, { ratePerSecond: 0, burst: 0 }],
    [{ burstLimit: 5 }, null],
    [{}, null],
  ])('half a throttle, %j, is published as %j', async (throttle, expected) => {
    const id = await createPlan({ throttle });
    expect((await published<UsagePlanEntry>('USAGE_PLAN', id))!.throttle).toEqual(expected);
  });

  test.each([
    [
      'an unknown stage',
      { apiStages: [{ ...dev, stage: 'nope' }] },
      `Invalid API Stage {api: ${api.id}, stage: nope} specified for usageplan gold`,
    ],
    [
      'an unknown API',
      { apiStages: [{ ...dev, apiId: 'nope' }] },
      'Invalid API Stage {api: nope, stage: dev} specified for usageplan gold',
    ],
    [
      'half a stage',
      { apiStages: [{ apiId: api.id }] },
      `Invalid API Stage {api: ${api.id}, stage: } specified for usageplan gold`,
    ],
    ['a stage twice', { apiStages: [dev, dev] }, 'API stages of a Usage Plan must be unique'],
    ['no name', { name: '' }, 'Usage Plan name cannot be empty'],
    [
      'a limit mode nobody knows',
      { tags: { 'gatehouse:limit-mode': 'exact' } },
      'Invalid value of tag "gatehouse:limit-mode": expected one of fast, strict, got "exact"',
    ],
    ['half a quota', { quota: { limit: 5 } }, 'Usage Plan quota period must be one of DAY, WEEK, MONTH'],
    ['a negative rate', { throttle: { rateLimit: -1 } }, 'rate limit must be a number that is not negative'],
    ['a bad method path', { apiStages: [{ ...dev, throttle: { pets: {} } }] }, 'Invalid method path "pets"'],
  ] as const)('%s is refused', async (_name, input, message) => {
    await expect(operations.CreateUsagePlan(ours, { name: 'gold', ...input })).rejects.toMatchObject({
      type: 'BadRequestException',
      message: expect.stringContaining(message),
    });
    expect((await operations.GetUsagePlans(ours, {})).items).toEqual([]);
    expect(await store.manifest.head()).toBe(0);
  });

  test('a patch is applied and published', async () => {
    const usagePlanId = await createPlan();
    const patchOperations = [
      patch('add', '/apiStages', `${api.id}:dev`),
      patch('replace', `/apiStages/${api.id}:dev/throttle//pets/GET/rateLimit`, '1.000000'),
      patch('replace', '/throttle/rateLimit', '5'),
      patch('add', '/quota/limit', '9'),
      patch('add', '/quota/period', 'DAY'),
    ];
    const expected = {
      id: usagePlanId,
      name: 'gold',
      apiStages: [{ ...dev, throttle: { '/pets/GET': { rateLimit: 1 } } }],
      throttle: { rateLimit: 5 },
      quota: { limit: 9, offset: 0, period: 'DAY' },
      tags: {},
    };
    expect(await operations.UpdateUsagePlan(ours, { usagePlanId, patchOperations })).toEqual(expected);
    expect(await operations.GetUsagePlan(ours, { usagePlanId })).toEqual(expected);
    expect(await published<UsagePlanEntry>('USAGE_PLAN', usagePlanId)).toMatchObject({
      throttle: { ratePerSecond: 5, burst: 5 },
      quota: expected.quota,
      apiStages: [{ ...dev, methodThrottles: { '/pets/GET': { ratePerSecond: 1, burst: 1 } } }],
    });
  });

  test('an empty patch answers the plan as it is', async () => {
    const usagePlanId = await createPlan();
    expect(await operations.UpdateUsagePlan(ours, { usagePlanId, patchOperations: [] })).toEqual({
      id: usagePlanId,
      name: 'gold',
      apiStages: [],
      tags: {},
    });
  });

  test.each([
    [
      'an unknown stage',
      patch('add', '/apiStages', `${api.id}:nope`),
      'NotFoundException',
      `Invalid API Stage {api: ${api.id}, stage: nope} specified for usageplan `,
    ],
    [
      'an unknown API',
      patch('add', '/apiStages', 'nope:dev'),
      'NotFoundException',
      'Invalid API Stage {api: nope, stage: dev} specified for usageplan ',
    ],
    ['a malformed stage', patch('add', '/apiStages', 'nope'), 'BadRequestException', 'Invalid API Stage specified'],
    [
      'an unknown path',
      patch('replace', '/x', 'y'),
      'BadRequestException',
      "Invalid patch path  '/x' specified for op 'replace'. Must be one of: [",
    ],
  ] as const)('%s in a patch changes and publishes nothing', async (_name, operation, type, message) => {
    const usagePlanId = await createPlan();
    const head = await store.manifest.head();
    const patchOperations = [patch('replace', '/name', 'silver'), operation];
    await expect(operations.UpdateUsagePlan(ours, { usagePlanId, patchOperations })).rejects.toMatchObject({
      type,
      message: expect.stringContaining(message),
    });
    expect((await operations.GetUsagePlan(ours, { usagePlanId })).name).toBe('gold');
    expect(await store.manifest.head()).toBe(head);
  });

  test('a plan with stages is not deleted; without them it goes from the nodes too', async () => {
    const usagePlanId = await createPlan({ apiStages: [dev] });
    await expect(operations.DeleteUsagePlan(ours, { usagePlanId })).rejects.toMatchObject({
      type: 'BadRequestException',
      message: `Cannot delete Usage Plan ${usagePlanId} because there are API Stages associated with it, including ${api.id}:dev`,
    });
    await operations.UpdateUsagePlan(ours, { usagePlanId, patchOperations: [patch('remove', '/apiStages', `${api.id}:dev`)] });
    await operations.DeleteUsagePlan(ours, { usagePlanId });
    await expect(operations.GetUsagePlan(ours, { usagePlanId })).rejects.toMatchObject({
      message: 'Invalid Usage Plan ID specified',
    });
    expect(await published('USAGE_PLAN', usagePlanId)).toBeNull();
  });

  test('lists are paged and filtered by key', async () => {
    const ids = [await createPlan(), await createPlan(), await createPlan()];
    const key = await createKey();
    await addKey(ids[1]!, key);
    const first = await operations.GetUsagePlans(ours, { limit: 2 });
    const second = await operations.GetUsagePlans(ours, { limit: 2, position: first.position });
    expect([...first.items!, ...second.items!].map((plan) => plan.id)).toEqual(ids);
    expect(second.position).toBeUndefined();
    expect((await operations.GetUsagePlans(ours, { keyId: key })).items!.map((plan) => plan.id)).toEqual([ids[1]]);
  });
});

describe('keys in plans', () => {
  test('joining shows the value; lists are newest first, filtered by name prefix', async () => {
    const plan = await createPlan();
    const keys = [await createKey({ name: 'alpha' }), await createKey({ name: 'beta' })];
    for (const key of keys) {
      expect(await addKey(plan, key)).toEqual({
        id: key,
        type: 'API_KEY',
        value: expect.stringMatching(/^.{40}$/),
        name: expect.any(String),
      });
      clock.advance(1);
    }
    const ids = ({ items }: ApiGateway.UsagePlanKeys) => items!.map((key) => key.id);
    expect(ids(await operations.GetUsagePlanKeys(ours, { usagePlanId: plan }))).toEqual([keys[1], keys[0]]);
    expect(ids(await operations.GetUsagePlanKeys(ours, { usagePlanId: plan, nameQuery: 'al' }))).toEqual([keys[0]]);
    const first = await operations.GetUsagePlanKeys(ours, { usagePlanId: plan, limit: 1 });
    expect(ids(await operations.GetUsagePlanKeys(ours, { usagePlanId: plan, limit: 1, position: first.position }))).toEqual([
      keys[0],
    ]);
    expect(await operations.GetUsagePlanKey(ours, { usagePlanId: plan, keyId: keys[0]! })).toMatchObject({
      id: keys[0],
      name: 'alpha',
    });
  });

  test('an unknown plan has an empty list of keys, as on AWS', async () => {
    expect(await operations.GetUsagePlanKeys(ours, { usagePlanId: 'nope' })).toEqual({ items: [] });
  });

  test('a key is in one plan per stage, from whichever side it is tried', async () => {
    const key = await createKey();
    const [first, sameStage, otherStage] = [
      await createPlan({ apiStages: [dev] }),
      await createPlan({ apiStages: [dev] }),
      await createPlan({ apiStages: [prod] }),
    ];
    await addKey(first, key);
    const text = (plan: string, stage: string) =>
      `Usage Plan ${plan} cannot be added because API Key ${key} cannot reference multiple Usage Plans with the same API stage: ${api.id}:${stage}`;
    await expect(addKey(sameStage, key)).rejects.toMatchObject({ type: 'ConflictException', message: text(sameStage, 'dev') });
    await addKey(otherStage, key);
    const patchOperations = [patch('add', '/apiStages', `${api.id}:prod`)];
    await expect(operations.UpdateUsagePlan(ours, { usagePlanId: first, patchOperations })).rejects.toMatchObject({
      type: 'ConflictException',
      message: text(first, 'prod'),
    });
    expect((await operations.GetUsagePlan(ours, { usagePlanId: first })).apiStages).toEqual([dev]);
  });

  test('a key joins a plan once, and ten plans at most', async () => {
    const key = await createKey();
    const plan = await createPlan();
    await addKey(plan, key);
    await expect(addKey(plan, key)).rejects.toMatchObject({ type: 'ConflictException' });
    for (let i = 0; i < 9; i++) await addKey(await createPlan(), key);
    await expect(addKey(await createPlan(), key)).rejects.toMatchObject({ type: 'LimitExceededException' });
  });

  test('only API keys can join', async () => {
    const call = operations.CreateUsagePlanKey(ours, {
      usagePlanId: await createPlan(),
      keyId: await createKey(),
      keyType: 'CARD',
    });
    await expect(call).rejects.toMatchObject({ type: 'BadRequestException' });
  });
});

describe('usage', () => {
  const count = (usagePlanId: string, apiKeyId: string, day: string, requests: number) => ({
    tenant: OURS,
    usagePlanId,
    apiKeyId,
    day,
    count: requests,
  });
  let sequence = 0;
  const report = (...usage: ReturnType<typeof count>[]) =>
    store.metering.apply({ nodeId: 'node', epoch: 1, sequence: ++sequence, usage, metrics: [] });

  test('shows used and remaining per key and day; a period starts anew', async () => {
    const usagePlanId = await createPlan({ quota: { limit: 10, period: 'WEEK' } });
    const [busy, idle] = [await createKey(), await createKey()];
    for (const key of [busy, idle]) await addKey(usagePlanId, key);
    await report(
      count(usagePlanId, busy, '2026-11-13', 50), // the Friday before: of no account
      count(usagePlanId, busy, '2026-11-16', 2), // Monday
      count(usagePlanId, busy, '2026-11-18', 3),
      count(usagePlanId, busy, '2026-11-22', 7),
      count(usagePlanId, busy, '2026-11-23', 1), // the next Monday
    );
    const usage = await operations.GetUsage(ours, { usagePlanId, startDate: '2026-11-17', endDate: '2026-11-24' });
    expect(usage).toEqual({
      usagePlanId,
      startDate: '2026-11-17',
      endDate: '2026-11-24',
      items: {
        [busy]: [
          [0, 8],
          [3, 5],
          [0, 5],
          [0, 5],
          [0, 5],
          [7, 0],
          [1, 9],
          [0, 9],
        ],
        [idle]: [
          [0, 10],
          [0, 10],
          [0, 10],
          [0, 10],
          [0, 10],
          [0, 10],
          [0, 10],
          [0, 10],
        ],
      },
    });
  });

  test('is one key, when asked, and pages over keys otherwise', async () => {
    const usagePlanId = await createPlan();
    const keys = [await createKey(), await createKey(), await createKey()];
    for (const key of keys) {
      await addKey(usagePlanId, key);
      clock.advance(1);
    }
    const range = { usagePlanId, startDate: '2026-11-18', endDate: '2026-11-18' };
    expect((await operations.GetUsage(ours, { ...range, keyId: keys[0]! })).items).toEqual({ [keys[0]!]: [[0, -1]] });
    expect((await operations.GetUsage(ours, { ...range, keyId: 'nope' })).items).toEqual({});
    const first = await operations.GetUsage(ours, { ...range, limit: 2 });
    const second = await operations.GetUsage(ours, { ...range, limit: 2, position: first.position });
    expect([...Object.keys(first.items!), ...Object.keys(second.items!)].sort()).toEqual([...keys].sort());
    expect(second.position).toBeUndefined();
  });

  test('what remains can be set for the current period and holds for that period only', async () => {
    const usagePlanId = await createPlan({ quota: { limit: 10, period: 'DAY' } });
    const [keyId, other] = [await createKey(), await createKey()];
    for (const key of [keyId, other]) await addKey(usagePlanId, key);
    await report(count(usagePlanId, keyId, '2026-11-18', 4));
    const answer = await operations.UpdateUsage(ours, {
      usagePlanId,
      keyId,
      patchOperations: [patch('replace', '/remaining', '100')],
    });
    expect(answer).toEqual({ usagePlanId, startDate: '2026-11-18', endDate: '2026-11-18', items: { [keyId]: [[4, 100]] } });
    await report(count(usagePlanId, keyId, '2026-11-18', 1));
    clock.advance(DAY_MS);
    const usage = await operations.GetUsage(ours, { usagePlanId, startDate: '2026-11-18', endDate: '2026-11-19' });
    expect(usage.items).toEqual({
      [keyId]: [
        [5, 99],
        [0, 10],
      ],
      [other]: [
        [0, 10],
        [0, 10],
      ],
    });
    expect((await operations.UpdateUsage(ours, { usagePlanId, keyId })).items).toEqual({ [keyId]: [[0, 10]] });
  });

  test('the offset counts in the first period of a key only, also when what remains is set', async () => {
    const usagePlanId = await createPlan({ quota: { limit: 10, offset: 4, period: 'WEEK' } });
    const [used, idle] = [await createKey(), await createKey()];
    for (const key of [used, idle]) await addKey(usagePlanId, key);
    await report(count(usagePlanId, used, '2026-11-18', 1));
    const range = { usagePlanId, startDate: '2026-11-22', endDate: '2026-11-23' };
    expect((await operations.GetUsage(ours, range)).items).toEqual({
      [used]: [
        [0, 5],
        [0, 10],
      ],
      [idle]: [
        [0, 6],
        [0, 6],
      ],
    });
    await operations.UpdateUsage(ours, { usagePlanId, keyId: used, patchOperations: [patch('replace', '/remaining', '3')] });
    expect((await operations.GetUsage(ours, { ...range, keyId: used })).items).toEqual({
      [used]: [
        [0, 3],
        [0, 10],
      ],
    });
  });

  test.each([
    ['nothing remains', '0', 0],
    ['less than the plan allows', '3', 3],
  ])('%s can be set too', async (_name, value, remaining) => {
    const usagePlanId = await createPlan({ quota: { limit: 10, period: 'MONTH' } });
    const keyId = await createKey();
    await addKey(usagePlanId, keyId);
    const { items } = await operations.UpdateUsage(ours, {
      usagePlanId,
      keyId,
      patchOperations: [patch('replace', '/remaining', value)],
    });
    expect(items![keyId]!.at(-1)).toEqual([0, remaining]);
  });

  test.each([
    [
      'not a day',
      { startDate: '2026-02-30', endDate: '2026-03-01' },
      'Invalid startDate specified: expected YYYY-MM-DD, got "2026-02-30"',
    ],
    ['the wrong way round', { startDate: '2026-03-02', endDate: '2026-03-01' }, 'endDate is before startDate'],
    ['too long', { startDate: '2025-01-01', endDate: '2026-01-02' }, 'at most 366 days'],
  ])('a range that is %s is refused', async (_name, range, message) => {
    const usagePlanId = await createPlan();
    await expect(operations.GetUsage(ours, { usagePlanId, ...range })).rejects.toMatchObject({
      type: 'BadRequestException',
      message: expect.stringContaining(message),
    });
  });

  test.each([
    [patch('replace', '/remaining', '-1'), 'expected a whole number >= 0, got "-1"'],
    [patch('replace', '/used', '1'), "Invalid patch path  '/used' specified for op 'replace'. Must be one of: [/remaining]"],
    [patch('replace', '/remaining', '1'), 'has no quota to extend'],
  ])('a wrong change of what remains is refused: %j', async (operation, message) => {
    const usagePlanId = await createPlan();
    const keyId = await createKey();
    await addKey(usagePlanId, keyId);
    await expect(operations.UpdateUsage(ours, { usagePlanId, keyId, patchOperations: [operation] })).rejects.toThrow(message);
  });
});

describe('another tenant', () => {
  test('gets for our ids what it gets for ids that do not exist', async () => {
    const usagePlanId = await createPlan();
    const apiKey = await createKey();
    await addKey(usagePlanId, apiKey);
    const ids = { usagePlanId, apiKey, keyId: apiKey };
    const unknown = { usagePlanId: 'nope12', apiKey: 'nope123456', keyId: 'nope123456' };
    const range = { startDate: '2026-11-18', endDate: '2026-11-18' };
    const calls: ((target: typeof ids) => Promise<unknown>)[] = [
      (target) => operations.GetApiKey(theirs, target),
      (target) => operations.UpdateApiKey(theirs, { ...target, patchOperations: [patch('replace', '/enabled', 'false')] }),
      (target) => operations.DeleteApiKey(theirs, target),
      (target) => operations.GetUsagePlan(theirs, target),
      (target) => operations.UpdateUsagePlan(theirs, { ...target, patchOperations: [patch('replace', '/name', 'x')] }),
      (target) => operations.DeleteUsagePlan(theirs, target),
      (target) => operations.CreateUsagePlanKey(theirs, { ...target, keyType: 'API_KEY' }),
      (target) => operations.GetUsagePlanKey(theirs, target),
      (target) => operations.GetUsagePlanKeys(theirs, target),
      (target) => operations.DeleteUsagePlanKey(theirs, target),
      (target) => operations.GetUsage(theirs, { ...target, ...range }),
      (target) => operations.UpdateUsage(theirs, { ...target, patchOperations: [patch('replace', '/remaining', '1')] }),
    ];
    const answer = (call: Promise<unknown>) => call.then(JSON.stringify, (error: Error) => `${error.name}: ${error.message}`);
    for (const call of calls) expect(await answer(call(ids))).toBe(await answer(call(unknown)));
    expect((await operations.GetApiKeys(theirs, {})).items).toEqual([]);
    expect((await operations.GetUsagePlans(theirs, { keyId: apiKey })).items).toEqual([]);
    expect(await operations.GetUsagePlanKey(ours, { usagePlanId, keyId: apiKey })).toMatchObject({ id: apiKey });
  });

  test('cannot put our stage into its plan or our key into its plan', async () => {
    const apiKey = await createKey();
    await expect(operations.CreateUsagePlan(theirs, { name: 'x', apiStages: [dev] })).rejects.toThrow('Invalid API Stage {api: ');
    const { id } = await operations.CreateUsagePlan(theirs, { name: 'x' });
    await expect(operations.CreateUsagePlanKey(theirs, { usagePlanId: id!, keyId: apiKey, keyType: 'API_KEY' })).rejects.toThrow(
      'Invalid API Key identifier specified',
    );
  });
});
