/** API keys, usage plans, usage, the account and tags through the AWS SDK: exact answers, exact refusals, every PATCH path once. */
import {
  paginateGetApiKeys,
  paginateGetUsage,
  paginateGetUsagePlanKeys,
  paginateGetUsagePlans,
  type CreateApiKeyCommandInput,
  type PatchOperation,
} from '@aws-sdk/client-api-gateway';
import {
  answered,
  createMockApi,
  refusalOf,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  api = (await house.tenant()).apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const add = (path: string, value?: string): PatchOperation => ({ op: 'add', path, value });
const remove = (path: string, value?: string): PatchOperation => ({ op: 'remove', path, value });
const ids = (items: readonly { id?: string | undefined }[] | undefined) => items!.map(({ id }) => id);

describe('ImportApiKeys', () => {
  const A = 'a'.repeat(30);
  const B = 'b'.repeat(40);
  const file = (body: string, more: { failOnWarnings?: boolean } = {}) =>
    api.importApiKeys({ format: 'csv', body: Buffer.from(body), ...more });

  test('columns in any order and case; enabled unless told otherwise; plans by name of column', async () => {
    const { id: plan } = await api.createUsagePlan({ name: 'plan' });
    const { id: other } = await api.createUsagePlan({ name: 'other' });
    const imported = await file(
      `\uFEFFKEY,name,Colour,Enabled,Description,UsagePlanIds\r\n${A},first,red,,"one, two","${plan},${other}"\r\n${B},second,,FALSE,,\r\n`,
    );
    expect([imported.$metadata.httpStatusCode, imported.warnings]).toEqual([201, []]);
    const [first, second] = await Promise.all(
      imported.ids!.map(async (apiKey) => answered(await api.getApiKey({ apiKey, includeValue: true }))),
    );
    expect(first).toMatchObject({ name: 'first', value: A, enabled: true, description: 'one, two' });
    expect(second).toMatchObject({ name: 'second', value: B, enabled: false });
    expect(ids((await api.getUsagePlans({ keyId: first!.id! })).items)).toEqual([plan, other]);
  });

  test('a value that is there is that key, overwritten', async () => {
    const { id } = await api.createApiKey({ name: 'old', value: A, enabled: false });
    expect((await file(`name,key\nnew,${A}\nnewer,${A}\n`)).ids).toEqual([id]);
    expect(answered(await api.getApiKey({ apiKey: id! }))).toMatchObject({ name: 'newer', enabled: true });
  });

  test('a plan that is not there is a warning, and with failonwarnings nothing is imported', async () => {
    const body = `name,key,usageplanids\nfirst,${A},zzzzzz\n`;
    const warning = 'API Key first: Invalid Usage Plan ID specified: zzzzzz';
    expect(await refusalOf(file(body, { failOnWarnings: true }))).toBe(
      `400 BadRequestException: Warnings found during import: ${warning}`,
    );
    expect((await api.getApiKeys({})).items).toEqual([]);
    expect((await file(body)).warnings).toEqual([warning]);
  });

  for (const [why, body, message] of [
    ['without the column of names', `key\n${A}\n`, 'API key file has no column "name"'],
    ['that is empty', '', 'API key file has no column "name"'],
    ['with a short value', `name,key\nx,${A}\ny,short\n`, 'Line 3: API Key value should be at least 20 characters'],
    ['with a value of 29', `name,key\nx,${A.slice(1)}\n`, 'Line 2: API Key value should be at least 30 characters'],
    ['without a name', `name,key\n,${A}\n`, 'Line 2: Name cannot be empty'],
  ] as const) {
    test(`a file ${why} is refused, and nothing is imported`, async () => {
      expect(await refusalOf(file(body))).toBe(`400 BadRequestException: ${message}`);
      expect((await api.getApiKeys({})).items).toEqual([]);
    });
  }

  test('a file with an open quote is refused', async () => {
    expect(await refusalOf(file(`name,key\n"x,${A}\n`))).toMatch(/^400 BadRequestException: API key file cannot be read: /);
  });
});

describe('API keys', () => {
  test('CreateApiKey answers 201 with a value of its own, disabled unless told otherwise', async () => {
    const created = await api.createApiKey({ name: 'mine' });
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toStrictEqual({
      id: expect.stringMatching(/^[a-z0-9]{10}$/),
      value: expect.stringMatching(/^[A-Za-z0-9]{40}$/),
      name: 'mine',
      enabled: false,
      stageKeys: [],
      createdDate: expect.any(Date),
      lastUpdatedDate: expect.any(Date),
    });
    const { value, ...rest } = answered(created);
    expect(answered(await api.getApiKey({ apiKey: created.id! }))).toStrictEqual(rest);
    expect(answered(await api.getApiKey({ apiKey: created.id!, includeValue: true }))).toStrictEqual({ ...rest, value });
    expect((await api.getApiKeys({})).items!.map(answered)).toStrictEqual([rest]);
    expect((await api.getApiKeys({ includeValues: true })).items!.map(answered)).toStrictEqual([{ ...rest, value }]);
  });

  test('everything given to CreateApiKey is read back; an empty value is no value', async () => {
    const given = { name: 'mine', description: 'd', enabled: true, value: 'v'.repeat(20), customerId: 'c', tags: { team: 'a' } };
    expect(answered(await api.createApiKey(given))).toMatchObject(given);
    expect((await api.createApiKey({ name: 'other', value: '' })).value).toHaveLength(40);
  });

  for (const [name, input, refusal] of [
    ['too short a value', { value: 'v'.repeat(19) }, '400 BadRequestException: API Key value should be at least 20 characters'],
    [
      'too long a value',
      { value: 'v'.repeat(129) },
      '400 BadRequestException: API Key value exceeds maximum size of 128 characters',
    ],
    [
      'too long a name',
      { name: 'n'.repeat(1025) },
      '400 BadRequestException: Invalid API Key name, can be at most 1024 characters.',
    ],
    [
      'too long a description',
      { description: 'd'.repeat(125_001) },
      '400 BadRequestException: Invalid API Key description specified.',
    ],
    ['a value that is taken', { value: 'taken'.repeat(5) }, '409 ConflictException: API Key already exists'],
  ] satisfies [string, CreateApiKeyCommandInput, string][]) {
    test(`CreateApiKey with ${name} is refused`, async () => {
      await api.createApiKey({ value: 'taken'.repeat(5) });
      expect(await refusalOf(api.createApiKey(input))).toBe(refusal);
      expect((await api.getApiKeys({})).items).toHaveLength(1);
    });
  }

  test('every PATCH path of a key does what it says; DeleteApiKey answers 202', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const { id: apiKey } = await api.createApiKey({ name: 'mine' });
    const patch = async (...patchOperations: PatchOperation[]) => answered(await api.updateApiKey({ apiKey, patchOperations }));
    const patched = await patch(
      replace('/name', 'renamed'),
      replace('/description', 'd'),
      replace('/enabled', 'true'),
      replace('/customerId', 'c'),
      add('/stages', `${restApiId}/dev`),
    );
    expect(patched).toMatchObject({
      name: 'renamed',
      description: 'd',
      enabled: true,
      customerId: 'c',
      stageKeys: [`${restApiId}/dev`],
      tags: {},
    });
    expect(patched).not.toHaveProperty('value');
    expect(await patch(replace('/enabled', 'no'), remove('/stages', `${restApiId}/dev`))).toMatchObject({
      enabled: false,
      stageKeys: [],
    });
    expect(await refusalOf(patch(replace('/value', 'x')))).toBe(
      "400 BadRequestException: Invalid patch path  '/value' specified for op 'replace'. Must be one of: [/name, /description, /enabled, /customerId]",
    );
    expect((await api.deleteApiKey({ apiKey })).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getApiKey({ apiKey }))).toBe('404 NotFoundException: Invalid API Key identifier specified');
  });

  test('GetApiKeys pages newest first and filters by prefix, case-sensitively, and by customer', async () => {
    const made: (string | undefined)[] = [];
    for (const name of ['a1', 'A2', 'a3', 'b4', 'a5'])
      made.unshift((await api.createApiKey({ name, customerId: name.slice(0, 1) })).id);
    const pages: (string | undefined)[][] = [];
    for await (const { items } of paginateGetApiKeys({ client: api, pageSize: 2 }, {})) pages.push(ids(items));
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(made);
    const filtered: (string | undefined)[] = [];
    for await (const { items } of paginateGetApiKeys({ client: api, pageSize: 1 }, { nameQuery: 'a' }))
      filtered.push(...items!.map(({ name }) => name));
    expect(filtered).toEqual(['a5', 'a3', 'a1']);
    expect((await api.getApiKeys({ customerId: 'A' })).items!.map(({ name }) => name)).toEqual(['A2']);
  });
});

