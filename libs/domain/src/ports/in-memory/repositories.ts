import type { AccountSettings } from '../../tenancy/account.js';
import { DEFAULT_ACCOUNT_SETTINGS } from '../../tenancy/account.js';
import type { ApiPart, ApiPartKind } from '../../api-parts/api-part.js';
import type { Authorizer } from '../../api-parts/authorizer.js';
import type { GatewayResponse } from '../../api-parts/gateway-response.js';
import type { Model } from '../../api-parts/model.js';
import type { RequestValidator } from '../../api-parts/request-validator.js';
import type { StageHistoryEntry } from '../../deployments/stage-history.js';
import type { Deployment, Stage } from '../../deployments/deployment.js';
import type { ClientCertificate } from '../../backend-access/client-certificate.js';
import { vpcLinkIdOf, type VpcLink } from '../../backend-access/vpc-link.js';
import type { BasePathMapping, Certificate, DomainName } from '../../domain-names/domain-name.js';
import type { FunctionAlias, FunctionDefinition, FunctionStatement, FunctionVersion } from '../../functions/function.js';
import type { QuotaExtension } from '../../metering/usage.js';
import type { Rollout } from '../../publish/publish.js';
import type { Method, Resource, RestApi } from '../../rest-apis/rest-api.js';
import type { ApiKey, UsagePlan, UsagePlanKey } from '../../usage-plans/usage-plan.js';
import {
  DuplicateKey,
  type AccessKeyRepository,
  type AccountRepository,
  type ApiKeyRepository,
  type ApiPartKey,
  type ApiPartRepository,
  type BasePathMappingKey,
  type BasePathMappingRepository,
  type CertificateRepository,
  type ClientCertificateRepository,
  type DeploymentRepository,
  type DomainNameRepository,
  type FunctionAliasRepository,
  type FunctionRepository,
  type FunctionStatementRepository,
  type IdentityPolicyRepository,
  type SessionRepository,
  type FunctionVersionRepository,
  type MethodRepository,
  type PageRequest,
  type PlacementRepository,
  type ServiceAccessRepository,
  QuotaRepository,
  type Repository,
  type ResourceRepository,
  type RestApiRepository,
  type StageHistoryRepository,
  type StageRepository,
  type UsagePlanKeyRepository,
  type UsagePlanRepository,
  type VpcLinkRepository,
} from '../store.js';
import { certificateIdsOf } from '../../domain-names/domain-name.js';
import type { IdentityPolicy } from '../../tenancy/identity-policy.js';
import type { Credential, Session } from '../../tenancy/tenant.js';
import { NO_SERVICE_ACCESS, type ServiceAccess } from '../../service-access/service-access.js';
import { withDefaults, type OwnQuotas } from '../../tenancy/quotas.js';
import { ageText, copyOf, keyText, pageOf, Rows, sortedBy } from './rows.js';

/** All tables of one tenant, as of its last commit. */
export interface Tables {
  account: Map<string, AccountSettings>;
  accessKeys: Map<string, Credential>;
  sessions: Map<string, Session>;
  identityPolicies: Map<string, IdentityPolicy>;
  placement: Map<string, string>;
  quotas: Map<string, OwnQuotas>;
  serviceAccess: Map<string, ServiceAccess>;
  restApis: Map<string, RestApi>;
  resources: Map<string, Resource>;
  methods: Map<string, Method>;
  apiParts: Map<string, ApiPartRow>;
  deployments: Map<string, Deployment>;
  stages: Map<string, Stage>;
  stageHistory: Map<string, StageHistoryEntry>;
  apiKeys: Map<string, ApiKey>;
  usagePlans: Map<string, UsagePlan>;
  usagePlanKeys: Map<string, UsagePlanKey>;
  domainNames: Map<string, DomainName>;
  basePathMappings: Map<string, BasePathMapping>;
  certificates: Map<string, Certificate>;
  clientCertificates: Map<string, ClientCertificate>;
  vpcLinks: Map<string, VpcLink>;
  functions: Map<string, FunctionDefinition>;
  functionVersions: Map<string, FunctionVersion>;
  functionAliases: Map<string, FunctionAlias>;
  functionStatements: Map<string, FunctionStatement>;
  rollouts: Map<string, Rollout>;
  quotaExtensions: Map<string, QuotaExtension>;
}

