/**
 * Splits the quotas of API keys over the nodes. A node spends what it was granted without asking (engine/limits) and
 * asks ahead of need; this decides how much it gets.
 *
 *   limit = plan's limit + extension - offset (in the key's first period)
 *         = used (in the sums) + outstanding (counted or granted, not yet in the sums) of every epoch + free
 *
 * A grant takes from what is free: as much as was asked for, but at most a fair share, `free / (2 * nodes)`, so that
 * later askers find something, and at least `SHARE_MIN` while there is any, so that the end of a quota is not split
 * into crumbs. A grant is never taken back. What an epoch counted beyond its grant (engine/limits admits a little
 * before the first answer) is outstanding too, so the next grants make up for it.
 *
 * Grants live in this process only. After a restart the nodes repeat what they hold; until those that were connected
 * have done so, or `settleMs` passed, nobody gets an answer. An epoch that stays disconnected for `releaseMs` holds
 * nothing any more: it is dead and its last batches are in, or it is cut off and counts alone, as engine/limits says.
 *
 * So what is admitted beyond the limit, per key and period, is at most what engine/limits documents: one provisional
 * allowance per epoch, and what nodes admit that cannot reach the control plane; and, when node and control plane are
 * killed at the same moment, the node's last second, which arrives under its old name only after it asked anew.
 * Simulated: tools/node-link, quota-simulation.spec.ts.
 *
 * One control plane at a time may answer; several need a shared book behind the same interface.
 */
import type { QuotaRequest } from '@gatehouse/contracts';
import { dayStartMs, utcDay, type MeteringLog, type NodeReport } from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';

export interface NodeName {
  readonly nodeId: string;
  readonly epoch: number;
}

export interface QuotaGrantFields {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly allowedTotal: bigint;
  readonly exhausted: boolean;
}

export interface QuotaGrantsOptions {
  readonly metering: Pick<MeteringLog, 'usedInPeriod' | 'quotaOf' | 'tenantOfPlan'>;
  readonly clock: Clock;
  readonly settleMs?: number;
  readonly releaseMs?: number;
}

const SHARE_MIN = 10;
const DAY_MS = 86_400_000;
const FIRST_DAY = '0001-01-01';
const LAST_DAY = '9999-12-31';
/** Reads of the sums before an answer is given although batches of the same key keep arriving. */
const READS_MAX = 3;
const MONTH_MS = 31 * DAY_MS;

/** One epoch's part of one key's period. */
interface Holder {
  allowed: number;
  counted: number;
  /** Of `counted`, what is in the sums for certain; never more than what is. */
  reported: number;
  /** What this process applied itself. */
  applied: number;
  /** This process saw all of the epoch's batches, so `reported` is exact between two batches. */
  readonly isExact: boolean;
}

/** The sums of a key's period, with what was known of each epoch when they were read. */
interface Sums {
  readonly used: number;
  readonly reported: ReadonlyMap<Holder, number>;
  /** No batch of this key came in between: each is either in both or in none. */
  readonly isConsistent: boolean;
}

interface Account {
  periodStart: string;
  readonly holders: Map<string, Holder>;
  /** Batches with this key's counts that are being applied now, and how many were. */
  applyingCount: number;
  appliedCount: number;
  /** Answers for one key are worked out one after the other. */
  turn: Promise<unknown>;
}

export class QuotaGrants {
  private readonly accounts = new Map<string, Account>();
  /** Connected data-plane nodes: `nodeId` to epoch. */
  private readonly members = new Map<string, number>();
  /** Epochs that were connected once, and since when they are not. */
  private readonly leftAtMs = new Map<string, number>();
  private readonly expected = new Set<string>();
  private readonly settled = Promise.withResolvers<void>();
  private settleTimer: NodeJS.Timeout | null = null;
  private readonly settleMs: number;
  private readonly releaseMs: number;
  private sweptDay = '';

  constructor(private readonly options: QuotaGrantsOptions) {
    this.settleMs = options.settleMs ?? 10_000;
    this.releaseMs = options.releaseMs ?? 60_000;
  }

