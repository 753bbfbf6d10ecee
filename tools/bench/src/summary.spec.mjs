import { expect, test } from 'vitest';
import { chart } from './chart.mjs';
import { documented, merged, replaceBetween } from './document.mjs';
import { parseH2load, parseReport } from './load.mjs';
import { hottest, parts } from './profile.mjs';
import { COLUMNS, differenceOf, median, percentile, summarise, table } from './summary.mjs';

const sample = (cpuUsPerRequest, errors = 0) => ({
  cpuUsPerRequest,
  requestsPerSecond: 1000,
  busyPercent: 99,
  foreignPercent: 0,
  p50Us: 1000,
  p99Us: 2000,
  p999Us: 3000,
  peakBytes: 2 ** 20,
  requests: 5000,
  errors,
});

test('the median of an even count lies between the middle two', () => {
  expect(median([9, 1])).toBe(5);
  expect(median([9, 1, 2])).toBe(2);
});

test('the ratio is taken within a round, so a slow round of the machine does not count against anybody', () => {
  const samples = new Map([
    ['nginx', [sample(30), sample(60), sample(30)]],
    ['gatehouse', [sample(60), sample(120), sample(66)]],
  ]);
  expect(summarise(samples, 'gatehouse')).toMatchObject({
    ratioToNginx: 2,
    cpuUsPerRequest: 66,
    cpuUsPerRequestRange: [60, 120],
  });
});

test('without nginx there is no ratio', () => {
  expect(summarise(new Map([['gatehouse', [sample(60)]]]), 'gatehouse').ratioToNginx).toBeNull();
});

test('one error in one round makes the row invalid and hides its figures', () => {
  const row = summarise(new Map([['nginx', [sample(30), sample(30, 1)]]]), 'nginx');
  expect(row).toMatchObject({ isValid: false, errors: 1 });
  expect(table([{ name: 'nginx', title: 'nginx', version: '1.0', ...row }], [COLUMNS.ratio, COLUMNS.rate])).toContain(
    '| nginx (1.0) | invalid: 1 errors |  |',
  );
});

test('a row without figures says why, on one line and within its cell', () => {
  const row = { name: 'a', title: 'A', problem: 'https://127.0.0.1:43210/item does not answer: a|b\nlog of the server' };
  expect(table([row], [COLUMNS.ratio, COLUMNS.rate])).toContain(
    '| A | not measured: https://127.0.0.1/item does not answer: a/b |  |',
  );
});

test('a difference to the yardstick is taken within a round, and against the yardstick that was asked for', () => {
  const samples = new Map([
    ['one', [sample(10), sample(50)]],
    ['two', [sample(12), sample(52)]],
  ]);
  expect(summarise(samples, 'two', { added: differenceOf('cpuUsPerRequest') }, 'one').added).toBe(2);
});

test('a percentile is a value that was measured, by nearest rank', () => {
  const values = Array.from({ length: 1000 }, (_, index) => index + 1);
  expect([0.5, 0.99, 0.999, 1].map((share) => percentile(values, share))).toEqual([500, 990, 999, 1000]);
  expect(percentile([], 0.5)).toBe(0);
});

test('a run replaces its part of the page and nothing else', () => {
  const page = 'before <!-- bench:a -->old<!-- /bench:a --> after';
  expect(replaceBetween(page, 'a', 'new')).toBe('before <!-- bench:a -->\nnew\n<!-- /bench:a --> after');
  expect(() => replaceBetween(page, 'b', 'new')).toThrow('expected <!-- bench:b -->');
});

test("wrk's report is found among what wrk prints by itself", () => {
  expect(parseReport('Running 5s test\ngatehouse-bench {"requests":7,"errors":0}\n')).toEqual({ requests: 7, errors: 0 });
  expect(() => parseReport('unable to connect')).toThrow('unable to connect');
});

const H2LOAD = (protocol, failed) => `starting benchmark...
Application protocol: ${protocol}
finished in 1.00s, 4.00 req/s, 1.00KB/s
requests: 4 total, 104 started, 4 done, 3 succeeded, ${failed} failed, 0 errored, 0 timeout
status codes: 3 2xx, 0 3xx, 1 4xx, 0 5xx
`;
const H2LOG = '1000\t200\t300\n1001\t200\t100\n1002\t403\t50\n1003\t200\t200\n';

