import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressRing, type UpstreamAddress } from './address-ring.js';
import { CONNECT_FAILED, RESET } from './failure-kinds.js';
import { upstreamSettings, type EjectionSettings } from './index.js';

const START_MS = 1_000_000;
const settings = upstreamSettings({
  ejection: { consecutiveFailuresMax: 3, baseMs: 1_000, maxMs: 8_000, jitterShare: 0, shareMax: 0.5 },
}).ejection;
const listOf = (count: number) => Array.from({ length: count }, (_, i) => ({ address: `192.0.2.${i}`, family: 4 as const }));

function ringOf(count: number, overrides: Partial<EjectionSettings> = {}, random = () => 0): AddressRing {
  const ring = new AddressRing({ ...settings, ...overrides }, random);
  ring.replace(listOf(count), 80, START_MS);
  return ring;
}

const fail = (ring: AddressRing, index: number, times: number, nowMs = START_MS): void => {
  for (let i = 0; i < times; i++) ring.failed(ring.addresses[index]!, RESET, nowMs);
};
const work = (ring: AddressRing): void => ring.addresses.forEach((address) => ring.succeeded(address));
const ejected = (ring: AddressRing): number[] => ring.addresses.flatMap(({ isEjected }, i) => (isEjected ? [i] : []));
const used = (ring: AddressRing, nowMs: number, calls = 20): string[] =>
  [...new Set(Array.from({ length: calls }, () => ring.next(nowMs, null)!.address))].sort();

describe('addresses in turn', () => {
  test('each gets its share', () => {
    const ring = ringOf(3);
    const turns = Array.from({ length: 6 }, () => ring.next(START_MS, null)!.address.slice(-1)).join('');
    expect('012012012').toContain(turns);
  });

  test('a node starts anywhere', () => {
    const first = (random: number) => ringOf(4, {}, () => random).next(START_MS, null)!.address;
    expect(new Set([0, 0.3, 0.6, 0.9].map(first)).size).toBe(4);
  });

  test('another one than the one that failed, if there is one', () => {
    const two = ringOf(2);
    for (const address of two.addresses) expect(two.next(START_MS, address)).not.toBe(address);
    const one = ringOf(1);
    expect(one.next(START_MS, one.addresses[0]!)).toBeNull();
  });
});

