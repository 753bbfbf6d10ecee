import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { digitsOfValue, readWhole, valueOfDigits, writeWhole } from './digits.js';

const seed = 11;

test('a text of digits is the same text again after it was a number in bytes', () => {
  for (const [radix, length, byteCount, alphabet] of [
    [10, 12, 5, '0123456789'],
    [36, 10, 7, '0123456789abcdefghijklmnopqrstuvwxyz'],
    [36, 6, 4, '0123456789abcdefghijklmnopqrstuvwxyz'],
  ] as const) {
    const digit = fc.constantFrom(...alphabet);
    const texts = fc.array(digit, { minLength: length, maxLength: length }).map((digits) => digits.join(''));
    const isTheSame = (text: string): void => {
      const bytes = new Uint8Array(byteCount + 2).fill(7);
      writeWhole(bytes, 1, byteCount, valueOfDigits(text, radix, length));
      expect(digitsOfValue(readWhole(bytes, 1, byteCount), radix, length)).toBe(text);
      expect([bytes[0], bytes.at(-1)], 'nothing beside it is written').toEqual([7, 7]);
    };
    for (const edge of [alphabet[0]!, alphabet.at(-1)!]) isTheSame(edge.repeat(length));
    fc.assert(fc.property(texts, isTheSame), { seed });
  }
});

test('any other text has no value', () => {
  for (const text of ['', '12345', '1234567', '12 456', '+12345', '12345x', '1e4567', '١٢٣٤٥٦', '12345\0'])
    expect(valueOfDigits(text, 10, 6), JSON.stringify(text)).toBe(-1);
  for (const text of ['ABCDEF', 'abc-ef', 'abcdeé', 'abcde{']) expect(valueOfDigits(text, 36, 6), text).toBe(-1);
});
