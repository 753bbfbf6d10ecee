/**
 * What every Store must do. Run by the specs of the in-memory fake and of PostgreSQL; one store serves all cases, so each case works in
 * tenants of its own and expects nothing of the revisions that others take.
 */
import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ManualClock, Secret, SetDigest } from '@gatehouse/kernel';
import type { ApiPart } from '../api-parts/api-part.js';
import type { Deployment, Stage } from '../deployments/deployment.js';
import type { ClientCertificate } from '../backend-access/client-certificate.js';
import type { VpcLink } from '../backend-access/vpc-link.js';
import type { BasePathMapping, Certificate, DomainName } from '../domain-names/domain-name.js';
import type { FunctionAlias, FunctionDefinition, FunctionStatement, FunctionVersion } from '../functions/function.js';
import type { HistogramData, MetricSample, NodeReport, UsageKey } from '../metering/usage.js';
import { entryForPool } from '../publish/placement.js';
import type { EntryContent, ManifestEntry, NodeRecord } from '../publish/publish.js';
import type { Integration, Method, Resource, RestApi } from '../rest-apis/rest-api.js';
import { DEFAULT_ACCOUNT_SETTINGS } from '../tenancy/account.js';
import { NO_SERVICE_ACCESS, withRole, withService, withUser } from '../service-access/service-access.js';
import { AWS_QUOTAS, type OwnQuotas } from '../tenancy/quotas.js';
import type { IdentityPolicy } from '../tenancy/identity-policy.js';
import { tenantId, type Credential, type Session, type TenantId } from '../tenancy/tenant.js';
import type { ApiKey, UsagePlan, UsagePlanKey } from '../usage-plans/usage-plan.js';
import {
  DuplicateKey,
  type ApiPartKey,
  type ApiPartRepository,
  type Page,
  type PageRequest,
  type Repository,
  type Store,
  type TenantRepositories,
} from './store.js';

const START_MS = Date.UTC(2026, 0, 1);

let nextTenant = 100_000_000_000;
const newTenant = (): TenantId => tenantId(String(nextTenant++));

/** Ids that must be unique over all tenants. */
const apiId = (tenant: TenantId, name: string) => `${name}${Number(tenant) - 100_000_000_000}`;

function restApi(tenant: TenantId, name: string, createdAtMs = START_MS): RestApi {
  return {
    id: apiId(tenant, name),
    name,
    description: null,
    version: null,
    createdAtMs,
    region: 'us-east-1',
    rootResourceId: 'root',
    binaryMediaTypes: ['image/png'],
    minimumCompressionSize: null,
    apiKeySource: 'HEADER',
    endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'ipv4', vpcEndpointIds: [] },
    policy: null,
    disableExecuteApiEndpoint: false,
    securityPolicy: null,
    endpointAccessMode: null,
    tags: { z: '1', a: '2' },
  };
}

function resource(tenant: TenantId, id: string, path = `/${id}`): Resource {
  return { apiId: apiId(tenant, 'parent'), id, parentId: 'root', pathPart: id, path };
}

function method(tenant: TenantId, httpMethod: string, resourceId = 'root'): Method {
  return {
    apiId: apiId(tenant, 'parent'),
    resourceId,
    httpMethod,
    authorizationType: 'NONE',
    authorizerId: null,
    authorizationScopes: [],
    apiKeyRequired: false,
    operationName: null,
    requestValidatorId: null,
    requestParameters: { 'method.request.header.X': true },
    requestModels: null,
    methodResponses: { '200': { statusCode: '200', responseParameters: null, responseModels: {} } },
    integration: null,
  };
}

const integration: Integration = {
  type: 'HTTP_PROXY',
  httpMethod: 'GET',
  uri: 'http://backend',
  connectionType: 'INTERNET',
  connectionId: null,
  credentials: null,
  requestParameters: null,
  requestTemplates: null,
  passthroughBehavior: 'WHEN_NO_MATCH',
  contentHandling: null,
  timeoutInMillis: 29_000,
  cacheNamespace: 'root',
  cacheKeyParameters: [],
  tlsConfig: null,
  responseTransferMode: null,
  integrationTarget: null,
  integrationResponses: {},
};

function deployment(tenant: TenantId, id: string, createdAtMs = START_MS): Deployment {
  const api = restApi(tenant, 'parent');
  const definition = { formatVersion: 1 as const, api, resources: [resource(tenant, 'pets')], methods: [method(tenant, 'GET')] };
  return { apiId: api.id, id, description: 'first', createdAtMs, definition, digest: 'd'.repeat(64) };
}

function stage(tenant: TenantId, stageName: string): Stage {
  return {
    apiId: apiId(tenant, 'parent'),
    stageName,
    deploymentId: 'dep',
    description: null,
    cacheClusterEnabled: false,
    cacheClusterSize: null,
    clientCertificateId: null,
    variables: { backend: 'a' },
    documentationVersion: null,
    accessLogSettings: null,
    methodSettings: {},
    canarySettings: null,
    tracingEnabled: false,
    webAclArn: null,
    tags: {},
    createdAtMs: START_MS,
    lastUpdatedAtMs: START_MS,
  };
}

function apiKey(id: string, createdAtMs = START_MS, name: string | null = id): ApiKey {
  return {
    id,
    value: new Secret(`value-of-${id}`),
    name,
    description: null,
    customerId: null,
    enabled: true,
    createdAtMs,
    lastUpdatedAtMs: START_MS,
    stageKeys: [],
    tags: {},
  };
}

function usagePlan(tenant: TenantId, name: string, createdAtMs = START_MS): UsagePlan {
  return {
    id: apiId(tenant, name),
    name,
    description: null,
    apiStages: [{ apiId: 'api', stage: 'dev', throttle: null }],
    throttle: { rateLimit: 1.5, burstLimit: null },
    quota: { limit: 100, offset: 0, period: 'DAY' },
    productCode: null,
    createdAtMs,
    tags: {},
  };
}

function membership(tenant: TenantId, apiKeyId: string, createdAtMs = START_MS): UsagePlanKey {
  return { usagePlanId: apiId(tenant, 'parent'), apiKeyId, createdAtMs };
}

/** Unique over all tenants. */
const hostName = (tenant: TenantId, name: string) => `${name}.t${Number(tenant) - 100_000_000_000}.example.com`;

function domainName(tenant: TenantId, name: string): DomainName {
  return {
    name: hostName(tenant, name),
    region: 'us-east-1',
    createdAtMs: START_MS,
    types: ['REGIONAL'],
    ipAddressType: 'ipv4',
    certificateArn: null,
    certificateName: null,
    inlineCertificateId: null,
    regionalCertificateArn: `arn:aws:acm:us-east-1:${tenant}:certificate/regional`,
    regionalCertificateName: null,
    certificateUploadedAtMs: START_MS,
    ownershipVerificationCertificateArn: null,
    securityPolicy: 'TLS_1_2',
    endpointAccessMode: null,
    targetId: 'abcdefghij',
    tags: { z: '1', a: '2' },
  };
}

function mapping(tenant: TenantId, basePath: string): BasePathMapping {
  return { domainName: hostName(tenant, 'parent'), basePath, restApiId: 'api', stage: 'prod' };
}

function certificate(id: string, inlineOf: string | null = null): Certificate {
  return {
    id,
    region: 'us-east-1',
    chainPem: '-----BEGIN CERTIFICATE-----',
    privateKeyPem: new Secret(`key-of-${id}`),
    hostNames: ['*.example.com'],
    notBeforeMs: START_MS,
    expiresAtMs: START_MS + 1,
    fingerprint: 'f'.repeat(64),
    importedAtMs: START_MS,
    inlineOf,
  };
}

function clientCertificate(id: string): ClientCertificate {
  return {
    id,
    description: null,
    certificatePem: '-----BEGIN CERTIFICATE-----',
    privateKeyPem: new Secret(`key-of-${id}`),
    createdAtMs: START_MS,
    expiresAtMs: START_MS + 1,
    tags: { z: '1', a: '2' },
  };
}

function vpcLink(id: string): VpcLink {
  return { id, name: id, description: 'a link', targetArns: ['arn:aws:x:::y'], tags: {} };
}

function functionVersion(version: string, functionName = 'parent'): FunctionVersion {
  return {
    functionName,
    version,
    description: '',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    role: 'arn:aws:iam::000000000000:role/lambda',
    timeoutSeconds: 3,
    memoryMb: 128,
    environment: { TABLE: new Secret('secret-environment') },
    architectures: ['x86_64'],
    ephemeralStorageMb: 512,
    layers: [],
    tracingMode: 'PassThrough',
    packageType: 'Zip',
    codeDigest: 'c'.repeat(64),
    codeBytes: 1,
    lastModifiedAtMs: START_MS,
    revisionId: 'r1',
  };
}

function functionDefinition(name: string): FunctionDefinition {
  const latest = functionVersion('$LATEST', name);
  return { name, region: 'us-east-1', latest, newestVersion: 0, createdAtMs: START_MS, tags: {}, reservedConcurrency: null };
}

function functionAlias(name: string): FunctionAlias {
  return { functionName: 'parent', name, functionVersion: '1', description: '', routing: {}, revisionId: 'r1' };
}

function functionStatement(statementId: string): FunctionStatement {
  return {
    functionName: 'parent',
    qualifier: '',
    statementId,
    action: 'lambda:InvokeFunction',
    principal: 'apigateway.amazonaws.com',
    sourceArn: null,
    sourceAccount: null,
  };
}

/** One kind of entity: how to reach its repository, make one by number, change it, and name it. */
interface Kind {
  readonly name: string;
  readonly of: (tx: TenantRepositories) => Repository<unknown, unknown>;
  readonly make: (tenant: TenantId, index: number) => unknown;
  readonly change: (entity: unknown) => unknown;
  readonly keyOf: (entity: unknown) => unknown;
}

function kind<K, E>(
  name: string,
  of: (tx: TenantRepositories) => Repository<K, E>,
  make: (tenant: TenantId, index: number) => E,
  change: (entity: E) => E,
  keyOf: (entity: E) => K,
): Kind {
  return { name, of, make, change, keyOf } as unknown as Kind;
}

const PARTS = {
  models: (id: string) => ({ id, modelId: 'm', contentType: 'application/json', description: null, schema: '{"ü":"\u0001"}' }),
  requestValidators: (id: string) => ({ id, name: null, validateRequestBody: true, validateRequestParameters: false }),
  authorizers: (id: string) => ({
    id,
    name: id,
    type: 'TOKEN' as const,
    providerARNs: [],
    authType: null,
    authorizerUri: 'arn',
    authorizerCredentials: null,
    identitySource: null,
    identityValidationExpression: null,
    authorizerResultTtlInSeconds: 0,
  }),
  gatewayResponses: (id: string) => ({ id, statusCode: null, responseParameters: { b: '1', a: '' }, responseTemplates: null }),
  documentationParts: (id: string) => ({
    id,
    location: { type: 'API' as const, path: null, method: null, statusCode: null, name: null },
    properties: '{"a":1}',
  }),
  documentationVersions: (id: string) => ({ id, description: null, createdAtMs: START_MS, parts: [] }),
};
const PART_KINDS = Object.keys(PARTS) as (keyof typeof PARTS)[];

const partsOf = (tx: TenantRepositories, name: keyof typeof PARTS): ApiPartRepository<ApiPart> =>
  tx[name] as ApiPartRepository<ApiPart>;
