/**
 * From a draft-04 schema to closures. One pass both compiles and judges the schema itself: each keyword says what form its value must
 * have (the draft's meta-schema), whether or not anything refers to the place. What is no keyword is ignored, as the draft has it.
 */
import { Regex, RegexError } from '../regex/index.js';
import { canonicalText } from './json-equality.js';
import { escaped, isObject, References, type Place } from './references.js';
import { ANY_TYPE, DEPTH_MAX, Subschema, TYPES, type JsonObject, type Rule, type SimpleKeywords } from './rule.js';
import { SchemaError } from './schema-error.js';
import { arrayRules, itemsRule } from './array-keywords.js';
import { combinationRules, enumRule } from './general-keywords.js';
import { numberRules } from './number-keywords.js';
import { dependenciesRule, objectRules, propertiesRule, type PatternSchema } from './object-keywords.js';
import { simpleKeywords } from './simple-keywords.js';
import { formatRule, patternRule, stringRules } from './string-keywords.js';

/** Of one pattern. */
const PATTERN_LIMITS = { charsMax: 8_000, stepsMax: 4_000 };
/** Of all patterns of a schema and what it refers to. */
const PATTERN_STEPS_MAX = 100_000;

export class SchemaCompiler {
  readonly #compiled = new Map<object, Subschema>();
  /** Of schemas that are references. */
  readonly #targets = new Map<object, Place>();
  readonly #pending: [Subschema, SchemaReader][] = [];
  readonly #patterns = new Map<string, Regex>();
  #patternSteps = 0;

  constructor(private readonly references: References) {}

  /** Throws SchemaError. */
  compile(place: Place): Subschema {
    const root = this.#schema(place);
    // One after the other and not one within the other: chains of references may be long.
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) this.#fill(...next);
    checkEnds(this.#compiled);
    return root;
  }

