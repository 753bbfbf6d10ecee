/**
 * Identifiers as whole numbers, for tables that hold a million of them: `[a-z0-9]{10}` takes seven bytes, an account id of twelve
 * digits five.
 */

/** The value of a text of exactly `length` digits, twelve at most (beyond 9 lower-case letters); -1 for any other text. Exact up to ten of 36. */
export function valueOfDigits(text: string, radix: 10 | 36, length: number): number {
  if (text.length !== length) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 48 && code <= 57) value = value * radix + code - 48;
    else if (radix === 36 && code >= 97 && code <= 122) value = value * radix + code - 87;
    else return -1;
  }
  return value;
}

/** The text again. Digit by digit: `toString(36)` goes through floating point and costs three times as much. */
export function digitsOfValue(value: number, radix: 10 | 36, length: number): string {
  const half = length >> 1;
  const lowMax = radix ** half;
  const high = Math.floor(value / lowMax);
  writeDigits(high, radix, 0, length - half);
  writeDigits(value - high * lowMax, radix, length - half, length);
  return scratch.toString('latin1', 0, length);
}

/** At most twelve digits. */
const scratch = Buffer.alloc(12);

/** Of a whole number of 32 bits. */
function writeDigits(value: number, radix: number, from: number, until: number): void {
  let rest = value | 0;
  for (let i = until - 1; i >= from; i--) {
    const digit = rest % radix;
    scratch[i] = digit < 10 ? 48 + digit : 87 + digit;
    rest = (rest / radix) | 0;
  }
}

/** Big-endian; up to 2^53 - 1. */
export function writeWhole(bytes: Uint8Array, at: number, length: number, value: number): void {
  let rest = value;
  for (let i = at + length - 1; i >= at; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

export function readWhole(bytes: Uint8Array, at: number, length: number): number {
  // The last four bytes apart: up to 32 bits are whole numbers to the machine, too.
  const lowAt = length > 4 ? at + length - 4 : at;
  let high = 0;
  for (let i = at; i < lowAt; i++) high = (high << 8) | bytes[i]!;
  let low = 0;
  for (let i = lowAt; i < at + length; i++) low = (low << 8) | bytes[i]!;
  return high * 2 ** 32 + (low >>> 0);
}
