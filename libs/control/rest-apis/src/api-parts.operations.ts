import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { flattenedSchema, modelTemplate, pageRequest, type ApiPartKey, type TenantStore } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import {
  Authorizers,
  DocumentationParts,
  DocumentationVersions,
  GatewayResponses,
  Models,
  RequestValidators,
} from './api-parts.service.js';
import {
  authorizerToWire,
  documentationPartToWire,
  documentationVersionToWire,
  gatewayResponseToWire,
  modelToWire,
  requestValidatorToWire,
} from './api-parts.wire.js';

export interface ApiPartDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export const apiPartOperationNames = [
  'CreateModel',
  'GetModel',
  'GetModels',
  'GetModelTemplate',
  'UpdateModel',
  'DeleteModel',
  'CreateRequestValidator',
  'GetRequestValidator',
  'GetRequestValidators',
  'UpdateRequestValidator',
  'DeleteRequestValidator',
  'CreateAuthorizer',
  'GetAuthorizer',
  'GetAuthorizers',
  'UpdateAuthorizer',
  'DeleteAuthorizer',
  'PutGatewayResponse',
  'GetGatewayResponse',
  'GetGatewayResponses',
  'UpdateGatewayResponse',
  'DeleteGatewayResponse',
  'CreateDocumentationPart',
  'GetDocumentationPart',
  'GetDocumentationParts',
  'UpdateDocumentationPart',
  'DeleteDocumentationPart',
  'CreateDocumentationVersion',
  'GetDocumentationVersion',
  'GetDocumentationVersions',
  'UpdateDocumentationVersion',
  'DeleteDocumentationVersion',
] as const satisfies readonly (keyof ApiGateway.Operations)[];

export type ApiPartOperations = Handlers<ApiGateway.Operations, (typeof apiPartOperationNames)[number]>;

export function apiPartOperations({ store, clock, ids }: ApiPartDependencies): ApiPartOperations {
  return {
    ...modelOperations(new Models(store, ids)),
    ...requestValidatorOperations(new RequestValidators(store, ids)),
    ...authorizerOperations(new Authorizers(store, ids)),
    ...gatewayResponseOperations(new GatewayResponses(store)),
    ...documentationOperations(new DocumentationParts(store, ids), new DocumentationVersions(store, clock)),
  };
}

type Operations<Names extends (typeof apiPartOperationNames)[number]> = Pick<ApiPartOperations, Names>;

function modelOperations(
  models: Models,
): Operations<'CreateModel' | 'GetModel' | 'GetModels' | 'GetModelTemplate' | 'UpdateModel' | 'DeleteModel'> {
  const keyOf = (input: { readonly restApiId: string; readonly modelName: string }): ApiPartKey => ({
    apiId: input.restApiId,
    id: input.modelName,
  });
  return {
    CreateModel: async ({ caller }, input) => modelToWire(await models.create(caller.tenant, input.restApiId, input)),
    GetModel: async ({ caller }, input) => {
      const model = await models.find(caller.tenant, keyOf(input));
      if (input.flatten !== true) return modelToWire(model);
      return modelToWire({ ...model, schema: flattenedSchema(model, await models.all(caller.tenant, input.restApiId)) });
    },
    GetModels: async ({ caller }, input) => {
      const { items, next } = await models.page(caller.tenant, input.restApiId, pageRequest(input));
      return { items: items.map(modelToWire), position: next ?? undefined };
    },
    GetModelTemplate: async ({ caller }, input) => {
      const model = await models.find(caller.tenant, keyOf(input));
      return { value: modelTemplate(model, await models.all(caller.tenant, input.restApiId)) };
    },
    UpdateModel: async ({ caller }, input) =>
      modelToWire(await models.update(caller.tenant, keyOf(input), input.patchOperations)),
    DeleteModel: ({ caller }, input) => models.remove(caller.tenant, keyOf(input)),
  };
}

function requestValidatorOperations(
  validators: RequestValidators,
): Operations<
  'CreateRequestValidator' | 'GetRequestValidator' | 'GetRequestValidators' | 'UpdateRequestValidator' | 'DeleteRequestValidator'
> {
  const keyOf = (input: { readonly restApiId: string; readonly requestValidatorId: string }): ApiPartKey => ({
    apiId: input.restApiId,
    id: input.requestValidatorId,
  });
  return {
    CreateRequestValidator: async ({ caller }, input) =>
      requestValidatorToWire(await validators.create(caller.tenant, input.restApiId, input)),
    GetRequestValidator: async ({ caller }, input) => requestValidatorToWire(await validators.find(caller.tenant, keyOf(input))),
    GetRequestValidators: async ({ caller }, input) => {
      const { items, next } = await validators.page(caller.tenant, input.restApiId, pageRequest(input));
      return { items: items.map(requestValidatorToWire), position: next ?? undefined };
    },
    UpdateRequestValidator: async ({ caller }, input) =>
      requestValidatorToWire(await validators.update(caller.tenant, keyOf(input), input.patchOperations)),
    DeleteRequestValidator: ({ caller }, input) => validators.remove(caller.tenant, keyOf(input)),
  };
}

