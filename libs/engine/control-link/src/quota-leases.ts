import type { ReportBatch } from '@gatehouse/contracts';

export interface QuotaRequest {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  /** First UTC day of the period, `YYYY-MM-DD`. */
  readonly periodStart: string;
  /** How many more requests the node would like to admit. */
  readonly wanted: number;
  /** What this epoch has counted in this period, reported or not. */
  readonly counted: number;
}

/** "In this period, this epoch may count up to `allowedTotal` in all." May arrive late, twice, or never. */
export interface QuotaGrant {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly allowedTotal: number;
  /** Nothing is left for anybody in this period. */
  readonly exhausted: boolean;
}

interface Lease {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  periodStart: string;
  allowedTotal: number;
  /** Receipted counts of this epoch by day, from `periodStart` on. */
  reportedByDay: Map<string, number>;
}

/** What this epoch holds, so that a control plane that lost its memory can be told. One entry per key that ever asked. */
export class QuotaLeases {
  private readonly leases = new Map<string, Lease>();

  /** Called for every request, before it is sent; the lease's older period is forgotten. */
  asked(request: { usagePlanId: string; apiKeyId: string; periodStart: string }): { held: number; reported: number } {
    const lease = this.lease(request.usagePlanId, request.apiKeyId);
    if (lease.periodStart < request.periodStart) {
      lease.periodStart = request.periodStart;
      lease.allowedTotal = 0;
      for (const day of lease.reportedByDay.keys()) if (day < request.periodStart) lease.reportedByDay.delete(day);
    }
    return { held: lease.allowedTotal, reported: reportedIn(lease) };
  }

  granted(grant: QuotaGrant): void {
    const lease = this.lease(grant.usagePlanId, grant.apiKeyId);
    if (lease.periodStart === grant.periodStart) lease.allowedTotal = Math.max(lease.allowedTotal, grant.allowedTotal);
  }

  /** Of this epoch's batches only. */
  receipted(batch: ReportBatch): void {
    for (const { usagePlanId, apiKeyId, day, count } of batch.usage) {
      const byDay = this.lease(usagePlanId, apiKeyId).reportedByDay;
      byDay.set(day, (byDay.get(day) ?? 0) + Number(count));
    }
  }

  *held(): Iterable<{ usagePlanId: string; apiKeyId: string; periodStart: string; held: number; reported: number }> {
    for (const lease of this.leases.values()) {
      if (lease.allowedTotal > 0) yield { ...lease, held: lease.allowedTotal, reported: reportedIn(lease) };
    }
  }

  private lease(usagePlanId: string, apiKeyId: string): Lease {
    const key = `${usagePlanId}/${apiKeyId}`;
    let lease = this.leases.get(key);
    if (lease === undefined) {
      lease = { usagePlanId, apiKeyId, periodStart: '', allowedTotal: 0, reportedByDay: new Map() };
      this.leases.set(key, lease);
    }
    return lease;
  }
}

function reportedIn(lease: Lease): number {
  let reported = 0;
  for (const [day, count] of lease.reportedByDay) if (day >= lease.periodStart) reported += count;
  return reported;
}
