/** Stages in the admin API: saved but not deployed, diffs, history, rollback, previews; beside the unmodified SDK client. */
import { createMockApi, refusalOf, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
let restApiId: string;
let key: { restApiId: string; resourceId: string; httpMethod: string };
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  api = tenant.apiGateway;
});
beforeEach(async () => void ({ restApiId, key } = await createMockApi(api)));
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers are held against literals
  readonly body: any;
}
async function admin(method: string, path: string, body?: object | string, by = tenant): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const [bare, search] = path.split('?');
  const query = Object.fromEntries(new URLSearchParams(search));
  const answer = await by.send({
    method,
    path: `/admin/v1/apis/${restApiId}${bare}`,
    query,
    ...(body !== undefined && { body: text }),
  });
  return { status: answer.status, body: JSON.parse(answer.text) };
}
const deploy = async (stageName?: string, description?: string): Promise<string> =>
  (await api.createDeployment({ restApiId, ...(stageName && { stageName }), ...(description && { description }) })).id!;
const timeout = (value: string) =>
  api.updateIntegration({ ...key, patchOperations: [{ op: 'replace', path: '/timeoutInMillis', value }] });
const stageOf = (stageName: string) => api.getStage({ restApiId, stageName });
const TIMEOUT = '/users GET integration.timeoutInMillis';
const refused = (status: number, type: string, message: string): Answer => ({
  status,
  body: { type, message: expect.stringContaining(message) },
});

/** The digest of what nodes serve on a stage. */
async function served(stageName: string): Promise<string | undefined> {
  const [row] = await house.query<{ digest: string }>(
    `SELECT digest FROM manifest_entries WHERE kind = 'STAGE' AND id = $1 AND NOT removed`,
    [`${restApiId}/${stageName}`],
  );
  return row?.digest;
}

describe('saved but not deployed', () => {
  test('a stage says how many changes it lacks, which, and what they concern; a deployment takes them over', async () => {
    await deploy('dev');
    await deploy('prod');
    const nothing = { count: 0, concerns: [], changes: [] };
    expect((await admin('GET', '/stages/dev')).body).toMatchObject({ stageName: 'dev', undeployed: nothing });
    await timeout('1000');
    await api.updateMethod({
      ...key,
      patchOperations: [
        { op: 'replace', path: '/apiKeyRequired', value: 'true' },
        { op: 'replace', path: '/authorizationType', value: 'AWS_IAM' },
      ],
    });
    const { body } = await admin('GET', '/stages/dev');
    expect(body).toEqual({
      stageName: 'dev',
      deploymentId: (await stageOf('dev')).deploymentId,
      canaryDeploymentId: null,
      undeployed: {
        count: 3,
        concerns: ['authorization', 'keys'],
        changes: [
          {
            path: '/users GET apiKeyRequired',
            kind: 'changed',
            resourcePath: '/users',
            httpMethod: 'GET',
            part: 'apiKeyRequired',
            before: false,
            after: true,
            concerns: ['keys'],
          },
          expect.objectContaining({ path: '/users GET authorizationType', before: 'NONE', after: 'AWS_IAM' }),
          expect.objectContaining({ path: TIMEOUT, before: 29_000, after: 1_000, concerns: [] }),
        ],
      },
    });
    await deploy('prod');
    expect((await admin('GET', '/stages')).body).toEqual({
      stages: [
        expect.objectContaining({ stageName: 'dev', undeployed: { count: 3, concerns: ['authorization', 'keys'] } }),
        expect.objectContaining({ stageName: 'prod', undeployed: { count: 0, concerns: [] } }),
      ],
    });
  });

  test('tags and what does not need a deployment are not counted', async () => {
    await deploy('dev');
    await api.tagResource({ resourceArn: `arn:aws:apigateway:us-east-1::/restapis/${restApiId}`, tags: { team: 'a' } });
    expect((await admin('GET', '/stages/dev')).body).toMatchObject({ undeployed: { count: 0 } });
  });
});

