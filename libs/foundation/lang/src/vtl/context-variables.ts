/** `$context` (data-plane reference 5.4), with what a template sets through it. */
import { type Budget, RenderFailure } from './budget.js';
import { JavaDouble, JavaList, JavaMap, JavaObject, textOf, type Value } from './java-values.js';

/** `identity.sourceIp` as `{ identity: { sourceIp: '...' } }`. Names come from us, but for those below `authorizer`. */
export interface VariableTree {
  readonly [name: string]: string | number | boolean | null | VariableTree;
}

/** A tree of one level of which a template seldom reads more than one variable. */
export abstract class VariableGroup {
  /** `null` for what there is not. */
  abstract one(name: string): string | number | boolean | null;
  abstract all(): VariableTree;
}

/** A variable or a group of them by name, without `$context.`; null for what there is not. */
export type ContextReader = (name: string) => string | number | boolean | null | VariableTree | VariableGroup;

/** Texts by name, as the template set them; null where it set none. */
export interface Overrides {
  readonly requestHeaders: ReadonlyMap<string, string> | null;
  readonly requestPath: ReadonlyMap<string, string> | null;
  readonly requestQuerystring: ReadonlyMap<string, string> | null;
  readonly responseHeaders: ReadonlyMap<string, string> | null;
  /** 100 to 599. */
  readonly responseStatus: number | null;
}

export class ContextVariables extends JavaObject {
  /** Of what has been read of groups such as `identity`: a template may change them, and reads them again. */
  #groups: { readonly name: string; readonly members: JavaMap }[] | null = null;
  #request: JavaMap | null = null;
  #response: JavaMap | null = null;

  constructor(private readonly read: ContextReader) {
    super();
  }

  override property(name: string): Value {
    if (name === 'requestOverride') return (this.#request ??= overrideMap('path', 'header', 'querystring'));
    if (name === 'responseOverride') return (this.#response ??= overrideMap('header'));
    const known = this.#groups === null ? undefined : this.#groups.find((group) => group.name === name);
    if (known !== undefined) return known.members;
    const value = this.read(name);
    return value === null || typeof value !== 'object' ? toValue(value) : this.#group(name, value);
  }

  #group(name: string, variables: VariableTree | VariableGroup): JavaMap {
    const members = variables instanceof VariableGroup ? new GroupMap(variables) : new TreeMap(variables);
    (this.#groups ??= []).push({ name, members });
    return members;
  }

  override call(method: string, values: readonly Value[]): Value | undefined {
    const [name] = values;
    return method === 'get' && values.length === 1 && typeof name === 'string' ? this.property(name) : undefined;
  }

  overrides(budget: Budget): Overrides | null {
    if (this.#request === null && this.#response === null) return null;
    return {
      requestHeaders: textsOf(this.#request, 'header', budget),
      requestPath: textsOf(this.#request, 'path', budget),
      requestQuerystring: textsOf(this.#request, 'querystring', budget),
      responseHeaders: textsOf(this.#response, 'header', budget),
      responseStatus: statusOf(this.#response?.get('status') ?? null, budget),
    };
  }
}

class TreeMap extends JavaMap {
  constructor(private readonly tree: VariableTree) {
    super(null);
  }

  override find(key: Value): Value | undefined {
    if (this.isMade || typeof key !== 'string') return super.find(key);
    if (!Object.hasOwn(this.tree, key)) return undefined;
    const value = this.tree[key]!;
    // A group within it must stay the same one: a template may change it.
    return value !== null && typeof value === 'object' ? super.find(key) : toValue(value);
  }

  protected override make(): Map<Value, Value> {
    const entries = new Map<Value, Value>();
    for (const [name, value] of Object.entries(this.tree))
      entries.set(name, value !== null && typeof value === 'object' ? new TreeMap(value) : toValue(value));
    return entries;
  }
}

function toValue(value: string | number | boolean | null): Value {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? new JavaDouble(value) : value;
}

class GroupMap extends JavaMap {
  constructor(private readonly group: VariableGroup) {
    super(null);
  }

  override find(key: Value): Value | undefined {
    if (this.isMade) return super.find(key);
    const value = typeof key === 'string' ? this.group.one(key) : null;
    return value === null ? undefined : toValue(value);
  }

  protected override make(): Map<Value, Value> {
    return new TreeMap(this.group.all()).entries;
  }
}

/** An override may be given once: the second time is an error on AWS. */
class OverrideMap extends JavaMap {
  override put(key: Value, value: Value): Value {
    if (this.entries.has(key)) throw new RenderFailure('The same override is set twice');
    return super.put(key, value);
  }
}

function overrideMap(...places: string[]): JavaMap {
  return new OverrideMap(new Map(places.map((place) => [place, new OverrideMap()])));
}

function textsOf(overrides: JavaMap | null, place: string, budget: Budget): ReadonlyMap<string, string> | null {
  const values = overrides?.get(place) ?? null;
  if (!(values instanceof JavaMap) || values.entries.size === 0) return null;
  const texts = new Map<string, string>();
  for (const [name, value] of values.entries)
    if (value !== null) texts.set(textOf(name ?? '', budget), headerText(value, budget));
  return texts;
}

/** A list becomes one value, joined by commas. */
function headerText(value: Value, budget: Budget): string {
  if (!(value instanceof JavaList)) return textOf(value, budget);
  return value.items.map((item) => (item === null ? '' : textOf(item, budget))).join(',');
}

function statusOf(value: Value, budget: Budget): number | null {
  if (value === null) return null;
  const text = textOf(value, budget);
  return /^[1-5]\d\d$/.test(text) ? Number(text) : null;
}
