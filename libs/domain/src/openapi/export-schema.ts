/** Models of an API as the schemas of a document: references among them become references within the document. */
import type { Model } from '../api-parts/model.js';
import { fromPairs, isObject, parsedOr, type Json, type JsonObject } from './export-json.js';
import type { ExportType } from './export-options.js';

/** Where a document of the type keeps its schemas. */
export function schemaPointer(type: ExportType, name: string): string {
  return type === 'swagger' ? `#/definitions/${name}` : `#/components/schemas/${name}`;
}

/** By name. `$schema` is left out: the document says which schemas it holds. */
export function exportSchemas(models: readonly Model[], type: ExportType): JsonObject {
  const names = new Set(models.map(({ id }) => id));
  const byName = [...models].sort((a, b) => (a.id < b.id ? -1 : 1));
  return fromPairs(byName.map((model) => [model.id, exportSchema(model, names, type)]));
}

function exportSchema(model: Model, names: ReadonlySet<string>, type: ExportType): Json {
  const schema = parsedOr(model.schema);
  if (!isObject(schema)) return {};
  const rest = fromPairs(Object.entries(schema).filter(([name]) => name !== '$schema'));
  return mapReferences(rest, (reference) => exportReference(reference, model, names, type));
}

const MODEL_REFERENCE = /^https:\/\/apigateway\.amazonaws\.com\/restapis\/([^/#]+)\/models\/([A-Za-z0-9]+)(?:#(\/.*)?)?$/;

/** A reference to a model of the same API, or to a place in the schema itself, points into the document; any other stays. */
function exportReference(reference: string, model: Model, names: ReadonlySet<string>, type: ExportType): string {
  if (reference === '#' || reference.startsWith('#/')) return schemaPointer(type, model.id) + reference.slice(1);
  const [, apiId, name, place = ''] = MODEL_REFERENCE.exec(reference) ?? [];
  if (apiId !== model.apiId || name === undefined || !names.has(name)) return reference;
  return schemaPointer(type, name) + place;
}

function mapReferences(value: Json, change: (reference: string) => string): Json {
  if (Array.isArray(value)) return value.map((entry: Json) => mapReferences(entry, change));
  if (!isObject(value)) return value;
  return fromPairs(
    Object.entries(value).map(([name, member]) => [
      name,
      name === '$ref' && typeof member === 'string' ? change(member) : mapReferences(member, change),
    ]),
  );
}
