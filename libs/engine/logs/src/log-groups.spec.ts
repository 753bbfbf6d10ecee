import type { Connector, UpstreamRequest } from '@gatehouse/engine-exchange';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LogGroups, type LogGroupsOptions, type LogPlace } from './index.js';

const TENANT = '123456789012';
const arn = (name: string): string => `arn:aws:logs:us-east-1:${TENANT}:log-group:${name}`;
const noHttp: Connector = { call: () => Promise.reject(new Error('nobody has a URL here')) };
const count = () => ({ value: 0, add(by: number) { this.value += by; } }); // prettier-ignore

let folder = '';
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-logs-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(over: Partial<LogGroupsOptions> = {}, fileBytesMax = 1_000_000, oldFilesMax = 2) {
  const counters = { delivered: count(), dropped: count() };
  const failures: string[] = [];
  const place: LogPlace = { kind: 'FOLDER', folder, limits: { fileBytesMax, oldFilesMax } };
  const groups = new LogGroups({
    place,
    http: noHttp,
    counters,
    onFileFailure: (_file, cause) => void failures.push((cause as NodeJS.ErrnoException).code!),
    ...over,
  });
  return { groups, counters, failures };
}

const group = (groups: LogGroups, name = 'g', over: { tenant?: string; url?: string; isStamped?: boolean } = {}) =>
  groups.group({ tenant: TENANT, arn: arn(name), url: null, isStamped: false, ...over })!;
const fileOf = (name: string): string => path.join(folder, TENANT, 'us-east-1', name);
const linesOf = (name: string): string[] => readFileSync(fileOf(name), 'utf8').split('\n').slice(0, -1);

test('a log group is a file that only its owner reads, in the order of its lines', async () => {
  const { groups, counters } = open();
  const lines = Array.from({ length: 2_500 }, (_, i) => `line ${i}`);
  for (const line of lines) group(groups, '/api/dev').write(0, line);
  await groups.flush();
  expect(linesOf('%2Fapi%2Fdev.log')).toEqual(lines);
  expect(statSync(fileOf('%2Fapi%2Fdev.log')).mode & 0o777).toBe(0o600);
  expect([counters.delivered.value, counters.dropped.value, groups.waitingChars]).toEqual([2_500, 0, 0]);
});

test('lines are written without anybody asking', async () => {
  const { groups } = open();
  group(groups).write(0, 'soon');
  await vi.waitFor(() => expect(linesOf('g.log')).toEqual(['soon']), 5_000);
});

test('lines of a stamped group begin with their time', async () => {
  const { groups } = open();
  group(groups, 'g', { isStamped: true }).write(Date.UTC(2026, 0, 1), '(r) Successfully completed execution');
  await groups.flush();
  expect(linesOf('g.log')).toEqual(['2026-01-01T00:00:00.000Z (r) Successfully completed execution']);
});

test('a full file is set aside; so many old ones are kept, and no line is cut', async () => {
  const { groups } = open({}, 100);
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 4; j++) group(groups).write(0, `${i}${j} ${'x'.repeat(20)}`);
    await groups.flush();
  }
  expect(readdirSync(path.dirname(fileOf('g.log'))).sort()).toEqual(['g.log', 'g.log.1', 'g.log.2']);
  expect(['g.log', 'g.log.1', 'g.log.2'].map((name) => linesOf(name).map((line) => line.slice(0, 2)))).toEqual([
    ['40', '41', '42', '43'],
    ['30', '31', '32', '33'],
    ['20', '21', '22', '23'],
  ]);
  expect(statSync(fileOf('g.log')).mode & 0o777).toBe(0o600);
});

test('where no old file is kept, a full one begins anew', async () => {
  const { groups } = open({}, 30, 0);
  for (const line of ['first, of some length', 'second, of some length']) {
    group(groups).write(0, line);
    await groups.flush();
  }
  expect(readdirSync(path.dirname(fileOf('g.log')))).toEqual(['g.log']);
  expect(linesOf('g.log')).toEqual(['second, of some length']);
});

test('no name of a log group leads out of its tenant and region, and different names are different files', async () => {
  const { groups } = open();
  const long = 'x'.repeat(600);
  const names = ['../../../outside', '..', 'a/b', 'a%2Fb', '*', `${long}1`, `${long}2`, 'with:colon'];
  for (const name of names) group(groups, name).write(0, name);
  groups.group({ tenant: '../up', arn: '../../outside', url: null, isStamped: false })!.write(0, 'no arn');
  await groups.flush();
  const written = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(written.length).toBe(names.length + 1);
  expect(readdirSync(folder).sort()).toEqual(['%2E.%2Fup', TENANT]);
  expect(readdirSync(path.join(folder, TENANT))).toEqual(['us-east-1']);
  expect(readdirSync(path.dirname(folder)).filter((name) => name === 'outside.log')).toEqual([]);
});

