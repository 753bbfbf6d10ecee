/** Values of an exported document. Names in it are tenants' text, so objects are made of entries, never by assignment. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** The object without the members that are `undefined`; the order is that of the document. */
export function present(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return fromPairs(Object.entries(members));
}

/** As `present`, for names that tenants choose. */
export function fromPairs(pairs: readonly (readonly [string, Json | undefined])[]): JsonObject {
  return Object.fromEntries(pairs.filter((pair): pair is readonly [string, Json] => pair[1] !== undefined));
}

/** `undefined` for an object without members, which documents leave out. */
export function unlessEmpty(object: JsonObject): JsonObject | undefined {
  return Object.keys(object).length === 0 ? undefined : object;
}

/** In code point order of the names: equal definitions give equal documents. */
export function sortedEntries<T>(map: Readonly<Record<string, T>> | null): [string, T][] {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON value of a stored text; the text itself where it is none. */
export function parsedOr(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
