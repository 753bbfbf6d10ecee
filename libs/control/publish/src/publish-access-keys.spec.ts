import type { AccessKeyEntry } from '@gatehouse/contracts';
import {
  definitionDigest,
  InMemoryStore,
  newStage,
  tenantId,
  type Credential,
  type Deployment,
  type Session,
  type Stage,
  type TenantRepositories,
} from '@gatehouse/domain';
import { sampleRestApi } from '@gatehouse/domain/samples';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { deriveSigningKey } from '@gatehouse/sigv4';
import { beforeEach, describe, expect, test } from 'vitest';
import { publishAccessKeys, publishSession, refreshAccessKeys, unpublishAccessKey } from './publish-access-keys.js';
import { publishStage, unpublishStage } from './publish.js';
import { oneMethodDefinition } from './testing/definition.js';

const TENANT = tenantId('111111111111');
const NOW = Date.UTC(2026, 10, 21, 9);
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const SECRET = 'very secret';
const ANN = `arn:aws:iam::${TENANT}:user/ann`;
const api = sampleRestApi();

const deploymentWith = (id: string, authorizationType: string): Deployment => {
  const plain = oneMethodDefinition(api);
  const definition = { ...plain, methods: plain.methods.map((method) => ({ ...method, authorizationType })) };
  return { apiId: api.id, id, description: null, createdAtMs: 0, definition, digest: definitionDigest(definition) };
};
const signed = deploymentWith('dep001', 'AWS_IAM');
const open = deploymentWith('dep002', 'NONE');
const stageOf = ({ id }: Deployment, over: Partial<Stage> = {}): Stage => ({ ...newStage(api.id, 'dev', id, {}, 0), ...over });
const keyOf = (accessKeyId: string, enabled = true): Credential => ({
  accessKeyId,
  tenant: TENANT,
  secret: new Secret(SECRET),
  principalArn: ANN,
  enabled,
});

let store: InMemoryStore;
beforeEach(async () => {
  store = new InMemoryStore(new ManualClock(NOW));
  const policy = { principalArn: ANN, document: '{"Statement":[]}', region: null };
  await store.directory.create({ id: TENANT, name: 'pets', createdAtMs: 0 }, [keyOf('AKIA1'), keyOf('AKIA2', false)], [policy]);
  await transact(async (tx) => {
    await tx.restApis.insert(api);
    await tx.deployments.insertAll([signed, open]);
  });
});

const transact = <T>(work: (tx: TenantRepositories) => Promise<T>): Promise<T> => store.tenants.transact(TENANT, work);
const publish = (stage: Stage) =>
  transact(async (tx) => {
    if ((await tx.stages.find(stage)) === null) await tx.stages.insert(stage);
    else await tx.stages.replace(stage);
    await publishStage(tx, stage, { publishedAtMs: NOW });
  });
const published = async (): Promise<AccessKeyEntry[]> =>
  (await store.manifest.all(['ACCESS_KEY'])).map(({ content }) => JSON.parse(content!.inline) as AccessKeyEntry);
const dates = ({ signingKeys }: AccessKeyEntry): string[] => Object.keys(signingKeys).map((scope) => scope.split('/')[0]!);

test('with the first stage that is signed for, nodes get the enabled keys, for a week before and a week ahead', async () => {
  await publish(stageOf(open));
  expect(await published()).toEqual([]);
  await publish(stageOf(signed));
  const [key, ...others] = await published();
  expect(others).toEqual([]);
  expect(key).toMatchObject({ accessKeyId: 'AKIA1', tenant: TENANT, principalArn: ANN, policy: '{"Statement":[]}' });
  const today = deriveSigningKey(SECRET, '20261121', api.region, 'execute-api').toString('base64');
  expect(key!.signingKeys[`20261121/${api.region}`]).toBe(today);
  expect([dates(key!).length, dates(key!)[0], dates(key!).at(-1)]).toEqual([15, '20261114', '20261128']);
});

test('a canary alone that is signed for is enough', async () => {
  await publish(stageOf(open, { canarySettings: { ...NO_CANARY, percentTraffic: 10, deploymentId: signed.id } }));
  expect(await published()).toHaveLength(1);
});
const NO_CANARY = { percentTraffic: 0, deploymentId: open.id, stageVariableOverrides: {}, useStageCache: false };

test('a second stage writes no key again', async () => {
  await publish(stageOf(signed));
  const before = (await store.manifest.all(['ACCESS_KEY']))[0]!.revision;
  await publish(stageOf(signed, { stageName: 'prod' }));
  expect((await store.manifest.all(['ACCESS_KEY']))[0]!.revision).toBe(before);
});

