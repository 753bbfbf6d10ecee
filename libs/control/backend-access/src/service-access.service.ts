import { publishServiceAccess } from '@gatehouse/control-publish';
import {
  notFound,
  withRole,
  withService,
  type RoleText,
  type ServiceAccess,
  type ServiceEndpoint,
  type TenantId,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';

export interface ServiceReport extends ServiceEndpoint {
  readonly service: string;
}

/** What its owner is shown: everything but the secrets. */
export interface RoleReport {
  readonly name: string;
  readonly arn: string;
  readonly accessKeyId: string;
  readonly isTemporary: boolean;
  readonly updatedAt: string;
  /** `{apiId}/{stageName}`. */
  readonly inUseBy: readonly string[];
}

/** Where the AWS services of a tenant's integrations are, and the credentials behind the roles that the integrations name. */
export class ServiceAccessAdmin {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
  ) {}

  async putService(tenant: TenantId, service: string, endpoint: string, region: string | null): Promise<ServiceReport> {
    const { services } = await this.change(tenant, (access) => withService(access, service, endpoint, region));
    return { service, ...services[service]! };
  }

  async services(tenant: TenantId): Promise<readonly ServiceReport[]> {
    const { services } = await this.read(tenant);
    return byName(services).map(([service, endpoint]) => ({ service, ...endpoint }));
  }

  async service(tenant: TenantId, service: string): Promise<ServiceReport> {
    const { services } = await this.read(tenant);
    if (!Object.hasOwn(services, service)) throw unknownService(service);
    return { service, ...services[service]! };
  }

  /** The service is with AWS from then on. */
  async removeService(tenant: TenantId, service: string): Promise<void> {
    await this.change(tenant, (access) => {
      if (!Object.hasOwn(access.services, service)) throw unknownService(service);
      return { ...access, services: without(access.services, service) };
    });
  }

  async putRole(tenant: TenantId, name: string, text: RoleText): Promise<RoleReport> {
    return report(tenant, name, await this.change(tenant, (access) => withRole(access, name, text, this.clock.nowMs())));
  }

  async roles(tenant: TenantId): Promise<readonly RoleReport[]> {
    const access = await this.read(tenant);
    return byName(access.roles).map(([name]) => report(tenant, name, access));
  }

  async role(tenant: TenantId, name: string): Promise<RoleReport> {
    const access = await this.read(tenant);
    if (!Object.hasOwn(access.roles, name)) throw unknownRole(name);
    return report(tenant, name, access);
  }

  /** Requests that are signed with it fail from then on. */
  async removeRole(tenant: TenantId, name: string): Promise<void> {
    await this.change(tenant, (access) => {
      if (!Object.hasOwn(access.roles, name)) throw unknownRole(name);
      return { ...access, roles: without(access.roles, name) };
    });
  }

  private read(tenant: TenantId): Promise<ServiceAccess> {
    return this.store.transact(tenant, (tx) => tx.serviceAccess.read());
  }

  private change(tenant: TenantId, decide: (access: ServiceAccess) => ServiceAccess): Promise<ServiceAccess> {
    return this.store.transact(tenant, async (tx) => {
      await tx.placement.read(); // before the lock, as whoever publishes a stage takes them
      const after = decide(await tx.serviceAccess.lock());
      await tx.serviceAccess.write(after);
      await publishServiceAccess(tx, after);
      return after;
    });
  }
}

const without = <T>(record: Readonly<Record<string, T>>, name: string): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([other]) => other !== name));

const byName = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));

function report(tenant: TenantId, name: string, { roles, users }: ServiceAccess): RoleReport {
  const { accessKeyId, sessionToken, updatedAtMs } = roles[name]!;
  return {
    name,
    arn: `arn:aws:iam::${tenant}:role/${name}`,
    accessKeyId,
    isTemporary: sessionToken !== null,
    updatedAt: new Date(updatedAtMs).toISOString(),
    inUseBy: byName(users).flatMap(([stage, used]) => (used.includes(name) ? [stage] : [])),
  };
}

const unknownService = (service: string): Error => notFound(`No endpoint is registered for service ${service}`);
const unknownRole = (name: string): Error => notFound(`No credentials are registered for role ${name}`);
