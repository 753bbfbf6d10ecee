import { entryDigestName, entryDigestText } from '@gatehouse/contracts';
import { SetDigest } from '@gatehouse/kernel';
import { EntryMap } from './entry-map.js';
import { entryKey, kindToWire, sameEntry, type EntryName, type LinkEntry, type Refusal } from './manifest.js';

export type KnownRefusal = Refusal & { readonly revision: number };

/**
 * What the node has: the entries as published, which of them are refused, and the older forms that are served instead. An
 * entry that is not refused is served as published. Every operation costs the entries it is about.
 */
export class EntryTable {
  private readonly published = new EntryMap();
  private readonly refused = new Map<string, KnownRefusal>();
  private readonly olderForms = new Map<string, LinkEntry>();
  private readonly blobUses = new Map<string, number>();
  /** Of the entries as published. */
  readonly digest = new SetDigest();

  /** `onUnused` is told of a blob that no entry refers to any more. */
  constructor(private readonly onUnused: (digest: string) => void) {}

  get size(): number {
    return this.published.size;
  }

  /** As they are now, whatever changes while they are read. */
  get entries(): Iterable<LinkEntry> {
    return this.published.values();
  }

  get lastGood(): Iterable<LinkEntry> {
    return this.olderForms.values();
  }

  get refusals(): ReadonlyMap<string, KnownRefusal> {
    return this.refused;
  }

  has(key: string): boolean {
    return this.published.has(key);
  }

  get(key: string): LinkEntry | undefined {
    return this.published.get(key);
  }

  /** The form that is served, if any. */
  served(key: string): LinkEntry | undefined {
    return this.refused.has(key) ? this.olderForms.get(key) : this.published.get(key);
  }

  lastGoodOf(key: string): LinkEntry | undefined {
    return this.olderForms.get(key);
  }

  usesBlob(digest: string): boolean {
    return this.blobUses.has(digest);
  }

  get blobs(): { has(digest: string): boolean } {
    return this.blobUses;
  }

  /** The entry counts as refused, and its served form as its last good one, until `settle`. */
  publish(entry: LinkEntry): void {
    const key = entryKey(entry);
    const served = this.served(key);
    if (served !== undefined) this.keepOlder(key, served);
    this.refused.set(key, { kind: entry.kind, id: entry.id, revision: entry.revision, reason: 'it is being taken over' });
    this.setPublished(key, entry);
  }

  refuse(key: string, reason: string): void {
    const entry = this.published.get(key);
    if (entry === undefined) return;
    const { kind, id, revision } = entry;
    this.refused.set(key, { kind, id, revision, reason });
  }

  /** The published form is served. */
  settle(key: string): void {
    this.refused.delete(key);
    this.dropLastGoodKey(key);
  }

  /** True when some form of it was served. */
  withdraw(name: EntryName): boolean {
    const key = entryKey(name);
    const wasServed = this.served(key) !== undefined;
    const entry = this.published.get(key);
    if (entry !== undefined) {
      this.published.delete(key);
      this.release(entry.digest);
      this.digest.remove(entryDigestName(kindToWire(entry.kind), entry.id));
    }
    this.settle(key);
    return wasServed;
  }

  /** From the disk: not yet served. */
  restore(entry: LinkEntry): void {
    this.setPublished(entryKey(entry), entry);
  }

  restoreLastGood(entry: LinkEntry): void {
    this.keepOlder(entryKey(entry), entry);
  }

  dropLastGood(name: EntryName): void {
    this.dropLastGoodKey(entryKey(name));
  }

  dropLastGoodKey(key: string): void {
    const entry = this.olderForms.get(key);
    if (entry === undefined) return;
    this.olderForms.delete(key);
    this.release(entry.digest);
  }

  /** Keys of what is there and is not in `keep`. */
  *keysExcept(keep: { has(key: string): boolean }): Generator<string> {
    for (const key of this.published.keys()) if (!keep.has(key)) yield key;
  }

  /** True when the published entry is the one given. */
  isPublished(entry: LinkEntry): boolean {
    return sameEntry(this.published.get(entryKey(entry)), entry);
  }

  private setPublished(key: string, entry: LinkEntry): void {
    this.use(entry.digest);
    this.release(this.published.get(key)?.digest ?? null);
    this.published.set(entry);
    const kind = kindToWire(entry.kind);
    this.digest.put(entryDigestName(kind, entry.id), entryDigestText({ ...entry, kind }));
  }

  private keepOlder(key: string, entry: LinkEntry): void {
    this.use(entry.digest);
    this.release(this.olderForms.get(key)?.digest ?? null);
    this.olderForms.set(key, entry);
  }

  private use(digest: string | null): void {
    if (digest !== null) this.blobUses.set(digest, (this.blobUses.get(digest) ?? 0) + 1);
  }

  private release(digest: string | null): void {
    if (digest === null) return;
    const uses = this.blobUses.get(digest)! - 1;
    if (uses > 0) this.blobUses.set(digest, uses);
    else {
      this.blobUses.delete(digest);
      this.onUnused(digest);
    }
  }
}
