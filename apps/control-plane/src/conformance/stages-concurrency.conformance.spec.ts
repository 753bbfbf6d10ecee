/** Many writers of one stage at once, on a real PostgreSQL: no update is lost, and stage, history and what nodes serve never disagree. */
import { createMockApi, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
let restApiId: string;
let key: { restApiId: string; resourceId: string; httpMethod: string };
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  tenant = await house.tenant();
  api = tenant.apiGateway;
  ({ restApiId, key } = await createMockApi(api));
});
afterAll(() => house.close());

const NUMBERS = Array.from({ length: 8 }, (_, index) => index);
const deploy = async (stageName?: string) => (await api.createDeployment({ restApiId, ...(stageName && { stageName }) })).id!;
const replace = (path: string, value: string) =>
  api.updateStage({ restApiId, stageName: 'dev', patchOperations: [{ op: 'replace', path, value }] });

/** The status, and the deployment that the stage has by the answer. */
async function rollBack(deploymentId?: string): Promise<{ status: number; deploymentId?: string; message?: string }> {
  const path = `/admin/v1/apis/${restApiId}/stages/dev/rollback`;
  const { status, text } = await tenant.send({ method: 'POST', path, body: JSON.stringify({ deploymentId }) });
  return { status, ...(JSON.parse(text) as object) };
}

/** Deployments that differ for callers, so that what is served tells which it is. */
async function distinctDeployments(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const patchOperations = [{ op: 'replace' as const, path: '/timeoutInMillis', value: String(1_000 + index) }];
    await api.updateIntegration({ ...key, patchOperations });
    ids.push(await deploy());
  }
  return ids;
}

const history = () =>
  house.query<{ number: number; id: string; cause: string }>(
    `SELECT number, deployment_id AS id, cause FROM stage_history WHERE api_id = $1 AND stage_name = 'dev' ORDER BY number`,
    [restApiId],
  );

/** Stage, history and the snapshot that nodes have are of one deployment. */
async function expectAgreement(): Promise<string> {
  const { deploymentId } = await api.getStage({ restApiId, stageName: 'dev' });
  const entries = await history();
  expect(
    entries.map(({ number }) => number),
    'numbers without gaps',
  ).toEqual(entries.map((_, index) => index + 1));
  expect(entries.at(-1)!.id, 'the newest entry is the deployment of the stage').toBe(deploymentId);
  for (const [index, { id }] of entries.entries())
    expect(id, 'each entry is another deployment').not.toBe(entries[index - 1]?.id);
  const served = () =>
    house.query(`SELECT digest, revision::TEXT FROM manifest_entries WHERE kind = 'STAGE' AND id = $1 AND NOT removed`, [
      `${restApiId}/dev`,
    ]);
  const before = await served();
  expect(before).toHaveLength(1);
  await replace('/deploymentId', deploymentId!);
  expect(await served(), 'publishing the stage as it is changes nothing').toEqual(before);
  return deploymentId!;
}

test('parallel updates of one stage are all there afterwards', async () => {
  const first = await deploy('dev');
  const deployments = await distinctDeployments(3);
  await Promise.all([
    ...NUMBERS.map((index) => replace(`/variables/v${index}`, String(index))),
    ...NUMBERS.map((index) => replace(`/~1r${index}/GET/throttling/rateLimit`, String(index))),
    ...deployments.map((id) => replace('/deploymentId', id)),
    replace('/description', 'd'),
    replace('/canarySettings/percentTraffic', '5'),
    replace('/canarySettings/stageVariableOverrides/o', '1'),
  ]);
  const stage = await api.getStage({ restApiId, stageName: 'dev' });
  expect(stage.variables).toEqual(Object.fromEntries(NUMBERS.map((index) => [`v${index}`, String(index)])));
  expect(Object.keys(stage.methodSettings!).sort()).toEqual(NUMBERS.map((index) => `r${index}/GET`));
  expect(stage).toMatchObject({ description: 'd', canarySettings: { percentTraffic: 5, stageVariableOverrides: { o: '1' } } });
  expect((await history()).map(({ id }) => id).sort()).toEqual([first, ...deployments].sort());
  await expectAgreement();
});

