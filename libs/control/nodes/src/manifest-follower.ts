/**
 * Follows what is published, once for all streams of this control plane: takes each change as the database tells it, or reads it when
 * something was not told, keeps the latest ones for the streams, and keeps a set digest per view up to date with them.
 *
 * A view is what nodes of one role are sent. Its digest is built in the background when its first node connects, by
 * reading all its entries in slices; after that a comparison with a node reads nothing.
 */
import { entryDigestName, entryDigestText, EntryKind as WireKind } from '@gatehouse/contracts';
import { entryForPool, type EntryKind, type ManifestEntry, type ManifestLog, type NodeRecord } from '@gatehouse/domain';
import { SetDigest, type Clock } from '@gatehouse/kernel';
import type { NodesLog } from './log.js';
import { KINDS_OF_ROLE, type SealFields } from './node-link.wire.js';
import { RecentChanges } from './recent-changes.js';
import type { SealSigner } from './seal-signer.js';

export interface ViewName {
  readonly role: NodeRecord['role'];
  readonly kinds: readonly EntryKind[];
  readonly pool: string;
}

export interface FollowerDependencies {
  readonly manifest: ManifestLog;
  readonly signer: SealSigner | null;
  readonly clock: Clock;
  readonly log: NodesLog;
  /** The newest revision changed. */
  readonly onAdvanced: () => void;
}

const ALL_KINDS = Object.values(KINDS_OF_ROLE).flat();
/** Entries per read of a whole view. */
export const SLICE_ENTRIES = 5_000;
/** Publications that wait to be taken over; with more of them reading is as good. */
const TOLD_MAX = 1_000;
/** A seal is signed again, with the present time, after this. */
const SEAL_FRESH_MS = 20_000;

export class ManifestFollower {
  /** Of the newest change that was read. */
  revision = 0;
  readonly recent = new RecentChanges();
  private readonly views = new Map<string, ManifestView>();
  private reading: Promise<void> | null = null;
  private isStale = false;
  private isStarted = false;
  /** What commits published, as it was told, and is not taken over yet; `null` when something was missed. */
  private told: (readonly ManifestEntry[])[] | null = [];

  constructor(private readonly dependencies: FollowerDependencies) {}

  /** What one commit published; `null`: there is something to read. */
  hear(entries: readonly ManifestEntry[] | null): void {
    if (entries === null || this.told === null || this.told.length === TOLD_MAX) this.told = null;
    else this.told.push(entries);
  }

  /** Takes over what was told, never half of a commit; reads only when that is not all that there is. */
  catchUp(): Promise<void> {
    const told = this.told;
    this.told = [];
    if (told === null || this.reading !== null || !this.isStarted) return this.refresh();
    const news: ManifestEntry[] = [];
    for (const entries of told) {
      const next = this.revision + news.length + 1;
      if (entries.at(-1)!.revision < next) continue; // it came before
      // Revisions have no gaps: what follows the newest known one step by step is everything.
      if (entries.some(({ revision }, index) => revision !== next + index)) return this.refresh();
      news.push(...entries);
    }
    if (news.length > 0) {
      this.takeOver(news);
      this.dependencies.onAdvanced();
    }
    return Promise.resolve();
  }

  /** Reads what was published since the last time; calls that come meanwhile share the next read. Rejects when the database is away. */
  refresh(): Promise<void> {
    this.isStale = true;
    this.reading ??= this.readWhileStale().finally(() => (this.reading = null));
    return this.reading;
  }

  /** Resolves when everything up to `revision` was read. */
  async reach(revision: number): Promise<void> {
    while (this.revision < revision) {
      const before = this.revision;
      await this.refresh();
      if (this.revision <= before) return; // the database was restored to an earlier state
    }
  }

  view(name: ViewName): ManifestView {
    const key = `${name.role} ${[...name.kinds].sort().join()} ${name.pool}`;
    let view = this.views.get(key);
    if (view === undefined) {
      view = new ManifestView(name, this, this.dependencies);
      this.views.set(key, view);
      view.build();
    }
    return view;
  }

  /** What changed above `since`, and the revision that leads to; `null` when everything must be told. */
  async changesSince(since: number, view: ManifestView): Promise<{ entries: ManifestEntry[]; revision: number } | null> {
    const { revision } = this;
    if (since > revision) return null;
    const recent = this.recent.since(since);
    if (recent !== null) return { entries: view.select(recent), revision };
    const entries = await this.dependencies.manifest.since(since, view.name.kinds);
    if (entries === null) return null;
    // They may hold more than up to the revision before the read, never less.
    const last = entries.at(-1)?.revision ?? 0;
    await this.reach(last);
    return { entries: view.select(entries), revision: Math.max(revision, last) };
  }

