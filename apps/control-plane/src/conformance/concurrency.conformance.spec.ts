/** Many at once, on a real PostgreSQL: nothing is lost, nothing is half there, also when connections die in the middle. */
import { createMockApi, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  api = (await house.tenant()).apiGateway;
});
afterAll(() => house.close());

const VERBS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'ANY'];

test('ten writers of one API, as Terraform runs them, lose nothing', async () => {
  const { id, rootResourceId } = await api.createRestApi({ name: 'parallel' });
  const restApiId = id!;
  const resources = await Promise.all(
    Array.from({ length: 10 }, (_, index) => api.createResource({ restApiId, parentId: rootResourceId!, pathPart: `r${index}` })),
  );
  const keys = resources.flatMap(({ id: resourceId }) =>
    ['GET', 'POST'].map((httpMethod) => ({ restApiId, resourceId: resourceId!, httpMethod })),
  );
  await inTens(keys, (key) => api.putMethod({ ...key, authorizationType: 'NONE' }));
  await inTens(
    keys.flatMap((key) => ['200', '400'].map((statusCode) => ({ ...key, statusCode }))),
    (key) => api.putMethodResponse(key),
  );
  await inTens(keys, (key) => api.putIntegration({ ...key, type: 'MOCK' }));
  await inTens(
    keys.flatMap((key) => ['200', '400'].map((statusCode) => ({ ...key, statusCode }))),
    (key) => api.putIntegrationResponse({ ...key, selectionPattern: key.statusCode }),
  );
  const { items } = await api.getResources({ restApiId, embed: ['methods'], limit: 500 });
  expect(items).toHaveLength(11);
  for (const { path, resourceMethods } of items!.filter((resource) => resource.path !== '/')) {
    expect(Object.keys(resourceMethods!), path).toEqual(['GET', 'POST']);
    for (const method of Object.values(resourceMethods!)) {
      expect(Object.keys(method.methodResponses!), path).toEqual(['200', '400']);
      expect(Object.keys(method.methodIntegration!.integrationResponses!), path).toEqual(['200', '400']);
    }
  }
});

test('parallel changes of one method are all there afterwards, whatever part of it they change', async () => {
  const { key } = await createMockApi(api);
  const numbers = Array.from({ length: 10 }, (_, index) => index);
  await Promise.all([
    ...numbers.map((index) =>
      api.updateMethod({
        ...key,
        patchOperations: [{ op: 'add', path: `/requestParameters/method.request.header.H${index}`, value: 'false' }],
      }),
    ),
    ...numbers.map((index) => api.putMethodResponse({ ...key, statusCode: String(400 + index) })),
    ...numbers.map((index) =>
      api.updateIntegration({
        ...key,
        patchOperations: [{ op: 'add', path: `/requestTemplates/application~1t${index}`, value: '{}' }],
      }),
    ),
  ]);
  const method = await api.getMethod(key);
  expect(Object.keys(method.requestParameters!).sort()).toEqual(numbers.map((index) => `method.request.header.H${index}`));
  expect(Object.keys(method.methodResponses!).sort()).toEqual(['200', ...numbers.map((index) => String(400 + index))]);
  expect(Object.keys(method.methodIntegration!.requestTemplates!)).toHaveLength(11);
});

