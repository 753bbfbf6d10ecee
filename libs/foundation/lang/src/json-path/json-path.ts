/** Selects from a body. Each part hands what it finds to the next, so that a path without `..` or `*` visits its own nodes only. */
import type { Budget } from '../vtl/budget.js';
import { isNumber, JavaList, JavaMap, textOf, type Value } from '../vtl/java-values.js';
import { doubleOf, isSame } from '../vtl/arithmetic.js';
import { matchesPattern } from '../vtl/java-regex.js';
import { isDefinite, JsonPathError, parsePath, type Comparison, type Filter, type Operand, type PathPart } from './parse-path.js';

/** The path selects nothing. Not null: a member may be null. */
export const MISSING = Symbol('missing');
export type Selected = Value | typeof MISSING;

/** Thrown and caught in this file: a part of the path that must be there is not. */
class NotFound extends Error {}
const NOT_FOUND = new NotFound();

export class JsonPath {
  readonly isDefinite: boolean;
  /** Of a path of names alone, as most are. */
  private readonly names: readonly string[] | null;

  private constructor(
    private readonly text: string,
    private readonly parts: readonly PathPart[],
  ) {
    this.isDefinite = isDefinite(parts);
    const names = parts.map((part) => (part.kind === 'names' && part.names.length === 1 ? part.names[0]! : null));
    this.names = names.every((name) => name !== null) ? names : null;
  }

  /** Throws JsonPathError. */
  static parse(text: string): JsonPath {
    return new JsonPath(text, parsePath(text));
  }

  /** One value, or a list for a path with `..`, `*`, a filter, a slice or several indexes. Throws JsonPathError for `[0]` of what is no list. */
  select(root: Value, budget: Budget): Selected {
    if (this.names !== null) return follow(root, this.names, budget);
    const selection = new Selection(root, budget, this.text);
    try {
      selection.follow(this.parts, 0, root, true);
    } catch (cause) {
      if (cause === NOT_FOUND) return MISSING;
      throw cause;
    }
    if (!this.isDefinite) return new JavaList(selection.found, 'json');
    return selection.found.length === 0 ? MISSING : selection.found[0]!;
  }
}

function follow(root: Value, names: readonly string[], budget: Budget): Selected {
  budget.step(names.length + 1);
  let value = root;
  for (let i = 0; i < names.length; i++) {
    const member = value instanceof JavaMap ? value.find(names[i]!) : undefined;
    if (member === undefined) return MISSING;
    value = member;
  }
  return value;
}

class Selection {
  readonly found: Value[] = [];

  constructor(
    private readonly root: Value,
    private readonly budget: Budget,
    private readonly text: string,
  ) {}

  /** `isFixed`: everything so far named one value, so what is missing now is missing altogether. */
  follow(parts: readonly PathPart[], index: number, value: Value, isFixed: boolean): void {
    this.budget.step(1);
    const part = parts[index];
    if (part === undefined) {
      this.found.push(value);
      return;
    }
    const next = index + 1;
    switch (part.kind) {
      case 'names':
        return this.#names(part.names, parts, next, value, isFixed);
      case 'indexes':
        return this.#indexes(part.indexes, parts, next, value, isFixed);
      case 'fromEnd':
        return this.#indexes([value instanceof JavaList ? value.items.length - part.count : -1], parts, next, value, isFixed);
      case 'slice':
        return this.#slice(part, parts, next, value, isFixed);
      case 'all':
        for (const child of childrenOf(value)) this.follow(parts, next, child, false);
        return;
      case 'scan':
        return this.#scan(parts, next, value);
      case 'filter':
        return this.#filtered(part.filter, parts, next, value, isFixed);
    }
  }

