import { describe, expect, test } from 'vitest';
import { JsonSchema } from './index.js';

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown;
const MODELS = 'https://apigateway.amazonaws.com/restapis/a1b2c3d4e5/models/';

describe('a value is held against every keyword of draft-04', () => {
  for (const [name, schema, valid, invalid] of [
    ['nothing said', {}, [1, 'a', null, [], {}], []],
    ['type', { type: 'string' }, ['a'], [1, null, [], {}, true]],
    ['type, several', { type: ['integer', 'null'] }, [1, null, 2.0], [1.5, '1']],
    ['type number takes integers', { type: 'number' }, [1, 1.5], ['1']],
    ['minimum', { minimum: 2 }, [2, 3, 'a'], [1.9]],
    ['exclusiveMinimum', { minimum: 2, exclusiveMinimum: true }, [2.1], [2]],
    ['maximum', { maximum: 2 }, [2, null], [2.1]],
    ['exclusiveMaximum', { maximum: 2, exclusiveMaximum: true }, [1.9], [2]],
    ['multipleOf', { multipleOf: 0.01 }, [0.07, 1.1, 19.99, 4.35, 1e300], [0.075, 1e-7]],
    ['multipleOf, whole', { multipleOf: 3 }, [9, -3, 0], [10, 1.5]],
    ['minLength counts characters', { minLength: 2 }, ['ab', '😀😀', 1], ['a', '😀']],
    ['maxLength counts characters', { maxLength: 2 }, ['ab', '😀😀'], ['abc', '😀😀😀']],
    ['pattern, anywhere in the text', { pattern: '\\d{2}' }, ['x12y', 5], ['x1y2']],
    [
      'enum',
      { enum: [1, 'a', { b: [1, 2] }, null] },
      [1, 'a', null, { b: [1, 2] }],
      [2, { b: [2, 1] }, { b: [1, 2], c: 1 }, '1'],
    ],
    ['items', { items: { type: 'integer' } }, [[1, 2], [], 'a'], [[1, 'a']]],
    ['items, one by one', { items: [{ type: 'integer' }, { type: 'string' }] }, [[1, 'a', null], [1]], [['a']]],
    ['additionalItems false', { items: [{}], additionalItems: false }, [[1], []], [[1, 2]]],
    ['additionalItems', { items: [{}], additionalItems: { type: 'null' } }, [[1, null]], [[1, 2]]],
    ['additionalItems beside one schema', { items: {}, additionalItems: false }, [[1, 2, 3]], []],
    ['additionalItems alone', { additionalItems: false }, [[1]], []],
    ['minItems, maxItems', { minItems: 1, maxItems: 2 }, [[1], [1, 2], {}], [[], [1, 2, 3]]],
    [
      'uniqueItems',
      { uniqueItems: true },
      [
        [1, '1', true, 'true', null, 'null'],
        [{ a: 1 }, { a: 2 }],
      ],
      [
        [1, 1.0],
        [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
        [[1], [1]],
      ],
    ],
    ['properties', { properties: { a: { type: 'integer' } } }, [{ a: 1, b: 'x' }, {}, 7], [{ a: 'x' }]],
    [
      'names of Object.prototype',
      { properties: { constructor: { type: 'integer' }, __proto__: {} } },
      [{}, { constructor: 1 }],
      [{ constructor: 'x' }],
    ],
    ['required is not inherited', { required: ['toString'] }, [{ toString: 1 }, []], [{}]],
    ['patternProperties', { patternProperties: { '^x-': { type: 'string' } } }, [{ 'x-a': 'b', y: 1 }], [{ 'x-a': 1 }]],
    [
      'additionalProperties false',
      { properties: { a: {} }, patternProperties: { '^b': {} }, additionalProperties: false },
      [{ a: 1, bb: 2 }],
      [{ c: 1 }],
    ],
    [
      'additionalProperties',
      { properties: { a: {} }, additionalProperties: { type: 'integer' } },
      [{ a: 'x', b: 1 }],
      [{ b: 'x' }],
    ],
    ['minProperties, maxProperties', { minProperties: 1, maxProperties: 1 }, [{ a: 1 }, []], [{}, { a: 1, b: 2 }]],
    ['dependencies on members', { dependencies: { a: ['b'] } }, [{}, { a: 1, b: 2 }, { b: 1 }], [{ a: 1 }]],
    ['dependencies on a schema', { dependencies: { a: { required: ['b'] } } }, [{ a: 1, b: 1 }, {}], [{ a: 1 }]],
    ['allOf', { allOf: [{ minimum: 1 }, { maximum: 2 }] }, [1, 2], [0, 3]],
    ['anyOf', { anyOf: [{ type: 'string' }, { minimum: 1 }] }, ['a', 1], [0]],
    ['oneOf', { oneOf: [{ minimum: 1 }, { maximum: 2 }] }, [0, 3], [1, 2]],
    ['not', { not: { type: 'string' } }, [1], ['a']],
    ['$ref into definitions', { definitions: { a: { type: 'integer' } }, items: { $ref: '#/definitions/a' } }, [[1]], [['x']]],
    [
      '$ref in a circle',
      { properties: { next: { $ref: '#' } }, additionalProperties: false },
      [{ next: { next: {} } }],
      [{ next: { other: 1 } }],
    ],
    [
      '$ref, and nothing beside it',
      { definitions: { a: {} }, properties: { p: { $ref: '#/definitions/a', type: 'string' } } },
      [{ p: 1 }],
      [],
    ],
    [
      '$ref with escapes',
      { definitions: { 'a/b~c %': { type: 'integer' } }, items: { $ref: '#/definitions/a~1b~0c%20%25' } },
      [[1]],
      [['x']],
    ],
    ['$ref to an id', { definitions: { a: { id: '#here', type: 'integer' } }, items: { $ref: '#here' } }, [[1]], [['x']]],
    [
      '$ref from within an id',
      { id: 'http://x.test/root.json', definitions: { a: { id: 'a.json', type: 'integer' } }, items: { $ref: 'a.json' } },
      [[1]],
      [['x']],
    ],
    [
      '$ref past ids that generators leave',
      { definitions: { a: { type: 'integer' } }, properties: { p: { id: '/properties/p', items: { $ref: '#/definitions/a' } } } },
      [{ p: [1] }],
      [{ p: ['x'] }],
    ],
    ['$ref is also a name', { properties: { $ref: { type: 'string' } } }, [{ $ref: 'a' }], [{ $ref: 1 }]],
    [
      '$ref to another model',
      { items: { $ref: `${MODELS}Pet` } },
      [[{ name: 'a', friends: [{ name: 'b' }] }]],
      [[{}], [{ name: 'a', friends: [{}] }]],
    ],
    ['$ref into another model', { items: { $ref: `${MODELS}Pet#/properties/name` } }, [['a']], [[1]]],
    [
      'format date-time',
      { format: 'date-time' },
      ['2024-02-29T23:59:59.5Z', '2024-01-01t00:00:00+01:00', '1998-12-31T23:59:60Z', 5],
      ['2023-02-29T00:00:00Z', '2024-01-01', '2024-01-01T24:00:00Z', '1998-12-31T23:58:60Z'],
    ],
    ['format email', { format: 'email' }, ['a.b+c@example.com'], ['a@', '@b', 'a b@c', 'a..b@c']],
    ['format hostname', { format: 'hostname' }, ['a.example', 'x1'], ['-a', 'a_b', 'a..b', 'x'.repeat(64)]],
    ['format ipv4', { format: 'ipv4' }, ['127.0.0.1'], ['1.2.3', '256.1.1.1']],
    ['format ipv6', { format: 'ipv6' }, ['::1', 'fe80::1'], ['1::2::3', 'fe80::1%eth0']],
    ['format uri', { format: 'uri' }, ['https://a.test/b?c#d', 'urn:x:y'], ['/a', 'a b:c', 'http://a/%zz']],
    ['format unknown', { format: 'int32' }, ['anything', 2 ** 40], []],
    ['keywords unknown', { example: 1, discriminator: 'x', readOnly: true }, [1], []],
  ] as const) {
    test(name, () => {
      const compiled = JsonSchema.compile(schema, { uri: `${MODELS}Other`, documents });
      for (const value of valid) {
        expect(compiled.isValid(value), JSON.stringify(value)).toBe(true);
        expect(compiled.problems(value)).toEqual([]);
      }
      for (const value of invalid) {
        expect(compiled.isValid(value), JSON.stringify(value)).toBe(false);
        expect(compiled.problems(value)).not.toEqual([]);
      }
    });
  }
});

const PET = {
  type: 'object',
  properties: { name: { type: 'string' }, friends: { items: { $ref: `${MODELS}Pet` } } },
  required: ['name'],
};
const documents = (uri: string): unknown => (uri === `${MODELS}Pet` ? PET : undefined);

describe('a schema that is none is refused, and the place is named', () => {
  for (const [schema, message] of [
    [true, '#: expected a schema'],
    [{ type: 'text' }, '#/type: expected a type or a list of types, each once'],
    [{ type: [] }, '#/type: expected a type or a list of types, each once'],
    [{ properties: { a: { minLength: -1 } } }, '#/properties/a/minLength: expected a whole number of 0 or more'],
    [{ items: { maxItems: 1.5 } }, '#/items/maxItems: expected a whole number of 0 or more'],
    [{ exclusiveMinimum: 3 }, '#/exclusiveMinimum: expected true or false'],
    [{ exclusiveMinimum: true }, '#/exclusiveMinimum: stands without minimum'],
    [{ minimum: '1' }, '#/minimum: expected a number'],
    [{ multipleOf: 0 }, '#/multipleOf: expected a number greater than 0'],
    [{ required: true }, '#/required: expected a list of at least one name, each once'],
    [{ required: [] }, '#/required: expected a list of at least one name, each once'],
    [{ required: ['a', 'a'] }, '#/required: expected a list of at least one name, each once'],
    [{ enum: [] }, '#/enum: expected a list of at least one value, each once'],
    [{ enum: [1, 1] }, '#/enum: expected a list of at least one value, each once'],
    [{ properties: { a: true } }, '#/properties/a: expected a schema'],
    [{ properties: [] }, '#/properties: expected an object'],
    [{ allOf: [] }, '#/allOf: expected a list of at least one schema'],
    [{ anyOf: [1] }, '#/anyOf/0: expected a schema'],
    [{ items: 'x' }, '#/items: expected a schema'],
    [{ items: [] }, '#/items: expected a list of at least one schema'],
    [{ dependencies: { a: [] } }, '#/dependencies/a: expected a list of at least one name, each once'],
    [{ uniqueItems: 1 }, '#/uniqueItems: expected true or false'],
    [{ definitions: { 'a/b': { type: 1 } } }, '#/definitions/a~1b/type: expected a type or a list of types, each once'],
    [{ pattern: '(' }, '#/pattern: invalid pattern: missing ), at character 1'],
    [{ pattern: '(?=a)' }, '#/pattern: invalid pattern: look-ahead is not supported, at character 2'],
    [{ patternProperties: { '[': {} } }, '#/patternProperties/[: invalid pattern: the pattern ends too early, at character 1'],
    [{ $ref: '#/definitions/none' }, '#: $ref "#/definitions/none" leads nowhere'],
    [{ items: { $ref: `${MODELS}None` } }, `#/items: $ref "${MODELS}None" leads nowhere`],
    [{ items: { $ref: 'file:///etc/passwd' } }, '#/items: $ref "file:///etc/passwd" leads nowhere'],
    [{ items: { $ref: 7 } }, '#/items/$ref: expected a string'],
    [{ $ref: '#' }, '#: $ref "#" leads back to itself'],
    [{ allOf: [{ $ref: '#' }] }, '#: a schema leads back to itself without going into the value'],
    [JSON.parse(`${'{"not":'.repeat(300)}{}${'}'.repeat(300)}`), '#: nested more than 200 deep'],
  ] as const) {
    test(message, () => {
      let problem: unknown;
      try {
        JsonSchema.compile(schema, { uri: `${MODELS}Other`, documents });
      } catch (error) {
        problem = error;
      }
      expect(problem).toMatchObject({ name: 'SchemaError', message });
    });
  }
});

test('messages say what is wrong, each in the form AWS writes it', () => {
  const schema = JsonSchema.compile({
    type: 'object',
    required: ['name', 'age'],
    properties: { age: { type: 'integer', minimum: 0 }, tag: { enum: ['a', 'b'] }, id: { type: ['string', 'null'] } },
    additionalProperties: false,
  });
  expect(schema.problems({ age: -1, tag: 'c', id: 5, more: 1 })).toEqual([
    'object has missing required properties (["name"])',
    'numeric instance is lower than the required minimum (minimum: 0, found: -1)',
    'instance value ("c") not found in enum (possible values: ["a","b"])',
    'instance type (integer) does not match any allowed primitive type (allowed: ["null","string"])',
    'object instance has properties which are not allowed by the schema: ["more"]',
  ]);
});

describe('one validation is bounded', () => {
  test('in depth', () => {
    const schema = JsonSchema.compile({ items: { $ref: '#' } });
    expect(schema.isValid(nested(900))).toBe(true);
    expect(schema.isValid(nested(100_000))).toBe(false);
    expect(schema.problems(nested(100_000))).toEqual(['nested more than 1000 deep']);
    expect(JsonSchema.compile({ uniqueItems: true }).isValid([nested(100_000), 1])).toBe(false);
    expect(JsonSchema.compile({ enum: [[[]]] }).isValid(nested(100_000))).toBe(false);
  });

  test('in depth, also through everything that takes frames of the stack', () => {
    const through = { allOf: [{ anyOf: [{ oneOf: [{ dependencies: { a: { $ref: '#/definitions/next' } } }] }] }] };
    const next = { additionalProperties: { $ref: '#' } };
    const schema = JsonSchema.compile({ ...through, definitions: { next } });
    for (const depth of [100, 190, 200, 10_000]) {
      const value = JSON.parse('{"a":'.repeat(depth) + '1' + '}'.repeat(depth)) as unknown;
      expect([schema.isValid(value), schema.problems(value).length], `${depth}`).toEqual(depth < 200 ? [true, 0] : [false, 1]);
    }
  });

  test('chains of references are as long as they like, but for those that ask about one value', () => {
    const chain = (link: (i: number) => object): object => ({
      $ref: '#/definitions/s0',
      definitions: Object.fromEntries(
        [...Array(20_000).keys()].map((i) => [`s${i}`, link(i)]).concat([['s20000', { type: 'string' }]]),
      ),
    });
    const to = (i: number): object => ({ $ref: `#/definitions/s${i + 1}` });
    expect(JsonSchema.compile(chain(to)).isValid('a')).toBe(true);
    const { definitions } = chain(to) as { definitions: object };
    expect(JsonSchema.compile({ definitions, items: to(0) }).isValid(['a'])).toBe(true);
    expect(JsonSchema.compile(chain((i) => ({ items: to(i) }))).isValid([[1]])).toBe(true);
    expect(() => JsonSchema.compile(chain((i) => ({ allOf: [to(i)] })))).toThrow('nested more than 1000 deep');
  });

  test('in work, where each level of the value doubles it', () => {
    const next = { properties: { a: { $ref: '#' } } };
    const schema = JsonSchema.compile({ anyOf: [{ not: next }, { not: next }, { type: 'string' }] });
    const value = JSON.parse('{"a":'.repeat(100) + '1' + '}'.repeat(100)) as unknown;
    expect(schema.isValid(value)).toBe(false);
    const explained = JsonSchema.compile({ allOf: [next, next] });
    expect(explained.problems(value)).toEqual(['more work than allowed']);
  });

  test('in what patterns cost', () => {
    const schema = JsonSchema.compile({ pattern: '(a|b)*a(a|b){600}c' });
    let bits = 1;
    const noise = Array.from({ length: 100_000 }, () => 'ab'[(bits = (bits * 48_271) % 2_147_483_647) % 2]).join('');
    expect(schema.problems(noise)).toEqual(['more work than allowed']);
    const patterns = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`a{3000}${i}`, {}]));
    expect(() => JsonSchema.compile({ patternProperties: patterns })).toThrow('all patterns together');
  });
});
