/** Random tenants, placements, tags, plans and keys, in random order: after each change every node holds what its labels say, no more. */
import {
  entryForPool,
  definitionDigest,
  InMemoryStore,
  newStage,
  POOL_TAG,
  tenantId,
  type EntryKind,
  type TenantId,
  type TenantRepositories,
} from '@gatehouse/domain';
import { sampleCertificate, sampleDomainName, sampleRestApi } from '@gatehouse/domain/samples';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { placeTenant } from './placement.js';
import { publishApiKey, publishFunction, publishStage, publishUsagePlan } from './publish.js';
import { publishCertificate, publishDomainName, unpublishDomainName } from './publish-domain-names.js';
import { oneMethodDefinition } from './testing/definition.js';

const POOLS = ['default', 'eu', 'us'];
const KINDS: readonly EntryKind[] = ['STAGE', 'USAGE_PLAN', 'API_KEY', 'FUNCTION', 'DOMAIN_NAME', 'CERTIFICATE'];
const STEPS = 60;

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What should be where, as an operator would say it; knows nothing of entries. */
interface Tenant {
  readonly id: TenantId;
  pool: string | null;
  readonly tags: Map<string, string | null>;
  readonly covered: Map<string, Set<string>>;
  readonly keys: Map<string, Set<string>>;
  readonly functions: Set<string>;
  /** Pool and certificate of each. */
  readonly domains: Map<string, { pool: string | null; readonly certificateId: string }>;
}

function expectedAt(pool: string, { id, pool: home, tags, covered, keys, functions, domains }: Tenant): string[] {
  const isHome = (home ?? 'default') === pool;
  const apiIs = (apiId: string) => (tags.get(apiId) ?? home ?? 'default') === pool;
  const planIs = (planId: string) => {
    const apis = [...covered.get(planId)!];
    return apis.length === 0 ? isHome : apis.some(apiIs);
  };
  const served = [...domains].filter(([, domain]) => (domain.pool ?? home ?? 'default') === pool);
  return [
    ...served.map(([name]) => `DOMAIN_NAME ${name}`),
    ...new Set(served.map(([, { certificateId }]) => `CERTIFICATE ${id}:${certificateId}`)),
    ...[...tags.keys()].filter(apiIs).map((apiId) => `STAGE ${apiId}/dev`),
    ...[...covered.keys()].filter(planIs).map((planId) => `USAGE_PLAN ${planId}`),
    ...[...keys].filter(([, plans]) => [...plans].some(planIs)).map(([keyId]) => `API_KEY ${keyId}`),
    ...[...functions].filter(() => isHome || [...tags.values()].includes(pool)).map((name) => `FUNCTION ${id}:${name}:$LATEST`),
  ];
}

/** A node of one pool that is sent every change, as `control/nodes` does it. */
class Node {
  readonly held = new Set<string>();
  private revision = 0;
  constructor(
    readonly pool: string,
    private readonly store: InMemoryStore,
  ) {}

  async follow(): Promise<void> {
    for (const entry of (await this.store.manifest.since(this.revision, KINDS))!) {
      this.revision = entry.revision;
      const told = entryForPool(entry, this.pool);
      if (told === null) continue;
      const name = `${entry.kind} ${entry.id}`;
      if (told.content === null)
        expect(this.held.delete(name) || entry.formerPools !== undefined, `${name} is removed for nothing`).toBe(true);
      else this.held.add(name);
    }
  }
}

for (let seed = 1; seed <= 12; seed++) {
  test(`every node holds exactly what its labels say, seed ${seed}`, async () => {
    const random = randomOf(seed);
    const pick = <T>(from: Iterable<T>): T | undefined => [...from][Math.floor(random() * [...from].length)];
    const store = new InMemoryStore(new ManualClock());
    const nodes = POOLS.map((pool) => new Node(pool, store));
    const tenants = ['111111111111', '222222222222'].map((id): Tenant => ({
      id: tenantId(id),
      pool: null,
      tags: new Map(),
      covered: new Map(),
      keys: new Map(),
      functions: new Set(),
      domains: new Map(),
    }));
    let names = 0;
    for (let step = 0; step < STEPS; step++) {
      const tenant = pick(tenants)!;
      await store.tenants.transact(tenant.id, (tx) => change(tx, tenant, random, pick, `n${++names}`));
      for (const node of nodes) {
        await node.follow();
        const expected = tenants.flatMap((each) => expectedAt(node.pool, each));
        expect([...node.held].sort(), `pool ${node.pool}, step ${step}`).toEqual(expected.sort());
      }
    }
  });
}

