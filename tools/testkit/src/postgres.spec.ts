import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from './postgres.js';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

test('every database is its own and the server is on 127.0.0.1 alone', async () => {
  const databases = new Set([postgres.url, await postgres.createDatabase(), await postgres.createDatabase()]);
  expect(databases.size).toBe(3);
  for (const url of databases) expect(new URL(url).hostname).toBe('127.0.0.1');
});