describe('usage plans', () => {
  test('CreateUsagePlan answers 201 with what was given and the defaults', async () => {
    const bare = await api.createUsagePlan({ name: 'free' });
    expect(bare.$metadata.httpStatusCode).toBe(201);
    expect(answered(bare)).toStrictEqual({ id: expect.stringMatching(/^[a-z0-9]{6}$/), name: 'free', apiStages: [] });
    expect(answered(await api.getUsagePlan({ usagePlanId: bare.id! }))).toStrictEqual({ ...answered(bare), tags: {} });
    const { restApiId } = await deployed();
    const given = {
      name: 'paid',
      description: 'd',
      apiStages: [{ apiId: restApiId, stage: 'dev', throttle: { '/users/GET': { rateLimit: 1.5, burstLimit: 2 } } }],
      throttle: { rateLimit: 10, burstLimit: 20 },
      quota: { limit: 100, offset: 2, period: 'WEEK' as const },
      tags: { team: 'a' },
    };
    const full = await api.createUsagePlan(given);
    expect(answered(await api.getUsagePlan({ usagePlanId: full.id! }))).toStrictEqual({ id: full.id, ...given });
    expect((await api.createUsagePlan({ name: 'q', quota: { limit: 1, period: 'DAY' } })).quota).toEqual({
      limit: 1,
      offset: 0,
      period: 'DAY',
    });
  });

  test('every PATCH path of a plan does what it says', async () => {
    const { restApiId } = await deployed();
    const { id: usagePlanId } = await api.createUsagePlan({ name: 'free' });
    const stage = `${restApiId}:dev`;
    const patch = async (...patchOperations: PatchOperation[]) =>
      answered(await api.updateUsagePlan({ usagePlanId, patchOperations }));
    expect(
      await patch(
        replace('/name', 'renamed'),
        replace('/description', 'd'),
        add('/productCode', 'p'),
        add('/apiStages', stage),
        add(`/apiStages/${stage}/throttle`, '{"/users/GET":{"rateLimit":1,"burstLimit":1}}'),
        replace(`/apiStages/${stage}/throttle//users/GET/rateLimit`, '2.5'),
        replace(`/apiStages/${stage}/throttle/~1users/GET/burstLimit`, '3'),
        add('/throttle/rateLimit', '10'),
        add('/throttle/burstLimit', '20'),
        replace('/throttle/rateLimit', '11'),
        add('/quota/limit', '100'),
        add('/quota/period', 'MONTH'),
        replace('/quota/offset', '3'),
      ),
    ).toStrictEqual({
      id: usagePlanId,
      name: 'renamed',
      description: 'd',
      productCode: 'p',
      apiStages: [{ apiId: restApiId, stage: 'dev', throttle: { '/users/GET': { rateLimit: 2.5, burstLimit: 3 } } }],
      throttle: { rateLimit: 11, burstLimit: 20 },
      quota: { limit: 100, offset: 3, period: 'MONTH' },
      tags: {},
    });
    const withoutMethod = await patch(remove(`/apiStages/${stage}/throttle//users/GET`));
    expect(withoutMethod.apiStages).toEqual([{ apiId: restApiId, stage: 'dev' }]);
    expect(await patch(remove('/throttle'), remove('/quota'), remove('/productCode'), remove('/apiStages', stage))).toStrictEqual(
      {
        id: usagePlanId,
        name: 'renamed',
        description: 'd',
        apiStages: [],
        tags: {},
      },
    );
  });

  test('what a plan cannot be is refused', async () => {
    const { restApiId } = await deployed();
    const { id: usagePlanId } = await api.createUsagePlan({ name: 'free', apiStages: [{ apiId: restApiId, stage: 'dev' }] });
    const patch = (operation: PatchOperation) =>
      refusalOf(api.updateUsagePlan({ usagePlanId, patchOperations: [replace('/name', 'half'), operation] }));
    expect(await patch(add('/apiStages', `${restApiId}:none`))).toBe(
      `404 NotFoundException: Invalid API Stage {api: ${restApiId}, stage: none} specified for usageplan ${usagePlanId}`,
    );
    expect(await patch(add('/apiStages', 'nonsense'))).toBe('400 BadRequestException: Invalid API Stage specified');
    expect(await patch(replace('/quota/period', 'YEAR'))).toMatch(/^400 BadRequestException: /);
    expect(await patch(replace('/throttle/rateLimit', 'fast'))).toMatch(/^400 BadRequestException: /);
    expect((await api.getUsagePlan({ usagePlanId: usagePlanId! })).name).toBe('free');
    expect(await refusalOf(api.deleteUsagePlan({ usagePlanId: usagePlanId! }))).toMatch(/^400 BadRequestException: /);
    await api.updateUsagePlan({ usagePlanId, patchOperations: [remove('/apiStages', `${restApiId}:dev`)] });
    expect((await api.deleteUsagePlan({ usagePlanId: usagePlanId! })).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getUsagePlan({ usagePlanId: usagePlanId! }))).toBe(
      '404 NotFoundException: Invalid Usage Plan ID specified',
    );
  });

  test('keys of a plan: 201, read back with their value, 202, and gone; both lists page', async () => {
    const { id: usagePlanId } = await api.createUsagePlan({ name: 'free' });
    const made: (string | undefined)[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const key = await api.createApiKey({ name });
      const member = await api.createUsagePlanKey({ usagePlanId, keyId: key.id, keyType: 'API_KEY' });
      expect(member.$metadata.httpStatusCode).toBe(201);
      expect(answered(member)).toStrictEqual({ id: key.id, type: 'API_KEY', value: key.value, name });
      expect(answered(await api.getUsagePlanKey({ usagePlanId, keyId: key.id }))).toStrictEqual(answered(member));
      made.unshift(key.id);
    }
    const pages: (string | undefined)[][] = [];
    for await (const { items } of paginateGetUsagePlanKeys({ client: api, pageSize: 3 }, { usagePlanId })) pages.push(ids(items));
    expect(pages).toEqual([made.slice(0, 3), made.slice(3)]);
    expect(ids((await api.getUsagePlanKeys({ usagePlanId, nameQuery: 'c' })).items)).toEqual([made[2]]);
    expect(answered(await api.getUsagePlanKeys({ usagePlanId: 'nobody' }))).toStrictEqual({ items: [] });

    const other = await api.createUsagePlan({ name: 'other' });
    await api.createUsagePlanKey({ usagePlanId: other.id, keyId: made[0], keyType: 'API_KEY' });
    const plans: (string | undefined)[] = [];
    for await (const { items } of paginateGetUsagePlans({ client: api, pageSize: 1 }, { keyId: made[0] }))
      plans.push(...ids(items));
    expect(plans).toEqual([usagePlanId, other.id]);

    expect(await refusalOf(api.createUsagePlanKey({ usagePlanId, keyId: made[0], keyType: 'API_KEY' }))).toMatch(
      /^409 ConflictException: /,
    );
    expect(await refusalOf(api.createUsagePlanKey({ usagePlanId, keyId: made[0], keyType: 'OTHER' }))).toMatch(
      /^400 BadRequestException: /,
    );
    expect(await refusalOf(api.createUsagePlanKey({ usagePlanId, keyId: 'nobody', keyType: 'API_KEY' }))).toBe(
      '404 NotFoundException: Invalid API Key identifier specified',
    );
    expect((await api.deleteUsagePlanKey({ usagePlanId, keyId: made[0] })).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getUsagePlanKey({ usagePlanId, keyId: made[0] }))).toBe(
      '404 NotFoundException: Invalid API Key identifier specified',
    );
  });
});

