import type { CertificateEntry } from '@gatehouse/contracts';
import {
  definitionDigest,
  entryForPool,
  InMemoryStore,
  newStage,
  POOL_TAG,
  tenantId,
  type Stage,
  type TenantRepositories,
} from '@gatehouse/domain';
import { sampleRestApi } from '@gatehouse/domain/samples';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { beforeEach, expect, test } from 'vitest';
import { placeTenant } from './placement.js';
import { publishStage, unpublishApi, unpublishStage } from './publish.js';
import { oneMethodDefinition } from './testing/definition.js';

const TENANT = tenantId('111111111111');
const ENTRY = '111111111111:client/cert01';
let store: InMemoryStore;
const transact = <T>(work: (tx: TenantRepositories) => Promise<T>) => store.tenants.transact(TENANT, work);

beforeEach(async () => {
  store = new InMemoryStore(new ManualClock());
  await transact(async (tx) => {
    for (const id of ['cert01', 'cert02']) {
      await tx.clientCertificates.insert({
        id,
        description: null,
        certificatePem: `PEM of ${id}`,
        privateKeyPem: new Secret(`key of ${id}`),
        createdAtMs: 0,
        expiresAtMs: 1,
        tags: {},
      });
    }
    for (const [id, pool] of [
      ['one', ''],
      ['two', 'inner'],
    ] as const) {
      const api = sampleRestApi({ id, tags: pool === '' ? {} : { [POOL_TAG]: pool } });
      await tx.restApis.insert(api);
      const definition = oneMethodDefinition(api);
      const digest = definitionDigest(definition);
      await tx.deployments.insert({ apiId: id, id: 'd', description: null, createdAtMs: 0, definition, digest });
    }
  });
});

const stageOf = (apiId: string, stageName: string, clientCertificateId: string | null): Stage => ({
  ...newStage(apiId, stageName, 'd', {}, 0),
  clientCertificateId,
});

async function put(stage: Stage, former: string | null = null): Promise<void> {
  await transact(async (tx) => {
    const key = { apiId: stage.apiId, stageName: stage.stageName };
    await ((await tx.stages.find(key)) === null ? tx.stages.insert(stage) : tx.stages.replace(stage));
    await publishStage(tx, stage, { formerClientCertificateId: former });
  });
}

/** What nodes of the pool hold of client certificates. */
async function held(pool: string): Promise<string[]> {
  const entries = (await store.manifest.all(['CERTIFICATE'])).map((entry) => entryForPool(entry, pool));
  return entries.flatMap((entry) => (entry === null || entry.content === null ? [] : [entry.id]));
}

test('a certificate goes to the nodes of the stages that show it, with its key, and to no others', async () => {
  await put(stageOf('one', 'dev', 'cert01'));
  expect([await held('default'), await held('inner')]).toEqual([[ENTRY], []]);
  const [entry] = await store.manifest.all(['CERTIFICATE']);
  expect(JSON.parse(entry!.content!.inline) as CertificateEntry).toEqual({
    certificateId: 'client/cert01',
    tenant: TENANT,
    chainPem: 'PEM of cert01',
    privateKeyPem: 'key of cert01',
    hostNames: [],
    expiresAtMs: 1,
    apiIds: ['one'],
  });
  await put(stageOf('two', 'dev', 'cert01'));
  expect([await held('default'), await held('inner')]).toEqual([[ENTRY], [ENTRY]]);
});

test('it is withdrawn with the last stage that shows it: by another setting, with the stage, or with the API', async () => {
  await put(stageOf('one', 'dev', 'cert01'));
  await put(stageOf('two', 'dev', 'cert01'));
  await put(stageOf('two', 'old', 'cert01'));
  await put(stageOf('one', 'dev', 'cert02'), 'cert01');
  expect([await held('default'), await held('inner')]).toEqual([['111111111111:client/cert02'], [ENTRY]]);
  await transact(async (tx) => {
    await unpublishStage(tx, 'two', 'old');
    await tx.stages.remove({ apiId: 'two', stageName: 'old' });
  });
  expect(await held('inner'), 'another stage shows it').toEqual([ENTRY]);
  await transact((tx) => unpublishApi(tx, 'two'));
  expect(await held('inner')).toEqual([]);
});

test('it moves with its APIs', async () => {
  await put(stageOf('one', 'dev', 'cert01'));
  await transact(async (tx) => {
    await tx.restApis.replace({ ...(await tx.restApis.find('one'))!, tags: { [POOL_TAG]: 'inner' } });
    await placeTenant(tx);
  });
  expect([await held('default'), await held('inner')]).toEqual([[], [ENTRY]]);
});