  #names(names: readonly string[], parts: readonly PathPart[], next: number, value: Value, isFixed: boolean): void {
    if (!(value instanceof JavaMap)) {
      if (isFixed) throw NOT_FOUND;
      return;
    }
    if (names.length > 1) return this.follow(parts, next, pick(value, names), isFixed);
    const name = names[0]!;
    const member = value.find(name);
    if (member === undefined) {
      if (isFixed) throw NOT_FOUND;
      return;
    }
    this.follow(parts, next, member, isFixed);
  }

  #indexes(indexes: readonly number[], parts: readonly PathPart[], next: number, value: Value, isFixed: boolean): void {
    const items = this.#itemsOf(value, isFixed);
    if (items === null) return;
    const isOne = indexes.length === 1;
    for (const index of indexes) {
      if (index < 0 || index >= items.length) throw NOT_FOUND;
      this.follow(parts, next, items[index]!, isFixed && isOne);
    }
  }

  /** A list, or null to leave it out. */
  #itemsOf(value: Value, isFixed: boolean): readonly Value[] | null {
    if (value instanceof JavaList) return value.items;
    if (!isFixed) return null;
    if (value === null) throw NOT_FOUND;
    throw new JsonPathError(`JSONPath "${this.text.slice(0, 100)}" takes a position of what is no list`);
  }

  /** Jayway counts a negative end from the back only where there is no beginning. */
  #slice(
    { from, to }: { from: number | null; to: number | null },
    parts: readonly PathPart[],
    next: number,
    value: Value,
    isFixed: boolean,
  ): void {
    const items = this.#itemsOf(value, isFixed);
    if (items === null) return;
    const { length } = items;
    const first = from === null ? 0 : from < 0 ? Math.max(from + length, 0) : from;
    const last = to === null ? length : to < 0 && from === null ? to + length : Math.min(to, length);
    for (let i = first; i < last; i++) this.follow(parts, next, items[i]!, false);
  }

  /** The rest of the path, tried on this value and on everything in it. */
  #scan(parts: readonly PathPart[], next: number, value: Value): void {
    if (!(value instanceof JavaMap) && !(value instanceof JavaList)) return;
    const part = parts[next]!;
    if (applies(part, value)) this.follow(parts, next, value, false);
    for (const child of childrenOf(value)) {
      this.budget.step(1);
      this.#scan(parts, next, child);
    }
  }

  #filtered(filter: Filter, parts: readonly PathPart[], next: number, value: Value, isFixed: boolean): void {
    const isScanned = next > 1 && parts[next - 2]!.kind === 'scan';
    if (value instanceof JavaMap) {
      if (this.#holds(filter, value)) this.follow(parts, next, value, false);
    } else if (value instanceof JavaList) {
      if (isScanned) return;
      for (const item of value.items) if (this.#holds(filter, item)) this.follow(parts, next, item, false);
    } else if (isFixed) throw NOT_FOUND;
  }

  #holds(filter: Filter, value: Value): boolean {
    this.budget.step(1);
    switch (filter.kind) {
      case 'and':
        return this.#holds(filter.left, value) && this.#holds(filter.right, value);
      case 'or':
        return this.#holds(filter.left, value) || this.#holds(filter.right, value);
      case 'not':
        return !this.#holds(filter.operand, value);
      case 'exists':
        return this.#operand(filter.operand, value) !== MISSING;
      case 'compare':
        return this.#compare(filter.operator, filter.left, filter.right, value);
    }
  }

  #operand(operand: Operand, value: Value): Selected {
    switch (operand.kind) {
      case 'constant':
        return operand.value;
      case 'list':
        return new JavaList([...operand.values]);
      case 'pattern':
        return operand.pattern;
      case 'path': {
        const from = operand.fromRoot ? this.root : value;
        const selection = new Selection(this.root, this.budget, this.text);
        try {
          selection.follow(operand.parts, 0, from, true);
        } catch (cause) {
          if (cause === NOT_FOUND || cause instanceof JsonPathError) return MISSING;
          throw cause;
        }
        return selection.found[0]!;
      }
    }
  }

  #compare(operator: Comparison, leftOperand: Operand, rightOperand: Operand, value: Value): boolean {
    const left = this.#operand(leftOperand, value);
    const right = this.#operand(rightOperand, value);
    if (left === MISSING || right === MISSING) return false;
    switch (operator) {
      case '==':
        return this.#isEqual(left, right);
      case '!=':
        return !this.#isEqual(left, right);
      case '=~':
        return typeof left === 'string' && matchesPattern(left, right as string, this.budget);
      case 'in':
        return right instanceof JavaList && right.items.some((item) => this.#isEqual(left, item));
      case 'nin':
        return right instanceof JavaList && !right.items.some((item) => this.#isEqual(left, item));
      case 'contains':
        if (typeof left === 'string') return typeof right === 'string' && left.includes(right);
        return left instanceof JavaList && left.items.some((item) => this.#isEqual(item, right));
      case 'size':
        return sizeOf(left) === right;
      case 'empty':
        return (sizeOf(left) === 0) === right;
      default:
        return holdsOrder(operator, order(left, right, this.budget));
    }
  }

  #isEqual(left: Value, right: Value): boolean {
    if (left === null || right === null) return left === right;
    return isSame(left, right, this.budget);
  }
}

function childrenOf(value: Value): Iterable<Value> {
  if (value instanceof JavaMap) return value.entries.values();
  return value instanceof JavaList ? value.items : [];
}

function pick(map: JavaMap, names: readonly string[]): JavaMap {
  const picked = new JavaMap();
  for (const name of names) if (map.has(name)) picked.put(name, map.get(name));
  return picked;
}

/** Whether a scan stops at this value to apply `part`. */
function applies(part: PathPart, value: JavaMap | JavaList): boolean {
  switch (part.kind) {
    case 'names':
      return value instanceof JavaMap && part.names.every((name) => value.has(name));
    case 'indexes':
    case 'slice':
    case 'fromEnd':
      return value instanceof JavaList;
    default:
      return true;
  }
}

function sizeOf(value: Value): number | null {
  if (typeof value === 'string') return value.length;
  if (value instanceof JavaList) return value.items.length;
  return value instanceof JavaMap ? value.entries.size : null;
}

/** By value where both are numbers or read as such, else by text; NaN when they have no order. */
function order(left: Value, right: Value, budget: Budget): number {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  if (typeof left !== 'string' || typeof right !== 'string') return Number.NaN;
  const [first, second] = [textOf(left, budget), textOf(right, budget)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function numberOf(value: Value): number {
  if (isNumber(value)) return doubleOf(value);
  return typeof value === 'string' && /^-?\d/.test(value) ? Number(value) : Number.NaN;
}

function holdsOrder(operator: '<' | '<=' | '>' | '>=', difference: number): boolean {
  switch (operator) {
    case '<':
      return difference < 0;
    case '<=':
      return difference <= 0;
    case '>':
      return difference > 0;
    default:
      return difference >= 0;
  }
}
