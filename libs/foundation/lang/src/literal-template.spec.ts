import { expect, test } from 'vitest';
import { isLiteralTemplate } from './literal-template.js';

for (const [template, isLiteral] of [
  ['', true],
  ['{"statusCode": 200}', true],
  ['price: $5, 5$', true],
  ['issue #1, # heading', true],
  ['$', true],
  ['#', true],
  ['${', true],
  ['$input.body', false],
  ['${context.stage}', false],
  ['$!x', false],
  ['$!{x}', false],
  ['\\$x', false],
  ['#set($a = 1)', false],
  ['a#{if}(true)', false],
  ['#@m', false],
  ['## a comment', false],
  ['#* a comment *#', false],
  ['#[[ raw ]]#', false],
  ['#end', false],
] as const) {
  test(`${JSON.stringify(template)} ${isLiteral ? 'is sent as it is' : 'needs the template engine'}`, () =>
    expect(isLiteralTemplate(template)).toBe(isLiteral));
}
