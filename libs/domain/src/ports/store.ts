/**
 * The ports to the database. A tenant's data is reached only through `transact(tenant, ...)`: the repositories inside are
 * bound to that tenant, so a query without one cannot be written. Contract cases: store.contract.ts runs against the
 * in-memory fake and against PostgreSQL.
 */
import type { PlaneChannel } from './plane-channel.js';
import type { StageHistoryEntry } from '../deployments/stage-history.js';
import type { AccountSettings } from '../tenancy/account.js';
import type { ServiceAccess } from '../service-access/service-access.js';
import type { OwnQuotas, Quotas } from '../tenancy/quotas.js';
import type { IdentityPolicy } from '../tenancy/identity-policy.js';
import type { Credential, Session, Tenant, TenantId } from '../tenancy/tenant.js';
import type { Method, Resource, RestApi } from '../rest-apis/rest-api.js';
import type { ApiPart } from '../api-parts/api-part.js';
import type { Authorizer } from '../api-parts/authorizer.js';
import type { DocumentationPart, DocumentationVersion } from '../api-parts/documentation.js';
import type { GatewayResponse } from '../api-parts/gateway-response.js';
import type { Model } from '../api-parts/model.js';
import type { RequestValidator } from '../api-parts/request-validator.js';
import type { DeployedParts, Deployment, DeploymentSummary, Stage } from '../deployments/deployment.js';
import type { LimitSettings } from '../usage-plans/limit-settings.js';
import type { ApiKey, QuotaPeriod, UsagePlan, UsagePlanKey } from '../usage-plans/usage-plan.js';
import type { FunctionAlias, FunctionDefinition, FunctionStatement, FunctionVersion } from '../functions/function.js';
import type { EntryContent, EntryKind, ManifestEntry, NodeRecord, NodeRefusal, Rollout } from '../publish/publish.js';
import type { ClientCertificate } from '../backend-access/client-certificate.js';
import type { VpcLink } from '../backend-access/vpc-link.js';
import type { BasePathMapping, Certificate, DomainName } from '../domain-names/domain-name.js';
import type { LeaseBook } from './lease-book.js';
import type { MetricPeriod, MetricSample, NodeReport, QuotaExtension, UsageCount, UsageKey } from '../metering/usage.js';

/** Thrown by `insert` when the key (or another unique property) is taken. */
export class DuplicateKey extends Error {
  constructor(readonly entity: string) {
    super(`duplicate ${entity}`);
    this.name = 'DuplicateKey';
  }
}

/** A slice of an ordered list. `next` is the `after` of the following slice; `null` at the end. */
export interface Page<E> {
  readonly items: readonly E[];
  readonly next: string | null;
}
export interface PageRequest {
  /** Opaque; from an earlier page. `null` starts at the beginning. An unknown one starts at the nearest later item. */
  readonly after: string | null;
  readonly limit: number;
}

export interface Repository<K, E> {
  find(key: K): Promise<E | null>;
  /** Like `find`, and holds the row until the transaction ends: the basis of read-change-write. */
  lock(key: K): Promise<E | null>;
  /** Throws DuplicateKey. */
  insert(entity: E): Promise<void>;
  /** Many at once. Throws DuplicateKey when one of them is there, or is given twice; the transaction is of no further use then. */
  insertAll(entities: readonly E[]): Promise<void>;
  /** Writes all of an existing entity. */
  replace(entity: E): Promise<void>;
  /** False when there was none. */
  remove(key: K): Promise<boolean>;
  /** Many at once; those that are not there are passed over. */
  removeAll(keys: readonly K[]): Promise<void>;
}

/** What a deployment takes along of an API. In no order. */
export interface ApiContents {
  readonly resources: readonly Resource[];
  readonly methods: readonly Method[];
  readonly parts: DeployedParts;
}

