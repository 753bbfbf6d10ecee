import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '@gatehouse/testkit';
import { migrate, migrationStatus, schemaDrift } from './migrations.js';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

const NOTHING = { pending: [], failed: [], edited: [], unknown: [] };

test('processes that start together migrate once', async () => {
  const url = await postgres.createDatabase();
  const { pending } = await migrationStatus(url);
  expect(pending.length).toBeGreaterThan(0);
  const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
  expect(applied.flat()).toEqual(pending);
  expect(await migrationStatus(url)).toEqual(NOTHING);
});

test('the migrations give exactly the schema that stands in prisma/schema, and a difference is seen', async () => {
  const url = await postgres.createDatabase();
  await migrate(url);
  expect(await schemaDrift(url)).toBeNull();
  await query(url, 'ALTER TABLE stages DROP COLUMN document');
  expect(await schemaDrift(url)).toContain('ADD COLUMN     "document" JSON NOT NULL');
});

test('a database of a newer release, a failed migration and an edited one are refused with what to do', async () => {
  const url = await postgres.createDatabase();
  await migrate(url);
  const insert = (name: string, finished: string) =>
    query(
      url,
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
       VALUES ('${name}', 'x', '${name}', ${finished}, 1)`,
    );
  await insert('20990101000000_later', 'now()');
  await expect(migrate(url)).rejects.toThrow('newer release: 20990101000000_later');
  await query(url, `UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = '20990101000000_later'`);
  await expect(migrate(url)).rejects.toThrow('20990101000000_later failed earlier: repair the database by hand');
  await query(url, `DELETE FROM _prisma_migrations WHERE migration_name = '20990101000000_later'`);
  await query(url, `UPDATE _prisma_migrations SET checksum = 'other'`);
  await expect(migrate(url)).rejects.toThrow('was edited after it had been applied');
});

test('a wrong address is an error at once', async () => {
  await expect(migrate('postgresql://nobody:x@127.0.0.1:1/none')).rejects.toThrow('ECONNREFUSED');
});
