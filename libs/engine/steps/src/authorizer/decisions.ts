/**
 * Answers of Lambda authorizers, and callers that user pools vouch for, that may still be used (data-plane reference §6.4), of all routes of
 * this process. Bounded by count and by the bytes they came in. Callers' tokens are here by digest alone.
 *
 * What goes when there is no room is CLOCK's choice: a use sets a mark and moves nothing, and the oldest without a mark goes.
 */
const COUNT_MAX = 8_192;
const BYTES_MAX = 8 * 1024 * 1024;
/** Marks that one eviction may clear: it takes the next one then, so that no request pays for a walk through all of them. */
const MARKS_CLEARED_MAX = 64;

export class Kept<T> {
  wasUsed = false;

  constructor(
    readonly answer: T,
    readonly expiresAtMs: number,
  ) {}
}

export class Decisions<T extends { readonly bytes: number }> {
  /** The next to be looked at for eviction comes first. */
  private readonly kept = new Map<string, Kept<T>>();
  private bytes = 0;

  constructor(private readonly limits = { countMax: COUNT_MAX, bytesMax: BYTES_MAX }) {}

  get size(): number {
    return this.kept.size;
  }

  /** `nowMs` on any clock that does not go back; `keep` takes the same. */
  find(key: string, nowMs: number): Kept<T> | null {
    const kept = this.kept.get(key);
    if (kept === undefined) return null;
    if (nowMs >= kept.expiresAtMs) {
      this.drop(key, kept);
      return null;
    }
    kept.wasUsed = true;
    return kept;
  }

  keep(key: string, answer: T, expiresAtMs: number): void {
    const known = this.kept.get(key);
    if (known !== undefined) this.drop(key, known);
    if (answer.bytes > this.limits.bytesMax) return;
    while (this.kept.size >= this.limits.countMax || this.bytes + answer.bytes > this.limits.bytesMax) this.evict();
    this.kept.set(key, new Kept(answer, expiresAtMs));
    this.bytes += answer.bytes;
  }

  private evict(): void {
    let cleared = 0;
    for (const [key, kept] of this.kept) {
      if (!kept.wasUsed || cleared++ === MARKS_CLEARED_MAX) {
        this.drop(key, kept);
        return;
      }
      kept.wasUsed = false;
      this.kept.delete(key);
      this.kept.set(key, kept);
    }
  }

  private drop(key: string, kept: Kept<T>): void {
    this.kept.delete(key);
    this.bytes -= kept.answer.bytes;
  }
}
