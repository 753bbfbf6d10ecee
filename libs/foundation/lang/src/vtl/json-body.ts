/**
 * JSON to Java values. Not `JSON.parse`: `1.0` must stay a Double and a number of twenty digits must keep them, and a body prints again
 * as it came. Objects and arrays are made of the tape when something is asked of them.
 */
import type { Buffer } from 'node:buffer';
import { whole } from './arithmetic.js';
import { JavaDouble, JavaList, JavaMap, type Value } from './java-values.js';
import { ARRAY, DECIMAL, ESCAPED_TEXT, FALSE, JsonTape, NULL, NUMBER, OBJECT, TEXT, TRUE, WHOLE } from './json-tape.js';

export { JsonBodyError } from './json-tape.js';

/** An object that looked at more members than this, in all its searches, is made whole: then each is found at once. */
const SEARCHED_MAX = 40;

/** Throws JsonBodyError. */
export function parseJson(text: string): Value {
  return valueAt(JsonTape.read(text), 0);
}

/** Of UTF-8. Throws JsonBodyError. */
export function parseJsonBytes(bytes: Buffer): Value {
  return valueAt(JsonTape.readBytes(bytes), 0);
}

function valueAt(tape: JsonTape, at: number): Value {
  switch (tape.kind(at)) {
    case NULL:
      return null;
    case TRUE:
      return true;
    case FALSE:
      return false;
    case TEXT:
    case ESCAPED_TEXT:
      return tape.textOf(at);
    case WHOLE:
      return tape.numberOf(at);
    case DECIMAL:
      return new JavaDouble(tape.numberOf(at), tape.text.slice(tape.start(at), tape.end(at)));
    case NUMBER:
      return numberOf(tape.text.slice(tape.start(at), tape.end(at)));
    case OBJECT:
      return new JsonMap(tape, at);
    case ARRAY:
      return new JsonList(tape, at);
    default:
      throw new RangeError(`${at} is no place of the tape`);
  }
}

function numberOf(digits: string): Value {
  if (/[.eE]/.test(digits)) return new JavaDouble(Number(digits));
  return digits.length < 16 ? Number(digits) + 0 : whole(BigInt(digits));
}

class JsonMap extends JavaMap {
  /** The members that were asked for and are objects or arrays: what a template changes in them stays. */
  private held: { readonly at: number; readonly value: Value }[] | null = null;

  private searched = 0;

  constructor(
    private readonly tape: JsonTape,
    private readonly at: number,
  ) {
    super(null);
  }

  override find(key: Value): Value | undefined {
    if (this.isMade || this.searched > SEARCHED_MAX) return super.find(key);
    if (typeof key !== 'string') return undefined;
    const { tape } = this;
    const found = tape.find(this.at, key);
    this.searched += tape.looked;
    return found === -1 ? undefined : this.memberAt(found);
  }

  override written(): string | null {
    if (this.isMade || (this.held !== null && this.held.some(({ value }) => isTouched(value)))) return null;
    return this.tape.written(this.at);
  }

  private memberAt(at: number): Value {
    const { held } = this;
    if (held !== null) for (let i = 0; i < held.length; i++) if (held[i]!.at === at) return held[i]!.value;
    const value = valueAt(this.tape, at);
    if (value instanceof JavaMap || value instanceof JavaList) (this.held ??= []).push({ at, value });
    return value;
  }

  protected override make(): Map<Value, Value> {
    const { tape } = this;
    const end = tape.end(this.at);
    const entries = new Map<Value, Value>();
    for (let at = this.at + 2; at < end; at = tape.next(at + 2)) entries.set(tape.textOf(at), this.memberAt(at + 2));
    this.held = null;
    return entries;
  }
}

/** It may not be any more what the tape says. */
function isTouched(value: Value): boolean {
  return (value instanceof JavaMap || value instanceof JavaList) && value.written() === null;
}

class JsonList extends JavaList {
  constructor(
    private readonly tape: JsonTape,
    private readonly at: number,
  ) {
    super(null, 'json');
  }

  override written(): string | null {
    return this.isMade ? null : this.tape.written(this.at);
  }

  protected override make(): Value[] {
    const { tape } = this;
    const end = tape.end(this.at);
    const items: Value[] = [];
    for (let at = this.at + 2; at < end; at = tape.next(at)) items.push(valueAt(tape, at));
    return items;
  }
}
