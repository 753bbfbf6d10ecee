/** Equality of JSON values: members in any order, numbers by value. */
import { DEPTH_MAX, TooDeep, type JsonObject } from './rule.js';

/** Recursion is bounded by the smaller of the two. */
export function isEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((value, i) => isEqual(value, right[i]));
  }
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && isEqual((left as JsonObject)[name], (right as JsonObject)[name]));
}

/** Equal values, and no others, have equal texts. Throws TooDeep. */
export function canonicalText(value: unknown, depth = 0): string {
  if (depth > DEPTH_MAX) throw new TooDeep();
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '0' : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, depth + 1)).join()}]`;
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalText((value as JsonObject)[name], depth + 1)}`);
  return `{${members.join()}}`;
}
