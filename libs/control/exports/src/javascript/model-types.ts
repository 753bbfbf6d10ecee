/**
 * Models as TypeScript: draft-04 schemas to types. A schema may be anything a tenant wrote, so what has no type here is `unknown`,
 * and no text of it stands outside a quoted string.
 */
import type { Model } from '@gatehouse/domain';

type Schema = Readonly<Record<string, unknown>>;

/** Deeper than this, or larger, a type is `unknown`: the compiler has limits too, and references within a schema multiply. */
const DEPTH_MAX = 20;
const PARTS_MAX = 2_000;

/** The name of a model's type. Models are alphanumeric; the ending keeps them from being words of the language. */
export function typeName(model: string): string {
  return `${/^\d/.test(model) ? '_' : ''}${model}Model`;
}

/** A declaration per model, by name. */
export function modelDeclarations(models: readonly Model[]): string {
  const schemas = new Map(models.map((model) => [model.id, JSON.parse(model.schema) as unknown]));
  const circular = leadingInCircles(new Map(models.map((model) => [model.id, directReferences(schemas.get(model.id), model)])));
  return [...models]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((model) => {
      // A type that is only another name of itself is none.
      const text = circular.has(model.id) ? 'unknown' : new ModelTypes(model, schemas.get(model.id), schemas).text();
      return `export type ${typeName(model.id)} = ${text};\n`;
    })
    .join('');
}

/** Those from which one comes into a circle. Takes away, again and again, what leads to nothing that is left. */
function leadingInCircles(references: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const left = new Map(
    [...references].map(([name, targets]) => [name, new Set(targets.filter((target) => references.has(target)))]),
  );
  const referring = new Map<string, string[]>([...left.keys()].map((name) => [name, []]));
  for (const [name, targets] of left) for (const target of targets) referring.get(target)!.push(name);
  const free = [...left].flatMap(([name, targets]) => (targets.size === 0 ? [name] : []));
  for (let name = free.pop(); name !== undefined; name = free.pop()) {
    left.delete(name);
    for (const source of referring.get(name)!) {
      const targets = left.get(source)!;
      targets.delete(name);
      if (targets.size === 0) free.push(source);
    }
  }
  return new Set(left.keys());
}

/** The models that a schema is, or is one of, without a member between. */
function directReferences(schema: unknown, model: Model, depth = 0): string[] {
  if (!isSchema(schema) || depth > DEPTH_MAX) return [];
  const reference = schema['$ref'];
  if (reference === '#') return [model.id];
  if (typeof reference === 'string') return [modelOfReference(reference, model)].filter((name) => name !== null);
  return ['oneOf', 'anyOf', 'allOf'].flatMap((keyword) => {
    const schemas = schema[keyword];
    return Array.isArray(schemas) ? schemas.flatMap((each) => directReferences(each, model, depth + 1)) : [];
  });
}

const MODEL_REFERENCE = /^https:\/\/apigateway\.amazonaws\.com\/restapis\/([^/#]+)\/models\/([A-Za-z0-9]+)$/;

function modelOfReference(reference: string, model: Model): string | null {
  const [, apiId, name] = MODEL_REFERENCE.exec(reference) ?? [];
  return apiId === model.apiId && name !== undefined ? name : null;
}

class ModelTypes {
  private partCount = 0;
  /** References within the schema that are being followed. */
  private readonly following: string[] = [];

  constructor(
    private readonly model: Model,
    private readonly root: unknown,
    private readonly known: ReadonlyMap<string, unknown>,
  ) {}

  text(): string {
    return this.typeOf(this.root, 0);
  }

  private typeOf(schema: unknown, depth: number): string {
    if (!isSchema(schema) || depth > DEPTH_MAX || ++this.partCount > PARTS_MAX) return 'unknown';
    if (typeof schema['$ref'] === 'string') return this.referred(schema['$ref'], depth);
    if (Array.isArray(schema['enum'])) return union(schema['enum'].map(literal));
    for (const [keyword, join] of [
      ['oneOf', union],
      ['anyOf', union],
      ['allOf', intersection],
    ] as const) {
      const schemas = schema[keyword];
      if (Array.isArray(schemas) && schemas.length > 0) return join(schemas.map((each) => this.typeOf(each, depth + 1)));
    }
    const types = Array.isArray(schema['type']) ? schema['type'] : [schema['type'] ?? impliedType(schema)];
    return union(types.map((type) => this.ofType(type, schema, depth)));
  }

  private ofType(type: unknown, schema: Schema, depth: number): string {
    switch (type) {
      case 'string':
      case 'number':
      case 'boolean':
      case 'null':
        return type;
      case 'integer':
        return 'number';
      case 'array':
        // A tuple in draft-04 has a list here.
        return isSchema(schema['items']) ? `(${this.typeOf(schema['items'], depth + 1)})[]` : 'unknown[]';
      case 'object':
        return this.object(schema, depth);
      default:
        return 'unknown';
    }
  }

  private object(schema: Schema, depth: number): string {
    const properties = isSchema(schema['properties']) ? Object.entries(schema['properties']) : [];
    const required: readonly unknown[] = Array.isArray(schema['required']) ? schema['required'] : [];
    const { additionalProperties } = schema;
    if (properties.length === 0) {
      return `{ [name: string]: ${isSchema(additionalProperties) ? this.typeOf(additionalProperties, depth + 1) : 'unknown'} }`;
    }
    const members = properties.map(
      ([name, member]) => `${JSON.stringify(name)}${required.includes(name) ? '' : '?'}: ${this.typeOf(member, depth + 1)}`,
    );
    return `{ ${members.join('; ')} }`;
  }

  /** A model of the API, or a place in the schema itself; one that leads to itself ends there. */
  private referred(reference: string, depth: number): string {
    const name = modelOfReference(reference, this.model);
    if (name !== null) return this.known.has(name) ? typeName(name) : 'unknown';
    if (reference === '#') return typeName(this.model.id);
    if (!reference.startsWith('#/') || this.following.includes(reference)) return 'unknown';
    let place = this.root;
    for (const segment of reference.slice(2).split('/')) {
      const member = segment.replaceAll('~1', '/').replaceAll('~0', '~');
      if (!isSchema(place) || !Object.hasOwn(place, member)) return 'unknown';
      place = place[member];
    }
    this.following.push(reference);
    const type = this.typeOf(place, depth + 1);
    this.following.pop();
    return type;
  }
}

function impliedType(schema: Schema): string | undefined {
  return isSchema(schema['properties']) ? 'object' : isSchema(schema['items']) ? 'array' : undefined;
}

function literal(value: unknown): string {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value) ? JSON.stringify(value) : 'unknown';
}

function union(types: readonly string[]): string {
  const distinct = [...new Set(types)];
  return distinct.length === 0 ? 'never' : distinct.length === 1 ? distinct[0]! : `(${distinct.join(' | ')})`;
}

function intersection(types: readonly string[]): string {
  return `(${types.join(' & ')})`;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
