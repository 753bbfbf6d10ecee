/**
 * Answers of Lambda authorizers, and callers that user pools vouch for, that may still be used (data-plane reference §6.4), of all routes of this process. Bounded by count and
 * by the bytes they came in; what was used least lately goes first. Callers' tokens are here by digest alone.
 */
const COUNT_MAX = 8_192;
const BYTES_MAX = 8 * 1024 * 1024;

interface Kept<T> {
  readonly answer: T;
  readonly expiresAtMs: number;
}

export class Decisions<T extends { readonly bytes: number }> {
  /** In the order of use. */
  private readonly kept = new Map<string, Kept<T>>();
  private bytes = 0;

  constructor(private readonly limits = { countMax: COUNT_MAX, bytesMax: BYTES_MAX }) {}

  get size(): number {
    return this.kept.size;
  }

  /** `nowMs` on any clock that does not go back; `keep` takes the same. */
  find(key: string, nowMs: number): T | null {
    const kept = this.kept.get(key);
    if (kept === undefined) return null;
    this.kept.delete(key);
    if (nowMs >= kept.expiresAtMs) {
      this.bytes -= kept.answer.bytes;
      return null;
    }
    this.kept.set(key, kept);
    return kept.answer;
  }

  keep(key: string, answer: T, expiresAtMs: number): void {
    this.drop(key);
    this.kept.set(key, { answer, expiresAtMs });
    this.bytes += answer.bytes;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.limits.countMax && this.bytes <= this.limits.bytesMax) return;
      this.drop(oldest);
    }
  }

  private drop(key: string): void {
    const kept = this.kept.get(key);
    if (kept === undefined) return;
    this.kept.delete(key);
    this.bytes -= kept.answer.bytes;
  }
}
