import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Budget } from '../vtl/budget.js';
import { jsonText } from '../vtl/java-values.js';
import { parseJson } from '../vtl/json-body.js';
import { readCases } from '../vtl/testing/case-file.js';
import { JsonPath, MISSING } from './json-path.js';
import { JsonPathError } from './parse-path.js';

function select(path: string, body: string): string {
  const budget = new Budget();
  try {
    const selected = JsonPath.parse(path).select(parseJson(body), budget);
    return selected === MISSING ? 'missing' : jsonText(selected, budget, false);
  } catch (cause) {
    if (!(cause instanceof JsonPathError)) throw cause;
    return `error: ${cause.message}`;
  }
}

describe('cases', () => {
  for (const { line, input, expected, body } of readCases(readFileSync(new URL('selection.cases.md', import.meta.url), 'utf8'))) {
    test(`${input} (selection.cases.md:${line})`, () => {
      const selected = select(input, body);
      // Errors of the original are worded otherwise.
      expect(selected.startsWith('error: ') ? 'error: ' : selected).toBe(expected.startsWith('error: ') ? 'error: ' : expected);
    });
  }
});
