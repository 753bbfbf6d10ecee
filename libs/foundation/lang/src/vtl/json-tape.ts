/**
 * JSON text read once, without making values: where each key and value stands. What a template does not touch costs no more than that.
 *
 * The tape is a list of pairs, in the order of the text: `kind << 27 | start` and what is behind it. Of a text (its start is behind the
 * quote) and a number that is the end in the text; of an object and an array the place of the pair behind its last member, `END`, whose
 * start is its bracket. Keys are texts that stand before their values.
 *
 * It is read as bytes, one for each character: reading those takes a third of the time of `charCodeAt`. Beyond ASCII it does not matter
 * which character it is, so its byte is anything from 0x80 on.
 */
import { Buffer } from 'node:buffer';

/** The text is no JSON. */
export class JsonBodyError extends Error {}

export const NULL = 0;
export const TRUE = 1;
export const FALSE = 2;
/** Of fewer than sixteen digits, maybe with a sign, and nothing else; not `-0`. */
export const WHOLE = 3;
/** Written as Java writes a Double: what it prints is how it came. Of fewer than sixteen digits. */
export const DECIMAL = 4;
export const NUMBER = 5;
export const TEXT = 6;
export const ESCAPED_TEXT = 7;
export const OBJECT = 8;
export const ARRAY = 9;
const END = 10;

const KIND_SHIFT = 27;
const START_MASK = (1 << KIND_SHIFT) - 1;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const DEPTH_MAX = 200;
const DIGITS_MAX = 15;
/** From 10^7 on Java writes an exponent. */
const DECIMAL_DIGITS_MAX = 7;
/** Members that are compared pair by pair, to see whether two have the same name. */
const COMPARED_MAX = 16;

/** Used for every text: a list that has grown is not made again. */
const scratch: number[] = Array.from({ length: 1 << 10 }, () => 0);
/** What may stay of it between two texts. */
const SCRATCH_MAX = 1 << 16;
const scratchBytes = Buffer.allocUnsafeSlow(1 << 14);
const NO_BYTES: Uint8Array = Buffer.alloc(0);

export class JsonTape {
  /** Members that the last `find` looked at. */
  looked = 0;

  private constructor(
    readonly text: string,
    private readonly pairs: readonly number[],
    /** Nothing in the text would be written otherwise: no blanks, escapes and characters beyond ASCII, and all numbers as Java prints them. */
    private readonly isCanonical: boolean,
  ) {}

  /** Throws JsonBodyError. */
  static read(text: string): JsonTape {
    return JsonTape.#written(text, scanner.read(bytesOf(text), text.length));
  }

  /** Of UTF-8. Throws JsonBodyError. */
  static readBytes(bytes: Buffer): JsonTape {
    const end = scanner.read(bytes, bytes.length);
    // Places in the bytes are places in the text as long as each character is one byte.
    return scanner.isAscii ? JsonTape.#written(bytes.toString('latin1'), end) : JsonTape.read(bytes.toString('utf8'));
  }

  static #written(text: string, end: number): JsonTape {
    const tape = new JsonTape(text, scratch.slice(0, end), scanner.isCanonical);
    if (scratch.length > SCRATCH_MAX) scratch.length = SCRATCH_MAX;
    return tape;
  }

  kind(at: number): number {
    return this.pairs[at]! >>> KIND_SHIFT;
  }

  start(at: number): number {
    return this.pairs[at]! & START_MASK;
  }

  /** Of a text or a number, in the text; of an object or an array, the place behind its members. */
  end(at: number): number {
    return this.pairs[at + 1]!;
  }

  /** The place behind a value and all it holds. */
  next(at: number): number {
    return (this.kind(at) >= OBJECT ? this.pairs[at + 1]! : at) + 2;
  }

  /** Where the value of the last member of that name is; -1 for none. */
  find(object: number, wanted: string): number {
    const { pairs, text } = this;
    const { length } = wanted;
    const end = pairs[object + 1]!;
    let found = -1;
    let count = 0;
    for (let at = object + 2; at < end; count++) {
      const key = pairs[at]!;
      const start = key & START_MASK;
      const value = pairs[at + 2]!;
      if (key >>> KIND_SHIFT === TEXT) {
        if (pairs[at + 1]! - start === length && text.startsWith(wanted, start)) found = at + 2;
      } else if (this.textOf(at) === wanted) found = at + 2;
      at = value >>> KIND_SHIFT >= OBJECT ? pairs[at + 3]! + 2 : at + 4;
    }
    this.looked = count;
    return found;
  }

  textOf(at: number): string {
    const start = this.start(at);
    return this.kind(at) === TEXT
      ? this.text.slice(start, this.end(at))
      : (JSON.parse(this.text.slice(start - 1, this.end(at) + 1)) as string);
  }

  /** Of a `WHOLE` or a `DECIMAL`: few digits over a power of ten, which is as exact as a Double can be. */
  numberOf(at: number): number {
    const { text } = this;
    const end = this.end(at);
    let start = this.start(at);
    const isNegative = text.charCodeAt(start) === 0x2d;
    if (isNegative) start++;
    let digits = 0;
    let fraction = 0;
    for (let i = start; i < end; i++) {
      const code = text.charCodeAt(i);
      if (code === 0x2e) fraction = end - i - 1;
      else digits = digits * 10 + code - 0x30;
    }
    const size = fraction === 0 ? digits : digits / POWERS_OF_TEN[fraction]!;
    return isNegative ? -size : size;
  }

  /** An object or an array as it stands in the text, if that is how it would be written; else `null`. */
  written(at: number): string | null {
    if (!this.isCanonical) return null;
    const end = this.end(at);
    for (let inner = at; inner < end; inner += 2) if (this.kind(inner) === OBJECT && this.mayRepeatNames(inner)) return null;
    return this.text.slice(this.start(at), this.start(end) + 1);
  }

  private mayRepeatNames(object: number): boolean {
    const end = this.end(object);
    let count = 0;
    for (let at = object + 2; at < end; at = this.next(at + 2)) {
      if (++count > COMPARED_MAX) return true;
      const length = this.end(at) - this.start(at);
      for (let other = object + 2; other < at; other = this.next(other + 2)) {
        if (this.end(other) - this.start(other) === length && this.textOf(other) === this.textOf(at)) return true;
      }
    }
    return false;
  }
}