  /** At the start: these nodes may hold grants of an earlier process. Without this call nobody gets an answer. */
  expect(nodeIds: readonly string[]): void {
    for (const nodeId of nodeIds) this.expected.add(nodeId);
    if (this.expected.size === 0) this.settled.resolve();
    else this.settleTimer = setTimeout(() => this.settled.resolve(), this.settleMs).unref();
  }

  joined({ nodeId, epoch }: NodeName): void {
    const earlier = this.members.get(nodeId);
    if (earlier !== undefined && earlier !== epoch)
      this.leftAtMs.set(nameOf({ nodeId, epoch: earlier }), this.options.clock.nowMs());
    this.members.set(nodeId, epoch);
    this.leftAtMs.delete(nameOf({ nodeId, epoch }));
  }

  announced({ nodeId }: NodeName): void {
    if (!this.expected.delete(nodeId) || this.expected.size > 0) return;
    if (this.settleTimer !== null) clearTimeout(this.settleTimer);
    this.settled.resolve();
  }

  left(node: NodeName): void {
    if (this.members.get(node.nodeId) === node.epoch) this.members.delete(node.nodeId);
    this.leftAtMs.set(nameOf(node), this.options.clock.nowMs());
  }

  /** `null` for a plan without a quota, and for a period that is over or not near. */
  async answer(node: NodeName, request: QuotaRequest): Promise<QuotaGrantFields | null> {
    const { usagePlanId, apiKeyId, periodStart } = request;
    const startMs = dayStartMs(periodStart);
    if (startMs === null || startMs > this.options.clock.nowMs() + DAY_MS) return null;
    this.sweep();
    const account = this.account(usagePlanId, apiKeyId, periodStart);
    if (account === null) return null;
    const holder = this.holder(account, node, request);
    await this.settled.promise;
    const tenant = await this.options.metering.tenantOfPlan(usagePlanId);
    if (tenant === null) return null;
    const turn = account.turn.then(async () => {
      const quota = await this.options.metering.quotaOf(tenant, usagePlanId, apiKeyId, periodStart);
      if (quota === null) return null;
      const used = (start: string, end: string) => this.options.metering.usedInPeriod(tenant, usagePlanId, apiKeyId, start, end);
      // The offset holds in the key's initial period: the first one in which it was used.
      const isInitial = quota.offset > 0 && (await used(FIRST_DAY, utcDay(startMs - DAY_MS))) === 0;
      const limit = quota.limit + quota.extra - (isInitial ? quota.offset : 0);
      const sums = await this.readSums(account, () => used(periodStart, LAST_DAY));
      if (account.periodStart !== periodStart) return null;
      return { usagePlanId, apiKeyId, periodStart, ...this.grant(account, holder, limit, sums, Number(request.wanted)) };
    });
    account.turn = turn.catch(() => undefined);
    return turn;
  }

  /** Runs `apply` (true: the batch was new) and remembers which epoch the new counts came from. */
  async whileApplying(report: NodeReport, apply: () => Promise<boolean>): Promise<void> {
    const touched = new Set<Account>();
    for (const { usagePlanId, apiKeyId } of report.usage) {
      const account = this.accounts.get(`${usagePlanId}/${apiKeyId}`);
      if (account !== undefined) touched.add(account);
    }
    for (const account of touched) account.applyingCount++;
    try {
      if (!(await apply())) return;
      for (const { usagePlanId, apiKeyId, day, count } of report.usage) {
        const account = this.accounts.get(`${usagePlanId}/${apiKeyId}`);
        const holder = account?.holders.get(nameOf(report));
        if (account === undefined || holder === undefined || day < account.periodStart) continue;
        holder.applied += count;
        holder.reported = Math.max(holder.reported, holder.applied);
      }
    } finally {
      for (const account of touched) {
        account.applyingCount--;
        account.appliedCount++;
      }
    }
  }

