/**
 * Places shared by the tenants of a node, so that none can take all of them.
 *
 *   one tenant   at most a quarter of all places: a node is often one team's
 *   reserve      a thousandth of all places is every tenant's own, also when all others are taken
 *
 * So there are at most `max` places and the reserves: with 20,000 places 5,000 for a tenant, 20 of them certain.
 */
const TENANT_SHARE = 4;
const RESERVE_SHARE = 1_000;

export class TenantBudget {
  private readonly tenantMax: number;
  private readonly reserve: number;
  private readonly takenBy = new Map<string, number>();
  private taken = 0;

  constructor(private readonly max: number) {
    // With less than a few hundred places there is nothing to divide.
    this.tenantMax = max < RESERVE_SHARE ? max : Math.ceil(max / TENANT_SHARE);
    this.reserve = Math.floor(max / RESERVE_SHARE);
  }

  hasRoom(tenant: string): boolean {
    const own = this.takenBy.get(tenant) ?? 0;
    return own < this.reserve || (own < this.tenantMax && this.taken < this.max);
  }

  /** False when there is no room. */
  take(tenant: string): boolean {
    if (!this.hasRoom(tenant)) return false;
    this.takeBack(tenant);
    return true;
  }

  /** A place given before to somebody who is there again; may go beyond the bound by those who come back at once. */
  takeBack(tenant: string): void {
    this.takenBy.set(tenant, (this.takenBy.get(tenant) ?? 0) + 1);
    this.taken++;
  }

  give(tenant: string): void {
    const left = this.takenBy.get(tenant)! - 1;
    if (left === 0) this.takenBy.delete(tenant);
    else this.takenBy.set(tenant, left);
    this.taken--;
  }
}
