/**
 * Spends quotas on a node without asking anybody while a request waits. What the node may count for one key of one plan in one
 * period comes as absolute grants from the control plane (node_link.proto, QuotaGrant): "this epoch may count up to
 * `allowedTotal` in all". The ledger asks ahead of need.
 *
 *   counted < allowedTotal                               allowed, covered by a grant
 *   counted < allowedTotal + provisional allowance       allowed while an answer is on its way: no request waits for a grant
 *   exhausted (the control plane said: nothing is left)  denied beyond allowedTotal
 *   no lease can be had, fallback OPEN                   counted here alone against the plan's own limit
 *   no lease can be had, fallback CLOSED                 denied beyond allowedTotal
 *
 * STRICT plans have no provisional allowance: beyond allowedTotal a request waits for the answer (WAIT), LEASE_WAIT_MS at most.
 * What such a key does not use for GIVE_BACK_MS goes back, so that the last requests of a quota do not lie on an idle node.
 *
 * "No lease can be had": not connected, or the control plane said that a book is lost, or (STRICT) a request waited in vain. It
 * is known beforehand: after that nobody waits to find out. For a FAST key that the fallback let count beyond its allowance it ends
 * with the first answer that gives more or says that nothing is left, not with the connection: a control plane that has just come
 * back may take long to answer.
 *
 * One of several ledgers on a node (`provisional` is given) is answered by QuotaShares. It counts up to what it was answered and no
 * further: lent or lost is that one's to know, as is what a plan's fallback allows the node. It still knows the state of the node, to say
 * which decisions no lease covered, and to refuse a strict request at once where nothing can come.
 *
 * And never more than max(limit - offset, allowedTotal) in this epoch, whatever else holds: with one node and no restart
 * a quota is exact.
 *
 * What may be admitted beyond the limit of a FAST plan, per key and period, is at most
 *   one provisional allowance (`provisionalAllowance(limit)`: a hundredth of the limit, at least 10, never above the limit)
 *   for each epoch of each node that served the key, and, for each node that could not reach the control plane, the
 *   plan's limit.
 * `offset` (fewer requests in the key's first period) is the control plane's to know; without a grant the ledger
 * assumes the smaller figure.
 */
import type { PlanLimits, UsagePlanEntry } from '@gatehouse/contracts';
import {
  BOTH_AVAILABLE,
  FAST_OPEN,
  LEASE_WAIT_MS,
  Waiters,
  WAITING_MAX,
  type LeaseBookState,
  type LeaseVerdict,
  type OnFallback,
} from './lease-mode.js';
import { quotaPeriod, type PeriodBounds, type QuotaPeriod } from './quota-period.js';

export type QuotaVerdict = LeaseVerdict;

/** What the ledger reads of a plan. */
export type QuotaPlan = Pick<UsagePlanEntry, 'usagePlanId' | 'quota' | 'limits'>;

/** QuotaRequest of node_link.proto, in plain numbers. */
export interface QuotaQuestion {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  /** First UTC day of the period, `YYYY-MM-DD`. */
  readonly periodStart: string;
  /** How many more requests the node would like to admit; 0 only says what it holds. */
  readonly wanted: number;
  readonly counted: number;
  readonly held: number;
  readonly reported: number;
  /** Counts what was given back; absent: 0. */
  readonly generation?: number;
  /** Nothing more is counted. */
  readonly final?: boolean;
}

/** QuotaGrant of node_link.proto, in plain numbers. */
export interface QuotaAnswer {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly allowedTotal: number;
  readonly exhausted: boolean;
  /** Of the question; absent: 0. */
  readonly generation?: number;
  /** Of `allowedTotal`, what leases of the control plane cover; absent: all. The rest is the plan's fallback. */
  readonly coveredTotal?: number;
  /** To one of several ledgers of a node: the control plane did not answer in time, and the node decided by the fallback. */
  readonly isUnanswered?: boolean;
}

export interface QuotaLedgerOptions {
  /** Sends one question; it may get lost, the ledger asks again. Must not call back into the ledger. */
  readonly requestMore: (question: QuotaQuestion) => void;
  /** Pairs of plan and key; when as many are in use in their current periods, further ones are denied. */
  readonly accountsMax?: number;
  /** Of one of several ledgers of a node: what it admits before the first answer, by the plan's limit. */
  readonly provisional?: (limit: number) => number;
  readonly onFallback?: OnFallback;
}

