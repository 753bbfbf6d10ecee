/**
 * Judges the bytes of a body while they are read, and makes no value of them. It says yes to what is surely JSON and surely valid, and
 * nothing about the rest: that is for `JSON.parse` and the rules.
 *
 *   {"id": 7, "tags": ["a"]}      an object's names are looked for where the schema's order has them
 *    ^^^^  ^          ^
 *    name  Subschema of `id`, of `tags`, of its items
 *
 * What it knows is what most models are made of (`SimpleKeywords`). A value under another schema is made, held against the rules, and
 * thrown away. Of a name that comes twice all values must be valid, so the last one, which counts, is.
 */
import { Buffer } from 'node:buffer';
import { ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, OBJECT, STRING, type Run, type SimpleKeywords, type Subschema } from './rule.js';

/** Deeper nesting is left to those who count it exactly. */
const DEPTH_MAX = 200;
/** Values that are made one by one; with more it is cheaper to make all at once. */
const MADE_MAX = 1_000;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** What a string has in it; `BROKEN` is none. */
const BROKEN = 0;
const ASCII = 1;
const BEYOND_ASCII = 2;
const ESCAPED = 4;

/** With more digits a number is not exactly the quotient of a whole number and a power of ten. */
const EXACT_DIGITS_MAX = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS_MAX + 1 }, (_, exponent) => 10 ** exponent);