export function emptyTables(): Tables {
  return {
    account: new Map(),
    accessKeys: new Map(),
    sessions: new Map(),
    identityPolicies: new Map(),
    placement: new Map(),
    quotas: new Map(),
    serviceAccess: new Map(),
    restApis: new Map(),
    resources: new Map(),
    methods: new Map(),
    apiParts: new Map(),
    deployments: new Map(),
    stages: new Map(),
    stageHistory: new Map(),
    apiKeys: new Map(),
    usagePlans: new Map(),
    usagePlanKeys: new Map(),
    domainNames: new Map(),
    basePathMappings: new Map(),
    certificates: new Map(),
    clientCertificates: new Map(),
    vpcLinks: new Map(),
    functions: new Map(),
    functionVersions: new Map(),
    functionAliases: new Map(),
    functionStatements: new Map(),
    rollouts: new Map(),
    quotaExtensions: new Map(),
  };
}

export type OpenTables = { readonly [K in keyof Tables]: Tables[K] extends Map<string, infer E> ? Rows<E> : never };

export function open(tables: Tables): OpenTables {
  return Object.fromEntries(
    Object.entries(tables).map(([name, rows]) => [name, new Rows(rows as Map<string, unknown>)]),
  ) as unknown as OpenTables;
}

export function finish(tables: OpenTables): Tables {
  return Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rows.finish()])) as unknown as Tables;
}

interface Shape<K, E> {
  readonly entity: string;
  readonly keyOf: (entity: E) => K;
  readonly text: (key: K) => string;
  /** The row this one belongs to; inserting without it is a bug of the caller. */
  readonly parent?: (entity: E) => unknown;
}

abstract class InMemoryRepository<K, E> implements Repository<K, E> {
  constructor(
    protected readonly tables: OpenTables,
    protected readonly rows: Rows<E>,
    private readonly shape: Shape<K, E>,
  ) {}

  async find(key: K): Promise<E | null> {
    return copyOf(this.rows.get(this.shape.text(key)));
  }

  lock(key: K): Promise<E | null> {
    return this.find(key); // a tenant's transactions run one after the other
  }

  async insert(entity: E): Promise<void> {
    const key = this.shape.text(this.shape.keyOf(entity));
    if (this.rows.get(key) !== null) throw new DuplicateKey(this.shape.entity);
    this.checkUnique(entity, key);
    if (this.shape.parent?.(entity) === null) throw new Error(`${this.shape.entity} ${key} belongs to nothing that exists`);
    this.rows.set(key, copyOf(entity));
  }

  async insertAll(entities: readonly E[]): Promise<void> {
    for (const entity of entities) await this.insert(entity);
  }

  async replace(entity: E): Promise<void> {
    const key = this.shape.text(this.shape.keyOf(entity));
    if (this.rows.get(key) === null) throw new Error(`no ${this.shape.entity} ${key} to replace`);
    this.checkUnique(entity, key);
    this.rows.set(key, copyOf(entity));
  }

  async remove(key: K): Promise<boolean> {
    const entity = this.rows.get(this.shape.text(key));
    if (entity === null) return false;
    this.removeDependents(entity);
    return this.rows.delete(this.shape.text(key));
  }

  async removeAll(keys: readonly K[]): Promise<void> {
    for (const key of keys) await this.remove(key);
  }

  /** Throws DuplicateKey when a property that must be unique is taken by another row than `key`. */
  protected checkUnique(_entity: E, _key: string): void {}

  protected removeDependents(_entity: E): void {}
}

