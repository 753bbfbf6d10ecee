import { expect, test } from 'vitest';
import { stepsHelp } from './bench-steps.mjs';
import { problemsOf, stepsText, templatesOf } from './steps/report.mjs';

const row = (over) => ({
  title: 'API key',
  cpuUsPerRequest: 20.4,
  requestsPerSecond: 48_000.2,
  p50Us: 900,
  p99Us: 2_100,
  errors: 0,
  ratio: 1.1,
  most: 1.15,
  ...over,
});
const result = (over) => ({
  rows: [row({ title: 'plain proxy', ratio: null, most: undefined }), row({})],
  functionCall: { plainMs: 0.17, addedMs: 0.8, hitMs: 0.05 },
  templates: [{ name: 'a list', ownUs: 1, theirUs: 12, faster: 12 }],
  settings: { rounds: 5, seconds: 3, upstream: 'nginx' },
  at: '2026-01-05T00:00:00Z',
  revision: { commit: 'abc', isDirty: false },
  machine: { cores: 2, cpu: 'cpu', arch: 'x64', kernel: 'Linux', node: '26' },
  ...over,
});

test('the tables say ratio, bar, and where they were measured', () => {
  const text = stepsText(result());
  expect(text).toContain('| plain proxy | 1 |  | 20.4 | 48000 | 0.90 | 2.10 |');
  expect(text).toContain('| API key | **1.10** | 1.15 | 20.4 | 48000 | 0.90 | 2.10 |');
  expect(text).toContain('adds 0.80 ms');
  expect(text).toContain('A cache hit takes 0.05 ms: 3.4 times as fast.');
  expect(text).toContain('| a list | 1 | 12 | **12** |');
  expect(problemsOf(result())).toEqual([]);
});

test('what misses its bar, failed, or was not measured is named', () => {
  const rows = [row({ ratio: 1.2 }), row({ errors: 3 }), { title: 'IAM', problem: 'answers 403\nmore' }];
  const bad = result({ rows, functionCall: { problem: 'no runner' }, templates: [{ name: 'a list', faster: 3 }] });
  expect(problemsOf(bad)).toEqual([
    'API key: 1.20 of the plain proxy, at most 1.15',
    'API key: 3 requests failed',
    'IAM: not measured: answers 403\nmore',
    'local function: not measured: no runner',
    'template "a list": 3 x velocityjs, at least 10',
  ]);
  expect(stepsText(bad)).toContain('| IAM | not measured: answers 403 | | | | | |');
  expect(problemsOf(result({ functionCall: { plainMs: 0.2, addedMs: 1.5, hitMs: 0.05 } }))).toEqual([
    'local function: adds 1.50 ms, at most 1',
  ]);
});

test('figures are read from the lines that the benchmark of templates prints', () => {
  expect(templatesOf('engine: a list                       1.95 us   velocityjs    14.02 us   7.2 x\nother\n')).toEqual([
    { name: 'engine: a list', ownUs: 1.95, theirUs: 14.02, faster: 7.2 },
  ]);
});

test('the help names every row', () => expect(stepsHelp()).toContain('function-authorizer'));
