/**
 * Throttles that hold over all nodes, spent here without asking anybody while a request waits.
 *
 * FAST. A bucket of its own on each node, with this node's share of rate and burst. The share is renewed every second and
 * holds for RATE_SHARE_MS from when it was asked for.
 *
 *   no share yet (or lapsed: the bucket rested)   the plan's whole rate, until the first answer
 *   with a share s                                rate * s, and a burst of max(1, burst * s): growing adds no tokens
 *   no lease can be had                           OPEN: the plan's whole rate on this node. CLOSED: the share while it holds, then nothing
 *
 * Over any time t all nodes together admit at most
 *
 *   rate * t + burst + N + J * (burst + rate * RATE_SHARE_MS)
 *
 * N: nodes (a burst below one token cannot be had); J: how often one more node began to serve the bucket while others did.
 * Without leases and OPEN: N * (rate * t + burst).
 *
 * Of several processes of a node each counts as one here, and is answered by RateShares. Without leases and OPEN each asks that for its
 * part of the plan's rate, and has an even part until it is answered.
 *
 * STRICT. Tokens are leased out of one bucket in the book and die after strictRateLease().lifeMs, counted from the question. A request
 * without a token waits for the answer, LEASE_WAIT_MS at most. All nodes together admit at most rate * t + burst.
 *
 * Everything is bounded: buckets, asks per message, requests that wait.
 */
import { RATE_SHARE_MS, strictRateLease, type PlanLimits, type ThrottleSettings } from '@gatehouse/contracts';
import {
  BOTH_AVAILABLE,
  LEASE_WAIT_MS,
  Waiters,
  WAITING_MAX,
  type LeaseBookState,
  type LeaseVerdict,
  type OnFallback,
} from './lease-mode.js';
import { throttlePart } from './split-buckets.js';
import { TokenBucket } from './token-bucket.js';

/** RateDemand of node_link.proto, in plain numbers. */
export interface RateQuestion {
  readonly bucket: string;
  readonly question: number;
  readonly ratePerSecond: number;
  readonly burst: number;
  readonly demandedPerSecond: number;
  readonly strict: boolean;
  readonly wantedTokens: number;
  /** To RateShares alone: no lease can be had, and the node may admit the whole rate. */
  readonly alone?: boolean;
}

/** RateLease of node_link.proto, in plain numbers. */
export interface RateAnswer {
  readonly bucket: string;
  readonly question: number;
  readonly share: number;
  readonly tokens: number;
}

export interface RateLeasesOptions {
  /** Sends questions; they may get lost. Must not call back at once. */
  readonly request: (questions: readonly RateQuestion[]) => void;
  readonly onFallback?: OnFallback;
  /** Processes of this node that serve the same callers; absent: 1. */
  readonly processCount?: number;
  /** Beyond it the oldest bucket goes: it begins anew, without a share. */
  readonly bucketsMax?: number;
}

/** Buckets asked about in one message; a node with more asks for the rest a second later. */
const QUESTIONS_MAX = 2_000;
/** A question without answer is repeated after this long. */
const ASK_AGAIN_MS = 1_000;
/** A strict bucket that got no token asks again after this long. */
const DRY_MS = 20;
const STRICT_WANTED_MIN = 2;

/** How the bucket of a FAST throttle is set up now. */
const WHOLE = 0;
const SHARED = 1;
/** Without a lease: this process's part of what the node may admit alone. */
const ALONE = 2;
type SetUp = typeof WHOLE | typeof SHARED | typeof ALONE;

class FastBucket {
  readonly bucket: TokenBucket;
  setUp: SetUp = WHOLE;
  share = 1;
  /** -1: there is none. */
  shareUntilMs = -1;
  demanded = 0;
  question = 0;
  answered = 0;
  askedAtMs = -1;
  /** Of several processes: the share is one of what the node may admit without leases. */
  isAlone = false;

  constructor(
    public settings: ThrottleSettings,
    private readonly processCount: number,
    nowMs: number,
  ) {
    this.bucket = new TokenBucket(settings, nowMs);
  }

  setUpAs(setUp: SetUp, nowMs: number): void {
    this.setUp = setUp;
    this.bucket.resize(this.settingsAs(setUp), nowMs);
  }

  private settingsAs(setUp: SetUp): ThrottleSettings {
    if (setUp === WHOLE) return this.settings;
    return setUp === SHARED ? shareOf(this.settings, this.share) : throttlePart(this.settings, this.processCount);
  }
}

