import {
  applyChanges,
  badRequest,
  checkResourceCount,
  readPatch,
  resourcePatchRules,
  ResourceTree,
  unknownResource,
  type Method,
  type PageRequest,
  type PatchOperation,
  type Resource,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { IdSource } from '@gatehouse/kernel';
import { findApi, freshId, lockApi } from './rest-apis.service.js';

/** A resource and its methods, by verb. */
export interface ResourceWithMethods {
  readonly resource: Resource;
  readonly methods: readonly Method[];
}

/** The path tree of an API. Writers hold the API's lock, so the tree they judge is the tree they change. */
export class Resources {
  constructor(
    private readonly store: TenantStore,
    private readonly ids: IdSource,
  ) {}

  create(tenant: TenantId, apiId: string, parentId: string, pathPart: string): Promise<Resource> {
    return this.#change(tenant, apiId, async (tx, tree) => {
      const taken = { has: (id: string) => tree.find(id) !== null };
      const resource = tree.grow(parentId, freshId(this.ids, taken), pathPart);
      checkResourceCount(tree.size, await tx.quotas.read());
      await tx.resources.insert(resource);
      return resource;
    });
  }

  /** Throws NotFound. */
  find(tenant: TenantId, apiId: string, resourceId: string): Promise<ResourceWithMethods> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      const resource = await tx.resources.find({ apiId, resourceId });
      if (resource === null) throw unknownResource();
      return { resource, methods: await tx.methods.ofResources(apiId, [resourceId]) };
    });
  }

  /** By path. */
  page(tenant: TenantId, apiId: string, request: PageRequest): Promise<{ items: ResourceWithMethods[]; next: string | null }> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      const { items, next } = await tx.resources.page(apiId, request);
      const methods = await tx.methods.ofResources(
        apiId,
        items.map((resource) => resource.id),
      );
      const byResource = Map.groupBy(methods, (method) => method.resourceId);
      return { items: items.map((resource) => ({ resource, methods: byResource.get(resource.id) ?? [] })), next };
    });
  }

  /** Renames or moves a resource; the paths below it follow. */
  update(
    tenant: TenantId,
    apiId: string,
    resourceId: string,
    operations: readonly PatchOperation[] | undefined,
  ): Promise<ResourceWithMethods> {
    return this.#change(tenant, apiId, async (tx, tree) => {
      const resource = tree.get(resourceId);
      const place = applyChanges(
        { parentId: resource.parentId, pathPart: resource.pathPart },
        readPatch(operations, resourcePatchRules),
      );
      const moved = tree.move(resource, place);
      for (const changed of moved) await tx.resources.replace(changed);
      return { resource: moved[0] ?? resource, methods: await tx.methods.ofResources(apiId, [resourceId]) };
    });
  }

  /** With everything below it. */
  remove(tenant: TenantId, apiId: string, resourceId: string): Promise<void> {
    return this.#change(tenant, apiId, async (tx, tree) => {
      const resource = tree.get(resourceId);
      if (resource.parentId === null) throw badRequest('Root resource cannot be deleted.');
      for (const { id } of tree.subtree(resource).reverse()) await tx.resources.remove({ apiId, resourceId: id });
    });
  }

  #change<T>(tenant: TenantId, apiId: string, work: (tx: TenantRepositories, tree: ResourceTree) => Promise<T>): Promise<T> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      return work(tx, new ResourceTree(await tx.resources.ofApi(apiId)));
    });
  }
}
