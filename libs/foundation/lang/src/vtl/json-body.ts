/**
 * JSON to Java values. Not `JSON.parse`: `1.0` must stay a Double and a number of twenty digits must keep them, and a body prints again
 * as it came.
 */
import { whole } from './arithmetic.js';
import { JavaDouble, JavaList, JavaMap, type Value } from './java-values.js';

/** The text is no JSON. */
export class JsonBodyError extends Error {}

const DEPTH_MAX = 200;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;

/** Throws JsonBodyError. */
export function parseJson(text: string): Value {
  const parser = new Parser(text);
  return parser.document();
}

class Parser {
  #at = 0;
  #depth = 0;

  constructor(private readonly text: string) {}

  document(): Value {
    this.#skip();
    const value = this.#value();
    this.#skip();
    if (this.#at < this.text.length) throw this.#error();
    return value;
  }

  #value(): Value {
    switch (this.text.charCodeAt(this.#at)) {
      case 0x22: // "
        return this.#string();
      case 0x7b: // {
        return this.#object();
      case 0x5b: // [
        return this.#array();
      case 0x74: // t
        return this.#word('true', true);
      case 0x66: // f
        return this.#word('false', false);
      case 0x6e: // n
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.#at)) throw this.#error();
    this.#at += word.length;
    return value;
  }

  /** Short whole numbers, which most are, without the pattern. */
  #number(): Value {
    const { text } = this;
    let at = this.#at;
    let value = 0;
    let code = text.charCodeAt(at);
    for (; code >= 0x30 && code <= 0x39; code = text.charCodeAt(++at)) value = value * 10 + code - 0x30;
    const length = at - this.#at;
    const isPlain = length > 0 && length < 16 && (code === 0x2c || code === 0x7d || code === 0x5d);
    if (!isPlain || (length > 1 && text.charCodeAt(this.#at) === 0x30)) return this.#anyNumber();
    this.#at = at;
    return value;
  }

  #anyNumber(): Value {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.text);
    if (match === null) throw this.#error();
    const digits = match[0];
    this.#at += digits.length;
    if (match[1] !== undefined || match[2] !== undefined) return new JavaDouble(Number(digits));
    return digits.length < 16 ? Number(digits) + 0 : whole(BigInt(digits));
  }

  #object(): Value {
    const entries = new Map<Value, Value>();
    this.#open();
    if (this.#closes(0x7d)) return new JavaMap(entries);
    do {
      this.#skip();
      if (this.text.charCodeAt(this.#at) !== 0x22) throw this.#error();
      const key = this.#string();
      this.#skip();
      if (this.text.charCodeAt(this.#at++) !== 0x3a) throw this.#error();
      this.#skip();
      entries.set(key, this.#value());
    } while (this.#goesOn(0x7d));
    this.#depth--;
    return new JavaMap(entries);
  }

  #array(): Value {
    const items: Value[] = [];
    this.#open();
    if (this.#closes(0x5d)) return new JavaList(items, 'json');
    do {
      this.#skip();
      items.push(this.#value());
    } while (this.#goesOn(0x5d));
    this.#depth--;
    return new JavaList(items, 'json');
  }

  #open(): void {
    if (++this.#depth > DEPTH_MAX) throw this.#error();
    this.#at++;
    this.#skip();
  }

  /** An empty object or array. */
  #closes(bracket: number): boolean {
    if (this.text.charCodeAt(this.#at) !== bracket) return false;
    this.#at++;
    this.#depth--;
    return true;
  }

  /** Takes the comma or the closing bracket. */
  #goesOn(bracket: number): boolean {
    this.#skip();
    const code = this.text.charCodeAt(this.#at++);
    if (code === 0x2c) return true;
    if (code === bracket) return false;
    throw this.#error();
  }

  #string(): string {
    const from = this.#at + 1;
    const { text } = this;
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) {
        this.#at = at + 1;
        return text.slice(from, at);
      }
      if (code === 0x5c) return this.#escapedString(from, at);
      if (code < 0x20) break;
    }
    throw this.#error();
  }

  #escapedString(from: number, firstEscape: number): string {
    let end = firstEscape;
    while (end < this.text.length && this.text.charCodeAt(end) !== 0x22) end += this.text.charCodeAt(end) === 0x5c ? 2 : 1;
    if (end >= this.text.length) throw this.#error();
    this.#at = end + 1;
    try {
      return JSON.parse(this.text.slice(from - 1, end + 1)) as string;
    } catch {
      throw this.#error();
    }
  }

  #skip(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #error(): JsonBodyError {
    return new JsonBodyError('not JSON');
  }
}
