/** Looking into a parsed document that may hold anything anywhere. */
import { badRequest } from '../errors.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

export function member(value: unknown, name: string): unknown {
  const object = asObject(value);
  return object !== null && Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The members of an object; none of anything else. */
export function membersOf(value: unknown): [string, unknown][] {
  return Object.entries(asObject(value) ?? {});
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Text, or a number or flag as text: YAML writers leave quotes out. */
export function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

export function asFlag(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  return value === 'true' ? true : value === 'false' ? false : undefined;
}

/** `NaN` for what is given and is no number, which every check refuses. */
export function asNumber(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : NaN;
}

/** The members that are text, `undefined` when there is no such object. */
export function textMap(value: unknown): Record<string, string> | undefined {
  if (asObject(value) === null) return undefined;
  return Object.fromEntries(
    membersOf(value).flatMap(([name, entry]): [string, string][] => {
      const text = asText(entry);
      return text === undefined ? [] : [[name, text]];
    }),
  );
}

const BYTES_MAX = 6 * 1024 * 1024;
/** Ours. A large document in actual use has some 300,000 values, and nests some 30 deep. */
const VALUES_MAX = 1_000_000;
const DEPTH_MAX = 200;

export const invalidDocument = (): Error => badRequest('Invalid OpenAPI input.');

/** The document's text. Throws BadRequest when it is none, or larger than AWS takes. */
export function openApiText(bytes: Uint8Array): string {
  if (bytes.byteLength > BYTES_MAX) throw invalidDocument();
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidDocument();
  }
}

/**
 * Throws BadRequest unless the value is a tree of bearable size. A value that stands in several places, as YAML's aliases make them,
 * counts at each: that is what everybody after this has to walk.
 */
export function checkBounds(root: unknown): void {
  let count = 0;
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value !== 'object' || value === null) continue;
    const inner = Object.values(value);
    count += inner.length;
    if (count > VALUES_MAX || depth > DEPTH_MAX) throw invalidDocument();
    for (const entry of inner) open.push({ value: entry, depth: depth + 1 });
  }
}
