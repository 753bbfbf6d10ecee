/** What callers are told of their limits, by a plan of the management API and a real node, over both protocols. */
import { connect } from 'node:http2';
import { tenantOperations } from '@gatehouse/control-tenants';
import { usagePlanOperations } from '@gatehouse/control-usage-plans';
import { randomIds, systemClock } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CONTEXT, serveApi, type ServedApi } from './imported-api.js';
import { testFolder } from './harness.js';

let scope: Awaited<ReturnType<typeof testFolder>>;
let api: ServedApi;
const KEY = 'k'.repeat(40);

beforeEach(async () => {
  scope = await testFolder();
  api = await serveApi(scope, DOCUMENT);
  const { CreateUsagePlan, CreateApiKey, CreateUsagePlanKey } = usagePlanOperations({
    store: api.store.tenants,
    clock: systemClock,
    ids: randomIds,
  });
  const plan = await CreateUsagePlan(CONTEXT, {
    name: 'gold',
    apiStages: [{ apiId: api.restApiId, stage: 'prod' }],
    quota: { limit: 3, period: 'DAY' },
    throttle: { rateLimit: 100, burstLimit: 200 },
  });
  const key = await CreateApiKey(CONTEXT, { name: 'caller', value: KEY, enabled: true });
  await CreateUsagePlanKey(CONTEXT, { usagePlanId: plan.id!, keyId: key.id!, keyType: 'API_KEY' });
});
afterEach(() => scope.close());

const mock = (statusCode: string) => ({
  responses: { [statusCode]: { description: '' } },
  'x-amazon-apigateway-integration': {
    type: 'mock',
    requestTemplates: { 'application/json': `{"statusCode": ${statusCode}}` },
    responses: { default: { statusCode } },
  },
});

const DOCUMENT = {
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  components: { securitySchemes: { api_key: { type: 'apiKey', name: 'x-api-key', in: 'header' } } },
  paths: { '/keyed': { get: { ...mock('200'), security: [{ api_key: [] }] } }, '/open': { get: mock('200') } },
};

const keyed = () => api.ask('/keyed', { headers: { 'x-api-key': KEY } });

test('on answers of keyed routes and on 429, and not elsewhere; a tag of the stage makes it as on AWS', async () => {
  const first = await vi.waitFor(async () => {
    const answer = await keyed();
    if (answer.status !== 200) throw new Error(`${answer.status}: the key is not there yet`);
    return answer;
  });
  expect(first.headers['ratelimit-policy']).toBe('"quota";q=3;w=86400, "plan";q=200;w=2');
  expect(first.headers['ratelimit']).toMatch(/^"quota";r=2;t=\d{1,5}, "plan";r=199;t=1$/);
  expect(first.headers['retry-after']).toBeUndefined();

  const session = connect(`http://127.0.0.1:${api.node.port}`);
  const stream = session.request({ ':path': `/_aws/execute-api/${api.restApiId}/prod/keyed`, 'x-api-key': KEY });
  const second = await new Promise<Record<string, unknown>>((resolve) => stream.on('response', resolve));
  stream.resume();
  session.close();
  expect([second[':status'], second['ratelimit-policy'], second['ratelimit']]).toEqual([
    200,
    '"quota";q=3;w=86400, "plan";q=200;w=2',
    expect.stringMatching(/^"quota";r=1;/),
  ]);

  await keyed();
  const refused = await keyed();
  expect([refused.status, String(refused.body)]).toEqual([429, '{"message":"Limit Exceeded"}']);
  expect(refused.headers['ratelimit']).toMatch(/^"quota";r=0;t=(\d+), /);
  expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(86_400);

  const names = ['ratelimit', 'ratelimit-policy', 'retry-after'];
  const told = (headers: object) => names.filter((name) => Object.hasOwn(headers, name));
  expect(told((await api.ask('/open')).headers)).toEqual([]);
  expect(told((await api.ask('/keyed')).headers)).toEqual([]);

  const resourceArn = `arn:aws:apigateway:us-east-1::/restapis/${api.restApiId}/stages/prod`;
  const { TagResource } = tenantOperations({ store: api.store.tenants });
  await TagResource(CONTEXT, { resourceArn, tags: { 'gatehouse:limit-headers': 'off' } });
  await vi.waitFor(async () => {
    const answer = await keyed();
    expect([answer.status, told(answer.headers)]).toEqual([429, []]);
  });
});
