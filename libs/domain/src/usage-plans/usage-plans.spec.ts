import fc from 'fast-check';
import { AWS_QUOTAS } from '../tenancy/quotas.js';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../errors.js';
import { checkApiKeyDescription, checkApiKeyName, checkApiKeyValue } from './api-key.js';
import { daysBetween, dayStartMs, periodEnd, periodStart, utcDay } from './quota.js';
import type { UsagePlan } from './usage-plan.js';
import { patchUsagePlan } from './usage-plan-patch.js';
import type { PatchOperation } from '../patch/patch.js';
import {
  checkDeletable,
  checkOnePlanPerStage,
  methodThrottleKey,
  checkMethodThrottles,
  readMethodThrottles,
  readQuota,
  readThrottle,
} from './usage-plan-rules.js';

const plan: UsagePlan = {
  id: 'plan01',
  name: 'gold',
  description: null,
  apiStages: [{ apiId: 'api1', stage: 'dev', throttle: null }],
  throttle: null,
  quota: null,
  productCode: null,
  createdAtMs: 0,
  tags: {},
};
const quota = { limit: 100, offset: 0, period: 'DAY' } as const;
const throttle = { rateLimit: 1.5, burstLimit: 2 };
const throttled: UsagePlan = { ...plan, apiStages: [{ apiId: 'api1', stage: 'dev', throttle: { '/pets/GET': throttle } }] };
const add = (path: string, value?: string): PatchOperation => ({ op: 'add', path, value });
const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const remove = (path: string, value?: string): PatchOperation => ({ op: 'remove', path, value });
const stageThrottle = (
  map: Record<string, { rateLimit: number | null; burstLimit: number | null }> | null,
): Partial<UsagePlan> => ({
  apiStages: [{ apiId: 'api1', stage: 'dev', throttle: map }],
});

describe('a patch changes exactly what its path names', () => {
  test.each<readonly [string, UsagePlan, readonly PatchOperation[], Partial<UsagePlan>]>([
    ['nothing', plan, [], {}],
    ['name', plan, [replace('/name', 'silver')], { name: 'silver' }],
    ['description', plan, [replace('/description', '')], { description: '' }],
    ['product code', plan, [add('/productCode', 'p')], { productCode: 'p' }],
    ['product code removed', { ...plan, productCode: 'p' }, [remove('/productCode')], { productCode: null }],
    [
      'quota, piece by piece as Terraform sends it',
      plan,
      [add('/quota/limit', '100'), add('/quota/offset', '2'), add('/quota/period', 'WEEK')],
      { quota: { limit: 100, offset: 2, period: 'WEEK' } },
    ],
    ['quota limit', { ...plan, quota }, [replace('/quota/limit', '5')], { quota: { ...quota, limit: 5 } }],
    ['quota removed', { ...plan, quota }, [remove('/quota')], { quota: null }],
    ['rate alone', plan, [replace('/throttle/rateLimit', '0.500000')], { throttle: { rateLimit: 0.5, burstLimit: null } }],
    ['burst', { ...plan, throttle }, [replace('/throttle/burstLimit', '9')], { throttle: { rateLimit: 1.5, burstLimit: 9 } }],
    ['throttle removed', { ...plan, throttle }, [remove('/throttle')], { throttle: null }],
    [
      'stage added at the end',
      plan,
      [add('/apiStages', 'api2:prod')],
      { apiStages: [...plan.apiStages, { apiId: 'api2', stage: 'prod', throttle: null }] },
    ],
    ['stage added again', throttled, [add('/apiStages', 'api1:dev')], {}],
    ['stage removed', plan, [remove('/apiStages', 'api1:dev')], { apiStages: [] }],
    [
      'method throttles as a map',
      plan,
      [add('/apiStages/api1:dev/throttle', JSON.stringify({ '/pets/GET': throttle }))],
      stageThrottle({ '/pets/GET': throttle }),
    ],
    [
      'method rate, slashes as Terraform sends them',
      plan,
      [replace('/apiStages/api1:dev/throttle//pets/{id}/GET/rateLimit', '3')],
      stageThrottle({ '/pets/{id}/GET': { rateLimit: 3, burstLimit: null } }),
    ],
    [
      'method burst, slashes escaped',
      throttled,
      [add('/apiStages/api1:dev/throttle/~1pets/GET/burstLimit', '7')],
      stageThrottle({ '/pets/GET': { rateLimit: 1.5, burstLimit: 7 } }),
    ],
    ['method throttle removed', throttled, [remove('/apiStages/api1:dev/throttle/~1pets/GET')], stageThrottle({})],
    ['all method throttles removed', throttled, [remove('/apiStages/api1:dev/throttle')], stageThrottle(null)],
    ['a stage moves with its throttle', plan, [remove('/apiStages', 'api1:dev'), add('/apiStages', 'api1:dev')], {}],
  ])('%s', (_name, before, operations, expected) => {
    expect(patchUsagePlan(before, operations)).toEqual({ ...before, ...expected });
  });
});

