import type { Clock } from '@gatehouse/kernel';
import {
  entitledTo,
  mergeClaim,
  RATE_SHARE_MS,
  rateShare,
  sameEpoch,
  type EpochName,
  type LeaseBook,
  type LeaseClaim,
  type LeaseLine,
  type QuotaPage,
  type QuotaPageState,
  type RateDemand,
  type TokenTake,
} from '../lease-book.js';
import { keyText } from './rows.js';

interface Page {
  version: number;
  lines: LeaseLine[];
  endsAtMs: number;
}

/** A LeaseBook in memory. Every method is one synchronous step, so it is atomic. */
export class InMemoryLeaseBook implements LeaseBook {
  /** While true every method rejects; what is written stays. */
  isLost = false;
  readonly #pages = new Map<string, Page>();
  readonly #drained = new Map<string, number>();
  readonly #shares = new Map<string, Map<string, { demand: number; share: number; atMs: number }>>();
  readonly #tokens = new Map<string, { tokens: number; atMs: number }>();
  readonly #bornAtMs: number;

  constructor(private readonly clock: Clock) {
    this.#bornAtMs = clock.nowMs();
  }

  async noteQuota(page: QuotaPage, claim: LeaseClaim, endsAtMs: number): Promise<QuotaPageState> {
    this.#requireAnswer();
    const nowMs = this.clock.nowMs();
    const key = pageKey(page);
    const known = this.#pages.get(key) ?? { version: 0, lines: [], endsAtMs };
    this.#pages.set(key, known);
    const line = known.lines.find((other) => sameEpoch(other, claim));
    const merged = mergeClaim(line, claim, nowMs);
    if (entitledTo(merged) !== (line === undefined ? 0 : entitledTo(line))) known.version++;
    known.lines = [...known.lines.filter((other) => !sameEpoch(other, claim)), merged];
    known.endsAtMs = endsAtMs;
    return { version: known.version, lines: known.lines, nowMs, bornAtMs: this.#bornAtMs };
  }

  async raiseQuota(
    page: QuotaPage,
    version: number,
    raise: EpochName & { readonly allowed: number },
    forget: readonly EpochName[],
  ): Promise<boolean> {
    this.#requireAnswer();
    const known = this.#pages.get(pageKey(page));
    const line = known?.lines.find((other) => sameEpoch(other, raise));
    if (known === undefined || line === undefined || known.version !== version || line.isFinal) return false;
    known.version++;
    known.lines = known.lines
      .filter((other) => !forget.some((name) => sameEpoch(name, other)))
      .map((other) => (other === line ? { ...line, allowed: Math.max(line.allowed, raise.allowed) } : other));
    return true;
  }

  async noteDrained(nodeId: string, epoch: number): Promise<void> {
    this.#requireAnswer();
    this.#drained.set(nodeId, Math.max(epoch, this.#drained.get(nodeId) ?? 0));
  }

  async drained(): Promise<ReadonlyMap<string, number>> {
    this.#requireAnswer();
    return new Map(this.#drained);
  }

  async shareRates(nodeId: string, demands: readonly RateDemand[]): Promise<number[]> {
    this.#requireAnswer();
    const nowMs = this.clock.nowMs();
    return demands.map(({ bucket, demand }) => {
      const shares = this.#shares.get(bucket) ?? new Map();
      this.#shares.set(bucket, shares);
      for (const [node, { atMs }] of shares) if (nowMs - atMs >= RATE_SHARE_MS) shares.delete(node);
      const present = shares.get(nodeId)?.share ?? null;
      shares.delete(nodeId);
      const share = rateShare(demand, present, [...shares.values()]);
      shares.set(nodeId, { demand, share, atMs: nowMs });
      return share;
    });
  }

  async takeTokens(takes: readonly TokenTake[]): Promise<number[]> {
    this.#requireAnswer();
    const nowMs = this.clock.nowMs();
    return takes.map(({ bucket, ratePerSecond, burst, wanted }) => {
      const known = this.#tokens.get(bucket) ?? { tokens: 0, atMs: this.#bornAtMs };
      const atMs = Math.max(known.atMs, nowMs);
      const tokens = Math.min(burst, known.tokens + ((atMs - known.atMs) * ratePerSecond) / 1_000);
      const taken = Math.max(0, Math.min(wanted, Math.floor(tokens)));
      this.#tokens.set(bucket, { tokens: tokens - taken, atMs });
      return taken;
    });
  }

  async ping(): Promise<void> {
    this.#requireAnswer();
  }

  async clean(): Promise<number> {
    this.#requireAnswer();
    let count = 0;
    for (const [key, { endsAtMs }] of this.#pages) if (endsAtMs < this.clock.nowMs() && this.#pages.delete(key)) count++;
    return count;
  }

  async close(): Promise<void> {}

  #requireAnswer(): void {
    if (this.isLost) throw new Error('the lease book does not answer');
  }
}

const pageKey = ({ usagePlanId, apiKeyId, periodStart }: QuotaPage): string => keyText(usagePlanId, apiKeyId, periodStart);
