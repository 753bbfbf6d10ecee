import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import net from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedPostgres } from './embedded-postgres.js';

let folder: string;
let port: number;
const servers: EmbeddedPostgres[] = [];

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'gatehouse-embedded-postgres-'));
  port = await freePort();
});
afterAll(async () => {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function open(overrides: { port?: number; directory?: string } = {}): EmbeddedPostgres {
  const server = new EmbeddedPostgres({
    directory: path.join(folder, 'home/postgres'),
    logFile: path.join(folder, 'home/logs/postgres.log'),
    port,
    password: `p'a"s s/w:ö@rd`,
    database: 'gatehouse',
    settings: { fsync: 'off' },
    ...overrides,
  });
  servers.push(server);
  return server;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const free = (server.address() as net.AddressInfo).port;
  await new Promise((resolve) => server.close(resolve));
  return free;
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const serverPid = (directory = path.join(folder, 'home/postgres')) =>
  Number(readFileSync(path.join(directory, 'postmaster.pid'), 'utf8').split('\n')[0]);

test('the first start makes everything, data outlives a stop, and a server left behind by a killed launcher is taken over', async () => {
  const first = open();
  await first.start();
  await query(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)');
  await first.stop();
  expect(existsSync(path.join(folder, 'home/postgres/postmaster.pid'))).toBe(false);

  const second = open();
  await second.start();
  expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  const pid = serverPid();

  const afterKill = open(); // knows nothing of the one before, as after a kill -9 of the launcher
  await afterKill.start();
  expect(serverPid()).toBe(pid);
  expect(await query(afterKill.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);

  const moved = open({ port: await freePort() });
  await moved.start();
  expect(await query(moved.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  await moved.stop();
});

test('a server that was killed itself starts again with everything that was committed', async () => {
  const server = open();
  await server.start();
  await query(server.url, 'CREATE TABLE survived (n int); INSERT INTO survived VALUES (7)');
  process.kill(serverPid(), 'SIGKILL');
  await open().start();
  expect(await query(server.url, 'SELECT n FROM survived')).toEqual([{ n: 7 }]);
  await server.stop();
});

test('a first start that was cut short leaves nothing in the way of the next', async () => {
  const directory = path.join(folder, 'cut-short/postgres');
  mkdirSync(path.join(`${directory}.new`, 'base'), { recursive: true });
  const server = open({ directory });
  await server.start();
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
});

test('a data directory below a folder that only its owner may enter works, also for root', async () => {
  const closed = path.join(folder, 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o700);
  const server = open({ directory: path.join(closed, 'postgres') });
  await server.start();
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
});

test('the password is asked for', async () => {
  const server = open();
  await server.start();
  await expect(query(server.url.replace(/:[^:@]*@/, ':wrong@'), 'SELECT 1')).rejects.toThrow('password authentication failed');
  await server.stop();
});

test('a taken port is an error that shows what the server said', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const server = open({ port: (taken.address() as net.AddressInfo).port });
  await expect(server.start()).rejects.toThrow(/could not bind .*Address already in use/s);
  await new Promise((resolve) => taken.close(resolve));
});
