import type { ManifestEntry } from '@gatehouse/domain';

/** What was published lately, oldest first: a node that is a little behind is told from here and not from the database. */
export class RecentChanges {
  private entries: ManifestEntry[] = [];
  private chars = 0;
  /** Everything above this revision is here. */
  private from = 0;

  constructor(
    private readonly entriesMax = 2_000,
    private readonly charsMax = 16 * 1024 * 1024,
  ) {}

  /** Forgets everything; what comes is above `revision`. */
  reset(revision: number): void {
    this.entries = [];
    this.chars = 0;
    this.from = revision;
  }

  add(changes: readonly ManifestEntry[]): void {
    for (const entry of changes) {
      this.entries.push(entry);
      this.chars += sizeOf(entry);
    }
    if (this.entries.length <= this.entriesMax && this.chars <= this.charsMax) return;
    // Down to half at once, so that the array is not moved at every change.
    let dropped = 0;
    while (this.entries.length - dropped > this.entriesMax / 2 || this.chars > this.charsMax / 2) {
      const entry = this.entries[dropped++];
      if (entry === undefined) break;
      this.chars -= sizeOf(entry);
      this.from = entry.revision;
    }
    this.entries = this.entries.slice(dropped);
  }

  /** The newest form of each entry that changed above `revision`, ascending; `null` when that is too far back. */
  since(revision: number): ManifestEntry[] | null {
    if (revision < this.from) return null;
    const newest = new Map<string, ManifestEntry>();
    for (let index = this.firstAbove(revision); index < this.entries.length; index++) {
      const entry = this.entries[index]!;
      const key = `${entry.kind} ${entry.id}`;
      newest.delete(key); // so that the order is that of the revisions
      newest.set(key, entry);
    }
    return [...newest.values()];
  }

  private firstAbove(revision: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entries[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A guess at what an entry holds besides its inline part. */
const ENTRY_CHARS = 200;
const sizeOf = (entry: ManifestEntry): number => ENTRY_CHARS + (entry.content?.inline.length ?? 0);