class StrictBucket {
  /** Tokens of the newest lease and of the one before; each dies at its own time. */
  tokens = 0;
  untilMs = -1;
  olderTokens = 0;
  olderUntilMs = -1;
  question = 0;
  askedAtMs = -1;
  isAnswerDue = false;
  /** The newest answer gave nothing. */
  isDry = false;
  /** Requests since the last question. */
  demanded = 0;
  isUnanswered = false;
  readonly waiters = new Waiters();

  constructor(public settings: ThrottleSettings) {}

  left(nowMs: number): number {
    return (nowMs < this.untilMs ? this.tokens : 0) + (nowMs < this.olderUntilMs ? this.olderTokens : 0);
  }

  tryTake(nowMs: number): boolean {
    if (nowMs < this.olderUntilMs && this.olderTokens > 0) {
      this.olderTokens--;
      return true;
    }
    if (nowMs >= this.untilMs || this.tokens === 0) return false;
    this.tokens--;
    return true;
  }
}

export class RateLeases {
  private readonly fast = new Map<string, FastBucket>();
  private readonly strict = new Map<string, StrictBucket>();
  private readonly request: (questions: readonly RateQuestion[]) => void;
  private readonly onFallback: OnFallback;
  private readonly bucketsMax: number;
  private readonly processCount: number;
  private isConnected = false;
  private books = BOTH_AVAILABLE;
  private questionCount = 0;

  constructor(options: RateLeasesOptions) {
    this.request = options.request;
    this.onFallback = options.onFallback ?? (() => {});
    this.bucketsMax = options.bucketsMax ?? 100_000;
    this.processCount = options.processCount ?? 1;
  }

  /** WAIT, of strict plans alone: ask again after `whenAnswered`. */
  tryTake(name: string, settings: ThrottleSettings, limits: PlanLimits, nowMs: number): LeaseVerdict {
    if (settings.ratePerSecond < 0 || settings.burst < 0) return 'ALLOW'; // no limit
    return limits.mode === 'STRICT'
      ? this.takeStrict(name, settings, limits, nowMs)
      : this.takeFast(name, settings, limits, nowMs)
        ? 'ALLOW'
        : 'DENY';
  }

  /** What this process could admit at once; 0 for a bucket that nobody asked for. */
  left(name: string, { mode }: PlanLimits, nowMs: number): number {
    if (mode === 'STRICT') return this.strict.get(name)?.left(nowMs) ?? 0;
    return this.fast.get(name)?.bucket.left(nowMs) ?? 0;
  }

  whenAnswered(name: string): Promise<void> {
    const bucket = this.strict.get(name);
    if (bucket === undefined) return Promise.resolve();
    return bucket.waiters.next(LEASE_WAIT_MS, () => {
      bucket.isUnanswered = true;
    });
  }

  /** Takes answers; those to any but a bucket's newest question are void. A second answer to that may only make a share smaller. */
  granted(answers: readonly RateAnswer[], nowMs: number): void {
    for (const answer of answers) {
      const fast = this.fast.get(answer.bucket);
      if (fast !== undefined && fast.question === answer.question) takeShare(fast, answer, nowMs);
      const strict = this.strict.get(answer.bucket);
      if (strict !== undefined && strict.question === answer.question && strict.isAnswerDue) takeTokens(strict, answer.tokens);
    }
  }

  connected(): void {
    this.isConnected = true;
    this.books = BOTH_AVAILABLE;
    for (const bucket of this.fast.values()) {
      bucket.askedAtMs = -1;
      if (bucket.isAlone) joinOthers(bucket);
    }
    for (const bucket of this.strict.values()) {
      bucket.isAnswerDue = false;
      bucket.isUnanswered = false;
      bucket.askedAtMs = -1;
    }
  }

  disconnected(): void {
    this.isConnected = false;
    for (const bucket of this.strict.values()) bucket.waiters.wake();
  }

  bookState(state: LeaseBookState): void {
    const isBack = state.fastAvailable && !this.books.fastAvailable;
    this.books = state;
    if (isBack) for (const bucket of this.fast.values()) if (bucket.isAlone) joinOthers(bucket);
    for (const bucket of this.strict.values()) bucket.waiters.wake();
  }