describe('usage', () => {
  const today = () => new Date().toISOString().slice(0, 10);

  test('GetUsage shows every key of the plan, a pair per day, and pages; UpdateUsage extends what remains', async () => {
    const { id: usagePlanId } = await api.createUsagePlan({ name: 'free', quota: { limit: 10, period: 'DAY' } });
    const keys: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const { id: keyId } = await api.createApiKey({ name });
      await api.createUsagePlanKey({ usagePlanId, keyId, keyType: 'API_KEY' });
      keys.unshift(keyId!);
    }
    const range = { usagePlanId, startDate: today(), endDate: today() };
    expect(answered(await api.getUsage({ ...range, keyId: keys[0] }))).toStrictEqual({
      ...range,
      items: { [keys[0]!]: [[0, 10]] },
    });
    const pages: string[][] = [];
    for await (const { items } of paginateGetUsage({ client: api, pageSize: 2 }, { ...range })) pages.push(Object.keys(items!));
    expect(pages.map((page) => page.length)).toEqual([2, 1]);
    expect(pages.flat().sort()).toEqual([...keys].sort());
    const extended = await api.updateUsage({ usagePlanId, keyId: keys[0], patchOperations: [replace('/remaining', '15')] });
    expect(answered(extended)).toStrictEqual({ ...range, items: { [keys[0]!]: [[0, 15]] } });
    expect(answered(await api.getUsage({ ...range, keyId: keys[0] }))).toStrictEqual(answered(extended));
    expect(answered(await api.updateUsage({ usagePlanId, keyId: keys[0], patchOperations: [] }))).toStrictEqual(
      answered(extended),
    );
  });

  test('what cannot be asked is refused', async () => {
    const { id: usagePlanId } = await api.createUsagePlan({ name: 'free' });
    expect(await refusalOf(api.getUsage({ usagePlanId: 'nobody', startDate: today(), endDate: today() }))).toBe(
      '404 NotFoundException: Invalid Usage Plan ID specified',
    );
    expect(await refusalOf(api.getUsage({ usagePlanId, startDate: 'yesterday', endDate: today() }))).toMatch(
      /^400 BadRequestException: Invalid startDate specified/,
    );
    expect(await refusalOf(api.getUsage({ usagePlanId, startDate: '2026-02-02', endDate: '2026-02-01' }))).toMatch(
      /^400 BadRequestException: Invalid date range/,
    );
    expect(
      await refusalOf(api.updateUsage({ usagePlanId, keyId: 'nobody', patchOperations: [replace('/remaining', '1')] })),
    ).toBe('404 NotFoundException: Invalid API Key identifier specified');
  });
});

