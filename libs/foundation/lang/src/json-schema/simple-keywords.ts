/** Which schemas `TextJudge` can hold a text against. */
import { Buffer } from 'node:buffer';
import type { Regex } from '../regex/index.js';
import type { SimpleKeywords, SimpleMembers, Subschema } from './rule.js';

/** Beside these the type is all that may be looked at; `format`, `enum` and `items` depend on their settings. */
const OTHER_KEYWORDS = [
  ...['multipleOf', 'patternProperties', 'dependencies', 'minProperties', 'maxProperties'],
  ...['allOf', 'anyOf', 'oneOf', 'not'],
];
/** Names and texts that are compared one after the other. */
const TEXTS_MAX = 16;
/** Each has a bit. */
const REQUIRED_MAX = 30;

/** In JSON such a name is never written as it is. */
// oxlint-disable-next-line no-control-regex
const ESCAPED = /["\\\u0000-\u001f]/;

/** What the compiler found, as far as it is of interest here. */
export interface FoundKeywords {
  readonly schema: Readonly<Record<string, unknown>>;
  readonly hasFormat: boolean;
  readonly minLength: number | null;
  readonly maxLength: number | null;
  readonly pattern: Regex | null;
  readonly values: readonly unknown[] | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly isMinimumExclusive: boolean;
  readonly isMaximumExclusive: boolean;
  readonly minItems: number | null;
  readonly maxItems: number | null;
  readonly isUnique: boolean;
  readonly items: Subschema | null;
  readonly required: readonly string[];
  readonly properties: ReadonlyMap<string, Subschema>;
  readonly additional: Subschema | false | null;
}

/** `null` for a schema with other keywords. */
export function simpleKeywords(found: FoundKeywords): SimpleKeywords | null {
  const { schema, values, required } = found;
  if (found.hasFormat || found.isUnique || Array.isArray(schema['items']) || required.length > REQUIRED_MAX) return null;
  if (OTHER_KEYWORDS.some((name) => Object.hasOwn(schema, name))) return null;
  if (found.additional === false && !required.every((name) => found.properties.has(name))) return null; // nothing is valid
  if ([...required, ...found.properties.keys()].some((name) => ESCAPED.test(name))) return null;
  const texts = values === null ? null : textsOf(values);
  if (values !== null && texts === null) return null;
  const { minLength, maxLength, pattern } = found;
  return {
    limitsTexts: minLength !== null || maxLength !== null || pattern !== null || texts !== null,
    minLength: minLength ?? 0,
    maxLength: maxLength ?? Number.POSITIVE_INFINITY,
    pattern,
    texts,
    minimum: found.minimum ?? Number.NEGATIVE_INFINITY,
    maximum: found.maximum ?? Number.POSITIVE_INFINITY,
    isMinimumExclusive: found.isMinimumExclusive,
    isMaximumExclusive: found.isMaximumExclusive,
    minItems: found.minItems ?? 0,
    maxItems: found.maxItems ?? Number.POSITIVE_INFINITY,
    items: found.items,
    members: membersOf(found),
  };
}

function textsOf(values: readonly unknown[]): Uint8Array[] | null {
  if (values.length > TEXTS_MAX || !values.every((value) => typeof value === 'string')) return null;
  return values.map((value) => Buffer.from(value));
}

/** Most schemas speak of no members. */
const ANY_MEMBERS: SimpleMembers = { names: [], schemas: [], requiredBits: 0, additional: null };

function membersOf({ required, properties, additional }: FoundKeywords): SimpleMembers {
  if (required.length === 0 && properties.size === 0 && additional === null) return ANY_MEMBERS;
  const others = [...properties.keys()].filter((name) => !required.includes(name));
  const names = [...required, ...others];
  return {
    names: names.map((name) => Buffer.from(name)),
    schemas: names.map((name) => properties.get(name) ?? (additional || null)),
    requiredBits: required.length,
    additional,
  };
}