test('a key that is disabled, and one that is no more, is withdrawn', async () => {
  await publish(stageOf(signed));
  await transact(async (tx) => {
    await tx.accessKeys.replace(keyOf('AKIA1', false));
    await tx.accessKeys.replace(keyOf('AKIA2', true));
    await publishAccessKeys(tx, NOW);
  });
  expect((await published()).map(({ accessKeyId }) => accessKeyId)).toEqual(['AKIA2']);
  await transact(async (tx) => {
    await tx.accessKeys.remove('AKIA2');
    await unpublishAccessKey(tx, 'AKIA2');
  });
  expect(await published()).toEqual([]);
});

test('who calls APIs of others needs no stage of its own, but a region', async () => {
  const policy = { principalArn: ANN, document: '{}', region: 'eu-west-1' };
  await transact(async (tx) => {
    await tx.identityPolicies.replace(policy);
    await publishAccessKeys(tx, NOW);
  });
  expect(Object.keys((await published())[0]!.signingKeys)).toContain('20261121/eu-west-1');
});

test('the days to come are added when they are due, and nothing is written before', async () => {
  await publish(stageOf(signed));
  expect(await refreshAccessKeys(store, NOW + DAY_MS / 2)).toBe(0);
  expect(await refreshAccessKeys(store, NOW + DAY_MS)).toBe(1);
  expect(dates((await published())[0]!).at(-1)).toBe('20261129');
  expect(await refreshAccessKeys(store, NOW + DAY_MS)).toBe(0);
});

test('a tenant without callers is left without keys on nodes, within a day', async () => {
  await publish(stageOf(signed));
  await transact((tx) => unpublishStage(tx, api.id, 'dev'));
  expect(await refreshAccessKeys(store, NOW + DAY_MS)).toBe(1);
  expect(await published()).toEqual([]);
});

describe('a session', () => {
  const expiresAtMs = NOW + DAY_MS / 2;
  const session: Session = {
    accessKeyId: 'ASIA1',
    tenant: TENANT,
    secret: new Secret('of the session'),
    tokenDigest: 'a'.repeat(64),
    expiresAtMs,
    madeBy: 'AKIA1',
  };
  const make = () =>
    transact(async (tx) => {
      await tx.sessions.insert(session);
      await publishSession(tx, session, keyOf('AKIA1'));
    });
  const ids = async () => (await published()).map(({ accessKeyId }) => accessKeyId).sort();

  test('is published alone, with signing keys where older nodes see none, and is the same among all', async () => {
    await publish(stageOf(signed));
    await make();
    const entry = (await published()).find(({ accessKeyId }) => accessKeyId === 'ASIA1')!;
    expect(entry).toMatchObject({ userId: 'AKIA1', principalArn: ANN, policy: '{"Statement":[]}', signingKeys: {} });
    expect(entry.session).toMatchObject({ tokenDigest: session.tokenDigest, expiresAtMs, madeBy: 'AKIA1' });
    expect(Object.keys(entry.session!.signingKeys)).toEqual(['20261120', '20261121'].map((date) => `${date}/${api.region}`));
    const key = deriveSigningKey('of the session', '20261121', api.region, 'execute-api').toString('base64');
    expect(entry.session!.signingKeys[`20261121/${api.region}`]).toBe(key);
    const { revision } = (await store.manifest.all(['ACCESS_KEY'])).find(({ id }) => id === 'ASIA1')!;
    await transact((tx) => publishAccessKeys(tx, NOW));
    expect((await store.manifest.all(['ACCESS_KEY'])).find(({ id }) => id === 'ASIA1')!.revision).toBe(revision);
  });

  test('without callers is not published, and comes with the first stage that is signed for', async () => {
    await make();
    expect(await ids()).toEqual([]);
    await publish(stageOf(signed));
    expect(await ids()).toEqual(['AKIA1', 'ASIA1']);
  });

  test('is withdrawn with its key', async () => {
    await publish(stageOf(signed));
    await make();
    await transact(async (tx) => {
      await tx.accessKeys.replace(keyOf('AKIA1', false));
      await publishAccessKeys(tx, NOW);
    });
    expect(await ids()).toEqual([]);
  });

  test('is removed an hour after its end, from nodes and the store, and not before', async () => {
    await publish(stageOf(signed));
    await make();
    expect(await refreshAccessKeys(store, expiresAtMs + HOUR_MS)).toBe(0);
    expect(await refreshAccessKeys(store, expiresAtMs + HOUR_MS + 1)).toBe(1);
    expect(await ids()).toEqual(['AKIA1']);
    expect(await transact((tx) => tx.sessions.count())).toBe(0);
  });

  test('whose row is gone is withdrawn from nodes all the same', async () => {
    await publish(stageOf(signed));
    await make();
    await transact((tx) => tx.sessions.remove('ASIA1'));
    await refreshAccessKeys(store, expiresAtMs + HOUR_MS + 1);
    expect(await ids()).toEqual(['AKIA1']);
  });
});
