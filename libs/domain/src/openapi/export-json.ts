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

/** Deeper than anybody means it. Values are written by recursion, which has an end. */
const DEPTH_MAX = 200;

/** The JSON value of a stored text; the text itself where it is none, or none that can be written again. */
export function parsedOr(text: string): Json {
  try {
    const value = JSON.parse(text) as Json;
    return isBearable(value) ? value : text;
  } catch {
    return text;
  }
}

function isBearable(root: Json): boolean {
  let level: Json[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return false;
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return true;
}