export interface RestApiRepository extends Repository<string, RestApi> {
  /** Oldest first. */
  page(request: PageRequest): Promise<Page<RestApi>>;
  contents(id: string): Promise<ApiContents>;
  // `remove` takes resources, methods, parts, deployments and stages with it.
  count(): Promise<number>;
}
export interface ResourceRepository extends Repository<{ apiId: string; resourceId: string }, Resource> {
  /** By path. */
  page(apiId: string, request: PageRequest): Promise<Page<Resource>>;
  ofApi(apiId: string): Promise<Resource[]>;
  childrenOf(apiId: string, parentId: string): Promise<Resource[]>;
  count(apiId: string): Promise<number>;
  // `remove` takes the resource's methods with it, not its children.
}
export interface MethodKey {
  readonly apiId: string;
  readonly resourceId: string;
  readonly httpMethod: string;
}
export interface MethodRepository extends Repository<MethodKey, Method> {
  /** By verb. */
  ofResources(apiId: string, resourceIds: readonly string[]): Promise<Method[]>;
  /** By resource path, then verb. */
  ofApi(apiId: string): Promise<Method[]>;
  /** Those whose integration goes through it; by API, resource and verb. */
  usingVpcLink(vpcLinkId: string): Promise<Method[]>;
}
export interface ApiPartKey {
  readonly apiId: string;
  readonly id: string;
}
/** Parts of one kind. */
export interface ApiPartRepository<E extends ApiPart> extends Repository<ApiPartKey, E> {
  /** By id. */
  page(apiId: string, request: PageRequest): Promise<Page<E>>;
  /** By id. */
  ofApi(apiId: string): Promise<E[]>;
}
export interface DeploymentRepository extends Repository<{ apiId: string; deploymentId: string }, Deployment> {
  /** Newest first, without definitions. */
  page(apiId: string, request: PageRequest): Promise<Page<DeploymentSummary>>;
  /** Those of these that are there, without definitions, in any order. */
  summaries(apiId: string, deploymentIds: readonly string[]): Promise<DeploymentSummary[]>;
}
export interface StageRepository extends Repository<{ apiId: string; stageName: string }, Stage> {
  /** By name. */
  ofApi(apiId: string): Promise<Stage[]>;
  /** Those that show it to their backends; by API, then name. */
  usingClientCertificate(clientCertificateId: string): Promise<Stage[]>;
}
export interface ApiKeyRepository extends Repository<string, ApiKey> {
  /** Newest first. `namePrefix` is case-sensitive. */
  page(filter: { namePrefix?: string; customerId?: string }, request: PageRequest): Promise<Page<ApiKey>>;
  findByValue(value: string): Promise<ApiKey | null>;
  count(): Promise<number>;
  // `insert` throws DuplicateKey for a value that exists; `remove` takes plan memberships with it.
}
export interface UsagePlanRepository extends Repository<string, UsagePlan> {
  /** Oldest first; with `apiKeyId` only plans that hold the key. */
  page(filter: { apiKeyId?: string }, request: PageRequest): Promise<Page<UsagePlan>>;
  usingStage(apiId: string, stageName: string): Promise<UsagePlan[]>;
  usingApi(apiId: string): Promise<UsagePlan[]>;
  count(): Promise<number>;
  // `remove` takes memberships with it.
}
export interface UsagePlanKeyRepository extends Repository<{ usagePlanId: string; apiKeyId: string }, UsagePlanKey> {
  /** Newest first, joined with the key; `namePrefix` filters by the key's name. */
  page(
    usagePlanId: string,
    filter: { namePrefix?: string },
    request: PageRequest,
  ): Promise<Page<{ membership: UsagePlanKey; key: ApiKey }>>;
  plansOfKey(apiKeyId: string): Promise<string[]>;
  keysOfPlan(usagePlanId: string): Promise<string[]>;
}
export interface DomainNameRepository extends Repository<string, DomainName> {
  /** By name. */
  page(request: PageRequest): Promise<Page<DomainName>>;
  count(): Promise<number>;
  /** Those whose callers are shown the certificate, or whose name it verifies; by name. */
  usingCertificate(certificateId: string): Promise<DomainName[]>;
  // `insert` throws DuplicateKey for a name that any tenant has; `remove` takes mappings with it.
}
export interface BasePathMappingKey {
  readonly domainName: string;
  readonly basePath: string;
}
export interface BasePathMappingRepository extends Repository<BasePathMappingKey, BasePathMapping> {
  /** By base path, the empty one first. */
  page(domainName: string, request: PageRequest): Promise<Page<BasePathMapping>>;
  /** By base path. */
  ofDomain(domainName: string): Promise<BasePathMapping[]>;
  /** By domain name, then base path. */
  usingApi(apiId: string): Promise<BasePathMapping[]>;
}
export interface CertificateRepository extends Repository<string, Certificate> {
  /** By id; without those that came inside a domain name. */
  page(request: PageRequest): Promise<Page<Certificate>>;
  count(): Promise<number>;
}
/** Its keys open the management too: `TenantDirectory.credential` finds what is written here. */
export interface AccessKeyRepository extends Repository<string, Credential> {
  /** By id. */
  all(): Promise<Credential[]>;
  // `insert` throws DuplicateKey for an id that any tenant has.
}
/** By access key id. A session goes with the key that it was made with; `TenantDirectory.credential` finds those that are there. */
export interface SessionRepository extends Repository<string, Session> {
  /** By id. */
  all(): Promise<Session[]>;
  count(): Promise<number>;
}
/** By the ARN of the principal. */
export interface IdentityPolicyRepository extends Repository<string, IdentityPolicy> {
  /** By ARN. */
  all(): Promise<IdentityPolicy[]>;
}
export interface ClientCertificateRepository extends Repository<string, ClientCertificate> {
  /** By id. */
  page(request: PageRequest): Promise<Page<ClientCertificate>>;
  count(): Promise<number>;
}
export interface VpcLinkRepository extends Repository<string, VpcLink> {
  /** By id. */
  page(request: PageRequest): Promise<Page<VpcLink>>;
  count(): Promise<number>;
}
export interface FunctionRepository extends Repository<string, FunctionDefinition> {
  /** By name. */
  page(request: PageRequest): Promise<Page<FunctionDefinition>>;
  // `remove` takes versions, aliases and statements with it.
}
export interface FunctionVersionRepository extends Repository<{ functionName: string; version: string }, FunctionVersion> {
  /** Published versions, ascending. */
  ofFunction(functionName: string): Promise<FunctionVersion[]>;
}
export interface FunctionAliasRepository extends Repository<{ functionName: string; name: string }, FunctionAlias> {
  ofFunction(functionName: string): Promise<FunctionAlias[]>;
}
export interface FunctionStatementRepository extends Repository<
  { functionName: string; qualifier: string; statementId: string },
  FunctionStatement