test("h2load's answers are counted from its log, and a refused one is an error", () => {
  expect(parseH2load(H2LOAD('h2', 0), H2LOG)).toEqual({ requests: 4, errors: 1, p50Us: 100, p99Us: 300, p999Us: 300 });
  expect(parseH2load(H2LOAD('h2', 2), H2LOG).errors).toBe(3);
});

test('a contender that falls back to HTTP/1.1 is not measured as HTTP/2', () => {
  expect(() => parseH2load(H2LOAD('http/1.1', 0), H2LOG)).toThrow('h2load spoke http/1.1, not h2');
});

const scenario = (rows) => ({
  title: 'Small GET',
  at: '2026-01-02T00:00:00Z',
  revision: { commit: 'abc', isDirty: false },
  machine: { cpu: 'C', cores: 2, arch: 'x64', kernel: 'Linux', node: '26' },
  settings: { rounds: 3, seconds: 3, upstream: 'nginx' },
  rows,
});

test('a run of one scenario leaves the others as they were', () => {
  const earlier = { scenarios: { get: scenario([]), tls: scenario([]) } };
  const later = { scenarios: { tls: { ...scenario([]), at: 'later' } } };
  expect(merged(earlier, later).scenarios).toEqual({ get: earlier.scenarios.get, tls: later.scenarios.tls });
  const page = '<!-- bench:get -->\nold\n<!-- /bench:get -->\n<!-- bench:tls -->\nold\n<!-- /bench:tls -->\n';
  expect(documented(page, later)).toMatch(/bench:get -->\nold\n[^]*bench:tls -->\n\| contender/);
});

test('the chart draws what has a ratio, and text of a title stays text', () => {
  const rows = [
    { name: 'nginx', title: 'nginx', isValid: true, ratioToNginx: 1 },
    { name: 'gatehouse', title: 'Gatehouse <plain> & simple', isValid: true, ratioToNginx: 1.2 },
    { name: 'caddy', title: 'Caddy', problem: 'not installed' },
    { name: 'haproxy', title: 'HAProxy', isValid: false, ratioToNginx: 9 },
  ];
  const svg = chart({ scenarios: { get: scenario(rows) } });
  expect(svg.match(/<rect /g)).toHaveLength(2);
  expect(svg).toContain('Gatehouse &lt;plain&gt; &amp; simple');
  expect(svg).toContain('class="ours"');
});

const frame = (id, functionName, url = '', children = []) => ({ id, callFrame: { functionName, url, lineNumber: 4 }, children });
const profile = {
  nodes: [
    frame(1, '(idle)'),
    frame(2, 'run', 'file:///r/libs/engine/http/a.js', [4]),
    frame(3, 'run', 'file:///r/libs/engine/http/a.js'),
    frame(4, 'on', 'node:net', [5]),
    frame(5, 'writev'),
    frame(6, '(garbage collector)'),
    frame(7, 'send', 'file:///r/node_modules/undici/b.js'),
    frame(8, 'read', 'node:net'),
  ],
  samples: [1, 2, 3, 4, 5, 6, 7, 8],
  timeDeltas: [1000, 20, 10, 5, 15, 10, 20, 20],
};

test('the profile adds up calls of a function and leaves idle time out', () => {
  expect(hottest(profile, '/r').slice(0, 3)).toEqual([
    { name: 'run', place: 'libs/engine/http/a.js:5', percent: 30 },
    { name: 'send', place: 'node_modules/undici/b.js:5', percent: 20 },
    { name: 'read', place: 'node:net:5', percent: 20 },
  ]);
});

test("Node's and V8's time counts for the part that called them", () => {
  expect(parts(profile, '/r')).toEqual([
    { name: 'libs/engine/http', percent: 50 },
    { name: 'node_modules/undici', percent: 20 },
    { name: "Node by itself (parsing, sockets' events, timers, streams)", percent: 20 },
    { name: 'garbage collection, on the main thread', percent: 10 },
  ]);
});
