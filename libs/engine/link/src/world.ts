/** What a node serves at one revision: an index of all stages, keys and plans. Immutable; the next one shares what did not change. */
import type { ApiKeyEntry, ThrottleSettings, UsagePlanEntry } from '@gatehouse/contracts';
import type { UsagePlanView, WorldView } from '@gatehouse/engine-exchange';
import { PersistentMap } from './persistent-map.js';
import type { SnapshotName } from './read-snapshot.js';

export class World implements WorldView {
  static readonly EMPTY = new World(
    0,
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
  );

  constructor(
    readonly revision: number,
    /** By `{apiId}/{stage}`. */
    readonly stages: PersistentMap<SnapshotName>,
    readonly keysById: PersistentMap<ApiKeyEntry>,
    readonly keysByDigest: PersistentMap<ApiKeyEntry>,
    readonly plans: PersistentMap<LinkedUsagePlan>,
  ) {}

  apiKey(tenant: string, valueDigest: string): ApiKeyEntry | null {
    return this.keysByDigest.get(digestKey(tenant, valueDigest));
  }

  /** A plan of another tenant does not exist. */
  usagePlan(tenant: string, usagePlanId: string): LinkedUsagePlan | null {
    const plan = this.plans.get(usagePlanId);
    return plan !== null && plan.settings.tenant === tenant ? plan : null;
  }
}

export function digestKey(tenant: string, valueDigest: string): string {
  return `${tenant} ${valueDigest}`;
}

export class LinkedUsagePlan implements UsagePlanView {
  /** By API, then stage: names that are joined for each request would be hashed for each request. */
  private readonly stages = new Map<string, Map<string, ReadonlyMap<string, ThrottleSettings>>>();

  constructor(readonly settings: UsagePlanEntry) {
    for (const { apiId, stage, methodThrottles } of settings.apiStages) {
      let stages = this.stages.get(apiId);
      if (stages === undefined) this.stages.set(apiId, (stages = new Map()));
      stages.set(stage, new Map(Object.entries(methodThrottles)));
    }
  }

  methodThrottles(apiId: string, stage: string): ReadonlyMap<string, ThrottleSettings> | null {
    return this.stages.get(apiId)?.get(stage) ?? null;
  }
}