describe('the account', () => {
  const defaults = { throttleSettings: { burstLimit: 5000, rateLimit: 10_000 }, features: ['UsagePlans'], apiKeyVersion: '1' };
  const role = 'arn:aws:iam::111111111111:role/logs';

  test('has AWS defaults, and every PATCH path does what it says', async () => {
    expect(answered(await api.getAccount({}))).toStrictEqual(defaults);
    const patch = async (...patchOperations: PatchOperation[]) => answered(await api.updateAccount({ patchOperations }));
    expect(await patch()).toStrictEqual(defaults);
    expect(await patch(replace('/cloudwatchRoleArn', role))).toStrictEqual({ ...defaults, cloudwatchRoleArn: role });
    expect(await patch(add('/features', 'UsagePlans'))).toStrictEqual({ ...defaults, cloudwatchRoleArn: role });
    expect(await patch(replace('/cloudwatchRoleArn', ''))).toStrictEqual(defaults);
    expect(await refusalOf(patch(remove('/features', 'UsagePlans')))).toBe(
      '400 BadRequestException: Usage Plans cannot be disabled once enabled',
    );
    expect(await refusalOf(patch(replace('/cloudwatchRoleArn', 'role')))).toBe(
      '400 BadRequestException: The role ARN is not well formed',
    );
    expect(answered(await api.getAccount({}))).toStrictEqual(defaults);
  });
});

