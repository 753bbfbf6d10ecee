/** The control plane's own endpoints, with real nodes on real streams: health, readiness, nodes, rollouts, metrics. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Secret } from '@gatehouse/kernel';
import {
  createMockApi,
  packageOf,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type RawRequest,
  type TestTenant,
} from '@gatehouse/testkit';
import { openNode, TextWorld } from '@gatehouse/tools-node-link';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-admin-'));
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
});
afterAll(async () => {
  await house.close();
  await rm(folder, { recursive: true, force: true });
  expect(bugs).toEqual([]);
});

type Role = 'DATA_PLANE' | 'FUNCTION_RUNNER';
let nodeCount = 0;

/** A node that takes everything, or what `apply` takes; gone at the end of the test. */
async function connect(role: Role, options: Parameters<typeof openNode>[2] = {}) {
  const node = await openNode(path.join(folder, `node-${++nodeCount}`), house.plane.grpcPort, {
    token: house.config.nodeToken,
    role,
    ...options,
  });
  onTestFinished(() => node.link.close());
  node.link.connect();
  await vi.waitFor(
    async () => expect(await nodes()).toContainEqual(expect.objectContaining({ nodeId: node.link.nodeId, connected: true })),
    WAIT,
  );
  return node;
}

const WAIT = { timeout: 10_000, interval: 20 };

interface NodeView {
  readonly nodeId: string;
  readonly role: Role;
  readonly connected: boolean;
  readonly ackedRevision: number;
}
const nodes = async (): Promise<NodeView[]> => ((await json({ path: '/admin/v1/nodes' })).body as { nodes: NodeView[] }).nodes;

async function json(request: RawRequest, by: TestTenant = tenant): Promise<{ status: number; body: unknown }> {
  const { status, text } = await by.send(request);
  return { status, body: JSON.parse(text) as unknown };
}

test('/healthz answers anybody', async () => {
  expect(await json({ path: '/healthz', signature: null })).toEqual({ status: 200, body: { status: 'ok' } });
});

test('/metrics answers anybody, and says how often a node had another manifest than it should', async () => {
  const { status, text } = await tenant.send({ path: '/metrics', signature: null });
  expect(status).toBe(200);
  expect(text).toMatch(/^gatehouse_control_manifest_mismatches 0$/m);
});

describe('/readyz', () => {
  const ready = () => json({ path: '/readyz', signature: null });
  const database = { name: 'database', ok: true, detail: '' };

  test('is 503 and names what is missing until a node and a function runner are connected and serve everything', async () => {
    const nobody = (name: string) => ({ name, ok: false, detail: 'none is connected' });
    expect(await json({ path: '/readyz/self', signature: null }), 'of the control plane alone').toEqual({
      status: 200,
      body: { status: 'ready', checks: [database] },
    });
    expect(await ready()).toEqual({
      status: 503,
      body: { status: 'not ready', checks: [database, nobody('data-plane'), nobody('function-runner')] },
    });
    await connect('DATA_PLANE');
    await vi.waitFor(async () => {
      const { status, body } = await ready();
      expect([status, body]).toEqual([
        503,
        { status: 'not ready', checks: [database, { name: 'data-plane', ok: true, detail: '' }, nobody('function-runner')] },
      ]);
    }, WAIT);
    const runner = await connect('FUNCTION_RUNNER');
    await vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 200, body: { status: 'ready' } }), WAIT);
    await runner.link.close();
    await vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 503 }), WAIT);
  });

  test('is 503 while what was published is not served yet', async () => {
    const gate = Promise.withResolvers<void>();
    const world = new TextWorld();
    await connect('FUNCTION_RUNNER');
    await connect('DATA_PLANE', {
      apply: async (change, getBlob) => {
        if (change.entries.some(({ kind }) => kind === 'STAGE')) await gate.promise;
        return world.apply(change, getBlob);
      },
    });
    await vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 200 }), WAIT);
    const { restApiId } = await createMockApi(tenant.apiGateway);
    await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
    await vi.waitFor(async () => {
      const { status, body } = await ready();
      expect(status).toBe(503);
      expect(body).toMatchObject({
        checks: [database, { name: 'data-plane', ok: false, detail: expect.stringMatching(/^serves revision \d+ of \d+$/) }, {}],
      });
    }, WAIT);
    gate.resolve();
    await vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 200 }), WAIT);
  });
});

