/** Changes on their way to one node: from the moment they are written to its stream until it says that it has them. */
import type { Clock } from '@gatehouse/kernel';

export interface FinishedPush {
  readonly nodeId: string;
  readonly revision: number;
  /** Entries and removals that were sent. */
  readonly entryCount: number;
  readonly isFull: boolean;
  readonly startMs: number;
  readonly endMs: number;
  /** `null`: the stream ended before the node said anything. */
  readonly refusedCount: number | null;
}

interface Push {
  readonly since: number;
  readonly revision: number;
  readonly entryCount: number;
  readonly isFull: boolean;
  readonly startMs: number;
}

/** A node that takes them and acknowledges nothing is not followed further back. */
const PENDING_MAX = 100;

export class Pushes {
  private pending: Push[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly tell: (push: FinishedPush) => void,
  ) {}

  /** `since`: what the node had before. */
  sent(since: number, revision: number, entryCount: number, isFull: boolean): void {
    if (entryCount === 0) return; // the revision moved on, and nothing of it is this node's
    if (this.pending.length === PENDING_MAX) this.pending.shift();
    this.pending.push({ since, revision, entryCount, isFull, startMs: this.clock.nowMs() });
  }

  /** The node has everything up to `revision`, but for what it refuses. */
  acknowledged(nodeId: string, revision: number, refusals: Iterable<{ readonly revision: number }>): void {
    if (this.pending.length === 0 || this.pending[0]!.revision > revision) return;
    const refused = [...refusals];
    while (this.pending.length > 0 && this.pending[0]!.revision <= revision) {
      const push = this.pending.shift()!;
      const isOfThis = (entry: { readonly revision: number }) =>
        entry.revision <= push.revision && (push.isFull || entry.revision > push.since);
      this.over(nodeId, push, refused.filter(isOfThis).length);
    }
  }

  /** The stream is over. */
  abandon(nodeId: string): void {
    for (const push of this.pending) this.over(nodeId, push, null);
    this.pending = [];
  }

  private over(nodeId: string, { revision, entryCount, isFull, startMs }: Push, refusedCount: number | null): void {
    this.tell({ nodeId, revision, entryCount, isFull, startMs, endMs: this.clock.nowMs(), refusedCount });
  }
}
