/**
 * Judging a text while it is read must never say yes to what `JSON.parse` and the rules refuse; where it is to spare them work, it must say
 * yes to what they take.
 */
import AjvDraft04 from 'ajv-draft-04';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonSchema } from './index.js';

const NAMES = ['a', 'b', 'ab', 'c', '__proto__', 'constructor', 'größe'];
const name = fc.constantFrom(...NAMES);
const plain = fc.oneof(
  fc.integer({ min: -3, max: 6 }),
  fc.constantFrom(0.5, -0, 1e21, 1.25, 16.990000000000002, null, true, false, '', 'a', 'ab', 'abc', '😀', 'ü', 'a"\\\n\u2028'),
);
const blank = fc.constantFrom('', '', '', ' ', '\n\t', '\r ');
/** Texts, and not values: names come twice, numbers and strings are written in several ways. */
const text: fc.Arbitrary<string> = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    plain.map((value) => JSON.stringify(value)),
    fc.constantFrom('1.0', '-0', '1e1', '10E-1', '0.30000000000000004', '12345678901234567', '"\\u0061"', '"\\ud83d"', '"\\/"'),
    fc
      .tuple(blank, fc.array(tie('text'), { maxLength: 3 }))
      .map(([gap, items]) => `[${gap}${items.join(`${gap},${gap}`)}${gap}]`),
    fc
      .tuple(blank, fc.array(fc.tuple(name, tie('text')), { maxLength: 4 }))
      .map(
        ([gap, members]) =>
          `${gap}{${gap}${members.map(([key, value]) => `${JSON.stringify(key)}${gap}:${gap}${value}`).join(`${gap},`)}}${gap}`,
      ),
  ),
})).text;

const count = fc.integer({ min: 0, max: 3 });
const pattern = fc.constantFrom('^a', 'b$', '[a-c]{2}', '^.?$', 'a|1', '\\bab\\b');
const TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'];

type Schema = Record<string, unknown>;
const schema: fc.Arbitrary<Schema> = fc.letrec<{ schema: Schema }>((tie) => {
  const child = tie('schema');
  const keywords: Record<string, fc.Arbitrary<unknown>> = {
    type: fc.oneof(fc.constantFrom(...TYPES), fc.uniqueArray(fc.constantFrom(...TYPES), { minLength: 1, maxLength: 4 })),
    enum: fc.uniqueArray(fc.constantFrom('a', 'ab', 'ü', '', '😀'), { minLength: 1, maxLength: 4 }),
    minimum: fc.integer({ min: -3, max: 3 }),
    maximum: fc.integer({ min: 0, max: 5 }),
    minLength: count,
    maxLength: count,
    pattern,
    items: child,
    minItems: count,
    maxItems: count,
    properties: fc.array(fc.tuple(name, child), { maxLength: 3 }).map(Object.fromEntries),
    additionalProperties: fc.oneof(fc.boolean(), child),
    required: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
    // Not judged from the text.
    not: child,
    uniqueItems: fc.boolean(),
    format: fc.constantFrom('ipv4', 'int32'),
    minProperties: count,
    patternProperties: fc.array(fc.tuple(pattern, child), { maxLength: 1 }).map(Object.fromEntries),
  };
  const keyword = fc
    .constantFrom(...Object.keys(keywords))
    .chain((key) => keywords[key]!.map((setting) => [key, setting] as const));
  return {
    schema: fc
      .array(keyword, { maxLength: 4, depthIdentifier: 'schema', size: 'small' })
      .map((entries) => Object.fromEntries(entries) as Schema),
  };
}).schema;

const fromText = (json: string): unknown => JSON.parse(json);

test('says yes to nothing that ajv refuses, and to nearly all that it takes', () => {
  const ajv = new AjvDraft04.default({ strict: false, validateSchema: false, ownProperties: true, logger: false });
  let surelyCount = 0;
  let validCount = 0;
  fc.assert(
    fc.property(schema, fc.array(text, { minLength: 12, maxLength: 12 }), (made, texts) => {
      const oracle = ajv.compile(made);
      const ours = JsonSchema.compile(fromText(JSON.stringify(made)));
      for (const each of texts) {
        const isSure = ours.isSurelyValid(Buffer.from(each));
        const isValid = oracle(fromText(each)) as boolean;
        if (isSure) expect(isValid, `${JSON.stringify(made)} takes ${each}`).toBe(true);
        if (isSure) surelyCount++;
        if (isValid) validCount++;
      }
      ajv.removeSchema(made);
    }),
    { seed: 4, numRuns: 500 },
  );
  expect(surelyCount / validCount).toBeGreaterThan(0.85);
});

test('says yes to no text that is not JSON', () => {
  const anything = JsonSchema.compile({ properties: { a: { type: ['string', 'object', 'array'] } } });
  const broken = fc
    .tuple(
      text,
      fc.nat(),
      fc.constantFrom('', '"', '\\', '{', ']', ',', ':', '0', '.', 'e', '-', 'x', '\u0001', '\u00a0', '\ufeff'),
    )
    .map(([whole, place, by]) => {
      const at = place % (whole.length + 1);
      return whole.slice(0, at) + by + whole.slice(at + (place % 2));
    });
  fc.assert(
    fc.property(fc.oneof(broken, fc.string(), text), (each) => {
      if (!anything.isSurelyValid(Buffer.from(each))) return;
      expect(() => fromText(each), each).not.toThrow();
    }),
    { seed: 4, numRuns: 5_000 },
  );
});