export class InMemoryRestApis extends InMemoryRepository<string, RestApi> implements RestApiRepository {
  constructor(
    tables: OpenTables,
    private readonly isTakenElsewhere: (apiId: string) => boolean,
  ) {
    super(tables, tables.restApis, { entity: 'REST API', keyOf: (api) => api.id, text: keyText });
  }
  async page(request: Parameters<RestApiRepository['page']>[0]) {
    return pageOf(
      this.rows.where(() => true),
      (api) => ageText(api.createdAtMs, api.id),
      'ascending',
      request,
    );
  }
  async count() {
    return this.rows.where(() => true).length;
  }
  async contents(apiId: string) {
    const { resources, methods, apiParts } = this.tables;
    const parts = <E extends ApiPart>(kind: ApiPartKind): E[] =>
      apiParts.where((row) => row.kind === kind && row.apiId === apiId).map(({ part }) => copyOf(part) as E);
    return {
      resources: resources.where((row) => row.apiId === apiId).map(copyOf),
      methods: methods.where((row) => row.apiId === apiId).map(copyOf),
      parts: {
        models: parts<Model>('MODEL'),
        requestValidators: parts<RequestValidator>('REQUEST_VALIDATOR'),
        authorizers: parts<Authorizer>('AUTHORIZER'),
        gatewayResponses: parts<GatewayResponse>('GATEWAY_RESPONSE'),
      },
    };
  }
  protected override checkUnique(api: RestApi): void {
    if (this.isTakenElsewhere(api.id)) throw new DuplicateKey('REST API');
  }
  protected override removeDependents(api: RestApi): void {
    const { resources, methods, apiParts, deployments, stages, stageHistory, rollouts } = this.tables;
    for (const rows of [resources, methods, apiParts, deployments, stages, stageHistory, rollouts]) {
      (rows as Rows<{ apiId: string }>).deleteWhere((row) => row.apiId === api.id);
    }
  }
}

export class InMemoryResources
  extends InMemoryRepository<{ apiId: string; resourceId: string }, Resource>
  implements ResourceRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.resources, {
      entity: 'resource',
      keyOf: (resource) => ({ apiId: resource.apiId, resourceId: resource.id }),
      text: (key) => keyText(key.apiId, key.resourceId),
      parent: (resource) => tables.restApis.get(keyText(resource.apiId)),
    });
  }
  async page(apiId: string, request: Parameters<ResourceRepository['page']>[1]) {
    return pageOf(
      this.rows.where((row) => row.apiId === apiId),
      (row) => row.path,
      'ascending',
      request,
    );
  }
  async ofApi(apiId: string) {
    const rows = this.rows.where((row) => row.apiId === apiId);
    return sortedBy(rows, (row) => row.path).map(copyOf);
  }
  async childrenOf(apiId: string, parentId: string) {
    const rows = this.rows.where((row) => row.apiId === apiId && row.parentId === parentId);
    return sortedBy(rows, (row) => row.path).map(copyOf);
  }
  async count(apiId: string) {
    return this.rows.where((row) => row.apiId === apiId).length;
  }
  protected override removeDependents(resource: Resource): void {
    this.tables.methods.deleteWhere((method) => method.apiId === resource.apiId && method.resourceId === resource.id);
  }
}

export class InMemoryMethods
  extends InMemoryRepository<{ apiId: string; resourceId: string; httpMethod: string }, Method>
  implements MethodRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.methods, {
      entity: 'method',
      keyOf: (method) => method,
      text: (key) => keyText(key.apiId, key.resourceId, key.httpMethod),
      parent: (method) => tables.resources.get(keyText(method.apiId, method.resourceId)),
    });
  }
  async ofResources(apiId: string, resourceIds: readonly string[]) {
    const wanted = new Set(resourceIds);
    const rows = this.rows.where((row) => row.apiId === apiId && wanted.has(row.resourceId));
    return sortedBy(rows, (row) => keyText(row.httpMethod, row.resourceId)).map(copyOf);
  }
  async ofApi(apiId: string) {
    const rows = this.rows.where((row) => row.apiId === apiId);
    const path = (row: Method) => this.tables.resources.get(keyText(apiId, row.resourceId))?.path ?? '';
    return sortedBy(
      sortedBy(rows, (row) => row.httpMethod),
      path,
    ).map(copyOf);
  }
  async usingVpcLink(vpcLinkId: string) {
    const rows = this.rows.where((row) => vpcLinkIdOf(row) === vpcLinkId);
    return sortedBy(rows, (row) => keyText(row.apiId, row.resourceId, row.httpMethod)).map(copyOf);
  }
}

