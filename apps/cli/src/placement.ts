/** Reads or changes where a tenant is served; for the operator, who shows a token instead of signing. */
import type { Secret } from '@gatehouse/kernel';

export interface OperatorAccess {
  /** `http://host:port`. */
  readonly endpoint: string;
  readonly operatorToken: Secret;
}

export interface Placement {
  readonly tenant: string;
  readonly pool: string;
  readonly isDefault: boolean;
}

const TIMEOUT_MS = 60_000;

/** `pool`: where to, `null` back to the default pool, `undefined` asks. Throws with what the control plane answered. */
export async function placement(access: OperatorAccess, tenant: string, pool: string | null | undefined): Promise<Placement> {
  const url = new URL(`/admin/v1/tenants/${encodeURIComponent(tenant)}/placement`, access.endpoint);
  const response = await fetch(url, {
    method: pool === undefined ? 'GET' : pool === null ? 'DELETE' : 'PUT',
    headers: { authorization: `Bearer ${access.operatorToken.reveal()}` },
    ...(typeof pool === 'string' && { body: JSON.stringify({ pool }) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: Error) => {
    const reason = (cause.cause ?? cause) as Error;
    throw new Error(`No answer from the control plane at ${access.endpoint}: ${reason.message}`, { cause });
  });
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`The control plane at ${access.endpoint} answers ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as Placement;
}

export const placementText = ({ tenant, pool, isDefault }: Placement): string =>
  `Tenant ${tenant} is served by pool ${pool}${isDefault ? ', as nothing else is said' : ''}.\n`;
