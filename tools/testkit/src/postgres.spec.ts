import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { EmbeddedPostgres } from '@gatehouse/embedded-postgres';
import { expect, onTestFinished, test } from 'vitest';
import { startPostgres } from './postgres.js';

test('every database is its own and the server is on 127.0.0.1 alone', async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  const databases = new Set([postgres.url, await postgres.createDatabase(), await postgres.createDatabase()]);
  expect(databases.size).toBe(3);
  for (const url of databases) expect(new URL(url).hostname).toBe('127.0.0.1');
});

test('the server of a test process that was killed is stopped by the next start', async () => {
  const { pid: endedPid } = spawnSync(process.execPath, ['--version']);
  const folder = path.join(os.tmpdir(), `gatehouse-test-postgres-${endedPid}-left`);
  mkdirSync(folder);
  const { port } = new URL((await startAndStop()).url);
  const left = new EmbeddedPostgres({
    directory: path.join(folder, 'data'),
    logFile: path.join(folder, 'postgres.log'),
    port: Number(port),
    password: 'x',
    database: 'postgres',
    settings: { fsync: 'off' },
  });
  await left.start();
  await startAndStop();
  expect(existsSync(folder)).toBe(false);
  await expect(left.createDatabase('gone')).rejects.toThrow('ECONNREFUSED');
});

async function startAndStop() {
  const postgres = await startPostgres();
  await postgres.stop();
  return postgres;
}
