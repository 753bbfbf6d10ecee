/**
 * OpenAPI's schemas in draft-04, which is what models are of. OpenAPI 3.1 is a later draft, and writers of all versions are sloppy in a few ways
 * that mean something all the same:
 *
 *   exclusiveMinimum: 5             minimum: 5, exclusiveMinimum: true       (and maximum)
 *   const: x                        enum: [x]
 *   true, false for a schema        {}, {not: {}}
 *   required: []                    nothing                                  draft-04 wants at least one name
 *   required: true                  nothing                                  draft-03, beside the property
 *   $defs                           definitions
 *
 * What is draft-04 already comes out as it is.
 */
import { asObject, type JsonObject } from './json.js';

const SCHEMAS = ['additionalItems', 'additionalProperties', 'not', 'items'];
const LISTS = ['allOf', 'anyOf', 'oneOf', 'items'];
const MAPS = ['definitions', '$defs', 'dependencies', 'patternProperties', 'properties'];
/** Where draft-04 has flags, too. */
const FLAGS = ['additionalItems', 'additionalProperties'];

export function toDraft4(schema: unknown): unknown {
  if (schema === true) return {};
  if (schema === false) return { not: {} };
  const object = asObject(schema);
  return object === null
    ? schema
    : Object.fromEntries(Object.entries(object).flatMap(([name, value]) => entriesFor(name, value, object)));
}

function entriesFor(name: string, value: unknown, schema: JsonObject): [string, unknown][] {
  switch (name) {
    case 'required':
      return typeof value === 'boolean' || (Array.isArray(value) && value.length === 0) ? [] : [[name, value]];
    case 'const':
      return Object.hasOwn(schema, 'enum') ? [] : [['enum', [value]]];
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return typeof value === 'number' ? exclusive(name, value, schema) : [[name, value]];
    case 'minimum':
      return isTighter(value, schema['exclusiveMinimum'], 1) ? [] : [[name, value]];
    case 'maximum':
      return isTighter(value, schema['exclusiveMaximum'], -1) ? [] : [[name, value]];
    default:
      return [[name === '$defs' ? 'definitions' : name, inner(name, value)]];
  }
}

/** Draft-04 has one bound: of two, the tighter one stays. */
function exclusive(name: 'exclusiveMinimum' | 'exclusiveMaximum', bound: number, schema: JsonObject): [string, unknown][] {
  const plain = name === 'exclusiveMinimum' ? 'minimum' : 'maximum';
  const other = schema[plain];
  const sign = plain === 'minimum' ? 1 : -1;
  if (typeof other === 'number' && !isTighter(other, bound, sign)) return [];
  return [
    [plain, bound],
    [name, true],
  ];
}

/** Whether a numeric exclusive bound says more than the plain one. */
function isTighter(plain: unknown, exclusiveBound: unknown, sign: 1 | -1): boolean {
  return typeof plain === 'number' && typeof exclusiveBound === 'number' && sign * exclusiveBound >= sign * plain;
}

function inner(name: string, value: unknown): unknown {
  if (Array.isArray(value)) return LISTS.includes(name) ? value.map(toDraft4) : value;
  if (MAPS.includes(name)) {
    const map = asObject(value);
    const change = (entry: unknown): unknown => (Array.isArray(entry) ? entry : toDraft4(entry));
    return map === null ? value : Object.fromEntries(Object.entries(map).map(([key, entry]) => [key, change(entry)]));
  }
  if (!SCHEMAS.includes(name) || (FLAGS.includes(name) && typeof value === 'boolean')) return value;
  return toDraft4(value);
}