describe('a wrong operation is refused', () => {
  test.each<readonly [string, PatchOperation, string]>([
    [
      'unknown path on remove: the text of AWS',
      remove('/apiStages/api1:dev'),
      "Invalid patch path  '/apiStages/api1:dev' specified for op 'remove'. Must be one of: [/apiStages, /quota, /throttle, /productCode, /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, /apiStages/<apidId:stageName>/throttle]",
    ],
    [
      'unknown path on replace',
      replace('/x', 'y'),
      "Invalid patch path  '/x' specified for op 'replace'. Must be one of: [/name, ",
    ],
    [
      'an op without paths',
      { op: 'move', path: '/name' },
      "Invalid patch path  '/name' specified for op 'move'. Please choose supported operations",
    ],
    ['a value that is no stage', add('/apiStages', 'api1'), 'Invalid API Stage specified'],
    ['no value', remove('/apiStages'), 'Invalid API Stage specified'],
    [
      'a stage the plan does not have',
      remove('/apiStages', 'api1:prod'),
      'Invalid API Stage {api: api1, stage: prod} specified for usageplan plan01',
    ],
    [
      'a throttle of a stage the plan does not have',
      replace('/apiStages/api9:dev/throttle//pets/GET/rateLimit', '1'),
      'Invalid API Stage {api: api9, stage: dev} specified for usageplan plan01',
    ],
    [
      'a throttle that is no JSON',
      add('/apiStages/api1:dev/throttle', '{'),
      'Invalid value for /apiStages/api1:dev/throttle: expected a JSON object',
    ],
    [
      'a throttle of the wrong shape',
      add('/apiStages/api1:dev/throttle', '{"/pets/GET":{"rateLimit":"1"}}'),
      'expected a JSON object',
    ],
    ['a throttle for no method', add('/apiStages/api1:dev/throttle', '{"pets":{}}'), 'Invalid method path "pets"'],
    [
      'a limit that is no number',
      replace('/quota/limit', 'many'),
      'Invalid value for /quota/limit: expected a number, got "many"',
    ],
    ['an incomplete quota', add('/quota/limit', '5'), 'Usage Plan quota period must be one of DAY, WEEK, MONTH'],
    ['an unknown period', replace('/quota/period', 'YEAR'), 'Usage Plan quota period must be one of DAY, WEEK, MONTH'],
    ['a negative rate', replace('/throttle/rateLimit', '-1'), 'rate limit must be a number that is not negative'],
    ['a fractional burst', replace('/throttle/burstLimit', '1.5'), 'burst limit must be a whole number that is not negative'],
    ['an empty name', replace('/name', ''), 'Usage Plan name cannot be empty'],
  ])('%s', (_name, operation, message) => {
    expect(() => patchUsagePlan(plan, [operation])).toThrow(message);
  });
});

test('whatever is sent, a patch is applied or refused with a modelled error', () => {
  const piece = fc.constantFrom(
    '/',
    'apiStages',
    'api1:dev',
    'throttle',
    'rateLimit',
    'GET',
    'quota/period',
    '~1',
    '~',
    ':',
    '__proto__',
    'é',
  );
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'copy', undefined),
    path: fc.option(
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
      { nil: undefined },
    ),
    value: fc.option(fc.oneof(fc.string(), fc.json(), fc.constantFrom('api1:dev', 'DAY', '1')), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.constantFrom(plan, throttled), fc.array(operation, { maxLength: 4 }), (before, operations) => {
      const copy = structuredClone(before);
      try {
        patchUsagePlan(before, operations);
      } catch (error) {
        expect(error).toBeInstanceOf(ApiError);
      }
      expect(before).toEqual(copy);
    }),
  );
});

test('a stage of a plan holds at most 20 method throttles', () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`/p${i}/GET`, throttle]));
  const check = (throttles: typeof many) => () => {
    const planned = { apiId: 'a', stage: 's', throttle: readMethodThrottles(throttles) };
    checkMethodThrottles({ apiStages: [{ ...planned, throttle: null }, planned] }, AWS_QUOTAS);
  };
  expect(check(many)).not.toThrow();
  expect(check({ ...many, '/p20/GET': throttle })).toThrow('Maximum number of method throttles');
});

test.each([
  ['/pets/GET', '/pets/GET'],
  ['pets/GET', '/pets/GET'],
  ['~1pets~1{id}/ANY', '/pets/{id}/ANY'],
  ['//GET', '//GET'],
  ['/GET', '//GET'],
  ['~1/GET', '//GET'],
  ['/pets/get', null],
  ['GET', null],
])('method path %s reads as %s', (path, key) => expect(methodThrottleKey(path)).toBe(key));

