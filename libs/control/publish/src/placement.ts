import { DEFAULT_POOL, POOL_TAG, poolsOf, type TenantRepositories, type UsagePlan } from '@gatehouse/domain';

/** The pool whose nodes serve the API, by its tag `gatehouse:pool`. No such pool need exist: then nobody serves it. */
export async function poolOfApi(tx: TenantRepositories, apiId: string): Promise<string> {
  const api = await tx.restApis.find(apiId);
  return api?.tags[POOL_TAG] || DEFAULT_POOL;
}

/** Those of the APIs the plan covers: their nodes need it. */
export async function poolsOfPlan(tx: TenantRepositories, plan: UsagePlan): Promise<string[]> {
  const pools = new Set<string>();
  for (const apiId of new Set(plan.apiStages.map((covered) => covered.apiId))) pools.add(await poolOfApi(tx, apiId));
  return [...pools];
}

/** Those of the plans the key is in, as they are published. */
export async function poolsOfPlans(tx: TenantRepositories, usagePlanIds: readonly string[]): Promise<string[]> {
  const pools = new Set<string>();
  for (const id of usagePlanIds) {
    const content = (await tx.manifest.find('USAGE_PLAN', id))?.content;
    for (const pool of content ? poolsOf(content) : [DEFAULT_POOL]) pools.add(pool);
  }
  return [...pools];
}
