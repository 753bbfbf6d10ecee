/**
 * What the node has of the manifest, in memory and on disk, and what of it is served.
 *
 *   update ─> fetch missing blobs ─> apply ─> one line in the change log
 *   disk ───> changes ─────────────> apply                                (at start, before any connection)
 *
 * An entry is published (as the control plane says), and served, or refused: then its last good form, if any, is served
 * until the published one changes. Taking an update over costs what is in it, not what the node has.
 */
import type { Clock } from '@gatehouse/kernel';
import { SetDigest } from '@gatehouse/kernel';
import { entryDigestName } from '@gatehouse/contracts';
import type { StoredChange, StoredSeal } from './change-log.js';
import type { DiskStore } from './disk-store.js';
import { EntryTable, type KnownRefusal } from './entry-table.js';
import {
  entryKey,
  kindToWire,
  nameOfKey,
  type EntryName,
  type GetBlob,
  type LinkEntry,
  type LinkLog,
  type ManifestChange,
  type Refusal,
} from './manifest.js';

export interface ManifestUpdate {
  readonly revision: number;
  /** By entry key; an entry of `null` is a removal. */
  readonly changes: ReadonlyMap<string, { readonly name: EntryName; readonly entry: LinkEntry | null }>;
  /** What is to go unless `changes` names it: everything, what is in these buckets of the set digest, or nothing. */
  readonly replaces: 'everything' | 'nothing' | ReadonlySet<number>;
  readonly seal: StoredSeal | null;
}

export interface KeeperDependencies {
  readonly store: DiskStore;
  readonly apply: (change: ManifestChange, getBlob: GetBlob) => Promise<readonly Refusal[]> | readonly Refusal[];
  readonly getBlob: GetBlob;
  /** Brings a blob into the disk store; false when it cannot be had. Rejects when the stream ends first. */
  readonly fetchBlob: (digest: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: LinkLog;
}

/** How long a blob that nothing refers to any more stays for requests that are about to link it. */
const UNREFERENCED_BLOB_MS = 60_000;
/** An update of more entries than this is written as a new file: one line would hold too much of it at once. */
const LOGGED_ENTRIES_MAX = 5_000;
/** API keys of one change at start: a million take half a gigabyte as objects. On most nodes it is one change all the same. */
const KEYS_AT_ONCE = 50_000;

export class ManifestKeeper {
  private readonly table = new EntryTable((digest) => {
    this.unreferencedSinceMs.delete(digest); // the oldest first
    this.unreferencedSinceMs.set(digest, this.dependencies.clock.nowMs());
  });
  /** Digests whose bytes were absent or damaged when they were needed. */
  private readonly lacking = new Set<string>();
  private readonly unreferencedSinceMs = new Map<string, number>();
  private sealOfState: StoredSeal | null = null;
  private isClosed = false;
  revision = 0;
  /** A whole manifest was taken over. */
  isComplete = false;

  constructor(private readonly dependencies: KeeperDependencies) {}

  get entryCount(): number {
    return this.table.size;
  }

  get entries(): Iterable<LinkEntry> {
    return this.table.entries;
  }

  get refusals(): ReadonlyMap<string, KnownRefusal> {
    return this.table.refusals;
  }

  /** Over the entries as published. */
  get digest(): Pick<SetDigest, 'root' | 'differingBuckets'> {
    return this.table.digest;
  }

  /** The control plane's word on the present state; `null` while there is none. */
  get seal(): StoredSeal | null {
    return this.sealOfState;
  }

  /** Like `sealed`, and keeps the first seal of a state on disk, so that it can be passed on after a restart too. */
  async sealedLater(seal: StoredSeal): Promise<boolean> {
    const isFirst = this.sealOfState === null;
    if (!this.sealed(seal)) return false;
    if (isFirst) await this.persist([], [], []);
    return true;
  }

  /** Keeps the seal if it is of the present state; else nothing. True when the roots agree. */
  private sealed(seal: StoredSeal): boolean {
    if (seal.revision !== this.revision || seal.root !== this.table.digest.root().toString('hex')) return false;
    this.sealOfState = seal;
    return true;
  }

  get isRefusingForLackOfBlobs(): boolean {
    return this.lacking.size > 0 && this.refusedForLackOfBlobs(new Map(), []).length > 0;
  }

  blobIsLacking(digest: string): void {
    this.lacking.add(digest);
  }

  blobIsBack(digest: string): void {
    this.lacking.delete(digest);
  }

  /** Nothing is taken over any more. */
  close(): void {
    this.isClosed = true;
  }