test.each([
  [{ limit: 1, period: 'DAY', offset: 1 }, 'offset must be zero in the DAY period'],
  [{ limit: 1, period: 'WEEK', offset: 7 }, 'between zero and 6'],
  [{ limit: 1, period: 'MONTH', offset: 28 }, 'between zero and 27'],
  [{ limit: 0, period: 'DAY' }, 'limit must be a whole number greater than 0'],
  [{ period: 'DAY' }, 'limit must be a whole number greater than 0'],
])('quota %j is refused', (request, message) => expect(() => readQuota(request)).toThrow(message));

test('a quota without offset has offset 0, a burst may exceed the rate', () => {
  expect(readQuota({ limit: 5, period: 'MONTH' })).toEqual({ limit: 5, offset: 0, period: 'MONTH' });
  expect(readThrottle({ rateLimit: 1, burstLimit: 100 })).toEqual({ rateLimit: 1, burstLimit: 100 });
});

test('a key may be in one plan per stage', () => {
  const other: UsagePlan = { ...plan, id: 'plan02', apiStages: [{ apiId: 'api1', stage: 'prod', throttle: null }] };
  expect(() => checkOnePlanPerStage('key', plan, [other])).not.toThrow();
  expect(() => checkOnePlanPerStage('key', { ...plan, id: 'plan03' }, [other, plan])).toThrow(
    'Usage Plan plan03 cannot be added because API Key key cannot reference multiple Usage Plans with the same API stage: api1:dev',
  );
});

test('a plan with stages cannot be deleted', () => {
  expect(() => checkDeletable(plan)).toThrow(
    'Cannot delete Usage Plan plan01 because there are API Stages associated with it, including api1:dev',
  );
  expect(() => checkDeletable({ ...plan, apiStages: [] })).not.toThrow();
});

test('API keys: bounds of value, name and description', () => {
  for (const length of [20, 128]) expect(() => checkApiKeyValue('k'.repeat(length))).not.toThrow();
  expect(() => checkApiKeyValue('k'.repeat(19))).toThrow('API Key value should be at least 20 characters');
  expect(() => checkApiKeyValue('k'.repeat(129))).toThrow('API Key value exceeds maximum size of 128 characters');
  expect(() => checkApiKeyValue('k'.repeat(20) + '\n')).toThrow('printable ASCII');
  expect(() => checkApiKeyName('n'.repeat(1025))).toThrow('Invalid API Key name, can be at most 1024 characters.');
  expect(() => checkApiKeyDescription('d'.repeat(125_001))).toThrow('Invalid API Key description specified.');
});

describe('quota periods', () => {
  test.each([
    ['DAY', '2026-11-21', '2026-11-21', '2026-11-21'],
    ['WEEK', '2026-11-21', '2026-11-16', '2026-11-22'], // a Saturday
    ['WEEK', '2026-11-22', '2026-11-16', '2026-11-22'], // a Sunday
    ['WEEK', '2026-11-23', '2026-11-23', '2026-11-29'], // a Monday
    ['WEEK', '2027-01-01', '2026-12-28', '2027-01-03'], // over the turn of the year
    ['MONTH', '2026-12-31', '2026-12-01', '2026-12-31'],
    ['MONTH', '2028-02-10', '2028-02-01', '2028-02-29'], // a leap year
  ] as const)('%s of %s', (period, day, start, end) => {
    expect([periodStart(period, day), periodEnd(period, day)]).toEqual([start, end]);
  });

  test('every day is in exactly the period that starts on its period start', () => {
    const someDay = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }).map(utcDay);
    fc.assert(
      fc.property(someDay, fc.constantFrom('DAY', 'WEEK', 'MONTH'), (day, period) => {
        const [start, end] = [periodStart(period, day), periodEnd(period, day)];
        for (const other of daysBetween(start, end)) expect(periodStart(period, other)).toBe(start);
        expect(start <= day && day <= end).toBe(true);
        expect(periodStart(period, utcDay(dayStartMs(end)! + 86_400_000))).toBe(utcDay(dayStartMs(end)! + 86_400_000));
      }),
    );
  });

  test.each(['2026-02-30', '2026-1-01', '20260101', '', '2026-01-01T00:00:00Z', 'today'])('"%s" is not a day', (text) => {
    expect(dayStartMs(text)).toBeNull();
  });

  test('the days of a range include both ends', () => {
    expect(daysBetween('2026-02-27', '2026-03-01')).toEqual(['2026-02-27', '2026-02-28', '2026-03-01']);
    expect(daysBetween('2026-03-01', '2026-02-27')).toEqual([]);
  });
});
