import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Finder } from './index.js';
import { WorkLimitExceeded } from './regex.js';

const LIMITS = { charsMax: 2_000, stepsMax: 1_000 };
const find = (pattern: string, text: string, from = 0) => Finder.java(pattern, LIMITS).find(text, from, { left: 1_000_000 });

describe('the first match, and what its groups took', () => {
  for (const [pattern, text, expected] of [
    ['b', 'abc', [1, 2]],
    ['', 'abc', [0, 0]],
    ['x', 'abc', null],
    ['a|ab', 'ab', [0, 1]],
    ['(a)(b)?', 'ac', [0, 1, 0, 1, -1, -1]],
    ['(a+)(a*)', 'aaa', [0, 3, 0, 3, 3, 3]],
    ['(a+?)(a*)', 'aaa', [0, 3, 0, 1, 1, 3]],
    ['(?<name>a)(?:b)(c)', 'abc', [0, 3, 0, 1, 2, 3]],
    ['(a|b)*', 'abab', [0, 4, 3, 4]],
    ['b$', 'ab\n', [1, 2]],
    ['\\bb', 'ab b', [3, 4]],
    ['.', '😀', [0, 2]],
  ] as const) {
    test(`${pattern} in ${JSON.stringify(text)}`, () => expect(find(pattern, text)).toEqual(expected));
  }
});

test('a match begins at the offset or later', () => {
  expect(find('a', 'aba', 1)).toEqual([2, 3]);
  expect(find('^a', 'aba', 1)).toBeNull();
});

test('work is counted, and ends when it is used up', () => {
  const finder = Finder.java('(a*)*(a*)*b', LIMITS);
  expect(() => finder.find('a'.repeat(100_000), 0, { left: 10_000 })).toThrow(WorkLimitExceeded);
});

const pattern: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', '\\d', '\\W', '[ab]', '[^a]', '[0-5x]', '^', '\\b', '\\B', '\\s'),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => left + right),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => `(${left}|${right})`),
    fc
      .tuple(fc.constantFrom('a', 'b', '[ab]', '(ab)', '(a|b)'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '*?', '+?', '??'))
      .map(([part, quantifier]) => part + quantifier),
  ),
})).node;

test('where a match begins and ends agrees with RegExp', () => {
  fc.assert(
    fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', '1', ' '), maxLength: 8 }), (source, text) => {
      const match = new RegExp(source, 'u').exec(text);
      const expected = match === null ? null : [match.index, match.index + match[0].length];
      expect(find(source, text)?.slice(0, 2) ?? null).toEqual(expected);
    }),
    { seed: 1, numRuns: 3_000 },
  );
});