describe('an address is ejected', () => {
  for (const [name, run, expected] of [
    ['after failures in a row', (ring: AddressRing) => fail(ring, 1, 3), [1]],
    ['not before', (ring: AddressRing) => fail(ring, 1, 2), []],
    [
      'not when a success came between',
      (ring: AddressRing) => {
        fail(ring, 1, 2);
        ring.succeeded(ring.addresses[1]!);
        fail(ring, 1, 2);
      },
      [],
    ],
    [
      'at once when it never worked and cannot be connected to',
      (ring: AddressRing) => ring.failed(ring.addresses[2]!, CONNECT_FAILED, START_MS),
      [2],
    ],
    [
      'not at once when it has worked before',
      (ring: AddressRing) => {
        work(ring);
        ring.failed(ring.addresses[2]!, CONNECT_FAILED, START_MS);
      },
      [],
    ],
    ['only as long as the share allows', (ring: AddressRing) => [0, 1, 2, 3].forEach((index) => fail(ring, index, 9)), [0, 1]],
  ] as const) {
    test(name, () => {
      const ring = ringOf(4);
      run(ring);
      expect(ejected(ring)).toEqual(expected);
    });
  }

  for (const [count, shareMax, expected] of [
    [1, 0.5, 0],
    [1, 1, 0],
    [2, 0.5, 1],
    [2, 1, 1],
    [3, 0.5, 1],
    [4, 0.1, 0],
    [4, 1, 3],
    [4, 0, 0],
  ] as const) {
    test(`of ${count} at most ${expected} with a share of ${shareMax}`, () => {
      const ring = ringOf(count, { shareMax });
      for (let index = 0; index < count; index++) fail(ring, index, 9);
      expect(ring.ejectedCount).toBe(expected);
      expect(used(ring, START_MS)).toHaveLength(count - expected);
    });
  }

  test('for a time that doubles up to its maximum, and starts anew after good conduct', () => {
    const ring = ringOf(2);
    work(ring);
    let nowMs = START_MS;
    const outMs: number[] = [];
    const timeOut = (failures: number): void => {
      fail(ring, 0, failures, nowMs);
      const before = nowMs;
      while (used(ring, nowMs).length < 2) nowMs += 1_000;
      outMs.push(nowMs - before);
    };
    timeOut(3);
    for (let i = 0; i < 4; i++) timeOut(1); // on probation: the first failure is enough
    ring.succeeded(ring.addresses[0]!);
    nowMs += 8_001;
    timeOut(3);
    expect(outMs).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 1_000]);
  });

  test('also when the time of the one that was out is over and no call has noticed yet', () => {
    const ring = ringOf(2);
    fail(ring, 0, 3);
    fail(ring, 1, 3, START_MS + 1_000);
    expect(ejected(ring)).toEqual([1]);
  });

  test('for a time shortened by up to its jitter', () => {
    const ring = ringOf(2, { jitterShare: 0.2 }, () => 0.5);
    fail(ring, 0, 3);
    expect(used(ring, START_MS + 899)).toEqual(['192.0.2.1']);
    expect(used(ring, START_MS + 900)).toHaveLength(2);
  });

  test('for no longer because the clock stepped back', () => {
    const ring = ringOf(2);
    fail(ring, 0, 3);
    expect(used(ring, START_MS - 3_600_000)).toHaveLength(2);
  });

  test('and late reports about it change nothing', () => {
    const ring = ringOf(2);
    fail(ring, 0, 3);
    const { ejectedUntilMs } = ring.addresses[0]!;
    fail(ring, 0, 5, START_MS + 500);
    ring.succeeded(ring.addresses[0]!);
    expect([ejected(ring), ring.addresses[0]!.ejectedUntilMs]).toEqual([[0], ejectedUntilMs]);
  });
});

describe('a name with other addresses', () => {
  test('keeps object and health of those that stay, and marks those that are gone', () => {
    const ring = ringOf(4);
    const before = [...ring.addresses];
    fail(ring, 0, 3);
    ring.replace([...listOf(2), { address: '192.0.2.9', family: 4 }], 80, START_MS);
    expect(ring.addresses.slice(0, 2)).toEqual(before.slice(0, 2));
    expect(ring.addresses[0]).toBe(before[0]);
    expect(before.map(({ isCurrent }) => isCurrent)).toEqual([true, true, false, false]);
    expect(ejected(ring)).toEqual([0]);
  });

  test('brings ejected ones back when they became too large a share', () => {
    const ring = ringOf(4);
    fail(ring, 0, 3, START_MS);
    fail(ring, 1, 3, START_MS + 10);
    ring.replace(listOf(2), 80, START_MS + 20);
    expect(ejected(ring)).toEqual([1]);
    ring.replace(listOf(2).slice(1), 80, START_MS + 20);
    expect(ejected(ring)).toEqual([]);
    expect(ring.next(START_MS + 20, null)!.address).toBe('192.0.2.1');
  });

  test('a failure reported about an address that is gone ejects nobody', () => {
    const ring = ringOf(2);
    const gone = ring.addresses[1]!;
    ring.replace(listOf(1), 80, START_MS);
    for (let i = 0; i < 5; i++) ring.failed(gone, RESET, START_MS);
    expect([gone.isEjected, ring.ejectedCount]).toEqual([false, 0]);
  });
});

