import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VtlSyntaxError } from './errors.js';
import { parseTemplate } from './parser.js';
import { readCases, written } from './testing/case-file.js';

function messageOf(template: string): string {
  try {
    parseTemplate(template);
    return '';
  } catch (cause) {
    if (!(cause instanceof VtlSyntaxError)) throw cause;
    return cause.message;
  }
}

describe('cases', () => {
  for (const { title, line, input, expected } of readCases(readFileSync(new URL('syntax.cases.md', import.meta.url), 'utf8'))) {
    test(`${title}: ${written(input)} (syntax.cases.md:${line})`, () => expect(messageOf(input)).toBe(expected));
  }
});

describe('bounds', () => {
  test('a template of 300 KB parses, one character more does not', () => {
    expect(messageOf('x'.repeat(300 * 1024))).toBe('');
    expect(messageOf('x'.repeat(300 * 1024 + 1))).toBe('More than 307200 characters at line 1, column 1');
  });
  for (const [name, opening, closing] of [
    ['blocks', '#if(true)', '#end'],
    ['parentheses', '(', ')'],
    ['lists', '[', ']'],
    ['maps', '{"a":', '}'],
    ['negations', '!', ''],
    ['indexes', '$a[', ']'],
    ['calls', '$a.b(', ')'],
  ] as const) {
    const nested = (depth: number) => {
      const text = `${opening.repeat(depth)}${name === 'blocks' ? 'x' : '1'}${closing.repeat(depth)}`;
      return name === 'blocks' ? text : `#set($x = ${text})`;
    };
    test(`${name} nest 90 deep and not 101`, () => {
      expect(messageOf(nested(90))).toBe('');
      expect(messageOf(nested(101))).toMatch(/^Nested more than 100 deep at line 1, column \d+$/);
    });
    test(`${name} nested without end are refused, not followed`, () => {
      expect(messageOf(nested(20_000).slice(0, 300 * 1024))).toMatch(/^Nested more than 100 deep/);
    });
  }
});
