/**
 * Methods and properties templates may use on Java values: those of String, List, Map, Set, Map.Entry, Integer, Double and Boolean that
 * work on data. Nothing that leads to classes, files or threads; `getClass` gives null.
 *
 * A method nobody has is null, as in Velocity. One that Java would answer with an exception ends the rendering.
 */
import { doubleOf } from './arithmetic.js';
import { type Budget, RenderFailure } from './budget.js';
import { formatted } from './java-format.js';
import { matchesPattern, replacePattern, splitAt } from './java-regex.js';
import {
  isEqual,
  isNumber,
  JavaDouble,
  JavaEntry,
  JavaInteger,
  JavaList,
  JavaMap,
  JavaObject,
  textOf,
  type Value,
} from './java-values.js';

type Arguments = readonly Value[];

/** `$target.name` */
export function propertyOf(target: Value, name: string): Value {
  if (target === null) return null;
  if (target instanceof JavaMap) return target.get(name);
  if (target instanceof JavaObject) return target.property(name);
  if (target instanceof JavaEntry) return name === 'key' ? target.key : name === 'value' ? target.value : null;
  if (target instanceof JavaList) return name === 'empty' && target.kind !== 'array' ? target.items.length === 0 : null;
  if (typeof target === 'string') return name === 'empty' ? target.length === 0 : null;
  return null;
}

/** `$target[index]` */
export function itemOf(target: Value, index: Value): Value {
  if (target instanceof JavaMap) return target.get(index);
  if (target instanceof JavaObject) return typeof index === 'string' ? target.property(index) : null;
  if (!(target instanceof JavaList) || target.kind === 'view' || typeof index !== 'number') return null;
  return target.items[position(index < 0 ? index + target.items.length : index, target.items.length - 1)]!;
}

/** `#set($target[index] = value)` and `#set($target.index = value)`; without effect where Velocity finds no way to set it. */
export function setItem(target: Value, index: Value, value: Value): void {
  if (target instanceof JavaMap) target.put(index, value);
  else if (target instanceof JavaList && typeof index === 'number' && target.kind !== 'view')
    target.items[position(index < 0 ? index + target.items.length : index, target.items.length - 1)] = value;
}

/** `undefined`: no such method. */
export function callMethod(target: Value, name: string, given: Arguments, budget: Budget): Value | undefined {
  if (target === null) return null;
  budget.step(1);
  if (typeof target === 'string') return stringMethod(target, name, given, budget);
  if (target instanceof JavaMap) return mapMethod(target, name, given, budget);
  if (target instanceof JavaList) return listMethod(target, name, given, budget);
  if (target instanceof JavaObject) return target.call(name, given);
  if (target instanceof JavaEntry) return entryMethod(target, name, given);
  return scalarMethod(target, name, given, budget);
}

/** A position in a collection or text; beyond its ends Java throws. */
function position(value: Value, last: number): number {
  if (typeof value === 'number' && value >= 0 && value <= last) return value;
  throw new RenderFailure(`Index ${typeof value === 'number' ? value : '?'} is out of bounds`);
}

function given(values: Arguments, ...kinds: ('string' | 'number' | 'any')[]): boolean {
  return (
    values.length === kinds.length &&
    kinds.every((kind, i) => kind === 'any' || typeof values[i] === kind || (kind === 'string' && values[i] === null))
  );
}

/** A parameter of type String: null there is what Java calls a NullPointerException. */
function textAt(values: Arguments, index: number): string {
  const value = values[index];
  if (typeof value !== 'string') throw new RenderFailure('A parameter is null');
  return value;
}

