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
export {
  parseMappingExpression,
  type MappingExpression,
  type ParameterLocation,
  type ParameterSide,
} from './mapping-expression/mapping-expression.js';
export { SelectionPattern, SelectionPatternError } from './selection-pattern.js';
export { VtlRenderError, VtlSyntaxError } from './vtl/errors.js';
export { parseTemplate } from './vtl/parser.js';
export { BodyPath } from './json-path/body-path.js';
export { JsonPath, MISSING, type Selected } from './json-path/json-path.js';
export { JsonPathError } from './json-path/parse-path.js';
export { type RenderLimits } from './vtl/budget.js';
export { VariableGroup, type ContextReader, type Overrides, type VariableTree } from './vtl/context-variables.js';
export { ParameterMaps, type RequestParameters } from './vtl/input-variable.js';
export { MappingTemplate, type Rendered, type TemplateRequest } from './vtl/mapping-template.js';
