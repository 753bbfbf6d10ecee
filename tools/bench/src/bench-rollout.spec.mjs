import { expect, test } from 'vitest';
import { readRolloutOptions, rolloutHelp } from './bench-rollout.mjs';
import { eachOf } from './rollout/apis.mjs';
import { growths, pairedRatio, slopeOf, spread, turnFigures } from './rollout/phases.mjs';
import { missedBars, rolloutText } from './rollout/report.mjs';

const sample = (done, heapBytes, descriptors = 40) => ({
  done,
  processes: [{ name: 'node 1', heapBytes, externalBytes: 0, residentBytes: 2 * heapBytes, descriptors }],
});
const windows = (...p99s) => ({ requests: 10, errors: 0, p50Us: 1, p99Us: 1, windows: p99s.map((p99Us) => ({ p99Us })) });
const turn = { p99Ms: 0.5, longestMs: 3, longPerSecond: 2 };
const turns = { idle: turn, changing: { ...turn, p99Ms: 0.75 }, beside: turn };
const figures = { p50: 10, p99: 200, max: 300 };
const result = ({
  errors = 0,
  samples = [sample(0, 1e6), sample(1000, 1e6)],
  p99 = 200,
  changing = [105, 105],
  rate = 50,
} = {}) => ({
  at: '2026-01-05T00:00:00Z',
  revision: { commit: 'abc', isDirty: false },
  machine: { cores: 2, cpu: 'cpu', arch: 'x64', kernel: 'Linux', node: '26' },
  settings: { planes: 2, nodes: 3, routes: 20_100, load: 600, rate },
  parts: {
    live: { large: { count: 5, answer: figures, liveFromCall: { ...figures, p99 }, liveFromAnswer: figures } },
    row: { count: 1000, perSecond: 40, answer: figures, growth: growths(samples) },
    changes: { small: { apis: 10, perSecond: 49.9, cpuMsPerChange: [{ name: 'node 1', ms: 1.25 }], turns } },
  },
  load: {
    requests: 1234,
    errors,
    problems: ['a problem'],
    marks: {
      'deployments in a row': windows(),
      'small idle': windows(100, 100),
      'small changing': windows(...changing),
      'small beside': windows(100, 84),
    },
  },
});

test('a run within all bars misses none', () => expect(missedBars(result())).toEqual([]));

test('each bar is missed by name: time to live, failed requests, p99 under changes, heap, descriptors', () => {
  expect(missedBars(result({ p99: 251 }))).toEqual(['deploy to live, large API: p99 251 ms, at most 250']);
  expect(missedBars(result({ rate: 60 }))).toEqual(['small API: only 49.9 of 60 changes per second were made']);
  expect(missedBars(result({ errors: 1 }))).toEqual(['1 failed requests, at most 0 (a problem)']);
  expect(missedBars(result({ changing: [130, 111] }))).toEqual([
    'request p99 during 50 changes/s, small API: 1.21 x idle, at most 1.1',
  ]);
  expect(missedBars(result({ samples: [sample(0, 1e6), sample(1000, 4e6, 46)] }))).toEqual([
    'node 1: the heap grows by 3,000 bytes per deployment, at most 1,024',
    'node 1: 6 descriptors more after all deployments',
  ]);
});

test('the p99 under changes is compared pair by pair, so that one slow minute does not decide', () => {
  expect(pairedRatio(windows(100, 900, 100), windows(110, 990, 500))).toBeCloseTo(1.1);
});

test('the slope is that of all samples, not of the first and the last', () => {
  expect(slopeOf([0, 1, 2, 3].map((x) => [x, 7 + 5 * x]))).toBeCloseTo(5);
  const hill = [0, 10, 0].map((y, x) => [x, y]);
  expect(slopeOf(hill)).toBeCloseTo(0);
});

test('percentiles are of what was measured', () => {
  expect(spread([5, 1, 3])).toEqual({ p50: 3, p99: 5, max: 5 });
});

test('the text has a table per part and says how many requests failed', () => {
  const text = rolloutText(result());
  expect(text).toContain('| large API | 5 | 10 | **200** | 300 | 10 | 200 |');
  expect(text).toContain('| node 1 | 1.25 |');
  expect(text).toContain('Requests of all parts: 1,234, failed: 0.');
  expect(text).toContain('2 control planes, 3 nodes, 20,100 routes');
});

test('what the machine does by itself stands beside what the nodes do', () => {
  const row = rolloutText(result()).match(/^\| small API \| 0\.00 .*$/m)[0];
  expect(row).toContain('| **1.15** | 0.50 → 0.75 | 3.00 → 3.00 | 2.00 → 2.00 |');
});

test('turns of several nodes and windows are one figure: the usual p99, the longest of all, long ones per second and node', () => {
  const windows = [100, 300, 200].map((p99Us) => ({ p99Us, longestUs: 10 * p99Us, longCount: 5 }));
  expect(turnFigures(windows, 5_000)).toEqual({ p99Ms: 0.2, longestMs: 3, longPerSecond: 1 });
});

test('a rate that was not reached is said beside the figures that were taken', () => {
  expect(rolloutText(result())).not.toContain('asked for');
  expect(rolloutText(result({ rate: 60 }))).toMatch(
    /60 changes per second were asked for.* made 49\.9\. .*does not show the bar at 60/,
  );
});

test('a list is worked through by so many at a time, and the first failure ends it', async () => {
  const seen = [];
  let most = 0;
  let present = 0;
  await eachOf([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, ++present);
    await Promise.resolve();
    seen.push(item);
    present--;
  });
  expect([seen, most]).toEqual([[1, 2, 3, 4, 5], 2]);
  await expect(eachOf([1, 2], 1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});

test('only a whole run at full size is written', () => {
  expect(readRolloutOptions([]).writes).toBe(true);
  for (const args of [['--quick'], ['--parts', 'row'], ['--cycles', '20'], ['--no-write'], ['--profile']])
    expect(readRolloutOptions(args).writes, args.join(' ')).toBe(false);
});

test('wrong options are all named, with the help', () => {
  expect(() => readRolloutOptions(['--rate', '0', '--parts', 'row,sow'])).toThrow(/"sow"[^]*--rate: expected[^]*Options:/);
  expect(rolloutHelp()).toContain('--cycles');
});
