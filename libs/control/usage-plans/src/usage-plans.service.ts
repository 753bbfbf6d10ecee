import { publishApiKey, publishUsagePlan, unpublishUsagePlan } from '@gatehouse/control-publish';
import {
  badRequest,
  checkDeletable,
  checkOnePlanPerStage,
  checkTags,
  conflict,
  DuplicateKey,
  isSameStage,
  checkMethodThrottles,
  checkRoom,
  notFound,
  patchUsagePlan,
  readLimitSettings,
  unknownPlannedStage,
  type ApiKey,
  type Page,
  type PageRequest,
  type PatchOperation,
  type PlannedStage,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
  type UsagePlan,
  type UsagePlanKey,
} from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { unknownApiKey } from './api-keys.service.js';

export type NewUsagePlan = Pick<UsagePlan, 'name' | 'description' | 'apiStages' | 'throttle' | 'quota' | 'tags'>;

/** Plans with six characters of id are unique over all tenants; a clash is unlikely, three in a row are not a clash. */
const ID_ATTEMPTS = 3;

/**
 * Usage plans and the keys in them. Every change is published in its own transaction.
 *
 * Locks, in this order: APIs (sorted), the account, plans, keys. The account stands for "which key may use which stage" of
 * the whole tenant: that a key has one plan per stage can be broken from the side of the plan and from the side of the key.
 */
export class UsagePlans {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async create(tenant: TenantId, request: NewUsagePlan): Promise<UsagePlan> {
    if (request.name === '') throw badRequest('Usage Plan name cannot be empty');
    checkTags(request.tags);
    readLimitSettings(request.tags);
    if (request.apiStages.some((stage, index) => request.apiStages.findIndex((other) => isSameStage(stage, other)) !== index)) {
      throw badRequest('API stages of a Usage Plan must be unique');
    }
    for (let attempt = 1; ; attempt++) {
      const plan: UsagePlan = { ...request, id: this.ids.id(6), productCode: null, createdAtMs: this.clock.nowMs() };
      try {
        return await this.store.transact(tenant, async (tx) => {
          const quotas = await tx.quotas.read();
          checkMethodThrottles(plan, quotas);
          const text = 'Maximum number of Usage Plans for this account has been reached.';
          checkRoom(quotas, 'usagePlans', await tx.usagePlans.count(), text);
          await lockApis(tx, plan.apiStages);
          const missing = await firstMissing(tx, plan.apiStages);
          // The plan has no id yet that would tell the caller anything.
          if (missing !== null)
            throw badRequest(
              `Invalid API Stage {api: ${missing.apiId}, stage: ${missing.stage}} specified for usageplan ${plan.name}`,
            );
          await tx.usagePlans.insert(plan);
          await publishUsagePlan(tx, plan);
          return plan;
        });
      } catch (error) {
        if (!(error instanceof DuplicateKey) || attempt === ID_ATTEMPTS) throw error;
      }
    }
  }

  find(tenant: TenantId, planId: string): Promise<UsagePlan> {
    return this.store.transact(tenant, async (tx) => (await tx.usagePlans.find(planId)) ?? unknownPlan());
  }

  page(tenant: TenantId, filter: { apiKeyId?: string }, request: PageRequest): Promise<Page<UsagePlan>> {
    return this.store.transact(tenant, (tx) => tx.usagePlans.page(filter, request));
  }

  update(tenant: TenantId, planId: string, operations: readonly PatchOperation[]): Promise<UsagePlan> {
    return this.store.transact(tenant, async (tx) => {
      const seen = (await tx.usagePlans.find(planId)) ?? unknownPlan();
      if (operations.length === 0) return seen;
      // APIs are locked before plans, so a first look says which.
      await lockApis(tx, addedStages(seen, patchUsagePlan(seen, operations)));
      await tx.account.read();
      const plan = (await tx.usagePlans.lock(planId)) ?? unknownPlan();
      const changed = patchUsagePlan(plan, operations);
      checkMethodThrottles(changed, await tx.quotas.read());
      const added = addedStages(plan, changed);
      const missing = await firstMissing(tx, added);
      if (missing !== null) throw unknownPlannedStage(planId, missing);
      if (added.length > 0) {
        for (const keyId of await tx.usagePlanKeys.keysOfPlan(planId))
          checkOnePlanPerStage(keyId, changed, await otherPlans(tx, keyId, planId));
      }
      await tx.usagePlans.replace(changed);
      await publishUsagePlan(tx, changed);
      return changed;
    });
  }

