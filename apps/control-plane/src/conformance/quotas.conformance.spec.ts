/** Quotas of a tenant: AWS's, until the operator says otherwise; every service asks for them at each call. */
import { readFile } from 'node:fs/promises';
import { AWS_QUOTAS } from '@gatehouse/domain';
import { refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  tenant = await house.tenant();
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

async function asOperator(method: string, body?: string, account = tenant.account): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${house.config.operatorToken!.reveal()}` };
  const path = `/admin/v1/tenants/${account}/quotas`;
  const { status, text } = await tenant.send({ method, path, headers, signature: null, ...(body !== undefined && { body }) });
  return { status, body: JSON.parse(text) as unknown };
}
const raise = async (quotas: Partial<typeof AWS_QUOTAS>) =>
  expect(await asOperator('PATCH', JSON.stringify(quotas))).toMatchObject({ status: 200 });

test('the document names every quota and its number', async () => {
  const document = await readFile(new URL('../../../../docs/quotas.md', import.meta.url), 'utf8');
  for (const [name, value] of Object.entries(AWS_QUOTAS))
    expect(document).toContain(`| \`${name}\` | ${value.toLocaleString('en-US')} |`);
});

describe('the admin API', () => {
  const answer = (own: object) => ({
    status: 200,
    body: { tenant: tenant.account, quotas: { ...AWS_QUOTAS, ...own }, own },
  });

  test("PUT names all that is not AWS's, PATCH changes some of it, DELETE returns to AWS's, and GET says what holds", async () => {
    expect(await asOperator('GET')).toEqual(answer({}));
    expect(await asOperator('PUT', '{"resources":10000,"stages":20}')).toEqual(answer({ resources: 10_000, stages: 20 }));
    expect(await asOperator('PATCH', '{"stages":null,"restApis":5}')).toEqual(answer({ resources: 10_000, restApis: 5 }));
    expect(await asOperator('GET')).toEqual(answer({ resources: 10_000, restApis: 5 }));
    expect(await asOperator('PUT', '{"stages":11}')).toEqual(answer({ stages: 11 }));
    expect(await asOperator('DELETE')).toEqual(answer({}));
    expect(await asOperator('GET')).toEqual(answer({}));
  });

  test('operators who raise different quotas at the same time lose nothing', async () => {
    const names = ['restApis', 'resources', 'stages', 'authorizers', 'domainNames', 'certificates'] as const;
    await Promise.all(names.map((name) => raise({ [name]: 7 })));
    expect((await asOperator('GET')).body).toMatchObject({ own: Object.fromEntries(names.map((name) => [name, 7])) });
  });

  test.each([
    ['no JSON', 'resources', 'Invalid body: expected JSON like {"resources": 600}'],
    ['a list', '[1]', 'Invalid body: expected JSON like {"resources": 600}'],
    ['an unknown quota', '{"routes":1}', 'Unknown quota "routes". There are restApis, resources, stages, '],
    ['a text', '{"stages":"20"}', 'Invalid value for quota stages: expected a whole number from 0 to 2147483647, or null'],
    ['less than nothing', '{"stages":-1}', 'Invalid value for quota stages'],
    ['a fraction', '{"stages":1.5}', 'Invalid value for quota stages'],
    ['one wrong of two', '{"resources":1,"stages":1e99}', 'Invalid value for quota stages'],
  ])('%s is refused, and changes nothing', async (_name, body, message) => {
    await raise({ stages: 12 });
    for (const method of ['PUT', 'PATCH']) {
      expect(await asOperator(method, body)).toEqual({
        status: 400,
        body: { type: 'BadRequestException', message: expect.stringContaining(message) },
      });
    }
    expect((await asOperator('GET')).body).toMatchObject({ own: { stages: 12 } });
  });

  test("is the operator's alone: a tenant does not read or raise its own quotas, and a tenant of nobody is not found", async () => {
    const path = `/admin/v1/tenants/${tenant.account}/quotas`;
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const body = method === 'GET' || method === 'DELETE' ? {} : { body: '{"stages":99}' };
      expect((await tenant.send({ method, path, ...body })).status).toBe(403);
      expect((await tenant.send({ method, path, ...body, signature: null })).status).toBe(403);
    }
    expect((await asOperator('GET')).body).toMatchObject({ own: {} });
    expect((await asOperator('GET', undefined, '987654321098')).status).toBe(404);
  });
});

