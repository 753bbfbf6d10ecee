import { systemClock, type Clock } from '@gatehouse/kernel';
import type { IdentityPolicy } from '../../tenancy/identity-policy.js';
import type { Credential, Tenant, TenantId } from '../../tenancy/tenant.js';
import { DuplicateKey, type Store, type TenantDirectory, type TenantRepositories, type TenantStore } from '../store.js';
import { InMemoryBlobs, InMemoryManifest, InMemoryManifestLog } from './manifest.js';
import { InMemoryLeaseBook } from './lease-book.js';
import { InMemoryMeteringLog, InMemoryMetrics, InMemoryUsage } from './metering.js';
import { InMemoryNodes } from './nodes.js';
import { InMemoryPlaneChannel } from './plane-channel.js';
import {
  emptyTables,
  finish,
  InMemoryAccessKeys,
  InMemoryAccount,
  InMemoryApiKeys,
  InMemoryApiParts,
  InMemoryBasePathMappings,
  InMemoryCertificates,
  InMemoryClientCertificates,
  InMemoryDeployments,
  InMemoryDomainNames,
  InMemoryFunctionAliases,
  InMemoryFunctions,
  InMemoryFunctionStatements,
  InMemoryFunctionVersions,
  InMemoryIdentityPolicies,
  InMemorySessions,
  InMemoryMethods,
  InMemoryPlacement,
  InMemoryServiceAccess,
  InMemoryQuotas,
  InMemoryResources,
  InMemoryRestApis,
  InMemoryStageHistory,
  InMemoryStages,
  InMemoryUsagePlanKeys,
  InMemoryUsagePlans,
  InMemoryVpcLinks,
  open,
  type Tables,
} from './repositories.js';
import { compareText, copyOf, keyText } from './rows.js';

/**
 * A Store in memory that behaves like the one on PostgreSQL (store.contract.ts runs against both), for tests.
 * A tenant's transactions run one after the other, each on a copy that replaces the tables when it commits.
 */
