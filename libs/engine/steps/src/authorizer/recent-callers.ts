/**
 * Decisions on callers that came again lately, by what they show: hashing it and looking its digest up costs a microsecond, and more in a
 * busy process, and callers show theirs with every request.
 *
 * What callers show are secrets, and in memory here and nowhere else on a node beyond a request. So only those that came twice are here,
 * with a decision that still holds; at most `2 * COUNT_MAX` of all authorizers together, in `2 * BYTES_MAX`, each for `2 * GENERATION_MS` of
 * asking authorizers after its last use. Comparing texts instead of digests tells nothing by its duration: a map compares text only where
 * hashes agree, and those are salted per process.
 *
 * Each linked authorizer has a map of its own: nothing found in it can be another authorizer's, stage's or tenant's, and when the stage is
 * linked anew, for a flush or for other settings, it starts empty.
 */
import type { Kept } from './decisions.js';

const COUNT_MAX = 4_096;
const BYTES_MAX = 4 * 1024 * 1024;
const GENERATION_MS = 60_000;

/** The callers of one authorizer. */
export class RecentCallers<T extends { readonly bytes: number }> {
  private recent: Map<string, Kept<T>> | null = null;
  private older: Map<string, Kept<T>> | null = null;

  constructor(private readonly bounds: RecentBounds) {}

  /** `null` for whoever is not here, and for a decision that has expired. */
  find(shown: string, nowMs: number): T | null {
    if (nowMs >= this.bounds.rotatesAtMs) this.bounds.rotate(nowMs);
    const kept = this.recent?.get(shown) ?? this.recall(shown, nowMs);
    if (kept === null || nowMs >= kept.expiresAtMs) return null;
    kept.wasUsed = true;
    return kept.answer;
  }

  add(shown: string, kept: Kept<T>, nowMs: number): void {
    this.bounds.grow(this, shown.length + kept.answer.bytes, nowMs);
    // A copy: the text at hand may be a piece of the request's head and would keep all of it in memory.
    (this.recent ??= new Map()).set(Buffer.from(shown, 'utf16le').toString('utf16le'), kept);
  }

  forget(shown: string): void {
    this.recent?.delete(shown);
    this.older?.delete(shown);
  }

  private recall(shown: string, nowMs: number): Kept<T> | null {
    const kept = this.older?.get(shown);
    if (kept === undefined) return null;
    this.older!.delete(shown);
    if (nowMs < kept.expiresAtMs) this.add(shown, kept, nowMs);
    return kept;
  }

  /** False when nothing is left. */
  rotate(): boolean {
    this.older = this.recent;
    this.recent = null;
    return this.older !== null;
  }
}

interface Rotating {
  rotate(): boolean;
}

/** What the callers of all authorizers may take together; beyond it those who came less lately are forgotten. */
export class RecentBounds {
  rotatesAtMs = Number.NEGATIVE_INFINITY;
  private readonly members = new Set<Rotating>();
  private count = 0;
  private bytes = 0;

  constructor(private readonly limits = { countMax: COUNT_MAX, bytesMax: BYTES_MAX }) {}

  /** Of authorizers that know somebody. */
  get size(): number {
    return this.members.size;
  }

  /** `member` is about to add one of that many bytes. */
  grow(member: Rotating, bytes: number, nowMs: number): void {
    if (this.count >= this.limits.countMax || this.bytes + bytes > this.limits.bytesMax) this.rotate(nowMs);
    this.count++;
    this.bytes += bytes;
    this.members.add(member);
  }

  rotate(nowMs: number): void {
    for (const member of this.members) if (!member.rotate()) this.members.delete(member);
    this.count = 0;
    this.bytes = 0;
    this.rotatesAtMs = nowMs + GENERATION_MS;
  }
}
