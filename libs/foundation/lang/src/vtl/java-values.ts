/**
 * The Java values templates handle, as far as a template can tell them apart:
 *
 *   null                  null
 *   String, Boolean       string, boolean
 *   Integer and Long      number, a safe integer; beyond 2^53 JavaInteger, which is also BigInteger
 *   Double                JavaDouble: `1.0` prints as `1.0`
 *   List, array, Set      JavaList, by kind
 *   Map                   JavaMap, in order of insertion (LinkedHashMap)
 *   objects of ours       JavaObject: $input, $util, $context, $foreach
 *
 * Nothing here is a plain JavaScript object, so no name a tenant writes reaches a prototype.
 */
import { type Budget, RenderFailure } from './budget.js';

export type Value = null | string | boolean | number | JavaInteger | JavaDouble | JavaList | JavaMap | JavaEntry | JavaObject;

export class JavaInteger {
  constructor(readonly value: bigint) {}
}

export class JavaDouble {
  constructor(
    readonly value: number,
    /** How it prints, where that is known. */
    readonly text: string | null = null,
  ) {}
}

/**
 * - `list`: ArrayList, prints as `[a, b]`
 * - `json`: an array of a body, prints as JSON
 * - `array`: what `split` gives; it has no text of its own
 * - `view`: keySet, values, entrySet: prints as a list, but has no positions
 */
export type ListKind = 'list' | 'json' | 'array' | 'view';

export class JavaList {
  /** `own`: `null` of a list that is made when it is first asked for. */
  constructor(
    private own: Value[] | null,
    readonly kind: ListKind = 'list',
  ) {}

  get items(): Value[] {
    return (this.own ??= this.make());
  }

  protected get isMade(): boolean {
    return this.own !== null;
  }

  protected make(): Value[] {
    return [];
  }

  /** As JSON without further ado; `null` when it must be put together. */
  written(): string | null {
    return null;
  }
}

export class JavaMap {
  /** `own`: `null` of a map that is made when it is first asked for. */
  constructor(private own: Map<Value, Value> | null = new Map()) {}

  get entries(): Map<Value, Value> {
    return (this.own ??= this.make());
  }

  protected get isMade(): boolean {
    return this.own !== null;
  }

  protected make(): Map<Value, Value> {
    return new Map();
  }

  /** `undefined`: there is no such member. */
  find(key: Value): Value | undefined {
    return this.entries.get(key);
  }

  get(key: Value): Value {
    return this.find(key) ?? null;
  }

  has(key: Value): boolean {
    return this.find(key) !== undefined;
  }

  /** As JSON without further ado; `null` when it must be put together. */
  written(): string | null {
    return null;
  }

  /** Returns what was there. */
  put(key: Value, value: Value): Value {
    const before = this.get(key);
    this.entries.set(key, value);
    return before;
  }
}

/** Texts by name; a map is made of them only for a template that goes through them, or changes one. */
export class TextMap extends JavaMap {
  constructor(private readonly texts: Readonly<Record<string, string>>) {
    super(null);
  }

  override find(key: Value): Value | undefined {
    if (this.isMade) return super.find(key);
    return typeof key === 'string' && Object.hasOwn(this.texts, key) ? this.texts[key] : undefined;
  }

  protected override make(): Map<Value, Value> {
    return new Map(Object.entries(this.texts));
  }
}

export class JavaEntry {
  constructor(
    readonly key: Value,
    readonly value: Value,
  ) {}
}

export abstract class JavaObject {
  property(_name: string): Value {
    return null;
  }

  /** `undefined`: no such method. */
  call(_method: string, _arguments: readonly Value[]): Value | undefined {
    return undefined;
  }

  text(): string {
    return '';
  }
}

/** Nested deeper than this only when a collection contains itself; there Java overflows its stack. */
const DEPTH_MAX = 200;

export function isNumber(value: Value): value is number | JavaInteger | JavaDouble {
  return typeof value === 'number' || value instanceof JavaDouble || value instanceof JavaInteger;
}

/** Java's `toString`; null is the caller's business. */
export function textOf(value: Value, budget: Budget): string {
  if (typeof value === 'string') return value;
  return printed(value, budget, 0);
}