describe('what bodies have in them is judged without making values', () => {
  const model = JsonSchema.compile({
    type: 'object',
    required: ['id', 'tags'],
    properties: {
      id: { type: 'integer', minimum: 1, maximum: 9_007_199_254_740_991 },
      price: { type: 'number', minimum: 0.3, exclusiveMinimum: true },
      name: { type: 'string', minLength: 1, maxLength: 4, pattern: '^[a-zü]+$' },
      tags: { type: 'array', minItems: 1, items: { enum: ['toy', 'dog'] } },
    },
    additionalProperties: { type: ['null', 'object'] },
  });
  for (const [isSure, body] of [
    [true, '{"id":7,"tags":["toy"]}'],
    [true, ' { "tags" : [ "toy" , "dog" ] , "id" : 7 }\n'],
    [true, '{"name":"abc","id":9007199254740991,"tags":["dog"],"more":{"a":[1,{"b":"\\u00e9"}]},"none":null}'],
    [true, '{"id":7.0,"tags":["toy"],"price":0.30000000000000004}'],
    [true, '{"id":7e0,"tags":["toy"],"price":1e400}'],
    [true, '{"id":7,"tags":["t\\u006fy"],"name":"üüü"}'],
    [true, '{"id":1,"id":2,"tags":["toy"]}'],
    [false, '{"id":0,"id":2,"tags":["toy"]}'],
    [false, '{"id":7,"tags":["toy"],"price":0.3}'],
    [false, '{"id":7.5,"tags":["toy"]}'],
    [false, '{"id":7,"tags":[]}'],
    [false, '{"id":7}'],
    [false, '{"id":7,"tags":["cat"]}'],
    [false, '{"id":7,"tags":["toy"],"name":"abcde"}'],
    [false, '{"id":7,"tags":["toy"],"name":"ABC"}'],
    [false, '{"id":7,"tags":["toy"],"more":1}'],
    [false, '{"id":07,"tags":["toy"]}'],
    [false, '{"id":7,"tags":["toy",]}'],
    [false, '{"id":7,"tags":["toy"]}}'],
    [false, '{"id":7,"tags":["toy"]'],
    [false, '[]'],
    [false, ''],
  ] as const)
    test(`${isSure ? 'valid' : 'not surely valid'}: ${body}`, () => expect(model.isSurelyValid(Buffer.from(body))).toBe(isSure));
});

/** The values it makes for keywords that it does not know would cost more than `JSON.parse` of the whole. */
test('gives up on a body of many values under keywords that it does not know', () => {
  const model = JsonSchema.compile({ items: { format: 'ipv4' } });
  const body = (length: number): Buffer => Buffer.from(JSON.stringify(Array.from({ length }, () => '10.0.0.1')));
  expect(model.isSurelyValid(body(1_000))).toBe(true);
  expect(model.isSurelyValid(body(1_001))).toBe(false);
});

test('nesting is left to those who count it exactly', () => {
  const model = JsonSchema.compile({ type: 'array' });
  const nested = (depth: number): Buffer => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  expect(model.isSurelyValid(nested(200))).toBe(true);
  expect(model.isSurelyValid(nested(100_000))).toBe(false);
});

test('a name that is required and that nothing may stand under makes every object invalid', () => {
  const model = JsonSchema.compile({ required: ['a'], additionalProperties: false });
  expect(model.isSurelyValid(Buffer.from('{"a":1}'))).toBe(false);
});

test('a name that JSON writes with an escape is not taken for the same bytes without one', () => {
  for (const [name, body] of [
    ['c\\', '{"c\\":2}'],
    ['a":1,"b', '{"a":1,"b":"x"}'],
  ] as const) {
    const model = JsonSchema.compile({ properties: { [name]: { type: 'number' } }, additionalProperties: { type: 'number' } });
    expect(model.isSurelyValid(Buffer.from(body)), body).toBe(false);
  }
});

test('bytes that are no UTF-8 are not taken for a name they only look like when they are read', () => {
  const model = JsonSchema.compile({ properties: { '\ufffd': { type: 'string' } } });
  expect(model.isSurelyValid(Buffer.from('{"\xff":1}', 'latin1'))).toBe(false);
});

test('depth is counted through values that are made, as it is where all are', () => {
  const around = 80;
  /** Each level of a value is nine of the schema. */
  const costly = { additionalProperties: { $ref: '#/definitions/level8' } };
  const levels = Object.fromEntries(
    Array.from({ length: 9 }, (_, level) => [
      `level${level}`,
      { allOf: [{ $ref: level === 0 ? '#/definitions/costly' : `#/definitions/level${level - 1}` }] },
    ]),
  );
  const plain = { properties: { plain: { $ref: '#' }, made: { $ref: '#/definitions/level8' } } };
  const schema = JsonSchema.compile({ ...plain, definitions: { costly, ...levels } });
  const verdicts = new Set<boolean>();
  for (let depth = 80; depth < 115; depth++) {
    const body = `${'{"plain":'.repeat(around)}{"made":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}${'}'.repeat(around)}`;
    const isValid = schema.isValid(fromText(body));
    expect(schema.isSurelyValid(Buffer.from(body)) && !isValid, `${depth} levels`).toBe(false);
    verdicts.add(isValid);
  }
  expect([...verdicts], 'some are too deep').toEqual([true, false]);
});
