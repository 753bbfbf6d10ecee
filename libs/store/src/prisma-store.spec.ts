import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { tenantId, type ApiKey, type Method, type RestApi, type Store, type TenantRepositories } from '@gatehouse/domain';
import { ManualClock, Secret, type Clock } from '@gatehouse/kernel';
import { startPostgres, type TestPostgres } from '@gatehouse/testkit';
import { migrate } from './migrations/migrations.js';
import { createStore, type StoreLogger } from './prisma-store.js';

const MASTER_KEY = new Secret('0123456789abcdef'.repeat(4));
const TENANT = tenantId('123456789012');

let postgres: TestPostgres;
let url: string;
beforeAll(async () => {
  postgres = await startPostgres();
  url = postgres.url;
  await migrate(url);
});
afterAll(() => postgres.stop());

function open(options: { masterKey?: Secret; logger?: StoreLogger; databaseUrl?: string; clock?: Clock } = {}): Store {
  const store = createStore({ databaseUrl: url, masterKey: MASTER_KEY, ...options });
  onTestFinished(() => store.close());
  return store;
}

async function query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** The fields that matter here; the store takes the rest as it comes. */
const restApi = (id: string) => ({ id, name: id, createdAtMs: 1 }) as RestApi;
const apiKey = (id: string, value: string) => ({ id, value: new Secret(value), name: id, createdAtMs: 1 }) as ApiKey;

/** Connections that are inside a transaction of this database, but for the asking one. */
const terminateBackends = (state: string) =>
  query<{ pid: number }>(
    `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND ${state}`,
  );

test('a connection that dies inside a transaction leaves nothing half-written, and the store goes on', async () => {
  const store = open();
  const broken = store.tenants.transact(TENANT, async (tx) => {
    await tx.restApis.insert(restApi('half'));
    await tx.manifest.put('STAGE', 'half/dev', { digest: null, blobBytes: 0, inline: '{}' });
    expect(await terminateBackends(`state = 'idle in transaction'`)).toHaveLength(1);
    await tx.restApis.insert(restApi('other-half'));
  });
  await expect(broken).rejects.toThrow();
  await store.tenants.transact(TENANT, async (tx) => {
    expect(await tx.restApis.find('half')).toBeNull();
    expect(await tx.manifest.find('STAGE', 'half/dev')).toBeNull();
    expect(await tx.restApis.count()).toBe(0);
  });
});

test('a connection that dies right before the commit is an error, not a silent loss', async () => {
  const store = open();
  const broken = store.tenants.transact(TENANT, async (tx) => {
    await tx.restApis.insert(restApi('lost'));
    await terminateBackends(`state = 'idle in transaction'`);
  });
  await expect(broken).rejects.toThrow();
  expect(await store.tenants.transact(TENANT, (tx) => tx.restApis.find('lost'))).toBeNull();
});

test('connections that die while idle are replaced', async () => {
  const warn = vi.fn();
  const store = open({ logger: { warn } });
  expect(await store.healthy()).toBe(true);
  await terminateBackends(`state = 'idle'`);
  await expect.poll(() => warn.mock.calls.length).toBeGreaterThan(0);
  expect(await store.healthy()).toBe(true);
});

test('subscribers hear of publications again after their connection broke', async () => {
  const store = open();
  const heard = vi.fn();
  const stop = await store.manifest.subscribe(heard);
  await terminateBackends(`query LIKE 'LISTEN%'`);
  // The new connection tells once by itself: something may have been published in between.
  await expect.poll(() => heard.mock.calls.length, { timeout: 10_000 }).toBe(1);
  await store.tenants.transact(TENANT, (tx) => tx.manifest.put('STAGE', 'heard', { digest: null, blobBytes: 0, inline: '{}' }));
  await expect.poll(() => heard.mock.calls.length).toBe(2);
  await stop();
});

test('two transactions that wait for each other both get through', async () => {
  const warn = vi.fn();
  const store = open({ logger: { warn } });
  await store.tenants.transact(TENANT, async (tx) => {
    await tx.restApis.insert(restApi('one'));
    await tx.restApis.insert(restApi('two'));
  });
  const holds = { one: Promise.withResolvers<void>(), two: Promise.withResolvers<void>() };
  const change = (first: 'one' | 'two', second: 'one' | 'two') =>
    store.tenants.transact(TENANT, async (tx) => {
      await append(tx, first);
      holds[first].resolve();
      await holds[second].promise;
      await append(tx, second);
    });
  const append = async (tx: TenantRepositories, id: string) => {
    const api = await tx.restApis.lock(id);
    await tx.restApis.replace({ ...api!, name: `${api!.name}+` });
  };
  await Promise.all([change('one', 'two'), change('two', 'one')]);
  const names = await store.tenants.transact(TENANT, async (tx) => [
    (await tx.restApis.find('one'))?.name,
    (await tx.restApis.find('two'))?.name,
  ]);
  expect(names).toEqual(['one++', 'two++']);
  expect(warn).toHaveBeenCalledWith(expect.objectContaining({ attempt: 1 }), 'transaction runs again after a conflict');
});