const POWERS_OF_TEN = Array.from({ length: DIGITS_MAX + 1 }, (_, exponent) => 10 ** exponent);

function bytesOf(text: string): Uint8Array {
  const { length } = text;
  const bytes = length <= scratchBytes.length ? scratchBytes : Buffer.allocUnsafe(length);
  bytes.write(text, 'latin1');
  // Of a character beyond Latin-1 the half that was written may look like a quote.
  if (bytes.toString('latin1', 0, length) === text) return bytes;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    bytes[i] = code < 0x80 ? code : 0x80;
  }
  return bytes;
}

/**
 * One for all texts: a text is read in one go, by one loop. A function for each kind of value, calling each other, took half as long again.
 *
 *   value -> behind a value -> , -> value        `opened` has the places of the objects and arrays that are open
 *                           \-> , -> name -> : -> value
 *                            \-> } or ] -> behind a value
 */
class Scanner {
  isCanonical = true;
  /** Beyond ASCII a character may only stand in a string. */
  isAscii = true;
  private bytes = NO_BYTES;
  /** Of the string or the number read last. */
  private kind = NULL;
  private readonly opened: number[] = [];

  /** Of the first `size` bytes. How long the tape is. */
  read(bytes: Uint8Array, size: number): number {
    if (size > START_MASK) throw new JsonBodyError('too long');
    this.isCanonical = true;
    this.isAscii = true;
    this.bytes = bytes.length === size ? bytes : bytes.subarray(0, size);
    try {
      return this.document(size);
    } finally {
      this.bytes = NO_BYTES;
    }
  }

