import { publishApiKey } from '@gatehouse/control-publish';
import { ApiError, badRequest, type ApiKey, type TenantId, type TenantRepositories, type TenantStore } from '@gatehouse/domain';
import { Secret, type Clock, type IdSource } from '@gatehouse/kernel';
import type { ApiKeyRow } from './api-key-file.js';
import { checkRoomForKeys } from './api-keys.service.js';
import { enterPlan } from './usage-plans.service.js';

/** What was imported, and what was left out of it. */
export interface Imported {
  /** In the order of the file. */
  readonly ids: string[];
  readonly warnings: string[];
}

/** Many keys at once. A value that is there already is that key: the file's line overwrites it. */
export class ApiKeyImport {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  /** All of it or nothing. With `failsOnWarnings` a plan that a key cannot enter is a BadRequest. */
  all(tenant: TenantId, rows: readonly ApiKeyRow[], failsOnWarnings: boolean): Promise<Imported> {
    return this.store.transact(tenant, async (tx) => {
      await tx.account.read();
      const warnings: string[] = [];
      const ids = new Set<string>();
      const quotas = await tx.quotas.read();
      const present = await tx.apiKeys.count();
      let created = 0;
      for (const row of rows) {
        const key = await this.#write(tx, row, () => checkRoomForKeys(quotas, present + created++));
        ids.add(key.id);
        for (const planId of row.usagePlanIds) {
          const problem = await this.#enter(tx, planId, key.id);
          if (problem !== null) warnings.push(`API Key ${row.name}: ${problem}`);
        }
      }
      if (failsOnWarnings && warnings.length > 0) throw badRequest(`Warnings found during import: ${warnings.join('\t')}`);
      for (const id of ids) await publishApiKey(tx, id);
      return { ids: [...ids], warnings };
    });
  }

  /** `checkRoom` is called before a key that was not there is written. */
  async #write(tx: TenantRepositories, row: ApiKeyRow, checkRoom: () => void): Promise<ApiKey> {
    const nowMs = this.clock.nowMs();
    const { name, description, enabled } = row;
    const present = await tx.apiKeys.findByValue(row.value);
    if (present !== null) {
      const changed = { ...present, name, description, enabled, lastUpdatedAtMs: nowMs };
      await tx.apiKeys.replace(changed);
      return changed;
    }
    checkRoom();
    const key: ApiKey = {
      id: this.ids.id(10),
      value: new Secret(row.value),
      name,
      description,
      customerId: null,
      enabled,
      createdAtMs: nowMs,
      lastUpdatedAtMs: nowMs,
      stageKeys: [],
      tags: {},
    };
    await tx.apiKeys.insert(key);
    return key;
  }

  /** Why the key is not in the plan; `null` when it is. */
  async #enter(tx: TenantRepositories, planId: string, apiKeyId: string): Promise<string | null> {
    const plan = await tx.usagePlans.lock(planId);
    if (plan === null) return `Invalid Usage Plan ID specified: ${planId}`;
    if ((await tx.usagePlanKeys.find({ usagePlanId: planId, apiKeyId })) !== null) return null;
    try {
      await enterPlan(tx, plan, apiKeyId, this.clock.nowMs());
      return null;
    } catch (error) {
      if (error instanceof ApiError) return error.message;
      throw error;
    }
  }
}
