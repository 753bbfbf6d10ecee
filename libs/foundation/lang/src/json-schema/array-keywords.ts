import { canonicalText } from './json-equality.js';
import { rule, type Rule, type Run, type Subschema } from './rule.js';

type Items = readonly unknown[];

export function arrayRules(minItems: number | null, maxItems: number | null, isUnique: boolean): Rule<Items>[] {
  const rules: Rule<Items>[] = [];
  if (minItems !== null)
    rules.push(
      rule(
        (items) => items.length >= minItems,
        (items) => `array is too short: must have at least ${minItems} elements but instance has ${items.length} elements`,
      ),
    );
  if (maxItems !== null)
    rules.push(
      rule(
        (items) => items.length <= maxItems,
        (items) => `array is too long: must have at most ${maxItems} elements but instance has ${items.length} elements`,
      ),
    );
  if (isUnique) rules.push(rule(areUnique, () => 'array must not contain duplicate elements'));
  return rules;
}

/** By text, never pair by pair: that would take the square of the time. */
function areUnique(items: Items, run: Run): boolean {
  const seen = new Set<unknown>();
  for (const item of items) {
    const isPlain = typeof item !== 'object' || item === null;
    const key = isPlain && typeof item !== 'string' ? item : canonicalText(item);
    if (seen.has(key)) return false;
    seen.add(key);
    run.left -= isPlain ? 1 : (key as string).length >> 3;
  }
  return true;
}

/** `null` when any item may be anywhere. `additional` judges what is behind the first ones. */
export function itemsRule(first: readonly Subschema[], additional: Subschema | false | null): Rule<Items> | null {
  if (first.length === 0 && additional === null) return null;
  const countMax = additional === false ? first.length : Infinity;
  const schemaAt = (i: number): Subschema | null => (i < first.length ? first[i]! : additional === false ? null : additional);
  return {
    holds: (items, run) => {
      if (items.length > countMax) return false;
      for (let i = 0; i < items.length; i++) {
        const schema = schemaAt(i);
        if (schema !== null && !schema.holds(items[i], run)) return false;
      }
      return true;
    },
    explain: (items, run, messages) => {
      if (items.length > countMax)
        messages.push(`array only allows ${countMax} elements, but the instance has ${items.length} elements`);
      items.forEach((item, i) => schemaAt(i)?.explain(item, run, messages));
    },
  };
}