/** One table for all kinds, as in PostgreSQL. */
interface ApiPartRow extends ApiPartKey {
  readonly kind: ApiPartKind;
  readonly part: ApiPart;
}

export class InMemoryApiParts<E extends ApiPart> implements ApiPartRepository<E> {
  constructor(
    private readonly tables: OpenTables,
    private readonly kind: ApiPartKind,
  ) {}
  async find(key: ApiPartKey) {
    return copyOf((this.tables.apiParts.get(this.text(key))?.part ?? null) as E | null);
  }
  lock(key: ApiPartKey) {
    return this.find(key);
  }
  async insert(part: E) {
    if (this.tables.apiParts.get(this.text(part)) !== null) throw new DuplicateKey(this.kind);
    if (this.tables.restApis.get(keyText(part.apiId)) === null)
      throw new Error(`${this.kind} ${part.id} belongs to nothing that exists`);
    this.write(part);
  }
  async insertAll(parts: readonly E[]) {
    for (const part of parts) await this.insert(part);
  }
  async replace(part: E) {
    if (this.tables.apiParts.get(this.text(part)) === null) throw new Error(`no ${this.kind} ${part.id} to replace`);
    this.write(part);
  }
  async remove(key: ApiPartKey) {
    return this.tables.apiParts.delete(this.text(key));
  }
  async removeAll(keys: readonly ApiPartKey[]) {
    for (const key of keys) await this.remove(key);
  }
  async page(apiId: string, request: Parameters<ApiPartRepository<E>['page']>[1]) {
    return pageOf(this.rowsOf(apiId), (part) => part.id, 'ascending', request);
  }
  async ofApi(apiId: string) {
    return sortedBy(this.rowsOf(apiId), (part) => part.id).map(copyOf);
  }
  private rowsOf(apiId: string): E[] {
    const rows = this.tables.apiParts.where((row) => row.kind === this.kind && row.apiId === apiId);
    return rows.map(({ part }) => part as E);
  }
  private write(part: E): void {
    const { apiId, id } = part;
    this.tables.apiParts.set(this.text(part), { kind: this.kind, apiId, id, part: copyOf(part) });
  }
  private text({ apiId, id }: ApiPartKey): string {
    return keyText(this.kind, apiId, id);
  }
}

export class InMemoryDeployments
  extends InMemoryRepository<{ apiId: string; deploymentId: string }, Deployment>
  implements DeploymentRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.deployments, {
      entity: 'deployment',
      keyOf: (deployment) => ({ apiId: deployment.apiId, deploymentId: deployment.id }),
      text: (key) => keyText(key.apiId, key.deploymentId),
      parent: (deployment) => tables.restApis.get(keyText(deployment.apiId)),
    });
  }
  async page(apiId: string, request: Parameters<DeploymentRepository['page']>[1]) {
    const summaries = this.rows
      .where((row) => row.apiId === apiId)
      .map(({ id, description, createdAtMs }) => ({ apiId, id, description, createdAtMs }));
    return pageOf(summaries, (row) => ageText(row.createdAtMs, row.id), 'descending', request);
  }
  async summaries(apiId: string, deploymentIds: readonly string[]) {
    const rows = this.rows.where((row) => row.apiId === apiId && deploymentIds.includes(row.id));
    return rows.map(({ id, description, createdAtMs }) => ({ apiId, id, description, createdAtMs }));
  }
}

export class InMemoryStages extends InMemoryRepository<{ apiId: string; stageName: string }, Stage> implements StageRepository {
  constructor(tables: OpenTables) {
    super(tables, tables.stages, {
      entity: 'stage',
      keyOf: (stage) => stage,
      text: (key) => keyText(key.apiId, key.stageName),
      parent: (stage) => tables.restApis.get(keyText(stage.apiId)),
    });
  }
  async ofApi(apiId: string) {
    const rows = this.rows.where((row) => row.apiId === apiId);
    return sortedBy(rows, (row) => row.stageName).map(copyOf);
  }
  async usingClientCertificate(clientCertificateId: string) {
    const rows = this.rows.where((row) => row.clientCertificateId === clientCertificateId);
    return sortedBy(rows, (row) => keyText(row.apiId, row.stageName)).map(copyOf);
  }
  protected override removeDependents({ apiId, stageName }: Stage): void {
    this.tables.stageHistory.deleteWhere((row) => row.apiId === apiId && row.stageName === stageName);
  }
}

