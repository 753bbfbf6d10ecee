/**
 * Answers in the memory of one process. Bounded by bytes in three ways: a stage by the size of its cache, the process by `bytesMax`, and when
 * that is full, the tenant that holds the most gives way, whoever asks for room.
 *
 * Which answer of a stage goes is SIEVE (Zhang et al., NSDI 2024): new answers come in at one end, a hit sets a mark and moves nothing, and a
 * hand that walks from the oldest to the newest takes the first without a mark and clears the marks it meets. A million keys that are
 * asked for once push out each other, and not what is asked for again.
 *
 *   oldest  <->  ...  <->  hand  <->  ...  <->  newest
 */
import type { CacheScope, ResponseStore, StoredResponse } from './stored-response.js';

/** What one answer costs beside its text and its body: objects, slots of maps, the body's own array buffer. Measured at 0.8 to 1.1 KB. */
export const ENTRY_BYTES = 1_024;
/** Marks that one eviction may clear: it takes the next one then, so that no request pays for a walk through a whole cache. */
const MARKS_CLEARED_MAX = 64;
/** Evictions after which it is asked again who holds the most. */
const EVICTIONS_PER_CHOICE = 32;

class Entry {
  newer: Entry | null = null;
  older: Entry | null = null;
  wasHit = false;

  constructor(
    readonly key: string,
    readonly response: StoredResponse,
    readonly bytes: number,
  ) {}
}

class Shelf {
  readonly entries = new Map<string, Entry>();
  newest: Entry | null = null;
  oldest: Entry | null = null;
  hand: Entry | null = null;
  bytes = 0;
  /** Nothing on it is good after this. */
  lastExpiryMs = -Infinity;

  constructor(
    readonly id: string,
    readonly owner: Owner,
  ) {}
}

class Owner {
  bytes = 0;
  readonly shelves = new Set<Shelf>();

  constructor(readonly tenant: string) {}
}

export class MemoryResponses implements ResponseStore {
  /** By scope; only those that hold something. */
  private readonly shelves = new Map<string, Shelf>();
  private readonly owners = new Map<string, Owner>();
  private heldBytes = 0;
  private evicted = 0;
  private victim: Shelf | null = null;
  private evictionsLeft = 0;

  constructor(private readonly bytesMax: number) {}

  get bytes(): number {
    return this.heldBytes;
  }

  get evictions(): number {
    return this.evicted;
  }

  find(scope: CacheScope, key: string, nowMs: number): StoredResponse | null {
    const shelf = this.shelves.get(scope.id);
    const entry = shelf?.entries.get(key);
    if (entry === undefined) return null;
    if (nowMs >= entry.response.expiresAtMs) {
      this.remove(shelf!, entry);
      return null;
    }
    entry.wasHit = true;
    return entry.response;
  }

  /** An answer to an older question does not take the place of one to a younger. */
  keep(scope: CacheScope, key: string, response: StoredResponse, nowMs: number): boolean {
    const present = this.shelves.get(scope.id);
    const known = present?.entries.get(key);
    if (known !== undefined) {
      if (known.response.startedAtMs > response.startedAtMs && nowMs < known.response.expiresAtMs) return true;
      this.remove(present!, known);
    }
    const bytes = bytesOf(key, response);
    if (bytes > scope.bytesMax || bytes > this.bytesMax) return false;
    this.makeRoom(scope, bytes, nowMs);
    this.add(this.shelfOf(scope), new Entry(key, response, bytes));
    return true;
  }

  /** Gives back what stages hold in which nothing is good any more: nobody may ask them again. Cheap; to be called now and then. */
  sweep(nowMs: number): void {
    for (const shelf of [...this.shelves.values()]) {
      if (nowMs < shelf.lastExpiryMs) continue;
      this.heldBytes -= shelf.bytes;
      shelf.owner.bytes -= shelf.bytes;
      shelf.entries.clear();
      shelf.newest = shelf.oldest = shelf.hand = null;
      shelf.bytes = 0;
      this.forget(shelf);
    }
  }

