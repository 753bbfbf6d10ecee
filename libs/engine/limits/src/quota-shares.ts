/**
 * Splits what a node may count of its quotas over its worker processes. To the control plane it speaks for the whole node, as
 * one QuotaLedger would; to each worker's QuotaLedger it is the one who answers.
 *
 *   control plane --granted--> ceiling of the node --limit of each worker--> spent there without asking
 *
 *   ceiling = QuotaLedger's of the whole node: granted + one provisional allowance; alone, the plan's own limit
 *           >= sum over workers of max(limit, counted)
 *
 * A worker's limit is strict (its answers say `exhausted`, and it asks at half of what is left). Before its first answer it is
 * `provisionalPart`, counted against the ceiling for every worker, asked or not. A worker that finds nothing left has the
 * others give back half of what they do not use (`recall`), so a caller that keeps to one worker gets the whole quota. What a dead
 * worker was lent stays lent until its journal was read; then it has what it counted.
 *
 * So the node admits what one ledger would, and at most one `provisionalPart` more for each worker that was started again, one
 * provisional allowance more when the plan's limit is changed, and one request more for each worker above the provisional
 * allowance (a quota smaller than the number of workers).
 */
import { provisionalAllowance, type QuotaAnswer, type QuotaQuestion } from './quota-ledger.js';
import { quotaPeriod, type QuotaPeriod } from './quota-period.js';

export interface PlanQuota {
  readonly limit: number;
  readonly offset: number;
  readonly period: QuotaPeriod;
  /** Nothing is lent that was not granted. */
  readonly isStrict?: boolean;
}

export interface QuotaRecall {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly quota: PlanQuota;
}

export interface QuotaSharesOptions {
  readonly workerCount: number;
  /** As published now; `null` for a plan that has none. */
  readonly quotaOf: (usagePlanId: string) => PlanQuota | null;
  /** To the control plane; may get lost. Neither this nor the next two may call back at once. */
  readonly requestMore: (question: QuotaQuestion) => void;
  readonly answer: (worker: number, answer: QuotaAnswer) => void;
  /** The worker gives back half and says what it has: `recalled`. */
  readonly recall: (worker: number, recall: QuotaRecall) => void;
  readonly nowMs: () => number;
  /** Pairs of plan and key; beyond it questions stay without answer, and workers keep to their provisional part. */
  readonly accountsMax?: number;
}

/** What one of several ledgers on a node admits before its first answer; at least one, or a new key would be turned away. */
export function provisionalPart(limit: number, workerCount: number): number {
  return Math.max(1, Math.floor(provisionalAllowance(limit) / workerCount));
}

const ASK_AGAIN_MS = 1_000;
/** Given while there is as much, so that the end of a quota is not split into crumbs. */
const SHARE_MIN = 5;
/** The running period, and those a stepping clock may go back to. */
const PERIODS_KEPT = 3;

/** `generation` counts what a ledger gave back by itself: it asks with wanted 0, and answers to earlier questions are void. */
type WorkerQuestion = QuotaQuestion & { readonly generation?: number };

interface Share {
  /** What the worker may count up to in all; -1 until its first answer: the provisional part. */
  limit: number;
  /** As far as heard. */
  counted: number;
  /** In its batches: of what it counted, what was taken over from its journal. */
  inBatches: number;
  /** Asked for and not given. */
  wanting: number;
  lastWanted: number;
  isRecalling: boolean;
  generation: number;
}

interface Account {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly shares: Map<number, Share>;
  quota: PlanQuota;
  granted: number;
  exhausted: boolean;
  reported: number;
  /** Counted by processes that are gone and whose journals were read. */
  settledCount: number;
  /** -1: never. */
  askedAtMs: number;
  answerDue: boolean;
}

export class QuotaShares {
  /** By plan and key: its periods. */
  private readonly accounts = new Map<string, Account[]>();
  private readonly live = new Set<number>();
  private readonly accountsMax: number;
  private isConnected = false;
  private sweptAtMs = -1;

  constructor(private readonly options: QuotaSharesOptions) {
    this.accountsMax = options.accountsMax ?? 200_000;
  }

  /** A worker process, under a number that no other process of this epoch has. */
  started(worker: number): void {
    this.live.add(worker);
  }

  /** It is gone; what it was lent stays lent until `settled`. */
  ended(worker: number): void {
    this.live.delete(worker);
    for (const account of this.all()) {
      const share = account.shares.get(worker);
      if (share === undefined) continue;
      if (share.limit === -1) share.limit = this.part(account);
      share.wanting = share.lastWanted = 0;
      share.isRecalling = false;
    }
  }