export class InMemoryStageHistory implements StageHistoryRepository {
  constructor(private readonly tables: OpenTables) {}
  async append(entry: Omit<StageHistoryEntry, 'number'>) {
    const { apiId, stageName } = entry;
    if (this.tables.stages.get(keyText(apiId, stageName)) === null)
      throw new Error(`no stage ${apiId}/${stageName} with a history`);
    const number = this.rowsOf(apiId, stageName).length + 1;
    this.tables.stageHistory.set(keyText(apiId, stageName, String(number)), { ...entry, number });
  }
  async newest(apiId: string, stageName: string, upTo: number, limit: number) {
    const rows = this.rowsOf(apiId, stageName).filter(({ number }) => number <= upTo);
    return rows
      .toSorted((a, b) => b.number - a.number)
      .slice(0, limit)
      .map(copyOf);
  }
  private rowsOf(apiId: string, stageName: string): StageHistoryEntry[] {
    return this.tables.stageHistory.where((row) => row.apiId === apiId && row.stageName === stageName);
  }
}

export class InMemoryApiKeys extends InMemoryRepository<string, ApiKey> implements ApiKeyRepository {
  constructor(tables: OpenTables) {
    super(tables, tables.apiKeys, { entity: 'API key', keyOf: (key) => key.id, text: keyText });
  }
  async page(filter: Parameters<ApiKeyRepository['page']>[0], request: Parameters<ApiKeyRepository['page']>[1]) {
    const { namePrefix, customerId } = filter;
    const rows = this.rows.where(
      (key) =>
        (namePrefix === undefined || (key.name ?? '').startsWith(namePrefix)) &&
        (customerId === undefined || key.customerId === customerId),
    );
    return pageOf(rows, (key) => ageText(key.createdAtMs, key.id), 'descending', request);
  }
  async count() {
    return this.rows.where(() => true).length;
  }
  async findByValue(value: string) {
    return copyOf(this.rows.where((key) => key.value.reveal() === value)[0] ?? null);
  }
  protected override checkUnique(entity: ApiKey): void {
    const value = entity.value.reveal();
    const others = this.rows.where((key) => key.id !== entity.id && key.value.reveal() === value);
    if (others.length > 0) throw new DuplicateKey('API key');
  }
  protected override removeDependents(key: ApiKey): void {
    this.tables.usagePlanKeys.deleteWhere((membership) => membership.apiKeyId === key.id);
  }
}

export class InMemoryUsagePlans extends InMemoryRepository<string, UsagePlan> implements UsagePlanRepository {
  constructor(
    tables: OpenTables,
    private readonly isTakenElsewhere: (planId: string) => boolean,
  ) {
    super(tables, tables.usagePlans, { entity: 'usage plan', keyOf: (plan) => plan.id, text: keyText });
  }
  async page(filter: Parameters<UsagePlanRepository['page']>[0], request: Parameters<UsagePlanRepository['page']>[1]) {
    const { apiKeyId } = filter;
    const holds = (plan: UsagePlan) =>
      apiKeyId === undefined || this.tables.usagePlanKeys.get(keyText(plan.id, apiKeyId)) !== null;
    return pageOf(this.rows.where(holds), age, 'ascending', request);
  }
  async count() {
    return this.rows.where(() => true).length;
  }
  async usingStage(apiId: string, stageName: string) {
    const rows = this.rows.where((plan) =>
      plan.apiStages.some((planned) => planned.apiId === apiId && planned.stage === stageName),
    );
    return sortedBy(rows, age).map(copyOf);
  }
  async usingApi(apiId: string) {
    const rows = this.rows.where((plan) => plan.apiStages.some((planned) => planned.apiId === apiId));
    return sortedBy(rows, age).map(copyOf);
  }
  protected override checkUnique(plan: UsagePlan): void {
    if (this.isTakenElsewhere(plan.id)) throw new DuplicateKey('usage plan');
  }
  protected override removeDependents(plan: UsagePlan): void {
    this.tables.usagePlanKeys.deleteWhere((membership) => membership.usagePlanId === plan.id);
  }
}

