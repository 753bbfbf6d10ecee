import { PrismaPg } from '@prisma/adapter-pg';
import type { Store, TenantId, TenantRepositories, TenantStore } from '@gatehouse/domain';
import { systemClock, type Clock, type Secret } from '@gatehouse/kernel';
import pg from 'pg';
import { PrismaDirectory } from './directory.js';
import { PrismaClient } from './gen/client.js';
import { Listener } from './listener.js';
import { MANIFEST_CHANNEL, PostgresManifestLog } from './manifest-log.js';
import { PostgresMeteringLog } from './metering-log.js';
import { PostgresNodes } from './nodes.js';
import { PLANES_CHANNEL, PostgresPlaneChannel } from './plane-channel.js';
import { PostgresLeaseBook } from './postgres-lease-book.js';
import { PrismaAccessKeys, PrismaIdentityPolicies, PrismaSessions } from './repositories/access-keys.js';
import { PrismaAccount } from './repositories/account.js';
import { PrismaClientCertificates, PrismaVpcLinks } from './repositories/backend-access.js';
import { PrismaDeployments, PrismaStageHistory, PrismaStages } from './repositories/deployments.js';
import { PrismaBasePathMappings, PrismaCertificates, PrismaDomainNames } from './repositories/domain-names.js';
import {
  PrismaFunctionAliases,
  PrismaFunctions,
  PrismaFunctionStatements,
  PrismaFunctionVersions,
} from './repositories/functions.js';
import { PrismaMetrics, PrismaUsage } from './repositories/metering.js';
import type { TransactionScope } from './repositories/prisma-repository.js';
import { PrismaPlacement } from './repositories/placement.js';
import { PrismaQuotas } from './repositories/quotas.js';
import { PrismaServiceAccess } from './repositories/service-access.js';
import { PrismaBlobs, PrismaManifest } from './repositories/publish.js';
import { PrismaApiParts, PrismaMethods, PrismaResources, PrismaRestApis } from './repositories/rest-apis.js';
import { PrismaApiKeys, PrismaUsagePlanKeys, PrismaUsagePlans } from './repositories/usage-plans.js';
import { NeverBegan, retryConflicts } from './retry.js';
import { Sealer } from './seal.js';
import { JoinablePool, TenantTransaction } from './tenant-transaction.js';

const CONNECTION_DEADLINE_MS = 15_000;
/** In the words of `pg` and of PostgreSQL. */
const LOST_CONNECTION = /Connection terminated|terminating connection|ECONNRESET|EPIPE/;

