/** Models: named schemas of an API's bodies (API Gateway guide, "Data models for REST APIs"). */
import { JsonSchema, SchemaError, type DocumentSource } from '@gatehouse/lang';
import { badRequest, conflict, notFound } from '../errors.js';
import { property, textOrNull } from '../patch/rules.js';
import type { PatchRules } from '../patch/patch.js';
import type { Method, Resource } from '../rest-apis/rest-api.js';
import type { ApiPart } from './api-part.js';
import { methodNames } from './references.js';
import { AWS_QUOTAS, quotaNote, type Quotas } from '../tenancy/quotas.js';

/** Its id among the API's parts is its name: that is what everybody refers to it by. */
export interface Model extends ApiPart {
  /** The `id` AWS shows beside the name; nothing refers to it. */
  readonly modelId: string;
  readonly contentType: string;
  readonly description: string | null;
  /** JSON text, as given. */
  readonly schema: string;
}

/** What CreateModel may say. */
export interface ModelRequest {
  readonly name: string;
  readonly contentType: string;
  readonly description?: string | undefined;
  readonly schema?: string | undefined;
}

const NAME = /^[A-Za-z0-9]+$/;

export function newModel(apiId: string, modelId: string, request: ModelRequest, quotas = AWS_QUOTAS): Model {
  if (request.name === '') throw badRequest('Model name must be non-empty');
  if (!NAME.test(request.name)) throw badRequest(`Model name must be alphanumeric: ${request.name}`);
  if (request.contentType === '') throw badRequest('Model content type must be non-empty');
  const model: Model = {
    apiId,
    id: request.name,
    modelId,
    contentType: request.contentType,
    description: textOrNull(request.description ?? ''),
    schema: request.schema ?? '',
  };
  return checkModel(model, quotas);
}

/** Throws BadRequest unless the model is one that may exist; returns it. */
export function checkModel(model: Model, quotas: Quotas): Model {
  const { schema } = model;
  if (schema.trim() === '') throw badRequest('Model schema must have at least 1 property or array items defined');
  if (Buffer.byteLength(schema) > quotas.modelBytes)
    throw badRequest(`Model schema exceeds maximum size of ${quotas.modelBytes} bytes${quotaNote(quotas, 'modelBytes')}`);
  if (readSchema(schema) === null) throw invalidSchema('Invalid model schema specified');
  return model;
}

const invalidSchema = (error: string): Error =>
  badRequest(`Invalid model specified: Validation Result: warnings : [], errors : [${error}]`);

/**
 * Throws BadRequest unless the schema is one of draft-04 and each of its references leads somewhere. `models` are the API's; those that
 * `refersToModels` says nothing of may be left out.
 */
export function checkModelSchema(model: Model, models: readonly Model[], source = modelSource(model.apiId, models)): void {
  try {
    JsonSchema.compile(readSchema(model.schema), { uri: modelUri(model.apiId, model.id), documents: source });
  } catch (error) {
    if (error instanceof SchemaError) throw invalidSchema(`Invalid model schema specified. ${error.message}`);
    throw error;
  }
}

/** Enough for an API of 6 MB in which models refer to one another as they do in practice; some seconds at most. */
const LOOKED_UP_CHARS_MAX = 20_000_000;

/**
 * For many calls of `checkModelSchema`: each takes along all that a model refers to, and in a chain of thousands that is all the others.
 * Beyond a bound the rest is refused.
 */
export function boundedModelSource(apiId: string, models: readonly Model[]): DocumentSource {
  const source = modelSource(apiId, models);
  const read = new Map<string, { readonly schema: unknown; readonly chars: number }>();
  let left = LOOKED_UP_CHARS_MAX;
  return (reference) => {
    const known = read.get(reference) ?? sized(source(reference));
    read.set(reference, known);
    left -= known.chars;
    if (left < 0) throw invalidSchema('Invalid model schema specified. Too many models refer to too many others');
    return known.schema;
  };
}

const sized = (schema: unknown): { schema: unknown; chars: number } => ({
  schema,
  chars: 100 + (JSON.stringify(schema)?.length ?? 0),
});

/**
 * Whether `checkModelSchema` would take each of them, as far as that can be said at once: many models that refer to one another are
 * compiled once each. False says nothing of any single one.
 */
