import { badRequest, conflict, notFound } from '../errors.js';
import { flag, property } from '../patch/rules.js';
import type { PatchRules } from '../patch/patch.js';
import type { Method, Resource } from '../rest-apis/rest-api.js';
import type { ApiPart } from './api-part.js';
import { methodNames } from './references.js';

/** Says what of a request is checked before it goes on (API Gateway guide, "Request validation for REST APIs"). */
export interface RequestValidator extends ApiPart {
  readonly name: string | null;
  readonly validateRequestBody: boolean;
  readonly validateRequestParameters: boolean;
}

/** What CreateRequestValidator may say. */
export interface RequestValidatorRequest {
  readonly name?: string | undefined;
  readonly validateRequestBody?: boolean | undefined;
  readonly validateRequestParameters?: boolean | undefined;
}

export function newRequestValidator(apiId: string, id: string, request: RequestValidatorRequest): RequestValidator {
  return {
    apiId,
    id,
    name: request.name === undefined ? null : checkName(request.name),
    validateRequestBody: request.validateRequestBody ?? false,
    validateRequestParameters: request.validateRequestParameters ?? false,
  };
}

/** UpdateRequestValidator. */
export const requestValidatorPatchRules: PatchRules<RequestValidator> = {
  style: 'listsPaths',
  rules: [
    property('/name', 'name', checkName),
    property('/validateRequestBody', 'validateRequestBody', flag),
    property('/validateRequestParameters', 'validateRequestParameters', flag),
  ],
};

function checkName(name: string): string {
  if (name.trim() === '') throw badRequest('Request Validator name cannot be blank');
  return name;
}

/** Throws Conflict while a method uses it. */
export function checkRequestValidatorUnused(
  { id }: RequestValidator,
  methods: readonly Method[],
  resources: readonly Resource[],
): void {
  const user = methods.find((method) => method.requestValidatorId === id);
  if (user === undefined) return;
  throw conflict(`Cannot delete request validator '${id}', is referenced in method: ${methodNames(resources)(user)}`);
}

export const unknownRequestValidator = (): Error => notFound('Invalid Request Validator identifier specified');
