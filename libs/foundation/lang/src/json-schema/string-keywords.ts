import type { Regex } from '../regex/index.js';
import { FORMATS } from './formats.js';
import { rule, shown, type Rule } from './rule.js';

/** Lengths count characters, not UTF-16 units: one beyond U+FFFF is one. */
export function stringRules(minLength: number | null, maxLength: number | null): Rule<string>[] {
  const rules: Rule<string>[] = [];
  if (minLength !== null)
    rules.push(
      rule(
        (text) => text.length >= minLength && (text.length >= 2 * minLength || charCount(text) >= minLength),
        (text) => `string ${shown(text)} is too short (length: ${charCount(text)}, required minimum: ${minLength})`,
      ),
    );
  if (maxLength !== null)
    rules.push(
      rule(
        (text) => text.length <= maxLength || (text.length <= 2 * maxLength && charCount(text) <= maxLength),
        (text) => `string ${shown(text)} is too long (length: ${charCount(text)}, maximum allowed: ${maxLength})`,
      ),
    );
  return rules;
}

function charCount(text: string): number {
  let count = text.length;
  for (let i = 0; i + 1 < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) !== 0xd800 || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) continue;
    count--;
    i++;
  }
  return count;
}

export function patternRule(pattern: string, regex: Regex): Rule<string> {
  return rule(
    (text, run) => regex.test(text, run),
    (text) => `ECMA 262 regex ${shown(pattern)} does not match input string ${shown(text)}`,
  );
}

/** `null` for a format that says nothing here. */
export function formatRule(format: string): Rule<string> | null {
  const holds = FORMATS.get(format);
  return holds === undefined ? null : rule(holds, (text) => `string ${shown(text)} is invalid against format ${shown(format)}`);
}