describe('diagnostics of a stage', () => {
  const diagnostics = (apiId: string, by: TestTenant = tenant) =>
    json({ path: `/admin/v1/apis/${apiId}/stages/dev/diagnostics` }, by);

  test('say that nobody serves an API whose pool has no nodes; with one, it moves there, and away from where it was', async () => {
    const { restApiId } = await createMockApi(tenant.apiGateway);
    await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
    const key = `STAGE ${restApiId}/dev`;
    const usual = new TextWorld();
    await connect('DATA_PLANE', { world: usual });
    await vi.waitFor(() => expect(usual.texts.has(key)).toBe(true), WAIT);
    const resourceArn = `arn:aws:apigateway:us-east-1::/restapis/${restApiId}`;
    await tenant.apiGateway.tagResource({ resourceArn, tags: { 'gatehouse:pool': 'eu' } });
    await vi.waitFor(() => expect(usual.texts.has(key)).toBe(false), WAIT);
    expect((await diagnostics(restApiId)).body).toEqual({
      diagnostics: [
        { severity: 'warning', path: 'tags.gatehouse:pool', message: expect.stringContaining('no node of pool "eu"') },
      ],
    });
    const eu = new TextWorld();
    await connect('DATA_PLANE', { world: eu, labels: { pool: 'eu' } });
    await vi.waitFor(() => expect([...eu.texts.keys()]).toEqual([key]), WAIT);
    expect((await diagnostics(restApiId)).body).toEqual({ diagnostics: [] });
    await tenant.apiGateway.untagResource({ resourceArn, tagKeys: ['gatehouse:pool'] });
    await vi.waitFor(() => expect([usual.texts.has(key), eu.texts.has(key)]).toEqual([true, false]), WAIT);
  });

  test('name what is deployed but refused at request time, to its owner alone', async () => {
    const { restApiId, key } = await createMockApi(tenant.apiGateway);
    await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
    expect(await diagnostics(restApiId)).toEqual({ status: 200, body: { diagnostics: [] } });

    const unnamed = `arn:aws:lambda:us-east-1:${tenant.account}:function:\${stageVariables.guard}`;
    const { id } = await tenant.apiGateway.createAuthorizer({
      restApiId,
      name: 'guard',
      type: 'TOKEN',
      authorizerUri: `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${unnamed}/invocations`,
      identitySource: 'method.request.header.Auth',
    });
    await tenant.apiGateway.updateMethod({
      ...key,
      patchOperations: [
        { op: 'replace', path: '/authorizationType', value: 'CUSTOM' },
        { op: 'replace', path: '/authorizerId', value: id! },
      ],
    });
    await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
    const { body } = await diagnostics(restApiId);
    expect(body).toEqual({
      diagnostics: [
        {
          severity: 'warning',
          path: expect.stringContaining(key.httpMethod),
          message: expect.stringContaining('names no function'),
        },
      ],
    });
    const unknown = { status: 404, body: { type: 'NotFoundException', message: 'Invalid stage identifier specified' } };
    expect(await diagnostics(restApiId, await house.tenant())).toEqual(unknown);
    expect(await diagnostics('nosuchapi0')).toEqual(unknown);
  });
});