/** What the store needs of a logger; a pino logger fits. */
export interface StoreLogger {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface StoreOptions {
  readonly databaseUrl: string;
  /** 64 hexadecimal digits; seals secrets at rest. */
  readonly masterKey: Secret;
  readonly logger?: StoreLogger;
  readonly clock?: Clock;
  /** Connections kept for queries; two more listen: for publications, and for other control planes. */
  readonly connectionsMax?: number;
}

/** The Store on PostgreSQL. Connects at the first use; `migrate` must have run before. */
export function createStore(options: StoreOptions): Store {
  return new PrismaStore(options);
}

class PrismaStore implements Store {
  readonly tenants: TenantStore = { transact: (tenant, work) => this.#transact(tenant, work) };
  readonly directory: PrismaDirectory;
  readonly manifest: PostgresManifestLog;
  readonly nodes: PostgresNodes;
  readonly metering: PostgresMeteringLog;
  readonly leases: PostgresLeaseBook;
  readonly planes: PostgresPlaneChannel;
  readonly #pool: pg.Pool;
  readonly #prisma: PrismaClient;
  readonly #listener: Listener;
  readonly #planesListener: Listener;
  readonly #sealer: Sealer;
  readonly #clock: Clock;
  readonly #logger: StoreLogger;

  constructor({
    databaseUrl,
    masterKey,
    logger = { warn: () => undefined },
    clock = systemClock,
    connectionsMax = 10,
  }: StoreOptions) {
    this.#sealer = new Sealer(masterKey);
    this.#clock = clock;
    this.#logger = logger;
    this.#pool = new JoinablePool({
      connectionString: databaseUrl,
      max: connectionsMax,
      connectionTimeoutMillis: CONNECTION_DEADLINE_MS,
      keepAlive: true,
    });
    this.#pool.on('error', (error) => logger.warn({ error: error.message }, 'an idle database connection broke'));
    this.#prisma = new PrismaClient({ adapter: new PrismaPg(this.#pool) });
    this.#listener = new Listener(databaseUrl, MANIFEST_CHANNEL, logger);
    this.directory = new PrismaDirectory(this.#prisma, this.#pool, this.#sealer);
    this.manifest = new PostgresManifestLog(this.#pool, this.#listener, this.#sealer);
    this.nodes = new PostgresNodes(this.#pool, this.#clock);
    this.metering = new PostgresMeteringLog(this.#pool, logger);
    this.leases = new PostgresLeaseBook(this.#pool);
    this.#planesListener = new Listener(databaseUrl, PLANES_CHANNEL, logger);
    this.planes = new PostgresPlaneChannel(this.#pool, this.#planesListener);
  }

  async healthy(): Promise<boolean> {
    try {
      await this.#pool.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#listener.close();
    await this.#planesListener.close();
    await this.#prisma.$disconnect();
    await this.#pool.end();
  }

  #transact<T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>): Promise<T> {
    return retryConflicts(this.#logger, () => this.#attempt(tenant, work));
  }

  /** Throws NeverBegan when the pool gave out a connection that PostgreSQL had ended. */
  async #attempt<T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>): Promise<T> {
    let tx: TenantTransaction | null = null;
    try {
      tx = new TenantTransaction(await this.#pool.connect(), this.#prisma);
      const repositories = this.#repositories(tenant, tx);
      const result = await work(repositories);
      repositories.manifest.announce();
      await tx.commit();
      return result;
    } catch (error) {
      await tx?.rollback();
      throw tx?.hasBegun !== true && LOST_CONNECTION.test(String(error)) ? new NeverBegan(error) : error;
    }
  }

  #repositories(tenant: TenantId, tx: TenantTransaction): TenantRepositories & { readonly manifest: PrismaManifest } {
    const scope: TransactionScope = { tx, tenant, sealer: this.#sealer };
    return {
      tenant,
      account: new PrismaAccount(scope),
      accessKeys: new PrismaAccessKeys(scope),
      sessions: new PrismaSessions(scope),
      identityPolicies: new PrismaIdentityPolicies(scope),
      restApis: new PrismaRestApis(scope),
      resources: new PrismaResources(scope),
      methods: new PrismaMethods(scope),
      models: new PrismaApiParts(scope, 'MODEL'),
      requestValidators: new PrismaApiParts(scope, 'REQUEST_VALIDATOR'),
      authorizers: new PrismaApiParts(scope, 'AUTHORIZER'),
      gatewayResponses: new PrismaApiParts(scope, 'GATEWAY_RESPONSE'),
      documentationParts: new PrismaApiParts(scope, 'DOCUMENTATION_PART'),
      documentationVersions: new PrismaApiParts(scope, 'DOCUMENTATION_VERSION'),
      deployments: new PrismaDeployments(scope),
      stages: new PrismaStages(scope),
      stageHistory: new PrismaStageHistory(scope),
      apiKeys: new PrismaApiKeys(scope),
      usagePlans: new PrismaUsagePlans(scope),
      usagePlanKeys: new PrismaUsagePlanKeys(scope),
      domainNames: new PrismaDomainNames(scope),
      basePathMappings: new PrismaBasePathMappings(scope),
      certificates: new PrismaCertificates(scope),
      clientCertificates: new PrismaClientCertificates(scope),
      vpcLinks: new PrismaVpcLinks(scope),
      functions: new PrismaFunctions(scope),
      functionVersions: new PrismaFunctionVersions(scope),
      functionAliases: new PrismaFunctionAliases(scope),
      functionStatements: new PrismaFunctionStatements(scope),
      blobs: new PrismaBlobs(scope, this.#clock, this.manifest.recent),
      manifest: new PrismaManifest(scope, this.#clock),
      placement: new PrismaPlacement(scope),
      quotas: new PrismaQuotas(scope),
      serviceAccess: new PrismaServiceAccess(scope),
      usage: new PrismaUsage(scope),
      metrics: new PrismaMetrics(scope),
    };
  }
}
