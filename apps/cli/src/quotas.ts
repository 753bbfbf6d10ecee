/** Reads or changes how much of everything a tenant may have. */
import { operatorCall, type OperatorAccess } from './operator-call.js';

export interface TenantQuotas {
  readonly tenant: string;
  /** All that hold. */
  readonly quotas: Readonly<Record<string, number>>;
  /** Those that are not AWS's. */
  readonly own: Readonly<Record<string, number>>;
}

/** What to change: `null` returns a quota to AWS's. */
export type QuotaChanges = Readonly<Record<string, number | null>>;

/** `changes`: an empty one asks, `null` returns all to AWS's. */
export async function quotas(access: OperatorAccess, tenant: string, changes: QuotaChanges | null): Promise<TenantQuotas> {
  const path = `/admin/v1/tenants/${encodeURIComponent(tenant)}/quotas`;
  if (changes === null) return (await operatorCall(access, 'DELETE', path)) as TenantQuotas;
  if (Object.keys(changes).length === 0) return (await operatorCall(access, 'GET', path)) as TenantQuotas;
  return (await operatorCall(access, 'PATCH', path, changes)) as TenantQuotas;
}

/** Reads `resources=10000` and `resources=default`; the control plane knows which names there are. */
export function readQuotaChanges(texts: readonly string[]): QuotaChanges | string {
  const changes: Record<string, number | null> = {};
  for (const text of texts) {
    const [, name, value] = /^([A-Za-z]+)=(\d+|default)$/.exec(text) ?? [];
    if (name === undefined) return `--set: expected a quota like resources=10000 or resources=default, got "${text}"`;
    changes[name] = value === 'default' ? null : Number(value);
  }
  return changes;
}

export function quotasText({ tenant, quotas: all, own }: TenantQuotas): string {
  const width = Math.max(...Object.keys(all).map((name) => name.length));
  const lines = Object.entries(all).map(
    ([name, value]) => `  ${name.padEnd(width)}  ${value}${Object.hasOwn(own, name) ? '  (set by the operator)' : ''}\n`,
  );
  return `Quotas of tenant ${tenant}:\n${lines.join('')}`;
}