describe('the placement of a tenant', () => {
  const at = (account: string) => `/admin/v1/tenants/${account}/placement`;
  const operator = { authorization: `Bearer ` };
  beforeAll(() => void (operator.authorization += house.config.operatorToken.reveal()));
  const asOperator = (method: string, body?: string, account = placed.account) =>
    json({ method, path: at(account), headers: operator, signature: null, ...(body !== undefined && { body }) });
  let placed: TestTenant;
  beforeAll(async () => void (placed = await house.tenant()));

  test('sends its stages, plans, keys and functions to the nodes and runners of the pool, and the others forget them', async () => {
    const { restApiId } = await createMockApi(placed.apiGateway);
    await placed.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
    const { id: keyId } = await placed.apiGateway.createApiKey({ name: 'k', enabled: true });
    const { id: planId } = await placed.apiGateway.createUsagePlan({
      name: 'p',
      apiStages: [{ apiId: restApiId, stage: 'dev' }],
    });
    await placed.apiGateway.createUsagePlanKey({ usagePlanId: planId!, keyId: keyId!, keyType: 'API_KEY' });
    await placed.lambda.createFunction({
      FunctionName: 'hello',
      Runtime: 'nodejs22.x',
      Role: 'arn:aws:iam::111111111111:role/lambda',
      Handler: 'index.handler',
      Code: { ZipFile: await packageOf('index.mjs', 'export const handler = async () => 1;') },
    });
    const tagged = await createMockApi(placed.apiGateway);
    const resourceArn = `arn:aws:apigateway:us-east-1::/restapis/${tagged.restApiId}`;
    await placed.apiGateway.tagResource({ resourceArn, tags: { 'gatehouse:pool': 'default' } });
    await placed.apiGateway.createDeployment({ restApiId: tagged.restApiId, stageName: 'dev' });

    const moving = [`STAGE ${restApiId}/dev`, `USAGE_PLAN ${planId}`, `API_KEY ${keyId}`];
    const staying = `STAGE ${tagged.restApiId}/dev`;
    const hello = `FUNCTION ${placed.account}:hello:$LATEST`;
    const worlds = { usual: new TextWorld(), usualRunner: new TextWorld(), ap: new TextWorld(), apRunner: new TextWorld() };
    await connect('DATA_PLANE', { world: worlds.usual });
    await connect('FUNCTION_RUNNER', { world: worlds.usualRunner });
    await connect('DATA_PLANE', { world: worlds.ap, labels: { pool: 'ap' } });
    await connect('FUNCTION_RUNNER', { world: worlds.apRunner, labels: { pool: 'ap' } });
    const all = [...moving, staying, hello];
    const held = () =>
      Object.fromEntries(Object.entries(worlds).map(([name, world]) => [name, all.filter((key) => world.texts.has(key))]));
    const atHome = { usual: [...moving, staying], usualRunner: [hello], ap: [], apRunner: [] };
    await vi.waitFor(() => expect(held()).toEqual(atHome), WAIT);

    const answer = { status: 200, body: { tenant: placed.account, pool: 'ap', isDefault: false } };
    expect(await asOperator('PUT', '{"pool":"ap"}')).toEqual(answer);
    // The tagged API names the default pool, and may call any function of its tenant there.
    await vi.waitFor(
      () => expect(held()).toEqual({ usual: [staying], usualRunner: [hello], ap: moving, apRunner: [hello] }),
      WAIT,
    );
    expect(await asOperator('GET')).toEqual(answer);
    await placed.apiGateway.deleteRestApi({ restApiId: tagged.restApiId });
    await vi.waitFor(() => expect(held()).toEqual({ usual: [], usualRunner: [], ap: moving, apRunner: [hello] }), WAIT);

    const home = { status: 200, body: { tenant: placed.account, pool: 'default', isDefault: true } };
    expect(await asOperator('DELETE')).toEqual(home);
    expect(await asOperator('GET')).toEqual(home);
    await vi.waitFor(() => expect(held()).toEqual({ usual: moving, usualRunner: [hello], ap: [], apRunner: [] }), WAIT);
    await asOperator('PUT', '{"pool":"nowhere"}');
    expect((await json({ path: `/admin/v1/apis/${restApiId}/stages/dev/diagnostics` }, placed)).body).toEqual({
      diagnostics: [
        { severity: 'warning', path: 'placement of the tenant', message: expect.stringContaining('no node of pool "nowhere"') },
      ],
    });
    await asOperator('DELETE');
  });

  test("is the operator's alone: no tenant reads or changes it, not even its own", async () => {
    const denied = {
      status: 403,
      body: { type: 'AccessDeniedException', message: expect.stringContaining('Only the operator') },
    };
    const missing = {
      status: 403,
      body: { type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' },
    };
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const request = { method, path: at(placed.account), ...(method === 'PUT' && { body: '{"pool":"eu"}' }) };
      expect(await json(request, placed)).toEqual(denied);
      expect(await json({ ...request, headers: { authorization: 'Bearer wrong' }, signature: null })).toEqual(denied);
      expect(await json({ ...request, signature: null })).toEqual(missing);
    }
    expect((await asOperator('GET')).body).toMatchObject({ isDefault: true });
  });

  test.each([
    ['no JSON', 'pool', 'Invalid body: expected JSON like {"pool": "eu"}'],
    ['another member', '{"pool":"eu","zone":"a"}', 'Unrecognized key: "zone"'],
    ['no text', '{"pool":7}', 'expected string, received number'],
    ['what no node can be named', '{"pool":"e u"}', 'Invalid value for /pool: expected the name of a pool'],
    ['nothing', '{"pool":""}', 'Invalid value for /pool: expected the name of a pool'],
  ])('with %s is refused', async (_name, body, message) => {
    expect(await asOperator('PUT', body)).toEqual({
      status: 400,
      body: { type: 'BadRequestException', message: expect.stringContaining(message) },
    });
  });

  test('of nobody is not found', async () => {
    for (const account of ['999999999999', 'x', '%2F']) expect((await asOperator('GET', undefined, account)).status).toBe(404);
  });

  test('whatever is published while the tenant moves goes where it moved to', async () => {
    const { restApiId } = await createMockApi(placed.apiGateway);
    await Promise.all([
      ...['a', 'b', 'c', 'd'].map((stageName) => placed.apiGateway.createDeployment({ restApiId, stageName })),
      asOperator('PUT', '{"pool":"ap"}'),
      ...['e', 'f', 'g', 'h'].map((stageName) => placed.apiGateway.createDeployment({ restApiId, stageName })),
    ]);
    const rows = await house.query<{ pools: string[] }>(
      `SELECT DISTINCT pools FROM manifest_entries WHERE tenant_id = $1 AND kind = 'STAGE' AND NOT removed`,
      [placed.account],
    );
    expect(rows).toEqual([{ pools: ['ap'] }]);
    await asOperator('DELETE');
  });
});