  /** Takes over what the disk store holds. */
  async load(): Promise<void> {
    const { store, log } = this.dependencies;
    for (const change of await store.changes.read()) this.restore(change);
    if (this.isComplete) {
      await this.serveRestored();
      log.info({ revision: this.revision, entries: this.table.size }, 'serving from the disk store');
    }
    await store.removeBlobsExcept(this.table.blobs);
    this.unreferencedSinceMs.clear();
  }

  /** Rejects, with nothing changed, when the stream ends while blobs are fetched. */
  async adopt(update: ManifestUpdate, retriesLacking: boolean, fetchBlob = this.dependencies.fetchBlob): Promise<void> {
    const puts: LinkEntry[] = [];
    for (const { entry } of update.changes.values()) {
      if (entry !== null && !this.table.isPublished(entry)) puts.push(entry);
    }
    const withdrawn = this.namesToWithdraw(update);
    const retried = retriesLacking ? this.refusedForLackOfBlobs(update.changes, withdrawn) : [];
    const absent = await this.fetchMissing([...puts, ...retried], retriesLacking, fetchBlob);
    if (this.isClosed) return;

    const removed = withdrawn.filter((name) => this.table.withdraw(name));
    for (const entry of puts) this.table.publish(entry);
    const present = [...puts, ...retried].filter((entry) => !this.refuseWithoutBlob(entry, absent));
    await this.applyChange(update.revision, present, removed);
    this.revision = update.revision;
    this.isComplete = true;
    this.sealOfState = null;
    if (update.seal !== null) this.sealed(update.seal);
    await this.persist(puts, withdrawn, retried);
  }

  private refusedForLackOfBlobs(changes: ManifestUpdate['changes'], withdrawn: readonly EntryName[]): LinkEntry[] {
    const leaving = new Set(withdrawn.map(entryKey));
    const found: LinkEntry[] = [];
    for (const key of this.table.refusals.keys()) {
      const entry = this.table.get(key)!;
      if (entry.digest !== null && this.lacking.has(entry.digest) && !changes.has(key) && !leaving.has(key)) found.push(entry);
    }
    for (const { name, entry } of changes.values()) {
      if (entry === null || !this.table.isPublished(entry) || !this.table.refusals.has(entryKey(name))) continue;
      if (entry.digest !== null && this.lacking.has(entry.digest)) found.push(entry);
    }
    return found;
  }

  /** Fetches the blobs that are not on disk; returns the digests that could not be had. */
  private async fetchMissing(
    entries: readonly LinkEntry[],
    retriesLacking: boolean,
    fetchBlob: KeeperDependencies['fetchBlob'],
  ): Promise<ReadonlySet<string>> {
    const { store } = this.dependencies;
    // In the midst of a stream every blob on the disk is known here. Earlier ones, and those of siblings, may be there and be nobody's.
    const isDiskKnown = !retriesLacking && fetchBlob === this.dependencies.fetchBlob;
    const missing = new Set<string>();
    for (const { digest, blobBytes } of entries) {
      if (digest === null || missing.has(digest)) continue;
      const isNew = isDiskKnown && !this.table.usesBlob(digest) && !this.unreferencedSinceMs.has(digest);
      if (isNew || this.lacking.has(digest) || !(await store.hasBlob(digest, blobBytes))) missing.add(digest);
    }
    // Also those of entries that are served from memory: the next link would need them.
    if (retriesLacking) for (const digest of this.lacking) if (this.table.usesBlob(digest)) missing.add(digest);
    const absent = new Set<string>();
    await Promise.all(
      [...missing].map(async (digest) => {
        if (await fetchBlob(digest)) this.lacking.delete(digest);
        else {
          this.lacking.add(digest);
          absent.add(digest);
        }
      }),
    );
    return absent;
  }

  private namesToWithdraw({ changes, replaces }: ManifestUpdate): EntryName[] {
    const names: EntryName[] = [];
    for (const [key, { name, entry }] of changes) if (entry === null && this.table.has(key)) names.push(name);
    if (replaces === 'nothing') return names;
    for (const key of this.table.keysExcept(changes)) {
      const { kind, id } = nameOfKey(key);
      const isReplaced = replaces === 'everything' || replaces.has(SetDigest.bucketOf(entryDigestName(kindToWire(kind), id)));
      if (isReplaced) names.push({ kind, id });
    }
    return names;
  }

  private refuseWithoutBlob(entry: LinkEntry, absent: ReadonlySet<string>): boolean {
    if (entry.digest === null || !absent.has(entry.digest)) return false;
    this.refuse(entry, `blob ${entry.digest} is not available`);
    return true;
  }

  private refuse({ kind, id }: EntryName, reason: string): void {
    const key = entryKey({ kind, id });
    this.table.refuse(key, reason);
    const revision = this.table.get(key)?.revision;
    if (revision !== undefined) this.dependencies.log.error({ kind, entry: id, revision, reason }, 'manifest entry refused');
  }