function age(row: { readonly createdAtMs: number; readonly id: string }): string {
  return ageText(row.createdAtMs, row.id);
}

export class InMemoryUsagePlanKeys
  extends InMemoryRepository<{ usagePlanId: string; apiKeyId: string }, UsagePlanKey>
  implements UsagePlanKeyRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.usagePlanKeys, {
      entity: 'usage plan key',
      keyOf: (membership) => membership,
      text: (key) => keyText(key.usagePlanId, key.apiKeyId),
      parent: (membership) =>
        tables.usagePlans.get(keyText(membership.usagePlanId)) && tables.apiKeys.get(keyText(membership.apiKeyId)),
    });
  }
  async page(
    usagePlanId: string,
    filter: Parameters<UsagePlanKeyRepository['page']>[1],
    request: Parameters<UsagePlanKeyRepository['page']>[2],
  ) {
    const rows = this.rows
      .where((row) => row.usagePlanId === usagePlanId)
      .map((membership) => ({ membership, key: this.tables.apiKeys.get(keyText(membership.apiKeyId))! }))
      .filter(({ key }) => filter.namePrefix === undefined || (key.name ?? '').startsWith(filter.namePrefix));
    return pageOf(rows, ({ membership }) => ageText(membership.createdAtMs, membership.apiKeyId), 'descending', request);
  }
  async plansOfKey(apiKeyId: string) {
    return this.rows
      .where((row) => row.apiKeyId === apiKeyId)
      .map((row) => row.usagePlanId)
      .sort();
  }
  async keysOfPlan(usagePlanId: string) {
    return this.rows
      .where((row) => row.usagePlanId === usagePlanId)
      .map((row) => row.apiKeyId)
      .sort();
  }
}

export class InMemoryDomainNames extends InMemoryRepository<string, DomainName> implements DomainNameRepository {
  constructor(
    tables: OpenTables,
    private readonly isTakenElsewhere: (name: string) => boolean,
  ) {
    super(tables, tables.domainNames, { entity: 'domain name', keyOf: (domain) => domain.name, text: keyText });
  }
  async page(request: Parameters<DomainNameRepository['page']>[0]) {
    return pageOf(
      this.rows.where(() => true),
      (row) => row.name,
      'ascending',
      request,
    );
  }
  async count() {
    return this.rows.where(() => true).length;
  }
  async usingCertificate(certificateId: string) {
    const rows = this.rows.where((row) => certificateIdsOf(row).includes(certificateId));
    return sortedBy(rows, (row) => row.name).map(copyOf);
  }
  protected override checkUnique(domain: DomainName): void {
    if (this.isTakenElsewhere(domain.name)) throw new DuplicateKey('domain name');
  }
  protected override removeDependents(domain: DomainName): void {
    this.tables.basePathMappings.deleteWhere((mapping) => mapping.domainName === domain.name);
  }
}

export class InMemoryBasePathMappings
  extends InMemoryRepository<BasePathMappingKey, BasePathMapping>
  implements BasePathMappingRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.basePathMappings, {
      entity: 'base path mapping',
      keyOf: (mapping) => mapping,
      text: (key) => keyText(key.domainName, key.basePath),
      parent: (mapping) => tables.domainNames.get(keyText(mapping.domainName)),
    });
  }
  async page(domainName: string, request: Parameters<BasePathMappingRepository['page']>[1]) {
    return pageOf(
      this.rows.where((row) => row.domainName === domainName),
      (row) => row.basePath,
      'ascending',
      request,
    );
  }
  async ofDomain(domainName: string) {
    const rows = this.rows.where((row) => row.domainName === domainName);
    return sortedBy(rows, (row) => row.basePath).map(copyOf);
  }
  async usingApi(apiId: string) {
    const rows = this.rows.where((row) => row.restApiId === apiId);
    return sortedBy(
      sortedBy(rows, (row) => row.basePath),
      (row) => row.domainName,
    ).map(copyOf);
  }
}