  /** Every second: renews the shares of buckets in use, and forgets buckets that rest. */
  tick(nowMs: number): void {
    const questions: RateQuestion[] = [];
    for (const [name, bucket] of this.fast) {
      if (bucket.demanded > 0 && (bucket.isAlone || (this.isConnected && this.books.fastAvailable))) {
        if (questions.length < QUESTIONS_MAX) questions.push(this.fastQuestion(name, bucket, nowMs));
      } else if (nowMs >= bucket.shareUntilMs && bucket.demanded === 0 && bucket.bucket.isFull(nowMs)) this.fast.delete(name);
    }
    if (questions.length > 0) this.request(questions);
    for (const [name, bucket] of this.strict)
      if (bucket.waiters.count === 0 && bucket.left(nowMs) === 0 && nowMs - bucket.askedAtMs > 60_000) this.strict.delete(name);
  }

  private takeFast(name: string, settings: ThrottleSettings, limits: PlanLimits, nowMs: number): boolean {
    const bucket = this.fastBucket(name, settings, nowMs);
    bucket.demanded++;
    const isShared = nowMs < bucket.shareUntilMs;
    if (!this.isConnected || !this.books.fastAvailable) {
      if (limits.fallback === 'OPEN' || !isShared) this.onFallback(limits.fallback);
      if (limits.fallback === 'OPEN') return this.takeOpen(name, bucket, nowMs);
      if (bucket.isAlone) joinOthers(bucket); // the plan was open a moment ago
      return nowMs < bucket.shareUntilMs && bucket.bucket.tryTake(nowMs);
    }
    if (isShared) {
      if (bucket.setUp !== SHARED) bucket.setUpAs(SHARED, nowMs);
    } else {
      if (bucket.setUp !== WHOLE) bucket.setUpAs(WHOLE, nowMs);
      if (bucket.askedAtMs === -1 || nowMs - bucket.askedAtMs >= ASK_AGAIN_MS)
        this.request([this.fastQuestion(name, bucket, nowMs)]);
    }
    return bucket.bucket.tryTake(nowMs);
  }

  private takeStrict(name: string, settings: ThrottleSettings, limits: PlanLimits, nowMs: number): LeaseVerdict {
    const bucket = this.strictBucket(name, settings);
    bucket.demanded++;
    if (bucket.tryTake(nowMs)) {
      // Ahead of need: at half of what was wanted.
      if (bucket.left(nowMs) * 2 < bucket.demanded) this.askStrict(name, bucket, nowMs);
      return 'ALLOW';
    }
    if (!this.isConnected || !this.books.strictAvailable || bucket.isUnanswered) {
      if (this.isConnected) this.askStrict(name, bucket, nowMs);
      this.onFallback(limits.fallback);
      return limits.fallback === 'OPEN' && this.takeAlone(name, settings, nowMs) ? 'ALLOW' : 'DENY';
    }
    this.askStrict(name, bucket, nowMs);
    return bucket.isAnswerDue && bucket.waiters.count < WAITING_MAX ? 'WAIT' : 'DENY';
  }

  /** OPEN without a book: this node alone, with the plan's whole rate. */
  private takeAlone(name: string, settings: ThrottleSettings, nowMs: number): boolean {
    const aloneName = `alone ${name}`;
    const bucket = this.fastBucket(aloneName, settings, nowMs);
    if (this.processCount > 1) bucket.demanded++; // RateShares splits by it
    return this.takeOpen(aloneName, bucket, nowMs);
  }

  private takeOpen(name: string, bucket: FastBucket, nowMs: number): boolean {
    if (this.processCount > 1) {
      if (!bucket.isAlone) {
        bucket.isAlone = true;
        bucket.shareUntilMs = -1;
        bucket.askedAtMs = -1;
      }
      if (nowMs < bucket.shareUntilMs) {
        if (bucket.setUp !== SHARED) bucket.setUpAs(SHARED, nowMs);
        return bucket.bucket.tryTake(nowMs);
      }
      if (bucket.askedAtMs === -1 || nowMs - bucket.askedAtMs >= ASK_AGAIN_MS)
        this.request([this.fastQuestion(name, bucket, nowMs)]);
    }
    if (bucket.setUp !== ALONE) bucket.setUpAs(ALONE, nowMs);
    return bucket.bucket.tryTake(nowMs);
  }