function printed(value: Value, budget: Budget, depth: number): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (value instanceof JavaDouble) return value.text ?? doubleText(value.value);
  if (value instanceof JavaInteger) return value.value.toString();
  if (value instanceof JavaObject) return value.text();
  if (depth > DEPTH_MAX) throw new RenderFailure('A collection contains itself');
  if (value instanceof JavaEntry) return `${printed(value.key, budget, depth + 1)}=${printed(value.value, budget, depth + 1)}`;
  if (value instanceof JavaList) {
    if (value.kind === 'json') return jsonText(value, budget, true, depth);
    if (value.kind === 'array') return '[Ljava.lang.Object;@0';
    return listed('[', value.items.map(itemText(value, budget, depth)), ']', budget);
  }
  const entries: string[] = [];
  for (const [key, item] of value.entries) {
    const text = item === value ? '(this Map)' : printed(item, budget, depth + 1);
    entries.push(`${printed(key, budget, depth + 1)}=${text}`);
  }
  return listed('{', entries, '}', budget);
}

function itemText(list: JavaList, budget: Budget, depth: number): (item: Value) => string {
  return (item) => (item === list ? '(this Collection)' : printed(item, budget, depth + 1));
}

function listed(opening: string, parts: readonly string[], closing: string, budget: Budget): string {
  const text = opening + parts.join(', ') + closing;
  budget.step(parts.length);
  budget.build(text.length);
  return text;
}

/** Java's Double.toString: always a fraction, an exponent below 10^-3 and from 10^7 on. */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) {
    const text = String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent.replace('+', '')}`;
}

/**
 * JSON as json-smart writes it. A list that prints itself escapes `/`, `$input.json` does not: two styles of that library.
 */
export function jsonText(value: Value, budget: Budget, escapesSlash: boolean, depth = 0): string {
  if (typeof value === 'string') return jsonString(value, budget, escapesSlash);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof JavaDouble) return Number.isFinite(value.value) ? (value.text ?? doubleText(value.value)) : 'null';
  if (value instanceof JavaInteger) return value.value.toString();
  if (depth > DEPTH_MAX) throw new RenderFailure('A collection contains itself');
  const written = value instanceof JavaMap || value instanceof JavaList ? value.written() : null;
  if (written !== null && !(escapesSlash && written.includes('/'))) {
    budget.step(written.length >> 2);
    budget.build(written.length);
    return written;
  }
  let text: string;
  if (value instanceof JavaList) {
    budget.step(value.items.length);
    text = '[';
    for (let i = 0; i < value.items.length; i++)
      text += (i === 0 ? '' : ',') + jsonText(value.items[i]!, budget, escapesSlash, depth + 1);
    text += ']';
  } else if (value instanceof JavaMap) {
    budget.step(value.entries.size);
    text = '{';
    for (const [key, item] of value.entries) {
      if (text.length > 1) text += ',';
      text += `${jsonString(printed(key, budget, depth), budget, escapesSlash)}:${jsonText(item, budget, escapesSlash, depth + 1)}`;
    }
    text += '}';
  } else return jsonString(printed(value, budget, depth), budget, escapesSlash);
  budget.build(2);
  return text;
}

// oxlint-disable-next-line no-control-regex
const UNSAFE = /["\\\u0000-\u001f\u007f-\u009f\u2000-\u20ff]/;
// oxlint-disable-next-line no-control-regex
const UNSAFE_ALL = /["\\\u0000-\u001f\u007f-\u009f\u2000-\u20ff]/g;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function jsonString(text: string, budget: Budget, escapesSlash: boolean): string {
  budget.build(text.length + 2);
  const escaped = UNSAFE.test(text) ? text.replace(UNSAFE_ALL, jsonEscape) : text;
  return `"${escapesSlash ? escaped.replaceAll('/', '\\/') : escaped}"`;
}

function jsonEscape(char: string): string {
  return SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Java's `equals`. */
export function isEqual(left: Value, right: Value, budget: Budget, depth = 0): boolean {
  if (left === right) return true;
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') return false;
  if (left instanceof JavaDouble) return right instanceof JavaDouble && left.value === right.value;
  if (left instanceof JavaInteger) return right instanceof JavaInteger && left.value === right.value;
  if (depth > DEPTH_MAX) throw new RenderFailure('A collection contains itself');
  if (left instanceof JavaEntry) {
    return (
      right instanceof JavaEntry &&
      isEqual(left.key, right.key, budget, depth + 1) &&
      isEqual(left.value, right.value, budget, depth + 1)
    );
  }
  if (left instanceof JavaList) {
    if (!(right instanceof JavaList) || left.kind === 'array' || left.items.length !== right.items.length) return false;
    budget.step(left.items.length);
    return left.items.every((item, i) => isEqual(item, right.items[i]!, budget, depth + 1));
  }
  if (!(left instanceof JavaMap) || !(right instanceof JavaMap) || left.entries.size !== right.entries.size) return false;
  budget.step(left.entries.size);
  for (const [key, item] of left.entries) {
    if (!right.entries.has(key) || !isEqual(item, right.get(key), budget, depth + 1)) return false;
  }
  return true;
}