  /** To be filled. */
  #schema(place: Place): Subschema {
    const { schema, pointer } = this.#target(place);
    if (!isObject(schema)) throw new SchemaError(pointer, 'expected a schema');
    const known = this.#compiled.get(schema);
    if (known !== undefined) return known;
    const compiled = new Subschema();
    this.#compiled.set(schema, compiled);
    this.#pending.push([compiled, new SchemaReader(schema, pointer)]);
    return compiled;
  }

  /** Follows `$ref`s, beside which nothing else counts. Each is followed once, however many lead to it. */
  #target(place: Place): Place {
    let { schema, pointer } = place;
    const passed = new Set<object>();
    while (isObject(schema) && Object.hasOwn(schema, '$ref')) {
      const known = this.#targets.get(schema);
      if (known !== undefined) {
        ({ schema, pointer } = known);
        break;
      }
      const reference = schema['$ref'];
      if (typeof reference !== 'string') throw new SchemaError(`${pointer}/$ref`, 'expected a string');
      if (passed.has(schema)) throw new SchemaError(pointer, `$ref "${reference}" leads back to itself`);
      passed.add(schema);
      ({ schema, pointer } = this.references.resolve(reference, schema, pointer));
    }
    const target = { schema, pointer };
    for (const reference of passed) this.#targets.set(reference, target);
    return target;
  }

  #fill(compiled: Subschema, reader: SchemaReader): void {
    for (const name of ['$schema', 'id', 'title', 'description']) reader.text(name);
    this.#types(compiled, reader);
    compiled.strings = this.#strings(reader);
    compiled.numbers = numberRules({
      minimum: reader.number('minimum'),
      maximum: reader.number('maximum'),
      isMinimumExclusive: reader.exclusive('exclusiveMinimum', 'minimum'),
      isMaximumExclusive: reader.exclusive('exclusiveMaximum', 'maximum'),
      multipleOf: reader.positive('multipleOf'),
    });
    compiled.arrays = this.#arrays(reader);
    const sameValue: Subschema[] = [];
    compiled.objects = this.#objects(reader, sameValue);
    compiled.anything = this.#anything(reader, sameValue);
    compiled.sameValue = sameValue;
    this.#map(reader, 'definitions');
    compiled.simple = this.#simple(reader);
  }

  /** All keywords were read before, so what is asked for here is there, and compiled. */
  #simple(reader: SchemaReader): SimpleKeywords | null {
    const { schema } = reader;
    const { items } = schema;
    const format = reader.text('format');
    const pattern = reader.text('pattern');
    return simpleKeywords({
      schema,
      hasFormat: format !== null && formatRule(format) !== null,
      minLength: reader.count('minLength'),
      maxLength: reader.count('maxLength'),
      pattern: pattern === null ? null : this.#pattern(pattern, reader.pointer),
      values: reader.enumeration(),
      minimum: reader.number('minimum'),
      maximum: reader.number('maximum'),
      isMinimumExclusive: reader.exclusive('exclusiveMinimum', 'minimum'),
      isMaximumExclusive: reader.exclusive('exclusiveMaximum', 'maximum'),
      minItems: reader.count('minItems'),
      maxItems: reader.count('maxItems'),
      isUnique: reader.flag('uniqueItems') ?? false,
      items: items === undefined || Array.isArray(items) ? null : this.#schema(reader.child('items')),
      required: reader.names('required') ?? [],
      properties: this.#map(reader, 'properties'),
      additional: this.#schemaOrFlag(reader, 'additionalProperties'),
    });
  }

  #types(compiled: Subschema, reader: SchemaReader): void {
    const names = reader.types();
    if (names === null) return;
    compiled.typeNames = names;
    compiled.types = names.reduce((bits, name) => bits | TYPES.get(name)!, 0) & ANY_TYPE;
  }

  #strings(reader: SchemaReader): Rule<string>[] {
    const rules = stringRules(reader.count('minLength'), reader.count('maxLength'));
    const pattern = reader.text('pattern');
    if (pattern !== null) rules.push(patternRule(pattern, this.#pattern(pattern, `${reader.pointer}/pattern`)));
    const format = reader.text('format');
    const formats = format === null ? null : formatRule(format);
    if (formats !== null) rules.push(formats);
    return rules;
  }

  #arrays(reader: SchemaReader): Rule<readonly unknown[]>[] {
    const rules = arrayRules(reader.count('minItems'), reader.count('maxItems'), reader.flag('uniqueItems') ?? false);
    const additional = this.#schemaOrFlag(reader, 'additionalItems');
    const { items } = reader.schema;
    if (items === undefined) return rules;
    const compiled = Array.isArray(items)
      ? itemsRule(this.#list(reader, 'items'), additional)
      : itemsRule([], this.#schema(reader.child('items')));
    return compiled === null ? rules : [...rules, compiled];
  }

  #objects(reader: SchemaReader, sameValue: Subschema[]): Rule<JsonObject>[] {
    const rules = objectRules(reader.names('required'), reader.count('minProperties'), reader.count('maxProperties'));
    const properties = this.#map(reader, 'properties');
    const patterns = [...this.#map(reader, 'patternProperties')].map(([pattern, schema]): PatternSchema => {
      return { regex: this.#pattern(pattern, `${reader.pointer}/patternProperties/${escaped(pattern)}`), schema };
    });
    const members = propertiesRule(properties, patterns, this.#schemaOrFlag(reader, 'additionalProperties'));
    if (members !== null) rules.push(members);
    const dependencies = this.#dependencies(reader);
    if (dependencies.size > 0) rules.push(dependenciesRule(dependencies));
    for (const dependency of dependencies.values()) if (dependency instanceof Subschema) sameValue.push(dependency);
    return rules;
  }

  #dependencies(reader: SchemaReader): Map<string, Subschema | readonly string[]> {
    const dependencies = reader.object('dependencies') ?? {};
    const at = reader.at('dependencies');
    return new Map(
      Object.entries(dependencies).map(([name, dependency]) => [
        name,
        Array.isArray(dependency)
          ? new SchemaReader(dependencies, at).names(name)!
          : this.#schema({ schema: dependency, pointer: `${at}/${escaped(name)}` }),
      ]),
    );
  }

  #anything(reader: SchemaReader, sameValue: Subschema[]): Rule[] {
    const values = reader.enumeration();
    const not = reader.schema['not'] === undefined ? null : this.#schema(reader.child('not'));
    const [allOf, anyOf, oneOf] = ['allOf', 'anyOf', 'oneOf'].map((name) =>
      reader.schema[name] === undefined ? null : this.#list(reader, name),
    );
    sameValue.push(...(allOf ?? []), ...(anyOf ?? []), ...(oneOf ?? []), ...(not === null ? [] : [not]));
    const combinations = combinationRules({ allOf: allOf!, anyOf: anyOf!, oneOf: oneOf!, not });
    return values === null ? combinations : [enumRule(values), ...combinations];
  }

  #map(reader: SchemaReader, name: string): Map<string, Subschema> {
    const entries = Object.entries(reader.object(name) ?? {});
    return new Map(
      entries.map(([key, schema]) => [key, this.#schema({ schema, pointer: `${reader.at(name)}/${escaped(key)}` })]),
    );
  }

  #list(reader: SchemaReader, name: string): Subschema[] {
    return reader.list(name).map((schema, i) => this.#schema({ schema, pointer: `${reader.at(name)}/${i}` }));
  }

  /** `true` and absence are the same: whatever is additional may be there. */
  #schemaOrFlag(reader: SchemaReader, name: string): Subschema | false | null {
    const value = reader.schema[name];
    if (value === undefined || value === true) return null;
    return value === false ? false : this.#schema(reader.child(name));
  }

  #pattern(text: string, pointer: string): Regex {
    const known = this.#patterns.get(text);
    if (known !== undefined) return known;
    try {
      const regex = Regex.search(text, 'ecma', PATTERN_LIMITS);
      this.#patternSteps += regex.size;
      if (this.#patternSteps > PATTERN_STEPS_MAX)
        throw new SchemaError(pointer, `all patterns together unfold to more than ${PATTERN_STEPS_MAX} steps`);
      this.#patterns.set(text, regex);
      return regex;
    } catch (error) {
      if (error instanceof RegexError) throw new SchemaError(pointer, `invalid pattern: ${error.message}`);
      throw error;
    }
  }
}