  remove(tenant: TenantId, planId: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      await tx.account.read();
      const plan = (await tx.usagePlans.lock(planId)) ?? unknownPlan();
      checkDeletable(plan);
      const keyIds = (await tx.usagePlanKeys.keysOfPlan(planId)).sort();
      for (const keyId of keyIds) await tx.apiKeys.lock(keyId);
      await tx.usagePlans.remove(planId);
      await unpublishUsagePlan(tx, planId);
      for (const keyId of keyIds) await publishApiKey(tx, keyId);
    });
  }

  addKey(tenant: TenantId, planId: string, apiKeyId: string): Promise<ApiKey> {
    return this.store.transact(tenant, async (tx) => {
      await tx.account.read();
      const plan = (await tx.usagePlans.lock(planId)) ?? unknownPlan();
      const key = (await tx.apiKeys.lock(apiKeyId)) ?? unknownApiKey();
      if ((await tx.usagePlanKeys.find({ usagePlanId: planId, apiKeyId })) !== null) {
        throw conflict(`API Key ${apiKeyId} is already in Usage Plan ${planId}`);
      }
      await enterPlan(tx, plan, apiKeyId, this.clock.nowMs());
      await publishApiKey(tx, apiKeyId);
      return key;
    });
  }

  findKey(tenant: TenantId, planId: string, apiKeyId: string): Promise<ApiKey> {
    return this.store.transact(tenant, async (tx) => {
      if ((await tx.usagePlans.find(planId)) === null) unknownPlan();
      if ((await tx.usagePlanKeys.find({ usagePlanId: planId, apiKeyId })) === null) unknownApiKey();
      return (await tx.apiKeys.find(apiKeyId)) ?? unknownApiKey();
    });
  }

  /** Empty for an unknown plan, as on AWS. */
  pageKeys(
    tenant: TenantId,
    planId: string,
    filter: { namePrefix?: string },
    request: PageRequest,
  ): Promise<Page<{ membership: UsagePlanKey; key: ApiKey }>> {
    return this.store.transact(tenant, (tx) => tx.usagePlanKeys.page(planId, filter, request));
  }

  removeKey(tenant: TenantId, planId: string, apiKeyId: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      await tx.account.read();
      if ((await tx.usagePlans.lock(planId)) === null) unknownPlan();
      if (!(await tx.usagePlanKeys.remove({ usagePlanId: planId, apiKeyId }))) unknownApiKey();
      await publishApiKey(tx, apiKeyId);
    });
  }
}

/** In a fixed order, so that two transactions cannot wait for each other; no stage of these APIs goes away before the commit. */
async function lockApis(tx: TenantRepositories, stages: readonly PlannedStage[]): Promise<void> {
  for (const apiId of [...new Set(stages.map((stage) => stage.apiId))].sort()) await tx.restApis.lock(apiId);
}

async function firstMissing(tx: TenantRepositories, stages: readonly PlannedStage[]): Promise<PlannedStage | null> {
  for (const stage of stages) {
    if ((await tx.stages.find({ apiId: stage.apiId, stageName: stage.stage })) === null) return stage;
  }
  return null;
}

function addedStages(before: UsagePlan, after: UsagePlan): PlannedStage[] {
  return after.apiStages.filter((stage) => !before.apiStages.some((known) => isSameStage(known, stage)));
}

/** Throws LimitExceeded and Conflict when the key may not be in this plan as well. Publishes nothing. */
export async function enterPlan(tx: TenantRepositories, plan: UsagePlan, apiKeyId: string, nowMs: number): Promise<void> {
  const others = await otherPlans(tx, apiKeyId, plan.id);
  const text = `Maximum number of Usage Plans for API Key ${apiKeyId} has been reached.`;
  checkRoom(await tx.quotas.read(), 'usagePlansPerKey', others.length, text);
  checkOnePlanPerStage(apiKeyId, plan, others);
  await tx.usagePlanKeys.insert({ usagePlanId: plan.id, apiKeyId, createdAtMs: nowMs });
}

async function otherPlans(tx: TenantRepositories, apiKeyId: string, planId: string): Promise<UsagePlan[]> {
  const plans: UsagePlan[] = [];
  for (const id of await tx.usagePlanKeys.plansOfKey(apiKeyId)) {
    const plan = id === planId ? null : await tx.usagePlans.find(id);
    if (plan !== null) plans.push(plan);
  }
  return plans;
}

export function unknownPlan(): never {
  throw notFound('Invalid Usage Plan ID specified');
}
