import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../errors.js';
import type { Stage } from './deployment.js';
import { DEFAULT_METHOD_SETTING } from './method-settings.js';
import { checkLoggingRole, newStage, withCanary, withSettings } from './stage.js';
import type { PatchOperation } from '../patch/patch.js';
import { patchStage } from './stage-patch.js';

const plain = newStage('abcdefghij', 'dev', 'dep001', {}, 1000);
const withVariables: Stage = { ...plain, variables: { host: 'a.example', port: '80' } };
const canary: Stage = withCanary(withVariables, {
  deploymentId: 'dep002',
  percentTraffic: 10,
  stageVariableOverrides: { host: 'b.example' },
});
const logging: Stage = { ...plain, accessLogSettings: { format: 'f', destinationArn: 'arn:aws:logs:us-east-1:1:log-group:g' } };
const withPets: Stage = { ...plain, methodSettings: { 'pets/GET': DEFAULT_METHOD_SETTING } };

type Row = readonly [name: string, stage: Stage, operations: readonly PatchOperation[], expected: Partial<Stage>];
const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const remove = (path: string): PatchOperation => ({ op: 'remove', path });
const setting = (change: object): Stage['methodSettings'] => ({ '*/*': { ...DEFAULT_METHOD_SETTING, ...change } });

describe('a patch changes exactly what its path names', () => {
  const rows: readonly Row[] = [
    ['deployment', plain, [replace('/deploymentId', 'dep009')], { deploymentId: 'dep009' }],
    ['description', plain, [replace('/description', 'x')], { description: 'x' }],
    ['description cleared', { ...plain, description: 'x' }, [replace('/description', '')], { description: null }],
    ['cache on', plain, [replace('/cacheClusterEnabled', 'true')], { cacheClusterEnabled: true, cacheClusterSize: '0.5' }],
    ['cache size', plain, [replace('/cacheClusterSize', '6.1')], { cacheClusterSize: '6.1' }],
    [
      'anything but true is false',
      { ...plain, tracingEnabled: true },
      [replace('/tracingEnabled', 'yes')],
      { tracingEnabled: false },
    ],
    ['tracing', plain, [replace('/tracingEnabled', 'true')], { tracingEnabled: true }],
    ['documentation version', plain, [replace('/documentationVersion', 'v1')], { documentationVersion: 'v1' }],
    ['client certificate', plain, [replace('/clientCertificateId', 'abc123')], { clientCertificateId: 'abc123' }],
    ['client certificate cleared', plain, [replace('/clientCertificateId', '')], {}],
    ['variable replaced', withVariables, [replace('/variables/port', '81')], { variables: { host: 'a.example', port: '81' } }],
    ['variable added', plain, [{ op: 'add', path: '/variables/a', value: 'b' }], { variables: { a: 'b' } }],
    ['variable removed', withVariables, [remove('/variables/port')], { variables: { host: 'a.example' } }],
    ['last variable removed', { ...plain, variables: { a: 'b' } }, [remove('/variables/a')], { variables: {} }],
    ['all variables removed', withVariables, [remove('/variables')], { variables: {} }],
    [
      'access log destination, without the group wildcard',
      plain,
      [{ op: 'add', path: '/accessLogSettings/destinationArn', value: 'arn:aws:logs:us-east-1:1:log-group:g:*' }],
      { accessLogSettings: { format: null, destinationArn: 'arn:aws:logs:us-east-1:1:log-group:g' } },
    ],
    [
      'access log format',
      logging,
      [replace('/accessLogSettings/format', '$context.requestId')],
      { accessLogSettings: { ...logging.accessLogSettings!, format: '$context.requestId' } },
    ],
    ['access log removed', logging, [remove('/accessLogSettings')], { accessLogSettings: null }],
    [
      'first canary replace creates the canary',
      plain,
      [replace('/canarySettings/percentTraffic', '12.5')],
      { canarySettings: { percentTraffic: 12.5, deploymentId: 'dep001', stageVariableOverrides: null, useStageCache: false } },
    ],
    [
      'canary deployment',
      canary,
      [replace('/canarySettings/deploymentId', 'dep003')],
      { canarySettings: { ...canary.canarySettings!, deploymentId: 'dep003' } },
    ],
    [
      'canary cache',
      canary,
      [replace('/canarySettings/useStageCache', 'true')],
      { canarySettings: { ...canary.canarySettings!, useStageCache: true } },
    ],
    [
      'canary override',
      canary,
      [replace('/canarySettings/stageVariableOverrides/x', 'y')],
      { canarySettings: { ...canary.canarySettings!, stageVariableOverrides: { host: 'b.example', x: 'y' } } },
    ],
    [
      'canary override removed',
      canary,
      [remove('/canarySettings/stageVariableOverrides/host')],
      { canarySettings: { ...canary.canarySettings!, stageVariableOverrides: {} } },
    ],
    ['canary removed', canary, [remove('/canarySettings')], { canarySettings: null }],
    [
      'promotion in one call',
      canary,
      [
        { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
        { op: 'copy', from: '/canarySettings/stageVariableOverrides', path: '/variables' },
        replace('/canarySettings/percentTraffic', '0.0'),
      ],
      {
        deploymentId: 'dep002',
        variables: { host: 'b.example', port: '80' },
        canarySettings: { ...canary.canarySettings!, percentTraffic: 0 },
      },
    ],
    ['metrics', plain, [replace('/*/*/metrics/enabled', 'true')], { methodSettings: setting({ metricsEnabled: true }) }],
    ['log level', plain, [replace('/*/*/logging/loglevel', 'INFO')], { methodSettings: setting({ loggingLevel: 'INFO' }) }],
    ['data trace', plain, [replace('/*/*/logging/dataTrace', 'true')], { methodSettings: setting({ dataTraceEnabled: true }) }],
    ['burst', plain, [replace('/*/*/throttling/burstLimit', '7')], { methodSettings: setting({ throttlingBurstLimit: 7 }) }],
    [
      'rate',
      plain,
      [replace('/*/*/throttling/rateLimit', '100.500000')],
      { methodSettings: setting({ throttlingRateLimit: 100.5 }) },
    ],
    [
      'burst without limit',
      plain,
      [replace('/*/*/throttling/burstLimit', '-1')],
      { methodSettings: setting({ throttlingBurstLimit: -1 }) },
    ],
    [
      'rate without limit',
      plain,
      [replace('/*/*/throttling/rateLimit', '-1.000000')],
      { methodSettings: setting({ throttlingRateLimit: -1 }) },
    ],
    ['caching', plain, [replace('/*/*/caching/enabled', 'true')], { methodSettings: setting({ cachingEnabled: true }) }],
    [
      'cache time',
      plain,
      [replace('/*/*/caching/ttlInSeconds', '3600')],
      { methodSettings: setting({ cacheTtlInSeconds: 3600 }) },
    ],
    [
      'cache encryption',
      plain,
      [replace('/*/*/caching/dataEncrypted', 'true')],
      { methodSettings: setting({ cacheDataEncrypted: true }) },
    ],
    [
      'cache control authorization',
      plain,
      [replace('/*/*/caching/requireAuthorizationForCacheControl', 'false')],
      { methodSettings: setting({ requireAuthorizationForCacheControl: false }) },
    ],
    [
      'cache control strategy',
      plain,
      [replace('/*/*/caching/unauthorizedCacheControlHeaderStrategy', 'FAIL_WITH_403')],
      { methodSettings: setting({ unauthorizedCacheControlHeaderStrategy: 'FAIL_WITH_403' }) },
    ],
    ['method entry removed', withPets, [remove('/pets/GET')], { methodSettings: {} }],
  ];
  test.each(rows)('%s', (_name, stage, operations, expected) => {
    expect(patchStage(stage, operations, 2000)).toEqual({ ...stage, lastUpdatedAtMs: 2000, ...expected });
  });
});

describe('both spellings of a method path name one entry', () => {
  test.each([
    ['/pets/{id}/GET/metrics/enabled', 'pets/{id}/GET'],
    ['/~1pets~1{id}/GET/metrics/enabled', 'pets/{id}/GET'],
    ['/pets~1{id}/GET/metrics/enabled', 'pets/{id}/GET'],
    ['//GET/metrics/enabled', '/GET'],
    ['/~1/GET/metrics/enabled', '/GET'],
    ['/metrics/enabled/ANY/metrics/enabled', 'metrics/enabled/ANY'],
  ])('%s', (path, key) => {
    expect(Object.keys(patchStage(plain, [replace(path, 'true')], 0).methodSettings)).toEqual([key]);
  });
});

test('any resource path reads back as its own key, escaped or raw', () => {
  const segment = fc.stringMatching(/^[a-z0-9._-]{1,8}$/).chain((name) => fc.constantFrom(name, `{${name}}`, `{${name}+}`));
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
      const resource = segments.join('/');
      for (const spelling of [resource, `~1${segments.join('~1')}`]) {
        expect(Object.keys(patchStage(plain, [replace(`/${spelling}/GET/metrics/enabled`, 'true')], 0).methodSettings)).toEqual([
          `${resource}/GET`,
        ]);
      }
    }),
  );
});