  /** Its journal is read to the end: it counted what its batches say, and nothing more is to come. */
  settled(worker: number): void {
    for (const account of this.all()) {
      const share = account.shares.get(worker);
      if (share === undefined) continue;
      account.settledCount += Math.max(share.counted, share.inBatches);
      account.shares.delete(worker);
      this.serve(account);
    }
  }

  asked(worker: number, question: WorkerQuestion): void {
    const account = this.account(question.usagePlanId, question.apiKeyId, question.periodStart);
    if (account === null || !this.live.has(worker)) return;
    const share = account.shares.get(worker)!;
    share.counted = Math.max(share.counted, question.counted);
    share.wanting = share.lastWanted = question.wanted;
    const generation = question.generation ?? 0;
    if (generation > share.generation) {
      share.generation = generation;
      share.limit = question.held;
    }
    this.serve(account);
    this.askIfDue(account);
    if (share.wanting > 0 && !this.canGrow(account)) this.recallFrom(account, worker);
  }

  recalled(
    worker: number,
    recall: QuotaRecall,
    { counted, allowedTotal }: { readonly counted: number; readonly allowedTotal: number },
  ): void {
    const account = this.find(recall.usagePlanId, recall.apiKeyId, recall.periodStart);
    const share = account?.shares.get(worker);
    if (account === undefined || share === undefined || !share.isRecalling) return;
    share.isRecalling = false;
    share.counted = Math.max(share.counted, counted);
    share.limit = allowedTotal;
    this.serve(account);
  }

  granted(answer: QuotaAnswer): void {
    const account = this.find(answer.usagePlanId, answer.apiKeyId, answer.periodStart);
    if (account === undefined) return;
    account.granted = answer.allowedTotal;
    account.exhausted = answer.exhausted;
    account.answerDue = false;
    this.serve(account);
    // What was refused for want of a grant, and is refused now for good: the others may have some left.
    const wanting = [...account.shares].find(([, share]) => share.wanting > 0);
    if (wanting !== undefined && !this.canGrow(account)) this.recallFrom(account, wanting[0]);
  }

  /** A session with the control plane is open: says what the node holds. */
  connected(): void {
    this.isConnected = true;
    for (const account of this.all()) {
      account.answerDue = false;
      account.askedAtMs = -1;
      if (account.granted > 0 || countedOf(account) > 0) this.options.requestMore(questionOf(account, 0));
    }
  }

  disconnected(): void {
    this.isConnected = false;
  }

  /** A worker's batch was taken over from its journal. */
  counted(worker: number, usage: UsageOfDay): void {
    const account = this.accountOfDay(usage);
    const share = account?.shares.get(worker);
    if (share === undefined) return;
    share.inBatches += usage.count;
    share.counted = Math.max(share.counted, share.inBatches);
  }

  /** A batch of this epoch has its receipt. */
  reported(usage: UsageOfDay): void {
    const account = this.accountOfDay(usage);
    if (account !== undefined) account.reported = Math.min(countedOf(account), account.reported + usage.count);
  }

  /** Gives to those who want a fair share of what is free, so that the next one finds something too. */
  private serve(account: Account): void {
    for (const [worker, share] of account.shares) {
      if (share.wanting === 0 || share.isRecalling || !this.live.has(worker)) continue;
      const free = this.ceiling(account) - this.lent(account);
      const fairShare = Math.max(SHARE_MIN, Math.ceil(free / (2 * this.options.workerCount)));
      const give = Math.min(share.wanting, free, fairShare);
      if (give < 1) continue;
      share.limit = Math.max(this.limitOf(account, share), share.counted) + give;
      share.wanting = 0;
      const { usagePlanId, apiKeyId, periodStart } = account;
      const { limit: allowedTotal, generation } = share;
      const answer = { usagePlanId, apiKeyId, periodStart, allowedTotal, exhausted: true, generation };
      this.options.answer(worker, answer);
    }
  }

  private askIfDue(account: Account): void {
    if (!this.isConnected) return;
    let demand = 0;
    for (const share of account.shares.values()) demand += share.lastWanted;
    const nowMs = this.options.nowMs();
    const isWaiting = account.answerDue || account.exhausted;
    if (account.askedAtMs !== -1 && isWaiting && Math.abs(nowMs - account.askedAtMs) < ASK_AGAIN_MS) return;
    const lent = this.lent(account);
    if (account.granted - lent >= demand / 2) return;
    account.askedAtMs = nowMs;
    account.answerDue = true;
    this.options.requestMore(questionOf(account, lent + demand - countedOf(account)));
  }

