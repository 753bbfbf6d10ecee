import { expect, test } from 'vitest';
import { BodyPath } from './body-path.js';
import { JsonPathError } from './parse-path.js';

const BODY = '{"pets":[{"name":"Rex","age":3},{"name":"Ada","age":1.0}],"none":null,"t":true}';

test.each([
  ['$..name', '["Rex","Ada"]'],
  ['$.pets[*].age', '[3,1.0]'],
  ['pets[?(@.age > 2)].name', '["Rex"]'],
  ['$.pets[-1:].name', '["Ada"]'],
  ['$.pets[-1].name', null],
  ['$.pets[0]', '{"name":"Rex","age":3}'],
  ['$.t', 'true'],
  ['$.none', null],
  ['$.nothing', null],
  ['$..nothing', '[]'],
  ['$.t[0]', null],
])('%s selects %s', (path, expected) => {
  expect(BodyPath.parse(path).textIn(BODY)).toBe(expected);
});

test('a path that is none is refused, and a body that is no JSON has nothing', () => {
  expect(() => BodyPath.parse('$.[')).toThrow(JsonPathError);
  expect(BodyPath.parse('$.a').textIn('{"a":')).toBe(null);
});

test('a path that would take too long selects nothing', () => {
  const deep = `${'['.repeat(300)}${']'.repeat(300)}`;
  expect(BodyPath.parse('$..*..*..*..*..*').textIn(deep)).toBe(null);
});
