import { placeTenant, unpublishApi } from '@gatehouse/control-publish';
import {
  applyChanges,
  badRequest,
  checkRestApi,
  checkRoom,
  defaultModels,
  newRestApi,
  POOL_TAG,
  readPatch,
  restApiPatchRules,
  unknownApi,
  type ApiPart,
  type ApiPartRepository,
  type Page,
  type PageRequest,
  type PatchOperation,
  type RestApi,
  type RestApiRequest,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';

export const API_ID_CHARS = 10;
/** AWS's root resources have longer ids than their descendants. */
export const ROOT_ID_CHARS = 10;
const RESOURCE_ID_CHARS = 6;
export const PART_ID_CHARS = 6;

/** REST APIs of a tenant. What they serve changes with a deployment, so only their removal tells the nodes. */
export class RestApis {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  create(tenant: TenantId, region: string, request: RestApiRequest, cloneFrom: string | null): Promise<RestApi> {
    return this.store.transact(tenant, async (tx) => {
      const quotas = await tx.quotas.read();
      checkRoom(quotas, 'restApis', await tx.restApis.count(), 'Maximum number of REST APIs for this account has been reached.');
      // The lock keeps the original still while it is copied.
      const source = cloneFrom === null ? null : await tx.restApis.lock(cloneFrom);
      if (cloneFrom !== null && source === null) throw unknownApi(tenant, cloneFrom);
      const identity = {
        id: this.ids.id(API_ID_CHARS),
        rootResourceId: this.ids.id(ROOT_ID_CHARS),
        region,
        createdAtMs: this.clock.nowMs(),
      };
      const api = newRestApi(request, identity, quotas, source);
      if (namesPool(api)) await tx.placement.lock();
      await tx.restApis.insert(api);
      if (namesPool(api)) await placeTenant(tx);
      await tx.resources.insert({ apiId: api.id, id: api.rootResourceId, parentId: null, pathPart: null, path: '/' });
      if (source !== null) await this.#copyContent(tx, source, api);
      else for (const model of defaultModels(api.id, () => this.ids.id(PART_ID_CHARS))) await tx.models.insert(model);
      return api;
    });
  }

  /** Throws NotFound. */
  find(tenant: TenantId, apiId: string): Promise<RestApi> {
    return this.store.transact(tenant, (tx) => findApi(tx, apiId));
  }

  page(tenant: TenantId, request: PageRequest): Promise<Page<RestApi>> {
    return this.store.transact(tenant, (tx) => tx.restApis.page(request));
  }

  update(tenant: TenantId, apiId: string, operations: readonly PatchOperation[] | undefined): Promise<RestApi> {
    return this.store.transact(tenant, async (tx) => {
      const api = await lockApi(tx, apiId);
      const changed = checkRestApi(applyChanges(api, readPatch(operations, restApiPatchRules)), await tx.quotas.read());
      await tx.restApis.replace(changed);
      return changed;
    });
  }

  /** With everything that belongs to it; nodes stop serving its stages. */
  remove(tenant: TenantId, apiId: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const api = await lockApi(tx, apiId);
      const mappings = await tx.basePathMappings.usingApi(apiId);
      if (mappings.length > 0) {
        const domains = [...new Set(mappings.map(({ domainName }) => domainName))].join(', ');
        throw badRequest(
          `Deleting RestApi ${apiId} failed. Please remove all base path mappings related to the RestApi in your domains: ${domains}`,
        );
      }
      if (namesPool(api)) await tx.placement.lock();
      await unpublishApi(tx, apiId);
      await tx.restApis.remove(apiId);
      if (namesPool(api)) await placeTenant(tx);
    });
  }

  /** Resources and methods of `source`, under ids of their own, and its parts under the same. */
  async #copyContent(tx: TenantRepositories, source: RestApi, copy: RestApi): Promise<void> {
    await copyParts(tx, source.id, copy.id);
    const resources = await tx.resources.ofApi(source.id);
    const copies = new Map([[source.rootResourceId, copy.rootResourceId]]);
    for (const resource of resources) {
      if (resource.parentId === null) continue;
      copies.set(resource.id, freshId(this.ids, new Set(copies.values())));
    }
    const copyOf = (resourceId: string): string => copies.get(resourceId)!;
    // Ordered by path, so parents come before their children.
    for (const resource of resources) {
      if (resource.parentId === null) continue;
      await tx.resources.insert({ ...resource, apiId: copy.id, id: copyOf(resource.id), parentId: copyOf(resource.parentId) });
    }
    for (const method of await tx.methods.ofApi(source.id)) {
      const { integration, resourceId } = method;
      const usesDefaultNamespace = integration?.cacheNamespace === resourceId;
      await tx.methods.insert({
        ...method,
        apiId: copy.id,
        resourceId: copyOf(resourceId),
        integration:
          integration === null || !usesDefaultNamespace ? integration : { ...integration, cacheNamespace: copyOf(resourceId) },
      });
    }
  }
}

/** All but versions of documentation, which are history. Models keep referring to each other. */
async function copyParts(tx: TenantRepositories, sourceId: string, copyId: string): Promise<void> {
  const place = `/restapis/${sourceId}/models/`;
  for (const model of await tx.models.ofApi(sourceId))
    await tx.models.insert({ ...model, apiId: copyId, schema: model.schema.replaceAll(place, `/restapis/${copyId}/models/`) });
  const { requestValidators, authorizers, gatewayResponses, documentationParts } = tx;
  for (const parts of [requestValidators, authorizers, gatewayResponses, documentationParts] as ApiPartRepository<ApiPart>[])
    for (const part of await parts.ofApi(sourceId)) await parts.insert({ ...part, apiId: copyId });
}

/** Then functions of its tenant go there, too, while it exists. */
const namesPool = (api: RestApi): boolean => Boolean(api.tags[POOL_TAG]);

/** An id no resource of the API has: the six characters AWS uses can collide. */
export function freshId(ids: IdSource, taken: { has(id: string): boolean }): string {
  for (;;) {
    const id = ids.id(RESOURCE_ID_CHARS);
    if (!taken.has(id)) return id;
  }
}

/** Throws NotFound. */
export async function findApi(tx: TenantRepositories, apiId: string): Promise<RestApi> {
  const api = await tx.restApis.find(apiId);
  if (api === null) throw unknownApi(tx.tenant, apiId);
  return api;
}

/** Like `findApi`, and makes this transaction the only writer of the API. */
export async function lockApi(tx: TenantRepositories, apiId: string): Promise<RestApi> {
  const api = await tx.restApis.lock(apiId);
  if (api === null) throw unknownApi(tx.tenant, apiId);
  return api;
}
