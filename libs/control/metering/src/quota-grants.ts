/**
 * Splits the quotas of API keys over the nodes. A node spends what it was granted without asking (engine/limits) and asks ahead
 * of need; this decides how much it gets. Any control plane may be asked: what was granted stands in the lease book.
 *
 *   limit = plan's limit + extension - offset (in the key's first period)
 *        >= used (in the sums) + outstanding (sum over epochs of max(allowed, counted) - reported) + free
 *
 * Invariant of STRICT plans, with A(e) what epoch e may count in all:
 *
 *   sum of A(e) over the epochs in the book + everything that settled epochs ever count <= limit
 *
 * It is kept because the page is read before the sums and written only when nobody raised a line in between. A batch that was
 * applied in between is then counted twice (outstanding and used), never not at all; `reported` is only what had its receipt, so
 * it was in the sums before the page was read. A line is left out once it is settled: the node's next process said that every
 * batch of earlier ones is in (`drained`). FAST plans also let go of an epoch that was silent for `releaseMs`: it is dead, or cut
 * off and counts alone, as engine/limits says; its last batch may still come, which is part of what FAST may overshoot.
 *
 * A grant takes from what is free: as much as was asked for, but at most a fair share, `free / (2 * nodes)`, so that later
 * askers find something. At least `SHARE_MIN` for FAST plans, so that the end of a quota is not split into crumbs; STRICT plans
 * have no allowance beyond grants, so there the end is split to the last request.
 *
 * What FAST epochs counted beyond their grant (engine/limits admits a little before the first answer) is set aside too, so the
 * next grants make up for it. A book that is younger than the period may lack lines; for `settleMs` it grants nothing, while
 * the nodes repeat what they hold.
 *
 * Simulated: tools/node-link, quota-simulation.spec.ts.
 */
