import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Regex, WorkLimitExceeded } from './index.js';

const LIMITS = { charsMax: 2_000, stepsMax: 1_000 };
const search = (pattern: string): Regex => Regex.search(pattern, 'ecma', LIMITS);

describe('a search matches anywhere in the text', () => {
  for (const [pattern, matching, other] of [
    ['b', ['abc', 'b'], ['', 'xyz']],
    ['', ['', 'x'], []],
    ['^a', ['ab'], ['ba']],
    ['a$', ['ba'], ['ab', 'a\n']],
    ['^$', [''], ['x']],
    ['^[a-z]{2,3}$', ['ab', 'abc'], ['a', 'abcd', 'AB']],
    ['a|^b', ['xa', 'b'], ['xb']],
    ['\\bcat\\b', ['a cat.', 'cat'], ['cats', 'concat', '']],
    ['\\Bat', ['cat'], ['at', 'a at']],
    ['x{', ['x{'], ['x']],
    ['a{,3}', ['a{,3}'], ['aaa']],
    ['[[]a]', ['[a]'], ['a']],
    ['[]', [], ['', 'a']],
    ['[^]', ['a', '\n'], ['']],
    ['[\\b]', ['\b'], ['b']],
    ['[\\w-.]', ['-', '.', 'a'], ['+']],
    ['[+-\\d]', ['+', '-', '7'], ['.']],
    ['\\cJ\\v\\0', ['\n\v\0'], ['J']],
    ['\\s', ['\u00a0', '\u2003', '\ufeff'], ['x']],
    ['^.$', ['😀', '\u0085'], ['\u2028', '\n']],
    ['^\\uD83D\\uDE00$', ['😀'], ['😁']],
    ['^[😀-😂]$', ['😁'], ['😃']],
    ['\\/', ['/'], ['']],
    ['^\\d{4}-\\d{2}$', ['2026-11'], ['2026-1']],
  ] as const) {
    test(`"${pattern}"`, () => {
      const regex = search(pattern);
      for (const text of matching) expect(regex.test(text), text).toBe(true);
      for (const text of other) expect(regex.test(text), text).toBe(false);
    });
  }
});

describe('what cannot be run in linear time is refused by name', () => {
  for (const [pattern, reason] of [
    ['(?=a)', 'look-ahead'],
    ['(?!a)', 'look-ahead'],
    ['(?<=a)', 'look-behind'],
    ['(?<!a)', 'look-behind'],
    ['(a)\\1', 'back references'],
    ['(?<n>a)\\k<n>', 'back references'],
    ['a++', 'possessive'],
    ['(?>a)', 'atomic groups'],
    ['(?i)a', 'flags inside'],
    ['\\p{L}', '\\p is not supported'],
    ['a{5000}', 'unfolds to more than 1000 steps'],
  ] as const) {
    test(pattern, () => expect(() => search(pattern)).toThrow(reason));
  }
});

test('a pattern with more states than are remembered still answers right', () => {
  const regex = search('^(a|b)*a(a|b){12}$');
  const text = (last: string): string => 'ab'.repeat(2_000) + last + 'b'.repeat(12);
  let bits = 1;
  const noise = Array.from({ length: 20_000 }, () => 'ab'[(bits = (bits * 48_271) % 2_147_483_647) % 2]).join('');
  expect(regex.test(noise + text('a'))).toBe(true);
  expect(regex.test(noise + text('b'))).toBe(false);
});

test('work is counted where there is a budget, and ends when it is used up', () => {
  const regex = search('(a|b)*a(a|b){100}c');
  expect(() => regex.test('ab'.repeat(5_000), { left: 10_000 })).toThrow(WorkLimitExceeded);
});

const pattern: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', '.', '\\d', '\\W', '[ab]', '[^a]', '[0-5x]', '^', '$', '\\b', '\\B', '\\s', 'é'),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => left + right),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => `(${left}|${right})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,}', '*?'))
      .map(([part, quantifier]) => `(?:${part})${quantifier}`),
  ),
})).node;
// Nothing beyond U+FFFF, where the oracle errs: V8 says that /([^a]|a)$/u does not match one such character.
const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '\n', ' ', 'é'), maxLength: 8 });

test('a search agrees with RegExp wherever that one answers at all', () => {
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 4 }), (source, texts) => {
      const regex = search(source);
      for (const each of texts) expect(regex.test(each)).toBe(new RegExp(source, 'u').test(each));
    }),
    { seed: 1, numRuns: 1_500 },
  );
});

test('any text is either refused or runs', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab(|)*+?{}[]^$.\\d1,-<>:=!cv0') }), fc.string(), (source, each) => {
      let regex;
      try {
        regex = search(source);
      } catch (error) {
        expect(error).toHaveProperty('name', 'RegexError');
        return;
      }
      expect(typeof regex.test(each)).toBe('boolean');
    }),
    { seed: 1, numRuns: 1_000 },
  );
});