function stringMethod(text: string, name: string, values: Arguments, budget: Budget): Value | undefined {
  budget.step(text.length >> 6);
  switch (name) {
    case 'length':
      return given(values) ? text.length : undefined;
    case 'isEmpty':
      return given(values) ? text.length === 0 : undefined;
    case 'toString':
    case 'intern':
      return given(values) ? text : undefined;
    case 'trim':
      return given(values) ? text.replace(/^[\0- ]+/, '').slice(0, trimmedLength(text)) : undefined;
    case 'toUpperCase':
      return given(values) ? text.toUpperCase() : undefined;
    case 'toLowerCase':
      return given(values) ? text.toLowerCase() : undefined;
    case 'hashCode':
      return given(values) ? hashOf(text) : undefined;
    case 'equals':
      return given(values, 'any') ? text === values[0] : undefined;
    case 'charAt':
      return given(values, 'number') ? text[position(values[0]!, text.length - 1)]! : undefined;
    case 'substring':
    case 'subSequence':
      return substring(text, values);
    case 'indexOf':
    case 'lastIndexOf':
      return indexOf(text, name === 'lastIndexOf', values);
    case 'split':
      return split(text, values, budget);
    case 'toCharArray':
      return given(values) ? new JavaList(textItems(text, budget), 'array') : undefined;
    case 'format':
      return values.length > 0 ? formatted(textAt(values, 0), values.slice(1), budget) : undefined;
    case 'valueOf':
      return given(values, 'any') ? (values[0] === null ? 'null' : textOf(values[0]!, budget)) : undefined;
    case 'join':
      return joined(values, budget);
    default:
      return stringMethodOnText(text, name, values, budget);
  }
}

/** Those whose parameters are all strings. */
function stringMethodOnText(text: string, name: string, values: Arguments, budget: Budget): Value | undefined {
  if (name === 'startsWith' && given(values, 'string', 'number')) return text.startsWith(textAt(values, 0), values[1] as number);
  if (given(values, 'string')) {
    const other = (): string => textAt(values, 0);
    switch (name) {
      case 'contains':
        return text.includes(other());
      case 'startsWith':
        return text.startsWith(other());
      case 'endsWith':
        return text.endsWith(other());
      case 'concat':
        budget.build(text.length + other().length);
        return text + other();
      case 'equalsIgnoreCase':
        return values[0] !== null && text.toLowerCase() === other().toLowerCase();
      case 'contentEquals':
        return text === other();
      case 'compareTo':
        return compareTexts(text, other());
      case 'compareToIgnoreCase':
        return compareTexts(text.toLowerCase(), other().toLowerCase());
      case 'matches':
        return matchesPattern(text, other(), budget);
    }
  }
  if (given(values, 'string', 'string')) {
    switch (name) {
      case 'replace':
        return replaceAll(text, textAt(values, 0), textAt(values, 1), budget);
      case 'replaceAll':
        return replacePattern(text, textAt(values, 0), textAt(values, 1), true, budget);
      case 'replaceFirst':
        return replacePattern(text, textAt(values, 0), textAt(values, 1), false, budget);
    }
  }
  return undefined;
}

function trimmedLength(text: string): number {
  let start = 0;
  while (start < text.length && text.charCodeAt(start) <= 0x20) start++;
  let end = text.length;
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--;
  return end - start;
}

function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

function substring(text: string, values: Arguments): Value | undefined {
  if (!given(values, 'number') && !given(values, 'number', 'number')) return undefined;
  const from = position(values[0]!, text.length);
  const to = values.length === 2 ? position(values[1]!, text.length) : text.length;
  if (to < from) throw new RenderFailure(`Index ${to} is out of bounds`);
  return text.slice(from, to);
}

function indexOf(text: string, isLast: boolean, values: Arguments): Value | undefined {
  const from = values[1];
  if (values.length === 0 || values.length > 2 || (values.length === 2 && typeof from !== 'number')) return undefined;
  const [what] = values;
  if (typeof what !== 'string' && typeof what !== 'number') return undefined;
  const wanted = typeof what === 'string' ? what : String.fromCodePoint(what);
  if (isLast)
    return from === undefined ? text.lastIndexOf(wanted) : (from as number) < 0 ? -1 : text.lastIndexOf(wanted, from as number);
  return text.indexOf(wanted, (from as number | undefined) ?? 0);
}

