export { JsonSchema, type JsonSchemaSettings } from './json-schema.js';
export type { DocumentSource } from './references.js';
export { SchemaError } from './schema-error.js';