test('deployments, rollbacks and updates of one stage, all at once: each that was answered has its entry', async () => {
  await deploy('dev');
  const past = await distinctDeployments(4);
  const [deployed, rolledBack] = await Promise.all([
    Promise.all(NUMBERS.map(() => deploy('dev'))),
    Promise.all([...past, ...past].map((id) => rollBack(id))),
    ...NUMBERS.map((index) => replace(`/variables/v${index}`, String(index))),
  ]);
  expect(rolledBack.map(({ status, deploymentId }) => [status, deploymentId])).toEqual([...past, ...past].map((id) => [200, id]));
  const entries = await history();
  const idsOf = (cause: string) => entries.filter((entry) => entry.cause === cause).map(({ id }) => id);
  expect(idsOf('DEPLOYED').sort()).toEqual(deployed.toSorted());
  expect([...new Set(idsOf('ROLLED_BACK'))].sort()).toEqual(past.toSorted());
  const { variables } = await api.getStage({ restApiId, stageName: 'dev' });
  expect(Object.keys(variables!).sort()).toEqual(NUMBERS.map((index) => `v${index}`));
  await expectAgreement();
});

test('of ten who promote one canary, one does, wholly, and nine find none', async () => {
  await deploy('dev');
  const [canary] = (await distinctDeployments(1)) as [string];
  await replace('/canarySettings/deploymentId', canary);
  await replace('/canarySettings/stageVariableOverrides/a', '1');
  const promote = () =>
    api.updateStage({
      restApiId,
      stageName: 'dev',
      patchOperations: [
        { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
        { op: 'copy', from: '/canarySettings/stageVariableOverrides', path: '/variables' },
        { op: 'remove', path: '/canarySettings' },
      ],
    });
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => refusalOf(promote())));
  expect(outcomes.toSorted()).toEqual([
    ...Array.from({ length: 9 }, () => '400 BadRequestException: Promotion not available. Canary does not exist.'),
    'accepted',
  ]);
  expect(await api.getStage({ restApiId, stageName: 'dev' })).toMatchObject({ deploymentId: canary, variables: { a: '1' } });
  expect((await history()).map(({ cause }) => cause)).toEqual(['CREATED', 'PROMOTED']);
  await expectAgreement();
});

test('a deployment that is deleted while somebody returns to it is gone, or in use, never both', async () => {
  await deploy('dev');
  for (const id of await distinctDeployments(6)) {
    const [removal, rollback] = await Promise.all([
      refusalOf(api.deleteDeployment({ restApiId, deploymentId: id })),
      rollBack(id),
    ]);
    const isInUse = removal === '400 BadRequestException: Active stages pointing to this deployment must be moved or deleted';
    expect([removal, rollback.status], rollback.message).toEqual(isInUse ? [removal, 200] : ['accepted', 400]);
    const present = await expectAgreement();
    expect(present === id).toBe(isInUse);
  }
});

test('previews of one name, made at once, are one stage of one deployment', async () => {
  await deploy('dev');
  const past = await distinctDeployments(4);
  const answers = await Promise.all(
    past.map((id) =>
      tenant.send({
        method: 'POST',
        path: `/admin/v1/apis/${restApiId}/deployments/${id}/preview`,
        body: JSON.stringify({ stageName: 'past' }),
      }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(past.map(() => 200));
  const { deploymentId, tags } = await api.getStage({ restApiId, stageName: 'past' });
  expect(tags).toEqual({ 'gatehouse:preview': deploymentId });
  expect((await api.getStages({ restApiId })).item!.map(({ stageName }) => stageName).sort()).toEqual(['dev', 'past']);
});

test('nothing is half done when database connections die in the middle', async () => {
  await deploy('dev');
  const past = await distinctDeployments(4);
  const kill = () =>
    house.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND query NOT LIKE '%pg_terminate_backend%' AND state IN ('active', 'idle in transaction') AND xact_start IS NOT NULL LIMIT 1`,
    );
  const answered: string[] = [];
  await Promise.all(
    NUMBERS.map(async (index) => {
      for (let round = 0; round < 6; round++) {
        if ((index + round) % 3 === 0) await kill();
        const target = past[(index + round) % past.length]!;
        const outcome = await refusalOf(replace('/deploymentId', target));
        expect(outcome).toMatch(/^(accepted|500 )/);
        if (outcome === 'accepted') answered.push(target);
      }
    }),
  );
  expect(answered.length, 'that succeeded').toBeGreaterThan(0);
  const told = new Set((await history()).map(({ id }) => id));
  expect(answered.filter((id) => !told.has(id))).toEqual([]);
  await expectAgreement();
});