> {
  ofFunction(functionName: string): Promise<FunctionStatement[]>;
}

/** Bytes by SHA-256: snapshots and function packages. Shared storage; a digest is a capability only inside the process. */
export interface BlobRepository {
  /** Returns the hex SHA-256 of `bytes`. Writing the same bytes again is free. */
  put(bytes: Uint8Array): Promise<string>;
  get(digest: string): Promise<Uint8Array | null>;
}

export interface PutMore {
  readonly present?: ManifestEntry | null;
  readonly rollout?: Omit<Rollout, 'revision'>;
}

/**
 * Writing an entry is what publishes: the revision commits together with the change, so nothing is lost between them. The first write
 * holds the manifest over all tenants until the transaction ends, so publish last.
 */
export interface ManifestRepository {
  /** Returns the entry's new revision. An entry equal to the present one keeps its revision. */
  // `present`: the entry as `find` gave it in this transaction, so that it is not read again. `rollout`: recorded with the new revision.
  put(kind: EntryKind, id: string, content: EntryContent, more?: PutMore): Promise<number>;
  /** Returns the revision of the removal, an earlier one included; the newest revision when there never was an entry. */
  remove(kind: EntryKind, id: string): Promise<number>;
  find(kind: EntryKind, id: string): Promise<ManifestEntry | null>;
  /** Inline parts of the tenant's live entries of the kind, without empty ones, each once; in no order. */
  inlines(kind: EntryKind): Promise<string[]>;
  /**
   * Asks where each live entry of the tenant belongs, and moves those that are elsewhere, one revision each. An entry the answer does
   * not name stays. `decide` sees the entries as they are while nobody else publishes, and may be called once alone.
   */
  place(decide: (entries: readonly ManifestEntry[]) => ReadonlyMap<ManifestEntry, readonly string[]>): Promise<void>;
  /** The newest of each deployment and stage, by revision; gone with the API. */
  rolloutsOf(deploymentId: string): Promise<Rollout[]>;
}

export interface AccountRepository {
  /** The defaults when never changed. Locks. */
  read(): Promise<AccountSettings>;
  write(settings: AccountSettings): Promise<void>;
}

/**
 * Where the tenant is served. Whoever publishes reads it before the first entry; whoever changes it, or a tag that stands above it,
 * locks it first: so nothing is published by half of one placement and half of another.
 */
export interface PlacementRepository {
  /** The tenant's pool; `null` when nothing is said. Shared with other readers, and unchanged, until the transaction ends. */
  read(): Promise<string | null>;
  /** Like `read`; nobody else reads or publishes for this tenant until the transaction ends. */
  lock(): Promise<string | null>;
  /** After `lock`. */
  write(pool: string | null): Promise<void>;
}

