/** The quotas of a node with several workers, whose channels deliver in order but late. To its surroundings it is one QuotaLedger. */
import {
  provisionalPart,
  QuotaLedger,
  QuotaShares,
  type LeaseBookState,
  type QuotaAnswer,
  type QuotaPlan,
  type QuotaQuestion,
  type QuotaVerdict,
} from '@gatehouse/engine-limits';
import type { ManualClock } from '@gatehouse/kernel';

/** What the simulation asks of a node's limits, whatever the number of its processes. */
export interface NodeQuotas {
  spend(plan: QuotaPlan, apiKeyId: string, nowMs: number): QuotaVerdict;
  tick(nowMs: number): void;
  granted(answer: QuotaAnswer): void;
  connected(): void;
  bookState(state: LeaseBookState): void;
  reported(usage: UsageOfDay): void;
}

export interface UsageOfDay {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly day: string;
  readonly count: number;
}

interface SimulatedWorker {
  readonly worker: number;
  readonly ledger: QuotaLedger;
  /** Admitted and in no batch of the node yet. */
  unreported: number;
}

type Say = (worker: SimulatedWorker) => void;

export class SimulatedWorkers implements NodeQuotas {
  readonly shares: QuotaShares;
  private readonly toWorkers = new Map<number, Say[]>();
  private readonly toSupervisor = new Map<number, (() => void)[]>();
  private readonly timers: { readonly atMs: number; readonly run: () => void }[] = [];
  private workers: SimulatedWorker[] = [];
  private startCount = 0;
  private isSupervised = true;

  constructor(
    private readonly options: {
      readonly plan: QuotaPlan & { readonly quota: NonNullable<QuotaPlan['quota']> };
      readonly workerCount: number;
      readonly clock: ManualClock;
      readonly random: () => number;
      readonly requestMore: (question: QuotaQuestion) => void;
    },
  ) {
    const { plan, clock, workerCount } = options;
    this.shares = new QuotaShares({
      workerCount,
      quotaOf: () => ({ ...plan.quota, ...(plan.limits && { limits: plan.limits }) }),
      requestMore: options.requestMore,
      answer: (worker, answer) => this.tell(worker, ({ ledger }) => ledger.granted(answer)),
      recall: (worker, recall) =>
        this.tell(worker, ({ ledger }) => {
          const left = ledger.recall(plan, recall.apiKeyId, recall.periodStart, clock.nowMs());
          this.say(worker, () => this.shares.recalled(worker, recall, left));
        }),
      nowMs: () => clock.nowMs(),
      later: (run, delayMs) => this.timers.push({ atMs: clock.nowMs() + delayMs, run }),
    });
    for (let count = 0; count < workerCount; count++) this.startWorker();
  }

  spend(plan: QuotaPlan, apiKeyId: string, nowMs: number): QuotaVerdict {
    const worker = this.workers[Math.floor(this.options.random() * this.workers.length)];
    if (worker === undefined) return 'DENY';
    const verdict = worker.ledger.spend(plan, apiKeyId, nowMs);
    if (verdict === 'ALLOW') worker.unreported++;
    return verdict;
  }

  /** `kill -9` of one: what it said is heard, its journal is read, and another takes its place. */
  killWorker(): void {
    const [dead] = this.workers.splice(Math.floor(this.options.random() * this.workers.length), 1);
    this.takeOver(dead!);
    this.startWorker();
  }

  /** What the workers counted since the last time; the supervisor names it and knows whose it is. */
  takeUnreported(day: string): number {
    let sum = 0;
    for (const worker of this.workers) sum += this.note(worker, day);
    return sum + this.takeLeft();
  }

  /** The supervisor is gone: workers spend what they have, and nobody answers. */
  orphan(): void {
    this.isSupervised = false;
    this.toSupervisor.clear();
    for (const { ledger } of this.workers) ledger.disconnected();
  }

