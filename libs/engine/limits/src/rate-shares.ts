/**
 * Splits what a node may admit of throttles over its worker processes. To the control plane it speaks for the whole node, as one
 * RateLeases would; to each worker's RateLeases it is the one who answers. It asks only when it is asked, so a worker counts the life of a
 * lease from an earlier moment than the node does, and the control plane from a later one.
 *
 *   worker's question --demand of all workers--> control plane
 *   worker's lease   <--its part of the share--- FAST: split by demand, as the control plane splits over nodes (shareByDemand)
 *                    <--tokens-----------------  STRICT: passed on; a token is one process's, wherever it came from
 *
 * When the node's share shrinks, every worker hears of its smaller part at once. Everything is bounded: one row for each bucket and
 * worker, and those that rest are forgotten.
 */
import { RATE_SHARE_MS } from '@gatehouse/contracts';
import type { RateAnswer, RateQuestion } from './rate-leases.js';

export interface RateSharesOptions {
  /** To the control plane; may get lost. */
  readonly request: (questions: readonly RateQuestion[]) => void;
  readonly answer: (worker: number, answers: readonly RateAnswer[]) => void;
  readonly nowMs: () => number;
  /** Beyond it the oldest bucket goes: its workers keep what they have until it lapses. */
  readonly bucketsMax?: number;
}

/** A worker's newest question about one bucket. */
interface Row {
  demand: number;
  /** Its part of the node's share; `null` before the first. */
  part: number | null;
  /** What it was told: a share of the plan's rate. */
  share: number;
  question: number;
  /** The node's question that was sent for it; 0 when that is answered. */
  passedOnAs: number;
  askedAtMs: number;
}

interface Bucket {
  readonly rows: Map<number, Row>;
  /** The newest of the node's questions that was answered. */
  answered: number;
}

/** Of strict buckets a row is kept until its answer is of no use any more. */
const FORGET_MS = 10_000;

export class RateShares {
  private readonly fast = new Map<string, Bucket>();
  private readonly strict = new Map<string, Bucket>();
  private readonly bucketsMax: number;
  private questionCount = 0;

  constructor(private readonly options: RateSharesOptions) {
    this.bucketsMax = options.bucketsMax ?? 100_000;
  }

  asked(worker: number, questions: readonly RateQuestion[]): void {
    this.options.request(
      questions.map((asked) => {
        const question = ++this.questionCount;
        const { rows } = this.bucket(asked.strict ? this.strict : this.fast, asked.bucket);
        const row = rows.get(worker);
        rows.set(worker, {
          demand: asked.demandedPerSecond,
          part: row?.part ?? null,
          share: row?.share ?? 0,
          question: asked.question,
          passedOnAs: question,
          askedAtMs: this.options.nowMs(),
        });
        if (asked.strict) return { ...asked, question };
        this.dropLapsed(rows);
        let demandedPerSecond = 0;
        for (const { demand } of rows.values()) demandedPerSecond += demand;
        return { ...asked, question, demandedPerSecond };
      }),
    );
  }

  granted(answers: readonly RateAnswer[]): void {
    const mail = new Map<number, RateAnswer[]>();
    const post = (worker: number, answer: RateAnswer): void => {
      const answersOf = mail.get(worker);
      if (answersOf === undefined) mail.set(worker, [answer]);
      else answersOf.push(answer);
    };
    for (const answer of answers) {
      this.grantedTokens(answer, post);
      this.grantedShare(answer, post);
    }
    for (const [worker, answersOf] of mail) this.options.answer(worker, answersOf);
  }

  /** The process is gone: its part is the others'. */
  ended(worker: number): void {
    for (const buckets of [this.fast, this.strict]) for (const { rows } of buckets.values()) rows.delete(worker);
  }

  /** Every second: forgets what rests. */
  tick(nowMs: number): void {
    for (const [name, { rows }] of this.fast) {
      this.dropLapsed(rows);
      if (rows.size === 0) this.fast.delete(name);
    }
    for (const [name, { rows }] of this.strict) {
      for (const [worker, { askedAtMs }] of rows) if (nowMs - askedAtMs >= FORGET_MS) rows.delete(worker);
      if (rows.size === 0) this.strict.delete(name);
    }
  }

  private grantedTokens(answer: RateAnswer, post: (worker: number, answer: RateAnswer) => void): void {
    for (const [worker, row] of this.strict.get(answer.bucket)?.rows ?? []) {
      if (row.passedOnAs !== answer.question) continue;
      row.passedOnAs = 0; // an answer that comes twice gives nothing twice
      post(worker, { ...answer, question: row.question });
    }
  }

  private grantedShare({ bucket: name, question, share }: RateAnswer, post: (worker: number, answer: RateAnswer) => void): void {
    const bucket = this.fast.get(name);
    if (bucket === undefined || question <= bucket.answered || question > this.questionCount) return;
    bucket.answered = question;
    const { rows } = bucket;
    this.dropLapsed(rows);
    for (const [worker, row] of rows) {
      if (row.passedOnAs === 0 || row.passedOnAs > question) continue;
      row.passedOnAs = 0;
      row.part = shareByDemand(row.demand, row.part, othersOf(rows, worker));
      row.share = share * row.part;
      post(worker, { bucket: name, question: row.question, share: row.share, tokens: 0 });
    }
    for (const [worker, row] of rows) {
      if (row.part === null || row.share <= share * row.part) continue;
      row.share = share * row.part;
      post(worker, { bucket: name, question: row.question, share: row.share, tokens: 0 });
    }
  }

  private dropLapsed(rows: Map<number, Row>): void {
    const nowMs = this.options.nowMs();
    for (const [worker, { askedAtMs }] of rows) if (nowMs - askedAtMs >= RATE_SHARE_MS) rows.delete(worker);
  }

  private bucket(buckets: Map<string, Bucket>, name: string): Bucket {
    let bucket = buckets.get(name);
    if (bucket === undefined) {
      if (buckets.size >= this.bucketsMax) buckets.delete(buckets.keys().next().value!);
      buckets.set(name, (bucket = { rows: new Map(), answered: this.questionCount - 1 })); // the newest is its first
    }
    return bucket;
  }
}

/** The rule by which the lease book splits a rate over nodes (`rateShare` of domain/ports/lease-book). tools/node-link compares the two. */
export function shareByDemand(
  demand: number,
  present: number | null,
  others: readonly { readonly demand: number; readonly share: number }[],
): number {
  let total = demand;
  let taken = 0;
  for (const other of others) {
    total += other.demand;
    taken += other.share;
  }
  const target = total === 0 ? 1 / (others.length + 1) : 0.1 / (others.length + 1) + (0.9 * demand) / total;
  if (present === null) return target;
  return Math.min(target, Math.max(1 - taken, present / Math.max(1, taken + present)));
}

function othersOf(rows: ReadonlyMap<number, Row>, worker: number): { demand: number; share: number }[] {
  const others = [];
  for (const [other, { demand, part }] of rows) if (other !== worker) others.push({ demand, share: part ?? 0 });
  return others;
}