  private askStrict(name: string, bucket: StrictBucket, nowMs: number): void {
    const pauseMs = bucket.isAnswerDue ? ASK_AGAIN_MS : bucket.isDry ? DRY_MS : 0;
    if (bucket.askedAtMs !== -1 && nowMs - bucket.askedAtMs < pauseMs) return;
    const { ratePerSecond, burst } = bucket.settings;
    const { lifeMs } = strictRateLease(bucket.settings);
    const elapsedMs = bucket.askedAtMs === -1 ? lifeMs : Math.max(1, nowMs - bucket.askedAtMs);
    // As much as is spent while a token lives; what is left over dies.
    const wantedTokens = Math.max(bucket.waiters.count + STRICT_WANTED_MIN, Math.ceil((bucket.demanded * lifeMs) / elapsedMs));
    bucket.question = ++this.questionCount;
    bucket.askedAtMs = nowMs;
    bucket.isAnswerDue = true;
    bucket.demanded = 0;
    this.request([
      {
        bucket: name,
        question: bucket.question,
        ratePerSecond,
        burst,
        demandedPerSecond: 0,
        strict: true,
        wantedTokens: Math.min(wantedTokens, Math.ceil(burst)),
      },
    ]);
  }

  private fastQuestion(name: string, bucket: FastBucket, nowMs: number): RateQuestion {
    const { ratePerSecond, burst } = bucket.settings;
    const elapsedMs = bucket.askedAtMs === -1 ? 1_000 : Math.min(10_000, Math.max(100, nowMs - bucket.askedAtMs));
    const demandedPerSecond = (bucket.demanded * 1_000) / elapsedMs;
    bucket.question = ++this.questionCount;
    bucket.askedAtMs = nowMs;
    bucket.demanded = 0;
    const about = { bucket: name, question: bucket.question, ratePerSecond, burst, demandedPerSecond };
    return bucket.isAlone
      ? { ...about, strict: false, wantedTokens: 0, alone: true }
      : { ...about, strict: false, wantedTokens: 0 };
  }

  private fastBucket(name: string, settings: ThrottleSettings, nowMs: number): FastBucket {
    const present = this.fast.get(name);
    if (present !== undefined) {
      if (present.settings !== settings) {
        const isSame = present.settings.ratePerSecond === settings.ratePerSecond && present.settings.burst === settings.burst;
        present.settings = settings;
        if (!isSame) present.setUpAs(present.setUp, nowMs);
      }
      return present;
    }
    if (this.fast.size >= this.bucketsMax) this.fast.delete(this.fast.keys().next().value!);
    const bucket = new FastBucket(settings, this.processCount, nowMs);
    this.fast.set(name, bucket);
    return bucket;
  }

  private strictBucket(name: string, settings: ThrottleSettings): StrictBucket {
    const present = this.strict.get(name);
    if (present !== undefined) {
      present.settings = settings;
      return present;
    }
    if (this.strict.size >= this.bucketsMax) {
      const [oldest, gone] = this.strict.entries().next().value!;
      gone.waiters.wake();
      this.strict.delete(oldest);
    }
    const bucket = new StrictBucket(settings);
    this.strict.set(name, bucket);
    return bucket;
  }
}

/** Leases can be had again: begins as if it had none. */
function joinOthers(bucket: FastBucket): void {
  bucket.isAlone = false;
  bucket.demanded = 0;
  bucket.shareUntilMs = -1;
  bucket.askedAtMs = -1;
}

function takeShare(bucket: FastBucket, { question, share }: RateAnswer, nowMs: number): void {
  if (bucket.answered === question && share >= bucket.share) return;
  bucket.answered = question;
  bucket.share = share;
  bucket.shareUntilMs = bucket.askedAtMs + RATE_SHARE_MS;
  bucket.setUpAs(SHARED, nowMs);
}

function takeTokens(bucket: StrictBucket, tokens: number): void {
  bucket.isAnswerDue = false;
  bucket.isUnanswered = false;
  bucket.isDry = tokens === 0;
  if (tokens > 0) {
    bucket.olderTokens = bucket.tokens;
    bucket.olderUntilMs = bucket.untilMs;
    bucket.tokens = tokens;
    bucket.untilMs = bucket.askedAtMs + strictRateLease(bucket.settings).lifeMs;
  }
  bucket.waiters.wake();
}

function shareOf({ ratePerSecond, burst }: ThrottleSettings, share: number): ThrottleSettings {
  return { ratePerSecond: ratePerSecond * share, burst: burst < 1 ? burst : Math.max(1, burst * share) };
}