export interface StageHistoryRepository {
  /** The next entry of the stage; the caller holds the API's lock, so that numbers have no gaps and name one change each. */
  append(entry: Omit<StageHistoryEntry, 'number'>): Promise<void>;
  /** Newest first: at most `limit` with a number up to `upTo`. */
  newest(apiId: string, stageName: string, upTo: number, limit: number): Promise<StageHistoryEntry[]>;
}

export interface QuotaRepository {
  /** What the tenant may have: AWS's quotas, but where the operator said otherwise. */
  read(): Promise<Quotas>;
  /** What the operator said; other operators wait until the transaction ends. */
  lock(): Promise<OwnQuotas>;
  /** After `lock`. */
  write(own: OwnQuotas): Promise<void>;
}

export interface ServiceAccessRepository {
  read(): Promise<ServiceAccess>;
  /** Like `read`; other writers wait until the transaction ends. */
  lock(): Promise<ServiceAccess>;
  /** After `lock`. */
  write(access: ServiceAccess): Promise<void>;
}

export interface UsageRepository {
  /** By key, then day, both bounds included. */
  between(usagePlanId: string, apiKeyId: string | null, startDay: string, endDay: string): Promise<UsageCount[]>;
  /** Of all plans and keys, by plan, key and day, both bounds included: at most `limit`, from the first one behind `after`. */
  countedBetween(startDay: string, endDay: string, after: UsageKey | null, limit: number): Promise<UsageCount[]>;
  extension(usagePlanId: string, apiKeyId: string, periodStart: string): Promise<QuotaExtension | null>;
  /** Extensions of periods that start in the given days, both included; by key, then period. */
  extensionsBetween(usagePlanId: string, apiKeyId: string | null, startDay: string, endDay: string): Promise<QuotaExtension[]>;
  extend(extension: QuotaExtension): Promise<void>;
}

export interface MetricsQuery {
  readonly apiId: string;
  readonly stage?: string;
  readonly resource?: string;
  readonly httpMethod?: string;
  /** Start inclusive, end exclusive; seconds since the Unix epoch. */
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly period: MetricPeriod;
}
export interface MetricsRepository {
  query(query: MetricsQuery): Promise<MetricSample[]>;
}

/** Everything of one tenant, inside one transaction. */
export interface TenantRepositories {
  readonly tenant: TenantId;
  readonly account: AccountRepository;
  readonly accessKeys: AccessKeyRepository;
  readonly sessions: SessionRepository;
  readonly identityPolicies: IdentityPolicyRepository;
  readonly restApis: RestApiRepository;
  readonly resources: ResourceRepository;
  readonly methods: MethodRepository;
  readonly models: ApiPartRepository<Model>;
  readonly requestValidators: ApiPartRepository<RequestValidator>;
  readonly authorizers: ApiPartRepository<Authorizer>;
  readonly gatewayResponses: ApiPartRepository<GatewayResponse>;
  readonly documentationParts: ApiPartRepository<DocumentationPart>;
  readonly documentationVersions: ApiPartRepository<DocumentationVersion>;
  readonly deployments: DeploymentRepository;
  readonly stages: StageRepository;
  readonly stageHistory: StageHistoryRepository;
  readonly apiKeys: ApiKeyRepository;
  readonly usagePlans: UsagePlanRepository;
  readonly usagePlanKeys: UsagePlanKeyRepository;
  readonly domainNames: DomainNameRepository;
  readonly basePathMappings: BasePathMappingRepository;
  readonly certificates: CertificateRepository;
  readonly clientCertificates: ClientCertificateRepository;
  readonly vpcLinks: VpcLinkRepository;
  readonly functions: FunctionRepository;
  readonly functionVersions: FunctionVersionRepository;
  readonly functionAliases: FunctionAliasRepository;
  readonly functionStatements: FunctionStatementRepository;
  readonly blobs: BlobRepository;
  readonly manifest: ManifestRepository;
  readonly placement: PlacementRepository;
  readonly quotas: QuotaRepository;
  readonly serviceAccess: ServiceAccessRepository;
  readonly usage: UsageRepository;
  readonly metrics: MetricsRepository;
}

export interface TenantStore {
  /**
   * Runs `work` in one transaction and commits when it resolves; nothing is kept when it rejects. Writers of one API
   * serialise on `restApis.lock(id)` (take that lock first, then any other). `work` may run again after a
   * serialisation failure, so it must have no effect outside the repositories.
   */
  transact<T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>): Promise<T>;
}

