import { withKnownReferences } from './api-parts.service.js';
import {
  conflict,
  newMethod,
  noSuchVpcLink,
  unknownMethod,
  unknownResource,
  vpcLinkIdOf,
  type Method,
  type MethodKey,
  type MethodRequest,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';

/**
 * Methods, with their responses, integration and integration responses: one aggregate, read and written as a whole.
 * AWS names the resource, not the API, when the API is unknown.
 */
export class Methods {
  constructor(private readonly store: TenantStore) {}

  create(tenant: TenantId, key: MethodKey, request: MethodRequest): Promise<Method> {
    return this.store.transact(tenant, async (tx) => {
      await lockApiOfMethod(tx, key);
      if ((await tx.resources.find(resourceKey(key))) === null) throw unknownResource();
      const method = await withKnownReferences(tx, newMethod(key, request));
      if ((await tx.methods.find(key)) !== null) throw conflict('Method already exists for this resource');
      await tx.methods.insert(method);
      return method;
    });
  }

  /** Throws NotFound. */
  find(tenant: TenantId, key: MethodKey): Promise<Method> {
    return this.store.transact(tenant, async (tx) => (await tx.methods.find(key)) ?? missing(tx, key, unknownMethod));
  }

  /** The method after `change`. `unknown` makes the error for a method that is not there. */
  change(
    tenant: TenantId,
    key: MethodKey,
    change: (method: Method, tx: TenantRepositories) => Method | Promise<Method>,
    unknown = unknownMethod,
  ): Promise<Method> {
    return this.store.transact(tenant, async (tx) => {
      await lockApiOfMethod(tx, key);
      const present = (await tx.methods.find(key)) ?? (await missing(tx, key, unknown));
      const method = await withKnownReferences(tx, await change(present, tx));
      if (vpcLinkIdOf(method) !== vpcLinkIdOf(present)) await holdVpcLink(tx, method);
      await tx.methods.replace(method);
      return method;
    });
  }

  remove(tenant: TenantId, key: MethodKey): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      await lockApiOfMethod(tx, key);
      if (!(await tx.methods.remove(key))) await missing(tx, key, unknownMethod);
    });
  }
}

async function lockApiOfMethod(tx: TenantRepositories, { apiId }: MethodKey): Promise<void> {
  if ((await tx.restApis.lock(apiId)) === null) throw unknownResource();
}

/** Until the transaction ends: whoever deletes the link waits, and then finds the method. */
async function holdVpcLink(tx: TenantRepositories, method: Method): Promise<void> {
  const id = vpcLinkIdOf(method);
  if (id !== null && (await tx.vpcLinks.lock(id)) === null) throw noSuchVpcLink();
}

async function missing(tx: TenantRepositories, key: MethodKey, unknown: () => Error): Promise<never> {
  throw (await tx.resources.find(resourceKey(key))) === null ? unknownResource() : unknown();
}

const resourceKey = ({ apiId, resourceId }: MethodKey): { apiId: string; resourceId: string } => ({ apiId, resourceId });
