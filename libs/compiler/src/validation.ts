/** What of a request is checked, from the method's validator, parameters and models. */
import type { RequestValidation } from '@gatehouse/contracts';
import {
  ApiError,
  checkModelSchema,
  isEmptyModel,
  reachableModels,
  type Method,
  type Model,
  type RestApiDefinition,
} from '@gatehouse/domain';
import { compareText } from './diagnostics.js';

export type CompiledValidation =
  | { readonly validation: RequestValidation | null }
  /** Why the route cannot be served. */
  | { readonly refusal: string };

export class ValidationCompiler {
  /** Of models by name, why they cannot be used: each is looked at once, however many methods name it. */
  readonly #problems = new Map<string, string | null>();

  constructor(private readonly definition: RestApiDefinition) {}

  /** `null` when the method has no validator, or its validator nothing to check. */
  compile(method: Method): CompiledValidation {
    const { requestValidatorId: id } = method;
    if (id === null) return { validation: null };
    const validator = this.definition.parts?.requestValidators.find((known) => known.id === id);
    if (validator === undefined) return { refusal: `request validator ${id} is not there` };
    const requiredParameters = validator.validateRequestParameters ? requiredOf(method) : [];
    const bodyModels: [contentType: string, name: string | null][] = [];
    for (const [contentType, name] of validator.validateRequestBody ? Object.entries(method.requestModels ?? {}).sort() : []) {
      const model = this.#model(name);
      if (typeof model === 'string') return { refusal: `model ${name} ${model}` };
      bodyModels.push([contentType, isEmptyModel(model) ? null : name]);
    }
    const isChecked = bodyModels.some(([, name]) => name !== null);
    if (requiredParameters.length === 0 && !isChecked) return { validation: null };
    return { validation: { requiredParameters, bodyModels: isChecked ? Object.fromEntries(bodyModels) : null } };
  }

  /** The schemas that validations name, and what these refer to; `undefined` when there are none. */
  modelsFor(validations: readonly RequestValidation[]): Readonly<Record<string, string>> | undefined {
    const names = validations.flatMap(({ bodyModels }) => Object.values(bodyModels ?? {})).filter((name) => name !== null);
    if (names.length === 0) return undefined;
    return Object.fromEntries(reachableModels(names, this.#models).map(({ id, schema }) => [id, schema]));
  }

  /** The model, or why it cannot be used. */
  #model(name: string): Model | string {
    const model = this.#models.find((known) => known.id === name);
    if (model === undefined) return 'is not there';
    let problem = this.#problems.get(name);
    if (problem === undefined) this.#problems.set(name, (problem = schemaProblem(model, this.#models)));
    return problem ?? model;
  }

  get #models(): readonly Model[] {
    return this.definition.parts?.models ?? [];
  }
}

/** By the whole key: headers, path, query. */
function requiredOf({ requestParameters }: Method): string[] {
  return Object.entries(requestParameters ?? {})
    .filter(([, isRequired]) => isRequired)
    .map(([parameter]) => parameter)
    .sort(compareText);
}

function schemaProblem(model: Model, models: readonly Model[]): string | null {
  try {
    checkModelSchema(model, models);
    return null;
  } catch (error) {
    if (error instanceof ApiError) return `is not usable: ${error.message}`;
    throw error;
  }
}
