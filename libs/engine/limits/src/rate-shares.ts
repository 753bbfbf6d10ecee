/**
 * Splits what a node may admit of throttles over its worker processes. To the control plane it speaks for the whole node, as one
 * RateLeases would; to each worker's RateLeases it is the one who answers. It asks only when it is asked, so a worker counts the life of a
 * lease from an earlier moment than the node does, and the control plane from a later one.
 *
 *   worker's question --demand of all workers--> control plane
 *   worker's lease   <--its part of the share--- FAST: split by demand, as the control plane splits over nodes (shareByDemand)
 *                    <--tokens-----------------  STRICT: passed on; a token is one process's, wherever it came from
 *
 * When a part or the node's share shrinks, its worker hears of it at once. Without leases a worker whose plan is OPEN asks for a part of the
 * plan's whole rate (`alone`), and is answered from here. Everything is bounded: one row for each bucket and
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
  readonly worker: number;
  demand: number;
  readonly ratePerSecond: number;
  /** Its part of the node's share; `null` before the first. */
  part: number | null;
  /** What it was told: a share of the plan's rate. */
  share: number;
  question: number;
  /** The node's question that was sent for it; 0 when that is answered. */
  passedOnAs: number;
  askedAtMs: number;
}

type Mail = Map<number, RateAnswer[]>;

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
    const passedOn: RateQuestion[] = [];
    const mail: Mail = new Map();
    for (const asked of questions) {
      const { alone, ...rest } = asked;
      const { rows } = this.bucket(asked.strict ? this.strict : this.fast, asked.bucket);
      const question = ++this.questionCount;
      const row = this.noted(rows, worker, asked, alone === true ? 0 : question);
      if (asked.strict) passedOn.push({ ...rest, question });
      else if (alone === true) this.split(asked.bucket, rows, 1, [row], mail);
      else passedOn.push({ ...rest, question, demandedPerSecond: demandOf(rows) });
    }
    if (passedOn.length > 0) this.options.request(passedOn);
    this.send(mail);
  }

  granted(answers: readonly RateAnswer[]): void {
    const mail: Mail = new Map();
    for (const answer of answers) {
      this.grantedTokens(answer, mail);
      this.grantedShare(answer, mail);
    }
    this.send(mail);
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

  private noted(rows: Map<number, Row>, worker: number, asked: RateQuestion, passedOnAs: number): Row {
    const known = rows.get(worker);
    const row = {
      worker,
      demand: asked.demandedPerSecond,
      ratePerSecond: asked.ratePerSecond,
      part: known?.part ?? null,
      share: known?.share ?? 0,
      question: asked.question,
      passedOnAs,
      askedAtMs: this.options.nowMs(),
    };
    rows.set(worker, row);
    if (!asked.strict) this.dropLapsed(rows);
    return row;
  }

  private grantedTokens(answer: RateAnswer, mail: Mail): void {
    for (const [worker, row] of this.strict.get(answer.bucket)?.rows ?? []) {
      if (row.passedOnAs !== answer.question) continue;
      row.passedOnAs = 0; // an answer that comes twice gives nothing twice
      post(mail, worker, { ...answer, question: row.question });
    }
  }

  private grantedShare({ bucket: name, question, share }: RateAnswer, mail: Mail): void {
    const bucket = this.fast.get(name);
    if (bucket === undefined || question <= bucket.answered || question > this.questionCount) return;
    bucket.answered = question;
    const { rows } = bucket;
    this.dropLapsed(rows);
    const asking = [...rows.values()].filter(({ passedOnAs }) => passedOnAs > 0 && passedOnAs <= question);
    this.split(name, rows, share, asking, mail);
  }

  /** Answers those who ask, and tells the others when they have less. */
  private split(bucket: string, rows: ReadonlyMap<number, Row>, share: number, asking: readonly Row[], mail: Mail): void {
    for (const row of asking) {
      row.passedOnAs = 0;
      row.part = partOf(rows, row, share);
      row.share = share * row.part;
      post(mail, row.worker, { bucket, question: row.question, share: row.share, tokens: 0 });
    }
    for (const row of rows.values()) {
      if (row.part === null || asking.includes(row)) continue;
      row.part = Math.min(row.part, partOf(rows, row, share));
      if (row.share <= share * row.part) continue;
      row.share = share * row.part;
      post(mail, row.worker, { bucket, question: row.question, share: row.share, tokens: 0 });
    }
  }

  private send(mail: Mail): void {
    for (const [worker, answers] of mail) this.options.answer(worker, answers);
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
  const byDemand = 0.9 * Math.min(1, total);
  const target = (1 - byDemand) / (others.length + 1) + (total === 0 ? 0 : (byDemand * demand) / total);
  if (present === null) return target;
  return Math.min(target, Math.max(1 - taken, present / Math.max(1, taken + present)));
}

function post(mail: Mail, worker: number, answer: RateAnswer): void {
  const answers = mail.get(worker);
  if (answers === undefined) mail.set(worker, [answer]);
  else answers.push(answer);
}

/** The process's part of the node's share, whose rate is that of the bucket times `share`. */
function partOf(rows: ReadonlyMap<number, Row>, row: Row, share: number): number {
  const use = ({ demand, ratePerSecond }: Row): number => {
    const rate = ratePerSecond * share;
    return rate > 0 ? demand / rate : demand;
  };
  const others = [];
  for (const other of rows.values()) if (other !== row) others.push({ demand: use(other), share: other.part ?? 0 });
  return shareByDemand(use(row), row.part, others);
}

function demandOf(rows: ReadonlyMap<number, Row>): number {
  let sum = 0;
  for (const { demand } of rows.values()) sum += demand;
  return sum;
}
