import { LinkRefusal } from '@gatehouse/engine-exchange';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileSelectionPattern } from './selection-pattern.js';

for (const [pattern, text, expected] of [
  ['200', '200', true],
  ['200', '2000', false],
  ['20', '200', false],
  ['4\\d{2}', '404', true],
  ['4\\d{2}', '4044', false],
  ['[45]\\d\\d', '503', true],
  ['[^2]\\d+', '200', false],
  ['2..|404', '404', true],
  ['(2|3)0(0|4)', '304', true],
  ['.*', '', true],
  ['.+', '', false],
  ['.*Error.*', 'a\nError', false],
  ['(\\n|.)*Error(\\n|.)*', 'a\nError\nb', true],
  ['(?s).*Error.*', 'a\nError', true],
  ['(?i)not found', 'Not Found', true],
  ['^5\\d{2}$', '500', true],
  ['(?!200).*', '201', true],
  ['(?!200).*', '200', false],
  ['(?=4).{3}', '404', true],
  ['a{2,3}', 'a', false],
  ['a{2,3}', 'aaa', true],
  ['a{2,}?b', 'aaab', true],
  ['(?<code>[a-c-])+', 'a-c', true],
  ['[]a]+', ']a', true],
  ['\\Bb', 'b', false],
  ['a.*\\bb', 'a b', true],
  ['\\x41\\u0042', 'AB', true],
  ['\\.\\*', '.*', true],
  ['()', '', true],
  ['a||b', '', true],
] as const) {
  test(`/${pattern}/ over ${JSON.stringify(text)}: ${expected}`, () => {
    expect(compileSelectionPattern(pattern).matches(text)).toBe(expected);
  });
}

for (const pattern of ['(a)\\1', '(?<=a)b', 'a*+', '\\p{L}', '[a&&b]', '[[a]]', '(?m)a', '(a', 'a)', '*a', 'a**', '[a', 'a{3,2}', '(?x)', '\\', '(a{1000}){1000}', '(){999}{9}', '((){9999}){9999}', '('.repeat(200)]) {
  test(`/${pattern}/ is refused when the route is linked`, () => {
    expect(() => compileSelectionPattern(pattern)).toThrow(LinkRefusal);
  });
}

test('catastrophic patterns stay cheap: every state is tried once', () => {
  for (const pattern of ['(a*)*b', '(a+)+b', '(a|aa)+b', '(.*)*x', '((a?){30}){3}b', '(?!(a+)+b)(a+)+c']) {
    expect(compileSelectionPattern(pattern).matches('a'.repeat(1_000))).toBe(false);
  }
});

test('deeply nested repetitions are read in linear time', () => {
  const depth = 90;
  const pattern = compileSelectionPattern(`${'('.repeat(depth)}a${')*'.repeat(depth)}`);
  expect(pattern.matches('aaa')).toBe(true);
});

test('agrees with JavaScript over random patterns of what both understand', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(ab)', '(a*b)', '\\d', '(?:b|1)');
  const part = fc.tuple(atom, fc.constantFrom('', '*', '+', '?', '{2}', '{1,3}', '*?')).map(([a, q]) => a + q);
  const pattern = fc.array(fc.array(part, { maxLength: 4 }).map((parts) => parts.join('')), { minLength: 1, maxLength: 3 }).map((alts) => alts.join('|'));
  fc.assert(
    fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', '1'), maxLength: 8 }), (source, text) => {
      expect(compileSelectionPattern(source).matches(text)).toBe(new RegExp(`^(?:${source})$`).test(text));
    }),
    { numRuns: 2_000 },
  );
});
