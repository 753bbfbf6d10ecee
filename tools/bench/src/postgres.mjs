// The PostgreSQL of a benchmark, as a process of its own.
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { EmbeddedPostgres } from '@gatehouse/embedded-postgres';
import pg from 'pg';
import { pin, processTree } from './proc.mjs';

/** Starts it below `folder`, on one core; what ends it goes to `closing` as soon as it runs. Returns its URL, a pool, and its process id. */
export async function startPostgres({ folder, port, core, closing }) {
  chmodSync(folder, 0o755); // PostgreSQL may run as another user
  const postgres = new EmbeddedPostgres({
    directory: path.join(folder, 'postgres'),
    logFile: path.join(folder, 'postgres.log'),
    port,
    password: randomBytes(12).toString('hex'),
    database: 'gatehouse',
  });
  closing.push(() => postgres.stop());
  await postgres.start();
  const database = new pg.Pool({ connectionString: postgres.url, max: 2 });
  closing.push(() => database.end());
  const pid = Number(readFileSync(path.join(folder, 'postgres/postmaster.pid'), 'latin1').split('\n')[0]);
  for (const each of processTree(pid)) pin(each, core);
  return { url: postgres.url, database, pid };
}
