import { InMemoryStore, tenantId, type MetricSample, type RestApi, type Stage } from '@gatehouse/domain';
import { Histogram } from '@gatehouse/telemetry';
import { beforeEach, describe, expect, test } from 'vitest';
import { metricStatistics, type StatisticsQuestion } from './metric-statistics.js';

const TENANT = tenantId('111122223333');
const STRANGER = tenantId('444455556666');
const START = Date.UTC(2026, 0, 1) / 1000;

function times(...ms: readonly number[]): MetricSample['latency'] {
  const histogram = new Histogram();
  for (const each of ms) histogram.record(each);
  return histogram.toData();
}

function sample(over: Partial<MetricSample> & { apiId: string }): MetricSample & { tenant: string } {
  return {
    tenant: TENANT,
    stage: 'prod',
    resource: '/pets',
    httpMethod: 'GET',
    startSeconds: START,
    count: 4,
    errors4xx: 1,
    errors5xx: 0,
    cacheHits: 3,
    cacheMisses: 1,
    latency: times(10, 10, 10, 30),
    integrationLatency: times(),
    ...over,
  };
}

const insertApi = (id: string, name: string) =>
  store.tenants.transact(TENANT, (tx) => tx.restApis.insert({ id, name, createdAtMs: 0 } as RestApi));

/** `detailed`: whether a method has metrics of its own, by key of its settings. */
const setStage = (apiId: string, stageName: string, detailed: Readonly<Record<string, boolean>>) =>
  store.tenants.transact(TENANT, async (tx) => {
    const settings = Object.entries(detailed).map(([key, metricsEnabled]) => [key, { metricsEnabled }]);
    await tx.stages.remove({ apiId, stageName });
    await tx.stages.insert({
      apiId,
      stageName,
      methodSettings: Object.fromEntries(settings) as Stage['methodSettings'],
    } as Stage);
  });

let store: InMemoryStore;
let sequence = 0;
beforeEach(async () => {
  store = new InMemoryStore();
  await insertApi('pets', 'pets');
  await insertApi('other', 'other');
});

const apply = (...metrics: readonly (MetricSample & { tenant: string })[]) =>
  store.metering.apply({ nodeId: 'n', epoch: 1, sequence: ++sequence, usage: [], metrics });

const ask = (over: Partial<StatisticsQuestion> = {}, tenant = TENANT) =>
  metricStatistics(store.tenants, tenant, {
    metricName: 'Count',
    apiName: 'pets',
    startTime: new Date(START * 1000),
    endTime: new Date((START + 300) * 1000),
    periodSeconds: 60,
    statistics: ['Sum'],
    ...over,
  });

const ALL = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'];
const point = (values: Readonly<Record<string, number>>, minute = 0, Unit = 'Count') => ({
  Timestamp: new Date((START + minute * 60) * 1000).toISOString(),
  Unit,
  ...values,
});

test('requests are counted by name of the API, and the average of errors is their rate', async () => {
  await apply(
    sample({ apiId: 'pets' }),
    sample({ apiId: 'pets', stage: 'dev', count: 6, errors4xx: 0, startSeconds: START + 60 }),
  );
  await apply(sample({ apiId: 'other', count: 100 }));
  expect(await ask()).toEqual({ Label: 'Count', Datapoints: [point({ Sum: 4 }), point({ Sum: 6 }, 1)] });
  expect((await ask({ metricName: '4XXError', statistics: ALL })).Datapoints).toEqual([
    point({ SampleCount: 4, Average: 0.25, Sum: 1, Minimum: 0, Maximum: 1 }),
    point({ SampleCount: 6, Average: 0, Sum: 0, Minimum: 0, Maximum: 0 }, 1),
  ]);
  expect((await ask({ metricName: '4XXError', statistics: ['Average'], periodSeconds: 300 })).Datapoints).toEqual([
    point({ Average: 0.1 }),
  ]);
  expect((await ask({ stage: 'dev' })).Datapoints).toEqual([point({ Sum: 6 }, 1)]);
});