/** The same rules, computed from scratch at every question. */
class NaiveRing {
  readonly known = new Map<string, { row: number; worked: boolean; untilMs: number; times: number; out: boolean }>();
  constructor(
    private readonly shareMax: number,
    private list: string[],
  ) {
    this.become(list, START_MS);
  }
  out(nowMs: number): string[] {
    for (const address of this.known.values()) {
      if (address.out && nowMs >= address.untilMs)
        Object.assign(address, { out: false, row: settings.consecutiveFailuresMax - 1 });
    }
    return this.list.filter((name) => this.known.get(name)!.out);
  }
  limit(): number {
    return Math.min(Math.floor(this.list.length * this.shareMax), this.list.length - 1);
  }
  become(list: string[], nowMs: number): void {
    for (const name of this.known.keys()) if (!list.includes(name)) this.known.delete(name);
    for (const name of list) {
      if (!this.known.has(name)) this.known.set(name, { row: 0, worked: false, untilMs: 0, times: 0, out: false });
    }
    this.list = list;
    while (this.out(nowMs).length > Math.max(0, this.limit())) {
      const [first] = this.out(nowMs)
        .map((name) => this.known.get(name)!)
        .sort((left, right) => left.untilMs - right.untilMs);
      Object.assign(first!, { out: false, row: settings.consecutiveFailuresMax - 1 });
    }
  }
  report(name: string, kind: 'worked' | 'broke' | 'unreachable', nowMs: number): void {
    const address = this.known.get(name);
    if (address === undefined || address.out) return;
    if (kind === 'worked') {
      Object.assign(address, { row: 0, worked: true });
      return;
    }
    address.row++;
    if (address.row < settings.consecutiveFailuresMax && !(kind === 'unreachable' && !address.worked)) return;
    if (this.out(nowMs).length >= this.limit()) return;
    if (nowMs - address.untilMs > settings.maxMs) address.times = 0;
    address.untilMs = nowMs + Math.min(settings.maxMs, settings.baseMs * 2 ** address.times);
    address.times++;
    address.out = true;
  }
}

test('whatever is reported: the ejections of the naive ring, never more than the share, never a pick of an ejected one', () => {
  const step = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('call' as const),
        outcome: fc.constantFrom('worked' as const, 'broke' as const, 'broke' as const, 'unreachable' as const),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('failing' as const), which: fc.nat(7) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3_000) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('become' as const),
        list: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 8 }),
      }),
    },
  );
  let ejections = 0;
  fc.assert(
    fc.property(fc.constantFrom(0, 0.3, 0.5, 1), fc.array(step, { maxLength: 150, size: 'max' }), (shareMax, steps) => {
      const ring = ringOf(4, { shareMax });
      const naive = new NaiveRing(
        shareMax,
        listOf(4).map(({ address }) => address),
      );
      let nowMs = START_MS;
      for (const step of steps) {
        if (step.kind === 'wait') nowMs += step.ms;
        else if (step.kind === 'become') {
          const list = listOf(8).filter((_, i) => step.list.includes(i));
          ring.replace(list, 80, nowMs);
          naive.become(
            list.map(({ address }) => address),
            nowMs,
          );
        } else {
          const picked: UpstreamAddress | null = ring.next(nowMs, null);
          expect(picked, 'there is always an address').not.toBeNull();
          expect(naive.out(nowMs), 'picked an ejected address').not.toContain(picked!.address);
          const about = step.kind === 'call' ? picked! : ring.addresses[step.which % ring.addresses.length]!;
          const outcome = step.kind === 'call' ? step.outcome : 'broke';
          if (outcome === 'worked') ring.succeeded(about);
          else ring.failed(about, outcome === 'broke' ? RESET : CONNECT_FAILED, nowMs);
          naive.report(about.address, outcome, nowMs);
        }
        ring.next(nowMs, null); // brings back whose time is over
        const out = ring.addresses.filter(({ isEjected }) => isEjected).map(({ address }) => address);
        expect(out).toEqual(naive.out(nowMs));
        expect(ring.ejectedCount).toBe(out.length);
        expect(out.length).toBeLessThanOrEqual(Math.floor(ring.addresses.length * shareMax));
        ejections += out.length;
      }
      // Recovery: after the longest time out all are in turn again.
      expect(used(ring, nowMs + settings.maxMs)).toHaveLength(ring.addresses.length);
    }),
    { numRuns: 300, seed: 37 },
  );
  expect(ejections).toBeGreaterThan(100);
});
