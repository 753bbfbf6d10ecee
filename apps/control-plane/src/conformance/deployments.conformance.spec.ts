/** Deployments and stages through the AWS SDK: exact answers, exact refusals, every PATCH path once, and what goes live with them. */
import { paginateGetDeployments, type PatchOperation } from '@aws-sdk/client-api-gateway';
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

const ID_6 = /^[a-z0-9]{6}$/;
const ROLE = 'arn:aws:iam::111111111111:role/logs';
const LOG_GROUP = 'arn:aws:logs:us-east-1:111111111111:log-group:gateway';
const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const remove = (path: string): PatchOperation => ({ op: 'remove', path });

describe('deployments', () => {
  test('CreateDeployment answers 201 and, with a stage name, makes the stage', async () => {
    const { restApiId } = await createMockApi(api);
    const created = await api.createDeployment({
      restApiId,
      stageName: 'dev',
      stageDescription: 'for us',
      description: 'first',
      variables: { host: 'a' },
      tracingEnabled: true,
    });
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toStrictEqual({
      id: expect.stringMatching(ID_6),
      description: 'first',
      createdDate: expect.any(Date),
    });
    expect(answered(await api.getDeployment({ restApiId, deploymentId: created.id! }))).toStrictEqual(answered(created));
    expect(answered(await api.getStage({ restApiId, stageName: 'dev' }))).toStrictEqual({
      deploymentId: created.id,
      stageName: 'dev',
      description: 'for us',
      variables: { host: 'a' },
      tracingEnabled: true,
      cacheClusterEnabled: false,
      cacheClusterStatus: 'NOT_AVAILABLE',
      methodSettings: {},
      createdDate: expect.any(Date),
      lastUpdatedDate: expect.any(Date),
    });
    expect(await published(restApiId)).toEqual([`${restApiId}/dev`]);
  });

  test('without a stage name, or with an empty one, nothing goes live', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId });
    await api.createDeployment({ restApiId, stageName: '' });
    expect((await api.getStages({ restApiId })).item).toEqual([]);
    expect(await published(restApiId)).toEqual([]);
  });

  test('a second deployment repoints the stage, keeps its settings and its first deployment', async () => {
    const { restApiId } = await createMockApi(api);
    const first = await api.createDeployment({ restApiId, stageName: 'dev', variables: { a: '1' } });
    const second = await api.createDeployment({ restApiId, stageName: 'dev', variables: { b: '2' } });
    expect(await api.getStage({ restApiId, stageName: 'dev' })).toMatchObject({
      deploymentId: second.id,
      variables: { a: '1', b: '2' },
    });
    expect((await api.getDeployments({ restApiId })).items!.map(({ id }) => id)).toEqual([second.id, first.id]);
  });

  test('a deployment is a snapshot: later changes of the API do not reach it; apisummary shows what it holds', async () => {
    const { restApiId, key } = await createMockApi(api);
    const { id: deploymentId } = await api.createDeployment({ restApiId });
    await api.updateMethod({ ...key, patchOperations: [replace('/apiKeyRequired', 'true')] });
    expect((await api.getDeployment({ restApiId, deploymentId: deploymentId!, embed: ['apisummary'] })).apiSummary).toEqual({
      '/users': { GET: { authorizationType: 'NONE', apiKeyRequired: false } },
    });
  });

  test('UpdateDeployment changes the description, DeleteDeployment answers 202', async () => {
    const { restApiId } = await createMockApi(api);
    const { id, createdDate } = await api.createDeployment({ restApiId });
    const key = { restApiId, deploymentId: id! };
    expect(answered(await api.updateDeployment({ ...key, patchOperations: [replace('/description', 'said')] }))).toStrictEqual({
      id,
      createdDate,
      description: 'said',
    });
    expect(await refusalOf(api.updateDeployment({ ...key, patchOperations: [replace('/id', 'x')] }))).toMatch(
      /^400 BadRequestException: Invalid patch path/,
    );
    expect((await api.deleteDeployment(key)).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getDeployment(key))).toBe('404 NotFoundException: Invalid Deployment identifier specified');
  });

  test('what cannot be deployed, or removed, is refused', async () => {
    const { id: empty } = await api.createRestApi({ name: 'empty' });
    expect(await refusalOf(api.createDeployment({ restApiId: empty! }))).toBe(
      "400 BadRequestException: The REST API doesn't contain any methods",
    );
    const { restApiId, key } = await createMockApi(api);
    const { id: deploymentId } = await api.createDeployment({ restApiId, stageName: 'dev' });
    expect(await refusalOf(api.deleteDeployment({ restApiId, deploymentId: deploymentId! }))).toBe(
      '400 BadRequestException: Active stages pointing to this deployment must be moved or deleted',
    );
    const canarySettings = { percentTraffic: 10 };
    const canary = 'Invalid deployment content specified.';
    expect(await refusalOf(api.createDeployment({ restApiId, canarySettings }))).toBe(
      `400 BadRequestException: ${canary}Non null and non empty stageName must be provided for canary deployment. Provided value is null`,
    );
    expect(await refusalOf(api.createDeployment({ restApiId, stageName: 'none', canarySettings }))).toBe(
      `400 BadRequestException: ${canary}Stage none must already be created before making a canary release deployment`,
    );
    await api.deleteIntegration(key);
    expect(await refusalOf(api.createDeployment({ restApiId, stageName: 'dev' }))).toBe(
      '400 BadRequestException: No integration defined for method',
    );
  });

  test('GetDeployments pages through the SDK', async () => {
    const { restApiId } = await createMockApi(api);
    const made: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) made.unshift((await api.createDeployment({ restApiId })).id);
    const pages: (string | undefined)[][] = [];
    for await (const { items } of paginateGetDeployments({ client: api, pageSize: 2 }, { restApiId }))
      pages.push(items!.map(({ id }) => id));
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(made);
  });
});