  private async readWhileStale(): Promise<void> {
    while (this.isStale) {
      this.isStale = false;
      const before = this.revision;
      if (this.isStarted) await this.readChanges();
      else await this.startAt(await this.dependencies.manifest.head());
      if (this.revision !== before) this.dependencies.onAdvanced();
    }
  }

  private async readChanges(): Promise<void> {
    const changes = await this.dependencies.manifest.since(this.revision, ALL_KINDS);
    // Away for longer than removals are kept, or the database was restored: nothing that was known counts any more.
    if (changes === null) return this.startAt(await this.dependencies.manifest.head());
    if (changes.length > 0) this.takeOver(changes);
  }

  private takeOver(changes: readonly ManifestEntry[]): void {
    this.recent.add(changes);
    for (const view of this.views.values()) view.add(changes);
    this.revision = changes.at(-1)!.revision;
  }

  private async startAt(revision: number): Promise<void> {
    this.isStarted = true;
    this.recent.reset(revision);
    this.revision = revision;
    for (const view of this.views.values()) view.build();
  }
}

/** What nodes of one role, kinds and pool are sent, as one digest. */
export class ManifestView {
  /** `null` while it is built. */
  private digest: SetDigest | null = null;
  private sealed: SealFields | null = null;
  private readonly waitingForDigest = new Set<() => void>();
  /** Counts builds: an earlier one that is still under way is given up. */
  private buildNumber = 0;

  constructor(
    readonly name: ViewName,
    private readonly follower: ManifestFollower,
    private readonly dependencies: FollowerDependencies,
  ) {}

  /** What nodes of this view are told of these entries. */
  select(entries: readonly ManifestEntry[]): ManifestEntry[] {
    const { kinds, pool } = this.name;
    const selected: ManifestEntry[] = [];
    for (const entry of entries) {
      const told = kinds.includes(entry.kind) ? entryForPool(entry, pool) : null;
      if (told !== null) selected.push(told);
    }
    return selected;
  }

  /** Of the newest state; `null` while the digest is built, or when the follower is not at this revision. */
  sealAt(revision: number): SealFields | null {
    if (this.digest === null || revision !== this.follower.revision) return null;
    const nowMs = this.dependencies.clock.nowMs();
    if (this.sealed?.revision === revision && Math.abs(nowMs - this.sealed.sealedAtMs) < SEAL_FRESH_MS) return this.sealed;
    const statement = { ...this.name, revision, root: this.digest.root(), sealedAtMs: nowMs };
    this.sealed = {
      revision,
      root: statement.root,
      sealedAtMs: nowMs,
      signature: this.dependencies.signer?.sign(statement) ?? new Uint8Array(),
    };
    return this.sealed;
  }

  /** Calls back once, when `sealAt` has something to say (again). */
  whenBuilt(tell: () => void): void {
    this.waitingForDigest.add(tell);
  }

  bucketDigests(): Buffer | null {
    return this.digest?.shortBucketDigests() ?? null;
  }

  add(changes: readonly ManifestEntry[]): void {
    if (this.digest !== null) this.addTo(this.digest, changes);
  }

  build(): void {
    this.digest = null;
    const number = ++this.buildNumber;
    this.read(number).catch((cause) => {
      if (number !== this.buildNumber) return;
      this.dependencies.log.error({ err: cause, role: this.name.role }, 'digest of the manifest could not be built');
      setTimeout(() => number === this.buildNumber && this.build(), 5_000).unref();
    });
  }

  private async read(number: number): Promise<void> {
    const { manifest } = this.dependencies;
    const from = this.follower.revision;
    const digest = new SetDigest();
    for (let after = 0; ;) {
      const entries = await manifest.page(this.name.kinds, after, SLICE_ENTRIES);
      this.addTo(digest, entries);
      if (entries.length < SLICE_ENTRIES) break;
      after = entries.at(-1)!.revision;
    }
    // The slices were read at different moments, the last one by now.
    await this.follower.reach(await manifest.head());
    if (number !== this.buildNumber) return;
    const changes = this.follower.recent.since(from);
    if (changes === null) return this.build();
    this.addTo(digest, changes);
    this.digest = digest;
    const waiting = [...this.waitingForDigest];
    this.waitingForDigest.clear();
    for (const tell of waiting) tell();
  }

  private addTo(digest: SetDigest, entries: readonly ManifestEntry[]): void {
    for (const { kind, id, tenant, revision, content } of this.select(entries)) {
      const wireKind = WireKind[kind];
      const name = entryDigestName(wireKind, id);
      if (content === null) digest.remove(name);
      else digest.put(name, entryDigestText({ ...content, kind: wireKind, id, tenant, revision }));
    }
  }
}