/** Between two questions about the same account while no answer comes, or while the answer is "nothing left". */
const ASK_AGAIN_MS = 1_000;
/** A question asks for as much as the key uses in this time. */
const LEASE_MS = { FAST: 10_000, STRICT: 1_000 } as const;
const STRICT_WANTED_MIN = 2;
/** What a strict key does not use for so long goes back. */
export const GIVE_BACK_MS = 2_000;
/** The running period, and those a stepping clock may go back to. */
const PERIODS_KEPT = 3;

/** Requests a node admits before the control plane has answered, once per epoch, key and period. */
export function provisionalAllowance(limit: number): number {
  return Math.min(limit, Math.max(10, Math.ceil(limit / 100)));
}

class PeriodAccount {
  readonly bounds: PeriodBounds;
  counted = 0;
  reported = 0;
  allowedTotal = 0;
  coveredTotal = 0;
  exhausted = false;
  /** Nothing beyond `allowedTotal`, whatever else holds. */
  isBounded = false;
  /** -1: never. */
  askedAtMs = -1;
  countedWhenAsked = 0;
  /** The next question is due at this count. */
  askAtCounted = 0;
  answerDue = false;
  /** A request waited in vain; until the next answer nobody waits. */
  isUnanswered = false;
  /** The node's own fallback answered. */
  isAlone = false;
  /** The fallback let it count beyond its allowance, and no answer since then decided anything. */
  isAwaited = false;
  generation = 0;
  countedAtTick = -1;

  constructor(bounds: PeriodBounds) {
    this.bounds = bounds;
  }

  holds(nowMs: number): boolean {
    return nowMs >= this.bounds.startMs && nowMs < this.bounds.endMs;
  }
}

/** One key under one plan. */
class Account {
  readonly period: QuotaPeriod;
  limit: number;
  /** As published when it was last used. */
  limits: PlanLimits = FAST_OPEN;
  readonly waiters = new Waiters();
  current: PeriodAccount;
  /** `current` among them, in no order. */
  readonly periods: PeriodAccount[];

  constructor(period: QuotaPeriod, limit: number, nowMs: number) {
    this.period = period;
    this.limit = limit;
    this.current = new PeriodAccount(quotaPeriod(period, nowMs));
    this.periods = [this.current];
  }

  /** The account of the period `nowMs` falls in. A clock that steps back finds what it counted there. */
  at(nowMs: number): PeriodAccount {
    if (this.current.holds(nowMs)) return this.current;
    let found = this.periods.find((period) => period.holds(nowMs));
    if (found === undefined) {
      found = new PeriodAccount(quotaPeriod(this.period, nowMs));
      if (this.periods.length === PERIODS_KEPT) {
        const oldest = this.periods.reduce((a, b) => (a.bounds.startMs < b.bounds.startMs ? a : b));
        this.periods.splice(this.periods.indexOf(oldest), 1);
      }
      this.periods.push(found);
    }
    this.current = found;
    return found;
  }

  isPast(nowMs: number): boolean {
    return this.periods.every((period) => period.bounds.endMs <= nowMs);
  }
}

export class QuotaLedger {
  /** By plan id, then key id. */
  private readonly plans = new Map<string, Map<string, Account>>();
  private readonly requestMore: (question: QuotaQuestion) => void;
  private readonly accountsMax: number;
  private readonly provisional: (limit: number) => number;
  /** One of several ledgers of a node. */
  private readonly isPart: boolean;
  private accountCount = 0;
  private sweptAtMs = -1;
  private isConnected = false;
  private books = BOTH_AVAILABLE;
  private readonly onFallback: OnFallback;
  /** Strict accounts that hold a lease: what they do not use is given back. */
  private readonly strictHolders = new Map<Account, { readonly usagePlanId: string; readonly apiKeyId: string }>();

  constructor(options: QuotaLedgerOptions) {
    this.requestMore = options.requestMore;
    this.accountsMax = options.accountsMax ?? 200_000;
    this.provisional = options.provisional ?? provisionalAllowance;
    this.isPart = options.provisional !== undefined;
    this.onFallback = options.onFallback ?? (() => {});
  }

