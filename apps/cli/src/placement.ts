/** Reads or changes where a tenant is served. */
import { operatorCall, type OperatorAccess } from './operator-call.js';

export interface Placement {
  readonly tenant: string;
  readonly pool: string;
  readonly isDefault: boolean;
}

/** `pool`: where to, `null` back to the default pool, `undefined` asks. */
export async function placement(access: OperatorAccess, tenant: string, pool: string | null | undefined): Promise<Placement> {
  const method = pool === undefined ? 'GET' : pool === null ? 'DELETE' : 'PUT';
  const path = `/admin/v1/tenants/${encodeURIComponent(tenant)}/placement`;
  return (await operatorCall(access, method, path, typeof pool === 'string' ? { pool } : undefined)) as Placement;
}

export const placementText = ({ tenant, pool, isDefault }: Placement): string =>
  `Tenant ${tenant} is served by pool ${pool}${isDefault ? ', as nothing else is said' : ''}.\n`;
