/** Characters of log lines that may wait in a process, so that no tenant's dead sink takes the place of another's lines. */
export class QueueBudget {
  private readonly takenBy = new Map<string, number>();
  private readonly tenantMax: number;
  taken = 0;

  /** One tenant has at most a quarter. */
  constructor(private readonly max: number) {
    this.tenantMax = max / 4;
  }

  /** False when there is no room. */
  take(tenant: string, chars: number): boolean {
    const own = (this.takenBy.get(tenant) ?? 0) + chars;
    if (own > this.tenantMax || this.taken + chars > this.max) return false;
    this.takenBy.set(tenant, own);
    this.taken += chars;
    return true;
  }

  give(tenant: string, chars: number): void {
    const left = this.takenBy.get(tenant)! - chars;
    if (left === 0) this.takenBy.delete(tenant);
    else this.takenBy.set(tenant, left);
    this.taken -= chars;
  }
}
