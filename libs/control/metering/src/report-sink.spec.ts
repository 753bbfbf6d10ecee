import { create } from '@bufbuild/protobuf';
import { ReportBatchSchema } from '@gatehouse/contracts';
import { InMemoryStore, tenantId } from '@gatehouse/domain';
import { expect, test } from 'vitest';
import { queryMetrics } from './query-metrics.js';
import { createReportSink } from './report-sink.js';

const TENANT = tenantId('111122223333');
const MINUTE = Date.parse('2026-01-05T09:00:00Z') / 1000;

function setUp() {
  const store = new InMemoryStore();
  const problems: object[] = [];
  const log = { info: () => {}, warn: () => {}, error: (fields: object) => problems.push(fields) };
  return { store, problems, sink: createReportSink({ metering: store.metering, log }) };
}

const sample = (fields: object = {}) => ({
  tenant: TENANT as string,
  apiId: 'api',
  stage: 'dev',
  resource: '/pets',
  httpMethod: 'GET',
  minute: BigInt(MINUTE),
  count: 3n,
  errors4xx: 1n,
  errors5xx: 0n,
  latency: { bucketIndexes: [0, 40], bucketCounts: [2n, 1n], count: 3n, sumMs: 0.9, maxMs: 0.8 },
  ...fields,
});
const question = { apiId: 'api', from: new Date(MINUTE * 1000), to: new Date(MINUTE * 1000 + 60_000), period: 'MINUTE' } as const;

test('usage and metrics of a batch are in the sums once however often it comes', async () => {
  const { store, sink } = setUp();
  const batch = create(ReportBatchSchema, {
    nodeId: 'n',
    epoch: 1n,
    sequence: 1n,
    usage: [{ tenant: TENANT, usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-05', count: 4n }],
    metrics: [sample()],
  });
  for (let time = 0; time < 3; time++) await sink(batch);
  expect(await store.metering.usedInPeriod(TENANT, 'plan', 'key', '2026-01-05', '2026-01-05')).toBe(4);
  expect((await queryMetrics(store.tenants, TENANT, question)).points).toMatchObject([{ count: 3, '4XXError': 1 }]);
});

test('lines that can never be stored are dropped and named in the log; the rest of the batch counts', async () => {
  const { store, sink, problems } = setUp();
  const usage = { tenant: TENANT as string, usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-05', count: 4n };
  await sink(
    create(ReportBatchSchema, {
      nodeId: 'n',
      epoch: 1n,
      sequence: 1n,
      usage: [usage, { ...usage, day: '2026-13-01' }, { ...usage, count: 2n ** 60n }],
      metrics: [sample({ latency: { bucketIndexes: [1], bucketCounts: [], count: 0n, sumMs: 0, maxMs: 0 } })],
    }),
  );
  expect(await store.metering.usedInPeriod(TENANT, 'plan', 'key', '2026-01-01', '2026-12-31')).toBe(4);
  expect(problems).toEqual([{ node: 'n', epoch: 1, sequence: 1, droppedCount: 3 }]);
});

test('a series adds up everything the filters leave, period by period, with percentiles of the merged histograms', async () => {
  const { store, sink } = setUp();
  const metrics = [
    sample({ cacheHits: 2n, cacheMisses: 1n }),
    sample({
      cacheMisses: 1n,
      httpMethod: 'POST',
      latency: { bucketIndexes: [40], bucketCounts: [1n], count: 1n, sumMs: 0.8, maxMs: 0.8 },
      count: 1n,
    }),
    sample({ minute: BigInt(MINUTE + 60), errors5xx: 3n }),
    sample({ apiId: 'other' }),
  ];
  await sink(create(ReportBatchSchema, { nodeId: 'n', epoch: 1n, sequence: 1n, metrics }));
  const series = await queryMetrics(store.tenants, TENANT, { ...question, to: new Date(MINUTE * 1000 + 90_000) });
  expect(series.points).toEqual([
    {
      timestamp: '2026-01-05T09:00:00.000Z',
      count: 4,
      '4XXError': 2,
      '5XXError': 0,
      cacheHitCount: 2,
      cacheMissCount: 2,
      latency: {
        average: expect.closeTo(1.7 / 4),
        p50: 1 / 128,
        p90: expect.closeTo(0.76, 1),
        p99: expect.closeTo(0.76, 1),
        max: 0.8,
      },
      integrationLatency: { average: 0, p50: 0, p90: 0, p99: 0, max: 0 },
    },
    expect.objectContaining({ timestamp: '2026-01-05T09:01:00.000Z', count: 3, '5XXError': 3 }),
  ]);
  const posts = await queryMetrics(store.tenants, TENANT, { ...question, httpMethod: 'POST' });
  expect(posts.points).toMatchObject([{ count: 1 }]);
  expect((await queryMetrics(store.tenants, tenantId('999999999999'), question)).points, "another tenant's").toEqual([]);
});

for (const [why, from, to] of [
  ['the wrong way round', 60_000, 0],
  ['of more than 1,440 periods', 0, 1_441 * 60_000],
  ['that is none', Number.NaN, 0],
] as const) {
  test(`a range ${why} is a bad request`, async () => {
    const { store } = setUp();
    const asked = queryMetrics(store.tenants, TENANT, { ...question, from: new Date(from), to: new Date(to) });
    await expect(asked).rejects.toMatchObject({ type: 'BadRequestException' });
  });
}