  /**
   * Counts one request of a key against its plan. A plan without a quota allows and counts nothing. WAIT, of strict plans alone:
   * nothing is counted yet, ask again after `whenAnswered`.
   */
  spend(plan: QuotaPlan, apiKeyId: string, nowMs: number): QuotaVerdict {
    const quota = plan.quota;
    if (quota === null) return 'ALLOW';
    const account = this.account(plan.usagePlanId, apiKeyId, quota.period, quota.limit, nowMs);
    if (account === null) return 'DENY';
    const period = account.at(nowMs);
    const limits = plan.limits ?? FAST_OPEN;
    account.limits = limits;
    const isAllowed = period.counted < this.ceiling(period, quota.limit, quota.offset, limits);
    const isFallback = period.counted >= period.coveredTotal && !period.exhausted && this.isLost(period, limits);
    if (isAllowed) period.counted++;
    if ((this.isConnected || this.isPart) && isQuestionDue(period, nowMs, limits))
      this.ask(plan.usagePlanId, apiKeyId, account, nowMs);
    if (!isAllowed && limits.mode === 'STRICT' && this.mayWait(account, period)) return 'WAIT';
    if (isFallback) {
      this.onFallback(limits.fallback);
      if (isAllowed && period.counted > period.allowedTotal + this.provisional(quota.limit)) period.isAwaited = true;
    }
    return isAllowed ? 'ALLOW' : 'DENY';
  }

  /**
   * What a key may still count in the period of `nowMs`, as far as this epoch knows: the others' requests show when the quota is nearly
   * used up. -1 for a key that was not counted here.
   */
  left({ usagePlanId, quota }: QuotaPlan, apiKeyId: string, nowMs: number): number {
    const period = this.plans.get(usagePlanId)?.get(apiKeyId)?.current;
    if (quota === null || period === undefined || !period.holds(nowMs)) return -1;
    return Math.max(0, (period.exhausted ? period.allowedTotal : quota.limit) - period.counted);
  }

  /** Takes an answer; one about a key or period that is not in use (any more) is ignored. The newest answer holds. */
  granted(answer: QuotaAnswer): void {
    const account = this.plans.get(answer.usagePlanId)?.get(answer.apiKeyId);
    const period = account?.periods.find(({ bounds }) => bounds.startDay === answer.periodStart);
    if (account === undefined || period === undefined || (answer.generation ?? 0) < period.generation) return;
    period.allowedTotal = answer.allowedTotal;
    period.coveredTotal = answer.coveredTotal ?? answer.allowedTotal;
    period.exhausted = answer.exhausted;
    period.isBounded = answer.exhausted || this.isPart;
    period.answerDue = false;
    period.isUnanswered = false;
    period.isAlone = answer.isUnanswered ?? false;
    if (answer.exhausted || answer.allowedTotal > period.counted) period.isAwaited = false;
    if (account.limits.mode === 'STRICT') {
      const { usagePlanId, apiKeyId } = answer;
      if (answer.allowedTotal > period.counted) this.strictHolders.set(account, { usagePlanId, apiKeyId });
      account.waiters.wake();
    }
    const left = Math.max(0, answer.allowedTotal - period.counted);
    period.askAtCounted = period.counted + (left >> 1);
  }

  /** A session is open: says what this epoch holds, so that a control plane that forgot does not hand it out again. */
  connected(): void {
    this.isConnected = true;
    this.books = BOTH_AVAILABLE; // the session says so when they are not
    if (this.isPart) this.wakeAll();
    else this.sayHoldings();
  }

  /** The control plane says which books it can ask. One that is back may have forgotten what this epoch holds. */
  bookState(state: LeaseBookState): void {
    const before = this.books;
    this.books = state;
    const isBack = (state.fastAvailable && !before.fastAvailable) || (state.strictAvailable && !before.strictAvailable);
    if (isBack && !this.isPart) this.sayHoldings();
    this.wakeAll();
  }

  private sayHoldings(): void {
    for (const [usagePlanId, accounts] of this.plans) {
      for (const [apiKeyId, account] of accounts) {
        for (const period of account.periods) {
          period.answerDue = false; // what was asked before is not answered any more
          period.askedAtMs = -1;
          period.isUnanswered = false;
          if (period.counted > 0 || period.allowedTotal > 0) this.requestMore(question(usagePlanId, apiKeyId, period, 0));
        }
      }
    }
  }

  /** The control plane cannot be reached: from here on keys count against their plan's limit on this node alone. */
  disconnected(): void {
    this.isConnected = false;
    this.wakeAll();
  }

  /** Resolves when it makes sense to `spend` again after WAIT. */
  whenAnswered(usagePlanId: string, apiKeyId: string): Promise<void> {
    const account = this.plans.get(usagePlanId)?.get(apiKeyId);
    if (account === undefined) return Promise.resolve();
    return account.waiters.next(LEASE_WAIT_MS, () => {
      account.current.isUnanswered = true;
    });
  }