import type { QuotaRequest } from '@gatehouse/contracts';
import {
  dayStartMs,
  entitledTo,
  periodEnd,
  sameEpoch,
  utcDay,
  type EpochName,
  type LeaseBook,
  type LeaseClaim,
  type LeaseLine,
  type MeteringLog,
  type NodeRecord,
  type NodeRegistry,
  type QuotaPageState,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';

export interface QuotaGrantFields {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
  readonly allowedTotal: bigint;
  readonly exhausted: boolean;
  readonly generation: bigint;
}

export interface QuotaGrantsOptions {
  readonly metering: Pick<MeteringLog, 'usedInPeriod' | 'quotaOf' | 'tenantOfPlan'>;
  /** STRICT plans are kept apart: their book must not forget what it confirmed (ADR 0006). */
  readonly books: { readonly fast: LeaseBook; readonly strict: LeaseBook };
  readonly nodes: Pick<NodeRegistry, 'list'>;
  readonly clock: Clock;
  readonly settleMs?: number;
  readonly releaseMs?: number;
}

const SHARE_MIN = 10;
const DAY_MS = 86_400_000;
const FIRST_DAY = '0001-01-01';
/** Tries when other control planes write the same page; then the node keeps what it has and asks again. */
const WRITES_MAX = 4;
/** A node that was not heard of for so long does not share; its heartbeats come every 10 s. */
const SILENT_MS = 30_000;
const CACHE_MS = 1_000;

type Mode = 'FAST' | 'STRICT';
interface Question {
  readonly mode: Mode;
  readonly limit: number;
  readonly claim: LeaseClaim;
  readonly wanted: number;
  readonly startMs: number;
  readonly endsAtMs: number;
  readonly page: { readonly usagePlanId: string; readonly apiKeyId: string; readonly periodStart: string };
  readonly used: () => Promise<number>;
}

export class QuotaGrants {
  /** Questions about one page are worked out one after the other: this process does not compete with itself. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly settleMs: number;
  private readonly releaseMs: number;
  private readonly registry: Cached<readonly NodeRecord[]>;
  private readonly drainedIn: Readonly<Record<Mode, Cached<ReadonlyMap<string, number>>>>;

  constructor(private readonly options: QuotaGrantsOptions) {
    const { books, nodes, clock } = options;
    this.settleMs = options.settleMs ?? 3_000;
    this.releaseMs = options.releaseMs ?? 60_000;
    this.registry = new Cached(clock, () => nodes.list());
    this.drainedIn = {
      FAST: new Cached(clock, () => books.fast.drained()),
      STRICT: new Cached(clock, () => books.strict.drained()),
    };
  }

  /** `null` for a plan without a quota, and for a period that is not near. Rejects when the book is lost. */
  async answer(node: EpochName, request: QuotaRequest): Promise<QuotaGrantFields | null> {
    const question = await this.understand(node, request);
    if (question === null) return null;
    const key = Object.values(question.page).join('/');
    const before = this.turns.get(key);
    const turn = (before ?? Promise.resolve()).then(() => this.decide(question));
    const settled = turn.catch(() => undefined).finally(() => this.turns.get(key) === settled && this.turns.delete(key));
    this.turns.set(key, settled);
    const { allowed, exhausted } = await turn;
    return { ...question.page, allowedTotal: BigInt(allowed), exhausted, generation: request.generation };
  }

  private async understand(node: EpochName, request: QuotaRequest): Promise<Question | null> {
    const { metering, clock } = this.options;
    const { usagePlanId, apiKeyId, periodStart } = request;
    const startMs = dayStartMs(periodStart);
    if (startMs === null || startMs > clock.nowMs() + DAY_MS) return null;
    const tenant = await metering.tenantOfPlan(usagePlanId);
    const quota = tenant === null ? null : await metering.quotaOf(tenant, usagePlanId, apiKeyId, periodStart);
    if (tenant === null || quota === null) return null;
    const used = (start: string, end: string) => metering.usedInPeriod(tenant, usagePlanId, apiKeyId, start, end);
    const lastDay = periodEnd(quota.period, periodStart);
    // The offset holds in the key's initial period: the first one in which it was used.
    const isInitial = quota.offset > 0 && (await used(FIRST_DAY, utcDay(startMs - DAY_MS))) === 0;
    return {
      mode: quota.limits.mode,
      limit: quota.limit + quota.extra - (isInitial ? quota.offset : 0),
      claim: {
        nodeId: node.nodeId,
        epoch: node.epoch,
        held: Number(request.held),
        counted: Number(request.counted),
        reported: Number(request.reported),
        isFinal: request.final,
        generation: Number(request.generation),
      },
      wanted: Number(request.wanted),
      startMs,
      // A day more than the period: clocks differ, and a last batch may come late.
      endsAtMs: dayStartMs(lastDay)! + 2 * DAY_MS,
      page: { usagePlanId, apiKeyId, periodStart },
      // And no day behind it: a node whose clock is ahead counts there already.
      used: () => used(periodStart, lastDay),
    };
  }

  private async decide(question: Question): Promise<{ allowed: number; exhausted: boolean }> {
    const { mode, page, claim, endsAtMs } = question;
    const book = mode === 'STRICT' ? this.options.books.strict : this.options.books.fast;
    const drained = await this.drainedIn[mode].read();
    for (let writes = 1; ; writes++) {
      const state = await book.noteQuota(page, claim, endsAtMs);
      const own = state.lines.find((line) => sameEpoch(line, claim))!;
      if (claim.isFinal || own.generation > claim.generation) return { allowed: own.allowed, exhausted: false };
      const settled = await this.settledLines(mode, state, drained);
      const { more, exhausted } = await this.share(question, state, own, settled);
      if (more <= 0 || writes > WRITES_MAX) return { allowed: own.allowed, exhausted };
      const allowed = entitledTo(own) + more;
      const { nodeId, epoch } = own;
      if (await book.raiseQuota(page, state.version, { nodeId, epoch, allowed }, [...settled])) return { allowed, exhausted };
    }
  }

  private async share(
    { mode, limit, wanted, startMs, used }: Question,
    { lines, bornAtMs, nowMs }: QuotaPageState,
    own: LeaseLine,
    settled: ReadonlySet<LeaseLine>,
  ): Promise<{ more: number; exhausted: boolean }> {
    const usedCount = await used(); // after the page was read, never before
    let outstanding = 0;
    let unreported = 0;
    for (const line of lines) {
      if (settled.has(line)) continue;
      outstanding += Math.max(0, entitledTo(line) - line.reported);
      unreported += Math.max(0, line.counted - line.reported);
    }
    // A batch on its way may be in both: then a node hears "nothing left" a moment early, and asks again.
    const exhausted = usedCount + unreported >= limit;
    if (bornAtMs > startMs && nowMs - bornAtMs < this.settleMs) return { more: 0, exhausted: usedCount >= limit };
    const free = limit - usedCount - outstanding;
    const nodeCount = await this.nodeCount();
    const fairShare = Math.max(mode === 'STRICT' ? 1 : SHARE_MIN, Math.ceil(free / (2 * nodeCount)));
    return { more: Math.min(free, fairShare, own.counted + wanted - entitledTo(own)), exhausted };
  }

  /** Lines that need nothing any more: all they counted is in the sums. */
  private async settledLines(
    mode: Mode,
    { lines, nowMs }: QuotaPageState,
    drained: ReadonlyMap<string, number>,
  ): Promise<ReadonlySet<LeaseLine>> {
    const settled = new Set(lines.filter((line) => line.epoch < (drained.get(line.nodeId) ?? 0)));
    if (mode === 'STRICT') return settled;
    const silent = lines.filter((line) => nowMs - line.seenAtMs >= this.releaseMs);
    const nodes = silent.length === 0 ? [] : await this.registry.read();
    for (const line of silent) if (this.isReleased(line, nodes)) settled.add(line);
    return settled;
  }

  private isReleased(line: LeaseLine, nodes: readonly NodeRecord[]): boolean {
    const node = nodes.find(({ nodeId }) => nodeId === line.nodeId);
    if (node === undefined || node.epoch < line.epoch) return true;
    const nowMs = this.options.clock.nowMs();
    if (node.epoch === line.epoch) return !this.isConnected(node) && nowMs - node.lastSeenAtMs >= this.releaseMs;
    return nowMs - node.epoch >= this.releaseMs; // an epoch is when its process started: the line's was dead by then
  }

  private async nodeCount(): Promise<number> {
    const nodes = await this.registry.read();
    return Math.max(1, nodes.filter((node) => node.role === 'DATA_PLANE' && this.isConnected(node)).length);
  }

  private isConnected(node: NodeRecord): boolean {
    return node.connected && this.options.clock.nowMs() - node.lastSeenAtMs < SILENT_MS;
  }
}

/** What may be a second old. A failed read is not kept. */
class Cached<T> {
  private value: Promise<T> | null = null;
  private readAtMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly load: () => Promise<T>,
  ) {}

  read(): Promise<T> {
    const nowMs = this.clock.nowMs();
    if (this.value !== null && Math.abs(nowMs - this.readAtMs) < CACHE_MS) return this.value;
    const value = this.load();
    this.value = value;
    this.readAtMs = nowMs;
    value.catch(() => {
      if (this.value === value) this.value = null;
    });
    return value;
  }
}
