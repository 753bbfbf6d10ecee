/**
 * Splits what a node may count of its quotas over its worker processes. To the control plane it speaks for the whole node, as
 * one QuotaLedger would; to each worker's QuotaLedger it is the one who answers.
 *
 *   control plane --granted--> ceiling of the node --limit of each worker--> spent there without asking
 *
 *   ceiling = QuotaLedger's of the whole node: STRICT: granted. FAST: granted + one provisional allowance.
 *             No lease can be had: OPEN: the plan's own limit. CLOSED: granted
 *           >= sum over workers of max(limit, counted)
 *
 * A worker's limit is strict, and it asks ahead of need. Before its first answer it is `provisionalPart` (FAST) or nothing (STRICT),
 * counted against the ceiling for every worker, asked or not. A worker that finds nothing left has the
 * others give back half of what they do not use (`recall`), so a caller that keeps to one worker gets the whole quota. What a dead
 * worker was lent stays lent until its journal was read; then it has what it counted.
 *
 * A request of a STRICT plan waits in its worker until this answers, which it always does: with a part of what is there; else with
 * what the control plane grants; else with what the others give back; else with nothing. A control plane that does not answer for
 * ANSWER_MS counts as lost for that key until it does. What all workers together do not use for GIVE_BACK_MS goes back.
 *
 * So under STRICT a node admits what it was granted and no request more. Under FAST it admits what one ledger would, and at most
 * one `provisionalPart` more for each worker that was started again, and one request more for each worker above the provisional
 * allowance (a quota smaller than the number of workers).
 */
import type { PlanLimits } from '@gatehouse/contracts';
import { BOTH_AVAILABLE, FAST_OPEN, LEASE_WAIT_MS, type LeaseBookState } from './lease-mode.js';
import { GIVE_BACK_MS, provisionalAllowance, type QuotaAnswer, type QuotaQuestion } from './quota-ledger.js';
import { quotaPeriod, type QuotaPeriod } from './quota-period.js';

export interface PlanQuota {
  readonly limit: number;
  readonly offset: number;
  readonly period: QuotaPeriod;
  /** Absent: FAST and OPEN. */
  readonly limits?: PlanLimits;
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
  /** `setTimeout`, unless time is made up. */
  readonly later?: (run: () => void, delayMs: number) => void;
  /** Pairs of plan and key; beyond it questions stay without answer, and workers keep to their provisional part. */
  readonly accountsMax?: number;
}

/** What one of several ledgers on a node admits before its first answer; at least one, or a new key would be turned away. */
export function provisionalPart(limit: number, workerCount: number): number {
  return Math.max(1, Math.floor(provisionalAllowance(limit) / workerCount));
}

const ASK_AGAIN_MS = 1_000;
/** For the control plane to answer while requests wait; the rest of LEASE_WAIT_MS is for telling the worker. */
const ANSWER_MS = LEASE_WAIT_MS - 50;
/** Given while there is as much, so that the end of a quota is not split into crumbs. */
const SHARE_MIN = 5;
/** The running period, and those a stepping clock may go back to. */
const PERIODS_KEPT = 3;

interface Share {
  /** What the worker may count up to in all; -1 until its first answer: the provisional part. */
  limit: number;
  /** Of `limit`, what grants cover. */
  covered: number;
  /** As far as heard. */
  counted: number;
  /** In its batches: of what it counted, what was taken over from its journal. */
  inBatches: number;
  /** Asked for and not given. */
  wanting: number;
  lastWanted: number;
  askedAtMs: number;
  /** The control plane was asked for what is wanting. */
  isPassedOn: boolean;
  isRecalling: boolean;
  /** Counts what the ledger gave back by itself: it asks with wanted 0, and answers to earlier questions are void. */
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
  /** Counts what the node gave back. */
  generation: number;
  /** Counted by processes that are gone and whose journals were read. */
  settledCount: number;
  /** -1: never. */
  askedAtMs: number;
  answerDue: boolean;
  /** Requests waited for the control plane in vain. */
  isUnanswered: boolean;
  /** As QuotaLedger's. */
  isAwaited: boolean;
  hasDeadline: boolean;
  lentAtTick: number;
}

export class QuotaShares {
  /** By plan and key: its periods. */
  private readonly accounts = new Map<string, Account[]>();
  private readonly live = new Set<number>();
  private readonly accountsMax: number;
  private readonly later: (run: () => void, delayMs: number) => void;
  private isConnected = false;
  private books: LeaseBookState = BOTH_AVAILABLE;
  private sweptAtMs = -1;