  /** Orphans end; returns what is in their journals. */
  end(): number {
    const sum = this.workers.reduce((total, { unreported }) => total + unreported, 0) + this.takeLeft();
    this.workers = [];
    return sum;
  }

  /** Delivers some of what processes said to each other: everything with `isPatient`. */
  deliver(isPatient: boolean): void {
    const { clock, random } = this.options;
    for (const timer of this.timers.filter(({ atMs }) => atMs <= clock.nowMs())) {
      this.timers.splice(this.timers.indexOf(timer), 1);
      if (this.isSupervised) timer.run();
    }
    for (let rounds = 0; rounds < 100; rounds++) {
      const lanes = [
        ...[...this.toSupervisor].map(([, mail]) => ({ mail, run: (message: () => void) => message() })),
        ...[...this.toWorkers].map(([number, mail]) => ({
          mail,
          run: (message: Say) => {
            const worker = this.workers.find((candidate) => candidate.worker === number);
            if (worker !== undefined) message(worker);
          },
        })),
      ].filter(({ mail }) => mail.length > 0);
      if (lanes.length === 0 || (!isPatient && random() < 0.1)) return;
      const lane = lanes[Math.floor(random() * lanes.length)]!;
      (lane.run as (message: unknown) => void)(lane.mail.shift()!);
    }
  }

  get hasMail(): boolean {
    return [...this.toWorkers.values(), ...this.toSupervisor.values()].some((mail) => mail.length > 0);
  }

  tick(nowMs: number): void {
    for (const { ledger } of this.workers) ledger.tick(nowMs);
    if (this.isSupervised) this.shares.tick(nowMs);
  }

  granted(answer: QuotaAnswer): void {
    this.shares.granted(answer);
  }

  connected(): void {
    this.shares.connected();
    for (const { worker } of this.workers) this.tell(worker, ({ ledger }) => ledger.connected());
  }

  bookState(state: LeaseBookState): void {
    for (const { worker } of this.workers) this.tell(worker, ({ ledger }) => ledger.bookState(state));
    this.shares.bookState(state);
  }

  reported(usage: UsageOfDay): void {
    this.shares.reported(usage);
  }

  /** Of workers that are gone, not yet in a batch of the simulation. */
  private readonly left: number[] = [];

  private takeLeft(): number {
    return this.left.splice(0).reduce((a, b) => a + b, 0);
  }

  private startWorker(): void {
    const worker = ++this.startCount;
    const { workerCount } = this.options;
    const ledger: QuotaLedger = new QuotaLedger({
      requestMore: (question) => this.say(worker, () => this.shares.asked(worker, question)),
      provisional: (limit) => provisionalPart(limit, workerCount),
    });
    this.workers.push({ worker, ledger, unreported: 0 });
    this.shares.started(worker);
    this.tell(worker, () => ledger.connected());
  }

  private takeOver(dead: SimulatedWorker): void {
    const { worker } = dead;
    for (const message of this.toSupervisor.get(worker) ?? []) message();
    this.toSupervisor.delete(worker);
    this.toWorkers.delete(worker);
    this.shares.ended(worker);
    this.left.push(this.note(dead, new Date(this.options.clock.nowMs()).toISOString().slice(0, 10)));
    this.shares.settled(worker);
  }

  private note(worker: SimulatedWorker, day: string): number {
    const { unreported: count } = worker;
    worker.unreported = 0;
    const { usagePlanId } = this.options.plan;
    if (count > 0) this.shares.counted(worker.worker, { usagePlanId, apiKeyId: 'key', day, count });
    return count;
  }

  private tell(worker: number, message: Say): void {
    if (!this.isSupervised) return;
    this.toWorkers.set(worker, [...(this.toWorkers.get(worker) ?? []), message]);
  }

  private say(worker: number, message: () => void): void {
    if (!this.isSupervised) return;
    this.toSupervisor.set(worker, [...(this.toSupervisor.get(worker) ?? []), message]);
  }
}
