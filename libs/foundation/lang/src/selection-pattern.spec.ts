import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SelectionPattern } from './selection-pattern.js';

describe('a pattern matches the whole text', () => {
  for (const [pattern, matching, other] of [
    ['200', ['200'], ['2000', '20', '1200', '']],
    ['4\\d{2}', ['400', '499'], ['40', '500', '4000']],
    ['[45]\\d\\d', ['404', '503'], ['200']],
    ['.*', ['', 'anything'], ['two\nlines']],
    ['(\\n|.)+', ['two\nlines', 'x'], ['']],
    ['[\\s\\S]*\\[400\\][\\s\\S]*', ['a\n[400] b'], ['400']],
    ['(?s).*Error.*', ['an\nError\n!'], ['error']],
    ['(?i)error', ['ERROR', 'Error'], ['err']],
    ['(?is).*error.*', ['AN\nERROR'], []],
    ['.*"status":4\\d{2}.*', ['{"status":404}'], ['{"status":500}']],
    ['^foo$', ['foo'], ['xfoo', 'foo\n']],
    ['a|b|', ['a', 'b', ''], ['ab']],
    ['(?:a|(?<name>bc))*?d', ['d', 'abcad'], ['bd']],
    ['a{2,3}', ['aa', 'aaa'], ['a', 'aaaa']],
    ['a{2,}', ['aa', 'aaaaa'], ['a']],
    ['[^0-9]+', ['abc'], ['a1']],
    ['[a\\]\\-z-]+', ['a]-z'], ['b']],
    ['[\\D]', ['x'], ['1']],
    ['\\x41\\u0042\\.\\{', ['AB.{'], ['ABx{']],
    ['\\W\\w\\s\\S\\t', [' a b\t'], ['a a b\t']],
    ['a^b', [], ['ab', 'a^b']],
    ['.*\\bdog\\b.*', ['a dog!', 'dog'], ['dogs', 'adog']],
    ['a\\Bb', ['ab'], ['a b']],
    ['((a*)*)*b', ['b', 'aaab'], ['a']],
    ['😀.', ['😀😀'], ['😀']],
  ] as const) {
    test(`"${pattern}"`, () => {
      const parsed = SelectionPattern.parse(pattern);
      for (const text of matching) expect(parsed.matches(text), text).toBe(true);
      for (const text of other) expect(parsed.matches(text), text).toBe(false);
    });
  }
});

describe('what cannot be run in bounded time, or is no pattern, is refused', () => {
  for (const pattern of [
    '(',
    ')',
    '[',
    '[]',
    '[z-a]',
    '*',
    'a**',
    'a{2',
    'a{3,2}',
    '{',
    '^*',
    '\\',
    '\\x4',
    '\\q',
    '(?',
    '(a)\\1',
    '(?=a)',
    '(?!a).*',
    '(?<=a)b',
    '(?>a)',
    'a++',
    '\\pL',
    'a(?i)b',
    '[a&&b]',
    '[a[b]]',
    '[$-[]',
    'a{480}',
    '((a{100}){100}){100}',
    '((){1000}){1000}',
    'a'.repeat(2001),
    `${'('.repeat(51)}${')'.repeat(51)}`,
  ]) {
    test(pattern.slice(0, 30), () => expect(() => SelectionPattern.parse(pattern)).toThrow());
  }
});

test('patterns that make a backtracking engine explode are ordinary here', () => {
  const text = 'a'.repeat(5_000);
  for (const pattern of ['(a+)+b', '(a|a)*b', '(a|aa)+b', '(.*)*b', 'a*a*a*a*a*a*b']) {
    expect(SelectionPattern.parse(pattern).matches(text)).toBe(false);
    expect(SelectionPattern.parse(pattern).matches(`${text}b`)).toBe(true);
  }
});

/** Patterns of the subset on which JavaScript's RegExp means the same, small enough for it. */
const pattern: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', '.', '\\d', '\\W', '[ab]', '[^a]', '[0-5x]', '^', '$'),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => left + right),
    fc.tuple(tie('node'), tie('node')).map(([left, right]) => `(${left}|${right})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,}', '*?'))
      .map(([part, quantifier]) => `(?:${part})${quantifier}`),
  ),
})).node;

test('agrees with RegExp wherever that one answers at all', () => {
  fc.assert(
    fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', '1', '\n'), maxLength: 7 }), (source, text) => {
      expect(SelectionPattern.parse(source).matches(text)).toBe(new RegExp(`^(?:${source})$`, 'u').test(text));
    }),
    { numRuns: 2_000 },
  );
});

test('any text is either refused or runs', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab(|)*+?{}[]^$.\\d1,-<>:=!') }), fc.string(), (source, text) => {
      let parsed;
      try {
        parsed = SelectionPattern.parse(source);
      } catch (error) {
        expect(error).toHaveProperty('name', 'SelectionPatternError');
        return;
      }
      expect(typeof parsed.matches(text)).toBe('boolean');
    }),
    { numRuns: 2_000 },
  );
});