describe('x-gatehouse-wait: live', () => {
  const deploy = (restApiId: string, headers: Readonly<Record<string, string>>) =>
    tenant.send({
      method: 'POST',
      path: `/restapis/${restApiId}/deployments`,
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"stageName":"dev"}',
    });

  test('answers when the node serves the deployment, and the rollout says so', async () => {
    const { link, world } = await connect('DATA_PLANE');
    const { restApiId } = await createMockApi(tenant.apiGateway);
    const { status, text } = await deploy(restApiId, { 'x-gatehouse-wait': 'live' });
    expect(status).toBe(201);
    expect(Object.keys(world.content)).toContain(`STAGE ${restApiId}/dev`);
    const { id: deploymentId } = JSON.parse(text) as { id: string };
    const rollout = await json({ path: `/admin/v1/rollouts/${deploymentId}` });
    expect(rollout).toMatchObject({ status: 200, body: { deploymentId, stages: [{ apiId: restApiId, stageName: 'dev' }] } });
    const [stage] = (rollout.body as { stages: { revision: number; nodes: object[] }[] }).stages;
    expect(stage!.nodes).toContainEqual({
      nodeId: link.nodeId,
      connected: true,
      revision: stage!.revision,
      acknowledged: true,
      timeToLiveMs: expect.any(Number),
      refusal: null,
    });

    const stranger = await house.tenant();
    const nothing = { status: 404, body: { type: 'NotFoundException', message: 'Invalid Deployment identifier specified' } };
    expect(await json({ path: `/admin/v1/rollouts/${deploymentId}` }, stranger)).toEqual(nothing);
    expect(await json({ path: '/admin/v1/rollouts/nobody' })).toEqual(nothing);

    // UpdateStage waits likewise.
    const { status: updated } = await tenant.send({
      method: 'PATCH',
      path: `/restapis/${restApiId}/stages/dev`,
      headers: { 'content-type': 'application/json', 'x-gatehouse-wait': 'live' },
      body: '{"patchOperations":[{"op":"replace","path":"/variables/a","value":"seen"}]}',
    });
    expect(updated).toBe(200);
    expect(world.content[`STAGE ${restApiId}/dev`]).toContain('seen');
  });

  test('names the node that refuses; the change stays, and the rollout shows the reason', async () => {
    const { link } = await connect('DATA_PLANE', {
      apply: ({ entries }) =>
        entries.filter(({ kind }) => kind === 'STAGE').map(({ kind, id }) => ({ kind, id, reason: 'does not link' })),
    });
    const { restApiId } = await createMockApi(tenant.apiGateway);
    const { status, headers, text } = await deploy(restApiId, {
      'x-gatehouse-wait': 'live',
      'x-gatehouse-wait-timeout-ms': '5000',
    });
    expect([status, headers['x-amzn-errortype']]).toEqual([503, 'ServiceUnavailableException']);
    expect(text).toContain(link.nodeId);
    const { deploymentId } = await tenant.apiGateway.getStage({ restApiId, stageName: 'dev' });
    expect(JSON.stringify((await json({ path: `/admin/v1/rollouts/${deploymentId}` })).body)).toContain('does not link');
  });

  test('with a value nobody knows is refused before anything is changed', async () => {
    const { restApiId } = await createMockApi(tenant.apiGateway);
    expect((await deploy(restApiId, { 'x-gatehouse-wait': 'forever' })).text).toBe(
      '{"message":"Invalid value for header x-gatehouse-wait: expected \\"live\\", got \\"forever\\""}',
    );
    expect((await deploy(restApiId, { 'x-gatehouse-wait': 'live', 'x-gatehouse-wait-timeout-ms': '-1' })).status).toBe(400);
    expect((await tenant.apiGateway.getDeployments({ restApiId })).items).toEqual([]);
  });
});

