import { expect, test } from 'vitest';
import { mockAnswer } from './index.js';

// Data-plane reference §3.12.
for (const [template, expected] of [
  ['{"statusCode": 200}', 200],
  ['{statusCode: 200}', 200],
  ["{'statusCode': 200}", 200],
  ['{"statusCode": 200,}', 200],
  ['\n  {\n  "statusCode" : 404 }\n', 404],
  ['{"a": [1, "}", {"statusCode": 1}], "statusCode": 201}', 201],
  ['{"statusCode": "200"}', null],
  ['{"statusCode": 200.5}', null],
  ['{"statusCode": true}', null],
  ['{"other": 200}', null],
  ['{"a": {"statusCode": 200}}', null],
  ['', null],
  ['hello', null],
  ['[200]', null],
  ['{"statusCode": 200', null],
  ['{"statusCode": 200} x', null],
  ['{"statusCode": }', null],
  [`{"a": ${'['.repeat(100_000)}`, null],
] as const) {
  test(`${template.slice(0, 60)} gives ${expected}`, () => {
    expect(mockAnswer(template)?.status ?? null).toBe(expected);
  });
}
