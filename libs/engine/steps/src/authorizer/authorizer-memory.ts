/** What an authorizer decided lately: kept by digest for as long as it says, and at hand by what callers show while they come often. */
import { sha256Hex } from '@gatehouse/kernel';
import { Decisions } from './decisions.js';
import { RecentBounds, RecentCallers } from './recent-callers.js';

type Weighed = { readonly bytes: number };

/** Of all authorizers of one kind in this process. */
export class AuthorizerMemories<T extends Weighed> {
  readonly decisions = new Decisions<T>();
  readonly bounds = new RecentBounds();
}

/** Of one linked authorizer. */
export class AuthorizerMemory<T extends Weighed> {
  private readonly recent: RecentCallers<T>;

  /** `scope`: no other authorizer, and none of other settings, has the same. With `ttlMs` 0 nothing is kept. */
  constructor(
    private readonly memories: AuthorizerMemories<T>,
    private readonly scope: string,
    private readonly ttlMs: number,
  ) {
    this.recent = new RecentCallers(memories.bounds);
  }

  get keeps(): boolean {
    return this.ttlMs > 0;
  }

  /** Of whoever was found lately, showing the very same; `nowMs` on a clock that does not go back. */
  recall(shown: string, nowMs: number): T | null {
    return this.recent.find(shown, nowMs);
  }

  /** `identity`: what of `shown` the caller is known by. The next time `recall` knows. */
  find(identity: string, shown: string, nowMs: number): T | null {
    if (!this.keeps) return null;
    const kept = this.memories.decisions.find(this.keyOf(identity), nowMs);
    if (kept === null) return null;
    this.recent.add(shown, kept, nowMs);
    return kept.answer;
  }

  keep(identity: string, shown: string, answer: T, nowMs: number): void {
    if (!this.keeps) return;
    this.memories.decisions.keep(this.keyOf(identity), answer, nowMs + this.ttlMs);
    this.recent.forget(shown); // of two answers to one question the later one holds
  }

  private keyOf(identity: string): string {
    return sha256Hex(this.scope + identity);
  }
}