  constructor(private readonly options: QuotaSharesOptions) {
    this.accountsMax = options.accountsMax ?? 200_000;
    this.later = options.later ?? ((run, delayMs) => setTimeout(run, delayMs).unref());
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
      this.progress(account);
    }
  }

  asked(worker: number, question: QuotaQuestion): void {
    const account = this.account(question.usagePlanId, question.apiKeyId, question.periodStart);
    if (account === null || !this.live.has(worker)) return;
    const share = account.shares.get(worker)!;
    share.counted = Math.max(share.counted, question.counted);
    share.wanting = share.lastWanted = question.wanted;
    share.askedAtMs = this.options.nowMs();
    share.isPassedOn = false;
    const generation = question.generation ?? 0;
    if (generation > share.generation) {
      share.generation = generation;
      share.limit = question.held;
      share.covered = Math.min(share.covered, share.limit);
    }
    this.serve(account);
    this.askIfDue(account);
    this.progress(account);
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
    share.covered = Math.min(share.covered, allowedTotal);
    this.progress(account);
  }

  granted(answer: QuotaAnswer): void {
    const account = this.find(answer.usagePlanId, answer.apiKeyId, answer.periodStart);
    if (account === undefined || (answer.generation ?? 0) < account.generation) return;
    account.granted = answer.allowedTotal;
    account.exhausted = answer.exhausted;
    account.answerDue = false;
    account.isUnanswered = false;
    if (answer.exhausted || answer.allowedTotal > this.lent(account)) account.isAwaited = false;
    this.progress(account);
  }

  /** A session with the control plane is open: says what the node holds. */
  connected(): void {
    this.isConnected = true;
    this.books = BOTH_AVAILABLE; // the session says so when they are not
    this.sayHoldings();
  }

  disconnected(): void {
    this.isConnected = false;
    for (const account of this.all()) this.progress(account);
  }

  /** As QuotaLedger's. */
  bookState(state: LeaseBookState): void {
    const before = this.books;
    this.books = state;
    if ((state.fastAvailable && !before.fastAvailable) || (state.strictAvailable && !before.strictAvailable)) this.sayHoldings();
    else for (const account of this.all()) this.progress(account);
  }

  private sayHoldings(): void {
    for (const account of this.all()) {
      account.answerDue = false;
      account.isUnanswered = false;
      account.askedAtMs = -1;
      if (account.granted > 0 || countedOf(account) > 0) this.options.requestMore(questionOf(account, 0));
      for (const share of account.shares.values()) share.isPassedOn = false;
      this.progress(account);
    }
  }

  /** Every second: what no worker uses of a strict quota goes back. */
  tick(nowMs: number): void {
    for (const account of this.all()) {
      if (!isStrict(account)) continue;
      for (const share of account.shares.values()) if (Math.abs(nowMs - share.askedAtMs) >= GIVE_BACK_MS) share.lastWanted = 0;
      const lent = this.lent(account);
      const rested = account.lentAtTick === lent && Math.abs(nowMs - account.askedAtMs) >= GIVE_BACK_MS;
      account.lentAtTick = lent;
      if (!rested || !this.isConnected || account.granted <= lent || wanting(account).length > 0) continue;
      account.granted = lent;
      account.generation++;
      account.answerDue = false;
      account.askedAtMs = -1;
      this.options.requestMore(questionOf(account, 0));
    }
  }

  /** No worker is left: gives back every lease, but for those of workers whose journals could not be read. */
  close(): void {
    for (const account of this.all()) {
      if (account.shares.size > 0 || (account.granted === 0 && account.settledCount === 0)) continue;
      account.granted = account.settledCount;
      if (this.isConnected) this.options.requestMore({ ...questionOf(account, 0), final: true });
    }
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

  /** What can be done for those who want: they are served, or something is under way for them, or (STRICT) they are refused. */
  private progress(account: Account): void {
    this.serve(account);
    const askers = wanting(account);
    if (askers.length === 0) return;
    if (!isStrict(account)) {
      if (!this.canGrow(account)) this.recallFrom(account, askers[0]![0]);
      return;
    }
    if (!this.isLost(account) && !account.exhausted) {
      if (!account.answerDue && askers.some(([, { isPassedOn }]) => !isPassedOn)) this.ask(account);
      if (account.answerDue) return this.waitFor(account);
    }
    this.recallFrom(account, askers.length === 1 ? askers[0]![0] : -1);
    for (const { isRecalling } of account.shares.values()) if (isRecalling) return;
    for (const [worker, share] of askers) this.answer(account, worker, share, account.exhausted);
  }

  /** Gives to those who want a fair share of what is free, so that the next one finds something too. */
  private serve(account: Account): void {
    for (const [worker, share] of account.shares) {
      if (share.wanting === 0 || share.isRecalling || !this.live.has(worker)) continue;
      const lent = this.lent(account);
      const free = this.ceiling(account) - lent;
      const fairShare = Math.max(SHARE_MIN, Math.ceil(free / (2 * this.options.workerCount)));
      const give = Math.min(share.wanting, free, fairShare);
      if (give < 1) continue;
      share.limit = Math.max(this.limitOf(account, share), share.counted) + give;
      share.covered = this.isLost(account) ? share.covered + Math.min(give, Math.max(0, account.granted - lent)) : share.limit;
      if (lent + give > account.granted + provisionalAllowance(account.quota.limit)) account.isAwaited = true; // only the fallback does
      this.answer(account, worker, share, !isStrict(account) && account.exhausted);
    }
  }

  private answer(account: Account, worker: number, share: Share, exhausted: boolean): void {
    const { usagePlanId, apiKeyId, periodStart, isUnanswered } = account;
    share.wanting = 0;
    share.limit = this.limitOf(account, share);
    const { limit: allowedTotal, covered: coveredTotal, generation } = share;
    const about = { usagePlanId, apiKeyId, periodStart, generation };
    this.options.answer(worker, { ...about, allowedTotal, coveredTotal, exhausted, isUnanswered });
  }

  private waitFor(account: Account): void {
    if (account.hasDeadline) return;
    account.hasDeadline = true;
    this.later(() => {
      account.hasDeadline = false;
      if (!account.answerDue || wanting(account).length === 0) return;
      if (Math.abs(this.options.nowMs() - account.askedAtMs) >= ANSWER_MS) account.isUnanswered = true;
      this.progress(account);
    }, ANSWER_MS);
  }

  private askIfDue(account: Account): void {
    if (!this.isConnected) return;
    const isWaiting = account.answerDue || account.exhausted;
    if (account.askedAtMs !== -1 && isWaiting && Math.abs(this.options.nowMs() - account.askedAtMs) < ASK_AGAIN_MS) return;
    if (account.granted - this.lent(account) < demandOf(account) / 2) this.ask(account);
  }

  private ask(account: Account): void {
    account.askedAtMs = this.options.nowMs();
    account.answerDue = true;
    for (const share of account.shares.values()) share.isPassedOn = true;
    this.options.requestMore(questionOf(account, this.lent(account) + demandOf(account) - countedOf(account)));
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
  private canGrow(account: Account): boolean {
    const { exhausted, granted, quota } = account;
    return !this.isLost(account) && !exhausted && granted < quota.limit - quota.offset;
  }

  /** No lease can be had. */
  private isLost(account: Account): boolean {
    const { fastAvailable, strictAvailable } = this.books;
    return (
      !this.isConnected || !strictAvailable || (isStrict(account) ? account.isUnanswered : !fastAvailable || account.isAwaited)
    );
  }

  private ceiling(account: Account): number {
    const { exhausted, granted, quota } = account;
    if (exhausted) return granted;
    const own = Math.max(0, quota.limit - quota.offset, granted);
    if (this.isLost(account)) return limitsOf(account).fallback === 'OPEN' ? own : granted;
    return isStrict(account) ? granted : Math.min(own, granted + provisionalAllowance(quota.limit));
  }

  private lent(account: Account): number {
    let sum = account.settledCount;
    for (const share of account.shares.values()) sum += Math.max(this.limitOf(account, share), share.counted);
    return sum;
  }

  private limitOf(account: Account, share: Share): number {
    return share.limit === -1 ? this.part(account) : share.limit;
  }

  private part(account: Account): number {
    return isStrict(account) ? 0 : provisionalPart(account.quota.limit, this.options.workerCount);
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
        generation: 0,
        askedAtMs: -1,
        answerDue: false,
        isUnanswered: false,
        isAwaited: false,
        hasDeadline: false,
        lentAtTick: -1,
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
  covered: 0,
  counted: 0,
  inBatches: 0,
  wanting: 0,
  lastWanted: 0,
  askedAtMs: 0,
  isPassedOn: false,
  isRecalling: false,
  generation: 0,
});

function countedOf({ shares, settledCount }: Account): number {
  let sum = settledCount;
  for (const { counted } of shares.values()) sum += counted;
  return sum;
}

const limitsOf = ({ quota }: Account): PlanLimits => quota.limits ?? FAST_OPEN;
const isStrict = (account: Account): boolean => limitsOf(account).mode === 'STRICT';
const wanting = ({ shares }: Account): [number, Share][] => [...shares].filter(([, share]) => share.wanting > 0);

function demandOf({ shares }: Account): number {
  let sum = 0;
  for (const { lastWanted } of shares.values()) sum += lastWanted;
  return sum;
}

function questionOf(account: Account, wanted: number): QuotaQuestion {
  const { usagePlanId, apiKeyId, periodStart, granted, reported, generation } = account;
  const about = { usagePlanId, apiKeyId, periodStart, wanted, counted: countedOf(account), held: granted, reported };
  return generation === 0 ? about : { ...about, generation };
}