  /** Every second: strict keys that rest give back what they hold. */
  tick(nowMs: number): void {
    for (const [account, { usagePlanId, apiKeyId }] of this.strictHolders) {
      let isHolding = false;
      for (const period of account.periods) {
        if (period.allowedTotal <= period.counted) continue;
        isHolding = true;
        const rested = period.countedAtTick === period.counted && Math.abs(nowMs - period.askedAtMs) >= GIVE_BACK_MS;
        period.countedAtTick = period.counted;
        if (!rested || (!this.isConnected && !this.isPart) || account.waiters.count > 0) continue;
        // From here on nothing of it is spent, whether or not the control plane hears of it.
        period.allowedTotal = period.counted;
        period.coveredTotal = Math.min(period.coveredTotal, period.counted);
        period.generation++;
        period.askAtCounted = 0;
        period.answerDue = false;
        period.askedAtMs = -1;
        this.requestMore(question(usagePlanId, apiKeyId, period, 0));
      }
      if (!isHolding) this.strictHolders.delete(account);
    }
  }

  /** The process ends and counts nothing more: gives back every lease. */
  close(): void {
    for (const [usagePlanId, accounts] of this.plans) {
      for (const [apiKeyId, account] of accounts) {
        for (const period of account.periods) {
          if (period.allowedTotal === 0 && period.counted === 0) continue;
          period.allowedTotal = period.counted;
          period.exhausted = true;
          period.isBounded = true;
          if (this.isConnected) this.requestMore({ ...question(usagePlanId, apiKeyId, period, 0), final: true });
        }
        account.waiters.wake();
      }
    }
  }

  /** A usage batch of this epoch has its receipt: `count` requests of that day are in the control plane's sums. */
  reported(usage: {
    readonly usagePlanId: string;
    readonly apiKeyId: string;
    readonly day: string;
    readonly count: number;
  }): void {
    const account = this.plans.get(usage.usagePlanId)?.get(usage.apiKeyId);
    if (account === undefined) return;
    const { startDay } = quotaPeriod(account.period, Date.parse(usage.day));
    const period = account.periods.find(({ bounds }) => bounds.startDay === startDay);
    if (period !== undefined) period.reported = Math.min(period.counted, period.reported + usage.count);
  }

  /**
   * Gives back half of what the key may still use, and its last request: a whole one cannot be halved. A key that was not used yet
   * gives of its provisional allowance. Says what it counted and may count in all; nothing beyond until the next answer.
   */
  recall(
    plan: QuotaPlan,
    apiKeyId: string,
    periodStart: string,
    nowMs: number,
  ): { readonly counted: number; readonly allowedTotal: number } {
    const { usagePlanId, quota } = plan;
    const account = quota === null ? null : this.account(usagePlanId, apiKeyId, quota.period, quota.limit, nowMs);
    if (account === null) return { counted: 0, allowedTotal: 0 }; // no quota, or no room: nothing is admitted
    const period = account.at(Date.parse(periodStart));
    const left = Math.max(0, this.ceiling(period, quota!.limit, quota!.offset, plan.limits ?? FAST_OPEN) - period.counted);
    const kept = left >> 1;
    period.allowedTotal = period.counted + kept;
    period.isBounded = true;
    // Whoever waits under a strict plan has asked, and is answered.
    if (plan.limits?.mode !== 'STRICT') period.answerDue = false;
    period.askAtCounted = period.counted + (kept >> 1);
    // With nothing kept it waits before it asks again, or two ledgers could pass the last request to and fro, unused.
    if (kept === 0) period.askedAtMs = nowMs;
    return { counted: period.counted, allowedTotal: period.allowedTotal };
  }

  private ceiling(period: PeriodAccount, limit: number, offset: number, limits: PlanLimits): number {
    if (period.isBounded) return period.allowedTotal;
    const own = Math.max(0, limit - offset, period.allowedTotal);
    if (this.isLost(period, limits)) {
      if (limits.fallback === 'CLOSED') return period.allowedTotal;
      if (!this.isPart) return own;
    }
    return limits.mode === 'STRICT' ? period.allowedTotal : Math.min(own, period.allowedTotal + this.provisional(limit));
  }

  /** No lease can be had. */
  private isLost(period: PeriodAccount, { mode }: PlanLimits): boolean {
    if (!this.isConnected) return true;
    if (mode === 'STRICT') return !this.books.strictAvailable || period.isUnanswered || period.isAlone;
    // Plans and sums are where the strict book is: without it no quota is granted.
    return !this.books.fastAvailable || !this.books.strictAvailable || period.isAwaited;
  }