  private async applyChange(revision: number, entries: readonly LinkEntry[], removed: readonly EntryName[]): Promise<void> {
    const refused = await this.tryApply(revision, entries, removed);
    for (const entry of entries) {
      const key = entryKey(entry);
      const reason = refused.get(key);
      if (reason === undefined) this.table.settle(key);
      else this.refuse(entry, reason);
    }
  }

  /** Reasons by key. */
  private async tryApply(
    revision: number,
    entries: readonly LinkEntry[],
    removed: readonly EntryName[],
  ): Promise<ReadonlyMap<string, string>> {
    if (entries.length === 0 && removed.length === 0) return new Map();
    const { apply, getBlob, log } = this.dependencies;
    try {
      const refusals = await apply({ revision, entries, removed }, getBlob);
      return new Map(refusals.map((refusal) => [entryKey(refusal), refusal.reason]));
    } catch (cause) {
      log.error({ err: cause, revision }, 'applying a manifest failed');
      return new Map(entries.map((entry) => [entryKey(entry), `internal error: ${(cause as Error).message}`]));
    }
  }

  private async persist(
    puts: readonly LinkEntry[],
    withdrawn: readonly EntryName[],
    retried: readonly LinkEntry[],
  ): Promise<void> {
    const { changes } = this.dependencies.store;
    const state = { revision: this.revision, seal: this.sealOfState };
    try {
      if (changes.needsRewrite || puts.length + withdrawn.length > LOGGED_ENTRIES_MAX) {
        await changes.rewrite({ ...state, entries: this.table.entries, lastGood: [...this.table.lastGood] });
      } else {
        const lastGood = [...puts, ...retried].map((entry) => this.table.lastGoodOf(entryKey(entry)));
        await changes.append({
          ...state,
          entries: puts,
          removed: withdrawn,
          lastGood: lastGood.filter((entry) => entry !== undefined),
          settled: retried.filter((entry) => !this.table.refusals.has(entryKey(entry))).map(({ kind, id }) => ({ kind, id })),
        });
      }
      await this.removeUnreferencedBlobs();
    } catch (cause) {
      // Served from memory all the same; a restart starts from the state before and asks for the difference.
      this.dependencies.log.error({ err: cause, revision: this.revision }, 'manifest could not be written to disk');
    }
  }

  /** After a disk that was full has room again. */
  async catchUpOnDisk(): Promise<void> {
    if (this.isComplete && this.dependencies.store.changes.isBehind) await this.persist([], [], []);
  }

  private async removeUnreferencedBlobs(): Promise<void> {
    const nowMs = this.dependencies.clock.nowMs();
    for (const [digest, sinceMs] of this.unreferencedSinceMs) {
      if (nowMs - sinceMs < UNREFERENCED_BLOB_MS) return; // and what follows is younger: there may be thousands
      this.unreferencedSinceMs.delete(digest);
      if (this.table.usesBlob(digest)) continue;
      this.lacking.delete(digest);
      await this.dependencies.store.removeBlob(digest);
    }
  }

  private restore({ entries, removed, lastGood, settled, seal, revision }: StoredChange): void {
    for (const name of removed) this.table.withdraw(name);
    for (const entry of entries) {
      this.table.dropLastGood(entry);
      this.table.restore(entry);
    }
    for (const name of settled) this.table.dropLastGood(name);
    for (const entry of lastGood) this.table.restoreLastGood(entry);
    this.revision = revision;
    this.sealOfState = seal;
    this.isComplete = true;
  }

  private async serveRestored(): Promise<void> {
    let portion: LinkEntry[] = [];
    let keyCount = 0;
    for (const entry of this.table.entries) {
      if (entry.digest !== null && !(await this.isWhole(entry.digest, entry))) continue;
      portion.push(entry);
      if (entry.kind !== 'API_KEY' || ++keyCount % KEYS_AT_ONCE > 0) continue;
      await this.applyChange(this.revision, portion, []);
      portion = [];
    }
    await this.applyChange(this.revision, portion, []);
    // New software may take over what the old one refused; where it does not, the last good form is served again.
    const fallBack = [...this.table.refusals.keys()]
      .map((key) => this.table.lastGoodOf(key))
      .filter((entry) => entry !== undefined);
    for (const key of (await this.tryApply(this.revision, fallBack, [])).keys()) this.table.dropLastGoodKey(key);
  }

  /** An entry whose blob is not on disk is refused. */
  private async isWhole(digest: string, entry: LinkEntry): Promise<boolean> {
    if (await this.dependencies.store.hasBlob(digest, entry.blobBytes)) return true;
    this.lacking.add(digest);
    this.refuse(entry, `blob ${digest} is not on disk`);
    return false;
  }
}