const part = (tenant: TenantId, name: keyof typeof PARTS, id: string): ApiPart => ({
  apiId: apiId(tenant, 'parent'),
  ...PARTS[name](id),
});

const KINDS: readonly Kind[] = [
  ...PART_KINDS.map((name) =>
    kind<ApiPartKey, ApiPart>(
      name,
      (tx) => partsOf(tx, name),
      (tenant, index) => part(tenant, name, `part${index}`),
      (row) => ({ ...row, description: 'changed' }),
      ({ apiId: api, id }) => ({ apiId: api, id }),
    ),
  ),
  kind(
    'REST APIs',
    (tx) => tx.restApis,
    (tenant, index) => restApi(tenant, `api${index}x`),
    (api) => ({ ...api, description: 'changed', tags: { b: '', a: 'ü\u0000\u0001' } }),
    (api) => api.id,
  ),
  kind(
    'resources',
    (tx) => tx.resources,
    (tenant, index) => resource(tenant, `r${index}`),
    (row) => ({ ...row, path: '/renamed', pathPart: 'renamed' }),
    (row) => ({ apiId: row.apiId, resourceId: row.id }),
  ),
  kind(
    'methods',
    (tx) => tx.methods,
    (tenant, index) => method(tenant, `VERB${index}`),
    (row) => ({ ...row, requestParameters: null, apiKeyRequired: true }),
    ({ apiId, resourceId, httpMethod }) => ({ apiId, resourceId, httpMethod }),
  ),
  kind(
    'deployments',
    (tx) => tx.deployments,
    (tenant, index) => deployment(tenant, `dep${index}`),
    (row) => ({ ...row, description: null }),
    (row) => ({ apiId: row.apiId, deploymentId: row.id }),
  ),
  kind(
    'stages',
    (tx) => tx.stages,
    (tenant, index) => stage(tenant, `stage${index}`),
    (row) => ({ ...row, variables: {}, accessLogSettings: { format: '$context', destinationArn: null } }),
    ({ apiId, stageName }) => ({ apiId, stageName }),
  ),
  kind(
    'API keys',
    (tx) => tx.apiKeys,
    (_, index) => apiKey(`key${index}`),
    (row) => ({ ...row, enabled: false, name: null, tags: { a: 'b' } }),
    (row) => row.id,
  ),
  kind(
    'usage plans',
    (tx) => tx.usagePlans,
    (tenant, index) => usagePlan(tenant, `plan${index}x`),
    (row) => ({ ...row, apiStages: [], quota: null }),
    (row) => row.id,
  ),
  kind(
    'usage plan keys',
    (tx) => tx.usagePlanKeys,
    (tenant, index) => membership(tenant, `parent${index}`),
    (row) => ({ ...row, createdAtMs: row.createdAtMs + 1 }),
    ({ usagePlanId, apiKeyId }) => ({ usagePlanId, apiKeyId }),
  ),
  kind(
    'domain names',
    (tx) => tx.domainNames,
    (tenant, index) => domainName(tenant, `domain${index}`),
    (row) => ({ ...row, types: ['EDGE'], certificateArn: row.regionalCertificateArn, regionalCertificateArn: null }),
    (row) => row.name,
  ),
  kind(
    'base path mappings',
    (tx) => tx.basePathMappings,
    (tenant, index) => mapping(tenant, index === 0 ? '' : `path${index}`),
    (row) => ({ ...row, restApiId: 'other', stage: null }),
    ({ domainName: name, basePath }) => ({ domainName: name, basePath }),
  ),
  kind(
    'certificates',
    (tx) => tx.certificates,
    (_, index) => certificate(`certificate${index}`),
    (row) => ({ ...row, privateKeyPem: new Secret('another'), hostNames: [], inlineOf: 'a.example.com' }),
    (row) => row.id,
  ),
  kind(
    'client certificates',
    (tx) => tx.clientCertificates,
    (_, index) => clientCertificate(`cc${index}`),
    (row) => ({ ...row, privateKeyPem: new Secret('another'), description: 'changed', tags: {} }),
    (row) => row.id,
  ),
  kind(
    'VPC links',
    (tx) => tx.vpcLinks,
    (_, index) => vpcLink(`link${index}`),
    (row) => ({ ...row, name: 'changed', description: null }),
    (row) => row.id,
  ),
  kind(
    'functions',
    (tx) => tx.functions,
    (_, index) => functionDefinition(`function${index}`),
    (row) => ({ ...row, latest: { ...row.latest, environment: { B: new Secret('\u0000'), A: new Secret('') } } }),
    (row) => row.name,
  ),
  kind(
    'function versions',
    (tx) => tx.functionVersions,
    (_, index) => functionVersion(String(index + 1)),
    (row) => ({ ...row, description: 'changed' }),
    ({ functionName, version }) => ({ functionName, version }),
  ),
  kind(
    'function aliases',
    (tx) => tx.functionAliases,
    (_, index) => functionAlias(`alias${index}`),
    (row) => ({ ...row, routing: { '2': 0.25 } }),
    ({ functionName, name }) => ({ functionName, name }),
  ),
  kind(
    'function statements',
    (tx) => tx.functionStatements,
    (_, index) => functionStatement(`statement${index}`),
    (row) => ({ ...row, sourceAccount: '123456789012' }),
    ({ functionName, qualifier, statementId }) => ({ functionName, qualifier, statementId }),
  ),
];
const MAKES_PER_KIND = 3;

/** What the entities of KINDS belong to. */
async function insertParents(tx: TenantRepositories): Promise<void> {
  const { tenant } = tx;
  await tx.restApis.insert(restApi(tenant, 'parent'));
  await tx.resources.insert({ ...resource(tenant, 'root', '/'), parentId: null, pathPart: null });
  await tx.usagePlans.insert(usagePlan(tenant, 'parent'));
  for (let index = 0; index < MAKES_PER_KIND; index++) await tx.apiKeys.insert(apiKey(`parent${index}`));
  await tx.domainNames.insert(domainName(tenant, 'parent'));
  await tx.functions.insert(functionDefinition('parent'));
}