/** Members of one schema, each in the form the draft's meta-schema gives it. */
class SchemaReader {
  constructor(
    readonly schema: JsonObject,
    readonly pointer: string,
  ) {}

  at(name: string): string {
    return `${this.pointer}/${escaped(name)}`;
  }

  child(name: string): Place {
    return { schema: this.schema[name], pointer: this.at(name) };
  }

  text(name: string): string | null {
    return this.#read(name, 'a string', (value) => typeof value === 'string');
  }

  number(name: string): number | null {
    return this.#read(name, 'a number', (value) => typeof value === 'number');
  }

  positive(name: string): number | null {
    return this.#read(name, 'a number greater than 0', (value) => typeof value === 'number' && value > 0);
  }

  count(name: string): number | null {
    return this.#read(name, 'a whole number of 0 or more', (value) => Number.isInteger(value) && (value as number) >= 0);
  }

  flag(name: string): boolean | null {
    return this.#read(name, 'true or false', (value) => typeof value === 'boolean');
  }

  exclusive(name: string, bound: string): boolean {
    const value = this.flag(name);
    if (value !== null && this.schema[bound] === undefined) throw new SchemaError(this.at(name), `stands without ${bound}`);
    return value ?? false;
  }

  object(name: string): JsonObject | null {
    return this.#read(name, 'an object', isObject);
  }

  list(name: string): readonly unknown[] {
    return this.#read(name, 'a list of at least one schema', (value) => Array.isArray(value) && value.length > 0)!;
  }

  names(name: string): readonly string[] | null {
    return this.#read(name, 'a list of at least one name, each once', isNameList);
  }

  types(): readonly string[] | null {
    const value = this.#read<unknown>('type', 'a type or a list of types, each once', (type) =>
      typeof type === 'string' ? TYPES.has(type) : isNameList(type) && type.every((name) => TYPES.has(name)),
    );
    return value === null ? null : typeof value === 'string' ? [value] : (value as readonly string[]);
  }

  enumeration(): readonly unknown[] | null {
    return this.#read('enum', 'a list of at least one value, each once', (value) => {
      return Array.isArray(value) && value.length > 0 && new Set(value.map((item) => canonicalText(item))).size === value.length;
    });
  }

  #read<T>(name: string, expected: string, holds: (value: unknown) => boolean): T | null {
    if (!Object.hasOwn(this.schema, name)) return null;
    const value = this.schema[name];
    if (!holds(value)) throw new SchemaError(this.at(name), `expected ${expected}`);
    return value as T;
  }
}

function isNameList(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every((name) => typeof name === 'string') && new Set(value).size === value.length;
}

/** A schema that holds the same value against itself would never answer. */
function checkEnds(compiled: ReadonlyMap<object, Subschema>): void {
  const ended = new Set<Subschema>();
  const open = new Set<Subschema>();
  const visit = (schema: Subschema): void => {
    if (ended.has(schema)) return;
    if (open.has(schema)) throw new SchemaError('#', 'a schema leads back to itself without going into the value');
    if (open.size >= DEPTH_MAX) throw new SchemaError('#', `allOf and its like are nested more than ${DEPTH_MAX} deep`);
    open.add(schema);
    schema.sameValue.forEach(visit);
    open.delete(schema);
    ended.add(schema);
  };
  for (const schema of compiled.values()) visit(schema);
}