function authorizerOperations(
  authorizers: Authorizers,
): Operations<'CreateAuthorizer' | 'GetAuthorizer' | 'GetAuthorizers' | 'UpdateAuthorizer' | 'DeleteAuthorizer'> {
  const keyOf = (input: { readonly restApiId: string; readonly authorizerId: string }): ApiPartKey => ({
    apiId: input.restApiId,
    id: input.authorizerId,
  });
  return {
    CreateAuthorizer: async ({ caller }, input) =>
      authorizerToWire(await authorizers.create(caller.tenant, input.restApiId, input)),
    GetAuthorizer: async ({ caller }, input) => authorizerToWire(await authorizers.find(caller.tenant, keyOf(input))),
    GetAuthorizers: async ({ caller }, input) => {
      const { items, next } = await authorizers.page(caller.tenant, input.restApiId, pageRequest(input));
      return { items: items.map(authorizerToWire), position: next ?? undefined };
    },
    UpdateAuthorizer: async ({ caller }, input) =>
      authorizerToWire(await authorizers.update(caller.tenant, keyOf(input), input.patchOperations)),
    DeleteAuthorizer: ({ caller }, input) => authorizers.remove(caller.tenant, keyOf(input)),
  };
}

function gatewayResponseOperations(
  responses: GatewayResponses,
): Operations<
  'PutGatewayResponse' | 'GetGatewayResponse' | 'GetGatewayResponses' | 'UpdateGatewayResponse' | 'DeleteGatewayResponse'
> {
  return {
    PutGatewayResponse: async ({ caller }, input) =>
      gatewayResponseToWire(await responses.put(caller.tenant, input.restApiId, input.responseType, input)),
    GetGatewayResponse: async ({ caller }, input) =>
      gatewayResponseToWire(await responses.find(caller.tenant, input.restApiId, input.responseType)),
    GetGatewayResponses: async ({ caller }, input) => {
      const { items, next } = await responses.page(caller.tenant, input.restApiId, pageRequest(input));
      return { items: items.map(gatewayResponseToWire), position: next ?? undefined };
    },
    UpdateGatewayResponse: async ({ caller }, input) =>
      gatewayResponseToWire(await responses.update(caller.tenant, input.restApiId, input.responseType, input.patchOperations)),
    DeleteGatewayResponse: ({ caller }, input) => responses.remove(caller.tenant, input.restApiId, input.responseType),
  };
}

function documentationOperations(
  parts: DocumentationParts,
  versions: DocumentationVersions,
): Operations<
  | 'CreateDocumentationPart'
  | 'GetDocumentationPart'
  | 'GetDocumentationParts'
  | 'UpdateDocumentationPart'
  | 'DeleteDocumentationPart'
  | 'CreateDocumentationVersion'
  | 'GetDocumentationVersion'
  | 'GetDocumentationVersions'
  | 'UpdateDocumentationVersion'
  | 'DeleteDocumentationVersion'
> {
  const partKey = (input: { readonly restApiId: string; readonly documentationPartId: string }): ApiPartKey => ({
    apiId: input.restApiId,
    id: input.documentationPartId,
  });
  const versionKey = (input: { readonly restApiId: string; readonly documentationVersion: string }): ApiPartKey => ({
    apiId: input.restApiId,
    id: input.documentationVersion,
  });
  return {
    CreateDocumentationPart: async ({ caller }, input) =>
      documentationPartToWire(await parts.create(caller.tenant, input.restApiId, input.location, input.properties)),
    GetDocumentationPart: async ({ caller }, input) => documentationPartToWire(await parts.find(caller.tenant, partKey(input))),
    GetDocumentationParts: async ({ caller }, input) => {
      const { items, next } = await parts.matching(caller.tenant, input.restApiId, input, pageRequest(input));
      return { items: items.map(documentationPartToWire), position: next ?? undefined };
    },
    UpdateDocumentationPart: async ({ caller }, input) =>
      documentationPartToWire(await parts.update(caller.tenant, partKey(input), input.patchOperations)),
    DeleteDocumentationPart: ({ caller }, input) => parts.remove(caller.tenant, partKey(input)),

    CreateDocumentationVersion: async ({ caller }, input) =>
      documentationVersionToWire(
        await versions.create(caller.tenant, input.restApiId, { ...input, version: input.documentationVersion }),
      ),
    GetDocumentationVersion: async ({ caller }, input) =>
      documentationVersionToWire(await versions.find(caller.tenant, versionKey(input))),
    GetDocumentationVersions: async ({ caller }, input) => {
      const { items, next } = await versions.page(caller.tenant, input.restApiId, pageRequest(input));
      return { items: items.map(documentationVersionToWire), position: next ?? undefined };
    },
    UpdateDocumentationVersion: async ({ caller }, input) =>
      documentationVersionToWire(await versions.update(caller.tenant, versionKey(input), input.patchOperations)),
    DeleteDocumentationVersion: ({ caller }, input) => versions.remove(caller.tenant, versionKey(input)),
  };
}