  private grant(
    account: Account,
    holder: Holder,
    limit: number,
    sums: Sums,
    wanted: number,
  ): { allowedTotal: bigint; exhausted: boolean } {
    let outstanding = 0;
    let unreported = 0;
    let isExact = sums.isConsistent;
    for (const other of account.holders.values()) {
      // A holder that appeared while the sums were read has nothing in them yet, as far as anybody knows.
      const reported = sums.reported.get(other) ?? 0;
      outstanding += Math.max(0, Math.max(other.allowed, other.counted) - reported);
      unreported += Math.max(0, other.counted - reported);
      isExact &&= other.isExact;
    }
    const free = limit - sums.used - outstanding;
    const fairShare = Math.max(SHARE_MIN, Math.ceil(free / (2 * Math.max(1, this.members.size))));
    const base = Math.max(holder.allowed, holder.counted);
    const more = Math.min(free, fairShare, holder.counted + wanted - base);
    if (more > 0) holder.allowed = base + more;
    // Where a batch may be counted twice for a moment, only the sums can say that nothing is left.
    const exhausted = sums.used >= limit || (isExact && sums.used + unreported >= limit);
    return { allowedTotal: BigInt(holder.allowed), exhausted };
  }

  private async readSums(account: Account, read: () => Promise<number>): Promise<Sums> {
    this.release(account);
    for (let reads = 1; ; reads++) {
      // Taken before the sums: counting a batch twice makes the answer too small, never too large.
      const reported = new Map([...account.holders.values()].map((holder) => [holder, holder.reported]));
      const appliedCount = account.appliedCount;
      const isQuiet = account.applyingCount === 0;
      const used = await read();
      const isConsistent = isQuiet && account.applyingCount === 0 && account.appliedCount === appliedCount;
      if (isConsistent || reads === READS_MAX) return { used, reported, isConsistent };
    }
  }

  private release(account: Account): void {
    const nowMs = this.options.clock.nowMs();
    for (const name of account.holders.keys()) {
      const leftAtMs = this.leftAtMs.get(name);
      if (leftAtMs !== undefined && nowMs - leftAtMs >= this.releaseMs) account.holders.delete(name);
    }
  }

  /** `null` when a later period of the key is in use. */
  private account(usagePlanId: string, apiKeyId: string, periodStart: string): Account | null {
    const key = `${usagePlanId}/${apiKeyId}`;
    const account = this.accounts.get(key);
    if (account === undefined) {
      const opened: Account = { periodStart, holders: new Map(), applyingCount: 0, appliedCount: 0, turn: Promise.resolve() };
      this.accounts.set(key, opened);
      return opened;
    }
    if (periodStart < account.periodStart) return null;
    if (periodStart > account.periodStart) {
      account.periodStart = periodStart;
      account.holders.clear();
    }
    return account;
  }

  private holder(account: Account, node: NodeName, request: QuotaRequest): Holder {
    const [held, counted, reported] = [Number(request.held), Number(request.counted), Number(request.reported)];
    const known = account.holders.get(nameOf(node));
    if (known === undefined) {
      const holder = { allowed: held, counted, reported, applied: 0, isExact: held === 0 && reported === 0 };
      account.holders.set(nameOf(node), holder);
      return holder;
    }
    // Questions may be repeated or overtake each other; each of these only grows.
    known.allowed = Math.max(known.allowed, held);
    known.counted = Math.max(known.counted, counted);
    known.reported = Math.max(known.reported, reported);
    return known;
  }

  /** Once a day: forgets periods that are over and epochs that are gone. */
  private sweep(): void {
    const nowMs = this.options.clock.nowMs();
    const today = utcDay(nowMs);
    if (today === this.sweptDay) return;
    this.sweptDay = today;
    const oldest = utcDay(nowMs - MONTH_MS);
    for (const [key, account] of this.accounts) if (account.periodStart < oldest) this.accounts.delete(key);
    for (const [name, leftAtMs] of this.leftAtMs) if (nowMs - leftAtMs > MONTH_MS) this.leftAtMs.delete(name);
  }
}

const nameOf = ({ nodeId, epoch }: NodeName): string => `${nodeId}/${epoch}`;