export class TextJudge {
  private at = 0;
  private depth = 0;
  private madeLeft = MADE_MAX;
  /** Of the number read last. */
  private number = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly run: Run,
  ) {}

  /** Throws what the rules throw when the work or the depth is more than allowed. */
  isSurelyValid(schema: Subschema): boolean {
    const { length } = this.bytes;
    this.at = this.afterBlanks(0);
    if (!this.value(schema)) return false;
    if (this.at < length) this.at = this.afterBlanks(this.at); // a read beyond the end would make all others slower
    return this.at === length;
  }

  private value(schema: Subschema): boolean {
    if (--this.run.left < 0) return false;
    const { simple, types } = schema;
    if (simple === null) return this.made(schema);
    switch (this.bytes[this.at]) {
      case QUOTE:
        return this.text(schema, simple);
      case OPEN_BRACE:
        return (types & OBJECT) !== 0 && simple.texts === null && this.object(simple);
      case OPEN_BRACKET:
        return (types & ARRAY) !== 0 && simple.texts === null && this.array(simple);
      case 0x74: // t
        return (types & BOOLEAN) !== 0 && simple.texts === null && this.word(TRUE);
      case 0x66: // f
        return (types & BOOLEAN) !== 0 && simple.texts === null && this.word(FALSE);
      case 0x6e: // n
        return (types & NULL) !== 0 && simple.texts === null && this.word(NOTHING);
      default:
        return simple.texts === null && this.readNumber() && this.isNumberValid(types, simple);
    }
  }

  /** Of a schema with other keywords. */
  private made(schema: Subschema): boolean {
    const start = this.at;
    return this.any() && this.holds(schema, start);
  }

  private holds(schema: Subschema, start: number): boolean {
    if (--this.madeLeft < 0) return false;
    this.run.depth = this.depth;
    return schema.holds(JSON.parse(this.bytes.toString('utf8', start, this.at)), this.run);
  }

  private text(schema: Subschema, { minLength, maxLength, pattern, texts, limitsTexts }: SimpleKeywords): boolean {
    const start = this.at;
    const content = this.string();
    if (content === BROKEN || (schema.types & STRING) === 0) return false;
    if (!limitsTexts) return true;
    if (content !== ASCII) return this.holds(schema, start);
    const from = start + 1;
    const to = this.at - 1;
    if (to - from < minLength || to - from > maxLength) return false;
    if (pattern !== null && !pattern.testAscii(this.bytes, from, to, this.run)) return false;
    return texts === null || this.isOneOf(texts, from, to);
  }

  private isOneOf(texts: readonly Uint8Array[], from: number, to: number): boolean {
    for (let i = 0; i < texts.length; i++) if (isAt(this.bytes, from, to, texts[i]!)) return true;
    return false;
  }

  private isNumberValid(types: number, simple: SimpleKeywords): boolean {
    const value = this.number;
    if ((types & (Number.isInteger(value) ? INTEGER : NUMBER)) === 0) return false;
    const { minimum, maximum } = simple;
    return (
      (simple.isMinimumExclusive ? value > minimum : value >= minimum) &&
      (simple.isMaximumExclusive ? value < maximum : value <= maximum)
    );
  }

  private object({ members }: SimpleKeywords): boolean {
    const { bytes } = this;
    const { names, schemas, requiredBits, additional } = members;
    const { length } = names;
    let missing = (1 << requiredBits) - 1;
    let expected = 0;
    if (!this.open()) return false;
    if (bytes[this.at] === CLOSE_BRACE) return missing === 0 && this.close();
    for (;;) {
      let index = expected;
      let content = ASCII;
      // No name has a quote in it, so where one stands behind the expected name, that is the whole name.
      if (length > 0 && this.isName(names[index]!)) this.at += names[index]!.length + 2;
      else {
        const start = this.at + 1;
        content = this.string();
        if (content === BROKEN || content >= ESCAPED) return false;
        index = this.indexOf(names, expected, start, this.at - 1);
      }
      if (!this.colon()) return false;
      if (index !== -1) {
        // The names that are required come first, each with a bit of its own.
        if (index < requiredBits) missing &= ~(1 << index);
        const schema = schemas[index]!;
        if (!(schema === null ? this.any() : this.value(schema))) return false;
        expected = index + 1 === length ? 0 : index + 1;
      } else if (additional === false || content !== ASCII || !(additional === null ? this.any() : this.value(additional))) {
        return false;
      }
      const next = this.next();
      if (next === CLOSE_BRACE) return missing === 0 && this.close();
      if (next !== COMMA) return false;
    }
  }

  /** Whether it stands here, in its quotes. */
  private isName(name: Uint8Array): boolean {
    const { bytes } = this;
    const start = this.at + 1;
    const end = start + name.length;
    return end < bytes.length && bytes[end] === QUOTE && bytes[start - 1] === QUOTE && isAt(bytes, start, end, name);
  }

  /** From the name that was expected on, because most bodies have their members in one order and leave some out; -1 for another name. */
  private indexOf(names: readonly Uint8Array[], expected: number, start: number, end: number): number {
    const { length } = names;
    let index = expected;
    for (let tries = 0; tries < length; tries++) {
      if (++index >= length) index = 0;
      this.run.left--;
      if (isAt(this.bytes, start, end, names[index]!)) return index;
    }
    return -1;
  }

  private array({ items, minItems, maxItems }: SimpleKeywords): boolean {
    if (!this.open()) return false;
    let count = 0;
    if (this.bytes[this.at] === CLOSE_BRACKET) return minItems === 0 && this.close();
    for (;;) {
      if (!(items === null ? this.any() : this.value(items))) return false;
      count++;
      const next = this.next();
      if (next === CLOSE_BRACKET) return count >= minItems && count <= maxItems && this.close();
      if (next !== COMMA) return false;
    }
  }

  // Whatever the value is, as long as it is one.

  private any(): boolean {
    switch (this.bytes[this.at]) {
      case QUOTE:
        return this.string() !== BROKEN;
      case OPEN_BRACE:
        return this.anyObject();
      case OPEN_BRACKET:
        return this.array(ANY_ITEMS);
      case 0x74: // t
        return this.word(TRUE);
      case 0x66: // f
        return this.word(FALSE);
      case 0x6e: // n
        return this.word(NOTHING);
      default:
        return this.readNumber();
    }
  }

  private anyObject(): boolean {
    if (!this.open()) return false;
    if (this.bytes[this.at] === CLOSE_BRACE) return this.close();
    for (;;) {
      if (this.string() === BROKEN || !this.colon() || !this.any()) return false;
      const next = this.next();
      if (next === CLOSE_BRACE) return this.close();
      if (next !== COMMA) return false;
    }
  }

  /** Behind the bracket. */
  private open(): boolean {
    const at = this.at + 1;
    this.at = this.bytes[at]! > SPACE ? at : this.afterBlanks(at);
    return ++this.depth <= DEPTH_MAX;
  }

  private close(): boolean {
    this.at++;
    this.depth--;
    return true;
  }

  /** What stands behind a value; goes beyond a comma, to what it announces. */
  private next(): number {
    const { bytes } = this;
    let { at } = this;
    if (bytes[at]! <= SPACE) at = this.afterBlanks(at);
    const code = bytes[at]!;
    if (code === COMMA && bytes[++at]! <= SPACE) at = this.afterBlanks(at);
    this.at = at;
    return code;
  }

  private colon(): boolean {
    const { bytes } = this;
    let { at } = this;
    if (bytes[at]! <= SPACE) at = this.afterBlanks(at);
    if (bytes[at] !== COLON) return false;
    if (bytes[++at]! <= SPACE) at = this.afterBlanks(at);
    this.at = at;
    return true;
  }

  private afterBlanks(from: number): number {
    const { bytes } = this;
    let at = from;
    let code = bytes[at]!;
    while (code === SPACE || code === 0x0a || code === 0x0d || code === 0x09) code = bytes[++at]!;
    return at;
  }

  private word(word: Uint8Array): boolean {
    const start = this.at;
    this.at += word.length;
    return isAt(this.bytes, start, this.at, word);
  }

  /** From its quote on; behind the other one afterwards. */
  private string(): number {
    const { bytes } = this;
    let at = this.at;
    if (bytes[at++] !== QUOTE) return BROKEN;
    let content = ASCII;
    for (;;) {
      let code = bytes[at++]!;
      while (PLAIN[code] === 1) code = bytes[at++]!;
      if (code === QUOTE) {
        this.at = at;
        return content;
      }
      if (code === BACKSLASH) {
        at = afterEscape(bytes, at);
        if (at === -1) return BROKEN;
        content |= ESCAPED;
      } else if (code >= 0x80) content |= BEYOND_ASCII;
      else return BROKEN; // a control character, or the end
    }
  }

  /** As `Number` reads it: a whole number of few digits over a power of ten is rounded once, and so exactly. */
  private readNumber(): boolean {
    const { bytes } = this;
    const start = this.at;
    const isNegative = bytes[start] === 0x2d;
    const first = isNegative ? start + 1 : start;
    let at = first;
    let digits = 0;
    let code = bytes[at]!;
    for (; code >= 0x30 && code <= 0x39; code = bytes[++at]!) digits = digits * 10 + code - 0x30;
    let count = at - first;
    if (count === 0 || (count > 1 && bytes[first] === 0x30)) return false;
    let fraction = 0;
    if (code === 0x2e) {
      code = bytes[++at]!;
      const point = at;
      for (; code >= 0x30 && code <= 0x39; code = bytes[++at]!) digits = digits * 10 + code - 0x30;
      fraction = at - point;
      if (fraction === 0) return false;
      count += fraction;
    }
    const hasExponent = (code | 0x20) === 0x65;
    if (hasExponent) at = afterExponent(bytes, at + 1);
    this.at = at;
    if (at === -1) return false;
    if (hasExponent || count > EXACT_DIGITS_MAX) this.number = Number(bytes.toString('latin1', start, at));
    else {
      const size = fraction === 0 ? digits : digits / POWERS_OF_TEN[fraction]!;
      this.number = isNegative ? -size : size;
    }
    return true;
  }
}

