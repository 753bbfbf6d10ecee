/** What a node serves at one revision: an index of all stages, keys, plans and domain names. Immutable; the next one shares what did not change. */
import type { ApiKeyEntry, ThrottleSettings, UsagePlanEntry } from '@gatehouse/contracts';
import type { UsagePlanView, WorldView } from '@gatehouse/engine-exchange';
import type { LinkedAccessKey } from './access-keys.js';
import type { LinkedServiceAccess } from './service-access.js';
import { KeyTable } from './key-table.js';
import type { LinkedCertificate, LinkedDomainName } from './domain-names.js';
import { PersistentMap } from './persistent-map.js';
import type { SnapshotName } from './read-snapshot.js';

export class World implements WorldView {
  static readonly EMPTY = new World(
    0,
    PersistentMap.empty(),
    KeyTable.EMPTY,
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
    PersistentMap.empty(),
  );

  constructor(
    readonly revision: number,
    /** By `{apiId}/{stage}`. */
    readonly stages: PersistentMap<SnapshotName>,
    readonly keys: KeyTable,
    readonly plans: PersistentMap<LinkedUsagePlan>,
    /** By name: `api.example.com`, `*.example.com`. */
    readonly domainNames: PersistentMap<LinkedDomainName>,
    /** By `{tenant}:{certificateId}`. */
    readonly certificates: PersistentMap<LinkedCertificate>,
    /** By access key id: ids are unique over all tenants. */
    readonly accessKeys: PersistentMap<LinkedAccessKey>,
    /** What stages show their backends, by `clientCertificateEntryId`. */
    readonly clientCertificates: PersistentMap<LinkedCertificate>,
    /** By tenant. */
    readonly services: PersistentMap<LinkedServiceAccess>,
  ) {}

  /** The domain name itself before the wildcard of one level above it. `host` in lower case. */
  domainName(host: string): LinkedDomainName | null {
    if (this.domainNames.size === 0) return null;
    const exact = this.domainNames.get(host);
    if (exact !== null) return exact;
    const dot = host.indexOf('.');
    return dot === -1 ? null : this.domainNames.get(`*${host.slice(dot)}`);
  }

  /** What callers of a domain name are shown; `null` while it is not here. */
  certificateOf({ settings }: LinkedDomainName): LinkedCertificate | null {
    return this.certificates.get(`${settings.tenant}:${settings.certificateId}`);
  }

  apiKey(tenant: string, valueDigest: string): ApiKeyEntry | null {
    return this.keys.find(tenant, valueDigest);
  }

  serviceAccess(tenant: string): LinkedServiceAccess | null {
    return this.services.get(tenant);
  }

  accessKey(accessKeyId: string): LinkedAccessKey | null {
    return this.accessKeys.get(accessKeyId);
  }

  /** A plan of another tenant does not exist. */
  usagePlan(tenant: string, usagePlanId: string): LinkedUsagePlan | null {
    const plan = this.plans.get(usagePlanId);
    return plan !== null && plan.settings.tenant === tenant ? plan : null;
  }
}

type ThrottlesOfStages = Map<string, Map<string, ReadonlyMap<string, ThrottleSettings>>>;

export class LinkedUsagePlan implements UsagePlanView {
  /**
   * By API, then stage: names that are joined for each request would be hashed for each request. Made at the first request of a
   * key of the plan: most plans of a large node are not in use, and the maps outweigh all else of them.
   */
  private stages: ThrottlesOfStages | null = null;

  constructor(readonly settings: UsagePlanEntry) {}

  methodThrottles(apiId: string, stage: string): ReadonlyMap<string, ThrottleSettings> | null {
    return (this.stages ??= throttlesOf(this.settings)).get(apiId)?.get(stage) ?? null;
  }
}

function throttlesOf({ apiStages }: UsagePlanEntry): ThrottlesOfStages {
  const byApi: ThrottlesOfStages = new Map();
  for (const { apiId, stage, methodThrottles } of apiStages) {
    let stages = byApi.get(apiId);
    if (stages === undefined) byApi.set(apiId, (stages = new Map()));
    stages.set(stage, new Map(Object.entries(methodThrottles)));
  }
  return byApi;
}
