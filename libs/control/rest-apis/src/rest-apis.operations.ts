import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import {
  addMethodResponse,
  applyChanges,
  checkMethod,
  integrationOf,
  integrationPatchRules,
  integrationResponse,
  integrationResponsePatchRules,
  methodPatchRules,
  methodResponse,
  methodResponsePatchRules,
  pageRequest,
  putIntegration,
  putIntegrationResponse,
  readPatch,
  unknownIntegration,
  withIntegration,
  withIntegrationResponse,
  withMethodResponse,
  withoutIntegrationResponse,
  withoutMethodResponse,
  type MethodKey,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { Methods } from './methods.service.js';
import { Resources } from './resources.service.js';
import { RestApis } from './rest-apis.service.js';
import {
  integrationResponseToWire,
  integrationToWire,
  methodResponseToWire,
  methodToWire,
  resourceToWire,
  resourceWithMethodsToWire,
  restApiToWire,
} from './rest-apis.wire.js';

export interface RestApiDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export const restApiOperationNames = [
  'CreateRestApi',
  'GetRestApi',
  'GetRestApis',
  'UpdateRestApi',
  'DeleteRestApi',
  'CreateResource',
  'GetResource',
  'GetResources',
  'UpdateResource',
  'DeleteResource',
  'PutMethod',
  'GetMethod',
  'UpdateMethod',
  'DeleteMethod',
  'PutMethodResponse',
  'GetMethodResponse',
  'UpdateMethodResponse',
  'DeleteMethodResponse',
  'PutIntegration',
  'GetIntegration',
  'UpdateIntegration',
  'DeleteIntegration',
  'PutIntegrationResponse',
  'GetIntegrationResponse',
  'UpdateIntegrationResponse',
  'DeleteIntegrationResponse',
] as const satisfies readonly (keyof ApiGateway.Operations)[];

export type RestApiOperations = Handlers<ApiGateway.Operations, (typeof restApiOperationNames)[number]>;

export function restApiOperations({ store, clock, ids }: RestApiDependencies): RestApiOperations {
  const apis = new RestApis(store, clock, ids);
  const resources = new Resources(store, ids);
  const methods = new Methods(store);
  return {
    CreateRestApi: async ({ caller }, input) =>
      restApiToWire(await apis.create(caller.tenant, caller.region, input, input.cloneFrom ?? null), 'absent'),
    GetRestApi: async ({ caller }, input) => restApiToWire(await apis.find(caller.tenant, input.restApiId), 'shown'),
    GetRestApis: async ({ caller }, input) => {
      const { items, next } = await apis.page(caller.tenant, pageRequest(input));
      return { items: items.map((api) => restApiToWire(api, 'absent')), position: next ?? undefined };
    },
    UpdateRestApi: async ({ caller }, input) =>
      restApiToWire(await apis.update(caller.tenant, input.restApiId, input.patchOperations), 'shown'),
    DeleteRestApi: ({ caller }, input) => apis.remove(caller.tenant, input.restApiId),

    CreateResource: async ({ caller }, input) =>
      resourceToWire(await resources.create(caller.tenant, input.restApiId, input.parentId, input.pathPart)),
    GetResource: async ({ caller }, input) =>
      resourceWithMethodsToWire(await resources.find(caller.tenant, input.restApiId, input.resourceId), embedsMethods(input)),
    GetResources: async ({ caller }, input) => {
      const { items, next } = await resources.page(caller.tenant, input.restApiId, pageRequest(input));
      return { items: items.map((item) => resourceWithMethodsToWire(item, embedsMethods(input))), position: next ?? undefined };
    },
    UpdateResource: async ({ caller }, input) =>
      resourceWithMethodsToWire(
        await resources.update(caller.tenant, input.restApiId, input.resourceId, input.patchOperations),
        false,
      ),
    DeleteResource: ({ caller }, input) => resources.remove(caller.tenant, input.restApiId, input.resourceId),

    PutMethod: async ({ caller }, input) => methodToWire(await methods.create(caller.tenant, keyOf(input), input)),
    GetMethod: async ({ caller }, input) => methodToWire(await methods.find(caller.tenant, keyOf(input))),
    UpdateMethod: async ({ caller }, input) =>
      methodToWire(
        await methods.change(caller.tenant, keyOf(input), (method) =>
          checkMethod(applyChanges(method, readPatch(input.patchOperations, methodPatchRules))),
        ),
      ),
    DeleteMethod: ({ caller }, input) => methods.remove(caller.tenant, keyOf(input)),

    PutMethodResponse: async ({ caller }, input) => {
      const method = await methods.change(caller.tenant, keyOf(input), (present) =>
        addMethodResponse(present, input.statusCode, input),
      );
      return methodResponseToWire(methodResponse(method, input.statusCode));
    },
    GetMethodResponse: async ({ caller }, input) =>
      methodResponseToWire(methodResponse(await methods.find(caller.tenant, keyOf(input)), input.statusCode)),
    UpdateMethodResponse: async ({ caller }, input) => {
      const method = await methods.change(caller.tenant, keyOf(input), (present) => {
        const response = methodResponse(present, input.statusCode);
        return withMethodResponse(present, applyChanges(response, readPatch(input.patchOperations, methodResponsePatchRules)));
      });
      return methodResponseToWire(methodResponse(method, input.statusCode));
    },
    DeleteMethodResponse: async ({ caller }, input) => {
      await methods.change(caller.tenant, keyOf(input), (method) => withoutMethodResponse(method, input.statusCode));
    },

    PutIntegration: async ({ caller }, input) => {
      const request = { ...input, httpMethod: input.integrationHttpMethod };
      const method = await methods.change(caller.tenant, keyOf(input), async (present, tx) =>
        putIntegration(present, request, await tx.quotas.read()),
      );
      return integrationToWire(integrationOf(method));
    },
    GetIntegration: async ({ caller }, input) =>
      integrationToWire(integrationOf(await methods.find(caller.tenant, keyOf(input)))),
    UpdateIntegration: async ({ caller }, input) => {
      const method = await methods.change(caller.tenant, keyOf(input), async (present, tx) => {
        const integration = integrationOf(present);
        const quotas = await tx.quotas.read();
        const changes = readPatch(input.patchOperations, integrationPatchRules(present, quotas));
        return withIntegration(present, applyChanges(integration, changes), quotas);
      });
      return integrationToWire(integrationOf(method));
    },
    DeleteIntegration: async ({ caller }, input) => {
      await methods.change(caller.tenant, keyOf(input), (method) => {
        integrationOf(method);
        return { ...method, integration: null };
      });
    },

    PutIntegrationResponse: async ({ caller }, input) => {
      const method = await methods.change(caller.tenant, keyOf(input), async (present, tx) =>
        putIntegrationResponse(present, input.statusCode, input, await tx.quotas.read()),
      );
      return integrationResponseToWire(integrationResponse(integrationOf(method), input.statusCode));
    },
    GetIntegrationResponse: async ({ caller }, input) => {
      const method = await methods.find(caller.tenant, keyOf(input));
      return integrationResponseToWire(integrationResponse(integrationOf(method), input.statusCode));
    },
    UpdateIntegrationResponse: async ({ caller }, input) => {
      const method = await methods.change(caller.tenant, keyOf(input), async (present, tx) => {
        const integration = integrationOf(present);
        const response = integrationResponse(integration, input.statusCode);
        const quotas = await tx.quotas.read();
        const changes = readPatch(input.patchOperations, integrationResponsePatchRules(present, input.statusCode, quotas));
        return withIntegrationResponse(present, integration, applyChanges(response, changes));
      });
      return integrationResponseToWire(integrationResponse(integrationOf(method), input.statusCode));
    },
    DeleteIntegrationResponse: async ({ caller }, input) => {
      await methods.change(
        caller.tenant,
        keyOf(input),
        (method) => withoutIntegrationResponse(method, integrationOf(method), input.statusCode),
        unknownIntegration, // AWS names the integration, even when it is the method that is missing
      );
    },
  };
}

function keyOf(input: { readonly restApiId: string; readonly resourceId: string; readonly httpMethod: string }): MethodKey {
  return { apiId: input.restApiId, resourceId: input.resourceId, httpMethod: input.httpMethod };
}

const embedsMethods = (input: { readonly embed?: readonly string[] | undefined }): boolean =>
  input.embed?.includes('methods') === true;