export class InMemoryStore implements Store {
  readonly tenants: TenantStore = { transact: (tenant, work) => this.#transact(tenant, work) };
  readonly manifest: InMemoryManifestLog;
  readonly nodes: InMemoryNodes;
  readonly metering: InMemoryMeteringLog;
  readonly leases: InMemoryLeaseBook;
  readonly planes = new InMemoryPlaneChannel();
  readonly #tables = new Map<TenantId, Tables>();
  readonly directory: TenantDirectory = new InMemoryDirectory(this.#tables);
  /** The end of each tenant's newest transaction; never rejects. */
  readonly #queues = new Map<TenantId, Promise<unknown>>();

  constructor(clock: Clock = systemClock) {
    this.manifest = new InMemoryManifestLog(clock, (digest) => this.#isCodeInUse(digest));
    this.nodes = new InMemoryNodes(this.manifest);
    this.metering = new InMemoryMeteringLog(() => this.#tables);
    this.leases = new InMemoryLeaseBook(clock);
  }

  async healthy(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {}

  #transact<T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>): Promise<T> {
    const turn = (this.#queues.get(tenant) ?? Promise.resolve()).then(() => this.#run(tenant, work));
    this.#queues.set(
      tenant,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async #run<T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>): Promise<T> {
    const tables = open(this.#tables.get(tenant) ?? emptyTables());
    const manifest = new InMemoryManifest(this.manifest, tenant, tables);
    const blobs = new InMemoryBlobs(this.manifest);
    const elsewhere = (table: 'restApis' | 'usagePlans' | 'domainNames' | 'accessKeys' | 'sessions') => (id: string) =>
      [...this.#tables].some(([other, { [table]: rows }]) => other !== tenant && rows.has(keyText(id)));
    try {
      const result = await work({
        tenant,
        account: new InMemoryAccount(tables),
        accessKeys: new InMemoryAccessKeys(tables, elsewhere('accessKeys')),
        sessions: new InMemorySessions(tables, elsewhere('sessions')),
        identityPolicies: new InMemoryIdentityPolicies(tables),
        restApis: new InMemoryRestApis(tables, elsewhere('restApis')),
        resources: new InMemoryResources(tables),
        methods: new InMemoryMethods(tables),
        models: new InMemoryApiParts(tables, 'MODEL'),
        requestValidators: new InMemoryApiParts(tables, 'REQUEST_VALIDATOR'),
        authorizers: new InMemoryApiParts(tables, 'AUTHORIZER'),
        gatewayResponses: new InMemoryApiParts(tables, 'GATEWAY_RESPONSE'),
        documentationParts: new InMemoryApiParts(tables, 'DOCUMENTATION_PART'),
        documentationVersions: new InMemoryApiParts(tables, 'DOCUMENTATION_VERSION'),
        deployments: new InMemoryDeployments(tables),
        stages: new InMemoryStages(tables),
        stageHistory: new InMemoryStageHistory(tables),
        apiKeys: new InMemoryApiKeys(tables),
        usagePlans: new InMemoryUsagePlans(tables, elsewhere('usagePlans')),
        usagePlanKeys: new InMemoryUsagePlanKeys(tables),
        domainNames: new InMemoryDomainNames(tables, elsewhere('domainNames')),
        basePathMappings: new InMemoryBasePathMappings(tables),
        certificates: new InMemoryCertificates(tables),
        clientCertificates: new InMemoryClientCertificates(tables),
        vpcLinks: new InMemoryVpcLinks(tables),
        functions: new InMemoryFunctions(tables),
        functionVersions: new InMemoryFunctionVersions(tables),
        functionAliases: new InMemoryFunctionAliases(tables),
        functionStatements: new InMemoryFunctionStatements(tables),
        blobs,
        manifest,
        placement: new InMemoryPlacement(tables),
        quotas: new InMemoryQuotas(tables),
        serviceAccess: new InMemoryServiceAccess(tables),
        usage: new InMemoryUsage(this.metering, tenant, tables.quotaExtensions),
        metrics: new InMemoryMetrics(this.metering, tenant),
      });
      this.#tables.set(tenant, finish(tables));
      blobs.commit();
      manifest.commit();
      return result;
    } finally {
      finish(tables);
      await manifest.release();
    }
  }

  #isCodeInUse(digest: string): boolean {
    for (const { functions, functionVersions } of this.#tables.values()) {
      for (const { latest } of functions.values()) if (latest.codeDigest === digest) return true;
      for (const { codeDigest } of functionVersions.values()) if (codeDigest === digest) return true;
    }
    return false;
  }
}

class InMemoryDirectory implements TenantDirectory {
  readonly #tenants = new Map<TenantId, Tenant>();

  constructor(private readonly tables: Map<TenantId, Tables>) {}

  async create(tenant: Tenant, credentials: readonly Credential[], policies: readonly IdentityPolicy[] = []): Promise<void> {
    if (this.#tenants.has(tenant.id)) throw new DuplicateKey('tenant');
    const present = await Promise.all(credentials.map(({ accessKeyId }) => this.credential(accessKeyId)));
    if (present.some((credential) => credential !== null)) throw new DuplicateKey('credential');
    this.#tenants.set(tenant.id, copyOf(tenant));
    const tables = this.tables.get(tenant.id) ?? emptyTables();
    const accessKeys = credentials.map((credential) => [keyText(credential.accessKeyId), copyOf(credential)] as const);
    const identityPolicies = policies.map((policy) => [keyText(policy.principalArn), copyOf(policy)] as const);
    this.tables.set(tenant.id, { ...tables, accessKeys: new Map(accessKeys), identityPolicies: new Map(identityPolicies) });
  }

  async list(): Promise<Tenant[]> {
    return [...this.#tenants.values()].sort((left, right) => compareText(left.id, right.id)).map(copyOf);
  }

  async find(id: TenantId): Promise<Tenant | null> {
    return copyOf(this.#tenants.get(id) ?? null);
  }

  async credential(accessKeyId: string): Promise<Credential | null> {
    for (const { accessKeys } of this.tables.values()) {
      const found = accessKeys.get(keyText(accessKeyId));
      if (found !== undefined) return copyOf(found);
    }
    for (const { accessKeys, sessions } of this.tables.values()) {
      const session = sessions.get(keyText(accessKeyId));
      if (session === undefined) continue;
      const { secret, tokenDigest, expiresAtMs, madeBy } = copyOf(session);
      const owner = copyOf(accessKeys.get(keyText(madeBy))!);
      return { ...owner, accessKeyId, secret, session: { tokenDigest, expiresAtMs, madeBy } };
    }
    return null;
  }

  async tenantsOfEndedSessions(beforeMs: number): Promise<TenantId[]> {
    const hasEnded = ({ sessions }: Tables) => [...sessions.values()].some(({ expiresAtMs }) => expiresAtMs < beforeMs);
    return [...this.tables].flatMap(([tenant, tables]) => (hasEnded(tables) ? [tenant] : [])).sort(compareText);
  }
}