function split(text: string, values: Arguments, budget: Budget): Value | undefined {
  if (!given(values, 'string') && !given(values, 'string', 'number')) return undefined;
  const limit = values.length === 2 ? (values[1] as number) : 0;
  return new JavaList(splitAt(text, textAt(values, 0), limit, budget), 'array');
}

function textItems(text: string, budget: Budget): string[] {
  budget.step(text.length);
  return text.split('');
}

function joined(values: Arguments, budget: Budget): Value | undefined {
  const [separator, list] = values;
  if (typeof separator !== 'string' || !(list instanceof JavaList) || values.length !== 2) return undefined;
  const texts = list.items.map((item) => (item === null ? 'null' : textOf(item, budget)));
  budget.build(texts.reduce((sum, each) => sum + each.length + separator.length, 0));
  return texts.join(separator);
}

function compareTexts(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const difference = left.charCodeAt(i) - right.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function replaceAll(text: string, what: string, by: string, budget: Budget): string {
  // Counted before it is built: each of many short matches may become a long text.
  let count = 0;
  for (let at = text.indexOf(what); at !== -1; at = text.indexOf(what, at + Math.max(what.length, 1))) {
    count++;
    if (what.length === 0 && at >= text.length) break;
  }
  budget.step(count);
  budget.build(text.length + count * by.length);
  return text.replaceAll(what, () => by);
}

function mapMethod(map: JavaMap, name: string, values: Arguments, budget: Budget): Value | undefined {
  switch (values.length) {
    case 0:
      return mapQuestion(map, name, budget);
    case 1:
      return mapMethodOfOne(map, name, values[0]!, budget);
    case 2:
      return mapMethodOfTwo(map, name, values[0]!, values[1]!);
    default:
      return undefined;
  }
}

function mapQuestion(map: JavaMap, name: string, budget: Budget): Value | undefined {
  switch (name) {
    case 'size':
      return map.entries.size;
    case 'isEmpty':
      return map.entries.size === 0;
    case 'keySet':
      budget.step(map.entries.size);
      return new JavaList([...map.entries.keys()], 'view');
    case 'values':
      budget.step(map.entries.size);
      return new JavaList([...map.entries.values()], 'view');
    case 'entrySet':
      budget.step(map.entries.size);
      return new JavaList(
        Array.from(map.entries, ([key, value]) => new JavaEntry(key, value)),
        'view',
      );
    case 'clear':
      map.entries.clear();
      return null;
    case 'toString':
      return textOf(map, budget);
    default:
      return undefined;
  }
}

function mapMethodOfOne(map: JavaMap, name: string, value: Value, budget: Budget): Value | undefined {
  switch (name) {
    case 'get':
      return map.get(value);
    case 'containsKey':
      return map.has(value);
    case 'containsValue':
      budget.step(map.entries.size);
      return [...map.entries.values()].some((each) => isEqual(each, value, budget));
    case 'remove': {
      const before = map.get(value);
      map.entries.delete(value);
      return before;
    }
    case 'equals':
      return isEqual(map, value, budget);
    case 'putAll':
      if (!(value instanceof JavaMap)) return undefined;
      budget.step(value.entries.size);
      for (const [key, item] of value.entries) map.put(key, item);
      return null;
    default:
      return undefined;
  }
}

function mapMethodOfTwo(map: JavaMap, name: string, key: Value, value: Value): Value | undefined {
  switch (name) {
    case 'put':
      return map.put(key, value);
    case 'putIfAbsent': {
      const before = map.get(key);
      if (before === null) map.put(key, value);
      return before;
    }
    case 'getOrDefault':
      return map.has(key) ? map.get(key) : value;
    case 'replace':
      return map.has(key) ? map.put(key, value) : null;
    default:
      return undefined;
  }
}

function entryMethod(entry: JavaEntry, name: string, values: Arguments): Value | undefined {
  if (values.length > 0) return undefined;
  return name === 'getKey' ? entry.key : name === 'getValue' ? entry.value : undefined;
}

function listMethod(list: JavaList, name: string, values: Arguments, budget: Budget): Value | undefined {
  const { items, kind } = list;
  switch (values.length) {
    case 0:
      return listQuestion(list, name, budget);
    case 1:
      return (
        collectionMethod(list, name, values[0]!, budget) ??
        (kind === 'view' ? undefined : positionMethod(list, name, values[0]!, budget))
      );
    case 2:
      return kind === 'view' ? undefined : listMethodOfTwo(items, name, values, budget);
    default:
      return undefined;
  }
}

function listQuestion(list: JavaList, name: string, budget: Budget): Value | undefined {
  const { items } = list;
  switch (name) {
    case 'size':
      return items.length;
    case 'isEmpty':
      return items.length === 0;
    case 'clear':
      items.length = 0;
      return null;
    case 'toString':
    case 'toJSONString':
      return textOf(list, budget);
    case 'toArray':
      budget.step(items.length);
      return new JavaList([...items], 'array');
    case 'iterator':
    case 'listIterator':
      return new JavaIterator(list);
    default:
      return undefined;
  }
}

/** What a list and a set have. */
function collectionMethod(list: JavaList, name: string, value: Value, budget: Budget): Value | undefined {
  const { items } = list;
  const find = (wanted: Value): number => {
    budget.step(items.length);
    return items.findIndex((item) => isEqual(item, wanted, budget));
  };
  switch (name) {
    case 'contains':
      return find(value) !== -1;
    case 'containsAll':
      return value instanceof JavaList ? value.items.every((each) => find(each) !== -1) : undefined;
    case 'equals':
      return isEqual(list, value, budget);
    case 'add':
      items.push(value);
      return true;
    case 'addAll':
      if (!(value instanceof JavaList)) return undefined;
      budget.step(value.items.length);
      for (const each of [...value.items]) items.push(each);
      return value.items.length > 0;
    case 'remove': {
      if (typeof value === 'number' && list.kind !== 'view') return undefined;
      const at = find(value);
      if (at !== -1) items.splice(at, 1);
      return at !== -1;
    }
    case 'removeAll':
    case 'retainAll':
      return value instanceof JavaList ? keepOnly(items, value, name === 'retainAll', budget) : undefined;
    default:
      return undefined;
  }
}

function keepOnly(items: Value[], others: JavaList, keepsOthers: boolean, budget: Budget): boolean {
  budget.step(items.length * (others.items.length + 1));
  const kept = items.filter((item) => others.items.some((other) => isEqual(item, other, budget)) === keepsOthers);
  const isChanged = kept.length !== items.length;
  items.length = 0;
  for (const item of kept) items.push(item);
  return isChanged;
}

function positionMethod(list: JavaList, name: string, value: Value, budget: Budget): Value | undefined {
  const { items } = list;
  switch (name) {
    case 'get':
      return typeof value === 'number' ? items[position(value, items.length - 1)]! : undefined;
    case 'remove': {
      const at = position(value, items.length - 1);
      budget.step(items.length >> 4);
      return items.splice(at, 1)[0]!;
    }
    case 'indexOf':
      budget.step(items.length);
      return items.findIndex((item) => isEqual(item, value, budget));
    case 'lastIndexOf':
      budget.step(items.length);
      return items.findLastIndex((item) => isEqual(item, value, budget));
    default:
      return undefined;
  }
}

function listMethodOfTwo(items: Value[], name: string, [first, second]: Arguments, budget: Budget): Value | undefined {
  switch (name) {
    case 'set': {
      const at = position(first!, items.length - 1);
      const before = items[at]!;
      items[at] = second!;
      return before;
    }
    case 'add':
      budget.step(items.length >> 4);
      items.splice(position(first!, items.length), 0, second!);
      return null;
    case 'subList': {
      const to = position(second!, items.length);
      budget.step(to);
      return new JavaList(items.slice(position(first!, to), to));
    }
    default:
      return undefined;
  }
}

/** `$list.iterator()`, for those who write loops that way. */
class JavaIterator extends JavaObject {
  #at = 0;

  constructor(private readonly list: JavaList) {
    super();
  }

  override call(method: string, values: Arguments): Value | undefined {
    if (values.length > 0) return undefined;
    if (method === 'hasNext') return this.#at < this.list.items.length;
    if (method === 'next') return this.list.items[position(this.#at++, this.list.items.length - 1)]!;
    return undefined;
  }
}

/** Integer, Long, Double and Boolean, with the static methods that templates reach through a value. */
function scalarMethod(value: Value, name: string, values: Arguments, budget: Budget): Value | undefined {
  if (values.length === 0) return scalarQuestion(value, name, budget);
  const [other, second] = values as [Value, Value | undefined];
  switch (name) {
    case 'equals':
      return values.length === 1 ? isEqual(value, other, budget) : undefined;
    case 'compareTo':
    case 'compare':
      return isNumber(value) && isNumber(other) && values.length === 1 ? Math.sign(doubleOf(value) - doubleOf(other)) : undefined;
    case 'toString':
      return values.length === 1 ? textOf(other, budget) : undefined;
    case 'max':
    case 'min':
    case 'sum':
      return typeof other === 'number' && typeof second === 'number' ? extreme(name, other, second) : undefined;
    default:
      return typeof other === 'string' && values.length === 1 ? parsed(value, name, other) : undefined;
  }
}

function extreme(name: 'max' | 'min' | 'sum', left: number, right: number): number {
  return name === 'sum' ? left + right : name === 'max' ? Math.max(left, right) : Math.min(left, right);
}

function scalarQuestion(value: Value, name: string, budget: Budget): Value | undefined {
  if (name === 'toString') return textOf(value, budget);
  if (typeof value === 'boolean') return name === 'booleanValue' ? value : undefined;
  if (!isNumber(value)) return undefined;
  const number = doubleOf(value);
  switch (name) {
    case 'intValue':
    case 'longValue':
      return value instanceof JavaDouble ? Math.trunc(Number.isNaN(number) ? 0 : clamped(number)) : value;
    case 'doubleValue':
    case 'floatValue':
      return new JavaDouble(number);
    case 'isNaN':
      return value instanceof JavaDouble ? Number.isNaN(number) : undefined;
    case 'isInfinite':
      return value instanceof JavaDouble ? Math.abs(number) === Infinity : undefined;
    case 'hashCode':
      return typeof value === 'number' ? value : undefined;
    default:
      return undefined;
  }
}

function clamped(number: number): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, number));
}

/** `#set($Integer = 0)` and then `$Integer.parseInt("42")`: the way templates turn text into numbers. */
function parsed(value: Value, name: string, text: string): Value | undefined {
  if (typeof value === 'boolean')
    return name === 'parseBoolean' || name === 'valueOf' ? text.toLowerCase() === 'true' : undefined;
  const isWhole = !(value instanceof JavaDouble);
  if (isWhole && (name === 'parseInt' || name === 'parseLong' || name === 'valueOf')) {
    if (!/^[+-]?\d{1,19}$/.test(text)) throw new RenderFailure(`For input string: "${text.slice(0, 100)}"`);
    const number = Number(text);
    return Number.isSafeInteger(number) ? number + 0 : new JavaInteger(BigInt(text));
  }
  if (!isWhole && (name === 'parseDouble' || name === 'valueOf')) {
    if (!/^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/.test(text))
      throw new RenderFailure(`For input string: "${text.slice(0, 100)}"`);
    return new JavaDouble(Number(text));
  }
  return undefined;
}