describe('stages', () => {
  test('CreateStage answers 201 with what was given and the defaults', async () => {
    const { restApiId } = await createMockApi(api);
    const { id: deploymentId } = await api.createDeployment({ restApiId });
    const bare = await api.createStage({ restApiId, stageName: 'bare', deploymentId: deploymentId! });
    expect(bare.$metadata.httpStatusCode).toBe(201);
    const defaults = {
      deploymentId,
      stageName: 'bare',
      cacheClusterEnabled: false,
      cacheClusterStatus: 'NOT_AVAILABLE',
      methodSettings: {},
      tracingEnabled: false,
      createdDate: expect.any(Date),
      lastUpdatedDate: expect.any(Date),
    };
    expect(answered(bare)).toStrictEqual(defaults);
    const given = {
      description: 'd',
      cacheClusterEnabled: true,
      cacheClusterSize: '1.6' as const,
      variables: { host: 'example.com' },
      documentationVersion: '1',
      tracingEnabled: true,
      tags: { team: 'a' },
      canarySettings: { percentTraffic: 12.5, deploymentId, stageVariableOverrides: { host: 'b' }, useStageCache: true },
    };
    const full = await api.createStage({ restApiId, stageName: 'full', deploymentId: deploymentId!, ...given });
    expect(answered(full)).toStrictEqual({ ...defaults, ...given, stageName: 'full', cacheClusterStatus: 'AVAILABLE' });
    expect(answered(await api.getStage({ restApiId, stageName: 'full' }))).toStrictEqual(answered(full));
    expect((await api.getStages({ restApiId })).item!.map(({ stageName }) => stageName)).toEqual(['bare', 'full']);
    expect((await api.getStages({ restApiId, deploymentId: 'other1' })).item).toEqual([]);
  });

  test('DeleteStage answers 202 and takes the stage from the nodes', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    expect((await api.deleteStage({ restApiId, stageName: 'dev' })).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getStage({ restApiId, stageName: 'dev' }))).toBe(
      '404 NotFoundException: Invalid stage identifier specified',
    );
    expect(await published(restApiId)).toEqual([]);
  });

  for (const [name, input, refusal] of [
    ['a deployment that is not there', { deploymentId: 'nobody' }, '400 BadRequestException: Deployment id does not exist'],
    ['an empty deployment', { deploymentId: '' }, '400 BadRequestException: DeploymentId cannot be empty'],
    ['a stage that is there', { stageName: 'dev' }, '409 ConflictException: Stage already exists'],
    [
      'a canary of a deployment that is not there',
      { canarySettings: { deploymentId: 'nobody' } },
      '400 BadRequestException: Deployment id does not exist',
    ],
    [
      'an API that is not there',
      { restApiId: 'nobody' },
      '404 NotFoundException: Invalid API identifier specified 111111111111:nobody',
    ],
  ] satisfies [string, Partial<Parameters<typeof api.createStage>[0]>, string][]) {
    test(`CreateStage with ${name} is refused`, async () => {
      const { restApiId } = await createMockApi(api);
      const { id: deploymentId } = await api.createDeployment({ restApiId, stageName: 'dev' });
      expect(await refusalOf(api.createStage({ restApiId, stageName: 'other', deploymentId: deploymentId!, ...input }))).toBe(
        refusal,
      );
    });
  }

  test('every PATCH path of a stage does what it says', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev', variables: { old: '1' } });
    const { id: next } = await api.createDeployment({ restApiId });
    await api.updateAccount({ patchOperations: [replace('/cloudwatchRoleArn', ROLE)] });
    const patch = async (...patchOperations: PatchOperation[]) =>
      answered(await api.updateStage({ restApiId, stageName: 'dev', patchOperations }));
    const patched = await patch(
      replace('/deploymentId', next),
      replace('/description', 'said'),
      replace('/cacheClusterEnabled', 'true'),
      replace('/cacheClusterSize', '6.1'),
      replace('/clientCertificateId', ''),
      replace('/documentationVersion', '2'),
      replace('/tracingEnabled', 'true'),
      replace('/accessLogSettings/destinationArn', `${LOG_GROUP}:*`),
      { op: 'add', path: '/accessLogSettings/format', value: '$context.requestId' },
      replace('/variables/new', 'x'),
      remove('/variables/old'),
      replace('/canarySettings/percentTraffic', '50'),
      replace('/canarySettings/useStageCache', 'true'),
      replace('/canarySettings/stageVariableOverrides/new', 'y'),
      replace('/*/*/metrics/enabled', 'true'),
      replace('/*/*/logging/loglevel', 'INFO'),
      replace('/~1users/GET/throttling/rateLimit', '5.5'),
      replace('/users/GET/throttling/burstLimit', '7'),
      replace('/users/GET/logging/dataTrace', 'true'),
      replace('/users/GET/caching/enabled', 'true'),
      replace('/users/GET/caching/ttlInSeconds', '60'),
      replace('/users/GET/caching/dataEncrypted', 'true'),
      replace('/users/GET/caching/requireAuthorizationForCacheControl', 'false'),
      replace('/users/GET/caching/unauthorizedCacheControlHeaderStrategy', 'FAIL_WITH_403'),
    );
    const inherited = { metricsEnabled: true, loggingLevel: 'INFO' };
    expect(patched).toStrictEqual({
      deploymentId: next,
      stageName: 'dev',
      description: 'said',
      cacheClusterEnabled: true,
      cacheClusterSize: '6.1',
      cacheClusterStatus: 'AVAILABLE',
      documentationVersion: '2',
      tracingEnabled: true,
      accessLogSettings: { destinationArn: LOG_GROUP, format: '$context.requestId' },
      variables: { new: 'x' },
      canarySettings: { percentTraffic: 50, useStageCache: true, deploymentId: next, stageVariableOverrides: { new: 'y' } },
      methodSettings: {
        '*/*': {
          ...inherited,
          dataTraceEnabled: false,
          throttlingBurstLimit: 5000,
          throttlingRateLimit: 10_000,
          cachingEnabled: false,
          cacheTtlInSeconds: 300,
          cacheDataEncrypted: false,
          requireAuthorizationForCacheControl: true,
          unauthorizedCacheControlHeaderStrategy: 'SUCCEED_WITH_RESPONSE_HEADER',
        },
        'users/GET': {
          ...inherited,
          dataTraceEnabled: true,
          throttlingBurstLimit: 7,
          throttlingRateLimit: 5.5,
          cachingEnabled: true,
          cacheTtlInSeconds: 60,
          cacheDataEncrypted: true,
          requireAuthorizationForCacheControl: false,
          unauthorizedCacheControlHeaderStrategy: 'FAIL_WITH_403',
        },
      },
      createdDate: expect.any(Date),
      lastUpdatedDate: expect.any(Date),
    });
    const promoted = await patch(
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
      { op: 'copy', from: '/canarySettings/stageVariableOverrides', path: '/variables' },
      replace('/canarySettings/percentTraffic', '0.0'),
    );
    expect(promoted).toMatchObject({ deploymentId: next, variables: { new: 'y' }, canarySettings: { percentTraffic: 0 } });
    const back = await patch(
      remove('/canarySettings'),
      remove('/accessLogSettings'),
      remove('/variables'),
      remove('/users/GET'),
      remove('/*/*'),
      replace('/description', ''),
      replace('/cacheClusterEnabled', 'false'),
    );
    for (const gone of ['canarySettings', 'accessLogSettings', 'variables', 'description']) expect(back).not.toHaveProperty(gone);
    expect(back).toMatchObject({ methodSettings: {}, cacheClusterEnabled: false, cacheClusterStatus: 'NOT_AVAILABLE' });
    expect(answered(await api.getStage({ restApiId, stageName: 'dev' }))).toStrictEqual(back);
    expect(await patch()).toStrictEqual(back);
  });

  test('logging without a role in the account is refused', async () => {
    const other = (await house.tenant()).apiGateway;
    const { restApiId } = await createMockApi(other);
    await other.createDeployment({ restApiId, stageName: 'dev' });
    expect(
      await refusalOf(
        other.updateStage({ restApiId, stageName: 'dev', patchOperations: [replace('/*/*/logging/loglevel', 'INFO')] }),
      ),
    ).toBe('400 BadRequestException: CloudWatch Logs role ARN must be set in account settings to enable logging');
  });

  for (const [name, operation, message] of [
    [
      'a method setting that is not there',
      remove('/users/POST'),
      'Cannot remove method setting users/POST because there is no method setting for this method ',
    ],
    [
      'a promotion without a canary',
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
      'Promotion not available. Canary does not exist.',
    ],
    [
      'a copy of something else',
      { op: 'copy', from: '/a', path: '/b' },
      'Invalid copy operation with path: /b and from /a. Valid copy:path are [/deploymentId, /variables] and valid copy:from are ' +
        '[/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]',
    ],
    [
      'an added canary deployment',
      { op: 'add', path: '/canarySettings/deploymentId', value: 'x' },
      'Invalid add operation with path: /canarySettings/deploymentId',
    ],
    ['a deployment that is not there', replace('/deploymentId', 'nobody'), 'Deployment id does not exist'],
    ['an empty access log format', replace('/accessLogSettings/format', ''), 'Access Log value must not be empty'],
    [
      'access logs as a whole',
      replace('/accessLogSettings', 'x'),
      'Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]',
    ],
  ] satisfies [string, PatchOperation, string][]) {
    test(`UpdateStage with ${name} is refused`, async () => {
      const { restApiId } = await createMockApi(api);
      await api.createDeployment({ restApiId, stageName: 'dev' });
      const before = answered(await api.getStage({ restApiId, stageName: 'dev' }));
      expect(
        await refusalOf(
          api.updateStage({ restApiId, stageName: 'dev', patchOperations: [replace('/description', 'half'), operation] }),
        ),
      ).toBe(`400 BadRequestException: ${message}`);
      expect(answered(await api.getStage({ restApiId, stageName: 'dev' }))).toStrictEqual(before);
    });
  }

  test('a path nobody knows is refused with the list of those there are', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    for (const path of ['/tags/a', '/documentation_version']) {
      expect(await refusalOf(api.updateStage({ restApiId, stageName: 'dev', patchOperations: [replace(path, 'x')] }))).toMatch(
        `400 BadRequestException: Invalid method setting path: ${path}. Must be one of: [/deploymentId, /description, /cacheClusterEnabled,`,
      );
    }
  });
});

async function published(restApiId: string): Promise<string[]> {
  const rows = await house.query<{ id: string }>(
    `SELECT id FROM manifest_entries WHERE kind = 'STAGE' AND NOT removed AND id LIKE $1 ORDER BY id`,
    [`${restApiId}/%`],
  );
  return rows.map(({ id }) => id);
}
