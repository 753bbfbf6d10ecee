import { isEqual } from './json-equality.js';
import { rule, shown, type Rule, type Run, type Subschema } from './rule.js';

export function enumRule(values: readonly unknown[]): Rule {
  const plain = new Set(values.filter((value) => typeof value !== 'object' || value === null));
  const nested = values.filter((value) => typeof value === 'object' && value !== null);
  return rule(
    (value, run) => {
      run.left -= nested.length;
      return plain.has(value) || nested.some((allowed) => isEqual(allowed, value));
    },
    (value) => `instance value (${shown(value)}) not found in enum (possible values: [${values.slice(0, 20).map(shown).join()}])`,
  );
}

interface Combinations {
  readonly allOf: readonly Subschema[] | null;
  readonly anyOf: readonly Subschema[] | null;
  readonly oneOf: readonly Subschema[] | null;
  readonly not: Subschema | null;
}

export function combinationRules({ allOf, anyOf, oneOf, not }: Combinations): Rule[] {
  const rules: Rule[] = [];
  if (allOf !== null)
    rules.push({
      holds: (value, run) => allOf.every((schema) => schema.holds(value, run)),
      explain: (value, run, messages) => allOf.forEach((schema) => schema.explain(value, run, messages)),
    });
  if (anyOf !== null)
    rules.push(
      rule(
        (value, run) => anyOf.some((schema) => schema.holds(value, run)),
        () => `instance failed to match at least one required schema among ${anyOf.length}`,
      ),
    );
  if (oneOf !== null)
    rules.push(
      rule(
        (value, run) => matches(oneOf, value, run, 2) === 1,
        (value, run) =>
          `instance failed to match exactly one schema (matched ${matches(oneOf, value, run, Infinity)} out of ${oneOf.length})`,
      ),
    );
  if (not !== null)
    rules.push(
      rule(
        (value, run) => !not.holds(value, run),
        () => 'instance matched a schema which it should not have',
      ),
    );
  return rules;
}

/** How many match; stops counting at `enough`. */
function matches(schemas: readonly Subschema[], value: unknown, run: Run, enough: number): number {
  let count = 0;
  for (const schema of schemas) if (schema.holds(value, run) && ++count >= enough) break;
  return count;
}
