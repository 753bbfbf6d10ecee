import type { ServiceAccessEntry } from '@gatehouse/contracts';
import {
  definitionDigest,
  entryForPool,
  InMemoryStore,
  newStage,
  POOL_TAG,
  tenantId,
  withRole,
  withService,
  type RestApiDefinition,
  type Stage,
  type TenantRepositories,
} from '@gatehouse/domain';
import { sampleRestApi } from '@gatehouse/domain/samples';
import { ManualClock } from '@gatehouse/kernel';
import { beforeEach, expect, test } from 'vitest';
import { placeTenant } from './placement.js';
import { publishServiceAccess } from './publish-service-access.js';
import { diagnoseStage, publishStage, unpublishApi, unpublishStage } from './publish.js';
import { oneMethodDefinition } from './testing/definition.js';

const TENANT = tenantId('111111111111');
let store: InMemoryStore;
const transact = <T>(work: (tx: TenantRepositories) => Promise<T>) => store.tenants.transact(TENANT, work);

/** An API whose one method is an integration with DynamoDB. */
function serviceDefinition(apiId: string, pool: string, role: string): RestApiDefinition {
  const definition = oneMethodDefinition(sampleRestApi({ id: apiId, tags: pool === '' ? {} : { [POOL_TAG]: pool } }));
  const [method] = definition.methods;
  const integration = {
    ...method!.integration!,
    type: 'AWS' as const,
    httpMethod: 'POST',
    uri: 'arn:aws:apigateway:us-east-1:dynamodb:action/PutItem',
    credentials: `arn:aws:iam::${TENANT}:role/${role}`,
  };
  return { ...definition, methods: [{ ...method!, integration }] };
}

beforeEach(async () => {
  store = new InMemoryStore(new ManualClock());
  await transact(async (tx) => {
    for (const [id, pool, role] of [
      ['one', '', 'orders'],
      ['two', 'inner', 'path/pets'],
    ] as const) {
      const definition = serviceDefinition(id, pool, role);
      await tx.restApis.insert(definition.api);
      const digest = definitionDigest(definition);
      await tx.deployments.insert({ apiId: id, id: 'd', description: null, createdAtMs: 0, definition, digest });
    }
  });
});

const stageOf = (apiId: string, stageName = 'dev'): Stage => newStage(apiId, stageName, 'd', {}, 0);
const publish = (stage: Stage) =>
  transact(async (tx) => {
    await tx.stages.insert(stage);
    return publishStage(tx, stage);
  });
const change = (decide: (access: Awaited<ReturnType<TenantRepositories['serviceAccess']['read']>>) => typeof access) =>
  transact(async (tx) => {
    const after = decide(await tx.serviceAccess.lock());
    await tx.serviceAccess.write(after);
    await publishServiceAccess(tx, after);
  });
const giveRole = (name: string) =>
  change((access) =>
    withRole(
      access,
      name,
      { accessKeyId: `AKIA${name.length}`, secretAccessKey: `secret of ${name}`.replaceAll(' ', '-'), sessionToken: null },
      0,
    ),
  );

/** What nodes of a pool are sent; `null` for nothing. */
async function sentTo(pool = 'default'): Promise<ServiceAccessEntry | null> {
  const entry = await transact((tx) => tx.manifest.find('SERVICE_ACCESS', TENANT));
  const content = entry === null ? null : (entryForPool(entry, pool)?.content ?? null);
  return content === null ? null : (JSON.parse(content.inline) as ServiceAccessEntry);
}

test('nothing is sent before a stage has an integration with a service, whatever is registered', async () => {
  await giveRole('orders');
  expect(await sentTo()).toBe(null);
  await publish(stageOf('one'));
  expect(await sentTo()).toEqual({
    tenant: TENANT,
    services: {},
    roles: { orders: { accessKeyId: 'AKIA6', secretAccessKey: 'secret-of-orders', sessionToken: null } },
    apiIds: ['one'],
  });
});

test('roles that no stage signs with stay at home', async () => {
  await publish(stageOf('one'));
  await giveRole('orders');
  await giveRole('unused');
  await change((access) => withService(access, 's3', 'http://127.0.0.1:4568', 'local-1'));
  const entry = await sentTo();
  expect([Object.keys(entry!.roles), entry!.services]).toEqual([
    ['orders'],
    { s3: { endpoint: 'http://127.0.0.1:4568', region: 'local-1' } },
  ]);
});

test('it goes where the APIs of those stages go, and moves with them', async () => {
  await publish(stageOf('one'));
  expect(await sentTo('inner')).toBe(null);
  await publish(stageOf('two'));
  await giveRole('path/pets');
  for (const pool of ['default', 'inner']) expect((await sentTo(pool))!.apiIds).toEqual(['one', 'two']);
  await transact(async (tx) => {
    await tx.placement.lock();
    await tx.placement.write('outer');
    await placeTenant(tx);
  });
  expect(await sentTo('default')).toBe(null);
  expect(Object.keys((await sentTo('outer'))!.roles)).toEqual(['path/pets']);
});

test('the last stage that uses it takes it along, and others leave the roles of those that are left', async () => {
  await publish(stageOf('one'));
  await publish(stageOf('one', 'prod'));
  await publish(stageOf('two'));
  await giveRole('orders');
  await giveRole('path/pets');
  await transact((tx) => unpublishStage(tx, 'one', 'dev'));
  expect(Object.keys((await sentTo())!.roles)).toEqual(['orders', 'path/pets']);
  await transact((tx) => unpublishApi(tx, 'one'));
  expect(Object.keys((await sentTo('inner'))!.roles)).toEqual(['path/pets']);
  await transact((tx) => unpublishStage(tx, 'two', 'dev'));
  expect(await sentTo('inner')).toBe(null);
});

test('a stage says which of its integrations have a role without credentials, and how to give it some', async () => {
  await publish(stageOf('two'));
  const diagnose = () => transact((tx) => diagnoseStage(tx, stageOf('two')));
  const message = 'role path/pets has no credentials: PUT /admin/v1/roles/path%2Fpets gives it some; requests are refused';
  expect(await diagnose()).toEqual([
    { severity: 'warning', path: expect.stringContaining('integration.credentials') as string, message },
  ]);
  await giveRole('path/pets');
  expect(await diagnose()).toEqual([]);
});

test('publishing the same stage again changes nothing of it', async () => {
  await publish(stageOf('one'));
  const revision = await transact(async (tx) => (await tx.manifest.find('SERVICE_ACCESS', TENANT))!.revision);
  await transact((tx) => publishStage(tx, stageOf('one')));
  expect(await transact(async (tx) => (await tx.manifest.find('SERVICE_ACCESS', TENANT))!.revision)).toBe(revision);
});
