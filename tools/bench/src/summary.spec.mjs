import { expect, test } from 'vitest';
import { replaceBetween } from './document.mjs';
import { parseReport } from './load.mjs';
import { hottest, parts } from './profile.mjs';
import { median, summarise, table } from './summary.mjs';

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
  expect(table({ contenders: [{ name: 'nginx', title: 'nginx', version: '1.0', ...row }] })).toContain(
    '| nginx (1.0) | invalid | 1 errors |',
  );
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
