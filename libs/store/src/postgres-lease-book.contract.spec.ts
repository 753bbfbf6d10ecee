import { leaseBookContract } from '@gatehouse/domain/lease-book-contract';
import { startPostgres, type TestPostgres } from '@gatehouse/testkit';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { migrate } from './migrations/migrations.js';
import { PostgresLeaseBook } from './postgres-lease-book.js';

let postgres: TestPostgres;
const pools: pg.Pool[] = [];
const openBook = () => {
  const pool = new pg.Pool({ connectionString: postgres.url, max: 8 });
  pool.on('connect', (client) => client.on('error', () => {})); // the server may close it before the pool has
  pool.on('error', () => {}); // told of the same for clients that wait in it
  pools.push(pool);
  return new PostgresLeaseBook(pool);
};
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  for (const pool of pools) await pool.end();
  await postgres.stop();
});

leaseBookContract(
  'PostgresLeaseBook',
  async () => {
    await migrate(postgres.url);
    return openBook();
  },
  async () => openBook(),
);
