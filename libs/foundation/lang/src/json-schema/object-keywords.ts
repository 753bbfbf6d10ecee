import { WorkLimitExceeded, type Regex } from '../regex/index.js';
import { MemberName, rule, shown, Subschema, type JsonObject, type Rule, type Run } from './rule.js';

export interface PatternSchema {
  readonly regex: Regex;
  readonly schema: Subschema;
}

export function objectRules(
  required: readonly string[] | null,
  minProperties: number | null,
  maxProperties: number | null,
): Rule<JsonObject>[] {
  const rules: Rule<JsonObject>[] = [];
  if (required !== null) {
    const names = required.map((name) => new MemberName(name));
    rules.push(
      rule(
        (value) => hasAll(value, names),
        (value) => `object has missing required properties (${nameList(missingOf(value, names))})`,
      ),
    );
  }
  if (minProperties !== null)
    rules.push(
      rule(
        (value) => Object.keys(value).length >= minProperties,
        (value) =>
          `object has too few properties (found ${Object.keys(value).length} but schema requires at least ${minProperties})`,
      ),
    );
  if (maxProperties !== null)
    rules.push(
      rule(
        (value) => Object.keys(value).length <= maxProperties,
        (value) =>
          `object has too many properties (found ${Object.keys(value).length} but schema requires at most ${maxProperties})`,
      ),
    );
  return rules;
}

function hasAll(value: JsonObject, names: readonly MemberName[]): boolean {
  for (let i = 0; i < names.length; i++) if (!names[i]!.isIn(value)) return false;
  return true;
}

function missingOf(value: JsonObject, names: readonly MemberName[]): string[] {
  return names.filter((name) => !name.isIn(value)).map(({ text }) => text);
}

const nameList = (names: readonly string[]): string => JSON.stringify([...names].sort());

/** `null` when any member may have any value. */
export function propertiesRule(
  properties: ReadonlyMap<string, Subschema>,
  patterns: readonly PatternSchema[],
  additional: Subschema | false | null,
): Rule<JsonObject> | null {
  if (patterns.length > 0 || additional !== null) return anyMember(properties, patterns, additional);
  return properties.size === 0 ? null : knownMembers([...properties]);
}

/** Goes by the schema's names: the value's others are of no interest. */
function knownMembers(properties: readonly (readonly [string, Subschema])[]): Rule<JsonObject> {
  const names = properties.map(([name]) => new MemberName(name));
  const schemas = properties.map(([, schema]) => schema);
  return {
    holds: (value, run) => {
      run.left -= names.length;
      for (let i = 0; i < names.length; i++) {
        const member = names[i]!.of(value);
        if (member !== undefined && !schemas[i]!.holds(member, run)) return false;
      }
      return true;
    },
    explain: (value, run, messages) => {
      names.forEach((name, i) => {
        if (name.isIn(value)) schemas[i]!.explain(name.of(value), run, messages);
      });
    },
  };
}

/** Goes by the value's names. */
function anyMember(
  properties: ReadonlyMap<string, Subschema>,
  patterns: readonly PatternSchema[],
  additional: Subschema | false | null,
): Rule<JsonObject> {
  const perMember = 1 + patterns.length;
  const member = (name: string, value: unknown, run: Run): boolean => {
    const own = properties.get(name);
    if (own !== undefined && !own.holds(value, run)) return false;
    let isKnown = own !== undefined;
    for (let i = 0; i < patterns.length; i++) {
      const { regex, schema } = patterns[i]!;
      if (!regex.test(name, run)) continue;
      isKnown = true;
      if (!schema.holds(value, run)) return false;
    }
    return isKnown || additional === null || (additional !== false && additional.holds(value, run));
  };
  return {
    holds: (value, run) => {
      for (const name of Object.keys(value)) {
        if ((run.left -= perMember) < 0) throw new WorkLimitExceeded();
        if (!member(name, value[name], run)) return false;
      }
      return true;
    },
    explain: (value, run, messages) => {
      const strangers: string[] = [];
      for (const name of Object.keys(value)) {
        const schemas = patterns.filter(({ regex }) => regex.test(name, run)).map(({ schema }) => schema);
        const own = properties.get(name);
        if (own !== undefined) schemas.unshift(own);
        if (schemas.length > 0) schemas.forEach((schema) => schema.explain(value[name], run, messages));
        else if (additional === false) strangers.push(name);
        else additional?.explain(value[name], run, messages);
      }
      if (strangers.length > 0)
        messages.push(`object instance has properties which are not allowed by the schema: ${nameList(strangers.slice(0, 10))}`);
    },
  };
}

/** What must also be there, or hold, when a member is there. */
export function dependenciesRule(dependencies: ReadonlyMap<string, Subschema | readonly string[]>): Rule<JsonObject> {
  const entries = [...dependencies].map(([name, needed]) => ({
    name: new MemberName(name),
    needed: needed instanceof Subschema ? needed : needed.map((other) => new MemberName(other)),
  }));
  return {
    holds: (value, run) => {
      for (const { name, needed } of entries) {
        if (!name.isIn(value)) continue;
        if (needed instanceof Subschema ? !needed.holds(value, run) : !hasAll(value, needed)) return false;
      }
      return true;
    },
    explain: (value, run, messages) => {
      for (const { name, needed } of entries) {
        if (!name.isIn(value)) continue;
        if (needed instanceof Subschema) needed.explain(value, run, messages);
        else if (!hasAll(value, needed))
          messages.push(
            `property ${shown(name.text)} of object has missing property dependencies ` +
              `(schema requires ${nameList(needed.map(({ text }) => text))}; missing: ${nameList(missingOf(value, needed))})`,
          );
      }
    },
  };
}