  /** An answer is on its way that may allow one more. */
  private mayWait(account: Account, period: PeriodAccount): boolean {
    if (period.exhausted || !period.answerDue || period.isUnanswered || account.waiters.count >= WAITING_MAX) return false;
    // The node's fallback is given out by QuotaShares.
    return !this.isLost(period, account.limits) || (this.isPart && account.limits.fallback === 'OPEN');
  }

  private wakeAll(): void {
    for (const accounts of this.plans.values()) for (const account of accounts.values()) account.waiters.wake();
  }

  private ask(usagePlanId: string, apiKeyId: string, account: Account, nowMs: number): void {
    const period = account.current;
    const provisional = this.provisional(account.limit);
    const elapsedMs = period.askedAtMs === -1 ? 0 : Math.abs(nowMs - period.askedAtMs);
    const { mode } = account.limits;
    const usedInLease = elapsedMs === 0 ? 0 : ((period.counted - period.countedWhenAsked) * LEASE_MS[mode]) / elapsedMs;
    const wantedMin = mode === 'STRICT' ? account.waiters.count + STRICT_WANTED_MIN : provisional;
    const wanted = Math.max(wantedMin, Math.min(account.limit, Math.ceil(usedInLease)));
    period.askedAtMs = nowMs;
    period.countedWhenAsked = period.counted;
    period.answerDue = true;
    this.requestMore(question(usagePlanId, apiKeyId, period, wanted));
  }

  /** `null` when there is no room for another account. */
  private account(usagePlanId: string, apiKeyId: string, period: QuotaPeriod, limit: number, nowMs: number): Account | null {
    let accounts = this.plans.get(usagePlanId);
    const present = accounts?.get(apiKeyId);
    if (present !== undefined && present.period === period) {
      if (present.limit !== limit) adoptLimit(present, limit, this.isPart);
      return present;
    }
    if (present === undefined) {
      if (this.accountCount >= this.accountsMax) this.sweep(nowMs);
      if (this.accountCount >= this.accountsMax) return null;
      this.accountCount++;
    }
    if (accounts === undefined) this.plans.set(usagePlanId, (accounts = new Map()));
    // A plan that counts by another period now starts a new count: the old one answers no question any more.
    const account = new Account(period, limit, nowMs);
    accounts.set(apiKeyId, account);
    return account;
  }

  /** Forgets accounts of periods that are over. */
  private sweep(nowMs: number): void {
    if (this.sweptAtMs !== -1 && Math.abs(nowMs - this.sweptAtMs) < ASK_AGAIN_MS) return;
    this.sweptAtMs = nowMs;
    for (const [usagePlanId, accounts] of this.plans) {
      for (const [apiKeyId, account] of accounts) {
        if (account.isPast(nowMs) && accounts.delete(apiKeyId)) this.accountCount--;
      }
      if (accounts.size === 0) this.plans.delete(usagePlanId);
    }
  }
}

function isQuestionDue(period: PeriodAccount, nowMs: number, { mode }: PlanLimits): boolean {
  if (period.counted < period.askAtCounted) return false;
  if (period.askedAtMs === -1) return true;
  if (!period.answerDue && period.counted < period.allowedTotal) return true;
  // A strict key that used up its newest lease asks at once; one that was given none waits.
  if (mode === 'STRICT' && !period.answerDue && period.counted > period.countedWhenAsked) return true;
  // Either direction: a clock that stepped back must not silence the ledger until it has caught up.
  return Math.abs(nowMs - period.askedAtMs) >= ASK_AGAIN_MS;
}

/** The plan was changed: what the control plane said about the old limit says nothing about the new one. */
function adoptLimit(account: Account, limit: number, isPart: boolean): void {
  account.limit = limit;
  for (const period of account.periods) {
    period.exhausted = false;
    period.isBounded = period.isBounded && isPart;
    period.answerDue = false;
    period.askedAtMs = -1;
    period.askAtCounted = 0;
  }
}

function question(usagePlanId: string, apiKeyId: string, period: PeriodAccount, wanted: number): QuotaQuestion {
  return {
    usagePlanId,
    apiKeyId,
    periodStart: period.bounds.startDay,
    wanted,
    counted: period.counted,
    held: period.allowedTotal,
    reported: period.reported,
    ...(period.generation === 0 ? {} : { generation: period.generation }),
  };
}