export function areAllSchemas(apiId: string, checked: readonly Model[], models: readonly Model[]): boolean {
  const definitions = checked.map(({ id }) => [id, { $ref: modelUri(apiId, id) }]);
  try {
    JsonSchema.compile({ definitions: Object.fromEntries(definitions) as object }, { documents: modelSource(apiId, models) });
    return true;
  } catch (error) {
    if (error instanceof SchemaError) return false;
    throw error;
  }
}

function modelSource(apiId: string, models: readonly Model[]): DocumentSource {
  const byName = new Map(models.map((model) => [model.id, model]));
  return (reference) => {
    const name = modelOfReference(reference, apiId);
    const model = name === null ? undefined : byName.get(name);
    return model === undefined ? undefined : (readSchema(model.schema) ?? undefined);
  };
}

/** Those models, and the ones they refer to, directly or not. Names of models that are not there lead nowhere. */
export function reachableModels(names: Iterable<string>, models: readonly Model[]): Model[] {
  const byName = new Map(models.map((model) => [model.id, model]));
  const reached = new Set<Model>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const model = byName.get(name);
    if (model === undefined || reached.has(model)) continue;
    reached.add(model);
    pending.push(...modelsReferredTo(model.schema, model.apiId));
  }
  return [...reached];
}

const SAYS_NOTHING = ['$schema', 'title', 'description', 'type'];

/** The model `Empty` as every API begins with it: it takes any body, whatever its schema says (data-plane reference §8.1). */
export function isEmptyModel(model: Model): boolean {
  const schema = readSchema(model.schema);
  if (model.id !== 'Empty' || schema === null) return false;
  return (schema['type'] ?? 'object') === 'object' && Object.keys(schema).every((name) => SAYS_NOTHING.includes(name));
}

/** Whether `checkModelSchema` needs the API's other models. */
export function refersToModels({ schema, apiId }: Model): boolean {
  return modelsReferredTo(schema, apiId).size > 0;
}

/** The schema as an object; `null` when the text is none. */
function readSchema(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const schema: unknown = JSON.parse(text);
    return typeof schema === 'object' && schema !== null && !Array.isArray(schema) ? (schema as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** UpdateModel; `checkModel` judges what comes out. */
export const modelPatchRules: PatchRules<Model> = {
  style: 'listsPaths',
  rules: [property('/description', 'description', textOrNull), property('/schema', 'schema', (value) => value)],
};

/** The two models every API that was not imported starts with. */
export function defaultModels(apiId: string, newId: () => string): Model[] {
  const schema = (body: object): string => JSON.stringify({ $schema: DRAFT_04, ...body }, null, 2);
  return [
    {
      name: 'Empty',
      contentType: 'application/json',
      description: 'This is a default empty schema model',
      schema: schema({ title: 'Empty Schema', type: 'object' }),
    },
    {
      name: 'Error',
      contentType: 'application/json',
      description: 'This is a default error schema model',
      schema: schema({ title: 'Error Schema', type: 'object', properties: { message: { type: 'string' } } }),
    },
  ].map((request) => newModel(apiId, newId(), request));
}

const DRAFT_04 = 'http://json-schema.org/draft-04/schema#';

/** Throws Conflict while a method, or another model, refers to the model. */
export function checkModelUnused(
  { apiId, id }: Model,
  models: readonly Model[],
  methods: readonly Method[],
  resources: readonly Resource[],
): void {
  const inUse = (where: string): Error => conflict(`Cannot delete model '${id}', is referenced in ${where}`);
  const nameOf = methodNames(resources);
  for (const method of methods) {
    if (Object.values(method.requestModels ?? {}).includes(id)) throw inUse(`method request: ${nameOf(method)}`);
    for (const { responseModels } of Object.values(method.methodResponses))
      if (Object.values(responseModels ?? {}).includes(id)) throw inUse(`method response: ${nameOf(method)}`);
  }
  for (const other of models)
    if (other.id !== id && modelsReferredTo(other.schema, apiId).has(id)) throw inUse(`model: ${other.id}`);
}

export const unknownModel = (name: string): Error => notFound(`Invalid model name specified: ${name}`);

/** A fragment points into the model. */
const MODEL_REFERENCE = /^https:\/\/apigateway\.amazonaws\.com\/restapis\/([^/]+)\/models\/([A-Za-z0-9]+)(?:#.*)?$/s;

/** What other models call the model in a `$ref`. */
export const modelUri = (apiId: string, name: string): string =>
  `https://apigateway.amazonaws.com/restapis/${apiId}/models/${name}`;

/** The name in a `$ref` to a model, whatever the API; `null` for any other reference. */
export const modelNameIn = (reference: string): string | null => MODEL_REFERENCE.exec(reference)?.[2] ?? null;

/** The name of the model that a `$ref` of the API means; `null` for any other. */
function modelOfReference(reference: string, apiId: string): string | null {
  const match = MODEL_REFERENCE.exec(reference);
  return match !== null && match[1] === apiId ? match[2]! : null;
}

function modelsReferredTo(schema: string, apiId: string): ReadonlySet<string> {
  const names = new Set<string>();
  mapReferences(readSchema(schema), (reference) => {
    const name = modelOfReference(reference, apiId);
    if (name !== null) names.add(name);
    return reference;
  });
  return names;
}

/**
 * The model's schema with the models it refers to, directly or not, among its `definitions`, so that it stands by itself
 * (`GetModel?flatten=true`). What refers to no model of the API stays as it is.
 */
export function flattenedSchema(model: Model, models: readonly Model[]): string {
  const { apiId } = model;
  const byName = new Map(models.map((other) => [other.id, other]));
  const definitions = new Map<string, unknown>();
  const localise = (schema: unknown): unknown =>
    mapReferences(schema, (reference) => {
      const name = modelOfReference(reference, apiId);
      const other = name === null ? undefined : byName.get(name);
      if (other === undefined) return reference;
      if (!definitions.has(other.id)) {
        definitions.set(other.id, null); // models may refer to one another in a circle
        definitions.set(other.id, localise(readSchema(other.schema)));
      }
      return `#/definitions/${other.id}${reference.split('#')[1] ?? ''}`;
    });
  const flat = localise(readSchema(model.schema)) as Readonly<Record<string, unknown>>;
  if (definitions.size === 0) return model.schema;
  const own = typeof flat['definitions'] === 'object' ? flat['definitions'] : {};
  return JSON.stringify({ ...flat, definitions: { ...own, ...Object.fromEntries(definitions) } }, null, 2);
}

/** A copy of a schema in which each text under `$ref` is changed. */
function mapReferences(schema: unknown, change: (reference: string) => string): unknown {
  if (Array.isArray(schema)) return schema.map((entry) => mapReferences(entry, change));
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === '$ref' && typeof value === 'string' ? change(value) : mapReferences(value, change),
    ]),
  );
}

