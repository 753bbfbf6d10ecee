/**
 * What control planes know together about limits: which node may still spend how much of a quota, and how the rate of a
 * throttle is split. One control plane can die or be asked at any time; the book is the only memory.
 *
 * Quotas. A page (plan, key, period) holds one line per epoch of a node. `allowed` is what the epoch may count in all: it only
 * grows within one generation, so a repeated or late message changes nothing. A node that gives back what it does not use begins a
 * new generation and holds itself to what it says there. `reported` is the part that is in the sums of usage for certain.
 *
 *   Invariant: limit >= sum over lines of (max(allowed, counted) - reported) + what the sums say
 *   kept by:   read the page (noteQuota), then the sums, then write only if no line was raised since (raiseQuota, by version)
 *
 * A batch that moves from a line into the sums between the two reads is seen twice, never not at all: too little is granted.
 *
 * Rates. FAST: shares of a bucket's rate (shareRates): at most 1 over all nodes, but for the first second of a new node. STRICT:
 * tokens out of one bucket, which are gone when they are not spent in time (takeTokens).
 *
 * Time is the book's own (the server's), never that of a control plane: their clocks differ.
 * Every method rejects when the book cannot be reached. Contract cases: lease-book.contract.ts.
 */
export interface QuotaPage {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly periodStart: string;
}

export interface EpochName {
  readonly nodeId: string;
  readonly epoch: number;
}

/** What an epoch says of itself. Each figure only grows within a generation; an older claim changes nothing. */
export interface LeaseClaim extends EpochName {
  /** The largest grant it knows of. */
  readonly held: number;
  readonly counted: number;
  /** Of `counted`, what is in the sums for certain. */
  readonly reported: number;
  /** It will count nothing more: what it holds beyond `counted` is given back for good. */
  readonly isFinal: boolean;
  /** A larger one than before: `held` and `counted` are all it will count, until it is granted more. */
  readonly generation: number;
}

export interface LeaseLine extends EpochName {
  /** What it was granted, as far as the book or the epoch knows. It may have counted more: see `entitledTo`. */
  readonly allowed: number;
  readonly counted: number;
  readonly reported: number;
  readonly isFinal: boolean;
  readonly generation: number;
  /** When it was last heard of. */
  readonly seenAtMs: number;
}

export interface QuotaPageState {
  /** Changes whenever what must be set aside for a line does (`entitledTo`). */
  readonly version: number;
  readonly lines: readonly LeaseLine[];
  /** The book's time. */
  readonly nowMs: number;
  /** Since when this book remembers: later than the start of the period, it may lack lines. */
  readonly bornAtMs: number;
}

export interface RateDemand {
  readonly bucket: string;
  /** What the node saw, as a part of the bucket's rate: 1 is all of it. */
  readonly demand: number;
}

export interface TokenTake {
  readonly bucket: string;
  readonly ratePerSecond: number;
  readonly burst: number;
  readonly wanted: number;
}

/** A share or a demand that was not renewed for so long is nobody's. Nodes stop using theirs before: they count from the question. */
export const RATE_SHARE_MS = 3_000;

export interface LeaseBook {
  /** Takes the claim over and returns the page with it. The book may forget the page after `endsAtMs`. */
  noteQuota(page: QuotaPage, claim: LeaseClaim, endsAtMs: number): Promise<QuotaPageState>;
  /** Raises one line to `allowed` and forgets others; false, and nothing happens, when the page has another version by now. */
  raiseQuota(
    page: QuotaPage,
    version: number,
    raise: EpochName & { readonly allowed: number },
    forget: readonly EpochName[],
  ): Promise<boolean>;
  /** Everything that the node's epochs before `epoch` counted is in the sums. */
  noteDrained(nodeId: string, epoch: number): Promise<void>;
  /** By node: the largest epoch ever noted. */
  drained(): Promise<ReadonlyMap<string, number>>;
  /** Per demand the node's share of the bucket's rate, 0 to 1, for RATE_SHARE_MS. */
  shareRates(nodeId: string, demands: readonly RateDemand[]): Promise<number[]>;
  /** Per take whole tokens, 0 to `wanted`. A bucket starts full, but never with more than flowed in since the book was born. */
  takeTokens(takes: readonly TokenTake[]): Promise<number[]>;
  /** Resolves when the book answers. */
  ping(): Promise<void>;
  /** Forgets what is over; safe to call at any time. Returns how many lines. */
  clean(): Promise<number>;
  close(): Promise<void>;
}

/** The line after the claim. Shared by the adapters that merge in this language. */
export function mergeClaim(line: LeaseLine | undefined, claim: LeaseClaim, nowMs: number): LeaseLine {
  const counted = Math.max(line?.counted ?? 0, claim.counted);
  const isFinal = (line?.isFinal ?? false) || claim.isFinal;
  const generation = Math.max(line?.generation ?? 0, claim.generation);
  // An older generation's lease is given back; a newer one's says it all.
  const before = line !== undefined && line.generation === generation ? line.allowed : 0;
  const held = claim.generation === generation ? claim.held : 0;
  return {
    nodeId: claim.nodeId,
    epoch: claim.epoch,
    allowed: isFinal ? counted : Math.max(before, held),
    counted,
    reported: Math.max(line?.reported ?? 0, claim.reported),
    isFinal,
    generation,
    seenAtMs: nowMs,
  };
}

/**
 * The share a node may have: what nobody demands is split evenly, so that a node whose callers have just come finds room, and a tenth of
 * the rest, so that little demand is not starved; what is left by demand. A new node
 * (`present` is `null`) has it at once, which is more than there is until the others have asked again. One that is known grows only by what
 * the others leave, and shrinks when all together have too much: the sum falls to 1 and stays there.
 */
export function rateShare(
  demand: number,
  present: number | null,
  others: readonly { readonly demand: number; readonly share: number }[],
): number {
  const total = others.reduce((sum, other) => sum + other.demand, demand);
  const taken = others.reduce((sum, other) => sum + other.share, 0);
  const byDemand = 0.9 * Math.min(1, total);
  const target = (1 - byDemand) / (others.length + 1) + (total === 0 ? 0 : (byDemand * demand) / total);
  if (present === null) return target;
  return Math.min(target, Math.max(1 - taken, present / Math.max(1, taken + present)));
}

/** What must be set aside for the epoch: what it may count, or has counted already. */
export const entitledTo = ({ allowed, counted }: Pick<LeaseLine, 'allowed' | 'counted'>): number => Math.max(allowed, counted);

export const sameEpoch = (a: EpochName, b: EpochName): boolean => a.nodeId === b.nodeId && a.epoch === b.epoch;