/** 1 for what stands in a string for itself. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, code) =>
  code >= 0x20 && code < 0x80 && code !== QUOTE && code !== BACKSLASH ? 1 : 0,
);
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NOTHING = Buffer.from('null');
const ANY_ITEMS = { items: null, minItems: 0, maxItems: Number.POSITIVE_INFINITY } as SimpleKeywords;

function isAt(bytes: Uint8Array, from: number, to: number, wanted: Uint8Array): boolean {
  const { length } = wanted;
  if (to - from !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== wanted[i]) return false;
  return true;
}

/** `at`: behind the backslash. -1 for what is no escape. */
function afterEscape(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f: // slash
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 1;
    case 0x75: // u
      return isHex(bytes[at + 1]) && isHex(bytes[at + 2]) && isHex(bytes[at + 3]) && isHex(bytes[at + 4]) ? at + 5 : -1;
    default:
      return -1;
  }
}

const isDigit = (code: number | undefined): boolean => code !== undefined && code >= 0x30 && code <= 0x39;

function isHex(code: number | undefined): boolean {
  return isDigit(code) || (code !== undefined && (code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}

/** `from`: behind the letter. -1 for what is no exponent. */
function afterExponent(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === 0x2b || bytes[from] === 0x2d ? from + 1 : from;
  if (!isDigit(bytes[at])) return -1;
  while (isDigit(bytes[at])) at++;
  return at;
}