  private makeRoom(scope: CacheScope, bytes: number, nowMs: number): void {
    for (let shelf = this.shelves.get(scope.id); shelf !== undefined && shelf.bytes > 0;) {
      if (shelf.bytes + bytes <= scope.bytesMax) break;
      this.evict(shelf, nowMs);
    }
    while (this.heldBytes + bytes > this.bytesMax) this.evict(this.chooseVictim(scope.tenant, bytes), nowMs);
  }

  private chooseVictim(tenant: string, incomingBytes: number): Shelf {
    if (this.victim !== null && this.victim.bytes > 0 && this.evictionsLeft-- > 0) return this.victim;
    let largest: Owner | null = null;
    let largestBytes = -1;
    for (const owner of this.owners.values()) {
      const bytes = owner.tenant === tenant ? owner.bytes + incomingBytes : owner.bytes;
      if (bytes <= largestBytes) continue;
      largest = owner;
      largestBytes = bytes;
    }
    let victim: Shelf | null = null;
    for (const shelf of largest!.shelves) if (victim === null || shelf.bytes > victim.bytes) victim = shelf;
    this.evictionsLeft = EVICTIONS_PER_CHOICE;
    return (this.victim = victim!);
  }

  private evict(shelf: Shelf, nowMs: number): void {
    let entry = shelf.hand ?? shelf.oldest!;
    for (let i = 0; i < MARKS_CLEARED_MAX && entry.wasHit && nowMs < entry.response.expiresAtMs; i++) {
      entry.wasHit = false;
      entry = entry.newer ?? shelf.oldest!;
    }
    shelf.hand = entry;
    this.evicted++;
    this.remove(shelf, entry);
  }

  private add(shelf: Shelf, entry: Entry): void {
    shelf.entries.set(entry.key, entry);
    entry.older = shelf.newest;
    if (shelf.newest === null) shelf.oldest = entry;
    else shelf.newest.newer = entry;
    shelf.newest = entry;
    shelf.bytes += entry.bytes;
    shelf.owner.bytes += entry.bytes;
    this.heldBytes += entry.bytes;
    shelf.lastExpiryMs = Math.max(shelf.lastExpiryMs, entry.response.expiresAtMs);
  }

  private remove(shelf: Shelf, entry: Entry): void {
    shelf.entries.delete(entry.key);
    if (shelf.hand === entry) shelf.hand = entry.newer;
    if (entry.older === null) shelf.oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === null) shelf.newest = entry.older;
    else entry.newer.older = entry.older;
    shelf.bytes -= entry.bytes;
    shelf.owner.bytes -= entry.bytes;
    this.heldBytes -= entry.bytes;
    if (shelf.entries.size === 0) this.forget(shelf);
  }

  private shelfOf({ id, tenant }: CacheScope): Shelf {
    const known = this.shelves.get(id);
    if (known !== undefined) return known;
    let owner = this.owners.get(tenant);
    if (owner === undefined) this.owners.set(tenant, (owner = new Owner(tenant)));
    const shelf = new Shelf(id, owner);
    this.shelves.set(id, shelf);
    owner.shelves.add(shelf);
    return shelf;
  }

  private forget(shelf: Shelf): void {
    this.shelves.delete(shelf.id);
    shelf.owner.shelves.delete(shelf);
    if (shelf.owner.shelves.size === 0) this.owners.delete(shelf.owner.tenant);
    if (this.victim === shelf) this.victim = null;
  }
}

/** Of an entry in memory. Headers count twice: as fields, and as the lines that a listener makes of them. */
export function bytesOf(key: string, { block, body, variesOn }: StoredResponse): number {
  let bytes = ENTRY_BYTES + key.length + (body?.length ?? 0);
  for (const field of block.fields) bytes += 2 * field.length;
  for (const name of variesOn) bytes += name.length;
  return bytes;
}