describe('the difference', () => {
  test('is between the draft, stages and deployments, in both directions', async () => {
    const first = await deploy('prod');
    await timeout('1000');
    const second = await deploy('dev');
    await timeout('2000');
    const diff = async (from: string, to: string) => (await admin('GET', `/diff?from=${from}&to=${to}`)).body;
    const change = (before: number, after: number) => [
      expect.objectContaining({ path: TIMEOUT, kind: 'changed', before, after }),
    ];
    expect(await diff('stage:prod', 'draft')).toEqual({
      from: { deploymentId: first },
      to: { deploymentId: null },
      count: 1,
      changes: change(29_000, 2_000),
    });
    expect((await diff(first, 'stage:dev')).changes).toEqual(change(29_000, 1_000));
    expect((await diff('draft', second)).changes).toEqual(change(2_000, 1_000));
    expect(await diff('stage:dev', second)).toMatchObject({ from: { deploymentId: second }, count: 0, changes: [] });
  });

  test('to a draft that could not be deployed yet says what it is', async () => {
    await deploy('dev');
    await api.deleteIntegration(key);
    expect((await admin('GET', '/diff?from=stage:dev&to=draft')).body.changes).toEqual([
      expect.objectContaining({ path: '/users GET integration', kind: 'removed', after: null }),
    ]);
  });

  test.each([
    ['/diff?from=draft', 400, 'BadRequestException', 'to'],
    ['/diff?from=&to=draft', 400, 'BadRequestException', 'expected draft, stage:{name} or the id of a deployment'],
    ['/diff?from=nobody&to=draft', 404, 'NotFoundException', 'Invalid Deployment identifier specified'],
    ['/diff?from=stage:none&to=draft', 404, 'NotFoundException', 'Invalid stage identifier specified'],
    ['/stages/none', 404, 'NotFoundException', 'Invalid stage identifier specified'],
    ['/stages/none/history', 404, 'NotFoundException', 'Invalid stage identifier specified'],
    ['/stages/none/history?limit=x', 400, 'BadRequestException', 'limit'],
  ])('%s is refused', async (path, status, type, message) => {
    expect(await admin('GET', path)).toEqual(refused(status, type, message));
  });

  test("of another tenant's API is not found, by any path", async () => {
    const deploymentId = await deploy('dev');
    const other = await house.tenant();
    for (const [method, path, body] of [
      ['GET', '/diff?from=draft&to=stage:dev'],
      ['GET', '/stages'],
      ['GET', '/stages/dev'],
      ['GET', '/stages/dev/history'],
      ['POST', '/stages/dev/rollback', { deploymentId }],
      ['POST', `/deployments/${deploymentId}/preview`, { stageName: 'mine' }],
    ] as [string, string, object?][])
      expect(await admin(method, path, body, other), path).toEqual(refused(404, 'NotFoundException', 'Invalid API identifier'));
    expect((await admin('GET', '/stages/dev/history')).body.items).toHaveLength(1);
  });
});

