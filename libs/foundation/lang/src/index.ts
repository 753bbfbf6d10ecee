export {
  ALLOWED,
  ANONYMOUS,
  DENIED,
  NO_MATCH,
  Policy,
  PolicyError,
  type Caller,
  type KeyValues,
  type PolicyDecision,
  type PolicyRequest,
  type PolicySettings,
} from './iam-policy/index.js';
export { JsonSchema, SchemaError, type DocumentSource, type JsonSchemaSettings } from './json-schema/index.js';
export { isLiteralTemplate } from './literal-template.js';
export { SelectionPattern, SelectionPatternError } from './selection-pattern.js';
export { VtlRenderError, VtlSyntaxError } from './vtl/errors.js';
export { parseTemplate } from './vtl/parser.js';
