/**
 * Brings manifest changes to every worker. To the control link it is the one who serves: a change is applied when all live
 * workers answered. A worker that starts gets everything that is served first, and then whatever is on its way.
 *
 * All workers serve the same form of an entry. What one of them refuses is refused by the node, and those that took it go back.
 * A worker that dies with a change blocks nobody; a change with which more processes died than there are workers, and which
 * none took, is refused: the node goes on with what it has.
 */
import {
  EntryMap,
  entryKey,
  sameEntry,
  type EntryName,
  type LinkEntry,
  type ManifestChange,
  type Refusal,
} from '@gatehouse/engine-control-link';
import type { Logger } from 'pino';

/** One worker process. */
export interface Taker {
  readonly worker: number;
  /** It answers with `applied` under the same id, one change after the other. */
  sendChange(id: number, change: ManifestChange): void;
}

interface TakerState {
  /** Ids of changes it has not answered. */
  readonly open: Set<number>;
  /** Under these ids it was given what the node serves already. */
  readonly repeated: Map<number, readonly LinkEntry[]>;
  /** What it could not take over though the node serves it. */
  lacking: readonly LinkEntry[];
  isCurrent: boolean;
}

interface Pending {
  readonly id: number;
  readonly change: ManifestChange;
  readonly answers: Map<Taker, readonly Refusal[]>;
  readonly done: PromiseWithResolvers<readonly Refusal[]>;
  deathCount: number;
}

export class ManifestSpread {
  private readonly served = new EntryMap();
  private revision = 0;
  private readonly takers = new Map<Taker, TakerState>();
  private pending: Pending | null = null;
  private lastId = 0;

  constructor(
    private readonly options: {
      readonly workerCount: number;
      /** The worker can serve everything the node serves. Once per worker. */
      readonly onCurrent: (taker: Taker) => void;
      readonly log: Pick<Logger, 'error'>;
    },
  ) {}

  /** The form of an entry that the node serves. */
  entry(name: EntryName): LinkEntry | undefined {
    return this.served.get(entryKey(name));
  }

  isCurrent(taker: Taker): boolean {
    return this.takers.get(taker)?.isCurrent ?? false;
  }

  /** Resolves with what no worker serves now. One change at a time. */
  apply(change: ManifestChange): Promise<readonly Refusal[]> {
    const done = Promise.withResolvers<readonly Refusal[]>();
    this.pending = { id: ++this.lastId, change, answers: new Map(), done, deathCount: 0 };
    for (const [taker, state] of this.takers) this.send(taker, state, this.pending.id, change);
    return done.promise;
  }

  /** A worker process that serves nothing yet. */
  joined(taker: Taker): void {
    const state: TakerState = { open: new Set(), repeated: new Map(), lacking: [], isCurrent: false };
    this.takers.set(taker, state);
    if (this.served.size > 0) this.repeat(taker, state, [...this.served.values()]);
    if (this.pending !== null) this.send(taker, state, this.pending.id, this.pending.change);
    this.noteCurrent(taker, state);
  }

  applied(taker: Taker, id: number, refusals: readonly Refusal[]): void {
    const state = this.takers.get(taker);
    if (state === undefined || !state.open.delete(id)) return;
    const repeated = state.repeated.get(id);
    if (repeated !== undefined) {
      state.repeated.delete(id);
      this.noteLacking(taker, state, repeated, refusals);
    }
    if (this.pending?.id === id) {
      this.pending.answers.set(taker, refusals);
      this.settle();
    }
    this.noteCurrent(taker, state);
  }

  left(taker: Taker): void {
    const state = this.takers.get(taker);
    if (state === undefined) return;
    this.takers.delete(taker);
    if (this.pending === null) return;
    if (state.open.has(this.pending.id)) this.pending.deathCount++;
    this.settle();
  }

  /** Blobs may be had again: workers that could not take over everything try again. */
  retry(): void {
    for (const [taker, state] of this.takers) {
      const entries = state.lacking.filter((entry) => sameEntry(this.served.get(entryKey(entry)), entry));
      state.lacking = [];
      if (entries.length > 0) this.repeat(taker, state, entries);
    }
  }

  private repeat(taker: Taker, state: TakerState, entries: readonly LinkEntry[], removed: readonly EntryName[] = []): void {
    const id = ++this.lastId;
    state.repeated.set(id, entries);
    this.send(taker, state, id, { revision: this.revision, entries, removed });
  }

  private send(taker: Taker, state: TakerState, id: number, change: ManifestChange): void {
    state.open.add(id);
    taker.sendChange(id, change);
  }

  private noteLacking(taker: Taker, state: TakerState, entries: readonly LinkEntry[], refusals: readonly Refusal[]): void {
    if (refusals.length === 0) return;
    const refused = new Set(refusals.map(entryKey));
    state.lacking = [...state.lacking, ...entries.filter((entry) => refused.has(entryKey(entry)))];
    for (const { kind, id, reason } of refusals) {
      this.options.log.error({ worker: taker.worker, kind, entry: id, reason }, 'a worker cannot serve what the node serves');
    }
  }

  private noteCurrent(taker: Taker, state: TakerState): void {
    if (state.isCurrent || state.open.size > 0) return;
    state.isCurrent = true;
    this.options.onCurrent(taker);
  }

  private settle(): void {
    const { pending } = this;
    if (pending === null) return;
    for (const { open } of this.takers.values()) if (open.has(pending.id)) return;
    if (pending.answers.size === 0 && pending.deathCount <= this.options.workerCount) return; // the next to start tries
    this.pending = null;
    const { change, answers } = pending;
    const refusals = new Map<string, Refusal>();
    if (answers.size === 0) {
      const reason = 'every worker process ended while it took this over';
      for (const { kind, id } of change.entries) refusals.set(entryKey({ kind, id }), { kind, id, reason });
    }
    for (const refused of answers.values()) for (const refusal of refused) refusals.set(entryKey(refusal), refusal);
    for (const [taker, refused] of answers) this.takeBack(taker, refused, refusals);
    this.revision = change.revision;
    for (const name of change.removed) this.served.delete(entryKey(name));
    for (const entry of change.entries) if (!refusals.has(entryKey(entry))) this.served.set(entry);
    pending.done.resolve([...refusals.values()]);
  }

  /** What this worker took and another refused goes back to the form the node serves. */
  private takeBack(taker: Taker, refused: readonly Refusal[], refusals: ReadonlyMap<string, Refusal>): void {
    const state = this.takers.get(taker);
    if (state === undefined || refused.length === refusals.size) return;
    const own = new Set(refused.map(entryKey));
    const entries: LinkEntry[] = [];
    const removed: EntryName[] = [];
    for (const [key, { kind, id }] of refusals) {
      if (own.has(key)) continue;
      const lastGood = this.served.get(key);
      if (lastGood === undefined) removed.push({ kind, id });
      else entries.push(lastGood);
    }
    this.repeat(taker, state, entries, removed);
  }
}
