/**
 * Where `$ref` leads (draft-04 core, sections 5 to 7): a JSON pointer into the same document or another, a whole other document, or
 * the `id` of a schema. Documents come from the caller; nothing is fetched.
 */
import { SchemaError } from './schema-error.js';
import type { JsonObject } from './rule.js';

/** The document at a URI without fragment; `undefined` when there is none. */
export type DocumentSource = (uri: string) => unknown;

export interface Place {
  readonly schema: unknown;
  /** Where it is, for messages. */
  readonly pointer: string;
}

/** Whatever is deeper is no schema anybody wrote, and would end the stack. */
const DEPTH_MAX = 200;
const SINGLE = ['additionalItems', 'additionalProperties', 'not'];
const LISTS = ['allOf', 'anyOf', 'oneOf'];
const MAPS = ['definitions', 'dependencies', 'patternProperties', 'properties'];

interface Scope {
  /** What relative references start from. */
  readonly base: string;
  /** URI of the document. */
  readonly document: string;
}

export class References {
  /** By absolute URI: documents without fragment, and what has an `id`. */
  readonly #places = new Map<string, Place>();
  /** Of every schema that stands where one may stand. */
  readonly #scopes = new Map<object, Scope>();

  constructor(private readonly source: DocumentSource) {}

  /** Throws SchemaError. */
  add(uri: string, document: unknown): void {
    checkDepth(document);
    this.#places.set(uri, { schema: document, pointer: '#' });
    this.#walk({ schema: document, pointer: '#' }, { base: uri, document: uri });
  }

  /** What `reference`, found in `from`, means. Throws SchemaError. */
  resolve(reference: string, from: object, pointer: string): Place {
    const scope = this.#scopes.get(from)!;
    const found = this.#find(reference, scope.base, pointer);
    // Generators strew ids about that change the scope; what they refer to is the document all the same.
    const place = found ?? (reference.startsWith('#') ? this.#find(reference, scope.document, pointer) : null);
    if (place === null) throw new SchemaError(pointer, `$ref "${reference}" leads nowhere`);
    if (typeof place.schema === 'object' && place.schema !== null && !this.#scopes.has(place.schema)) {
      this.#walk(place, this.#scopeOf(reference, scope));
    }
    return place;
  }

  #scopeOf(reference: string, scope: Scope): Scope {
    const { uri } = absolute(reference, scope.base, '#');
    return this.#places.has(uri) ? { base: uri, document: uri } : scope;
  }

  #find(reference: string, base: string, pointer: string): Place | null {
    const { uri, fragment } = absolute(reference, base, pointer);
    const named = fragment === '' ? undefined : this.#places.get(`${uri}#${fragment}`);
    if (named !== undefined) return named;
    if (!this.#places.has(uri)) {
      const document = this.source(uri);
      if (document === undefined) return null;
      this.add(uri, document);
    }
    const place = this.#places.get(uri)!;
    if (fragment === '') return place;
    return fragment.startsWith('/') ? followPointer(place, fragment) : null;
  }

  #walk({ schema, pointer }: Place, outer: Scope): void {
    if (!isObject(schema)) return;
    const id = schema['id'];
    const hasId = typeof id === 'string' && typeof schema['$ref'] !== 'string';
    const scope = hasId ? this.#enter(id, { schema, pointer }, outer) : outer;
    this.#scopes.set(schema, scope);
    const visit = (child: unknown, at: string): void => this.#walk({ schema: child, pointer: `${pointer}/${at}` }, scope);
    for (const name of SINGLE) visit(schema[name], name);
    for (const name of LISTS) visitAll(schema[name], name, visit);
    for (const name of MAPS) visitAll(schema[name], name, visit);
    if (Array.isArray(schema['items'])) visitAll(schema['items'], 'items', visit);
    else visit(schema['items'], 'items');
  }

  /** The first of two schemas with one id keeps it. */
  #enter(id: string, place: Place, outer: Scope): Scope {
    if (!URL.canParse(id, outer.base)) throw new SchemaError(place.pointer, `id "${id}" is no URI`);
    const absolute = new URL(id, outer.base).href;
    const { uri, fragment } = split(absolute);
    const key = fragment === '' ? uri : absolute;
    if (!this.#places.has(key)) this.#places.set(key, place);
    return fragment === '' ? { base: uri, document: outer.document } : outer;
  }
}

/** Most references are into their own document, and are not worth parsing a URI. */
function absolute(reference: string, base: string, pointer: string): { uri: string; fragment: string } {
  if (LOCAL.test(reference)) return { uri: base, fragment: reference.slice(1) };
  const url = URL.parse(reference, base);
  if (url === null) throw new SchemaError(pointer, `$ref "${reference}" is no URI`);
  return split(url.href);
}

/** Characters that a URI's fragment has unescaped. */
const LOCAL = /^#[A-Za-z0-9/_.~-]*$/;

function visitAll(children: unknown, name: string, visit: (child: unknown, at: string) => void): void {
  if (typeof children !== 'object' || children === null) return;
  for (const [key, child] of Object.entries(children)) visit(child, `${name}/${escaped(key)}`);
}

function split(href: string): { uri: string; fragment: string } {
  const hash = href.indexOf('#');
  return hash === -1 ? { uri: href, fragment: '' } : { uri: href.slice(0, hash), fragment: href.slice(hash + 1) };
}

/** RFC 6901, in a URI fragment. */
function followPointer({ schema, pointer }: Place, fragment: string): Place | null {
  let current = schema;
  for (const token of fragment.slice(1).split('/')) {
    const name = unescaped(token);
    if (name === null || typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return null;
    current = (current as JsonObject)[name];
  }
  return { schema: current, pointer: pointer + fragment };
}

function unescaped(token: string): string | null {
  try {
    return decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return null;
  }
}

/** A name as a token of a JSON pointer. */
export const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkDepth(value: unknown, depth = 0): void {
  if (depth > DEPTH_MAX) throw new SchemaError('#', `nested more than ${DEPTH_MAX} deep`);
  if (typeof value !== 'object' || value === null) return;
  for (const child of Object.values(value)) checkDepth(child, depth + 1);
}