describe('what nodes report', () => {
  test('is in GetUsage, /admin/v1/usage and /admin/v1/metrics of its tenant, and of nobody else', async () => {
    const { link } = await connect('DATA_PLANE');
    const api = tenant.apiGateway;
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const { id: keyId } = await api.createApiKey({ name: 'k', enabled: true });
    const { id: usagePlanId } = await api.createUsagePlan({
      name: 'p',
      apiStages: [{ apiId: restApiId, stage: 'dev' }],
      quota: { limit: 10, period: 'DAY' },
    });
    await api.createUsagePlanKey({ usagePlanId, keyId, keyType: 'API_KEY' });
    const day = new Date().toISOString().slice(0, 10);
    const minute = BigInt(Math.floor(Date.now() / 60_000) * 60);
    const latency = { bucketIndexes: [1], bucketCounts: [3n], count: 3n, sumMs: 6, maxMs: 3 };
    const batch = {
      epoch: link.epoch,
      sequence: 1,
      usage: [{ tenant: tenant.account, usagePlanId: usagePlanId!, apiKeyId: keyId!, day, count: 4n }],
      metrics: [
        {
          tenant: tenant.account,
          apiId: restApiId,
          stage: 'dev',
          resource: '/users',
          httpMethod: 'GET',
          minute,
          count: 3n,
          errors4xx: 1n,
          errors5xx: 1n,
          cacheHits: 2n,
          latency,
        },
      ],
    };
    // However often it is sent, it counts once.
    expect(await Promise.all([link.report(batch), link.report(batch)])).toEqual([true, true]);
    expect((await api.getUsage({ usagePlanId, startDate: day, endDate: day })).items).toEqual({ [keyId!]: [[4, 6]] });

    const usage = { path: '/admin/v1/usage', query: { from: day, to: day } };
    expect(await json(usage)).toEqual({
      status: 200,
      body: { tenant: tenant.account, items: [{ usagePlanId, apiKeyId: keyId, day, count: 4 }], position: null },
    });
    expect(await json(usage, await house.tenant())).toMatchObject({ status: 200, body: { items: [] } });
    expect(await json({ ...usage, query: { from: day } })).toMatchObject({
      status: 400,
      body: { type: 'BadRequestException' },
    });

    const query = { apiId: restApiId, stage: 'dev', resource: '/users', httpMethod: 'GET', period: 'MINUTE' };
    const series = await json({ path: '/admin/v1/metrics', query });
    expect(series).toMatchObject({
      status: 200,
      body: {
        apiId: restApiId,
        points: [
          {
            timestamp: new Date(Number(minute) * 1000).toISOString(),
            count: 3,
            '4XXError': 1,
            '5XXError': 1,
            latency: { average: 2, max: 3 },
          },
        ],
      },
    });
    expect(await json({ path: '/admin/v1/metrics', query }, await house.tenant())).toMatchObject({
      status: 200,
      body: { points: [] },
    });
    const { name: apiName } = await api.getRestApi({ restApiId });
    const statistics = { apiName: apiName!, stage: 'dev', statistics: 'Sum,SampleCount' };
    const ask = async (metricName: string, by?: TestTenant, more: Record<string, string> = {}) =>
      (await json({ path: '/admin/v1/metric-statistics', query: { metricName, ...statistics, ...more } }, by)).body;
    const Timestamp = new Date(Number(minute) * 1000).toISOString();
    expect(await ask('CacheHitCount')).toEqual({
      Label: 'CacheHitCount',
      Datapoints: [{ Timestamp, Unit: 'Count', SampleCount: 3, Sum: 2 }],
    });
    expect(await ask('Latency', tenant, { statistics: 'Average,p99', period: '300' })).toMatchObject({
      Datapoints: [{ Unit: 'Milliseconds', Average: 2, ExtendedStatistics: { p99: expect.any(Number) as number } }],
    });
    expect(await ask('CacheHitCount', await house.tenant())).toMatchObject({ Datapoints: [] });
    const method = { resource: '/users', method: 'GET' };
    expect(await ask('Count', tenant, method)).toMatchObject({ Datapoints: [] });
    await api.updateStage({
      restApiId,
      stageName: 'dev',
      patchOperations: [{ op: 'replace', path: '/*/*/metrics/enabled', value: 'true' }],
    });
    expect(await ask('Count', tenant, method)).toMatchObject({ Datapoints: [{ Sum: 3 }] });
    expect(await ask('Coun')).toMatchObject({ type: 'BadRequestException' });
  });

  for (const [name, query] of [
    ['no API', { stage: 'dev' }],
    ['a period nobody knows', { apiId: 'a', period: 'WEEK' }],
    ['a time that is none', { apiId: 'a', from: 'yesterday' }],
    ['a range that ends before it begins', { apiId: 'a', from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
    ['more points than an answer holds', { apiId: 'a', from: '2020-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
  ] as const) {
    test(`metrics with ${name} are refused`, async () => {
      expect(await json({ path: '/admin/v1/metrics', query })).toMatchObject({
        status: 400,
        body: { type: 'BadRequestException' },
      });
    });
  }
});

describe('callers of the admin API', () => {
  for (const path of ['/admin/v1/nodes', '/admin/v1/rollouts/x', '/admin/v1/metrics', '/admin/v1/usage']) {
    test(`${path} is 403 without a signature, and with that of a stranger`, async () => {
      expect(await json({ path, signature: null })).toEqual({
        status: 403,
        body: { type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' },
      });
      const credentials = { accessKeyId: 'AKIASTRANGER', secretAccessKey: 'x' };
      expect(await json({ path, signature: { credentials } })).toMatchObject({
        status: 403,
        body: { type: 'UnrecognizedClientException' },
      });
    });
  }

  test('a path nobody answers is 404', async () => {
    expect((await json({ path: '/admin/v1/nothing' })).status).toBe(404);
  });
});

test('a node with a wrong token gets nothing', async () => {
  const refused = Promise.withResolvers<void>();
  const log = { info: () => undefined, error: () => undefined, warn: () => refused.resolve() };
  const { link } = await openNode(path.join(folder, 'wrong'), house.plane.grpcPort, { token: new Secret('wrong'), log });
  onTestFinished(() => link.close());
  link.connect();
  await refused.promise;
  expect(link.status).toMatchObject({ connected: false, revision: 0 });
  expect((await nodes()).map(({ nodeId }) => nodeId)).not.toContain(link.nodeId);
});