test('two tenants that name one ARN do not share a file', async () => {
  const { groups } = open();
  group(groups).write(0, 'ours');
  group(groups, 'g', { tenant: '999999999999' }).write(0, 'theirs');
  await groups.flush();
  expect(linesOf('g.log')).toEqual(['ours']);
});

test('whoever names a log group gets the same one, with or without the :* of its ARN', () => {
  const { groups } = open();
  const first = group(groups);
  expect(group(groups, 'g:*')).toBe(first);
  expect(group(groups, 'h')).not.toBe(first);
});

test('a folder that cannot be written costs lines beyond the bound, and those within it arrive later', async () => {
  const { groups, counters, failures } = open({ waitingCharsMax: 4 * 1_000 });
  writeFileSync(path.join(folder, TENANT), 'a file where the folder should be');
  for (let i = 0; i < 20; i++) group(groups).write(0, `${i}`.padEnd(36)); // 100 with what a line takes
  await vi.waitFor(() => expect(failures).toContain('ENOTDIR'), 5_000);
  expect([counters.dropped.value, groups.waitingChars]).toEqual([10, 1_000]);
  rmSync(path.join(folder, TENANT));
  await vi.waitFor(() => expect(linesOf('g.log').map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 10_000);
  expect([counters.delivered.value, counters.dropped.value, groups.waitingChars]).toEqual([10, 10, 0]);
});

test('one tenant takes a quarter of what may wait, and leaves the rest to others', () => {
  const { groups, counters } = open({ waitingCharsMax: 4 * 1_000 });
  for (let i = 0; i < 100; i++) group(groups, `g${i}`).write(0, ''.padEnd(36));
  expect(counters.dropped.value).toBe(90);
  group(groups, 'g', { tenant: '999999999999' }).write(0, 'theirs');
  expect(counters.dropped.value).toBe(90);
});

test('at the end, a sink that fails is given up, and its lines are counted', async () => {
  const { groups, counters } = open();
  writeFileSync(path.join(folder, TENANT), 'a file where the folder should be');
  group(groups).write(0, 'lost');
  await groups.flush();
  expect([counters.delivered.value, counters.dropped.value, groups.waitingChars]).toEqual([0, 1, 0]);
});

test('lines for the standard output say which log group they are of', async () => {
  const lines: string[] = [];
  const { groups } = open({ place: { kind: 'LINES', write: (line) => void lines.push(line) } });
  group(groups, '/api/dev').write(7, 'a "line"');
  await groups.flush();
  expect(lines).toEqual(['{"timestamp":7,"logGroup":"/api/dev","message":"a \\"line\\""}']);
});

test('a node that drops log groups has none, but for those with a URL', () => {
  const { groups } = open({ place: { kind: 'NOWHERE' } });
  expect(groups.group({ tenant: TENANT, arn: arn('g'), url: null, isStamped: false })).toBeNull();
  expect(groups.group({ tenant: TENANT, arn: arn('g'), url: 'https://logs.example.com', isStamped: false })).not.toBeNull();
});

test('lines that a URL refuses for what they are are not sent again; all other failures are', async () => {
  const calls: UpstreamRequest[] = [];
  const statuses = [400, 503, 429, 200];
  const http: Connector = {
    call: (request) => {
      calls.push(request);
      return Promise.resolve({ status: statuses.shift()!, headers: [], body: null });
    },
  };
  const { groups, counters } = open({ http });
  const behindUrl = group(groups, 'g', { url: 'https://logs.example.com/in' });
  behindUrl.write(1, 'bad');
  await vi.waitFor(() => expect(counters.dropped.value).toBe(1), 5_000);
  behindUrl.write(2, 'good');
  await vi.waitFor(() => expect(counters.delivered.value).toBe(1), 10_000);
  expect(calls.map(({ body }) => (body as Buffer).toString())).toEqual([
    '{"timestamp":1,"logGroup":"g","message":"bad"}\n',
    ...Array.from({ length: 3 }, () => '{"timestamp":2,"logGroup":"g","message":"good"}\n'),
  ]);
  expect(calls[0]).toMatchObject({ httpMethod: 'POST', url: 'https://logs.example.com/in', tenant: TENANT });
});