describe('what a raised quota opens, and what its error says', () => {
  const ROLE = 'arn:aws:iam::111111111111:role/apigateway';

  async function api() {
    const { id, rootResourceId } = await tenant.apiGateway.createRestApi({ name: 'pets' });
    const key = { restApiId: id!, resourceId: rootResourceId!, httpMethod: 'GET' };
    await tenant.apiGateway.putMethod({ ...key, authorizationType: 'NONE' });
    await tenant.apiGateway.putIntegration({ ...key, type: 'MOCK' });
    return { restApiId: id!, rootResourceId: rootResourceId!, key };
  }

  test('APIs of the account', async () => {
    await raise({ restApis: 1 });
    await tenant.apiGateway.createRestApi({ name: 'a' });
    expect(await refusalOf(tenant.apiGateway.createRestApi({ name: 'b' }))).toBe(
      '429 LimitExceededException: Maximum number of REST APIs for this account has been reached. (quota restApis: 1)',
    );
    await raise({ restApis: 2 });
    await tenant.apiGateway.createRestApi({ name: 'b' });
    const other = await house.tenant();
    await other.apiGateway.createRestApi({ name: 'of a tenant with the quotas of AWS' });
    await other.apiGateway.createRestApi({ name: 'another' });
  });

  test('API keys and usage plans, one by one and imported', async () => {
    const { apiGateway } = tenant;
    await raise({ apiKeys: 2, usagePlans: 1 });
    await apiGateway.createApiKey({ name: 'a' });
    const file = (rows: string): Uint8Array => Buffer.from(`Name,Key\n${rows}`);
    const value = (letter: string): string => letter.repeat(32);
    const full = '429 LimitExceededException: Maximum number of API Keys for this account has been reached. (quota apiKeys: 2)';
    const two = file(`b,${value('b')}\nc,${value('c')}\n`);
    expect(await refusalOf(apiGateway.importApiKeys({ body: two, format: 'csv' }))).toBe(full);
    expect((await apiGateway.getApiKeys({})).items, 'all of a file or nothing').toHaveLength(1);
    await apiGateway.importApiKeys({ body: file(`b,${value('b')}\n`), format: 'csv' });
    // A line of a key that is there takes no room.
    await apiGateway.importApiKeys({ body: file(`renamed,${value('b')}\n`), format: 'csv' });
    expect(await refusalOf(apiGateway.createApiKey({ name: 'c' }))).toBe(full);
    await apiGateway.createUsagePlan({ name: 'a' });
    expect(await refusalOf(apiGateway.createUsagePlan({ name: 'b' }))).toBe(
      '429 LimitExceededException: Maximum number of Usage Plans for this account has been reached. (quota usagePlans: 1)',
    );
    await raise({ apiKeys: 3, usagePlans: 2 });
    await apiGateway.createApiKey({ name: 'c' });
    await apiGateway.createUsagePlan({ name: 'b' });
  });

  test("resources of an API: beyond 300, and AWS's text names the quota when it is not the one of AWS", async () => {
    const { restApiId, rootResourceId } = await api();
    await raise({ resources: 3 });
    const create = (pathPart: string) => tenant.apiGateway.createResource({ restApiId, parentId: rootResourceId, pathPart });
    await create('a');
    await create('b');
    const text =
      'Maximum number of Resources for this API has been reached.  Please contact AWS if you need additional Resources.';
    expect(await refusalOf(create('c'))).toBe(`429 LimitExceededException: ${text} (quota resources: 3)`);
    await raise({ resources: 4 });
    await create('c');
  });

  test('stages of an API', async () => {
    const { restApiId } = await api();
    await raise({ stages: 12 });
    for (let index = 0; index < 12; index++) await tenant.apiGateway.createDeployment({ restApiId, stageName: `s${index}` });
    expect(await refusalOf(tenant.apiGateway.createDeployment({ restApiId, stageName: 'more' }))).toMatch(
      /^429 LimitExceededException: Maximum number of Stages .* \(quota stages: 12\)$/,
    );
  });

  test('variables and the access log format of a stage', async () => {
    const { restApiId } = await api();
    await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
    await tenant.apiGateway.updateAccount({ patchOperations: [{ op: 'replace', path: '/cloudwatchRoleArn', value: ROLE }] });
    const update = (path: string, value: string) =>
      tenant.apiGateway.updateStage({ restApiId, stageName: 'dev', patchOperations: [{ op: 'replace', path, value }] });
    await raise({ stageVariables: 1 });
    await update('/variables/a', '1');
    expect(await refusalOf(update('/variables/b', '1'))).toMatch(/^400 BadRequestException: .*\(quota stageVariables: 1\)$/);
    await raise({ stageVariables: 2 });
    await update('/variables/b', '1');
    const format = '$context.requestId '.repeat(200);
    expect(await refusalOf(update('/accessLogSettings/format', format))).toMatch(
      /^400 BadRequestException: Access Log format exceeds .*\(quota accessLogFormatBytes: 3072\)$/,
    );
    await raise({ accessLogFormatBytes: 4_000 });
    await update('/accessLogSettings/format', format);
  });

  test('the timeout of an integration, the default of which stays', async () => {
    const { key } = await api();
    const put = (timeoutInMillis?: number) =>
      tenant.apiGateway.putIntegration({ ...key, type: 'MOCK', ...(timeoutInMillis !== undefined && { timeoutInMillis }) });
    expect(await refusalOf(put(29_001))).toBe('400 BadRequestException: Timeout should be between 50 ms and 29000 ms');
    await raise({ integrationTimeoutMsMax: 120_000 });
    expect(await put()).toMatchObject({ timeoutInMillis: 29_000 });
    expect(await put(120_000)).toMatchObject({ timeoutInMillis: 120_000 });
    expect(await refusalOf(put(120_001))).toBe(
      '400 BadRequestException: Timeout should be between 50 ms and 120000 ms (quota integrationTimeoutMsMax: 120000)',
    );
    const patchOperations = [{ op: 'replace' as const, path: '/timeoutInMillis', value: '119000' }];
    expect(await tenant.apiGateway.updateIntegration({ ...key, patchOperations })).toMatchObject({ timeoutInMillis: 119_000 });
  });

  test('payloads: every stage of the tenant is published again with the number, and without it when it is that of AWS', async () => {
    const { restApiId } = await api();
    for (const stageName of ['dev', 'prod']) await tenant.apiGateway.createDeployment({ restApiId, stageName });
    const served = () =>
      house.query<{ id: string; digest: string }>(
        `SELECT id, digest FROM manifest_entries WHERE kind = 'STAGE' AND id LIKE $1 AND NOT removed ORDER BY id`,
        [`${restApiId}/%`],
      );
    const limits = async () =>
      Promise.all(
        (await served()).map(async ({ digest }) => {
          const bytes = await house.plane.store.manifest.blob(digest);
          return (JSON.parse(Buffer.from(bytes!).toString()) as { payloadBytesMax?: number }).payloadBytesMax;
        }),
      );
    const before = await served();
    expect(await limits()).toEqual([undefined, undefined]);
    await raise({ payloadBytes: 20_000_000 });
    expect(await limits()).toEqual([20_000_000, 20_000_000]);
    await tenant.apiGateway.createDeployment({ restApiId, stageName: 'later' });
    expect(await limits()).toEqual([20_000_000, 20_000_000, 20_000_000]);
    await tenant.apiGateway.deleteStage({ restApiId, stageName: 'later' });
    expect((await asOperator('DELETE')).status).toBe(200);
    expect(await served()).toEqual(before);
  });

  test('templates of requests and responses, models and policies', async () => {
    const { key, restApiId } = await api();
    const text = 'x'.repeat(50);
    const requestTemplates = { 'application/json': text };
    await raise({ templateBytes: 49, modelBytes: 49, policyChars: 49 });
    const attempts = (): Promise<string>[] => [
      refusalOf(tenant.apiGateway.putIntegration({ ...key, type: 'MOCK', requestTemplates })),
      refusalOf(
        tenant.apiGateway.createModel({
          restApiId,
          name: 'm',
          contentType: 'application/json',
          schema: JSON.stringify({ title: text }),
        }),
      ),
      refusalOf(
        tenant.apiGateway.updateRestApi({
          restApiId,
          patchOperations: [
            { op: 'replace', path: '/policy', value: JSON.stringify({ Version: '2012-10-17', Statement: [], Id: text }) },
          ],
        }),
      ),
    ];
    expect(await Promise.all(attempts())).toEqual([
      expect.stringMatching(/^400 BadRequestException: Mapping template .*\(quota templateBytes: 49\)$/),
      expect.stringMatching(/^400 BadRequestException: Model schema .*\(quota modelBytes: 49\)$/),
      expect.stringMatching(/^400 BadRequestException: Resource policy .*\(quota policyChars: 49\)$/),
    ]);
    await asOperator('DELETE');
    for (const one of await Promise.all(attempts())) expect(one).toBe('accepted');
  });

  test('method throttles of a stage in a usage plan', async () => {
    const { restApiId } = await api();
    await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
    await raise({ methodThrottles: 1 });
    const limit = { rateLimit: 1, burstLimit: 1 };
    const { id } = await tenant.apiGateway.createUsagePlan({
      name: 'p',
      apiStages: [{ apiId: restApiId, stage: 'dev', throttle: { '/a/GET': limit } }],
    });
    const path = `/apiStages/${restApiId}:dev/throttle/~1b/GET/rateLimit`;
    const add = () =>
      tenant.apiGateway.updateUsagePlan({ usagePlanId: id!, patchOperations: [{ op: 'replace', path, value: '1' }] });
    expect(await refusalOf(add())).toMatch(/^429 LimitExceededException: Maximum number of .*\(quota methodThrottles: 1\)$/);
    await raise({ methodThrottles: 2 });
    await add();
  });

  test('authorizers and documentation parts of an API, plans of a key, and domain names', async () => {
    const { restApiId } = await api();
    await raise({ authorizers: 0, documentationParts: 0, usagePlansPerKey: 0, domainNames: 0 });
    const { id: keyId } = await tenant.apiGateway.createApiKey({ name: 'k', enabled: true });
    const { id: usagePlanId } = await tenant.apiGateway.createUsagePlan({ name: 'p' });
    const refused = [
      tenant.apiGateway.createAuthorizer({
        restApiId,
        name: 'a',
        type: 'TOKEN',
        identitySource: 'method.request.header.Authorization',
        authorizerUri:
          'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:f/invocations',
      }),
      tenant.apiGateway.createDocumentationPart({ restApiId, location: { type: 'API' }, properties: '{"description":"d"}' }),
      tenant.apiGateway.createUsagePlanKey({ usagePlanId: usagePlanId!, keyId: keyId!, keyType: 'API_KEY' }),
      tenant.apiGateway.createDomainName({
        domainName: 'a.example.com',
        certificateArn: 'arn:aws:acm:us-east-1:1:certificate/a',
      }),
    ];
    expect(await Promise.all(refused.map((answer) => refusalOf(answer)))).toEqual(
      ['authorizers', 'documentationParts', 'usagePlansPerKey', 'domainNames'].map((name) =>
        expect.stringMatching(new RegExp(`^429 LimitExceededException: Maximum number of .*\\(quota ${name}: 0\\)$`)),
      ),
    );
  });
});