test('of ten who create the same, one succeeds and nine get the conflict', async () => {
  const { restApiId, rootId } = await createMockApi(api);
  const outcomes = async (create: () => Promise<unknown>) => {
    const all = await Promise.all(Array.from({ length: 10 }, () => refusalOf(create())));
    return [all.filter((outcome) => outcome === 'accepted').length, new Set(all.filter((outcome) => outcome !== 'accepted'))];
  };
  expect(await outcomes(() => api.createResource({ restApiId, parentId: rootId, pathPart: 'same' }))).toEqual([
    1,
    new Set(['409 ConflictException: Another resource with the same parent already has this name: same']),
  ]);
  expect(
    await outcomes(() => api.putMethod({ restApiId, resourceId: rootId, httpMethod: 'GET', authorizationType: 'NONE' })),
  ).toEqual([1, new Set(['409 ConflictException: Method already exists for this resource'])]);
  expect(await outcomes(() => api.createApiKey({ value: 'same'.repeat(6) }))).toEqual([
    1,
    new Set(['409 ConflictException: API Key already exists']),
  ]);
  await api.deleteMethod({ restApiId, resourceId: rootId, httpMethod: 'GET' });
  const { id: deploymentId } = await api.createDeployment({ restApiId });
  expect(await outcomes(() => api.createStage({ restApiId, deploymentId: deploymentId!, stageName: 'same' }))).toEqual([
    1,
    new Set(['409 ConflictException: Stage already exists']),
  ]);
});

test('a deployment beside the removal of a resource holds all of the resource or nothing of it', async () => {
  for (let round = 0; round < 8; round++) {
    const { restApiId, rootId, key } = await createMockApi(api);
    const { id: keptId } = await api.createResource({ restApiId, parentId: rootId, pathPart: 'kept' });
    await api.putMethod({ ...key, resourceId: keptId!, authorizationType: 'NONE' });
    await api.putIntegration({ ...key, resourceId: keptId!, type: 'MOCK' });
    const [{ id: deploymentId }] = await Promise.all([
      api.createDeployment({ restApiId, stageName: 'dev' }),
      api.deleteResource({ restApiId, resourceId: key.resourceId }),
    ]);
    const { apiSummary } = await api.getDeployment({ restApiId, deploymentId: deploymentId!, embed: ['apisummary'] });
    const kept = { '/kept': { GET: { authorizationType: 'NONE', apiKeyRequired: false } } };
    expect([kept, { ...kept, '/users': kept['/kept'] }]).toContainEqual(apiSummary);
  }
});

test('keys that join plans in parallel are all in them, once, and published with all their plans', async () => {
  const plans = await Promise.all(['a', 'b', 'c'].map((name) => api.createUsagePlan({ name })));
  const keys = await Promise.all(['k', 'l', 'm'].map((name) => api.createApiKey({ name, enabled: true })));
  const joins = plans.flatMap(({ id: usagePlanId }) => keys.map(({ id: keyId }) => ({ usagePlanId, keyId, keyType: 'API_KEY' })));
  const outcomes = await Promise.all([...joins, ...joins].map((join) => refusalOf(api.createUsagePlanKey(join))));
  expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(joins.length);
  expect(outcomes.filter((outcome) => outcome.startsWith('409 ConflictException'))).toHaveLength(joins.length);
  const planIds = plans.map(({ id }) => id!).sort();
  for (const { id } of keys) {
    const [entry] = await house.query<{ inline: string }>(
      `SELECT inline FROM manifest_entries WHERE kind = 'API_KEY' AND id = $1 AND NOT removed`,
      [id],
    );
    expect((JSON.parse(entry!.inline) as { usagePlanIds: string[] }).usagePlanIds).toEqual(planIds);
  }
});

test('a removed API takes every parallel change along, or lets none in', async () => {
  const { restApiId, rootId } = await createMockApi(api);
  const outcomes = await Promise.all([
    ...VERBS.map((httpMethod) =>
      refusalOf(api.putMethod({ restApiId, resourceId: rootId, httpMethod, authorizationType: 'NONE' })),
    ),
    refusalOf(api.createDeployment({ restApiId, stageName: 'dev' })),
    refusalOf(api.deleteRestApi({ restApiId })),
    ...VERBS.map((pathPart) => refusalOf(api.createResource({ restApiId, parentId: rootId, pathPart }))),
  ]);
  for (const outcome of outcomes)
    expect(outcome).toMatch(/^(accepted|404 NotFoundException: |400 BadRequestException: No integration defined for method)/);
  for (const table of ['resources', 'methods', 'stages', 'deployments']) {
    expect(await house.query(`SELECT 1 FROM ${table} WHERE api_id = $1`, [restApiId]), table).toEqual([]);
  }
  expect(await house.query('SELECT 1 FROM manifest_entries WHERE id LIKE $1 AND NOT removed', [`${restApiId}/%`])).toEqual([]);
});

