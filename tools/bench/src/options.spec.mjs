import { expect, test } from 'vitest';
import { readOptions } from './options.mjs';

test('without options the run is three rounds of five seconds, and its result is kept', () => {
  expect(readOptions(['proxy'])).toEqual({
    help: false,
    seconds: 5,
    rounds: 3,
    only: undefined,
    name: 'proxy',
    profile: false,
    writes: true,
    json: false,
  });
});

for (const [what, args, message] of [
  ['no benchmark', [], 'Which benchmark? There is one: proxy; got ""'],
  ['seconds of text', ['proxy', '--seconds', 'fast'], '--seconds: expected a whole number from 1 to 600, got "fast"'],
  ['no rounds', ['proxy', '--rounds', '0'], '--rounds: expected a whole number from 1 to 100, got "0"'],
  [
    'a name that leaves the folder',
    ['proxy', '--name', '../x'],
    '--name: expected lower-case letters, digits and "-", got "../x"',
  ],
  ['an unknown option', ['proxy', '--fast'], "Unknown option '--fast'"],
]) {
  test(`a wrong command line is refused with what is expected: ${what}`, () => {
    expect(() => readOptions(args)).toThrow(message);
  });
}

test('all problems of a command line are told together', () => {
  expect(() => readOptions(['proxy', '--rounds', '0', '--seconds', '0'])).toThrow(/--seconds[^]*--rounds/);
});
