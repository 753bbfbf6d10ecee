import { badRequest, dayStartMs, type TenantId, type TenantStore, type UsageCount, type UsageKey } from '@gatehouse/domain';

export interface UsageQuestion {
  /** UTC days, `YYYY-MM-DD`, both included. */
  readonly from: string;
  readonly to: string;
  /** `position` of the page before. */
  readonly position?: string;
}

/** What was counted, by plan, key and day; a plan, key and day with no request has no entry. */
export interface UsagePage {
  readonly tenant: string;
  readonly items: readonly UsageCount[];
  /** Of the next page; `null` after the last one. */
  readonly position: string | null;
}

const PAGE_SIZE = 1_000;

/** Throws ApiError for days that are none, a range that ends before it starts, or a position that is no page's. */
export async function queryUsage(
  store: TenantStore,
  tenant: TenantId,
  { from, to, position }: UsageQuestion,
  pageSize = PAGE_SIZE,
): Promise<UsagePage> {
  for (const [name, day] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (dayStartMs(day) === null) throw badRequest(`Invalid value for ${name}: expected a day like 2026-01-31, got "${day}"`);
  }
  if (from > to) throw badRequest('Invalid range: "from" must not be after "to"');
  const after = position === undefined ? null : readPosition(position);
  const items = await store.transact(tenant, (tx) => tx.usage.countedBetween(from, to, after, pageSize));
  return { tenant, items, position: items.length < pageSize ? null : positionOf(items.at(-1)!) };
}

function positionOf({ usagePlanId, apiKeyId, day }: UsageKey): string {
  return Buffer.from(JSON.stringify([usagePlanId, apiKeyId, day])).toString('base64url');
}

function readPosition(position: string): UsageKey {
  try {
    const parts = JSON.parse(Buffer.from(position, 'base64url').toString()) as unknown;
    if (Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === 'string')) {
      const [usagePlanId, apiKeyId, day] = parts as [string, string, string];
      return { usagePlanId, apiKeyId, day };
    }
  } catch {
    // not JSON: none of ours either
  }
  throw badRequest('Invalid position');
}