test('deployments go live as a whole or not at all while database connections are being killed', async () => {
  const { restApiId } = await createMockApi(api);
  const loads = Array.from({ length: 8 }, (_, index) => `s${index}`);
  const kills: Promise<unknown>[] = [];
  let attempts = 0;
  /** Whoever is in the middle of a transaction, but for those who ask this. */
  const killOne = () =>
    house.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND query NOT LIKE '%pg_terminate_backend%' AND state IN ('active', 'idle in transaction') AND xact_start IS NOT NULL LIMIT 1`,
    );
  const answers = (
    await Promise.all(
      loads.map(async (stageName) => {
        const mine: { stageName: string; deploymentId: string | null }[] = [];
        for (let attempt = 0; attempt < 12; attempt++) {
          if (++attempts % 3 === 0) kills.push(killOne());
          const answer = await api.createDeployment({ restApiId, stageName, description: `${stageName} ${attempt}` }).then(
            ({ id }) => id!,
            (error: Error & { $metadata?: { httpStatusCode?: number } }) => {
              expect(error.$metadata?.httpStatusCode, error.message).toBe(500);
              return null;
            },
          );
          mine.push({ stageName, deploymentId: answer });
        }
        return mine;
      }),
    )
  ).flat();
  await Promise.all(kills);
  const answeredIds = answers.flatMap(({ deploymentId }) => deploymentId ?? []);
  expect(answeredIds.length, 'that succeeded').toBeGreaterThan(0);
  expect(answeredIds.length, 'of all').toBeLessThan(answers.length);

  const stored = (await house.query<{ id: string }>('SELECT id FROM deployments WHERE api_id = $1', [restApiId])).map(
    ({ id }) => id,
  );
  // 201 means it is there. A commit whose answer was lost with the connection may be there too: no more of them than failures.
  expect(answeredIds.filter((id) => !stored.includes(id))).toEqual([]);
  expect(stored.length - answeredIds.length).toBeLessThanOrEqual(answers.length - answeredIds.length);

  // Each deployment that is there was rolled out, in the transaction that made it; each stage serves one that is there.
  const rollouts = await house.query<{ id: string }>('SELECT deployment_id AS id FROM rollouts WHERE api_id = $1', [restApiId]);
  expect(rollouts.map(({ id }) => id).sort()).toEqual([...stored].sort());
  const { item: stages } = await api.getStages({ restApiId });
  const entries = await house.query<{ id: string; digest: string; bytes: Buffer | null }>(
    `SELECT entry.id, entry.digest, blob.bytes FROM manifest_entries entry LEFT JOIN blobs blob USING (digest) WHERE entry.kind = 'STAGE' AND NOT removed AND entry.id LIKE $1 ORDER BY entry.id`,
    [`${restApiId}/%`],
  );
  expect(entries.map(({ id }) => id)).toEqual(stages!.map(({ stageName }) => `${restApiId}/${stageName}`));
  for (const entry of entries) expect(entry.bytes, `snapshot of ${entry.id}`).not.toBeNull();
  for (const stage of stages!) {
    expect(stored).toContain(stage.deploymentId);
    // What answered 201 last is live, unless a later attempt was committed and lost its answer.
    const last = answers.filter(({ stageName, deploymentId }) => stageName === stage.stageName && deploymentId !== null).at(-1);
    const lastIsLive = stage.deploymentId === last?.deploymentId;
    expect(lastIsLive || !answeredIds.includes(stage.deploymentId!), stage.stageName).toBe(true);
  }
  // And the house goes on.
  expect(await refusalOf(api.createDeployment({ restApiId, stageName: 's0' }))).toBe('accepted');
});

/** Terraform's parallelism. */
async function inTens<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
}
