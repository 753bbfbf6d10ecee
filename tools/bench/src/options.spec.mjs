import { expect, test } from 'vitest';
import { CONTENDERS } from './contenders.mjs';
import { help, readOptions } from './options.mjs';
import { SCENARIOS } from './scenarios/index.mjs';

test('without options everything is measured in three rounds of three seconds, and the result is kept', () => {
  expect(readOptions(['proxy'])).toEqual({
    help: false,
    scenarios: ['get', 'post', 'stream', 'tls', 'h2', 'half-load', 'idle', 'workers', 'explain', 'explain-keyed'],
    only: undefined,
    seconds: 3,
    rounds: 3,
    firstWarmUpSeconds: 3,
    warmUpSeconds: 1,
    idleConnections: 10_000,
    name: 'proxy',
    profile: false,
    writes: true,
    builds: true,
    json: false,
  });
});

for (const [what, args, writes] of [
  ['some of the contenders', ['--only', 'nginx'], false],
  ['a quick look', ['--quick'], false],
  ['some of the scenarios', ['--scenario', 'tls'], true],
  ['a quick look with a name of its own', ['--quick', '--name', 'mine'], true],
]) {
  test(`only full measurements reach the page: ${what}`, () => {
    expect(readOptions(['proxy', ...args]).writes).toBe(writes);
  });
}

test('the help names every scenario and every contender', () => {
  const text = help();
  for (const { name } of [...SCENARIOS, ...CONTENDERS]) expect(text).toContain(`\n  ${name} `);
});

for (const [what, args, message] of [
  ['no benchmark', [], 'Which benchmark? There are proxy, scale, rollout, scrape, management and steps; got ""'],
  ['seconds of text', ['proxy', '--seconds', 'fast'], '--seconds: expected a whole number from 1 to 600, got "fast"'],
  ['no rounds', ['proxy', '--rounds', '0'], '--rounds: expected a whole number from 1 to 100, got "0"'],
  [
    'a name that leaves the folder',
    ['proxy', '--name', '../x'],
    '--name: expected lower-case letters, digits and "-", got "../x"',
  ],
  ['an unknown scenario', ['proxy', '--scenario', 'get,h3'], '--scenario: there is no "h3"; there are get, post'],
  ['an unknown contender', ['proxy', '--only', 'apache'], '--only: there is no "apache"; there are nginx, haproxy'],
  ['an unknown option', ['proxy', '--fast'], "Unknown option '--fast'"],
]) {
  test(`a wrong command line is refused with what is expected: ${what}`, () => {
    expect(() => readOptions(args)).toThrow(message);
  });
}

test('all problems of a command line are told together', () => {
  expect(() => readOptions(['proxy', '--rounds', '0', '--seconds', '0'])).toThrow(/--seconds[^]*--rounds/);
});
