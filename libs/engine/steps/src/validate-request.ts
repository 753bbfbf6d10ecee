/**
 * Request validation (data-plane reference §8.1): first the parameters, before anybody waits for a body, then the body. An empty body
 * counts as `{}`, also of a GET; a media type without a model, and without a `$default` one, is not checked.
 */
import type { RequestValidation, RouteAuthorization, StageSnapshot } from '@gatehouse/contracts';
import {
  compileSource,
  CONTINUE,
  InvalidBody,
  LinkRefusal,
  requestMediaType,
  type BodyMode,
  type RouteSettings,
  type Step,
  type StepFactory,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { JsonSchema, SchemaError } from '@gatehouse/lang';

const DEFAULT_TYPE = 'application/json';
const ANY_TYPE = '$default';
const CHECKED_BODY: BodyMode = { type: 'buffer', reason: 'a model says what the body is' };

/** Every required parameter is there and not blank. Names of headers are case-sensitive, as in mappings. */
export const checkParameters: StepFactory = (settings) => {
  const required = (validationOf(settings)?.requiredParameters ?? []).map((parameter) => {
    const read = compileSource(parameter, {});
    const [, , , ...name] = parameter.split('.');
    if (read === null || !parameter.startsWith('method.request.'))
      throw new LinkRefusal(`required parameter ${parameter} is not supported`);
    return { name: name.join('.'), read };
  });
  if (required.length === 0) return null;
  return (x) => {
    let missing = '';
    for (const { name, read } of required) {
      if (!read(x).some((value) => value.trim() !== '')) missing += missing === '' ? name : `, ${name}`;
    }
    if (missing === '') return CONTINUE;
    const message = `Missing required request parameters: [${missing}]`;
    return x.fail(FAULTS.BAD_REQUEST_PARAMETERS, null, 'validating the parameters', message);
  };
};

/** How a program treats the body whose other steps are content with `mode`. */
export function bodyToCheck(settings: RouteSettings, mode: BodyMode): BodyMode {
  return mode.type === 'stream' && validationOf(settings)?.bodyModels ? CHECKED_BODY : mode;
}

/** Needs `read-body` before it. Throws LinkRefusal. */
export const checkBody: StepFactory = (settings) => {
  const models = validationOf(settings)?.bodyModels;
  if (models === null || models === undefined) return null;
  const schemas = new Map(
    Object.entries(models).map(([type, model]) => [type.toLowerCase(), model === null ? null : schemaOf(settings.stage, model)]),
  );
  const fallback = schemas.get(ANY_TYPE) ?? null;
  return (x) => {
    const own = schemas.get(requestMediaType(x) ?? DEFAULT_TYPE);
    const schema = own === undefined ? fallback : own;
    return schema === null ? CONTINUE : checked(x, schema);
  };
};

function checked(x: Parameters<Step>[0], schema: JsonSchema): ReturnType<Step> {
  const body = x.bufferedBody!;
  let value: unknown = {};
  if (body.length > 0) {
    if (schema.isSurelyValid(body)) return CONTINUE;
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch {
      return x.fail(FAULTS.BAD_REQUEST_BODY, NOT_JSON, 'validating the body');
    }
  }
  if (schema.isValid(value)) return CONTINUE;
  return x.fail(FAULTS.BAD_REQUEST_BODY, new InvalidBody(() => schema.problems(value)), 'validating the body');
}

const NOT_JSON = new InvalidBody(() => ['the body is no JSON']);

function validationOf({ route }: RouteSettings): RequestValidation | null {
  let authorization: RouteAuthorization = route.authorization;
  let validation: RequestValidation | null = null;
  while (authorization.type === 'VALIDATE') ({ validation, authorization } = authorization);
  return validation;
}

/** The routes of a stage share what is compiled; it lives as long as the snapshot. */
const compiled = new WeakMap<StageSnapshot, Map<string, JsonSchema>>();

function schemaOf(stage: StageSnapshot, model: string): JsonSchema {
  let schemas = compiled.get(stage);
  if (schemas === undefined) compiled.set(stage, (schemas = new Map()));
  const known = schemas.get(model);
  if (known !== undefined) return known;
  const schema = compileModel(stage, model);
  schemas.set(model, schema);
  return schema;
}

function compileModel({ apiId, models = {} }: StageSnapshot, model: string): JsonSchema {
  const uri = `https://apigateway.amazonaws.com/restapis/${apiId}/models/`;
  const documentOf = (name: string): unknown =>
    Object.hasOwn(models, name) ? (JSON.parse(models[name]!) as unknown) : undefined;
  try {
    return JsonSchema.compile(documentOf(model), {
      uri: uri + model,
      documents: (reference) => (reference.startsWith(uri) ? documentOf(reference.slice(uri.length)) : undefined),
    });
  } catch (cause) {
    if (cause instanceof SchemaError || cause instanceof SyntaxError) throw new LinkRefusal(`model ${model}: ${cause.message}`);
    throw cause;
  }
}