/** Questions that come before a tenant is known. */
export interface TenantDirectory {
  create(tenant: Tenant, credentials: readonly Credential[], policies?: readonly IdentityPolicy[]): Promise<void>;
  list(): Promise<Tenant[]>;
  find(id: TenantId): Promise<Tenant | null>;
  credential(accessKeyId: string): Promise<Credential | null>;
  /** Those who have sessions that ended before. */
  tenantsOfEndedSessions(beforeMs: number): Promise<TenantId[]>;
}

/** The publisher's view over all tenants. */
export interface ManifestLog {
  /** Revision of the newest entry; 0 when nothing was ever published. */
  head(): Promise<number>;
  /** Entries with a revision above `revision`, ascending, removals included; `null` when that is too far back to tell, or ahead of this database. */
  since(revision: number, kinds: readonly EntryKind[]): Promise<ManifestEntry[] | null>;
  /** All live entries. */
  all(kinds: readonly EntryKind[]): Promise<ManifestEntry[]>;
  /** Live entries with a revision above `after`, ascending, at most `limit`: `all` in slices. What changes meanwhile moves to the end. */
  page(kinds: readonly EntryKind[], after: number, limit: number): Promise<ManifestEntry[]>;
  /** Live entries whose name `KIND id` falls into one of these buckets of a `SetDigest`. Reads the names of all. */
  inBuckets(kinds: readonly EntryKind[], buckets: readonly number[]): Promise<ManifestEntry[]>;
  blob(digest: string): Promise<Uint8Array | null>;
  /** The same, as zstd. */
  compressedBlob(digest: string): Promise<Uint8Array | null>;
  /**
   * Calls back after a commit that published, on any control plane: with all that it published, by revision, or with `null` when it is to
   * be read. A call may be lost, or come again. Returns the way to stop.
   */
  subscribe(onPublished: (entries: readonly ManifestEntry[] | null) => void): Promise<() => Promise<void>>;
  /** Forgets removals older than `beforeMs` and blobs that nothing refers to. Returns how many of each. */
  clean(beforeMs: number): Promise<{ removals: number; blobs: number }>;
}

export interface HeardNode {
  readonly nodeId: string;
  readonly epoch: number;
  /** What it has acknowledged; `null`: nothing new. A refusal ends when a later revision of its entry is acknowledged. */
  readonly revision: number | null;
  readonly atMs: number;
}

export interface NodeRegistry {
  connected(node: NodeRecord): Promise<void>;
  /** It came and is not served: `node.turnedAway` says why. What it acknowledged before stays known. */
  turnedAway(node: NodeRecord): Promise<void>;
  /** They are connected, also if another control plane, which they left, says `disconnected` late. Each node at most once. */
  heard(nodes: readonly HeardNode[]): Promise<void>;
  refused(refusal: NodeRefusal): Promise<void>;
  disconnected(nodeId: string, epoch: number, atMs: number): Promise<void>;
  list(): Promise<NodeRecord[]>;
  refusals(): Promise<NodeRefusal[]>;
  /** Drops nodes not seen since `beforeMs`. */
  forget(beforeMs: number): Promise<number>;
}

/** Applies node reports and answers quota questions, over all tenants. */
export interface MeteringLog {
  /** In one transaction with the sums; false when this (node, epoch, sequence) was applied before. */
  apply(report: NodeReport): Promise<boolean>;
  usedInPeriod(tenant: TenantId, usagePlanId: string, apiKeyId: string, startDay: string, endDay: string): Promise<number>;
  /** The plan's quota, how it holds, and the key's extension in the period that starts on `periodStart`. */
  quotaOf(
    tenant: TenantId,
    usagePlanId: string,
    apiKeyId: string,
    periodStart: string,
  ): Promise<{ limit: number; extra: number; offset: number; period: QuotaPeriod; limits: LimitSettings } | null>;
  /** Finds the tenant of a plan; plan ids are unique over all tenants. */
  tenantOfPlan(usagePlanId: string): Promise<TenantId | null>;
  /** Adds minutes into hours and hours into days, up to `nowMs`; safe to run twice. Drops minutes older than `keepMinutesMs`. */
  rollUp(nowMs: number, keepMinutesMs: number): Promise<{ hours: number; days: number; dropped: number }>;
}

/** What the control plane's composition root binds. */
export interface Store {
  readonly tenants: TenantStore;
  readonly directory: TenantDirectory;
  readonly manifest: ManifestLog;
  readonly nodes: NodeRegistry;
  readonly metering: MeteringLog;
  readonly leases: LeaseBook;
  readonly planes: PlaneChannel;
  /** True when a trivial query answers. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}
