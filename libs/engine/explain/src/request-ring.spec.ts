import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HEAD_BYTES, RequestRing, type RingOptions } from './request-ring.js';

/** Room for four records. */
const PAGE_BYTES = 4 * (HEAD_BYTES + 16);
const OPTIONS: RingOptions = { pageBytes: PAGE_BYTES, pagesMax: 4, keepMs: 1_000 };

/** Records of a head, which begins with their name, and 16 bytes of text. */
class Written {
  readonly ring: RequestRing;
  private last = 0;

  constructor(options: Partial<RingOptions> = {}) {
    this.ring = new RequestRing({ ...OPTIONS, ...options });
  }

  write(tenant: string, nowMs = this.last): number {
    const page = this.ring.reserve(this.ring.shelfOf(tenant), 16, nowMs)!;
    const id = ++this.last;
    page.uint16[page.headAt(page.headCount++) >> 1] = id;
    page.usedBytes += 16;
    page.newestAtMs = nowMs;
    return id;
  }

  /** Newest first. */
  idsOf(tenant: string, nowMs = this.last): number[] {
    return this.ring.pagesOf(tenant, nowMs).flatMap((page) => {
      const ids = Array.from({ length: page.headCount }, (_, i) => page.uint16[page.headAt(i) >> 1]!);
      return ids.reverse();
    });
  }
}

test('of one tenant the newest stay, page by page', () => {
  const written = new Written();
  for (let i = 0; i < 20; i++) written.write('a');
  expect(written.idsOf('a')).toEqual([20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5]);
});

test('an idle ring has no memory, and a full one what it may have', () => {
  const written = new Written();
  expect(written.ring.bytes).toBe(0);
  for (let i = 0; i < 100; i++) written.write('a');
  expect(written.ring.bytes).toBe(4 * PAGE_BYTES);
});

test('a busy tenant takes nothing from one that holds less than its share', () => {
  const written = new Written({ keepMs: 1e9 });
  const quiet = [written.write('quiet'), written.write('quiet')];
  for (let i = 0; i < 1_000; i++) written.write('busy');
  expect(written.idsOf('quiet')).toEqual(quiet.reverse());
});

test('with more tenants than pages, the one that was heard of longest ago is forgotten, and may come again', () => {
  const written = new Written();
  for (const tenant of ['a', 'b', 'c', 'd', 'e']) written.write(tenant);
  expect(written.idsOf('a')).toEqual([]);
  const again = written.write('a');
  expect([written.idsOf('a'), written.idsOf('b'), written.idsOf('c')]).toEqual([[again], [], [3]]);
});

test('a shelf that was forgotten while somebody held it serves its tenant again', () => {
  const written = new Written({ pagesMax: 1 });
  const held = written.ring.shelfOf('a');
  written.write('a');
  written.write('b');
  expect(held.isForgotten).toBe(true);
  const page = written.ring.reserve(held, 16, 5)!;
  page.usedBytes += 16;
  page.headCount++;
  page.newestAtMs = 5;
  expect(written.ring.pagesOf('a', 5)).toEqual([page]);
});

test('what is too old is not found, and its page goes first', () => {
  const written = new Written({ pagesMax: 2 });
  written.write('old', 1);
  for (let i = 0; i < 4; i++) written.write('a', 2_000);
  expect(written.idsOf('old', 2_000)).toEqual([]);
  const ninth = Array.from({ length: 4 }, () => written.write('a', 2_000));
  expect(written.idsOf('a', 2_000)).toEqual([...ninth.reverse(), 5, 4, 3, 2]);
});

test('a record longer than a page is refused', () => {
  const { ring } = new Written();
  expect(ring.reserve(ring.shelfOf('a'), PAGE_BYTES - HEAD_BYTES + 1, 0)).toBeNull();
});

test('whatever comes, the bound holds, each tenant has its newest without a gap, and its share is its own', () => {
  const options = { pageBytes: PAGE_BYTES, pagesMax: 6, keepMs: 1e9 };
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'busy', 'busy', 'busy'), { maxLength: 300 }), (tenants) => {
      const written = new Written(options);
      const all = new Map<string, number[]>();
      for (const tenant of tenants) {
        all.set(tenant, [written.write(tenant), ...(all.get(tenant) ?? [])]);
        expect(written.ring.bytes).toBeLessThanOrEqual(6 * PAGE_BYTES);
      }
      const sharePages = Math.floor(6 / all.size);
      for (const [tenant, ids] of all) {
        const kept = written.idsOf(tenant);
        expect(kept).toEqual(ids.slice(0, kept.length));
        // The newest page of a share may hold a single record.
        const sure = Math.min(ids.length, (sharePages - 1) * 4 + 1);
        expect(kept.length).toBeGreaterThanOrEqual(sure);
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});