  private recallFrom(account: Account, asking: number): void {
    const { usagePlanId, apiKeyId, periodStart, quota } = account;
    for (const [worker, share] of account.shares) {
      if (worker === asking || share.isRecalling || !this.live.has(worker)) continue;
      if (this.limitOf(account, share) <= share.counted) continue;
      share.isRecalling = true;
      this.options.recall(worker, { usagePlanId, apiKeyId, periodStart, quota });
    }
  }

  /** More can come from the control plane. */
  private canGrow({ exhausted, granted, quota }: Account): boolean {
    return this.isConnected && !exhausted && granted < quota.limit - quota.offset;
  }

  private ceiling({ exhausted, granted, quota }: Account): number {
    if (exhausted || quota.isStrict === true) return granted;
    const own = Math.max(0, quota.limit - quota.offset, granted);
    return this.isConnected ? Math.min(own, granted + provisionalAllowance(quota.limit)) : own;
  }

  private lent(account: Account): number {
    let sum = account.settledCount;
    for (const share of account.shares.values()) sum += Math.max(this.limitOf(account, share), share.counted);
    return sum;
  }

  private limitOf(account: Account, share: Share): number {
    return share.limit === -1 ? this.part(account) : share.limit;
  }

  private part({ quota }: Account): number {
    return quota.isStrict === true ? 0 : provisionalPart(quota.limit, this.options.workerCount);
  }

  /** Made when missing, with a share for every live worker; `null` for a plan without quota, and when there is no room. */
  private account(usagePlanId: string, apiKeyId: string, periodStart: string): Account | null {
    const quota = this.options.quotaOf(usagePlanId);
    if (quota === null) return null;
    let account = this.find(usagePlanId, apiKeyId, periodStart);
    if (account === undefined) {
      const key = keyOf(usagePlanId, apiKeyId);
      if (!this.accounts.has(key) && this.accounts.size >= this.accountsMax && !this.sweep()) return null;
      account = {
        usagePlanId,
        apiKeyId,
        periodStart,
        shares: new Map(),
        quota,
        granted: 0,
        exhausted: false,
        reported: 0,
        settledCount: 0,
        askedAtMs: -1,
        answerDue: false,
      };
      const periods = [...(this.accounts.get(key) ?? []), account].sort((a, b) => (a.periodStart < b.periodStart ? -1 : 1));
      this.accounts.set(key, periods.slice(-PERIODS_KEPT));
    }
    if (account.quota !== quota) {
      // What was said about the old limit says nothing about the new one.
      if (account.quota.limit !== quota.limit) account.exhausted = false;
      account.quota = quota;
    }
    for (const worker of this.live) if (!account.shares.has(worker)) account.shares.set(worker, newShare());
    return account;
  }

  private find(usagePlanId: string, apiKeyId: string, periodStart: string): Account | undefined {
    return this.accounts.get(keyOf(usagePlanId, apiKeyId))?.find((account) => account.periodStart === periodStart);
  }

  private accountOfDay({ usagePlanId, apiKeyId, day }: UsageOfDay): Account | undefined {
    const quota = this.options.quotaOf(usagePlanId);
    return quota === null ? undefined : this.find(usagePlanId, apiKeyId, quotaPeriod(quota.period, Date.parse(day)).startDay);
  }

  private *all(): Iterable<Account> {
    for (const periods of this.accounts.values()) yield* periods;
  }

  /** Forgets keys whose periods are over. True when there is room again. */
  private sweep(): boolean {
    const nowMs = this.options.nowMs();
    if (this.sweptAtMs !== -1 && Math.abs(nowMs - this.sweptAtMs) < ASK_AGAIN_MS) return false;
    this.sweptAtMs = nowMs;
    for (const [key, periods] of this.accounts) {
      const isPast = periods.every(({ quota, periodStart }) => quotaPeriod(quota.period, Date.parse(periodStart)).endMs <= nowMs);
      if (isPast) this.accounts.delete(key);
    }
    return this.accounts.size < this.accountsMax;
  }
}

interface UsageOfDay {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly day: string;
  readonly count: number;
}

// Ids hold no line feed.
const keyOf = (usagePlanId: string, apiKeyId: string): string => `${usagePlanId}\n${apiKeyId}`;

const newShare = (): Share => ({
  limit: -1,
  counted: 0,
  inBatches: 0,
  wanting: 0,
  lastWanted: 0,
  isRecalling: false,
  generation: 0,
});

function countedOf({ shares, settledCount }: Account): number {
  let sum = settledCount;
  for (const { counted } of shares.values()) sum += counted;
  return sum;
}

function questionOf(account: Account, wanted: number): QuotaQuestion {
  const { usagePlanId, apiKeyId, periodStart, granted, reported } = account;
  return { usagePlanId, apiKeyId, periodStart, wanted, counted: countedOf(account), held: granted, reported };
}
