import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { DuplicateKey, newStage, tenantId, type RestApi, type Store, type TenantRepositories } from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';
import { startPostgres, type TestPostgres } from '@gatehouse/testkit';
import { migrate } from './migrations/migrations.js';
import { createStore } from './prisma-store.js';

let postgres: TestPostgres;
let store: Store;
beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  // Few connections: each is used by many transactions, after failures too.
  store = createStore({ databaseUrl: postgres.url, masterKey: new Secret('0123456789abcdef'.repeat(4)), connectionsMax: 3 });
});
afterAll(async () => {
  await store.close();
  await postgres.stop();
});

let tenants = 100_000_000_000;
const newTenant = () => tenantId(String(tenants++));
const restApi = (id: string) => ({ id, name: id, createdAtMs: 1 }) as RestApi;

test('what is asked for at once is one message to PostgreSQL, and BEGIN goes along', async () => {
  const tenant = newTenant();
  await store.tenants.transact(tenant, (tx) => tx.restApis.insert(restApi('once')));
  const messages = vi.spyOn(pg.Client.prototype, 'query');
  onTestFinished(() => messages.mockRestore());
  await store.tenants.transact(tenant, async (tx) => {
    const [api, , , contents, stage] = await Promise.all([
      tx.restApis.lock('once'),
      tx.account.read(),
      tx.placement.read(),
      tx.restApis.contents('once'),
      tx.stages.lock({ apiId: 'once', stageName: 'dev' }),
    ]);
    expect([api?.id, contents.resources, stage]).toEqual(['once', [], null]);
    // The tenant's first one makes the row of its settings.
    expect(messages).toHaveBeenCalledTimes(2);
  });
  expect(messages, 'and one for the commit').toHaveBeenCalledTimes(3);
});

test('a statement sees what was committed while the one before it waited for a lock', async () => {
  const tenant = newTenant();
  await store.tenants.transact(tenant, (tx) => tx.restApis.insert(restApi('seen')));
  const isLocked = Promise.withResolvers<void>();
  const mayGo = Promise.withResolvers<void>();
  const first = store.tenants.transact(tenant, async (tx) => {
    await tx.restApis.lock('seen');
    await tx.stages.insert(newStage('seen', 'dev', 'dep', {}, 0));
    isLocked.resolve();
    await mayGo.promise;
  });
  await isLocked.promise;
  const second = store.tenants.transact(tenant, async (tx) => {
    const [, stage] = await Promise.all([tx.restApis.lock('seen'), tx.stages.find({ apiId: 'seen', stageName: 'dev' })]);
    return stage?.stageName;
  });
  mayGo.resolve();
  await first;
  expect(await second).toBe('dev');
});

test('a statement that fails fails those behind it, the transaction, and nothing after that', async () => {
  const tenant = newTenant();
  const failing = store.tenants.transact(tenant, async (tx) => {
    const [inserted, orphan, behind] = await Promise.allSettled([
      tx.restApis.insert(restApi('kept-not')),
      tx.stages.insert(newStage('no-such-api', 'dev', 'dep', {}, 0)),
      tx.account.read(),
    ]);
    expect([inserted.status, orphan.status, behind.status]).toEqual(['fulfilled', 'rejected', 'rejected']);
  });
  await expect(failing, 'an error that is ignored is no commit').rejects.toThrow('rolled back');
  for (let times = 0; times < 6; times++) {
    await store.tenants.transact(tenant, async (tx) => {
      expect(await tx.restApis.find('kept-not')).toBeNull();
      await tx.account.read();
      await expect(tx.stages.find({ apiId: 'no-such-api', stageName: 'dev' })).resolves.toBeNull();
    });
  }
});

test('Prisma and SQL are in one transaction, however many run at once', async () => {
  const apisOf = new Map(Array.from({ length: 30 }, (_, index) => [newTenant(), `mixed${index}`]));
  const changeAndFail = async (tx: TenantRepositories, id: string) => {
    await tx.restApis.insert(restApi(id)); // SQL
    expect(await tx.restApis.count()).toBe(1); // Prisma
    await expect(tx.restApis.insert(restApi(id))).rejects.toThrow(DuplicateKey);
    expect((await tx.restApis.page({ after: null, limit: 5 })).items.map((api) => api.id)).toEqual([id]);
    throw new Error('refused');
  };
  const failed = await Promise.allSettled(
    [...apisOf].map(([tenant, id]) => store.tenants.transact(tenant, (tx) => changeAndFail(tx, id))),
  );
  expect(failed.map((result) => (result as PromiseRejectedResult).reason?.message)).toEqual([...apisOf].map(() => 'refused'));
  await Promise.all(
    [...apisOf].map(([tenant, id]) =>
      store.tenants.transact(tenant, async (tx) => {
        expect(await tx.restApis.count(), 'Prisma rolled back what SQL wrote').toBe(0);
        await tx.restApis.insert(restApi(id));
      }),
    ),
  );
  for (const [tenant, id] of apisOf) expect((await store.tenants.transact(tenant, (tx) => tx.restApis.find(id)))?.id).toBe(id);
});

test('what comes after the end is refused', async () => {
  const late = await store.tenants.transact(newTenant(), async (tx) => tx);
  await expect(late.restApis.find('any')).rejects.toThrow('is an await missing?');
  await expect(late.restApis.count()).rejects.toThrow('is an await missing?');
});