describe('history', () => {
  const history = async (stageName: string, query = '') =>
    (await admin('GET', `/stages/${stageName}/history${query}`)).body as {
      items: Record<string, string>[];
      position: string | null;
    };
  const told = async (stageName: string) =>
    (await history(stageName)).items.map(({ deploymentId, cause }) => [deploymentId, cause]);

  test('names every deployment a stage had, why, since when and until when', async () => {
    const first = await deploy('dev', 'the first');
    const second = await deploy('dev');
    const third = await deploy();
    const repoint = (op: object) => api.updateStage({ restApiId, stageName: 'dev', patchOperations: [op] });
    await repoint({ op: 'replace', path: '/description', value: 'no other deployment' });
    await repoint({ op: 'replace', path: '/deploymentId', value: first });
    await repoint({ op: 'replace', path: '/canarySettings/deploymentId', value: third });
    expect((await history('dev')).items[0], 'a canary is not the deployment of the stage').toMatchObject({ deploymentId: first });
    await api.updateStage({
      restApiId,
      stageName: 'dev',
      patchOperations: [
        { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
        { op: 'remove', path: '/canarySettings' },
      ],
    });
    await api.deleteDeployment({ restApiId, deploymentId: second });
    const { items, position } = await history('dev');
    expect(items.map(({ deploymentId, cause, isDeleted, description }) => [deploymentId, cause, isDeleted, description])).toEqual(
      [
        [third, 'PROMOTED', false, null],
        [first, 'REPOINTED', false, 'the first'],
        [second, 'DEPLOYED', true, null],
        [first, 'CREATED', false, 'the first'],
      ],
    );
    expect(position).toBeNull();
    expect(items.map(({ until }) => until)).toEqual([null, ...items.slice(0, -1).map(({ since }) => since)]);
    for (const { since } of items) expect(new Date(since!).toISOString()).toBe(since);
    const pages = [await history('dev', '?limit=2'), await history('dev', '?limit=2&position=2')];
    expect(pages.map((page) => page.position)).toEqual(['2', null]);
    expect(pages.flatMap((page) => page.items)).toEqual(items);
    await api.createStage({ restApiId, stageName: 'other', deploymentId: first });
    expect(await told('other')).toEqual([[first, 'CREATED']]);
  });

  test('of a stage that is made again begins anew', async () => {
    await deploy('dev');
    await api.deleteStage({ restApiId, stageName: 'dev' });
    const again = await deploy('dev');
    expect(await told('dev')).toEqual([[again, 'CREATED']]);
  });

  test('is written with the change or not at all', async () => {
    const first = await deploy('dev');
    expect(
      await refusalOf(
        api.updateStage({
          restApiId,
          stageName: 'dev',
          patchOperations: [{ op: 'replace', path: '/deploymentId', value: 'none' }],
        }),
      ),
    ).toBe('400 BadRequestException: Deployment id does not exist');
    expect(await told('dev')).toEqual([[first, 'CREATED']]);
  });
});

describe('rollback', () => {
  test('brings back what was served before, in one call, and again what was served after', async () => {
    const first = await deploy('prod');
    const before = await served('prod');
    await timeout('1000');
    const second = await deploy('prod');
    const after = await served('prod');
    expect(after).not.toBe(before);
    const { status, body } = await admin('POST', '/stages/prod/rollback');
    expect([status, body]).toEqual([200, { stageName: 'prod', deploymentId: first, revision: expect.any(Number) }]);
    expect([(await stageOf('prod')).deploymentId, await served('prod')]).toEqual([first, before]);
    expect(await admin('POST', '/stages/prod/rollback', {})).toMatchObject({ body: { deploymentId: second } });
    expect([(await stageOf('prod')).deploymentId, await served('prod')]).toEqual([second, after]);
    expect((await admin('GET', '/stages/prod/history')).body.items.map(({ cause }: { cause: string }) => cause)).toEqual([
      'ROLLED_BACK',
      'ROLLED_BACK',
      'DEPLOYED',
      'CREATED',
    ]);
  });

  test('goes to any deployment of the API, keeps variables and settings, and ends a canary', async () => {
    const never = await deploy();
    await deploy('prod');
    await api.updateStage({
      restApiId,
      stageName: 'prod',
      patchOperations: [
        { op: 'replace', path: '/variables/url', value: 'a' },
        { op: 'replace', path: '/*/*/throttling/rateLimit', value: '7' },
        { op: 'replace', path: '/canarySettings/percentTraffic', value: '10' },
      ],
    });
    expect((await admin('POST', '/stages/prod/rollback', { deploymentId: never })).status).toBe(200);
    const { deploymentId, variables, methodSettings, canarySettings } = await stageOf('prod');
    expect({ deploymentId, variables, canarySettings }).toEqual({
      deploymentId: never,
      variables: { url: 'a' },
      canarySettings: undefined,
    });
    expect(methodSettings!['*/*']).toMatchObject({ throttlingRateLimit: 7 });
    expect((await admin('POST', '/stages/prod/rollback', { deploymentId: never })).body, 'nothing has to change').toMatchObject({
      revision: null,
    });
  });

  test('is refused where there is nothing to return to, and changes nothing', async () => {
    const only = await deploy('prod');
    const at = '/stages/prod/rollback';
    expect(await admin('POST', at)).toEqual(
      refused(400, 'BadRequestException', 'The stage had no other deployment to roll back to'),
    );
    expect(await admin('POST', at, { deploymentId: 'none' })).toEqual(
      refused(400, 'BadRequestException', 'Deployment id does not exist'),
    );
    expect(await admin('POST', at, '{')).toEqual(refused(400, 'BadRequestException', 'Invalid body: expected JSON like'));
    expect(await admin('POST', at, { deployment: 'x' })).toEqual(refused(400, 'BadRequestException', 'Unrecognized key'));
    expect(await admin('POST', '/stages/none/rollback')).toEqual(refused(404, 'NotFoundException', 'Invalid stage identifier'));
    const second = await deploy('prod');
    await api.deleteDeployment({ restApiId, deploymentId: only });
    expect(await admin('POST', at)).toEqual(refused(400, 'BadRequestException', `Deployment id does not exist: ${only}`));
    expect((await stageOf('prod')).deploymentId).toBe(second);
  });
});

describe('a preview', () => {
  test('serves a past deployment on a stage of its own, with the settings of another, and can be pointed at another', async () => {
    const first = await deploy('prod');
    await api.updateStage({
      restApiId,
      stageName: 'prod',
      patchOperations: [{ op: 'replace', path: '/variables/url', value: 'a' }],
    });
    await timeout('1000');
    const second = await deploy('prod');
    const { status, body } = await admin('POST', `/deployments/${first}/preview`, { stageName: 'past', like: 'prod' });
    expect([status, body]).toEqual([200, { stageName: 'past', deploymentId: first, revision: expect.any(Number) }]);
    expect(await stageOf('past')).toMatchObject({
      deploymentId: first,
      variables: { url: 'a' },
      tags: { 'gatehouse:preview': first },
    });
    expect(await served('past')).toBeDefined();
    await admin('POST', `/deployments/${second}/preview`, { stageName: 'past' });
    expect(await stageOf('past')).toMatchObject({ deploymentId: second, variables: { url: 'a' } });
    expect((await stageOf('prod')).deploymentId, 'nobody else is touched').toBe(second);
  });

  test('never takes a stage that is none', async () => {
    const first = await deploy('prod');
    const second = await deploy('prod');
    const at = (deploymentId: string) => `/deployments/${deploymentId}/preview`;
    expect(await admin('POST', at(first), { stageName: 'prod' })).toEqual(
      refused(409, 'ConflictException', 'Stage prod exists and is no preview'),
    );
    expect(await admin('POST', at('none'), { stageName: 'x' })).toEqual(refused(404, 'NotFoundException', 'Invalid Deployment'));
    expect(await admin('POST', at(first), { stageName: 'x', like: 'none' })).toEqual(
      refused(404, 'NotFoundException', 'Invalid stage'),
    );
    expect(await admin('POST', at(first), { stageName: 'a b' })).toEqual(
      refused(400, 'BadRequestException', 'Stage name only allows'),
    );
    expect(await admin('POST', at(first), {})).toEqual(refused(400, 'BadRequestException', 'stageName'));
    expect((await stageOf('prod')).deploymentId).toBe(second);
    expect((await api.getStages({ restApiId })).item).toHaveLength(1);
  });
});