const TEMPLATE_DEPTH_MAX = 10;
const SAMPLES: Readonly<Record<string, string>> = {
  string: '"foo"',
  integer: '42',
  number: '3.14',
  boolean: 'true',
  null: 'null',
};

/** A mapping template that writes a body of the model with sample values (`GetModelTemplate`). */
export function modelTemplate(model: Model, models: readonly Model[]): string {
  const schema = readSchema(flattenedSchema(model, models))!;
  return `#set($inputRoot = $input.path('$'))\n${sampleOf(schema, schema, '$inputRoot', '', 0)}`;
}

type Schema = Readonly<Record<string, unknown>>;

function sampleOf(schema: Schema, root: Schema, place: string, indent: string, depth: number): string {
  if (depth > TEMPLATE_DEPTH_MAX) return '{}';
  const target = typeof schema['$ref'] === 'string' ? definitionOf(schema['$ref'], root) : schema;
  const properties = asSchema(target['properties']);
  const items = asSchema(target['items']);
  const deeper = `${indent}  `;
  if (items !== null) {
    const item = sampleOf(items, root, '$elem', deeper, depth + 1);
    return `[\n${indent}#foreach($elem in ${place})\n${deeper}${item}#if($foreach.hasNext),#end\n${indent}#end\n${indent}]`;
  }
  if (properties !== null) {
    const members = Object.entries(properties).map(
      ([name, member]) =>
        `${deeper}${JSON.stringify(name)} : ${sampleOf(asSchema(member) ?? {}, root, `${place}.${name}`, deeper, depth + 1)}`,
    );
    return members.length === 0 ? '{ }' : `{\n${members.join(',\n')}\n${indent}}`;
  }
  const type = Array.isArray(target['type']) ? target['type'][0] : target['type'];
  return (typeof type === 'string' && Object.hasOwn(SAMPLES, type) ? SAMPLES[type] : undefined) ?? '{ }';
}

function definitionOf(reference: string, root: Schema): Schema {
  const name = /^#\/definitions\/([^/]+)$/.exec(reference)?.[1];
  const definitions = asSchema(root['definitions']);
  return name === undefined || definitions === null ? {} : (asSchema(definitions[name]) ?? {});
}

function asSchema(value: unknown): Schema | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : null;
}