test('whatever is sent, a patch is applied or refused with a modelled error', () => {
  const piece = fc.constantFrom(
    '/',
    'variables',
    'canarySettings',
    'stageVariableOverrides',
    '*',
    'GET',
    'throttling/rateLimit',
    '~1',
    '~',
    'x',
    '__proto__',
    'é',
  );
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'copy', 'move', 'test', undefined),
    path: fc.option(
      fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
      { nil: undefined },
    ),
    value: fc.option(fc.string(), { nil: undefined }),
    from: fc.option(fc.string(), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.constantFrom(plain, canary, logging), fc.array(operation, { maxLength: 4 }), (stage, operations) => {
      const before = structuredClone(stage);
      try {
        patchStage(stage, operations, 1);
      } catch (error) {
        expect(error).toBeInstanceOf(ApiError);
      }
      expect(stage).toEqual(before);
    }),
  );
});

test('a new method entry starts from the entry for all methods and does not follow it afterwards', () => {
  const stage = patchStage(
    plain,
    [
      replace('/*/*/throttling/rateLimit', '5'),
      replace('/pets/GET/metrics/enabled', 'true'),
      replace('/*/*/throttling/rateLimit', '6'),
    ],
    0,
  );
  expect(stage.methodSettings['pets/GET']).toEqual({ ...DEFAULT_METHOD_SETTING, throttlingRateLimit: 5, metricsEnabled: true });
  expect(stage.methodSettings['*/*']!.throttlingRateLimit).toBe(6);
});

