/**
 * Spends quotas on a node without asking anybody while a request waits. What the node may count for one key of one plan in one
 * period comes as absolute grants from the control plane (node_link.proto, QuotaGrant): "this epoch may count up to
 * `allowedTotal` in all". The ledger asks ahead of need.
 *
 *   counted < allowedTotal                               allowed, covered by a grant
 *   counted < allowedTotal + provisional allowance       allowed while an answer is on its way: no request waits for a grant
 *   exhausted (the control plane said: nothing is left)  denied beyond allowedTotal
 *   control plane unreachable                            counted here alone against the plan's own limit
 *
 * And never more than max(limit - offset, allowedTotal) in this epoch, whatever else holds: with one node and no restart
 * a quota is exact.
 *
 * What may be admitted beyond a plan's limit, per key and period, is at most
 *   one provisional allowance (`provisionalAllowance(limit)`: a hundredth of the limit, at least 10, never above the limit)
 *   for each epoch of each node that served the key, and, for each node that could not reach the control plane, the
 *   plan's limit.
 * `offset` (fewer requests in the key's first period) is the control plane's to know; without a grant the ledger
 * assumes the smaller figure.
 */
import type { UsagePlanEntry } from '@gatehouse/contracts';
import { quotaPeriod, type PeriodBounds, type QuotaPeriod } from './quota-period.js';

export type QuotaVerdict = 'ALLOW' | 'DENY';

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
}

/** QuotaGrant of node_link.proto, in plain numbers. */
export interface QuotaAnswer {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly allowedTotal: number;
  readonly exhausted: boolean;
}

export interface QuotaLedgerOptions {
  /** Sends one question; it may get lost, the ledger asks again. Must not call back into the ledger. */
  readonly requestMore: (question: QuotaQuestion) => void;
  /** Pairs of plan and key; when as many are in use in their current periods, further ones are denied. */
  readonly accountsMax?: number;
  /** What is admitted before the first answer, by the plan's limit; `provisionalAllowance` unless several ledgers share it. */
  readonly provisional?: (limit: number) => number;
}

/** Between two questions about the same account while no answer comes, or while the answer is "nothing left". */
const ASK_AGAIN_MS = 1_000;
/** A question asks for as much as the key uses in this time. */
const LEASE_MS = 10_000;
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
  exhausted = false;
  /** -1: never. */
  askedAtMs = -1;
  countedWhenAsked = 0;
  /** The next question is due at this count. */
  askAtCounted = 0;
  answerDue = false;

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
  private accountCount = 0;
  private sweptAtMs = -1;
  private isConnected = false;

  constructor(options: QuotaLedgerOptions) {
    this.requestMore = options.requestMore;
    this.accountsMax = options.accountsMax ?? 200_000;
    this.provisional = options.provisional ?? provisionalAllowance;
  }

  /** Counts one request of a key against its plan. A plan without a quota allows and counts nothing. */
  spend(plan: Pick<UsagePlanEntry, 'usagePlanId' | 'quota'>, apiKeyId: string, nowMs: number): QuotaVerdict {
    const quota = plan.quota;
    if (quota === null) return 'ALLOW';
    const account = this.account(plan.usagePlanId, apiKeyId, quota.period, quota.limit, nowMs);
    if (account === null) return 'DENY';
    const period = account.at(nowMs);
    const verdict: QuotaVerdict = period.counted < this.ceiling(period, quota.limit, quota.offset) ? 'ALLOW' : 'DENY';
    if (verdict === 'ALLOW') period.counted++;
    if (this.isConnected && isQuestionDue(period, nowMs)) this.ask(plan.usagePlanId, apiKeyId, account, nowMs);
    return verdict;
  }

  /** Takes an answer; one about a key or period that is not in use (any more) is ignored. The newest answer holds. */
  granted(answer: QuotaAnswer): void {
    const account = this.plans.get(answer.usagePlanId)?.get(answer.apiKeyId);
    const period = account?.periods.find(({ bounds }) => bounds.startDay === answer.periodStart);
    if (period === undefined) return;
    period.allowedTotal = answer.allowedTotal;
    period.exhausted = answer.exhausted;
    period.answerDue = false;
    const left = Math.max(0, answer.allowedTotal - period.counted);
    period.askAtCounted = period.counted + (left >> 1);
  }

  /** A session is open: says what this epoch holds, so that a control plane that forgot does not hand it out again. */
  connected(): void {
    this.isConnected = true;
    for (const [usagePlanId, accounts] of this.plans) {
      for (const [apiKeyId, account] of accounts) {
        for (const period of account.periods) {
          period.answerDue = false; // what was asked on the old session is not answered on this one
          period.askedAtMs = -1;
          if (period.counted > 0 || period.allowedTotal > 0) this.requestMore(question(usagePlanId, apiKeyId, period, 0));
        }
      }
    }
  }

  /** The control plane cannot be reached: from here on keys count against their plan's limit on this node alone. */
  disconnected(): void {
    this.isConnected = false;
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
    plan: Pick<UsagePlanEntry, 'usagePlanId' | 'quota'>,
    apiKeyId: string,
    periodStart: string,
    nowMs: number,
  ): { readonly counted: number; readonly allowedTotal: number } {
    const { usagePlanId, quota } = plan;
    const account = quota === null ? null : this.account(usagePlanId, apiKeyId, quota.period, quota.limit, nowMs);
    if (account === null) return { counted: 0, allowedTotal: 0 }; // no quota, or no room: nothing is admitted
    const period = account.at(Date.parse(periodStart));
    const left = Math.max(0, this.ceiling(period, quota!.limit, quota!.offset) - period.counted);
    const kept = left >> 1;
    period.allowedTotal = period.counted + kept;
    period.exhausted = true;
    period.answerDue = false;
    period.askAtCounted = period.counted + (kept >> 1);
    // With nothing kept it waits before it asks again, or two ledgers could pass the last request to and fro, unused.
    if (kept === 0) period.askedAtMs = nowMs;
    return { counted: period.counted, allowedTotal: period.allowedTotal };
  }

  private ceiling(period: PeriodAccount, limit: number, offset: number): number {
    if (period.exhausted) return period.allowedTotal;
    const own = Math.max(0, limit - offset, period.allowedTotal);
    return this.isConnected ? Math.min(own, period.allowedTotal + this.provisional(limit)) : own;
  }

  private ask(usagePlanId: string, apiKeyId: string, account: Account, nowMs: number): void {
    const period = account.current;
    const provisional = this.provisional(account.limit);
    const elapsedMs = period.askedAtMs === -1 ? 0 : Math.abs(nowMs - period.askedAtMs);
    const usedInLease = elapsedMs === 0 ? 0 : ((period.counted - period.countedWhenAsked) * LEASE_MS) / elapsedMs;
    const wanted = Math.max(provisional, Math.min(account.limit, Math.ceil(usedInLease)));
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
      if (present.limit !== limit) adoptLimit(present, limit);
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

function isQuestionDue(period: PeriodAccount, nowMs: number): boolean {
  if (period.counted < period.askAtCounted) return false;
  if (period.askedAtMs === -1) return true;
  if (!period.answerDue && period.counted < period.allowedTotal) return true;
  // Either direction: a clock that stepped back must not silence the ledger until it has caught up.
  return Math.abs(nowMs - period.askedAtMs) >= ASK_AGAIN_MS;
}

/** The plan was changed: what the control plane said about the old limit says nothing about the new one. */
function adoptLimit(account: Account, limit: number): void {
  account.limit = limit;
  for (const period of account.periods) {
    period.exhausted = false;
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
  };
}
