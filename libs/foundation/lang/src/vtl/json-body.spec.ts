import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budget } from './budget.js';
import { JavaDouble, JavaInteger, JavaList, JavaMap, jsonText, type Value } from './java-values.js';
import { JsonBodyError, parseJson } from './json-body.js';

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