test('an empty patch changes nothing, not even the time of the last update', () => {
  expect(patchStage(plain, [], 2000)).toBe(plain);
});

const invalidPath = (path: string): string =>
  `Invalid method setting path: ${path}. Must be one of: [/deploymentId, /description, /cacheClusterEnabled, `;
describe('a wrong operation is refused with the text of AWS', () => {
  test.each<readonly [string, Stage, PatchOperation, string]>([
    ['unknown path', plain, replace('/documentation_version', 'x'), invalidPath('/documentation_version')],
    ['tags', plain, replace('/tags/a', 'x'), invalidPath('/tags/a')],
    ['no path', plain, { op: 'replace', value: 'x' }, invalidPath('null')],
    ['setting without verb', plain, replace('/pets/metrics/enabled', 'true'), invalidPath('/pets/metrics/enabled')],
    ['setting of half a wildcard', plain, replace('/pets/*/metrics/enabled', 'true'), invalidPath('/pets/*/metrics/enabled')],
    ['setting of the other half', plain, replace('/*/GET/metrics/enabled', 'true'), invalidPath('/*/GET/metrics/enabled')],
    ['setting of lower-case verb', plain, replace('/pets/get/metrics/enabled', 'true'), invalidPath('/pets/get/metrics/enabled')],
    [
      'removing an absent method entry',
      plain,
      remove('/pets/GET'),
      'Cannot remove method setting pets/GET because there is no method setting for this method ',
    ],
    [
      'removing the absent entry for all',
      plain,
      remove('/*/*'),
      'Cannot remove method setting */* because there is no method setting for this method ',
    ],
    [
      'removing one access log member',
      logging,
      remove('/accessLogSettings/format'),
      'Cannot remove method setting accessLogSettings/format because there is no method setting for this method ',
    ],
    [
      'replacing the access log as a whole',
      plain,
      replace('/accessLogSettings', '{}'),
      'Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]',
    ],
    ['empty access log value', plain, replace('/accessLogSettings/format', ''), 'Access Log value must not be empty'],
    [
      'an access log format of two lines',
      plain,
      replace('/accessLogSettings/format', '{\n"id": "$context.requestId"}\n'),
      'Access Log format must be single line, new line character is allowed only at end of the format',
    ],
    [
      'an access log format without an id of the request',
      plain,
      replace('/accessLogSettings/format', '$context.requestIdentity $context.status'),
      'Access Log format must contain $context.requestId or $context.extendedRequestId',
    ],
    [
      'adding canary settings',
      plain,
      { op: 'add', path: '/canarySettings' },
      'Cannot add method setting canarySettings because there is no method setting for this method ',
    ],
    [
      'adding a canary deployment',
      plain,
      { op: 'add', path: '/canarySettings/deploymentId', value: 'x' },
      'Invalid add operation with path: /canarySettings/deploymentId',
    ],
    ['replacing an unknown canary member', canary, replace('/canarySettings/x', '1'), invalidPath('/canarySettings/x')],
    [
      'canary above 100 %',
      plain,
      replace('/canarySettings/percentTraffic', '100.1'),
      'Canary percentTraffic must be between 0.0 and 100.0',
    ],
    [
      'promotion without canary',
      plain,
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
      'Promotion not available. Canary does not exist.',
    ],
    [
      'copying something else',
      canary,
      { op: 'copy', from: '/canarySettings/deploymentId', path: '/description' },
      'Invalid copy operation with path: /description and from /canarySettings/deploymentId. Valid copy:path are [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]',
    ],
    [
      'a rate that is no number',
      plain,
      replace('/*/*/throttling/rateLimit', 'fast'),
      'Invalid value for /*/*/throttling/rateLimit: expected a number >= 0, or -1, got "fast"',
    ],
    ['a fractional burst', plain, replace('/*/*/throttling/burstLimit', '1.5'), 'expected a whole number >= 0, or -1, got "1.5"'],
    [
      'a cache time above an hour',
      plain,
      replace('/*/*/caching/ttlInSeconds', '3601'),
      'expected a whole number of seconds from 0 to 3600',
    ],
    ['an unknown log level', plain, replace('/*/*/logging/loglevel', 'DEBUG'), 'expected one of OFF, ERROR, INFO, got "DEBUG"'],
    ['a variable name with a dash', plain, replace('/variables/a-b', 'x'), 'Invalid stage variable name "a-b"'],
    ['a variable value with a space', plain, replace('/variables/a', 'x y'), 'Invalid stage variable value for a'],
    ['an unknown cache size', plain, replace('/cacheClusterSize', '1'), 'Invalid cache cluster size "1"'],
    [
      'move',
      plain,
      { op: 'move', path: '/description' },
      'Cannot move method setting description because there is no method setting for this method ',
    ],
  ])('%s', (_name, stage, operation, message) => {
    expect(() => patchStage(stage, [replace('/description', 'before'), operation], 0)).toThrow(message);
  });
});