test('all methods of an API with 1,000 resources come with one query', async () => {
  const store = open();
  await store.tenants.transact(TENANT, async (tx) => {
    await tx.restApis.insert(restApi('large'));
    for (let index = 0; index < 1000; index++) {
      await tx.resources.insert({ apiId: 'large', id: `r${index}`, parentId: null, pathPart: null, path: `/${index}` });
      await tx.methods.insert({ apiId: 'large', resourceId: `r${index}`, httpMethod: 'GET', integration: null } as Method);
    }
  });
  const queries = vi.spyOn(pg.Client.prototype, 'query');
  onTestFinished(() => queries.mockRestore());
  await store.tenants.transact(TENANT, async (tx) => {
    await tx.restApis.count(); // warms up and makes BEGIN part of the past
    queries.mockClear();
    expect(await tx.methods.ofApi('large')).toHaveLength(1000);
    expect(queries).toHaveBeenCalledTimes(1);
  });
});

test('no secret stands in the database in the clear', async () => {
  const store = open();
  const secrets = ['API-KEY-VALUE-in-the-clear', 'CREDENTIAL-in-the-clear', 'ENVIRONMENT-in-the-clear'];
  await store.directory.create({ id: TENANT, name: 'first', createdAtMs: 1 }, [
    { accessKeyId: 'AKIA1', tenant: TENANT, secret: new Secret(secrets[1]!), principalArn: 'arn', enabled: true },
  ]);
  await store.tenants.transact(TENANT, async (tx) => {
    await tx.apiKeys.insert(apiKey('sealed', secrets[0]!));
    const environment = { SECRET: new Secret(secrets[2]!) };
    const version = { functionName: 'f', version: '1', codeDigest: 'c', environment };
    await tx.functions.insert({ name: 'f', latest: { ...version, version: '$LATEST' }, newestVersion: 1 } as never);
    await tx.functionVersions.insert(version as never);
    expect((await tx.functions.find('f'))?.latest.environment.SECRET?.reveal()).toBe(secrets[2]);
    const entry = { digest: null, blobBytes: 0, inline: JSON.stringify({ environment: { SECRET: secrets[2] } }) };
    const revision = await tx.manifest.put('FUNCTION', 'f:$LATEST', entry);
    expect(await tx.manifest.put('FUNCTION', 'f:$LATEST', entry), 'the same content keeps its revision').toBe(revision);
    expect((await tx.manifest.find('FUNCTION', 'f:$LATEST'))?.content).toEqual(entry);
  });
  expect((await store.manifest.all(['FUNCTION'])).map(({ content }) => content?.inline)).toEqual([
    JSON.stringify({ environment: { SECRET: secrets[2] } }),
  ]);
  const tables = await query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  expect(tables.length).toBeGreaterThan(20);
  for (const { name } of tables) {
    const rows = await query<{ text: string; bytes: string }>(`SELECT row_to_json(t)::text AS text FROM ${name} AS t`);
    const text = rows.map((row) => row.text).join('\n');
    for (const secret of secrets) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(secret).toString('hex'));
      expect(text).not.toContain(Buffer.from(secret).toString('base64'));
    }
  }
});

test('another master key opens nothing and says why', async () => {
  await open().tenants.transact(TENANT, (tx) => tx.apiKeys.insert(apiKey('locked', 'value-of-locked')));
  const stranger = open({ masterKey: new Secret('f'.repeat(64)) });
  await expect(stranger.tenants.transact(TENANT, (tx) => tx.apiKeys.find('locked'))).rejects.toThrow(
    'was GATEHOUSE_MASTER_KEY changed?',
  );
  expect(() => createStore({ databaseUrl: url, masterKey: new Secret('short') })).toThrow('64 hexadecimal digits');
});

test('a node that a control plane saw just now was seen just now by all, whatever their clocks say', async () => {
  const HOUR_MS = 3_600_000;
  const clocks = [0, HOUR_MS, -HOUR_MS].map((offMs) => new ManualClock(Date.now() + offMs));
  const [right, ahead, behind] = clocks.map((clock) => ({ clock, nodes: open({ clock }).nodes }));
  const record = {
    nodeId: 'seen',
    role: 'DATA_PLANE',
    epoch: 1,
    softwareVersion: '0.1.0',
    labels: {},
    adminUrl: null,
    connected: true,
    lastSeenAtMs: ahead!.clock.nowMs(),
    ackedRevision: 0,
    ackedAtMs: null,
    protocol: 1,
    snapshotFormats: [1],
    turnedAway: null,
  } as const;
  await ahead!.nodes.connected(record);
  const silence = async () => {
    const silentMs: number[] = [];
    for (const { clock, nodes } of [right!, ahead!, behind!])
      for (const node of await nodes.list()) silentMs.push(clock.nowMs() - node.lastSeenAtMs);
    return silentMs;
  };
  const soon = expect.closeTo(0, -5) as number; // a minute at most
  expect(await silence()).toEqual([soon, soon, soon]);
  await behind!.nodes.heard([{ nodeId: 'seen', epoch: 1, revision: null, atMs: behind!.clock.nowMs() }]);
  expect(await silence()).toEqual([soon, soon, soon]);
  await right!.nodes.heard([{ nodeId: 'seen', epoch: 1, revision: 7, atMs: right!.clock.nowMs() }]);
  expect(await silence()).toEqual([soon, soon, soon]);
  expect(await ahead!.nodes.forget(ahead!.clock.nowMs() - HOUR_MS / 2), 'nobody forgets it').toBe(0);
});

test('a store without a database is not healthy', async () => {
  expect(await open({ databaseUrl: 'postgresql://nobody:x@127.0.0.1:1/none' }).healthy()).toBe(false);
});
