/**
 * A LeaseBook that never makes anybody wait for a dead one. The first operation that fails or takes too long makes it lost: from
 * then on every operation rejects at once, until a probe was answered. Whoever must know is told of both.
 */
import type { EpochName, LeaseBook, LeaseClaim, QuotaPage, RateDemand, TokenTake } from '@gatehouse/domain';

export class LeaseBookLost extends Error {
  constructor(cause?: unknown) {
    super('the lease book does not answer', { cause });
    this.name = 'LeaseBookLost';
  }
}

export interface WatchedLeaseBookOptions {
  readonly onChange: (isAvailable: boolean) => void;
  readonly deadlineMs?: number;
  readonly probeMs?: number;
}

export class WatchedLeaseBook implements LeaseBook {
  isAvailable = true;
  private probe: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(
    private readonly book: LeaseBook,
    private readonly options: WatchedLeaseBookOptions,
  ) {}

  noteQuota(page: QuotaPage, claim: LeaseClaim, endsAtMs: number) {
    return this.ask(() => this.book.noteQuota(page, claim, endsAtMs));
  }
  raiseQuota(page: QuotaPage, version: number, raise: EpochName & { readonly allowed: number }, forget: readonly EpochName[]) {
    return this.ask(() => this.book.raiseQuota(page, version, raise, forget));
  }
  noteDrained(nodeId: string, epoch: number) {
    return this.ask(() => this.book.noteDrained(nodeId, epoch));
  }
  drained() {
    return this.ask(() => this.book.drained());
  }
  shareRates(nodeId: string, demands: readonly RateDemand[]) {
    return this.ask(() => this.book.shareRates(nodeId, demands));
  }
  takeTokens(takes: readonly TokenTake[]) {
    return this.ask(() => this.book.takeTokens(takes));
  }
  ping() {
    return this.ask(() => this.book.ping());
  }
  clean() {
    return this.book.clean(); // may take its time, and nobody waits for it
  }

  async close(): Promise<void> {
    this.isClosed = true;
    if (this.probe !== null) clearTimeout(this.probe);
    await this.book.close();
  }

  /** The adapter knows by itself, e.g. from a connection that broke. */
  lost(): void {
    if (!this.isAvailable || this.isClosed) return;
    this.isAvailable = false;
    this.probeLater();
    this.options.onChange(false);
  }

  private async ask<T>(operation: () => Promise<T>): Promise<T> {
    if (!this.isAvailable) throw new LeaseBookLost();
    try {
      return await this.inTime(operation);
    } catch (cause) {
      this.lost();
      throw new LeaseBookLost(cause);
    }
  }

  private inTime<T>(operation: () => Promise<T>): Promise<T> {
    const { deadlineMs = 1_000 } = this.options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
      operation()
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  private probeLater(): void {
    this.probe = setTimeout(() => void this.probeNow(), this.options.probeMs ?? 200).unref();
  }

  private async probeNow(): Promise<void> {
    try {
      await this.inTime(() => this.book.ping());
    } catch {
      if (!this.isClosed) this.probeLater();
      return;
    }
    if (this.isClosed) return;
    this.isAvailable = true;
    this.options.onChange(true);
  }
}
