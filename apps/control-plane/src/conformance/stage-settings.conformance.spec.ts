/** UpdateStage through the AWS SDK: every path, operation and literal text of control-plane reference 3.2, 3.3, 4.4 and 4.5. */
import type { PatchOperation } from '@aws-sdk/client-api-gateway';
import { createMockApi, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let api: TestTenant['apiGateway'];
let restApiId: string;
let firstId: string;
let secondId: string;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  api = (await house.tenant()).apiGateway;
  const value = 'arn:aws:iam::111111111111:role/logs';
  await api.updateAccount({ patchOperations: [{ op: 'replace', path: '/cloudwatchRoleArn', value }] });
});
beforeEach(async () => {
  ({ restApiId } = await createMockApi(api));
  firstId = (await api.createDeployment({ restApiId, stageName: 'dev' })).id!;
  secondId = (await api.createDeployment({ restApiId })).id!;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const update = (...patchOperations: PatchOperation[]) => api.updateStage({ restApiId, stageName: 'dev', patchOperations });
/** Without what the SDK tells of the call. */
const shown = (answer: object) => ({ ...answer, $metadata: null });
const replace = (path: string, value?: string): PatchOperation => ({
  op: 'replace',
  path,
  ...(value !== undefined && { value }),
});
const stage = () => api.getStage({ restApiId, stageName: 'dev' });
/** Replaced by the id of the second deployment, which is not known while the tables are written. */
const SECOND = '{second}';
const made = (operation: PatchOperation): PatchOperation =>
  operation.value === SECOND ? { ...operation, value: secondId } : operation;

describe('a path that is there', () => {
  test.each([
    ['/deploymentId', [replace('/deploymentId', SECOND)], () => ({ deploymentId: secondId })],
    ['/description', [replace('/description', 'd')], { description: 'd' }],
    ['/description, emptied', [replace('/description', 'd'), replace('/description', '')], { description: undefined }],
    ['/cacheClusterEnabled', [replace('/cacheClusterEnabled', 'true')], { cacheClusterEnabled: true, cacheClusterSize: '0.5' }],
    ['/cacheClusterSize', [replace('/cacheClusterSize', '1.6')], { cacheClusterSize: '1.6', cacheClusterEnabled: false }],
    ['/documentationVersion', [replace('/documentationVersion', '1')], { documentationVersion: '1' }],
    ['/tracingEnabled', [replace('/tracingEnabled', 'true')], { tracingEnabled: true }],
    ['/tracingEnabled, anything but true', [replace('/tracingEnabled', 'TRUE')], { tracingEnabled: false }],
    ['/variables/{k}', [replace('/variables/url', 'a')], { variables: { url: 'a' } }],
    ['/variables/{k}, added', [{ op: 'add', path: '/variables/url', value: 'a' }], { variables: { url: 'a' } }],
    [
      '/variables/{k}, removed',
      [replace('/variables/a', '1'), replace('/variables/b', '2'), { op: 'remove', path: '/variables/a' }],
      { variables: { b: '2' } },
    ],
    [
      '/accessLogSettings/…',
      [
        replace('/accessLogSettings/destinationArn', 'arn:aws:logs:us-east-1:111111111111:log-group:a'),
        { op: 'add', path: '/accessLogSettings/format', value: '$context.requestId' },
      ],
      {
        accessLogSettings: {
          destinationArn: 'arn:aws:logs:us-east-1:111111111111:log-group:a',
          format: '$context.requestId',
        },
      },
    ],
    [
      '/accessLogSettings, removed',
      [replace('/accessLogSettings/format', 'f'), { op: 'remove', path: '/accessLogSettings' }],
      { accessLogSettings: undefined },
    ],
    [
      '/canarySettings/percentTraffic, which makes the canary',
      [replace('/canarySettings/percentTraffic', '12.5')],
      () => ({ canarySettings: { percentTraffic: 12.5, useStageCache: false, deploymentId: firstId } }),
    ],
    [
      '/canarySettings/useStageCache',
      [replace('/canarySettings/useStageCache', 'true')],
      () => ({ canarySettings: { percentTraffic: 0, useStageCache: true, deploymentId: firstId } }),
    ],
    [
      '/canarySettings/deploymentId',
      [replace('/canarySettings/deploymentId', SECOND)],
      () => ({ deploymentId: firstId, canarySettings: { percentTraffic: 0, useStageCache: false, deploymentId: secondId } }),
    ],
    [
      '/canarySettings/stageVariableOverrides/{k}, one of them removed',
      [
        replace('/canarySettings/stageVariableOverrides/a', '1'),
        replace('/canarySettings/stageVariableOverrides/b', '2'),
        { op: 'remove', path: '/canarySettings/stageVariableOverrides/a' },
      ],
      () => ({
        canarySettings: { percentTraffic: 0, useStageCache: false, deploymentId: firstId, stageVariableOverrides: { b: '2' } },
      }),
    ],
    [
      '/canarySettings, removed',
      [replace('/canarySettings/percentTraffic', '1'), { op: 'remove', path: '/canarySettings' }],
      { canarySettings: undefined },
    ],
  ] as [string, PatchOperation[], object | (() => object)][])('%s', async (_name, operations, expected) => {
    const answer = await update(...operations.map(made));
    const wanted = typeof expected === 'function' ? (expected as () => object)() : expected;
    for (const [name, value] of Object.entries(wanted)) expect(answer[name as keyof typeof answer], name).toEqual(value);
    expect(shown(await stage()), 'what is read back is what was answered').toEqual(shown(answer));
  });
});

describe('settings of methods', () => {
  const DEFAULTS = {
    metricsEnabled: false,
    dataTraceEnabled: false,
    throttlingBurstLimit: 5000,
    throttlingRateLimit: 10_000,
    cachingEnabled: false,
    cacheTtlInSeconds: 300,
    cacheDataEncrypted: false,
    requireAuthorizationForCacheControl: true,
    unauthorizedCacheControlHeaderStrategy: 'SUCCEED_WITH_RESPONSE_HEADER',
  };

  test.each([
    ['metrics/enabled', 'true', { metricsEnabled: true }],
    ['logging/loglevel', 'ERROR', { loggingLevel: 'ERROR' }],
    ['logging/dataTrace', 'true', { dataTraceEnabled: true }],
    ['throttling/burstLimit', '-1', { throttlingBurstLimit: -1 }],
    ['throttling/rateLimit', '-1.000000', { throttlingRateLimit: -1 }],
    ['caching/enabled', 'true', { cachingEnabled: true }],
    ['caching/ttlInSeconds', '0', { cacheTtlInSeconds: 0 }],
    ['caching/dataEncrypted', 'true', { cacheDataEncrypted: true }],
    ['caching/requireAuthorizationForCacheControl', 'false', { requireAuthorizationForCacheControl: false }],
    [
      'caching/unauthorizedCacheControlHeaderStrategy',
      'FAIL_WITH_403',
      { unauthorizedCacheControlHeaderStrategy: 'FAIL_WITH_403' },
    ],
  ] as const)('%s is of one method, or of all, over the defaults', async (setting, value, expected) => {
    const { methodSettings } = await update(
      replace(`/*/*/${setting}`, value),
      { op: 'remove', path: '/*/*' },
      replace(`/~1users/GET/${setting}`, value),
      replace(`/*/*/${setting}`, value),
    );
    expect(methodSettings).toEqual({ '*/*': { ...DEFAULTS, ...expected }, 'users/GET': { ...DEFAULTS, ...expected } });
  });

  test('one entry has one name, however its path is written', async () => {
    const { methodSettings } = await update(
      replace('/~1users~1{id}/GET/throttling/rateLimit', '1'),
      replace('/users/{id}/GET/throttling/burstLimit', '2'),
      replace('/~1/GET/metrics/enabled', 'true'),
    );
    expect(Object.keys(methodSettings!).sort()).toEqual(['/GET', 'users/{id}/GET']);
    expect(methodSettings!['users/{id}/GET']).toMatchObject({ throttlingRateLimit: 1, throttlingBurstLimit: 2 });
  });

  test('a new entry starts from what holds for all methods; later changes of that one leave it alone', async () => {
    await update(replace('/*/*/throttling/rateLimit', '7'), replace('/*/*/caching/ttlInSeconds', '60'));
    await update(replace('/~1users/GET/metrics/enabled', 'true'));
    const { methodSettings } = await update(replace('/*/*/throttling/rateLimit', '8'));
    expect(methodSettings!['users/GET']).toEqual({
      ...DEFAULTS,
      metricsEnabled: true,
      throttlingRateLimit: 7,
      cacheTtlInSeconds: 60,
    });
    expect(methodSettings!['*/*']).toMatchObject({ throttlingRateLimit: 8, metricsEnabled: false });
  });

  test('removing one entry leaves the others', async () => {
    await update(replace('/*/*/metrics/enabled', 'true'), replace('/~1users/GET/metrics/enabled', 'true'));
    expect(Object.keys((await update({ op: 'remove', path: '/*/*' })).methodSettings!)).toEqual(['users/GET']);
    expect((await update({ op: 'remove', path: '/~1users/GET' })).methodSettings).toEqual({});
  });
});

describe('a canary', () => {
  const PROMOTION: PatchOperation[] = [
    { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
    { op: 'copy', from: '/canarySettings/stageVariableOverrides', path: '/variables' },
    replace('/canarySettings/percentTraffic', '0.0'),
    { op: 'remove', path: '/canarySettings' },
  ];

  test('is promoted in one call: its deployment, and its variables over those of the stage', async () => {
    await update(replace('/variables/a', '1'), replace('/variables/b', '1'));
    const { id: canaryId } = await api.createDeployment({
      restApiId,
      stageName: 'dev',
      canarySettings: { percentTraffic: 10, stageVariableOverrides: { b: '2', c: '2' }, useStageCache: true },
    });
    expect(await stage()).toMatchObject({
      deploymentId: firstId,
      canarySettings: {
        deploymentId: canaryId,
        percentTraffic: 10,
        stageVariableOverrides: { b: '2', c: '2' },
        useStageCache: true,
      },
    });
    const promoted = await update(...PROMOTION);
    expect(promoted).toMatchObject({ deploymentId: canaryId, variables: { a: '1', b: '2', c: '2' } });
    expect(promoted.canarySettings).toBeUndefined();
  });

  test('that is promoted without the last operation stays, without traffic', async () => {
    await update(replace('/canarySettings/deploymentId', secondId), replace('/canarySettings/percentTraffic', '50'));
    expect(await update(...PROMOTION.slice(0, 3))).toMatchObject({
      deploymentId: secondId,
      canarySettings: { deploymentId: secondId, percentTraffic: 0 },
    });
  });

  test('is promoted wholly or not at all', async () => {
    await update(replace('/canarySettings/deploymentId', secondId), replace('/canarySettings/percentTraffic', '50'));
    const before = await stage();
    expect(await refusalOf(update(...PROMOTION, replace('/variables/b', 'not allowed: ä')))).toMatch(/^400 BadRequestException/);
    const after = await stage();
    expect(shown(after)).toEqual(shown(before));
  });
});

describe('what is refused changes nothing, in words of AWS', () => {
  const noSetting = (op: string, path: string) =>
    `400 BadRequestException: Cannot ${op} method setting ${path} because there is no method setting for this method `;
  const badPath = (path: string) =>
    `400 BadRequestException: Invalid method setting path: ${path}. Must be one of: [/deploymentId, /description, /cacheClusterEnabled, `;
  const badCopy = (path: string, from: string) =>
    `400 BadRequestException: Invalid copy operation with path: ${path} and from ${from}. Valid copy:path are [/deploymentId, /variables] and ` +
    'valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]';
  test.each([
    [
      'a deployment that is not there',
      replace('/deploymentId', 'nobody'),
      '400 BadRequestException: Deployment id does not exist',
    ],
    ['such a canary', replace('/canarySettings/deploymentId', 'nobody'), '400 BadRequestException: Deployment id does not exist'],
    [
      'a canary to which a deployment is added',
      { op: 'add', path: '/canarySettings/deploymentId', value: 'x' },
      '400 BadRequestException: Invalid add operation with path: /canarySettings/deploymentId',
    ],
    [
      'a promotion without a canary',
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
      '400 BadRequestException: Promotion not available. Canary does not exist.',
    ],
    [
      'such a promotion of variables',
      { op: 'copy', from: '/canarySettings/stageVariableOverrides', path: '/variables' },
      '400 BadRequestException: Promotion not available. Canary does not exist.',
    ],
    ['a copy of something else', { op: 'copy', from: '/description', path: '/variables' }, badCopy('/variables', '/description')],
    [
      'a copy across',
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/variables' },
      badCopy('/variables', '/canarySettings/deploymentId'),
    ],
    ['settings of all methods that are not there', { op: 'remove', path: '/*/*' }, noSetting('remove', '*/*')],
    ['settings of a method that are not there', { op: 'remove', path: '/users/GET' }, noSetting('remove', 'users/GET')],
    [
      'a removed access log format',
      { op: 'remove', path: '/accessLogSettings/format' },
      noSetting('remove', 'accessLogSettings/format'),
    ],
    [
      'a whole access log',
      replace('/accessLogSettings', '{}'),
      '400 BadRequestException: Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]',
    ],
    [
      'an empty access log',
      replace('/accessLogSettings/format', ''),
      '400 BadRequestException: Access Log value must not be empty',
    ],
    ['a tag', replace('/tags/a', 'b'), badPath('/tags/a')],
    ['another spelling of documentationVersion', replace('/documentation_version', '1'), badPath('/documentation_version')],
    ['a whole canary', replace('/canarySettings', '{}'), badPath('/canarySettings')],
    ['half a wildcard', replace('/*/GET/metrics/enabled', 'true'), badPath('/*/GET/metrics/enabled')],
    ['a setting that is none', replace('/*/*/metrics/disabled', 'true'), badPath('/*/*/metrics/disabled')],
  ] as [string, PatchOperation, string][])('%s', async (_name, operation, message) => {
    const before = await stage();
    expect(await refusalOf(update(replace('/description', 'never kept'), operation))).toContain(message);
    expect(shown(await stage())).toEqual(shown(before));
  });

  test('the list of paths is the one AWS gives, word for word', async () => {
    expect(await refusalOf(update(replace('/x', '1')))).toBe(
      '400 BadRequestException: Invalid method setting path: /x. Must be one of: [/deploymentId, /description, /cacheClusterEnabled, ' +
        '/cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, ' +
        '/{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, ' +
        '/{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit' +
        '/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, ' +
        '/{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, ' +
        '/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, ' +
        '/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, ' +
        '/*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, ' +
        '/*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, ' +
        '/*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled]',
    );
  });

  test('logs before the account has a role', async () => {
    const other = (await house.tenant()).apiGateway;
    const { restApiId: theirs } = await createMockApi(other);
    await other.createDeployment({ restApiId: theirs, stageName: 'dev' });
    const patchOperations = [replace('/*/*/logging/loglevel', 'INFO')];
    expect(await refusalOf(other.updateStage({ restApiId: theirs, stageName: 'dev', patchOperations }))).toBe(
      '400 BadRequestException: CloudWatch Logs role ARN must be set in account settings to enable logging',
    );
  });
});

describe('deployments', () => {
  test('are never edited but for their description, whatever happens to the API', async () => {
    const summary = async () => (await api.getDeployment({ restApiId, deploymentId: firstId, embed: ['apisummary'] })).apiSummary;
    const before = await summary();
    expect(before).toEqual({ '/users': { GET: { authorizationType: 'NONE', apiKeyRequired: false } } });
    const [, { id: resourceId }] = (await api.getResources({ restApiId })).items!.sort((a, b) =>
      a.path! < b.path! ? -1 : 1,
    ) as [unknown, { id: string }];
    await api.updateMethod({ restApiId, resourceId, httpMethod: 'GET', patchOperations: [replace('/apiKeyRequired', 'true')] });
    await api.deleteResource({ restApiId, resourceId });
    expect(await summary()).toEqual(before);
    const patchOperations = [replace('/description', 'told later')];
    expect(await api.updateDeployment({ restApiId, deploymentId: firstId, patchOperations })).toMatchObject({
      description: 'told later',
    });
    expect(
      await refusalOf(api.updateDeployment({ restApiId, deploymentId: firstId, patchOperations: [replace('/id', 'x')] })),
    ).toMatch(
      /^400 BadRequestException: Invalid patch path  '\/id' specified for op 'replace'. Must be one of: \[\/description\]/,
    );
    expect((await api.getDeployment({ restApiId, deploymentId: firstId })).apiSummary, 'only when asked for').toBeUndefined();
  });

  test('are deleted only when no stage and no canary points at them', async () => {
    const inUse = '400 BadRequestException: Active stages pointing to this deployment must be moved or deleted';
    const remove = (deploymentId: string) => refusalOf(api.deleteDeployment({ restApiId, deploymentId }));
    expect(await remove(firstId)).toBe(inUse);
    await update(replace('/canarySettings/deploymentId', secondId));
    expect(await remove(secondId)).toBe(inUse);
    await update({ op: 'remove', path: '/canarySettings' }, replace('/deploymentId', secondId));
    expect(await remove(firstId)).toBe('accepted');
    expect(await remove(firstId)).toBe('404 NotFoundException: Invalid Deployment identifier specified');
  });

  test.each([
    [
      'a canary without a stage',
      { canarySettings: { percentTraffic: 1 } },
      '400 BadRequestException: Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. Provided value is null',
    ],
    [
      'a canary of a stage that is not there',
      { stageName: 'none', canarySettings: {} },
      '400 BadRequestException: Invalid deployment content specified.Stage none must already be created before making a canary release deployment',
    ],
  ])('%s is refused', async (_name, input, message) => {
    expect(await refusalOf(api.createDeployment({ restApiId, ...input }))).toBe(message);
    expect((await api.getDeployments({ restApiId })).items).toHaveLength(2);
  });

  test('a stage begins with a deployment that is there, under a name of its own', async () => {
    const create = (deploymentId: string, stageName = 'other') =>
      refusalOf(api.createStage({ restApiId, stageName, deploymentId }));
    expect(await create('nobody')).toBe('400 BadRequestException: Deployment id does not exist');
    expect(await create(firstId, 'dev')).toBe('409 ConflictException: Stage already exists');
    expect(await refusalOf(api.getStage({ restApiId, stageName: 'other' }))).toBe(
      '404 NotFoundException: Invalid stage identifier specified',
    );
    expect(await create(firstId)).toBe('accepted');
  });

  test('an API that has no methods, or one without integration, is not deployed', async () => {
    const { id, rootResourceId } = await api.createRestApi({ name: 'empty' });
    expect(await refusalOf(api.createDeployment({ restApiId: id! }))).toBe(
      "400 BadRequestException: The REST API doesn't contain any methods",
    );
    await api.putMethod({ restApiId: id!, resourceId: rootResourceId!, httpMethod: 'GET', authorizationType: 'NONE' });
    expect(await refusalOf(api.createDeployment({ restApiId: id! }))).toBe(
      '400 BadRequestException: No integration defined for method',
    );
  });
});