export class InMemoryCertificates extends InMemoryRepository<string, Certificate> implements CertificateRepository {
  constructor(tables: OpenTables) {
    super(tables, tables.certificates, { entity: 'certificate', keyOf: (certificate) => certificate.id, text: keyText });
  }
  async page(request: Parameters<CertificateRepository['page']>[0]) {
    return pageOf(
      this.rows.where((row) => row.inlineOf === null),
      (row) => row.id,
      'ascending',
      request,
    );
  }
  async count() {
    return this.rows.where(() => true).length;
  }
}

/** A list by id. */
abstract class InMemoryNamedList<E extends { readonly id: string }> extends InMemoryRepository<string, E> {
  constructor(tables: OpenTables, rows: Rows<E>, entity: string) {
    super(tables, rows, { entity, keyOf: ({ id }) => id, text: keyText });
  }
  async page(request: PageRequest) {
    return pageOf(
      this.rows.where(() => true),
      ({ id }) => id,
      'ascending',
      request,
    );
  }
  async count() {
    return this.rows.where(() => true).length;
  }
}

export class InMemoryClientCertificates extends InMemoryNamedList<ClientCertificate> implements ClientCertificateRepository {
  constructor(tables: OpenTables) {
    super(tables, tables.clientCertificates, 'client certificate');
  }
}

export class InMemoryVpcLinks extends InMemoryNamedList<VpcLink> implements VpcLinkRepository {
  constructor(tables: OpenTables) {
    super(tables, tables.vpcLinks, 'VPC link');
  }
}

export class InMemoryFunctions extends InMemoryRepository<string, FunctionDefinition> implements FunctionRepository {
  constructor(tables: OpenTables) {
    super(tables, tables.functions, { entity: 'function', keyOf: (definition) => definition.name, text: keyText });
  }
  async page(request: Parameters<FunctionRepository['page']>[0]) {
    return pageOf(
      this.rows.where(() => true),
      (row) => row.name,
      'ascending',
      request,
    );
  }
  protected override removeDependents(definition: FunctionDefinition): void {
    const { functionVersions, functionAliases, functionStatements } = this.tables;
    for (const rows of [functionVersions, functionAliases, functionStatements]) {
      (rows as Rows<{ functionName: string }>).deleteWhere((row) => row.functionName === definition.name);
    }
  }
}

export class InMemoryFunctionVersions
  extends InMemoryRepository<{ functionName: string; version: string }, FunctionVersion>
  implements FunctionVersionRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.functionVersions, {
      entity: 'function version',
      keyOf: (version) => version,
      text: (key) => keyText(key.functionName, key.version),
      parent: (version) => tables.functions.get(keyText(version.functionName)),
    });
  }
  async ofFunction(functionName: string) {
    return this.rows
      .where((row) => row.functionName === functionName)
      .sort((left, right) => Number(left.version) - Number(right.version))
      .map(copyOf);
  }
}

export class InMemoryFunctionAliases
  extends InMemoryRepository<{ functionName: string; name: string }, FunctionAlias>
  implements FunctionAliasRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.functionAliases, {
      entity: 'function alias',
      keyOf: (alias) => alias,
      text: (key) => keyText(key.functionName, key.name),
      parent: (alias) => tables.functions.get(keyText(alias.functionName)),
    });
  }
  async ofFunction(functionName: string) {
    const rows = this.rows.where((row) => row.functionName === functionName);
    return sortedBy(rows, (row) => row.name).map(copyOf);
  }
}

export class InMemoryFunctionStatements
  extends InMemoryRepository<{ functionName: string; qualifier: string; statementId: string }, FunctionStatement>
  implements FunctionStatementRepository
{
  constructor(tables: OpenTables) {
    super(tables, tables.functionStatements, {
      entity: 'function statement',
      keyOf: (statement) => statement,
      text: (key) => keyText(key.functionName, key.qualifier, key.statementId),
      parent: (statement) => tables.functions.get(keyText(statement.functionName)),
    });
  }
  async ofFunction(functionName: string) {
    const rows = this.rows.where((row) => row.functionName === functionName);
    return sortedBy(
      sortedBy(rows, (row) => row.statementId),
      (row) => row.qualifier,
    ).map(copyOf);
  }
}

