/**
 * Condition operators (IAM guide, "IAM JSON policy elements: Condition operators"). All operators of a statement, and all keys of an
 * operator, must hold; of a key's values one suffices, and of a negated operator's values none may match.
 *
 *   a key the request does not have   holds for negated operators, `...IfExists`, `ForAllValues:` and `Null: true`; else not
 *   ForAllValues:                     each value of the request must hold
 *   ForAnyValue:                      one of them must
 */
import { networkTest, parseNetwork } from '@gatehouse/kernel';
import { PolicyError } from './policy-error.js';
import { TextPattern, type KeyValues } from './wildcard.js';

export type Condition = (values: KeyValues) => boolean;

/** Whether one value of the request matches one of the policy's. */
type Matcher = (value: string, values: KeyValues) => boolean;
type MatcherFactory = (text: string, hasVariables: boolean) => Matcher;

const text =
  (ignoresCase: boolean, hasWildcards: boolean): MatcherFactory =>
  (wanted, hasVariables) => {
    const pattern = new TextPattern(wanted, { ignoresCase, hasWildcards, hasVariables });
    return (value, values) => pattern.matches(value, values);
  };

/** An ARN has six parts; a wildcard stays within its own, but for the last. */
const arn: MatcherFactory = (wanted, hasVariables) => {
  const parts = arnParts(wanted);
  if (parts === null) {
    const pattern = new TextPattern(wanted, { ignoresCase: false, hasWildcards: true, hasVariables });
    return (value, values) => pattern.matches(value, values);
  }
  const patterns = parts.map((part) => new TextPattern(part, { ignoresCase: false, hasWildcards: true, hasVariables }));
  return (value, values) => arnParts(value)?.every((part, i) => patterns[i]!.matches(part, values)) ?? false;
};

function arnParts(value: string): string[] | null {
  const parts = value.split(':');
  return parts.length < 6 ? null : [...parts.slice(0, 5), parts.slice(5).join(':')];
}

const ordered =
  (read: (value: string) => number, what: string, holds: (value: number, wanted: number) => boolean): MatcherFactory =>
  (wanted) => {
    const bound = read(wanted);
    if (Number.isNaN(bound)) throw new PolicyError(`"${wanted}" is no ${what}`);
    return (value) => {
      const given = read(value);
      return !Number.isNaN(given) && holds(given, bound);
    };
  };

const readNumber = (value: string): number => (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) ? Number(value) : NaN);
/** ISO 8601, or seconds since 1970. */
const readDate = (value: string): number => (/^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value));
const comparisons = {
  Equals: (value: number, wanted: number) => value === wanted,
  LessThan: (value: number, wanted: number) => value < wanted,
  LessThanEquals: (value: number, wanted: number) => value <= wanted,
  GreaterThan: (value: number, wanted: number) => value > wanted,
  GreaterThanEquals: (value: number, wanted: number) => value >= wanted,
};

const address: MatcherFactory = (wanted) => {
  const network = parseNetwork(wanted);
  if (network === null) throw new PolicyError(`"${wanted}" is no IP address range`);
  return networkTest([network]);
};

const boolean: MatcherFactory = (wanted) => {
  const lower = wanted.toLowerCase();
  if (lower !== 'true' && lower !== 'false') throw new PolicyError(`"${wanted}" is neither true nor false`);
  return (value) => value.toLowerCase() === lower;
};

interface Operator {
  readonly matcher: MatcherFactory;
  readonly isNegated: boolean;
}

const positive = (matcher: MatcherFactory): Operator => ({ matcher, isNegated: false });
const negated = (matcher: MatcherFactory): Operator => ({ matcher, isNegated: true });

/** By lower-case name. */
const OPERATORS: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    StringEquals: positive(text(false, false)),
    StringNotEquals: negated(text(false, false)),
    StringEqualsIgnoreCase: positive(text(true, false)),
    StringNotEqualsIgnoreCase: negated(text(true, false)),
    StringLike: positive(text(false, true)),
    StringNotLike: negated(text(false, true)),
    BinaryEquals: positive(text(false, false)),
    Bool: positive(boolean),
    IpAddress: positive(address),
    NotIpAddress: negated(address),
    ArnEquals: positive(arn),
    ArnLike: positive(arn),
    ArnNotEquals: negated(arn),
    ArnNotLike: negated(arn),
    ...orderedOperators('Numeric', readNumber, 'number'),
    ...orderedOperators('Date', readDate, 'date'),
  }).map(([name, operator]) => [name.toLowerCase(), operator]),
);

function orderedOperators(prefix: string, read: (value: string) => number, what: string): Record<string, Operator> {
  const entries = Object.entries(comparisons).map(([name, holds]) => [prefix + name, positive(ordered(read, what, holds))]);
  return {
    ...(Object.fromEntries(entries) as Record<string, Operator>),
    [`${prefix}NotEquals`]: negated(ordered(read, what, comparisons.Equals)),
  };
}

const OPERATOR = /^(?:(forallvalues|foranyvalue):)?([a-z]+?)(ifexists)?$/;

/** Of a statement's Condition. Throws PolicyError. */
export function compileConditions(block: unknown, hasVariables: boolean): Condition[] {
  if (block === undefined) return [];
  return entries(block, 'Condition').flatMap(([operator, keys]) =>
    entries(keys, operator).map(([key, wanted]) => compileCondition(operator, key, readTexts(wanted, key), hasVariables)),
  );
}

function compileCondition(operator: string, key: string, wanted: readonly string[], hasVariables: boolean): Condition {
  const [, quantifier, name = '', ifExists] = OPERATOR.exec(operator.toLowerCase()) ?? [];
  const lowerKey = key.toLowerCase();
  if (name === 'null' && quantifier === undefined && ifExists === undefined) return compileNull(lowerKey, wanted);
  const known = OPERATORS.get(name);
  if (known === undefined) throw new PolicyError(`unknown condition operator "${operator}"`);
  const matchers = wanted.map((value) => known.matcher(value, hasVariables));
  const matchesOne: Matcher = (value, values) => matchers.some((matches) => matches(value, values));
  const holdsFor: Matcher = known.isNegated ? (value, values) => !matchesOne(value, values) : matchesOne;
  if (quantifier === 'forallvalues') return (values) => (values(lowerKey) ?? []).every((value) => holdsFor(value, values));
  const holdsWithout = ifExists !== undefined || (known.isNegated && quantifier === undefined);
  const needsAll = known.isNegated && quantifier === undefined;
  return (values) => {
    const given = values(lowerKey);
    if (given === null || given.length === 0) return holdsWithout;
    return needsAll ? given.every((value) => holdsFor(value, values)) : given.some((value) => holdsFor(value, values));
  };
}

function compileNull(key: string, wanted: readonly string[]): Condition {
  const matches = wanted.map((value) => boolean(value, false));
  return (values) => {
    const isAbsent = String((values(key) ?? []).length === 0);
    return matches.some((match) => match(isAbsent, values));
  };
}

function entries(value: unknown, name: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new PolicyError(`${name} is no object`);
  return Object.entries(value);
}

/** One value or several, of texts, numbers and truth values. */
function readTexts(value: unknown, name: string): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') return String(item);
    throw new PolicyError(`a value of ${name} is no text`);
  });
}
