/**
 * Where nodes get their leases, whichever control plane they are connected to. Quotas: QuotaGrants. Rates: shares and tokens
 * straight from the book. When a book is lost the nodes are told, and take each plan's fallback without asking.
 */
import { strictRateLease, type QuotaRequest, type RateDemand } from '@gatehouse/contracts';
import type { EpochName, LeaseBook } from '@gatehouse/domain';
import type { MeteringLogger } from './log.js';
import { QuotaGrants, type QuotaGrantFields, type QuotaGrantsOptions } from './quota-grants.js';
import { LeaseBookLost, WatchedLeaseBook } from './watched-lease-book.js';

export interface LeaseOfficeOptions extends Omit<QuotaGrantsOptions, 'books'> {
  readonly fast: LeaseBook;
  /** May be the same as `fast`. */
  readonly strict: LeaseBook;
  readonly log: MeteringLogger;
  readonly deadlineMs?: number;
  readonly probeMs?: number;
}

export interface RateLeaseFields {
  readonly bucket: string;
  readonly question: bigint;
  readonly share: number;
  readonly tokens: bigint;
}

export interface LeaseOfficeState {
  readonly fastAvailable: boolean;
  readonly strictAvailable: boolean;
}

export class LeaseOffice {
  private readonly fast: WatchedLeaseBook;
  private readonly strict: WatchedLeaseBook;
  private readonly grants: QuotaGrants;
  private readonly watchers = new Set<() => void>();
  /** Nodes say it every second; each book is told once, and again after it was lost. */
  private readonly drainedEpochs = new Map<string, number>();

  constructor(private readonly options: LeaseOfficeOptions) {
    this.fast = this.watched('fast', options.fast);
    this.strict = options.strict === options.fast ? this.fast : this.watched('strict', options.strict);
    this.grants = new QuotaGrants({ ...options, books: { fast: this.fast, strict: this.strict } });
  }

  get state(): LeaseOfficeState {
    return { fastAvailable: this.fast.isAvailable, strictAvailable: this.strict.isAvailable };
  }

  /** Calls back when `state` changed. Returns the way to stop. */
  watch(onChange: () => void): () => void {
    this.watchers.add(onChange);
    return () => void this.watchers.delete(onChange);
  }

  /** The connection to the fast book broke: nobody needs to find out by waiting. */
  fastLost(): void {
    this.fast.lost();
  }

  /** `null` when the question makes no sense (any more). Rejects with LeaseBookLost. */
  async answerQuota(node: EpochName, request: QuotaRequest): Promise<QuotaGrantFields | null> {
    try {
      return await this.grants.answer(node, request);
    } catch (cause) {
      // Plans and sums are where the strict book is: if those cannot be read, neither can it, and its nodes must hear of it.
      if (!(cause instanceof LeaseBookLost)) await this.strict.ping().catch(() => undefined);
      throw cause;
    }
  }

  /** Answers those it can; the rest is asked again. */
  async answerRates(node: EpochName, demands: readonly RateDemand[]): Promise<RateLeaseFields[]> {
    const strict = demands.filter((demand) => demand.strict);
    const fast = demands.filter((demand) => !demand.strict);
    const [tokens, shares] = await Promise.allSettled([
      this.strict.takeTokens(
        strict.map(({ bucket, ratePerSecond, burst, wantedTokens }) => ({
          bucket,
          ratePerSecond,
          burst: strictRateLease({ ratePerSecond, burst }).burst,
          wanted: Number(wantedTokens),
        })),
      ),
      this.fast.shareRates(
        node.nodeId,
        fast.map(({ bucket, demandedPerSecond, ratePerSecond }) => ({
          bucket,
          // Of a rate of nothing everybody has the same part.
          demand: ratePerSecond > 0 ? demandedPerSecond / ratePerSecond : 0,
        })),
      ),
    ]);
    return [
      ...(tokens.status === 'rejected'
        ? []
        : strict.map(({ bucket, question }, i) => ({ bucket, question, share: 0, tokens: BigInt(tokens.value[i]!) }))),
      ...(shares.status === 'rejected'
        ? []
        : fast.map(({ bucket, question }, i) => ({ bucket, question, share: shares.value[i]!, tokens: 0n }))),
    ];
  }

  /** Everything earlier epochs of the node counted is in the sums. */
  async drained({ nodeId, epoch }: EpochName): Promise<void> {
    if ((this.drainedEpochs.get(nodeId) ?? 0) >= epoch) return;
    const books = new Set([this.fast, this.strict]);
    for (const book of books) if (book.isAvailable) await book.noteDrained(nodeId, epoch);
    if ([...books].every((book) => book.isAvailable)) this.drainedEpochs.set(nodeId, epoch);
  }

  /** Leaves the books open: whoever opened them closes them. */
  close(): void {
    this.watchers.clear();
  }

  private watched(name: string, book: LeaseBook): WatchedLeaseBook {
    const { log, deadlineMs, probeMs } = this.options;
    return new WatchedLeaseBook(book, {
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(probeMs === undefined ? {} : { probeMs }),
      onChange: (isAvailable) => {
        this.drainedEpochs.clear();
        if (isAvailable) log.info({ book: name }, 'lease book is back');
        else log.error({ book: name }, 'lease book is lost: nodes take the fallback of each plan');
        for (const onChange of this.watchers) onChange();
      },
    });
  }
}
