/**
 * What every LeaseBook must do. Run by the specs of the in-memory fake, of PostgreSQL and of Redis. One book serves all cases and
 * its clock is the server's, so each case takes names of its own and waits for time instead of setting it.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RATE_SHARE_MS, type LeaseBook, type LeaseClaim, type QuotaPage, type QuotaPageState } from './lease-book.js';

let nextName = 0;
const newName = () => `case${process.pid}-${nextName++}`;
const newPage = (): QuotaPage => ({ usagePlanId: newName(), apiKeyId: 'key', periodStart: '2026-01-05' });
const claim = (nodeId: string, fields: Partial<LeaseClaim> = {}): LeaseClaim => ({
  nodeId,
  epoch: 1,
  held: 0,
  counted: 0,
  reported: 0,
  isFinal: false,
  generation: 0,
  ...fields,
});
const figures = ({ lines }: QuotaPageState) =>
  [...lines]
    .map(({ nodeId, epoch, allowed, counted, reported, isFinal }) => ({ nodeId, epoch, allowed, counted, reported, isFinal }))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
const outstanding = ({ lines }: QuotaPageState) => lines.reduce((sum, { allowed }) => sum + allowed, 0);

/** `reopen` gives another client of the same book, as another control plane has. */
export function leaseBookContract(
  name: string,
  open: () => Promise<LeaseBook>,
  reopen: (first: LeaseBook) => Promise<LeaseBook>,
): void {
  describe(name, () => {
    let book: LeaseBook;
    let other: LeaseBook;
    let inAnHour: number;
    beforeAll(async () => {
      book = await open();
      other = await reopen(book);
      inAnHour = (await book.noteQuota(newPage(), claim('a'), Date.now() + 3_600_000)).nowMs + 3_600_000;
    });
    afterAll(async () => {
      if (other !== book) await other.close();
      await book.close();
    });

    describe('a page of a quota', () => {
      test('a claim is remembered and every control plane sees it', async () => {
        const page = newPage();
        await book.noteQuota(page, claim('a', { held: 20, counted: 5, reported: 3 }), inAnHour);
        const seen = await other.noteQuota(page, claim('b', { counted: 1 }), inAnHour);
        expect(figures(seen)).toEqual([
          { nodeId: 'a', epoch: 1, allowed: 20, counted: 5, reported: 3, isFinal: false },
          { nodeId: 'b', epoch: 1, allowed: 0, counted: 1, reported: 0, isFinal: false },
        ]);
        expect(seen.bornAtMs).toBeLessThanOrEqual(seen.nowMs);
      });

      test('an older or repeated claim changes nothing', async () => {
        const page = newPage();
        const newest = await book.noteQuota(page, claim('a', { held: 20, counted: 15, reported: 9 }), inAnHour);
        const after = await other.noteQuota(page, claim('a', { held: 10, counted: 3, reported: 1 }), inAnHour);
        expect(figures(after)).toEqual(figures(newest));
        expect(after.version).toBe(newest.version);
      });

      test('epochs of one node have lines of their own', async () => {
        const page = newPage();
        await book.noteQuota(page, claim('a', { held: 5 }), inAnHour);
        const { lines } = await book.noteQuota(page, claim('a', { epoch: 2 ** 45, held: 7 }), inAnHour);
        expect(lines.map(({ epoch, allowed }) => [epoch, allowed]).sort()).toEqual([
          [1, 5],
          [2 ** 45, 7],
        ]);
      });

      test('a raise is refused once another line was raised since the page was read', async () => {
        const page = newPage();
        await book.noteQuota(page, claim('a'), inAnHour);
        const { version } = await book.noteQuota(page, claim('b'), inAnHour);
        expect(await book.raiseQuota(page, version, { nodeId: 'a', epoch: 1, allowed: 60 }, [])).toBe(true);
        expect(await other.raiseQuota(page, version, { nodeId: 'b', epoch: 1, allowed: 60 }, [])).toBe(false);
        const now = await other.noteQuota(page, claim('b'), inAnHour);
        expect(now.lines.map(({ allowed }) => allowed).sort()).toEqual([0, 60]);
        expect(await other.raiseQuota(page, now.version, { nodeId: 'b', epoch: 1, allowed: 40 }, [])).toBe(true);
      });

      test('a raise is refused once somebody claimed more than the page knew of', async () => {
        const page = newPage();
        const { version } = await book.noteQuota(page, claim('a'), inAnHour);
        await other.noteQuota(page, claim('b', { held: 50 }), inAnHour);
        expect(await book.raiseQuota(page, version, { nodeId: 'a', epoch: 1, allowed: 60 }, [])).toBe(false);
      });

      test('a raise is refused once somebody counted beyond its lease since the page was read', async () => {
        const page = newPage();
        const { version } = await book.noteQuota(page, claim('a'), inAnHour);
        await other.noteQuota(page, claim('b', { counted: 5 }), inAnHour);
        expect(await book.raiseQuota(page, version, { nodeId: 'a', epoch: 1, allowed: 60 }, [])).toBe(false);
      });

      test('what only adds to the sums does not stand in the way of a raise', async () => {
        const page = newPage();
        await book.noteQuota(page, claim('b', { held: 50, counted: 10 }), inAnHour);
        const { version } = await book.noteQuota(page, claim('a'), inAnHour);
        await other.noteQuota(page, claim('b', { held: 50, counted: 30, reported: 20 }), inAnHour);
        expect(await book.raiseQuota(page, version, { nodeId: 'a', epoch: 1, allowed: 60 }, [])).toBe(true);
      });

      test('an epoch that ended keeps what it counted and cannot be raised, by no late message either', async () => {
        const page = newPage();
        await book.noteQuota(page, claim('a', { held: 20, counted: 4, reported: 4, isFinal: true }), inAnHour);
        const after = await other.noteQuota(page, claim('a', { held: 20, counted: 3 }), inAnHour);
        expect(figures(after)).toEqual([{ nodeId: 'a', epoch: 1, allowed: 4, counted: 4, reported: 4, isFinal: true }]);
        expect(await book.raiseQuota(page, after.version, { nodeId: 'a', epoch: 1, allowed: 9 }, [])).toBe(false);
      });

      test('what a node gives back is free, and no message from before takes it again', async () => {
        const page = newPage();
        await book.noteQuota(page, claim('a', { held: 20, counted: 4 }), inAnHour);
        const { version } = await book.noteQuota(page, claim('b'), inAnHour);
        await other.noteQuota(page, claim('a', { held: 5, counted: 4, generation: 1 }), inAnHour);
        const late = await book.noteQuota(page, claim('a', { held: 20, counted: 3 }), inAnHour);
        expect(figures(late).map(({ allowed }) => allowed)).toEqual([5, 0]);
        expect(await book.raiseQuota(page, version, { nodeId: 'b', epoch: 1, allowed: 1 }, []), 'the page changed').toBe(false);
        expect(await book.raiseQuota(page, late.version, { nodeId: 'a', epoch: 1, allowed: 8 }, [])).toBe(true);
        const repeated = await other.noteQuota(page, claim('a', { held: 5, counted: 4, generation: 1 }), inAnHour);
        expect(figures(repeated)[0], 'given back once, not again').toMatchObject({ allowed: 8 });
      });

      test('forgotten lines are gone with the raise that forgets them, and stay when it is refused', async () => {
        const page = newPage();
        await book.noteQuota(page, claim('a', { held: 20 }), inAnHour);
        const { version } = await book.noteQuota(page, claim('b'), inAnHour);
        const forget = [{ nodeId: 'a', epoch: 1 }];
        expect(await book.raiseQuota(page, version - 1, { nodeId: 'b', epoch: 1, allowed: 1 }, forget)).toBe(false);
        expect((await book.noteQuota(page, claim('b'), inAnHour)).lines).toHaveLength(2);
        expect(await book.raiseQuota(page, version, { nodeId: 'b', epoch: 1, allowed: 1 }, forget)).toBe(true);
        expect((await book.noteQuota(page, claim('b'), inAnHour)).lines).toHaveLength(1);
      });

      test('a page that nobody wrote cannot be raised', async () => {
        expect(await book.raiseQuota(newPage(), 0, { nodeId: 'a', epoch: 1, allowed: 1 }, [])).toBe(false);
      });

      test('whoever grants at the same time, grants together stay within the limit', async () => {
        const seeded = { seed: 20, numRuns: 5 };
        const wants = fc.array(fc.record({ node: fc.nat(3), wanted: fc.integer({ min: 1, max: 40 }) }), {
          minLength: 5,
          maxLength: 20,
        });
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: 1, max: 120 }), wants, async (limit, questions) => {
            const page = newPage();
            await Promise.all(
              questions.map(async ({ node, wanted }, index) => {
                const asked = index % 2 === 0 ? book : other;
                const nodeId = `n${node}`;
                const seen = await asked.noteQuota(page, claim(nodeId), inAnHour);
                const own = seen.lines.find((line) => line.nodeId === nodeId)!.allowed;
                const more = Math.min(wanted, limit - outstanding(seen));
                if (more > 0) await asked.raiseQuota(page, seen.version, { nodeId, epoch: 1, allowed: own + more }, []);
              }),
            );
            expect(outstanding(await book.noteQuota(page, claim('n0'), inAnHour))).toBeLessThanOrEqual(limit);
          }),
          seeded,
        );
      });
    });

    test('the largest drained epoch of each node is kept', async () => {
      const [a, b] = [newName(), newName()];
      await book.noteDrained(a, 2 ** 44);
      await other.noteDrained(a, 5);
      await other.noteDrained(b, 7);
      const drained = await book.drained();
      expect([drained.get(a), drained.get(b), drained.get(newName())]).toEqual([2 ** 44, 7, undefined]);
    });

    describe('shares of a rate', () => {
      const ask = async (asked: LeaseBook, nodeId: string, bucket: string, demand: number) =>
        (await asked.shareRates(nodeId, [{ bucket, demand }]))[0]!;

      test('the only node that asks has all of it', async () => {
        expect(await ask(book, 'a', newName(), 3)).toBe(1);
      });

      test('a new node has its part by demand at once, the others shrink with their next question', async () => {
        const bucket = newName();
        expect(await ask(book, 'a', bucket, 10)).toBe(1);
        expect(await ask(other, 'b', bucket, 10)).toBeCloseTo(0.5);
        expect(await ask(book, 'a', bucket, 10)).toBeCloseTo(0.5);
        expect(await ask(other, 'b', bucket, 10)).toBeCloseTo(0.5);
        expect(await ask(other, 'b', bucket, 30), 'a has the rest').toBeCloseTo(0.5);
        expect(await ask(book, 'a', bucket, 10)).toBeCloseTo(0.05 + 0.9 / 4);
        expect(await ask(other, 'b', bucket, 30)).toBeCloseTo(0.05 + (0.9 * 3) / 4);
      });

      test('without new nodes the sum of the shares falls to the whole and stays there, whatever they say they need', async () => {
        const step = fc.record({
          node: fc.nat(3),
          demand: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })),
        });
        const steps = fc.array(step, { minLength: 20, maxLength: 30 });
        await fc.assert(
          fc.asyncProperty(steps, async (schedule) => {
            const bucket = newName();
            const shares = new Map<number, number>();
            const sum = () => [...shares.values()].reduce((total, share) => total + share, 0);
            for (const node of [0, 1, 2, 3]) shares.set(node, await ask(book, `n${node}`, bucket, 10));
            for (const { node, demand } of schedule) {
              const before = sum();
              shares.set(node, await ask(node % 2 === 0 ? book : other, `n${node}`, bucket, demand));
              expect(sum()).toBeLessThanOrEqual(Math.max(1, before) + 1e-9);
            }
            for (let round = 0; round < 5; round++)
              for (const node of [0, 1, 2, 3]) shares.set(node, await ask(other, `n${node}`, bucket, 10 + node));
            expect(sum()).toBeLessThanOrEqual(1.01);
          }),
          { seed: 21, numRuns: 6 },
        );
      });

      test('several demands are answered in their order', async () => {
        const [a, b] = [newName(), newName()];
        await ask(book, 'x', a, 1);
        const shares = await book.shareRates('y', [
          { bucket: a, demand: 1 },
          { bucket: b, demand: 1 },
        ]);
        expect(shares).toEqual([0.5, 1]);
        expect(await book.shareRates('y', [])).toEqual([]);
      });

      test('a node whose callers have just come finds room while the others do not need all of it', async () => {
        const [quiet, busy] = [newName(), newName()];
        for (const node of [0, 1, 2]) await ask(book, `n${node}`, quiet, 0.02);
        expect(await ask(other, 'late', quiet, 0.001)).toBeGreaterThan(0.2);
        for (const node of [0, 1, 2]) await ask(book, `n${node}`, busy, 2);
        expect(await ask(other, 'late', busy, 0.001)).toBeLessThan(0.05);
      });

      test('a share that is not renewed is free for others', { timeout: 20_000 }, async () => {
        const bucket = newName();
        await ask(book, 'a', bucket, 10);
        await expect.poll(() => ask(other, 'b', bucket, 10), { timeout: 4 * RATE_SHARE_MS, interval: 200 }).toBe(1);
      });
    });

    describe('tokens', () => {
      const take = async (asked: LeaseBook, bucket: string, wanted: number, ratePerSecond: number, burst: number) =>
        (await asked.takeTokens([{ bucket, ratePerSecond, burst, wanted }]))[0]!;

      test('over any time no more is taken than the burst and what flowed in', async () => {
        const bucket = newName();
        const startMs = performance.now();
        let taken = 0;
        for (let round = 0; round < 20; round++) taken += await take(round % 2 === 0 ? book : other, bucket, 50, 1_000, 30);
        expect(taken).toBeLessThanOrEqual(30 + performance.now() - startMs + 1);
      });

      test('tokens flow in again', async () => {
        const bucket = newName();
        await expect.poll(() => take(book, bucket, 5, 500, 5), { interval: 5 }).toBeGreaterThan(0);
        await expect.poll(() => take(other, bucket, 5, 500, 5), { interval: 5 }).toBeGreaterThan(0);
      });

      test('nobody gets more than asked for, and a bucket without rate gives nothing', async () => {
        const bucket = newName();
        await expect.poll(() => take(book, bucket, 2, 1_000, 10), { interval: 20 }).toBe(2);
        expect(await take(book, newName(), 5, 0, 10)).toBe(0);
        expect(await take(book, newName(), 0, 1_000, 10)).toBe(0);
      });

      test('several takes are answered in their order', async () => {
        const takes = [0, 1_000].map((ratePerSecond) => ({ bucket: newName(), ratePerSecond, burst: 10, wanted: 1 }));
        await expect.poll(() => book.takeTokens(takes), { interval: 5 }).toEqual([0, 1]);
        expect(await book.takeTokens([])).toEqual([]);
      });
    });

    test('what is over is forgotten, the rest is kept', async () => {
      const [past, present] = [newPage(), newPage()];
      await book.noteQuota(present, claim('a', { held: 9 }), inAnHour);
      await book.noteQuota(past, claim('a', { held: 9 }), inAnHour - 3_700_000);
      await book.ping();
      await book.clean();
      expect((await other.noteQuota(present, claim('b'), inAnHour)).lines).toHaveLength(2);
      expect((await other.noteQuota(past, claim('b'), inAnHour)).lines).toHaveLength(1);
    });
  });
}
