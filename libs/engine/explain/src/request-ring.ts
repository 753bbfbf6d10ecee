/**
 * Bytes of finished requests, newest kept: pages of equal size, each with requests of one tenant in the order they ended.
 *
 *   tenant A   [page][page][page]      a page that is full is followed by another one;
 *   tenant B   [page]                  when there are as many as may be, whoever holds most gives up its oldest
 *
 * So a tenant that holds less than its equal share loses nothing to the others, however busy they are. The bytes are outside of the
 * JavaScript heap: a million small strings would cost every garbage collection.
 */
import { Buffer } from 'node:buffer';

/** Numbers of one record; a cache line. */
export const HEAD_BYTES = 64;

export interface RingOptions {
  /** A multiple of 8. */
  readonly pageBytes: number;
  /** At least 1. With more tenants than pages, the page goes that was written to longest ago. */
  readonly pagesMax: number;
  /** What is older is not found any more, and its page is taken before others. */
  readonly keepMs: number;
}

/** Text grows from the front, heads from the back: `[text, text, ...   free   ..., head 1, head 0]`. */
export class RingPage {
  readonly bytes: Buffer;
  // The same bytes, for heads.
  readonly float64: Float64Array;
  readonly float32: Float32Array;
  readonly uint16: Uint16Array;
  /** Of text, that which waits included. */
  usedBytes = 0;
  headCount = 0;
  newestAtMs = 0;
  /** Text that is not in `bytes` yet: the last of `usedBytes`. Empty: all is. */
  waiting = '';
  /** Long-lived things that records name by number: routes, faults, ids. At most a few per record. */
  readonly things: unknown[] = [];
  private readonly thingIndexes = new Map<unknown, number>();

  constructor(pageBytes: number) {
    // Shared with nobody. V8 counts the memory of other buffers with its heap, and marks the heap more often the more there is of it:
    // in a loop of keyed requests up to once in half a second.
    const bytes = new SharedArrayBuffer(pageBytes);
    this.bytes = Buffer.from(bytes);
    this.float64 = new Float64Array(bytes);
    this.float32 = new Float32Array(bytes);
    this.uint16 = new Uint16Array(bytes);
  }

  /** Between text and heads. */
  get freeBytes(): number {
    return this.bytes.length - this.usedBytes - this.headCount * HEAD_BYTES;
  }

  /** Where the head of that number is; the newest has `headCount - 1`. */
  headAt(index: number): number {
    return this.bytes.length - (index + 1) * HEAD_BYTES;
  }

  writeWaiting(): void {
    const { waiting } = this;
    if (waiting === '') return;
    this.waiting = '';
    this.bytes.write(waiting, this.usedBytes - waiting.length, 'latin1');
  }

  /** Its number in this page. */
  indexOf(thing: unknown): number {
    const known = this.thingIndexes.get(thing);
    if (known !== undefined) return known;
    this.thingIndexes.set(thing, this.things.length);
    return this.things.push(thing) - 1;
  }

  clear(): void {
    this.usedBytes = 0;
    this.headCount = 0;
    this.newestAtMs = 0;
    this.waiting = '';
    this.things.length = 0;
    this.thingIndexes.clear();
  }
}

/** The pages of one tenant, oldest first. */
export class RingShelf {
  readonly pages: RingPage[] = [];
  /** It lost its last page and is forgotten: whoever holds it asks for the tenant's shelf anew. */
  isForgotten = false;

  constructor(readonly tenant: string) {}
}

export class RequestRing {
  private readonly shelves = new Map<string, RingShelf>();
  private pageCount = 0;

  constructor(private readonly options: RingOptions) {}

  get bytes(): number {
    return this.pageCount * this.options.pageBytes;
  }

  shelfOf(tenant: string): RingShelf {
    let shelf = this.shelves.get(tenant);
    if (shelf === undefined) this.shelves.set(tenant, (shelf = new RingShelf(tenant)));
    return shelf;
  }

  /** The page for a record with a head and so much text; `null` for one that fits into no page. */
  reserve(shelf: RingShelf, textBytes: number, nowMs: number): RingPage | null {
    const { pageBytes } = this.options;
    const { pages } = shelf;
    const length = HEAD_BYTES + textBytes;
    if (pages.length > 0) {
      const last = pages[pages.length - 1]!;
      if (last.freeBytes >= length) return last;
    }
    if (length > pageBytes) return null;
    const page = this.freePage(nowMs);
    pages.push(page);
    if (shelf.isForgotten) {
      shelf.isForgotten = false;
      this.shelves.set(shelf.tenant, shelf);
    }
    return page;
  }

  /** Newest first; without those that are too old. */
  pagesOf(tenant: string, nowMs: number): RingPage[] {
    const oldestAtMs = nowMs - this.options.keepMs;
    return (this.shelves.get(tenant)?.pages ?? []).filter((page) => page.newestAtMs >= oldestAtMs).reverse();
  }

  /** Once per page, that is once in some hundred requests: it may look at every shelf. */
  private freePage(nowMs: number): RingPage {
    if (this.pageCount < this.options.pagesMax) {
      this.pageCount++;
      return new RingPage(this.options.pageBytes);
    }
    const shelf = this.shelfToTakeFrom(nowMs - this.options.keepMs);
    const page = shelf.pages.shift()!;
    if (shelf.pages.length === 0) {
      shelf.isForgotten = true;
      this.shelves.delete(shelf.tenant);
    }
    page.clear();
    return page;
  }

  private shelfToTakeFrom(oldestAtMs: number): RingShelf {
    let chosen: RingShelf | null = null;
    for (const shelf of this.shelves.values()) {
      const { pages } = shelf;
      if (pages.length === 0) continue;
      if (pages[0]!.newestAtMs < oldestAtMs) return shelf;
      if (chosen === null || pages.length > chosen.pages.length) chosen = shelf;
      else if (pages.length === chosen.pages.length && pages[0]!.newestAtMs < chosen.pages[0]!.newestAtMs) chosen = shelf;
    }
    return chosen!;
  }
}