  private document(size: number): number {
    const { bytes, opened } = this;
    let at = 0;
    let length = 0;
    let depth = 0;
    let isObject = false;
    for (;;) {
      if (bytes[at]! <= SPACE) at = this.afterBlanks(at);
      const start = at;
      const code = bytes[start]!;
      if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        if (depth === DEPTH_MAX) throw error();
        isObject = code === OPEN_BRACE;
        opened[depth++] = length;
        scratch[length++] = ((isObject ? OBJECT : ARRAY) << KIND_SHIFT) | start;
        scratch[length++] = 0;
        if (bytes[++at]! <= SPACE) at = this.afterBlanks(at);
        if (bytes[at] !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
          if (!isObject) continue;
          const end = this.name(at);
          scratch[length++] = (this.kind << KIND_SHIFT) | (at + 1);
          scratch[length++] = end;
          at = this.afterColon(end + 1);
          continue;
        }
      } else {
        at = this.simple(code, start);
        scratch[length++] = (this.kind << KIND_SHIFT) | (code === QUOTE ? start + 1 : start);
        scratch[length++] = code === QUOTE ? at - 1 : at;
      }
      for (;;) {
        if (depth === 0) {
          if (at < size && bytes[at]! <= SPACE) at = this.afterBlanks(at);
          if (at !== size) throw error();
          return length;
        }
        if (bytes[at]! <= SPACE) at = this.afterBlanks(at);
        if (bytes[at] === COMMA) break;
        if (bytes[at] !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) throw error();
        scratch[opened[--depth]! + 1] = length;
        scratch[length++] = (END << KIND_SHIFT) | at++;
        scratch[length++] = 0;
        isObject = depth > 0 && scratch[opened[depth - 1]!]! >>> KIND_SHIFT === OBJECT;
      }
      at++;
      if (!isObject) continue;
      if (bytes[at]! <= SPACE) at = this.afterBlanks(at);
      const end = this.name(at);
      scratch[length++] = (this.kind << KIND_SHIFT) | (at + 1);
      scratch[length++] = end;
      at = this.afterColon(end + 1);
    }
  }

  /** Where its end quote is. */
  private name(at: number): number {
    if (this.bytes[at] !== QUOTE) throw error();
    return this.string(at + 1);
  }

  private afterColon(from: number): number {
    const { bytes } = this;
    const at = bytes[from]! <= SPACE ? this.afterBlanks(from) : from;
    if (bytes[at] !== COLON) throw error();
    return at + 1;
  }

  /** Behind what is neither object nor array. */
  private simple(code: number, start: number): number {
    switch (code) {
      case QUOTE:
        return this.string(start + 1) + 1;
      case 0x74: // t
        return this.word('true', TRUE, start);
      case 0x66: // f
        return this.word('false', FALSE, start);
      case 0x6e: // n
        return this.word('null', NULL, start);
      default:
        return this.number(start);
    }
  }

  private word(word: string, kind: number, start: number): number {
    for (let i = 0; i < word.length; i++) if (this.bytes[start + i] !== word.charCodeAt(i)) throw error();
    this.kind = kind;
    return start + word.length;
  }

  private number(start: number): number {
    const { bytes } = this;
    const first = bytes[start] === 0x2d ? start + 1 : start;
    let at = afterDigits(bytes, first);
    const digits = at - first;
    if (digits === 0 || (digits > 1 && bytes[first] === 0x30)) throw error();
    let kind = digits <= DIGITS_MAX && !(first > start && digits === 1 && bytes[first] === 0x30) ? WHOLE : NUMBER;
    let next = bytes[at]!;
    if (next === 0x2e) {
      const point = at + 1;
      at = afterDigits(bytes, point);
      if (at === point) throw error();
      kind = this.isDecimal(first, point, at) ? DECIMAL : NUMBER;
      next = bytes[at]!;
    }
    if (next === 0x65 || next === 0x45) {
      kind = NUMBER;
      const sign = bytes[at + 1];
      const exponent = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
      at = afterDigits(bytes, exponent);
      if (at === exponent) throw error();
    }
    if (kind === NUMBER) this.isCanonical = false;
    this.kind = kind;
    return at;
  }

  /** Of digits around a point: whether Java writes the number so. From 0.001 to 10,000,000, and no zero at the end but the only one. */
  private isDecimal(first: number, point: number, end: number): boolean {
    const { bytes } = this;
    const whole = point - 1 - first;
    if (whole > DECIMAL_DIGITS_MAX || whole + end - point > DIGITS_MAX) return false;
    if (bytes[end - 1] === 0x30 && end - point > 1) return false;
    if (bytes[first] !== 0x30) return true;
    return bytes[point] !== 0x30 || bytes[point + 1] !== 0x30 || bytes[point + 2] !== 0x30;
  }

  /** `from`: behind its quote. Where the other one is. */
  private string(from: number): number {
    const { bytes } = this;
    let at = from;
    while (PLAIN[bytes[at]!] === 1) at++;
    this.kind = TEXT;
    return bytes[at] === QUOTE ? at : this.endOfOdd(at);
  }

  private endOfOdd(from: number): number {
    const { bytes } = this;
    this.isCanonical = false;
    for (let at = from; ; at++) {
      const code = bytes[at]!;
      if (code === QUOTE) return at;
      if (code === BACKSLASH) {
        this.kind = ESCAPED_TEXT;
        at = this.escape(at + 1);
      } else if (code >= 0x80) this.isAscii = false;
      else if (!(code >= SPACE)) throw error(); // nor behind the end
    }
  }

  /** The last byte of what stands behind a backslash. */
  private escape(at: number): number {
    switch (this.bytes[at]) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: // slash
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return at;
      case 0x75: // u
        for (let i = at + 1; i <= at + 4; i++) if (!isHex(this.bytes[i])) throw error();
        return at + 4;
      default:
        throw error();
    }
  }

  private afterBlanks(from: number): number {
    const { bytes } = this;
    let at = from;
    let code = bytes[at]!;
    while (code === SPACE || code === 0x0a || code === 0x0d || code === 0x09) code = bytes[++at]!;
    this.isCanonical = false;
    return at;
  }
}

const scanner = new Scanner();

/** 1 for what stands in a string for itself, and is written so. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, code) =>
  code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c ? 1 : 0,
);

function afterDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  let code = bytes[at]!;
  while (code >= 0x30 && code <= 0x39) code = bytes[++at]!;
  return at;
}

function isHex(code: number | undefined): boolean {
  if (code === undefined) return false;
  const letter = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (letter >= 0x61 && letter <= 0x66);
}

const error = (): JsonBodyError => new JsonBodyError('not JSON');
