import {
  ApiError,
  applyChanges,
  checkRoom,
  DuplicateKey,
  newVpcLink,
  readPatch,
  unknownVpcLink,
  vpcLinkInUse,
  vpcLinkPatchRules,
  type Page,
  type PageRequest,
  type PatchOperation,
  type PrivateTargets,
  type TenantId,
  type TenantStore,
  type VpcLink,
  type VpcLinkRequest,
} from '@gatehouse/domain';
import type { IdSource } from '@gatehouse/kernel';

const ID_CHARS = 6;
const ID_ATTEMPTS = 3;

export class VpcLinks {
  constructor(
    private readonly store: TenantStore,
    private readonly ids: IdSource,
  ) {}

  create(tenant: TenantId, request: VpcLinkRequest): Promise<VpcLink> {
    return this.store.transact(tenant, async (tx) => {
      const text = 'Maximum number of VPC links for this account has been reached.';
      checkRoom(await tx.quotas.read(), 'vpcLinks', await tx.vpcLinks.count(), text);
      for (let attempt = 1; ; attempt++) {
        const link = newVpcLink(request, this.ids.id(ID_CHARS));
        try {
          await tx.vpcLinks.insert(link);
          return link;
        } catch (error) {
          if (!(error instanceof DuplicateKey) || attempt === ID_ATTEMPTS) throw error;
        }
      }
    });
  }

  find(tenant: TenantId, id: string): Promise<VpcLink> {
    return this.store.transact(tenant, async (tx) => (await tx.vpcLinks.find(id)) ?? refuse());
  }

  page(tenant: TenantId, request: PageRequest): Promise<Page<VpcLink>> {
    return this.store.transact(tenant, (tx) => tx.vpcLinks.page(request));
  }

  update(tenant: TenantId, id: string, operations: readonly PatchOperation[] | undefined): Promise<VpcLink> {
    return this.store.transact(tenant, async (tx) => {
      const link = (await tx.vpcLinks.lock(id)) ?? refuse();
      const changed = applyChanges(link, readPatch(operations, vpcLinkPatchRules));
      await tx.vpcLinks.replace(changed);
      return changed;
    });
  }

  /** Where it leads; `null`: nowhere yet. */
  targets(tenant: TenantId, id: string): Promise<PrivateTargets | null> {
    return this.store.transact(tenant, async (tx) => ((await tx.vpcLinks.find(id)) ?? refuse()).privateTargets ?? null);
  }

  /**
   * `null` takes them away. What the operator said, a tenant does not change. Stages hold it in their snapshots: the caller publishes
   * the tenant again.
   */
  setTargets(tenant: TenantId, id: string, targets: PrivateTargets | null, isOperator: boolean): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const { privateTargets, ...link } = (await tx.vpcLinks.lock(id)) ?? refuse();
      if (privateTargets?.isOperators === true && !isOperator)
        throw new ApiError('AccessDeniedException', 403, `The operator said where VPC link ${id} leads`);
      await tx.vpcLinks.replace(targets === null ? link : { ...link, privateTargets: targets });
    });
  }

  /** Refused while an integration goes through it. What is deployed is not asked: it goes on until it is published again, and is refused then. */
  remove(tenant: TenantId, id: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      if ((await tx.vpcLinks.lock(id)) === null) refuse();
      const methods = await tx.methods.usingVpcLink(id);
      if (methods.length > 0) throw vpcLinkInUse(id, methods);
      await tx.vpcLinks.remove(id);
    });
  }
}

function refuse(): never {
  throw unknownVpcLink();
}