export class InMemoryAccount implements AccountRepository {
  constructor(private readonly tables: OpenTables) {}
  async read() {
    return copyOf(this.tables.account.get('') ?? DEFAULT_ACCOUNT_SETTINGS);
  }
  async write(settings: AccountSettings) {
    this.tables.account.set('', copyOf(settings));
  }
}

/** A tenant's transactions run one after the other, so reading locks enough. */
export class InMemoryAccessKeys extends InMemoryRepository<string, Credential> implements AccessKeyRepository {
  constructor(
    tables: OpenTables,
    private readonly isTakenElsewhere: (accessKeyId: string) => boolean,
  ) {
    super(tables, tables.accessKeys, { entity: 'credential', keyOf: (key) => key.accessKeyId, text: keyText });
  }
  async all() {
    return sortedBy(
      this.rows.where(() => true),
      (key) => key.accessKeyId,
    ).map(copyOf);
  }
  protected override checkUnique({ accessKeyId }: Credential) {
    if (this.isTakenElsewhere(accessKeyId)) throw new DuplicateKey('credential');
  }
  protected override removeDependents({ accessKeyId }: Credential) {
    this.tables.sessions.deleteWhere(({ madeBy }) => madeBy === accessKeyId);
  }
}
export class InMemorySessions extends InMemoryRepository<string, Session> implements SessionRepository {
  constructor(
    tables: OpenTables,
    private readonly isTakenElsewhere: (accessKeyId: string) => boolean,
  ) {
    super(tables, tables.sessions, {
      entity: 'session',
      keyOf: (session) => session.accessKeyId,
      text: keyText,
      parent: ({ madeBy }) => tables.accessKeys.get(keyText(madeBy)),
    });
  }
  async all() {
    return sortedBy(
      this.rows.where(() => true),
      (session) => session.accessKeyId,
    ).map(copyOf);
  }
  async count() {
    return this.rows.where(() => true).length;
  }
  protected override checkUnique({ accessKeyId }: Session) {
    if (this.isTakenElsewhere(accessKeyId)) throw new DuplicateKey('session');
  }
}
export class InMemoryIdentityPolicies extends InMemoryRepository<string, IdentityPolicy> implements IdentityPolicyRepository {
  constructor(tables: OpenTables) {
    super(tables, tables.identityPolicies, { entity: 'identity policy', keyOf: (policy) => policy.principalArn, text: keyText });
  }
  async all() {
    return sortedBy(
      this.rows.where(() => true),
      (policy) => policy.principalArn,
    ).map(copyOf);
  }
}
export class InMemoryServiceAccess implements ServiceAccessRepository {
  constructor(private readonly tables: OpenTables) {}
  async read() {
    return copyOf(this.tables.serviceAccess.get('') ?? NO_SERVICE_ACCESS);
  }
  lock() {
    return this.read();
  }
  async write(access: ServiceAccess) {
    this.tables.serviceAccess.set('', copyOf(access));
  }
}
export class InMemoryPlacement implements PlacementRepository {
  constructor(private readonly tables: OpenTables) {}
  async read() {
    return this.tables.placement.get('');
  }
  lock() {
    return this.read();
  }
  async write(pool: string | null) {
    if (pool === null) this.tables.placement.delete('');
    else this.tables.placement.set('', pool);
  }
}

/** A tenant's transactions run one after the other, so reading locks enough. */
export class InMemoryQuotas implements QuotaRepository {
  constructor(private readonly tables: OpenTables) {}
  async read() {
    return withDefaults(await this.lock());
  }
  async lock() {
    return copyOf(this.tables.quotas.get('') ?? {});
  }
  async write(own: OwnQuotas) {
    this.tables.quotas.set('', copyOf(own));
  }
}