/** Secrets print alike and hide their text from `toEqual`: compare what they hold. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return `secret ${value.reveal()}`;
  if (Array.isArray(value)) return value.map(revealed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, revealed(member)]));
}

async function readAll<E>(page: (request: PageRequest) => Promise<Page<E>>, limit: number): Promise<E[]> {
  const items: E[] = [];
  for (let after: string | null = null; ;) {
    const { items: more, next }: Page<E> = await page({ after, limit });
    expect(more.length).toBeLessThanOrEqual(limit);
    items.push(...more);
    if (next === null) return items;
    after = next;
  }
}

const inline = (text: string): EntryContent => ({ digest: null, blobBytes: 0, inline: JSON.stringify(text) });

function histogram(...buckets: [number, number][]): HistogramData {
  const count = buckets.reduce((sum, [, times]) => sum + times, 0);
  return { buckets: Object.fromEntries(buckets), count, sumMs: count * 2.5, maxMs: count };
}

function sample(
  tenant: TenantId,
  startSeconds: number,
  overrides: Partial<MetricSample> = {},
): MetricSample & { tenant: string } {
  return {
    tenant,
    apiId: 'api',
    stage: 'dev',
    resource: '/pets/{id}',
    httpMethod: 'GET',
    startSeconds,
    count: 2,
    errors4xx: 1,
    errors5xx: 0,
    cacheHits: 3,
    cacheMisses: 5,
    latency: histogram([3, 1], [7, 1]),
    integrationLatency: histogram([3, 2]),
    ...overrides,
  };
}

export function storeContract(name: string, makeStore: (clock: ManualClock) => Promise<Store>): void {
  describe(name, () => {
    const clock = new ManualClock(START_MS);
    let store: Store;
    beforeAll(async () => {
      store = await makeStore(clock);
    });
    afterAll(() => store.close());

    const transact = <T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>) => store.tenants.transact(tenant, work);

    describe.each(KINDS)('$name', ({ of, make, change, keyOf }) => {
      test('are inserted once, found, locked, replaced and removed as they are', async () => {
        const tenant = newTenant();
        const entity = make(tenant, 0);
        const key = keyOf(entity);
        await transact(tenant, async (tx) => {
          await insertParents(tx);
          expect(await of(tx).find(key)).toBeNull();
          expect(await of(tx).lock(key)).toBeNull();
          await expect(of(tx).replace(entity)).rejects.toThrow(/to replace/);
        });
        await transact(tenant, async (tx) => {
          await of(tx).insert(entity);
          await expect(of(tx).insert(entity)).rejects.toThrow(DuplicateKey);
          await of(tx).insert(make(tenant, 1)); // the duplicate did not break the transaction
        });
        await transact(tenant, async (tx) => {
          expect(revealed(await of(tx).find(key))).toEqual(revealed(entity));
          expect(revealed(await of(tx).lock(key))).toEqual(revealed(entity));
          await of(tx).replace(change(entity));
        });
        await transact(tenant, async (tx) => {
          expect(revealed(await of(tx).find(key))).toEqual(revealed(change(entity)));
          expect(await of(tx).remove(key)).toBe(true);
          expect(await of(tx).remove(key)).toBe(false);
          expect(await of(tx).find(key)).toBeNull();
          expect(revealed(await of(tx).find(keyOf(make(tenant, 1))))).toEqual(revealed(make(tenant, 1)));
        });
      });

      test('are inserted and removed many at once, all of them or none', async () => {
        const tenant = newTenant();
        const entities = [0, 1, 2].map((index) => make(tenant, index));
        const found = (tx: TenantRepositories) => Promise.all(entities.map((entity) => of(tx).find(keyOf(entity))));
        await transact(tenant, async (tx) => {
          await insertParents(tx);
          await of(tx).insertAll([]);
          await of(tx).removeAll([]);
        });
        await transact(tenant, (tx) => of(tx).insert(entities[2]!));
        await expect(transact(tenant, (tx) => of(tx).insertAll(entities))).rejects.toThrow(DuplicateKey);
        await transact(tenant, async (tx) => {
          expect(revealed(await found(tx))).toEqual([null, null, revealed(entities[2])]);
          await of(tx).insertAll(entities.slice(0, 2));
          expect(revealed(await found(tx))).toEqual(revealed(entities));
          await of(tx).removeAll(entities.slice(1).map(keyOf));
          await of(tx).removeAll(entities.slice(1).map(keyOf));
          expect(revealed(await found(tx))).toEqual([revealed(entities[0]), null, null]);
        });
      });

      test('of a failed transaction are gone', async () => {
        const tenant = newTenant();
        await transact(tenant, insertParents);
        await transact(tenant, (tx) => of(tx).insert(make(tenant, 0)));
        const failing = transact(tenant, async (tx) => {
          await of(tx).replace(change(make(tenant, 0)));
          await of(tx).insert(make(tenant, 1));
          throw new Error('refused');
        });
        await expect(failing).rejects.toThrow('refused');
        await transact(tenant, async (tx) => {
          expect(revealed(await of(tx).find(keyOf(make(tenant, 0))))).toEqual(revealed(make(tenant, 0)));
          expect(await of(tx).find(keyOf(make(tenant, 1)))).toBeNull();
        });
      });
    });

    test('what is missing cannot be a parent', async () => {
      const tenant = newTenant();
      for (const insert of [
        (tx: TenantRepositories) => tx.resources.insert(resource(tenant, 'r')),
        (tx: TenantRepositories) => tx.methods.insert(method(tenant, 'GET')),
        (tx: TenantRepositories) => tx.usagePlanKeys.insert(membership(tenant, 'none')),
        (tx: TenantRepositories) => tx.functionAliases.insert(functionAlias('a')),
        (tx: TenantRepositories) => tx.basePathMappings.insert(mapping(tenant, 'a')),
      ]) {
        await expect(transact(tenant, insert)).rejects.toThrow();
      }
    });

    test('tenants never see or touch each other’s rows, whatever they do', async () => {
      const command = fc.record({
        actor: fc.nat(1),
        kind: fc.nat(KINDS.length - 1),
        index: fc.nat(MAKES_PER_KIND - 1),
        action: fc.constantFrom('insert', 'replace', 'remove'),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
          const tenants = [newTenant(), newTenant()];
          const model = new Map<string, unknown>();
          for (const tenant of tenants) await transact(tenant, insertParents);
          for (const { actor, kind: kindIndex, index, action } of commands) {
            const tenant = tenants[actor]!;
            const { of, make, change, keyOf } = KINDS[kindIndex]!;
            const entity = make(tenant, index);
            const place = `${tenant} ${kindIndex} ${index}`;
            const isThere = model.has(place);
            await transact(tenant, async (tx) => {
              if (action === 'remove') {
                expect(await of(tx).remove(keyOf(entity))).toBe(isThere);
                model.delete(place);
              } else if ((action === 'insert') !== isThere) {
                await of(tx)[action](isThere ? change(entity) : entity);
                model.set(place, isThere ? change(entity) : entity);
              }
            });
          }
          for (const [owner, tenant] of tenants.entries()) {
            const other = tenants[1 - owner]!;
            await transact(tenant, async (tx) => {
              for (const [kindIndex, { of, make, keyOf }] of KINDS.entries()) {
                for (let index = 0; index < MAKES_PER_KIND; index++) {
                  const own = model.get(`${tenant} ${kindIndex} ${index}`) ?? null;
                  expect(revealed(await of(tx).find(keyOf(make(tenant, index))))).toEqual(revealed(own));
                }
              }
              expect(await tx.restApis.find(apiId(other, 'parent'))).toBeNull();
              expect(await tx.restApis.lock(apiId(other, 'parent'))).toBeNull();
              expect(await tx.restApis.remove(apiId(other, 'parent'))).toBe(false);
              expect(await tx.resources.ofApi(apiId(other, 'parent'))).toEqual([]);
              expect(await tx.methods.ofApi(apiId(other, 'parent'))).toEqual([]);
              expect(await tx.stages.ofApi(apiId(other, 'parent'))).toEqual([]);
              expect(await tx.usagePlans.find(apiId(other, 'parent'))).toBeNull();
              expect(await tx.usagePlanKeys.keysOfPlan(apiId(other, 'parent'))).toEqual([]);
              expect(await tx.domainNames.lock(hostName(other, 'parent'))).toBeNull();
              expect(await tx.basePathMappings.ofDomain(hostName(other, 'parent'))).toEqual([]);
            });
          }
        }),
        { numRuns: 8 },
      );
    });

    test('ids of APIs and usage plans, and domain names, are unique over all tenants', async () => {
      const [one, two] = [newTenant(), newTenant()];
      await transact(one, insertParents);
      await expect(transact(two, (tx) => tx.restApis.insert(restApi(one, 'parent')))).rejects.toThrow(DuplicateKey);
      await expect(transact(two, (tx) => tx.usagePlans.insert(usagePlan(one, 'parent')))).rejects.toThrow(DuplicateKey);
      await expect(transact(two, (tx) => tx.domainNames.insert(domainName(one, 'parent')))).rejects.toThrow(DuplicateKey);
      expect(await store.metering.tenantOfPlan(apiId(one, 'parent'))).toBe(one);
      expect(await store.metering.tenantOfPlan('nowhere')).toBeNull();
    });

    test('an API key’s value is unique in its tenant and finds the key', async () => {
      const [one, two] = [newTenant(), newTenant()];
      const key = apiKey('k1');
      for (const tenant of [one, two]) await transact(tenant, (tx) => tx.apiKeys.insert(key));
      await transact(one, async (tx) => {
        await expect(tx.apiKeys.insert({ ...key, id: 'k2' })).rejects.toThrow(DuplicateKey);
        expect((await tx.apiKeys.findByValue('value-of-k1'))?.id).toBe('k1');
        expect(await tx.apiKeys.findByValue('value-of-k')).toBeNull();
        expect(await tx.apiKeys.count(), 'of this tenant').toBe(1);
        await tx.apiKeys.insert(apiKey('k3'));
      });
      await expect(transact(one, (tx) => tx.apiKeys.replace({ ...apiKey('k3'), value: key.value }))).rejects.toThrow(
        DuplicateKey,
      );
    });

    test('removing what others belong to takes them along, and nothing else', async () => {
      const tenant = newTenant();
      const other = { ...restApi(tenant, 'other') };
      await transact(tenant, async (tx) => {
        await insertParents(tx);
        await tx.restApis.insert(other);
        await tx.resources.insert({ ...resource(tenant, 'root', '/'), apiId: other.id });
        await tx.methods.insert(method(tenant, 'GET'));
        await tx.deployments.insert(deployment(tenant, 'dep'));
        await tx.stages.insert(stage(tenant, 'dev'));
        const rollout = { deploymentId: 'dep', apiId: apiId(tenant, 'parent'), stageName: 'dev', publishedAtMs: 1 };
        await tx.manifest.put('STAGE', `${rollout.apiId}/dev`, inline('1'), { rollout });
        await tx.resources.insert(resource(tenant, 'pets'));
        await tx.methods.insert(method(tenant, 'PUT', 'pets'));
        await tx.usagePlanKeys.insert(membership(tenant, 'parent0'));
        await tx.usagePlanKeys.insert(membership(tenant, 'parent1'));
        await tx.basePathMappings.insert(mapping(tenant, 'v1'));
        await tx.functionVersions.insert(functionVersion('1'));
        await tx.functionAliases.insert(functionAlias('live'));
        await tx.functionStatements.insert(functionStatement('s'));
      });
      const api = apiId(tenant, 'parent');
      await transact(tenant, async (tx) => {
        await tx.resources.remove({ apiId: api, resourceId: 'pets' });
        expect((await tx.methods.ofApi(api)).map(({ httpMethod }) => httpMethod)).toEqual(['GET']);
        await tx.apiKeys.remove('parent0');
        expect(await tx.usagePlanKeys.keysOfPlan(apiId(tenant, 'parent'))).toEqual(['parent1']);
      });
      await transact(tenant, async (tx) => {
        await tx.restApis.remove(api);
        await tx.usagePlans.remove(apiId(tenant, 'parent'));
        await tx.functions.remove('parent');
        await tx.domainNames.remove(hostName(tenant, 'parent'));
      });
      await transact(tenant, async (tx) => {
        expect(await tx.restApis.count()).toBe(1);
        expect(await tx.resources.count(api)).toBe(0);
        expect(await tx.resources.count(other.id)).toBe(1);
        expect(await tx.methods.ofApi(api)).toEqual([]);
        expect(await tx.deployments.find({ apiId: api, deploymentId: 'dep' })).toBeNull();
        expect(await tx.stages.ofApi(api)).toEqual([]);
        expect(await tx.manifest.rolloutsOf('dep')).toEqual([]);
        expect(await tx.usagePlanKeys.plansOfKey('parent1')).toEqual([]);
        expect(await tx.apiKeys.find('parent1')).not.toBeNull();
        expect(await tx.functionVersions.ofFunction('parent')).toEqual([]);
        expect(await tx.functionAliases.ofFunction('parent')).toEqual([]);
        expect(await tx.functionStatements.ofFunction('parent')).toEqual([]);
        expect(await tx.basePathMappings.ofDomain(hostName(tenant, 'parent'))).toEqual([]);
      });
    });

    test('pages go through a list in its order, each item once, whatever their size', async () => {
      const tenant = newTenant();
      const api = apiId(tenant, 'parent');
      const plan = apiId(tenant, 'parent');
      await transact(tenant, async (tx) => {
        await insertParents(tx);
        for (const index of [3, 0, 4, 1, 2]) {
          const createdAtMs = START_MS + 1 + Math.floor(index / 2); // two of an age: the id decides
          await tx.restApis.insert(restApi(tenant, `p${index}`, createdAtMs));
          await tx.resources.insert(resource(tenant, `r${4 - index}`, `/${'abCDe'[index]}`));
          await tx.deployments.insert(deployment(tenant, `d${index}`, createdAtMs));
          await tx.apiKeys.insert(
            apiKey(`k${index}`, createdAtMs, index === 4 ? null : `${index % 2 ? 'odd' : 'even'}_%${index}`),
          );
          await tx.usagePlans.insert(usagePlan(tenant, `q${index}`, createdAtMs));
          await tx.usagePlanKeys.insert(membership(tenant, `k${index}`, createdAtMs));
          await tx.functions.insert(functionDefinition(`f${index}`));
          await tx.domainNames.insert(domainName(tenant, `d${index}`));
          await tx.basePathMappings.insert(mapping(tenant, index === 0 ? '' : `b${index}`));
          await tx.certificates.insert(certificate(`c${index}`));
          await tx.clientCertificates.insert(clientCertificate(`c${index}`));
          await tx.vpcLinks.insert(vpcLink(`l${index}`));
          await tx.certificates.insert(certificate(`d${index}`, hostName(tenant, 'd0')));
        }
      });
      await transact(tenant, async (tx) => {
        for (const limit of [1, 2, 3, 100]) {
          const names = async <E>(page: (request: PageRequest) => Promise<Page<E>>, of: (entity: E) => string) =>
            (await readAll(page, limit)).map(of);
          const byAge = (prefix: string) => [0, 1, 2, 3, 4].map((index) => apiId(tenant, `${prefix}${index}`));
          expect(
            await names(
              (r) => tx.restApis.page(r),
              (e) => e.id,
            ),
          ).toEqual([api, ...byAge('p')]);
          expect(
            await names(
              (r) => tx.resources.page(api, r),
              (e) => e.path,
            ),
          ).toEqual(['/', '/C', '/D', '/a', '/b', '/e']);
          expect(
            await names(
              (r) => tx.deployments.page(api, r),
              (e) => e.id,
            ),
          ).toEqual(['d4', 'd3', 'd2', 'd1', 'd0']);
          const some = await tx.deployments.summaries(api, ['d3', 'd1', 'none', 'd\u00001']);
          expect(some.map(({ id }) => id).sort()).toEqual(['d1', 'd3']);
          expect(
            await names(
              (r) => tx.apiKeys.page({ namePrefix: 'odd_%' }, r),
              (e) => e.id,
            ),
          ).toEqual(['k3', 'k1']);
          expect(
            await names(
              (r) => tx.apiKeys.page({ namePrefix: 'oddx' }, r),
              (e) => e.id,
            ),
          ).toEqual([]);
          expect(
            await names(
              (r) => tx.usagePlans.page({}, r),
              (e) => e.id,
            ),
          ).toEqual([plan, ...byAge('q')]);
          expect(
            await names(
              (r) => tx.usagePlans.page({ apiKeyId: 'k2' }, r),
              (e) => e.id,
            ),
          ).toEqual([plan]);
          expect(
            await names(
              (r) => tx.usagePlanKeys.page(plan, {}, r),
              (e) => e.key.value.reveal(),
            ),
          ).toEqual([4, 3, 2, 1, 0].map((index) => `value-of-k${index}`));
          expect(
            await names(
              (r) => tx.usagePlanKeys.page(plan, { namePrefix: 'even' }, r),
              (e) => e.membership.apiKeyId,
            ),
          ).toEqual(['k2', 'k0']);
          expect(
            await names(
              (r) => tx.functions.page(r),
              (e) => e.name,
            ),
          ).toEqual(['f0', 'f1', 'f2', 'f3', 'f4', 'parent']);
          expect(
            await names(
              (r) => tx.domainNames.page(r),
              (e) => e.name,
            ),
          ).toEqual(['d0', 'd1', 'd2', 'd3', 'd4', 'parent'].map((host) => hostName(tenant, host)));
          expect(
            await names(
              (r) => tx.basePathMappings.page(hostName(tenant, 'parent'), r),
              (e) => e.basePath,
            ),
          ).toEqual(['', 'b1', 'b2', 'b3', 'b4']);
          expect(
            await names(
              (r) => tx.certificates.page(r),
              (e) => e.id,
            ),
          ).toEqual(['c0', 'c1', 'c2', 'c3', 'c4']);
          expect(
            await names(
              (r) => tx.clientCertificates.page(r),
              (e) => e.id,
            ),
          ).toEqual(['c0', 'c1', 'c2', 'c3', 'c4']);
          expect(
            await names(
              (r) => tx.vpcLinks.page(r),
              (e) => e.id,
            ),
          ).toEqual(['l0', 'l1', 'l2', 'l3', 'l4']);
        }
        expect([await tx.clientCertificates.count(), await tx.vpcLinks.count()]).toEqual([5, 5]);
        const first = await tx.restApis.page({ after: null, limit: 2 });
        await tx.restApis.remove(apiId(tenant, 'p0')); // the one the page ended with
        expect((await tx.restApis.page({ after: first.next, limit: 1 })).items[0]?.id).toBe(apiId(tenant, 'p1'));
        expect((await tx.restApis.page({ after: '\u0000 anything', limit: 9 })).items.length).toBe(5);
        const { items } = await tx.deployments.page(api, { after: null, limit: 1 });
        expect(items).toEqual([{ apiId: api, id: 'd4', description: 'first', createdAtMs: START_MS + 3 }]);
      });
    });

    test('what names a client certificate or a VPC link is found, of this tenant alone', async () => {
      const [tenant, other] = [newTenant(), newTenant()];
      const through = (of: TenantId, httpMethod: string, connectionId: string, connectionType = 'VPC_LINK'): Method => ({
        ...method(of, httpMethod),
        integration: { ...integration, connectionType, connectionId },
      });
      for (const each of [tenant, other]) {
        await transact(each, async (tx) => {
          await insertParents(tx);
          for (const [name, clientCertificateId] of [
            ['prod', 'shown'],
            ['dev', 'shown'],
            ['test', 'shown-elsewhere'],
            ['none', null],
          ] as const) {
            await tx.stages.insert({ ...stage(each, name), clientCertificateId });
          }
          await tx.methods.insert(through(each, 'PUT', 'link'));
          await tx.methods.insert(through(each, 'GET', 'link'));
          await tx.methods.insert(through(each, 'POST', 'other'));
          await tx.methods.insert(through(each, 'HEAD', '${stageVariables.link}'));
          await tx.methods.insert(through(each, 'PATCH', 'link', 'INTERNET'));
          await tx.methods.insert(method(each, 'DELETE'));
        });
      }
      await transact(tenant, async (tx) => {
        const api = apiId(tenant, 'parent');
        const stages = await tx.stages.usingClientCertificate('shown');
        expect(stages.map(({ apiId: of, stageName }) => [of, stageName])).toEqual([
          [api, 'dev'],
          [api, 'prod'],
        ]);
        const methods = await tx.methods.usingVpcLink('link');
        expect(methods.map(({ apiId: of, httpMethod }) => [of, httpMethod])).toEqual([
          [api, 'GET'],
          [api, 'PUT'],
        ]);
        await tx.stages.replace({ ...stages[0]!, clientCertificateId: null });
        await tx.methods.replace({ ...methods[0]!, integration: null });
        expect(await tx.stages.usingClientCertificate('shown')).toHaveLength(1);
        expect(await tx.methods.usingVpcLink('link')).toHaveLength(1);
        expect(await tx.methods.usingVpcLink('${stageVariables.link}')).toEqual([]);
      });
    });

    test('lists that are read whole come in the order the port says', async () => {
      const tenant = newTenant();
      const api = apiId(tenant, 'parent');
      await transact(tenant, async (tx) => {
        await insertParents(tx);
        await tx.resources.insert(resource(tenant, 'z', '/a'));
        await tx.resources.insert({ ...resource(tenant, 'y', '/a/b'), parentId: 'z' });
        for (const [verb, resourceId] of [
          ['PUT', 'y'],
          ['GET', 'y'],
          ['POST', 'root'],
          ['ANY', 'z'],
        ] as const) {
          await tx.methods.insert(method(tenant, verb, resourceId));
        }
        for (const version of ['10', '9', '1']) await tx.functionVersions.insert(functionVersion(version));
        for (const name of ['prod', 'dev']) await tx.stages.insert(stage(tenant, name));
        for (const basePath of ['b', '', 'a']) await tx.basePathMappings.insert(mapping(tenant, basePath));
        await tx.domainNames.insert({
          ...domainName(tenant, 'second'),
          ownershipVerificationCertificateArn: `arn:aws:acm:us-east-1:${tenant}:certificate/verification`,
        });
        await tx.usagePlans.insert({
          ...usagePlan(tenant, 'more'),
          apiStages: [{ apiId: 'api', stage: 'prod', throttle: null }],
        });
      });
      await transact(tenant, async (tx) => {
        const verbs = (methods: Method[]) => methods.map(({ httpMethod }) => httpMethod);
        expect((await tx.resources.ofApi(api)).map(({ path }) => path)).toEqual(['/', '/a', '/a/b']);
        expect((await tx.resources.childrenOf(api, 'z')).map(({ id }) => id)).toEqual(['y']);
        expect(verbs(await tx.methods.ofApi(api))).toEqual(['POST', 'ANY', 'GET', 'PUT']);
        expect(verbs(await tx.methods.ofResources(api, ['y', 'z', 'none']))).toEqual(['ANY', 'GET', 'PUT']);
        expect(await tx.methods.ofResources(api, [])).toEqual([]);
        expect((await tx.functionVersions.ofFunction('parent')).map(({ version }) => version)).toEqual(['1', '9', '10']);
        expect((await tx.stages.ofApi(api)).map(({ stageName }) => stageName)).toEqual(['dev', 'prod']);
        expect((await tx.usagePlans.usingStage('api', 'prod')).map(({ name: plan }) => plan)).toEqual(['more']);
        expect((await tx.usagePlans.usingApi('api')).map(({ name: plan }) => plan)).toEqual(['more', 'parent']);
        expect(await tx.usagePlans.usingApi('ap')).toEqual([]);
        expect(await tx.usagePlans.count()).toBe(2);
        const paths = (mappings: BasePathMapping[]) => mappings.map(({ basePath }) => basePath);
        expect(paths(await tx.basePathMappings.ofDomain(hostName(tenant, 'parent')))).toEqual(['', 'a', 'b']);
        expect(paths(await tx.basePathMappings.usingApi('api'))).toEqual(['', 'a', 'b']);
        expect(await tx.basePathMappings.usingApi('ap')).toEqual([]);
        const using = async (id: string) => (await tx.domainNames.usingCertificate(id)).map(({ name }) => name);
        expect(await using('regional')).toEqual(['parent', 'second'].map((host) => hostName(tenant, host)));
        expect(await using('verification')).toEqual([hostName(tenant, 'second')]);
        expect(await using('none')).toEqual([]);
        expect([await tx.domainNames.count(), await tx.certificates.count()]).toEqual([2, 0]);
      });
    });

    test('any text comes back as it was given, and no key is too strange to ask for', async () => {
      const text = fc.string({ unit: 'binary', maxLength: 20 });
      await fc.assert(
        fc.asyncProperty(text, text, async (odd, value) => {
          const tenant = newTenant();
          const key: ApiKey = {
            ...apiKey('k'),
            name: odd,
            customerId: odd,
            value: new Secret(`v${value}`),
            tags: { [`t${odd}`]: value },
          };
          await transact(tenant, async (tx) => {
            await tx.apiKeys.insert(key);
            expect(revealed(await tx.apiKeys.findByValue(`v${value}`))).toEqual(revealed(key));
            const { items } = await tx.apiKeys.page({ namePrefix: odd, customerId: odd }, { after: null, limit: 1 });
            expect(items.map(revealed)).toEqual([revealed(key)]);
            expect(await tx.restApis.find(`${odd}\u0000`)).toBeNull();
            expect(await tx.restApis.lock(`${odd}\u0000`)).toBeNull();
            expect(await tx.methods.remove({ apiId: odd, resourceId: odd, httpMethod: odd })).toBe(false);
          });
        }),
        { numRuns: 30 },
      );
    });

    test('changes under a lock are never lost, however many come at once', async () => {
      const tenant = newTenant();
      const api = apiId(tenant, 'parent');
      await transact(tenant, insertParents);
      await Promise.all(
        Array.from({ length: 20 }, () =>
          transact(tenant, async (tx) => {
            const current = await tx.restApis.lock(api);
            await tx.restApis.replace({ ...current!, description: String(Number(current!.description ?? 0) + 1) });
          }),
        ),
      );
      expect((await transact(tenant, (tx) => tx.restApis.find(api)))?.description).toBe('20');
    });

    test('account settings start with the defaults and lose no change either', async () => {
      const [tenant, other] = [newTenant(), newTenant()];
      await Promise.all(
        Array.from({ length: 10 }, () =>
          transact(tenant, async (tx) => {
            const settings = await tx.account.read();
            await tx.account.write({ ...settings, throttle: { ...settings.throttle, burst: settings.throttle.burst + 1 } });
          }),
        ),
      );
      expect((await transact(tenant, (tx) => tx.account.read())).throttle.burst).toBe(5_010);
      expect(await transact(other, (tx) => tx.account.read())).toEqual(DEFAULT_ACCOUNT_SETTINGS);
    });

    test('of two who insert the same key at the same time one is told', async () => {
      const tenant = newTenant();
      const insert = () => transact(tenant, (tx) => tx.restApis.insert(restApi(tenant, 'twice')));
      const results = await Promise.allSettled([insert(), insert()]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(results.find((result) => result.status === 'rejected')?.reason).toBeInstanceOf(DuplicateKey);
    });

    describe('parts of an API', () => {
      test('of each kind are listed by id, in pages, and are no parts of another kind or API', async () => {
        const tenant = newTenant();
        await transact(tenant, async (tx) => {
          await insertParents(tx);
          await tx.restApis.insert(restApi(tenant, 'other'));
          for (const name of PART_KINDS) {
            for (const id of ['b', 'C', 'a']) await partsOf(tx, name).insert(part(tenant, name, id));
            await partsOf(tx, name).insert({ ...part(tenant, name, 'z'), apiId: apiId(tenant, 'other') });
          }
        });
        await transact(tenant, async (tx) => {
          for (const name of PART_KINDS) {
            const api = apiId(tenant, 'parent');
            const expected = ['C', 'a', 'b'].map((id) => part(tenant, name, id));
            expect(await partsOf(tx, name).ofApi(api)).toEqual(expected);
            expect(await readAll((request) => partsOf(tx, name).page(api, request), 2)).toEqual(expected);
          }
        });
      });
      test('and its tree are its contents, without what is of another API or only about its documentation', async () => {
        const tenant = newTenant();
        const api = apiId(tenant, 'parent');
        const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
        await transact(tenant, async (tx) => {
          await insertParents(tx);
          await tx.restApis.insert(restApi(tenant, 'other'));
          await tx.resources.insert(resource(tenant, 'r1'));
          await tx.methods.insert(method(tenant, 'GET'));
          for (const name of PART_KINDS) {
            for (const id of ['b', 'a']) await partsOf(tx, name).insert(part(tenant, name, id));
            await partsOf(tx, name).insert({ ...part(tenant, name, 'z'), apiId: apiId(tenant, 'other') });
          }
        });
        await transact(tenant, async (tx) => {
          const { resources, methods, parts } = await tx.restApis.contents(api);
          expect([...resources].sort(byId)).toEqual((await tx.resources.ofApi(api)).sort(byId));
          expect(methods).toEqual(await tx.methods.ofApi(api));
          for (const name of ['models', 'requestValidators', 'authorizers', 'gatewayResponses'] as const)
            expect([...parts[name]].sort(byId)).toEqual(await partsOf(tx, name).ofApi(api));
          expect(Object.keys(parts)).toHaveLength(4);
        });
      });
      test('go with their API', async () => {
        const tenant = newTenant();
        await transact(tenant, async (tx) => {
          await insertParents(tx);
          for (const name of PART_KINDS) await partsOf(tx, name).insert(part(tenant, name, 'a'));
          await tx.restApis.remove(apiId(tenant, 'parent'));
          for (const name of PART_KINDS) expect(await partsOf(tx, name).ofApi(apiId(tenant, 'parent'))).toEqual([]);
        });
      });
    });

    describe('the placement of a tenant', () => {
      test("is nothing until it is said, the tenant's own, and nothing again", async () => {
        const [tenant, other] = [newTenant(), newTenant()];
        const write = (pool: string | null) =>
          transact(tenant, async (tx) => {
            const before = await tx.placement.lock();
            await tx.placement.write(pool);
            expect(await tx.placement.read(), 'a transaction sees what it wrote').toBe(pool);
            return before;
          });
        const read = (of: TenantId) => transact(of, (tx) => tx.placement.read());
        expect(await read(tenant)).toBeNull();
        expect(await write('eu')).toBeNull();
        expect(await write('us')).toBe('eu');
        expect([await read(tenant), await read(other)]).toEqual(['us', null]);
        await write(null);
        await write(null);
        expect(await read(tenant)).toBeNull();
      });

      test('does not change under whoever publishes by it, and is seen by who comes after', async () => {
        const tenant = newTenant();
        const order: string[] = [];
        const hasRead = Promise.withResolvers<void>();
        const publishing = transact(tenant, async (tx) => {
          await tx.placement.read();
          hasRead.resolve();
          await new Promise((resolve) => setTimeout(resolve, 50)); // long enough for the other one to overtake, if it could
          order.push('published');
        });
        await hasRead.promise;
        await transact(tenant, async (tx) => {
          await tx.placement.lock();
          order.push('placed');
          await tx.placement.write('eu');
        });
        await publishing;
        expect(order).toEqual(['published', 'placed']);
      });
    });

    test("the history of a stage is numbered, newest first, the tenant's own, and gone with the stage", async () => {
      const [tenant, other] = [newTenant(), newTenant()];
      const api = apiId(tenant, 'parent');
      const newest = (of: TenantId, upTo = 2 ** 31 - 1, limit = 10, stageName = 'dev') =>
        transact(of, async (tx) => (await tx.stageHistory.newest(api, stageName, upTo, limit)).map(({ number }) => number));
      const append = (deploymentId: string, stageName = 'dev') =>
        transact(tenant, async (tx) => {
          await tx.restApis.lock(api);
          await tx.stageHistory.append({ apiId: api, stageName, deploymentId, cause: 'DEPLOYED', sinceMs: START_MS });
        });
      await transact(tenant, async (tx) => {
        await tx.restApis.insert(restApi(tenant, 'parent'));
        await tx.stages.insert(stage(tenant, 'dev'));
        await tx.stages.insert(stage(tenant, 'prod'));
      });
      await Promise.all(['a', 'b', 'c'].map((id) => append(id)));
      await append('d', 'prod');
      expect(await newest(tenant)).toEqual([3, 2, 1]);
      expect(await newest(tenant, 2)).toEqual([2, 1]);
      expect(await newest(tenant, 3, 1)).toEqual([3]);
      expect(await newest(tenant, 3, 1, 'pr\u0000d')).toEqual([]);
      expect(await newest(other)).toEqual([]);
      expect(await transact(tenant, (tx) => tx.stageHistory.newest(api, 'prod', 1, 1))).toEqual([
        { apiId: api, stageName: 'prod', number: 1, deploymentId: 'd', cause: 'DEPLOYED', sinceMs: START_MS },
      ]);
      await transact(tenant, (tx) => tx.stages.remove({ apiId: api, stageName: 'dev' }));
      expect([await newest(tenant), await newest(tenant, 9, 9, 'prod')]).toEqual([[], [1]]);
      await transact(tenant, (tx) => tx.restApis.remove(api));
      expect(await newest(tenant, 9, 9, 'prod')).toEqual([]);
    });

    test("what the operator says of a tenant's quotas stands over AWS's, for that tenant alone", async () => {
      const [tenant, other] = [newTenant(), newTenant()];
      const read = (of: TenantId) => transact(of, (tx) => tx.quotas.read());
      expect(await read(tenant)).toEqual(AWS_QUOTAS);
      const write = (own: OwnQuotas) =>
        transact(tenant, async (tx) => {
          const before = await tx.quotas.lock();
          await tx.quotas.write(own);
          expect(await tx.quotas.read(), 'a transaction sees what it wrote').toEqual({ ...AWS_QUOTAS, ...own });
          return before;
        });
      expect(await write({ resources: 10_000 })).toEqual({});
      expect(await write({ stages: 20 })).toEqual({ resources: 10_000 });
      expect([await read(tenant), await read(other)]).toEqual([{ ...AWS_QUOTAS, stages: 20 }, AWS_QUOTAS]);
      const raise = () =>
        transact(tenant, async (tx) => {
          const own = await tx.quotas.lock();
          await tx.quotas.write({ ...own, stages: own.stages! + 1 });
        });
      await Promise.all([raise(), raise(), raise()]);
      expect((await read(tenant)).stages, 'no change of one operator is lost to another').toBe(23);
    });

    test('endpoints and credentials of services are kept whole, for one tenant alone, and no change of one writer is lost to another', async () => {
      const [tenant, other] = [newTenant(), newTenant()];
      const read = (of: TenantId) => transact(of, (tx) => tx.serviceAccess.read());
      expect(await read(tenant)).toEqual(NO_SERVICE_ACCESS);
      const text = { accessKeyId: 'AKIA1', secretAccessKey: 's3cret/+=', sessionToken: 't0ken' };
      const add = (name: string) =>
        transact(tenant, async (tx) => {
          const before = await tx.serviceAccess.lock();
          await tx.serviceAccess.write(withRole(before, name, text, START_MS));
        });
      await Promise.all([add('a'), add('path/b'), add('c')]);
      await transact(tenant, async (tx) => {
        const access = withService(await tx.serviceAccess.lock(), 's3', 'http://127.0.0.1:4568/', null);
        await tx.serviceAccess.write(withUser(access, 'api/dev', ['a', 'c']));
      });
      const { roles, services, users } = await read(tenant);
      expect(Object.keys(roles).sort()).toEqual(['a', 'c', 'path/b']);
      const { accessKeyId, secretAccessKey, sessionToken, updatedAtMs } = roles['path/b']!;
      expect([accessKeyId, secretAccessKey.reveal(), sessionToken?.reveal(), updatedAtMs]).toEqual([
        'AKIA1',
        's3cret/+=',
        't0ken',
        START_MS,
      ]);
      expect([services, users]).toEqual([{ s3: { endpoint: 'http://127.0.0.1:4568', region: null } }, { 'api/dev': ['a', 'c'] }]);
      expect(await read(other)).toEqual(NO_SERVICE_ACCESS);
    });

    describe('the manifest', () => {
      test('keeps the revision of an equal entry, and tells of changes and removals from any revision on', async () => {
        const tenant = newTenant();
        const before = await store.manifest.head();
        const [first, again] = await transact(tenant, async (tx) => [
          await tx.manifest.put('STAGE', 's', inline('1')),
          await tx.manifest.put('STAGE', 's', inline('1')),
        ]);
        expect(again).toBe(first);
        expect(await transact(tenant, (tx) => tx.manifest.put('STAGE', 's', inline('1')))).toBe(first);
        await transact(tenant, (tx) => tx.manifest.put('FUNCTION', 'f', inline('f')));
        const second = await transact(tenant, (tx) => tx.manifest.put('STAGE', 's', inline('2')));
        const removed = await transact(tenant, (tx) => tx.manifest.remove('FUNCTION', 'f'));
        expect(await transact(tenant, (tx) => tx.manifest.remove('FUNCTION', 'f'))).toBe(removed);
        expect(await transact(tenant, (tx) => tx.manifest.remove('FUNCTION', 'never there'))).toBe(removed);
        const stageEntry = { kind: 'STAGE', id: 's', tenant, revision: second, content: inline('2') };
        const removal = { kind: 'FUNCTION', id: 'f', tenant, revision: removed, content: null };
        expect(await store.manifest.since(before, ['STAGE', 'FUNCTION'])).toEqual([stageEntry, removal]);
        expect(await store.manifest.since(before, ['FUNCTION'])).toEqual([removal]);
        expect(await store.manifest.since(removed, ['STAGE', 'FUNCTION'])).toEqual([]);
        expect((await store.manifest.all(['STAGE', 'FUNCTION'])).filter((entry) => entry.tenant === tenant)).toEqual([
          stageEntry,
        ]);
        expect(await store.manifest.head()).toBe(removed);
        expect(await transact(tenant, (tx) => tx.manifest.find('STAGE', 's'))).toEqual(stageEntry);
        expect(await transact(newTenant(), (tx) => tx.manifest.find('STAGE', 's'))).toBeNull();
        expect(await store.manifest.since(removed + 1, ['STAGE'])).toBeNull(); // from a future this database does not have
      });

      test('gives the live entries in slices, and by the buckets of their names', async () => {
        const tenant = newTenant();
        const before = await store.manifest.head();
        await transact(tenant, async (tx) => {
          for (let index = 0; index < 30; index++) await tx.manifest.put('STAGE', `sliced${index}`, inline(String(index)));
          await tx.manifest.put('FUNCTION', 'sliced', inline('f'));
          await tx.manifest.remove('STAGE', 'sliced7');
        });
        const all = (await store.manifest.all(['STAGE'])).filter((entry) => entry.revision > before);
        expect(all).toHaveLength(29);
        const slices: ManifestEntry[] = [];
        for (;;) {
          const slice = await store.manifest.page(['STAGE'], slices.at(-1)?.revision ?? before, 8);
          if (slice.length === 0) break;
          expect(slice.length).toBeLessThanOrEqual(8);
          slices.push(...slice);
        }
        expect(slices).toEqual(all);
        const buckets = [
          SetDigest.bucketOf('STAGE sliced3'),
          SetDigest.bucketOf('STAGE sliced4'),
          SetDigest.bucketOf('STAGE sliced7'),
        ];
        const found = (await store.manifest.inBuckets(['STAGE'], buckets)).filter((entry) => entry.tenant === tenant);
        expect(found).toEqual(all.filter(({ id }) => buckets.includes(SetDigest.bucketOf(`STAGE ${id}`))));
        expect(found.map(({ id }) => id)).toEqual(expect.arrayContaining(['sliced3', 'sliced4']));
      });

      test('keeps the pools of an entry, and those that had it before', async () => {
        const tenant = newTenant();
        const find = () => transact(tenant, (tx) => tx.manifest.find('STAGE', 'placed'));
        const put = (text: string, pools?: readonly string[]) =>
          transact(tenant, (tx) => tx.manifest.put('STAGE', 'placed', { ...inline(text), ...(pools && { pools }) }));
        const first = await put('1');
        expect(await find()).toEqual({ kind: 'STAGE', id: 'placed', tenant, revision: first, content: inline('1') });
        const moved = await put('1', ['eu']);
        expect(moved, 'a move is a change').toBe(first + 1);
        expect(await put('1', ['eu'])).toBe(moved);
        expect(await find()).toMatchObject({ content: { pools: ['eu'] }, formerPools: ['default'] });
        await put('1', ['eu', 'us']);
        await put('2', ['us']);
        expect(await find()).toMatchObject({ content: { pools: ['us'] }, formerPools: ['default', 'eu'] });
        const removed = await transact(tenant, (tx) => tx.manifest.remove('STAGE', 'placed'));
        expect(await find()).toMatchObject({ revision: removed, content: null, formerPools: ['default', 'eu', 'us'] });
        await put('3');
        const entry = await find();
        expect(entry).toMatchObject({ content: inline('3'), formerPools: ['eu', 'us'] });
        expect(entry?.content).not.toHaveProperty('pools');
        const told = (pool: string) => entryForPool(entry!, pool)?.content;
        expect([told('default'), told('eu'), told('never')]).toEqual([inline('3'), null, undefined]);
      });

      test('places the live entries of the tenant anew: those that move change once, nobody else does', async () => {
        const [tenant, other] = [newTenant(), newTenant()];
        await transact(other, (tx) => tx.manifest.put('STAGE', 'placed-other', inline('x')));
        const first = await transact(tenant, async (tx) => {
          await tx.manifest.put('STAGE', 'placed-gone', inline('0'));
          await tx.manifest.remove('STAGE', 'placed-gone');
          await tx.manifest.put('FUNCTION', 'placed-function', inline('1'));
          await tx.manifest.put('API_KEY', 'placed-key', inline('2'));
          return tx.manifest.put('STAGE', 'placed-stage', { ...inline('3'), pools: ['eu'], snapshotFormat: 2 });
        });
        const seen: string[] = [];
        await transact(tenant, (tx) =>
          tx.manifest.place((entries) => {
            seen.push(...entries.map(({ id }) => id).sort());
            return new Map(
              entries.flatMap((entry) => (entry.kind === 'API_KEY' ? [] : ([[entry, ['us', 'eu', 'us']]] as const))),
            );
          }),
        );
        expect(seen).toEqual(['placed-function', 'placed-key', 'placed-stage']);
        expect(await store.manifest.head()).toBe(first + 2);
        const changed = (await store.manifest.since(first, ['STAGE', 'USAGE_PLAN', 'API_KEY', 'FUNCTION']))!;
        changed.sort((left, right) => (left.id < right.id ? -1 : 1));
        expect(changed.map(({ id, content, formerPools }) => ({ id, ...content, formerPools }))).toEqual([
          { id: 'placed-function', ...inline('1'), pools: ['eu', 'us'], formerPools: ['default'] },
          { id: 'placed-stage', ...inline('3'), snapshotFormat: 2, pools: ['eu', 'us'], formerPools: undefined },
        ]);
        await transact(tenant, (tx) =>
          tx.manifest.place((entries) => new Map(entries.map((entry) => [entry, ['default']] as const))),
        );
        expect(await transact(tenant, (tx) => tx.manifest.find('STAGE', 'placed-stage'))).toMatchObject({
          formerPools: ['eu', 'us'],
        });
        const before = await store.manifest.head();
        await transact(tenant, (tx) =>
          tx.manifest.place((entries) => new Map(entries.map((entry) => [entry, ['default']] as const))),
        );
        expect(await store.manifest.head(), 'those that are there already stay').toBe(before);
      });

      test('takes no revision for what was rolled back', async () => {
        const before = await store.manifest.head();
        const failing = transact(newTenant(), async (tx) => {
          await tx.manifest.put('STAGE', 's', inline('1'));
          throw new Error('refused');
        });
        await expect(failing).rejects.toThrow('refused');
        expect(await store.manifest.head()).toBe(before);
      });

      test('shows revisions without gaps to whoever reads while 20 write', async () => {
        let last = await store.manifest.head();
        const end = last + 40;
        let isWriting = true;
        const reading = (async () => {
          while (isWriting || last < end) {
            const entries = (await store.manifest.since(last, ['STAGE', 'USAGE_PLAN', 'API_KEY', 'FUNCTION'])) ?? [];
            expect(entries.map(({ revision }) => revision)).toEqual(entries.map((_, index) => last + 1 + index));
            last = entries.at(-1)?.revision ?? last;
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();
        await Promise.all(
          Array.from({ length: 20 }, (_, writer) =>
            transact(newTenant(), async (tx) => {
              await tx.account.read(); // writers reach the counter in any order
              await tx.manifest.put('STAGE', `s${writer}`, inline('1'));
              await tx.manifest.put('FUNCTION', `f${writer}`, inline('1'));
            }),
          ),
        );
        isWriting = false;
        await reading;
        expect(last).toBe(end);
      });

      test('calls its subscribers when a publication can be read', async () => {
        const { promise: heard, resolve } = Promise.withResolvers<number>();
        const stop = await store.manifest.subscribe(() => void store.manifest.head().then(resolve));
        const revision = await transact(newTenant(), (tx) => tx.manifest.put('STAGE', 's', inline('1')));
        expect(await heard).toBeGreaterThanOrEqual(revision);
        await stop();
      });

      test('tells its subscribers all that a commit published, as it can be read, or that it is to be read', async () => {
        const tenant = newTenant();
        const heard: (readonly ManifestEntry[] | null)[] = [];
        const stop = await store.manifest.subscribe((entries) => void heard.push(entries));
        const lastOf = (entries: readonly ManifestEntry[] | null | undefined) => entries?.at(-1)?.revision;
        await transact(tenant, (tx) => tx.manifest.put('STAGE', `gone ${tenant}`, inline('1')));
        const last = await transact(tenant, async (tx) => {
          await tx.manifest.put('STAGE', `told ${tenant}`, { ...inline('ü"\u0001'), pools: ['eu', 'us'], snapshotFormat: 1 });
          await tx.manifest.put('FUNCTION', `told ${tenant}`, { digest: 'd'.repeat(64), blobBytes: 3, inline: '{"secret":1}' });
          return tx.manifest.remove('STAGE', `gone ${tenant}`);
        });
        await expect.poll(() => heard.some((entries) => lastOf(entries) === last)).toBe(true);
        const read = (await store.manifest.since(last - 3, ['STAGE', 'FUNCTION']))!;
        expect(heard.find((entries) => lastOf(entries) === last)).toEqual(read.filter((entry) => entry.revision <= last));
        // As notifications have a length.
        const large = await transact(tenant, (tx) => tx.manifest.put('STAGE', `large ${tenant}`, inline('"'.repeat(5_000))));
        await expect.poll(() => heard.some((entries) => entries === null || lastOf(entries) === large)).toBe(true);
        await stop();
      });

      test('keeps blobs that something refers to, young ones, and forgets the rest with old removals', async () => {
        const tenant = newTenant();
        const bytes = (text: string) => new TextEncoder().encode(`${tenant} ${text}`);
        const { used, code, orphan, empty, removed } = await transact(tenant, async (tx) => {
          const published = await tx.blobs.put(bytes('used'));
          await tx.manifest.put('STAGE', 'used', { digest: published, blobBytes: 4, inline: '' });
          const codeDigest = await tx.blobs.put(bytes('code'));
          const definition = functionDefinition('f');
          await tx.functions.insert({ ...definition, latest: { ...definition.latest, codeDigest } });
          await tx.manifest.put('STAGE', 'gone', inline('1'));
          return {
            used: published,
            code: codeDigest,
            orphan: await tx.blobs.put(bytes('orphan')),
            empty: await tx.blobs.put(new Uint8Array()),
            removed: await tx.manifest.remove('STAGE', 'gone'),
          };
        });
        expect(await store.manifest.blob(orphan)).toEqual(expect.objectContaining({ length: bytes('orphan').length }));
        expect(new Uint8Array((await store.manifest.blob(empty))!)).toEqual(new Uint8Array());
        clock.advance(1000);
        const young = await transact(tenant, (tx) => tx.blobs.put(bytes('young')));
        const again = await transact(tenant, (tx) => tx.blobs.put(bytes('orphan')));
        expect(again).toBe(orphan);
        await store.manifest.clean(clock.nowMs());
        for (const digest of [used, code, orphan, young]) expect(await store.manifest.blob(digest)).not.toBeNull();
        expect(await store.manifest.blob(empty)).toBeNull();
        expect(await store.manifest.compressedBlob(empty)).toBeNull();
        expect(zstdDecompressSync((await store.manifest.compressedBlob(used))!)).toEqual(Buffer.from(bytes('used')));
        clock.advance(1000);
        expect(await store.manifest.clean(clock.nowMs())).toEqual({ removals: 0, blobs: 2 });
        expect(await store.manifest.blob(orphan)).toBeNull();
        expect(await transact(tenant, (tx) => tx.blobs.get(orphan))).toBeNull();
        expect(Buffer.from((await transact(tenant, (tx) => tx.blobs.get(used)))!)).toEqual(Buffer.from(bytes('used')));
        expect(await store.manifest.since(removed - 1, ['STAGE'])).toBeNull();
        expect(await store.manifest.since(removed, ['STAGE'])).toEqual([]);
      });

      test('remembers where the newest publication of a deployment stands', async () => {
        const tenant = newTenant();
        const rollout = {
          deploymentId: 'dep',
          apiId: apiId(tenant, 'parent'),
          stageName: 'dev',
          publishedAtMs: START_MS,
        };
        const put = (tx: TenantRepositories, stageName: string, text: string) =>
          tx.manifest.put('STAGE', `${rollout.apiId}/${stageName}`, inline(text), { rollout: { ...rollout, stageName } });
        const [, prod, dev] = await transact(tenant, async (tx) => {
          await insertParents(tx);
          const revisions = [await put(tx, 'dev', '1'), await put(tx, 'prod', '1'), await put(tx, 'dev', '2')];
          // The same again is no publication.
          await tx.manifest.put('STAGE', `${rollout.apiId}/prod`, inline('1'), {
            rollout: { ...rollout, deploymentId: 'other' },
          });
          return revisions;
        });
        const found = await transact(tenant, (tx) => tx.manifest.rolloutsOf('dep'));
        expect(found).toEqual([
          { ...rollout, stageName: 'prod', revision: prod },
          { ...rollout, revision: dev },
        ]);
        expect(await transact(tenant, (tx) => tx.manifest.rolloutsOf('other'))).toEqual([]);
        expect(await transact(newTenant(), (tx) => tx.manifest.rolloutsOf('dep'))).toEqual([]);
      });
    });

    describe('nodes', () => {
      const node = (nodeId: string, epoch = 1): NodeRecord => ({
        nodeId,
        role: 'DATA_PLANE',
        epoch,
        softwareVersion: '0.1.0',
        labels: { zone: 'a' },
        adminUrl: null,
        connected: true,
        lastSeenAtMs: 1,
        ackedRevision: 0,
        ackedAtMs: null,
        protocol: 1,
        snapshotFormats: [1, 2],
        turnedAway: null,
      });
      // A store may keep it on another clock, and time goes on meanwhile.
      const about = (atMs: number): number => expect.closeTo(atMs, -5) as number;
      const find = async (nodeId: string) => (await store.nodes.list()).find((record) => record.nodeId === nodeId);

      const hear = (nodeId: string, epoch: number, revision: number | null, atMs: number) =>
        store.nodes.heard([{ nodeId, epoch, revision, atMs }]);

      test('are what their newest epoch says', async () => {
        await store.nodes.connected(node('n1', 2));
        await store.nodes.connected(node('n1', 1)); // a late message of the stream before
        await hear('n1', 1, null, 99);
        await hear('n1', 2, 5, 10);
        await hear('n1', 2, 4, 11); // late
        await store.nodes.disconnected('n1', 1, 99);
        expect(await find('n1')).toEqual({ ...node('n1', 2), lastSeenAtMs: about(11), ackedRevision: 5, ackedAtMs: 10 });
        await store.nodes.disconnected('n1', 2, 12);
        expect(await find('n1')).toMatchObject({ connected: false, lastSeenAtMs: about(12) });
      });

      test('are connected when they are heard of, also if the control plane they left says late that they are gone', async () => {
        await store.nodes.connected(node('n3'));
        for (const heard of [() => hear('n3', 1, null, 3), () => hear('n3', 1, 7, 4)]) {
          await store.nodes.disconnected('n3', 1, 2);
          expect(await find('n3')).toMatchObject({ connected: false });
          await heard();
          expect(await find('n3')).toMatchObject({ connected: true });
        }
      });

      test('are heard of together as they are one by one', async () => {
        for (const nodeId of ['m1', 'm2', 'm3']) await store.nodes.connected(node(nodeId, 2));
        await store.nodes.heard([
          { nodeId: 'm3', epoch: 2, revision: null, atMs: 7 },
          { nodeId: 'm1', epoch: 2, revision: 4, atMs: 5 },
          { nodeId: 'm2', epoch: 1, revision: 9, atMs: 6 },
          { nodeId: 'unknown', epoch: 1, revision: 9, atMs: 6 },
        ]);
        expect(await find('m1')).toEqual({ ...node('m1', 2), ackedRevision: 4, ackedAtMs: 5, lastSeenAtMs: about(5) });
        expect(await find('m2'), 'of an epoch that is over').toEqual({
          ...node('m2', 2),
          lastSeenAtMs: about(node('m2').lastSeenAtMs),
        });
        expect(await find('m3')).toEqual({ ...node('m3', 2), lastSeenAtMs: about(7) });
      });

      test('that are turned away are known with the reason until they are served, and keep what they acknowledged', async () => {
        const refused = {
          ...node('n4', 2),
          connected: false,
          protocol: 0,
          snapshotFormats: [],
          turnedAway: 'too old',
          lastSeenAtMs: 5,
        };
        await store.nodes.turnedAway(refused);
        expect(await find('n4')).toEqual({ ...refused, lastSeenAtMs: about(5) });
        await store.nodes.turnedAway({ ...refused, epoch: 1, turnedAway: 'late' });
        await store.nodes.connected(node('n4', 2));
        await hear('n4', 2, 7, 6);
        expect(await find('n4')).toEqual({ ...node('n4', 2), ackedRevision: 7, ackedAtMs: 6, lastSeenAtMs: about(6) });
        await store.nodes.turnedAway({ ...refused, epoch: 3 });
        expect(await find('n4')).toEqual({ ...refused, lastSeenAtMs: about(5), epoch: 3, ackedRevision: 7, ackedAtMs: 6 });
      });

      test('refuse an entry until a later revision of it is acknowledged', async () => {
        const tenant = newTenant();
        const id = `stage of ${tenant}`;
        await store.nodes.connected(node('n2'));
        const revision = await transact(tenant, (tx) => tx.manifest.put('STAGE', id, inline('bad')));
        const refusal = { nodeId: 'n2', kind: 'STAGE' as const, entryId: id, revision, reason: 'no\u0000pe', atMs: 5 };
        await store.nodes.refused(refusal);
        await store.nodes.refused({ ...refusal, nodeId: 'unknown' });
        await hear('n2', 1, revision, 6);
        expect((await store.nodes.refusals()).map(({ entryId }) => entryId)).toEqual([id]);
        const better = await transact(tenant, (tx) => tx.manifest.put('STAGE', id, inline('good')));
        await hear('n2', 1, revision, 7);
        expect(await store.nodes.refusals()).toHaveLength(1);
        await hear('n2', 1, better, 8);
        expect(await store.nodes.refusals()).toEqual([]);
      });

      test('that were not seen for long are forgotten', async () => {
        await store.nodes.connected({ ...node('old'), lastSeenAtMs: 1 });
        await store.nodes.connected({ ...node('new'), lastSeenAtMs: 2_000_000 });
        expect(await store.nodes.forget(1_000_000)).toBeGreaterThan(0);
        expect((await store.nodes.list()).map(({ nodeId }) => nodeId)).toEqual(['new']);
      });
    });

    describe('metering', () => {
      const report = (tenant: TenantId, sequence: number, overrides: Partial<NodeReport> = {}): NodeReport => ({
        nodeId: `node of ${tenant}`,
        epoch: 1,
        sequence,
        usage: [{ tenant, usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-01', count: 10 }],
        metrics: [],
        ...overrides,
      });
      const used = (tenant: TenantId) => store.metering.usedInPeriod(tenant, 'plan', 'key', '2026-01-01', '2026-01-31');

      test('applies a report once, in whatever order and how often reports come', async () => {
        const tenant = newTenant();
        const results = [];
        for (const sequence of [3, 1, 1, 3, 2, 4, 2, 6, 5, 4]) results.push(await store.metering.apply(report(tenant, sequence)));
        expect(results).toEqual([true, true, false, false, true, true, false, true, true, false]);
        expect(await store.metering.apply(report(tenant, 1, { epoch: 2 }))).toBe(true);
        expect(await used(tenant)).toBe(70);
        expect(await used(newTenant())).toBe(0);
      });

      test('applies one of many equal reports that come at once', async () => {
        const tenant = newTenant();
        const results = await Promise.all(
          Array.from({ length: 8 }, (_, index) => store.metering.apply(report(tenant, 1 + (index % 2)))),
        );
        expect(results.filter((isApplied) => isApplied)).toHaveLength(2);
        expect(await used(tenant)).toBe(20);
      });

      test('keeps usage by key and day, and extensions by period', async () => {
        const tenant = newTenant();
        const row = (apiKeyId: string, day: string, count: number) => ({ tenant, usagePlanId: 'plan', apiKeyId, day, count });
        const usage = [
          row('b', '2026-01-02', 1),
          row('a', '2026-01-03', 2),
          row('a', '2026-01-01', 3),
          row('a', '2026-01-01', 4),
        ];
        await store.metering.apply(report(tenant, 1, { usage }));
        const extension = { usagePlanId: apiId(tenant, 'parent'), apiKeyId: 'a', periodStart: '2026-01-01', extra: -5 };
        await transact(tenant, async (tx) => {
          await insertParents(tx);
          const counts = (await tx.usage.between('plan', null, '2026-01-01', '2026-01-02')).map(({ apiKeyId, day, count }) => [
            apiKeyId,
            day,
            count,
          ]);
          expect(counts).toEqual([
            ['a', '2026-01-01', 7],
            ['b', '2026-01-02', 1],
          ]);
          expect(await tx.usage.between('plan', 'b', '2026-01-01', '2026-12-31')).toHaveLength(1);
          await tx.usage.extend({ ...extension, extra: 1 });
          await tx.usage.extend(extension);
          expect(await tx.usage.extension(extension.usagePlanId, 'a', '2026-01-01')).toEqual(extension);
          expect(await tx.usage.extension(extension.usagePlanId, 'b', '2026-01-01')).toBeNull();
          expect(await tx.usage.extensionsBetween(extension.usagePlanId, null, '2026-01-01', '2026-01-01')).toEqual([extension]);
          expect(await tx.usage.extensionsBetween(extension.usagePlanId, 'a', '2026-01-02', '2026-02-01')).toEqual([]);
        });
        const other = newTenant();
        const counted = [
          { usagePlanId: 'plan', apiKeyId: 'a', day: '2026-01-01', count: 7 },
          { usagePlanId: 'plan', apiKeyId: 'a', day: '2026-01-03', count: 2 },
          { usagePlanId: 'plan', apiKeyId: 'b', day: '2026-01-02', count: 1 },
          { usagePlanId: 'plan2', apiKeyId: 'a', day: '2026-01-02', count: 5 },
        ] as const;
        const strangers = [{ ...row('a', '2026-01-01', 9), tenant: other }];
        const second = [{ ...row('a', '2026-01-02', 5), usagePlanId: 'plan2' }, row('a', '2026-01-04', 1)];
        await store.metering.apply(report(tenant, 2, { usage: [...second, ...strangers] }));
        await transact(tenant, async (tx) => {
          const page = (after: UsageKey | null, limit: number) =>
            tx.usage.countedBetween('2026-01-01', '2026-01-03', after, limit);
          expect(await page(null, 10)).toEqual(counted);
          expect(await page(null, 2)).toEqual(counted.slice(0, 2));
          for (const [index, after] of counted.entries()) expect(await page(after, 10)).toEqual(counted.slice(index + 1));
        });
        const limits = { mode: 'FAST', fallback: 'OPEN' };
        const quota = (plan: string, key: string) => store.metering.quotaOf(tenant, plan, key, '2026-01-01');
        expect(await quota(extension.usagePlanId, 'a')).toEqual({ limit: 100, extra: -5, offset: 0, period: 'DAY', limits });
        expect(await quota(extension.usagePlanId, 'b')).toEqual({ limit: 100, extra: 0, offset: 0, period: 'DAY', limits });
        expect(await quota('none', 'a')).toBeNull();
      });

      test('sums metrics up from minutes to hours to days, as often as it runs and however late they come', async () => {
        const tenant = newTenant();
        const day = Date.UTC(2026, 5, 1) / 1000;
        const query = (period: 'MINUTE' | 'HOUR' | 'DAY', overrides: object = {}) =>
          transact(tenant, (tx) =>
            tx.metrics.query({ apiId: 'api', fromSeconds: day, toSeconds: day + 86_400, period, ...overrides }),
          );
        const metrics = [
          sample(tenant, day),
          sample(tenant, day + 60),
          sample(tenant, day + 60),
          sample(tenant, day + 3600, { httpMethod: 'PUT' }),
        ];
        await store.metering.apply(report(tenant, 1, { usage: [], metrics }));
        const single = {
          startSeconds: day,
          count: 2,
          errors4xx: 1,
          cacheHits: 3,
          cacheMisses: 5,
          latency: { buckets: { 3: 1, 7: 1 }, count: 2, sumMs: 5, maxMs: 2 },
        };
        const double = {
          count: 4,
          errors4xx: 2,
          cacheHits: 6,
          cacheMisses: 10,
          latency: { buckets: { 3: 2, 7: 2 }, count: 4, sumMs: 10, maxMs: 2 },
        };
        expect(await query('MINUTE', { toSeconds: day + 3600 })).toMatchObject([single, { ...double, startSeconds: day + 60 }]);
        expect(await query('MINUTE', { httpMethod: 'PUT' })).toHaveLength(1);
        expect(await query('MINUTE', { stage: 'prod' })).toEqual([]);

        const nowMs = (day + 86_400) * 1000;
        const first = await store.metering.rollUp(nowMs, 365 * 86_400_000);
        expect([first.hours, first.days, first.dropped]).toEqual([2, 2, 0]);
        const hours = await query('HOUR');
        expect(hours).toMatchObject([
          { startSeconds: day, count: 6, errors4xx: 3, cacheHits: 9, cacheMisses: 15 },
          { startSeconds: day + 3600, httpMethod: 'PUT', count: 2 },
        ]);
        expect(hours[0]?.latency).toEqual({ buckets: { 3: 3, 7: 3 }, count: 6, sumMs: 15, maxMs: 2 });
        expect(await query('DAY')).toMatchObject([
          { startSeconds: day, httpMethod: 'GET', count: 6 },
          { httpMethod: 'PUT', count: 2 },
        ]);
        expect(await store.metering.rollUp(nowMs, 365 * 86_400_000)).toEqual({ hours: 0, days: 0, dropped: 0 });

        expect((await store.metering.rollUp(nowMs, 0)).dropped).toBe(3);
        expect(await query('MINUTE')).toEqual([]);
        await store.metering.apply(report(tenant, 2, { usage: [], metrics: [sample(tenant, day + 120)] })); // its minutes are gone
        await store.metering.rollUp(nowMs, 0);
        expect(await query('HOUR', { httpMethod: 'GET' })).toMatchObject([{ count: 8, cacheHits: 12, cacheMisses: 20 }]);
        expect(await query('DAY', { httpMethod: 'GET' })).toMatchObject([{ count: 8, latency: { buckets: { 3: 4, 7: 4 } } }]);
        expect(
          await transact(newTenant(), (tx) =>
            tx.metrics.query({ apiId: 'api', fromSeconds: 0, toSeconds: nowMs, period: 'DAY' }),
          ),
        ).toEqual([]);
      });
    });

    test('access keys and policies of a tenant are what the directory made, and what is written later', async () => {
      const [id, other] = [newTenant(), newTenant()];
      const keyOf = (tenant: TenantId, accessKeyId: string): Credential => ({
        accessKeyId,
        tenant,
        secret: new Secret('very secret'),
        principalArn: `arn:aws:iam::${tenant}:user/ann`,
        enabled: true,
      });
      const policyOf = (tenant: TenantId): IdentityPolicy => ({
        principalArn: `arn:aws:iam::${tenant}:user/ann`,
        document: '{"Statement":[]}',
        region: null,
      });
      const first = keyOf(id, `AKIA${id}AAAA`);
      const second = { ...keyOf(id, `AKIA${id}BBBB`), callsOnly: true };
      await store.directory.create({ id, name: 'one', createdAtMs: START_MS }, [first], [policyOf(id)]);
      await store.directory.create({ id: other, name: 'two', createdAtMs: START_MS }, [keyOf(other, `AKIA${other}CCCC`)]);
      await store.tenants.transact(id, (tx) => tx.accessKeys.insert(second));
      const seen = await store.tenants.transact(id, async (tx) => [await tx.accessKeys.all(), await tx.identityPolicies.all()]);
      expect(revealed(seen)).toEqual(revealed([[first, second], [policyOf(id)]]));
      expect(revealed(await store.directory.credential(second.accessKeyId))).toEqual(revealed(second));
      const taken = store.tenants.transact(other, (tx) => tx.accessKeys.insert({ ...second, tenant: other }));
      await expect(taken).rejects.toThrow(DuplicateKey);
      await store.tenants.transact(other, async (tx) => {
        expect(await tx.accessKeys.find(first.accessKeyId), "another tenant's").toBeNull();
        expect(await tx.accessKeys.remove(first.accessKeyId)).toBe(false);
        expect(await tx.identityPolicies.all()).toEqual([]);
      });
      await store.tenants.transact(id, async (tx) => {
        await tx.accessKeys.replace({ ...first, enabled: false });
        expect(await tx.accessKeys.remove(second.accessKeyId)).toBe(true);
        await tx.identityPolicies.replace({ ...policyOf(id), document: '{}', region: 'us-east-1' });
      });
      expect((await store.directory.credential(first.accessKeyId))!.enabled).toBe(false);
      expect(await store.directory.credential(second.accessKeyId)).toBeNull();
      await store.tenants.transact(id, async (tx) => {
        expect(await tx.identityPolicies.find(policyOf(id).principalArn)).toMatchObject({ document: '{}', region: 'us-east-1' });
        expect(await tx.identityPolicies.remove(policyOf(id).principalArn)).toBe(true);
      });
    });

    test('sessions are found while their key is there, as that key is, and go with it', async () => {
      const [id, other] = [newTenant(), newTenant()];
      const principalArn = `arn:aws:iam::${id}:user/ann`;
      const key = {
        accessKeyId: `AKIA${id}AAAA`,
        tenant: id,
        secret: new Secret('one'),
        principalArn,
        enabled: true,
        callsOnly: true,
      };
      const terms = { tokenDigest: 'a'.repeat(64), expiresAtMs: START_MS + 1_000, madeBy: key.accessKeyId };
      const session: Session = { accessKeyId: `ASIA${id}AAAA`, tenant: id, secret: new Secret('two'), ...terms };
      const later = { ...session, accessKeyId: `ASIA${id}BBBB`, expiresAtMs: START_MS + 2_000 };
      await store.directory.create({ id, name: 'one', createdAtMs: START_MS }, [key]);
      await store.directory.create({ id: other, name: 'two', createdAtMs: START_MS }, []);
      await store.tenants.transact(id, async (tx) => {
        await tx.sessions.insert(later);
        await tx.sessions.insert(session);
        expect(revealed(await tx.sessions.all())).toEqual(revealed([session, later]));
        expect(await tx.sessions.count()).toBe(2);
      });
      const found = () => store.directory.credential(session.accessKeyId);
      const { accessKeyId, secret } = session;
      expect(revealed(await found())).toEqual(revealed({ ...key, accessKeyId, secret, session: terms }));
      await store.tenants.transact(other, async (tx) => {
        expect([await tx.sessions.all(), await tx.sessions.count()], "another tenant's").toEqual([[], 0]);
        expect(await tx.sessions.remove(accessKeyId)).toBe(false);
      });
      const endedBefore = async (ms: number) => (await store.directory.tenantsOfEndedSessions(ms)).includes(id);
      expect([await endedBefore(session.expiresAtMs), await endedBefore(session.expiresAtMs + 1)]).toEqual([false, true]);
      await store.tenants.transact(id, (tx) => tx.accessKeys.replace({ ...key, enabled: false }));
      expect((await found())!.enabled).toBe(false);
      await store.tenants.transact(id, (tx) => tx.sessions.remove(accessKeyId));
      expect(await found()).toBeNull();
      await store.tenants.transact(id, (tx) => tx.accessKeys.remove(key.accessKeyId));
      expect(await store.directory.credential(later.accessKeyId)).toBeNull();
      expect(await store.tenants.transact(id, (tx) => tx.sessions.count())).toBe(0);
    });

    test('inline parts of a kind are told once each, without removed and empty ones, as the transaction sees them', async () => {
      const tenant = newTenant();
      const content = (inline: string) => ({ digest: null, blobBytes: 0, inline });
      await store.tenants.transact(tenant, async (tx) => {
        for (const [id, inline] of [
          ['a', 'x'],
          ['b', 'x'],
          ['c', 'y'],
          ['d', ''],
          ['e', 'z'],
        ] as const)
          await tx.manifest.put('STAGE', `${tenant}${id}/dev`, content(inline));
        await tx.manifest.remove('STAGE', `${tenant}e/dev`);
        await tx.manifest.put('USAGE_PLAN', `${tenant}plan`, content('{}'));
        expect((await tx.manifest.inlines('STAGE')).sort()).toEqual(['x', 'y']);
      });
      await store.tenants.transact(newTenant(), async (tx) => expect(await tx.manifest.inlines('STAGE')).toEqual([]));
    });

    test('control planes hear what one of them says, whole, and nothing longer than may be', async () => {
      const heard: string[] = [];
      const stops = [
        await store.planes.subscribe((message) => heard.push(`1 ${message}`)),
        await store.planes.subscribe((message) => heard.push(`2 ${message}`)),
      ];
      const message = `${newTenant()} "ü"${'x'.repeat(7_800)}`;
      await store.planes.send(message);
      await expect.poll(() => heard.filter((text) => text.endsWith(message))).toHaveLength(2);
      await expect(store.planes.send('ü'.repeat(4_000))).rejects.toThrow('too long');
      for (const stop of stops) await stop();
      await store.planes.send('later');
      expect(heard.some((text) => text.endsWith('later'))).toBe(false);
    });

    test('the directory knows tenants and credentials once each', async () => {
      const [id, other] = [newTenant(), newTenant()];
      const tenant = { id, name: 'first', createdAtMs: START_MS };
      const credential = {
        accessKeyId: `AKIA${id}ABCD`,
        tenant: id,
        secret: new Secret('very secret'),
        principalArn: `arn:aws:iam::${id}:root`,
        enabled: true,
      };
      await store.directory.create(tenant, [credential]);
      await expect(store.directory.create(tenant, [])).rejects.toThrow(DuplicateKey);
      await expect(store.directory.create({ ...tenant, id: other }, [credential])).rejects.toThrow(DuplicateKey);
      expect((await store.directory.list()).filter((listed) => listed.id === id || listed.id === other)).toEqual([tenant]);
      expect([await store.directory.find(tenant.id), await store.directory.find(other)]).toEqual([tenant, null]);
      expect(revealed(await store.directory.credential(credential.accessKeyId))).toEqual(revealed(credential));
      expect(await store.directory.credential('AKIA\u0000')).toBeNull();
      expect(await store.healthy()).toBe(true);
    });
  });
}
