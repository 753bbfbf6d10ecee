import { afterAll, beforeAll } from 'vitest';
import { storeContract } from '@gatehouse/domain/store-contract';
import { Secret } from '@gatehouse/kernel';
import { startPostgres, type TestPostgres } from '@gatehouse/testkit';
import { migrate } from './migrations/migrations.js';
import { createStore } from './prisma-store.js';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

storeContract('PrismaStore on PostgreSQL', async (clock) => {
  await migrate(postgres.url);
  return createStore({ databaseUrl: postgres.url, masterKey: new Secret('0123456789abcdef'.repeat(4)), clock });
});
