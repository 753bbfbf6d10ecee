/**
 * How a tenant's integrations reach AWS services, as nodes are told of it:
 *
 *   SERVICE_ACCESS  {account}   endpoints, and the credentials of the roles that stages sign with
 *
 * One entry, present while a stage has an integration with a service. It holds secrets, so it goes where those stages go and nowhere else
 * (ADR 0009).
 */
import type { Diagnostic } from '@gatehouse/compiler';
import type { IntegrationSnapshot, ServiceAccessEntry, StageSnapshot } from '@gatehouse/contracts';
import { poolsField, withUser, type ServiceAccess, type TenantRepositories } from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { poolOfApi } from './placement.js';

/** Writes what was read before anything was written: whoever holds the manifest waits for nobody. */
export type PutServiceAccess = () => Promise<void>;

/** Names of the roles that the stage signs with, its canary too; sorted. */
export function rolesOf({ routes, canary }: StageSnapshot): string[] {
  const ofCanary = canary?.routes.filter((route) => typeof route !== 'number') ?? [];
  const roles = [...routes, ...ofCanary].map(({ integration }) => roleOf(integration)).filter((role) => role !== null);
  return [...new Set(roles)].sort();
}

function roleOf(integration: IntegrationSnapshot): string | null {
  if (integration.type === 'SERVICE') return integration.role;
  if (integration.type === 'VELOCITY' || integration.type === 'CONVERT' || integration.type === 'CONNECT')
    return roleOf(integration.integration);
  return null;
}

/** Integrations with services whose role has no credentials: their requests fail, and nodes alone would say so. */
export async function diagnoseRoles(tx: TenantRepositories, { routes }: StageSnapshot): Promise<readonly Diagnostic[]> {
  const signed = routes.flatMap(({ path, httpMethod, integration }) => {
    const role = roleOf(integration);
    return role === null ? [] : [{ path: `${path} ${httpMethod} integration.credentials`, role }];
  });
  if (signed.length === 0) return [];
  const { roles } = await tx.serviceAccess.read();
  return signed
    .filter(({ role }) => !Object.hasOwn(roles, role))
    .map(({ path, role }) => ({
      severity: 'warning',
      path,
      message: `role ${role} has no credentials: PUT /admin/v1/roles/${encodeURIComponent(role)} gives it some; requests are refused`,
    }));
}

/**
 * For stages that are about to be published with these roles, by `{apiId}/{stageName}`, or withdrawn (no roles). `null` when nothing changes for
 * nodes: then nothing is locked. The caller holds the placement, shared.
 */
export async function serviceAccessFor(
  tx: TenantRepositories,
  stages: Readonly<Record<string, readonly string[]>>,
): Promise<PutServiceAccess | null> {
  const isSame = (access: ServiceAccess): boolean =>
    Object.entries(stages).every(([stage, roles]) => (access.users[stage] ?? []).join() === roles.join());
  if (isSame(await tx.serviceAccess.read())) return null;
  const before = await tx.serviceAccess.lock();
  const after = Object.entries(stages).reduce((access, [stage, roles]) => withUser(access, stage, roles), before);
  await tx.serviceAccess.write(after);
  return putOf(tx, after);
}

/** After a change of endpoints or credentials, which the caller has written under its lock, taken behind the placement's. */
export async function publishServiceAccess(tx: TenantRepositories, access: ServiceAccess): Promise<void> {
  const put = await putOf(tx, access);
  await put();
}

async function putOf(tx: TenantRepositories, access: ServiceAccess): Promise<PutServiceAccess> {
  const used = Object.entries(access.users);
  if (used.length === 0) {
    const published = await tx.manifest.find('SERVICE_ACCESS', tx.tenant);
    return async () => {
      if (published !== null && published.content !== null) await tx.manifest.remove('SERVICE_ACCESS', tx.tenant);
    };
  }
  const apiIds = [...new Set(used.map(([stage]) => stage.slice(0, stage.indexOf('/'))))].sort();
  const pools: string[] = [];
  for (const apiId of apiIds) pools.push(await poolOfApi(tx, apiId));
  const inline = canonicalJson(entryOf(tx.tenant, access, apiIds));
  return async () => {
    await tx.manifest.put('SERVICE_ACCESS', tx.tenant, {
      digest: null,
      blobBytes: 0,
      inline,
      ...poolsField([...new Set(pools)]),
    });
  };
}

function entryOf(tenant: string, { services, roles, users }: ServiceAccess, apiIds: readonly string[]): ServiceAccessEntry {
  const names = new Set(Object.values(users).flat());
  const used = Object.entries(roles).filter(([name]) => names.has(name));
  return {
    tenant,
    services,
    roles: Object.fromEntries(
      used.map(([name, { accessKeyId, secretAccessKey, sessionToken }]) => [
        name,
        { accessKeyId, secretAccessKey: secretAccessKey.reveal(), sessionToken: sessionToken?.reveal() ?? null },
      ]),
    ),
    apiIds,
  };
}