describe('tags', () => {
  const arn = (path: string): string => `arn:aws:apigateway:us-east-1::${path}`;

  test('are written, read and removed on everything that has some, and seen where the thing itself is read', async () => {
    const { restApiId } = await deployed();
    const { id: apiKey } = await api.createApiKey({ name: 'k' });
    const { id: usagePlanId } = await api.createUsagePlan({ name: 'p' });
    for (const [path, read] of [
      [`/restapis/${restApiId}`, async () => (await api.getRestApi({ restApiId })).tags],
      [`/restapis/${restApiId}/stages/dev`, async () => (await api.getStage({ restApiId, stageName: 'dev' })).tags],
      [`/apikeys/${apiKey}`, async () => (await api.getApiKey({ apiKey })).tags],
      [`/usageplans/${usagePlanId}`, async () => (await api.getUsagePlan({ usagePlanId })).tags],
    ] as const) {
      const resourceArn = arn(path);
      expect((await api.tagResource({ resourceArn, tags: { a: '1', 'b/c:d': '2' } })).$metadata.httpStatusCode).toBe(204);
      await api.tagResource({ resourceArn, tags: { a: '3' } });
      expect(answered(await api.getTags({ resourceArn }))).toStrictEqual({ tags: { a: '3', 'b/c:d': '2' } });
      expect((await api.untagResource({ resourceArn, tagKeys: ['b/c:d', 'never'] })).$metadata.httpStatusCode).toBe(204);
      expect(await read()).toEqual({ a: '3' });
    }
  });

  test('of what does not exist, or cannot be, are refused', async () => {
    const { restApiId } = await deployed();
    expect(await refusalOf(api.getTags({ resourceArn: arn('/apikeys/nobody') }))).toBe(
      '404 NotFoundException: Invalid API Key identifier specified',
    );
    expect(await refusalOf(api.getTags({ resourceArn: arn(`/restapis/${restApiId}/stages/none`) }))).toBe(
      '404 NotFoundException: Invalid stage identifier specified',
    );
    expect(await refusalOf(api.getTags({ resourceArn: 'nonsense' }))).toBe(
      '400 BadRequestException: Invalid ARN specified in the request',
    );
    expect(await refusalOf(api.tagResource({ resourceArn: arn(`/restapis/${restApiId}`), tags: { 'aws:x': '1' } }))).toMatch(
      /^400 BadRequestException: /,
    );
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, 'v']));
    expect(await refusalOf(api.tagResource({ resourceArn: arn(`/restapis/${restApiId}`), tags: many }))).toMatch(
      /^400 BadRequestException: /,
    );
    expect((await api.getRestApi({ restApiId })).tags).toEqual({});
  });
});

async function deployed() {
  const made = await createMockApi(api);
  await api.createDeployment({ restApiId: made.restApiId, stageName: 'dev' });
  return made;
}
