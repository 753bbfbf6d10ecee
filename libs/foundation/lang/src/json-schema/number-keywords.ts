import { isMultipleOf } from './multiple-of.js';
import { rule, type Rule } from './rule.js';

interface Bounds {
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly isMinimumExclusive: boolean;
  readonly isMaximumExclusive: boolean;
  readonly multipleOf: number | null;
}

export function numberRules({ minimum, maximum, isMinimumExclusive, isMaximumExclusive, multipleOf }: Bounds): Rule<number>[] {
  const rules: Rule<number>[] = [];
  if (minimum !== null && isMinimumExclusive)
    rules.push(
      rule(
        (value) => value > minimum,
        (value) => `numeric instance is not strictly greater than the required minimum ${minimum} (found: ${value})`,
      ),
    );
  else if (minimum !== null)
    rules.push(
      rule(
        (value) => value >= minimum,
        (value) => `numeric instance is lower than the required minimum (minimum: ${minimum}, found: ${value})`,
      ),
    );
  if (maximum !== null && isMaximumExclusive)
    rules.push(
      rule(
        (value) => value < maximum,
        (value) => `numeric instance is not strictly lower than the required maximum ${maximum} (found: ${value})`,
      ),
    );
  else if (maximum !== null)
    rules.push(
      rule(
        (value) => value <= maximum,
        (value) => `numeric instance is greater than the required maximum (maximum: ${maximum}, found: ${value})`,
      ),
    );
  if (multipleOf !== null)
    rules.push(
      rule(
        (value) => isMultipleOf(value, multipleOf),
        (value) => `numeric instance ${value} is not a multiple of ${multipleOf}`,
      ),
    );
  return rules;
}
