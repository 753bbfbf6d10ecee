/** Generated schemas and values, and what ajv says of them. */
import AjvDraft04 from 'ajv-draft-04';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonSchema } from './index.js';

const NAMES = ['a', 'b', 'ab', 'c', '__proto__', 'constructor'];
const name = fc.constantFrom(...NAMES);
const plain = fc.oneof(
  fc.integer({ min: -3, max: 6 }),
  fc.constantFrom(0.5, 1.5, null, true, false, '', 'a', 'ab', 'abc', '1', '😀'),
);
const value: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    plain,
    fc.array(tie('value'), { maxLength: 3 }),
    // Through text: only JSON.parse makes an own member `__proto__`.
    fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map(objectOf),
  ),
})).value;

function objectOf(entries: readonly (readonly [string, unknown])[]): unknown {
  const members = new Map(entries.map(([key, member]) => [key, JSON.stringify(member)]));
  return JSON.parse(`{${[...members].map(([key, member]) => `${JSON.stringify(key)}:${member}`).join()}}`);
}

const count = fc.integer({ min: 0, max: 3 });
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 3 });
const pattern = fc.constantFrom('^a', 'b$', '[a-c]{2}', '^.?$', 'a|1');
const TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'];

type Schema = Record<string, unknown>;
const schema: fc.Arbitrary<Schema> = fc.letrec<{ schema: Schema }>((tie) => {
  const child = tie('schema');
  const children = fc.array(child, { minLength: 1, maxLength: 2 });
  const members = fc
    .array(fc.tuple(fc.constantFrom('a', 'b', 'ab', 'c', 'constructor'), child), { maxLength: 3 })
    .map(Object.fromEntries);
  const flagOrChild = fc.oneof(fc.boolean(), child);
  const keywords: Record<string, fc.Arbitrary<unknown>> = {
    type: fc.oneof(fc.constantFrom(...TYPES), fc.uniqueArray(fc.constantFrom(...TYPES), { minLength: 1, maxLength: 4 })),
    enum: fc.uniqueArray(value, {
      minLength: 1,
      maxLength: 4,
      selector: (item) => JSON.stringify(item),
      comparator: 'IsStrictlyEqual',
    }),
    minimum: fc.integer({ min: -3, max: 3 }),
    maximum: fc.integer({ min: 0, max: 5 }),
    multipleOf: fc.constantFrom(1, 2, 0.5, 3),
    minLength: count,
    maxLength: count,
    pattern,
    items: fc.oneof(child, children),
    additionalItems: flagOrChild,
    minItems: count,
    maxItems: count,
    uniqueItems: fc.boolean(),
    properties: members,
    patternProperties: fc.array(fc.tuple(pattern, child), { maxLength: 2 }).map(Object.fromEntries),
    additionalProperties: flagOrChild,
    required: names,
    minProperties: count,
    maxProperties: count,
    dependencies: fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.oneof(child, names)), { maxLength: 2 }).map(Object.fromEntries),
    allOf: children,
    anyOf: children,
    oneOf: children,
    not: child,
    // Alone: ajv obeys what stands beside it, draft-04 does not.
    $ref: fc.constantFrom('#/definitions/x', '#/definitions/y'),
  };
  const keyword = fc
    .constantFrom(...Object.keys(keywords))
    .chain((key) => keywords[key]!.map((setting) => [key, setting] as const));
  return {
    schema: fc.array(keyword, { maxLength: 4, depthIdentifier: 'schema', size: 'small' }).map((entries) => {
      const made: Schema = Object.fromEntries(entries);
      if ('$ref' in made) return { $ref: made['$ref'] };
      if ('minimum' in made && made['minimum'] === 2) made['exclusiveMinimum'] = true;
      if ('maximum' in made && made['maximum'] === 3) made['exclusiveMaximum'] = true;
      return made;
    }),
  };
}).schema;

const SHARED = {
  x: { type: ['integer', 'object'], properties: { a: { $ref: '#/definitions/y' } } },
  y: { type: 'string', minLength: 1 },
};

test('agrees with ajv on which values are valid', () => {
  const ajv = new AjvDraft04.default({ strict: false, validateSchema: false, ownProperties: true, logger: false });
  let validCount = 0;
  let totalCount = 0;
  fc.assert(
    fc.property(schema, fc.array(value, { minLength: 12, maxLength: 12 }), (made, values) => {
      const root = '$ref' in made ? { allOf: [made], definitions: SHARED } : { ...made, definitions: SHARED };
      const oracle = ajv.compile(root);
      const ours = JsonSchema.compile(JSON.parse(JSON.stringify(root)));
      for (const each of values) {
        const isValid = ours.isValid(each);
        expect(isValid, JSON.stringify(each)).toBe(oracle(each));
        expect(ours.problems(each).length === 0).toBe(isValid);
        totalCount++;
        if (isValid) validCount++;
      }
      ajv.removeSchema(root);
    }),
    { seed: 4, numRuns: 200 },
  );
  // Otherwise the agreement would say little.
  expect(validCount / totalCount).toBeGreaterThan(0.15);
  expect(validCount / totalCount).toBeLessThan(0.85);
});

/** Keywords with settings of the wrong form too; what ajv's meta-schema takes, we take, and nothing else. */
test('agrees with ajv on what is a schema', () => {
  const setting = fc.oneof(value, names, schema, fc.array(schema, { maxLength: 2 }));
  const keyword = fc.constantFrom(
    'type',
    'enum',
    'minimum',
    'exclusiveMaximum',
    'multipleOf',
    'minLength',
    'maxItems',
    'uniqueItems',
    'items',
    'additionalItems',
    'properties',
    'additionalProperties',
    'required',
    'minProperties',
    'dependencies',
    'allOf',
    'oneOf',
    'not',
    'definitions',
    'title',
  );
  const ajv = new AjvDraft04.default({ strict: false, logger: false });
  fc.assert(
    fc.property(keyword, setting, (key, given) => {
      const made = { definitions: SHARED, ...(objectOf([[key, given]]) as Schema) };
      if (JSON.stringify(made).includes('$ref')) return;
      let isOurs = true;
      try {
        JsonSchema.compile(made);
      } catch {
        isOurs = false;
      }
      expect(isOurs, JSON.stringify(made)).toBe(ajv.validateSchema(made));
    }),
    { seed: 4, numRuns: 1_000 },
  );
});