test('the list of paths is the one of AWS to the letter', () => {
  expect(() => patchStage(plain, [replace('/x', '')], 0)).toThrow(
    '/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, ' +
      '/{resourcePath}/{httpMethod}/caching/enabled, ',
  );
  expect(() => patchStage(plain, [replace('/x', '')], 0)).toThrow(
    '/*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, ' +
      '/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled]',
  );
});

test('settings that are not given keep what the stage has, variables are merged', () => {
  expect(withSettings(withVariables, { variables: { port: '81' }, tracingEnabled: true }, 5)).toEqual({
    ...withVariables,
    variables: { host: 'a.example', port: '81' },
    tracingEnabled: true,
    lastUpdatedAtMs: 5,
  });
});

test.each(['', 'a b', 'ä', '$default', 'x'.repeat(129)])('"%s" is not a stage name', (name) => {
  expect(() => newStage('abcdefghij', name, 'dep001', {}, 0)).toThrow('Stage name only allows');
});

test('logging to CloudWatch needs the role of the account', () => {
  const executionLogs = patchStage(plain, [replace('/*/*/logging/loglevel', 'ERROR')], 0);
  const off = patchStage(plain, [replace('/*/*/logging/loglevel', 'OFF')], 0);
  const firehose: Stage = {
    ...plain,
    accessLogSettings: { format: 'f', destinationArn: 'arn:aws:firehose:us-east-1:1:deliverystream/x' },
  };
  for (const stage of [logging, executionLogs]) {
    expect(() => checkLoggingRole(stage, null)).toThrow(
      'CloudWatch Logs role ARN must be set in account settings to enable logging',
    );
    expect(() => checkLoggingRole(stage, 'arn:aws:iam::123456789012:role/logs')).not.toThrow();
  }
  for (const stage of [plain, off, firehose]) expect(() => checkLoggingRole(stage, null)).not.toThrow();
});