test('hits and misses of caches, and errors of ours', async () => {
  await apply(sample({ apiId: 'pets', errors5xx: 2 }));
  const sums = ['CacheHitCount', 'CacheMissCount', '5XXError'].map(
    async (metricName) => (await ask({ metricName })).Datapoints[0]!.Sum,
  );
  expect(await Promise.all(sums)).toEqual([3, 1, 2]);
});

test('latencies in milliseconds, with percentiles; a method without a backend has no integration latency', async () => {
  await apply(sample({ apiId: 'pets' }));
  const { Datapoints } = await ask({ metricName: 'Latency', statistics: [...ALL, 'p50', 'p99'] });
  expect(Datapoints).toEqual([
    {
      ...point({ SampleCount: 4, Average: 15, Sum: 60, Maximum: 30 }, 0, 'Milliseconds'),
      Minimum: expect.closeTo(10, 0) as number,
      ExtendedStatistics: { p50: expect.closeTo(10, 0) as number, p99: expect.closeTo(30, 0) as number },
    },
  ]);
  expect((await ask({ metricName: 'IntegrationLatency' })).Datapoints).toEqual([]);
  await apply(sample({ apiId: 'pets', integrationLatency: times(8) }));
  expect((await ask({ metricName: 'IntegrationLatency', statistics: ['Sum'] })).Datapoints).toEqual([
    point({ Sum: 8 }, 0, 'Milliseconds'),
  ]);
});

test('a method is a metric of its own where its stage asks for detailed ones', async () => {
  await apply(sample({ apiId: 'pets' }), sample({ apiId: 'pets', resource: '/', count: 7 }));
  const method = { stage: 'prod', resource: '/pets', method: 'GET' };
  expect((await ask(method)).Datapoints).toEqual([]);
  await setStage('pets', 'prod', { 'pets/GET': true, '*/*': false });
  expect((await ask(method)).Datapoints).toEqual([point({ Sum: 4 })]);
  expect((await ask({ ...method, resource: '/' })).Datapoints).toEqual([]);
  await setStage('pets', 'prod', { 'pets/GET': false, '*/*': true });
  expect((await ask(method)).Datapoints).toEqual([]);
  expect((await ask({ ...method, resource: '/' })).Datapoints).toEqual([point({ Sum: 7 })]);
});

test('names are without what is not ASCII, and an API without a name left is its id', async () => {
  await insertApi('cafe', 'café');
  await insertApi('inu', '犬');
  await apply(sample({ apiId: 'cafe', count: 1 }), sample({ apiId: 'inu', count: 2 }));
  expect((await ask({ apiName: 'caf' })).Datapoints).toEqual([point({ Sum: 1 })]);
  expect((await ask({ apiName: 'inu' })).Datapoints).toEqual([point({ Sum: 2 })]);
});

test("another tenant's API of the same name is none of ours", async () => {
  await apply(sample({ apiId: 'pets' }));
  expect((await ask({}, STRANGER)).Datapoints).toEqual([]);
});

describe('refused', () => {
  test.each<[string, Partial<StatisticsQuestion>, string]>([
    ['a metric nobody knows', { metricName: 'Coun' }, 'Invalid metricName "Coun"'],
    ['a period of half a minute', { periodSeconds: 30 }, 'Invalid period 30'],
    ['a range that ends before it begins', { endTime: new Date(0) }, 'Invalid range: startTime must be before endTime'],
    ['too many data points', { startTime: new Date((START - 86_400) * 1000) }, 'Invalid range: 1445 data points, at most 1440'],
    ['no statistic', { statistics: [] }, 'Invalid statistics'],
    ['a statistic nobody knows', { statistics: ['Median'] }, 'Invalid statistic "Median"'],
    ['a percentile of a count', { statistics: ['p99'] }, 'Invalid statistic "p99"'],
    ['half a method', { stage: 'prod', method: 'GET' }, 'Invalid dimensions: resource and method go together'],
    ['a method without its stage', { resource: '/', method: 'GET' }, 'Invalid dimensions: a method is one of a stage'],
  ])('%s', async (_, over, message) => {
    await expect(ask(over)).rejects.toThrow(message);
  });
});
