import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budget } from './budget.js';
import { doubleText, JavaDouble, JavaInteger, JavaList, JavaMap, jsonText, type Value } from './java-values.js';
import { JsonBodyError, parseJson, parseJsonBytes } from './json-body.js';

function plain(value: Value): unknown {
  if (value instanceof JavaDouble) return value.value;
  if (value instanceof JavaInteger) return Number(value.value);
  if (value instanceof JavaList) return value.items.map(plain);
  if (!(value instanceof JavaMap)) return value;
  return Object.fromEntries(Array.from(value.entries, ([key, item]) => [key as string, plain(item)]));
}

const refused = (text: string): boolean => {
  try {
    parseJson(text);
    return false;
  } catch (cause) {
    if (cause instanceof JsonBodyError) return true;
    throw cause;
  }
};

test('reads what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(JSON.stringify(plain(parseJson(text)))).toBe(JSON.stringify(JSON.parse(text)));
    }),
    { seed: 1, numRuns: 1_000 },
  );
});

test('refuses what JSON.parse refuses, and nothing else', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '1',
    '-',
    '0',
    '01',
    '.5',
    '1.5',
    'e3',
    'true',
    'null',
    'nul',
    ' ',
    '\n',
    '\\',
    '\\u00e9',
    '\t',
    '\u0000',
    '/',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      const text = parts.join('');
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      expect([text, refused(text)]).toEqual([text, !isJson]);
    }),
    { seed: 1, numRuns: 6_000 },
  );
});

test('numbers print again as Java prints them', () => {
  for (const [text, printed] of [
    ['1', '1'],
    ['-0', '0'],
    ['1.0', '1.0'],
    ['1e3', '1000.0'],
    ['1.50', '1.5'],
    ['12345678901234567890', '12345678901234567890'],
    ['9007199254740993', '9007199254740993'],
    ['0.00001', '1.0E-5'],
    ['1e21', '1.0E21'],
  ] as const)
    expect(jsonText(parseJson(text), new Budget(), false)).toBe(printed);
});

/** Names that come twice, blanks and numbers of every form: what must not be copied from the text. */
const written: fc.Arbitrary<string> = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      '1',
      '-0',
      '1.0',
      '1.50',
      '1e3',
      '0.0001',
      '0.25',
      '-7.5',
      '12345678.5',
      '123456789012345678',
      '0.001',
      '0.0',
    ),
    fc.constantFrom('"a"', '"a/b"', '"\\u0061"', '"ü"', '"\u2028"', '"\u007f"', 'true', 'null', '""', '{}', '[]', '[ ]'),
    fc.array(tie('text'), { maxLength: 4 }).map((items) => `[${items.join()}]`),
    fc
      .array(fc.tuple(fc.constantFrom('"a"', '"b"', '"\\u0062"', '"c"'), tie('text')), { maxLength: 4 })
      .map((members) => `{${members.map(([key, value]) => `${key}:${value}`).join()}}`),
    tie('text').map((text) => ` ${text}`),
  ),
})).text;

/** Makes every object and list, so that nothing is copied any more. */
function made<T extends Value>(value: T): T {
  if (value instanceof JavaList) value.items.forEach(made);
  if (value instanceof JavaMap) [...value.entries.values()].forEach(made);
  return value;
}

test('what is copied from the text is what would be put together', () => {
  fc.assert(
    fc.property(written, fc.boolean(), (text, escapesSlash) => {
      const copied = jsonText(parseJson(text), new Budget(), escapesSlash);
      expect(copied, text).toBe(jsonText(made(parseJson(text)), new Budget(), escapesSlash));
      expect(jsonText(parseJsonBytes(Buffer.from(text)), new Budget(), escapesSlash)).toBe(copied);
    }),
    { seed: 1, numRuns: 4_000 },
  );
});

test('what a template changed is not copied from the text', () => {
  const root = parseJson('{"a":{"b":[{"c":1}]},"d":2}') as JavaMap;
  const a = root.get('a') as JavaMap;
  ((a.get('b') as JavaList).items[0] as JavaMap).put('c', 3);
  expect(jsonText(root, new Budget(), false)).toBe('{"a":{"b":[{"c":3}]},"d":2}');
});

test('numbers with a point are read and printed as Doubles are', () => {
  const digits = (maxLength: number) =>
    fc.array(fc.constantFrom(...'0123456789'), { minLength: 1, maxLength }).map((all) => all.join(''));
  fc.assert(
    fc.property(fc.boolean(), digits(9), digits(9), (isNegative, whole, fraction) => {
      const text = `${isNegative ? '-' : ''}${String(Number(whole))}.${fraction}`;
      const value = parseJson(text) as JavaDouble;
      expect(value.value).toBe(Number(text));
      expect(jsonText(value, new Budget(), false)).toBe(doubleText(Number(text)));
    }),
    { seed: 1, numRuns: 3_000 },
  );
});

test('characters beyond Latin-1 are not mistaken for what their halves look like', () => {
  const text = '{"a":"\u0122\u015c","\u0122":1}';
  expect(plain(parseJson(text))).toEqual(JSON.parse(text));
});
