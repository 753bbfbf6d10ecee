/**
 * Which pools' nodes are sent what:
 *
 *   STAGE       the pool of its API: its tag `gatehouse:pool`, else the tenant's pool, else `default`
 *   USAGE_PLAN  those of the APIs it covers; the tenant's when it covers none
 *   API_KEY     those of the plans it is in
 *   DOMAIN_NAME its tag `gatehouse:pool`, else the tenant's pool
 *   CERTIFICATE those of the domain names that show it; a client certificate: those of the APIs whose stages do
 *   SERVICE_ACCESS  those of the APIs whose stages use it
 *   FUNCTION    the tenant's, and those its tagged APIs name: whoever serves an API may call any function of its tenant
 */
import {
  isClientCertificateEntryId,
  type ApiKeyEntry,
  type CertificateEntry,
  type DomainNameEntry,
  type ServiceAccessEntry,
  type UsagePlanEntry,
} from '@gatehouse/contracts';
import {
  DEFAULT_POOL,
  POOL_TAG,
  poolsOf,
  type DomainName,
  type ManifestEntry,
  type Page,
  type PageRequest,
  type RestApi,
  type TenantRepositories,
  type TextMap,
  type UsagePlan,
} from '@gatehouse/domain';

/** APIs, or domain names, read at once. */
const PAGE_LIMIT = 500;

/** The pool of what says nothing itself. The placement stays as it is until the transaction ends. */
async function poolOfTenant(tx: TenantRepositories): Promise<string> {
  return (await tx.placement.read()) ?? DEFAULT_POOL;
}

/** The pool whose nodes serve the API. No such pool need exist: then nobody serves it. `locked`: the API, if the caller holds it. */
export async function poolOfApi(tx: TenantRepositories, apiId: string, locked?: RestApi): Promise<string> {
  const pool = await poolOfTenant(tx);
  const api = locked ?? (await tx.restApis.find(apiId));
  return api?.tags[POOL_TAG] || pool;
}

/** The pool whose nodes take its callers. What it leads to has a place of its own. */
export async function poolOfDomainName(tx: TenantRepositories, domain: Pick<DomainName, 'tags'>): Promise<string> {
  return domain.tags[POOL_TAG] || (await poolOfTenant(tx));
}

export async function poolsOfPlan(tx: TenantRepositories, plan: UsagePlan): Promise<string[]> {
  const pools = new Set<string>();
  for (const apiId of new Set(plan.apiStages.map((covered) => covered.apiId))) pools.add(await poolOfApi(tx, apiId));
  return pools.size === 0 ? [await poolOfTenant(tx)] : [...pools];
}

/** Those of the plans the key is in, as they are published. */
export async function poolsOfPlans(tx: TenantRepositories, usagePlanIds: readonly string[]): Promise<string[]> {
  const pool = await poolOfTenant(tx);
  const pools = new Set<string>();
  for (const id of usagePlanIds) {
    const content = (await tx.manifest.find('USAGE_PLAN', id))?.content;
    for (const served of content ? poolsOf(content) : [pool]) pools.add(served);
  }
  return [...pools];
}

export async function poolsOfFunctions(tx: TenantRepositories): Promise<string[]> {
  const pool = await poolOfTenant(tx);
  return functionPools(pool, await poolTags((request) => tx.restApis.page(request), 'id'));
}

/**
 * Sends everything the tenant has published to where it belongs now, and tells the nodes that had it to forget it. The caller holds the
 * placement (`placement.lock`) and has written it, or the tag that stands above it.
 */
export async function placeTenant(tx: TenantRepositories): Promise<void> {
  const pool = await poolOfTenant(tx);
  const tagged = await poolTags((request) => tx.restApis.page(request), 'id');
  const taggedDomains = await poolTags((request) => tx.domainNames.page(request), 'name');
  await tx.manifest.place((entries) => placementOf(entries, pool, tagged, taggedDomains));
}

/** Of every entry whose kind is placed; `tagged` and `taggedDomains` have the APIs and domain names that name a pool of their own. */
export function placementOf(
  entries: readonly ManifestEntry[],
  pool: string,
  tagged: ReadonlyMap<string, string>,
  taggedDomains: ReadonlyMap<string, string> = new Map(),
): Map<ManifestEntry, readonly string[]> {
  const ofApi = (apiId: string): string => tagged.get(apiId) ?? pool;
  const plans = new Map<string, readonly string[]>();
  for (const entry of entries) {
    if (entry.kind !== 'USAGE_PLAN') continue;
    const { apiStages } = inlineOf<UsagePlanEntry>(entry);
    plans.set(entry.id, apiStages.length === 0 ? [pool] : apiStages.map(({ apiId }) => ofApi(apiId)));
  }
  const certificates = new Map<string, string[]>();
  for (const entry of entries) {
    if (entry.kind !== 'DOMAIN_NAME') continue;
    const id = `${entry.tenant}:${inlineOf<DomainNameEntry>(entry).certificateId}`;
    certificates.set(id, [...(certificates.get(id) ?? []), taggedDomains.get(entry.id) ?? pool]);
  }
  const functions = functionPools(pool, tagged);
  const placement = new Map<ManifestEntry, readonly string[]>();
  for (const entry of entries) {
    switch (entry.kind) {
      case 'STAGE':
        placement.set(entry, [ofApi(entry.id.slice(0, entry.id.indexOf('/')))]);
        break;
      case 'USAGE_PLAN':
        placement.set(entry, plans.get(entry.id)!);
        break;
      case 'API_KEY':
        placement.set(
          entry,
          inlineOf<ApiKeyEntry>(entry).usagePlanIds.flatMap((id) => plans.get(id) ?? [pool]),
        );
        break;
      case 'FUNCTION':
      case 'ACCESS_KEY':
        placement.set(entry, functions);
        break;
      case 'DOMAIN_NAME':
        placement.set(entry, [taggedDomains.get(entry.id) ?? pool]);
        break;
      case 'CERTIFICATE':
        placement.set(
          entry,
          isClientCertificateEntryId(entry.id)
            ? (inlineOf<CertificateEntry>(entry).apiIds ?? []).map(ofApi)
            : (certificates.get(entry.id) ?? [pool]),
        );
        break;
      case 'SERVICE_ACCESS':
        placement.set(entry, [...new Set(inlineOf<ServiceAccessEntry>(entry).apiIds.map(ofApi))]);
        break;
    }
  }
  return placement;
}

const functionPools = (pool: string, tagged: ReadonlyMap<string, string>): string[] => [...new Set([pool, ...tagged.values()])];

const inlineOf = <T>(entry: ManifestEntry): T => JSON.parse(entry.content!.inline) as T;

/** Name to pool, of those that name one. */
async function poolTags<K extends string, E extends { readonly tags: TextMap } & Readonly<Record<K, string>>>(
  page: (request: PageRequest) => Promise<Page<E>>,
  name: K,
): Promise<Map<string, string>> {
  const tagged = new Map<string, string>();
  for (let after: string | null = null; ;) {
    const { items, next }: Page<E> = await page({ after, limit: PAGE_LIMIT });
    for (const item of items) if (item.tags[POOL_TAG]) tagged.set(item[name], item.tags[POOL_TAG]);
    if (next === null) return tagged;
    after = next;
  }
}