async function change(
  tx: TenantRepositories,
  tenant: Tenant,
  random: () => number,
  pick: <T>(from: Iterable<T>) => T | undefined,
  name: string,
): Promise<void> {
  const pool = pick([null, ...POOLS])!;
  switch (Math.floor(random() * 10)) {
    case 0:
      await tx.placement.lock();
      await tx.placement.write(pool);
      tenant.pool = pool;
      return placeTenant(tx);
    case 1:
      return addApi(tx, tenant, name, pool);
    case 2: {
      const apiId = pick(tenant.tags.keys());
      if (apiId === undefined) return;
      await tx.placement.lock();
      await tx.restApis.replace({ ...(await tx.restApis.find(apiId))!, tags: pool === null ? {} : { [POOL_TAG]: pool } });
      tenant.tags.set(apiId, pool);
      return placeTenant(tx);
    }
    case 3:
      tenant.covered.set(name, new Set());
      await tx.usagePlans.insert(planOf(name, []));
      return publishUsagePlan(tx, planOf(name, []));
    case 4: {
      const planId = pick(tenant.covered.keys());
      const apiId = pick(tenant.tags.keys());
      if (planId === undefined || apiId === undefined) return;
      const covered = tenant.covered.get(planId)!;
      if (!covered.delete(apiId)) covered.add(apiId);
      const plan = planOf(planId, [...covered]);
      await tx.usagePlans.replace(plan);
      return publishUsagePlan(tx, plan);
    }
    case 5: {
      const planId = pick(tenant.covered.keys());
      if (planId === undefined) return;
      const keyId = (random() < 0.5 ? pick(tenant.keys.keys()) : undefined) ?? (await addKey(tx, tenant, name));
      if (tenant.keys.get(keyId)!.has(planId)) return;
      tenant.keys.get(keyId)!.add(planId);
      await tx.usagePlanKeys.insert({ usagePlanId: planId, apiKeyId: keyId, createdAtMs: 0 });
      return publishApiKey(tx, keyId);
    }
    case 6: {
      const certificateId = pick(['one', 'two'])!;
      if ((await tx.certificates.find(certificateId)) === null)
        await tx.certificates.insert(sampleCertificate({ id: certificateId }));
      tenant.domains.set(name, { pool, certificateId });
      const domain = domainOf(tenant, name);
      await tx.domainNames.insert(domain);
      return publishDomainName(tx, domain);
    }
    case 7: {
      const domain = pick(tenant.domains.keys());
      if (domain === undefined) return;
      tenant.domains.get(domain)!.pool = pool;
      await tx.placement.lock();
      await tx.domainNames.replace(domainOf(tenant, domain));
      return placeTenant(tx);
    }
    case 8: {
      const domain = pick(tenant.domains.keys());
      if (domain === undefined) return;
      const { certificateId } = tenant.domains.get(domain)!;
      tenant.domains.delete(domain);
      await tx.domainNames.remove(domain);
      await unpublishDomainName(tx, domain);
      return publishCertificate(tx, certificateId);
    }
    default:
      tenant.functions.add(name);
      return publishFunction(tx, functionOf(name));
  }
}

async function addApi(tx: TenantRepositories, tenant: Tenant, apiId: string, pool: string | null): Promise<void> {
  if (pool !== null) await tx.placement.lock();
  const api = sampleRestApi({ id: apiId, tags: pool === null ? {} : { [POOL_TAG]: pool } });
  await tx.restApis.insert(api);
  if (pool !== null) await placeTenant(tx);
  tenant.tags.set(apiId, pool);
  const definition = oneMethodDefinition(api);
  const deployment = { apiId, id: 'dep001', description: null, createdAtMs: 0, definition, digest: definitionDigest(definition) };
  await tx.deployments.insert(deployment);
  const stage = newStage(apiId, 'dev', 'dep001', {}, 0);
  await tx.stages.insert(stage);
  await publishStage(tx, stage);
}

async function addKey(tx: TenantRepositories, tenant: Tenant, id: string): Promise<string> {
  const common = { name: null, description: null, customerId: null, createdAtMs: 0, lastUpdatedAtMs: 0, stageKeys: [], tags: {} };
  await tx.apiKeys.insert({ ...common, id, value: new Secret(id.padEnd(20, 'v')), enabled: true });
  tenant.keys.set(id, new Set());
  return id;
}

function domainOf({ id, domains }: Tenant, name: string) {
  const { pool, certificateId } = domains.get(name)!;
  const regionalCertificateArn = `arn:aws:acm:us-east-1:${id}:certificate/${certificateId}`;
  return sampleDomainName({ name, regionalCertificateArn, tags: pool === null ? {} : { [POOL_TAG]: pool } });
}

const planOf = (id: string, apiIds: readonly string[]) => ({
  id,
  name: id,
  description: null,
  apiStages: apiIds.map((apiId) => ({ apiId, stage: 'dev', throttle: null })),
  throttle: null,
  quota: null,
  productCode: null,
  createdAtMs: 0,
  tags: {},
});

const functionOf = (name: string) => ({
  name,
  region: 'us-east-1',
  latest: {
    functionName: name,
    version: '$LATEST',
    description: '',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    role: 'arn:aws:iam::111111111111:role/lambda',
    timeoutSeconds: 3,
    memoryMb: 128,
    environment: {},
    architectures: ['x86_64'],
    ephemeralStorageMb: 512,
    layers: [],
    tracingMode: 'PassThrough' as const,
    packageType: 'Zip' as const,
    codeDigest: 'ab'.repeat(32),
    codeBytes: 7,
    lastModifiedAtMs: 0,
    revisionId: 'r1',
  },
  newestVersion: 0,
  createdAtMs: 0,
  tags: {},
  reservedConcurrency: null,
});
