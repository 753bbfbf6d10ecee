import { ManualClock } from '@gatehouse/kernel';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  NAME_FAILED,
  NAME_READY,
  NAME_RESOLVING,
  Resolver,
  ScriptedNameService,
  upstreamSettings,
  type NameAnswer,
  type ResolvedName,
  type UpstreamSettingsOverrides,
} from './index.js';

const HOST = 'api.example.com';
const STATES = ['READY', 'RESOLVING', 'FAILED'];

/** A resolver whose time, timers of lookups included, is moved by hand. */
class Bench {
  readonly clock = new ManualClock();
  readonly names = new ScriptedNameService();
  readonly resolver: Resolver;

  constructor(overrides: UpstreamSettingsOverrides['resolver'] = {}, random = () => 0) {
    const { resolver: settings } = upstreamSettings({ resolver: overrides });
    this.resolver = new Resolver({ names: this.names, settings, clock: this.clock, random });
  }

  check(name: ResolvedName): string {
    return STATES[name.check(this.clock.nowMs())]!;
  }

  /** As a caller: waits if it has to. */
  async use(name: ResolvedName): Promise<string> {
    if (this.check(name) === 'RESOLVING') await name.whenResolved();
    return this.check(name) === 'READY' ? name.addresses.map(({ address }) => address).join(' ') : this.check(name);
  }

  /** Time passes and what is under way in the background goes on. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await vi.advanceTimersByTimeAsync(ms);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a name', () => {
  test('is looked up at its first use, once for all who wait, and then not until its TTL nears its end', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1', '2001:db8::1'], 60_000);
    const name = bench.resolver.name(HOST);
    expect(bench.names.asked).toEqual([]);
    expect(await Promise.all(Array.from({ length: 1_000 }, () => bench.use(name)))).toEqual(
      Array.from({ length: 1_000 }, () => '192.0.2.1 2001:db8::1'),
    );
    await bench.pass(47_999);
    await bench.use(name);
    expect(bench.names.asked).toEqual([HOST]);
  });

  test('in constant use is looked up ahead of its end, and no call ever waits again', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 10_000);
    const name = bench.resolver.name(HOST);
    await bench.use(name);
    for (let ms = 0; ms < 60_000; ms += 100) {
      bench.names.answers(HOST, [ms < 30_000 ? '192.0.2.1' : '192.0.2.2'], 10_000);
      expect(bench.check(name)).toBe('READY');
      await bench.pass(100);
    }
    expect(name.addresses[0]!.address).toBe('192.0.2.2');
    expect(bench.names.asked.length).toBe(8); // one per 8 s of a TTL of 10
  });

  test('in constant use does not wait for a server that hangs either', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 1_000);
    const name = bench.resolver.name(HOST);
    await bench.use(name);
    bench.names.hangs(HOST);
    for (let ms = 0; ms < 20_000; ms += 50) {
      expect(bench.check(name)).toBe('READY');
      await bench.pass(50);
    }
    expect(name.failure).toMatchObject({ code: 'ETIMEOUT' });
  });

  test('that was idle beyond its TTL is looked up before it is used: its old address may be another one by now', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 10_000);
    const name = bench.resolver.name(HOST);
    await bench.use(name);
    await bench.pass(10_000);
    bench.names.answers(HOST, ['192.0.2.2'], 10_000);
    expect(bench.check(name)).toBe('RESOLVING');
    expect(await bench.use(name)).toBe('192.0.2.2');
  });

  test('is the same object for each way to write it, and never looked up if it is an address', async () => {
    const { resolver, names, clock } = new Bench();
    expect(resolver.name('API.example.COM')).toBe(resolver.name(HOST));
    for (const [host, address, family] of [
      ['192.0.2.7', '192.0.2.7', 4],
      ['[2001:db8::7]', '2001:db8::7', 6],
      ['2001:db8::7', '2001:db8::7', 6],
    ] as const) {
      const name = resolver.name(host);
      for (const nowMs of [0, clock.nowMs(), 1e15]) expect(name.check(nowMs)).toBe(NAME_READY);
      expect([name.host, name.addresses]).toEqual([address, [{ address, family }]]);
    }
    expect(names.asked).toEqual([]);
  });
});

describe('a TTL', () => {
  for (const [name, ttlMs, lookups] of [
    ['of 0 counts as a second', 0, 13], // each 0.8 s
    ['of a second is kept', 1_000, 13],
    ['of a week counts as five minutes', 604_800_000, 1],
    ['that is not told counts as 30 seconds', null, 1],
  ] as const) {
    test(name, async () => {
      const bench = new Bench();
      bench.names.answers(HOST, ['192.0.2.1'], ttlMs);
      const resolved = bench.resolver.name(HOST);
      for (let ms = 0; ms <= 10_000; ms += 100) {
        await bench.use(resolved);
        await bench.pass(100);
      }
      expect(bench.names.asked.length).toBe(lookups);
    });
  }

  test('of a week does not keep an address beyond five minutes', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 604_800_000);
    const name = bench.resolver.name(HOST);
    await bench.use(name);
    await bench.pass(300_000);
    expect(bench.check(name)).toBe('RESOLVING');
  });

  test('of 0 with the same addresses in another order is no change', async () => {
    const bench = new Bench();
    const name = bench.resolver.name(HOST);
    for (const addresses of [
      ['192.0.2.1', '192.0.2.2'],
      ['192.0.2.2', '192.0.2.1'],
      ['192.0.2.2', '192.0.2.1', '192.0.2.1'],
    ]) {
      bench.names.answers(HOST, addresses, 0);
      await bench.use(name);
      await bench.pass(1_000);
    }
    expect([bench.names.asked.length, name.version]).toEqual([3, 1]);
  });
});

describe('an answer of 500 records', () => {
  const all = Array.from({ length: 500 }, (_, i) => `198.51.${i >> 8}.${i & 255}`);

  test('is cut, and the addresses in use stay in use when the server turns its answer', async () => {
    const bench = new Bench();
    const name = bench.resolver.name(HOST);
    bench.names.answers(HOST, all, 1_000);
    await bench.use(name);
    const first = name.addresses;
    expect(first).toHaveLength(16);
    await bench.pass(1_000);
    bench.names.answers(HOST, [...all].reverse(), 1_000);
    await bench.use(name);
    expect(name.addresses).toEqual(first);
    await bench.pass(1_000);
    bench.names.answers(HOST, [...all].filter((address) => address !== first[3]!.address).reverse(), 1_000);
    await bench.use(name);
    expect(name.addresses.filter((address) => first.includes(address))).toEqual(first.filter((_, i) => i !== 3));
    expect(name.addresses).toHaveLength(16);
  });

  test('is cut elsewhere by each node, so that the load spreads', async () => {
    const chosen = new Set<string>();
    for (const random of [0, 0.25, 0.5, 0.99]) {
      const bench = new Bench({}, () => random);
      bench.names.answers(HOST, all);
      chosen.add((await bench.use(bench.resolver.name(HOST))).split(' ')[0]!);
    }
    expect(chosen.size).toBe(4);
  });
});

describe('when lookups fail', () => {
  for (const [name, breakIt] of [
    ['with NXDOMAIN', (names: ScriptedNameService) => names.fails(HOST)],
    ['with SERVFAIL', (names: ScriptedNameService) => names.fails(HOST, 'ESERVFAIL')],
    ['without an answer', (names: ScriptedNameService) => names.hangs(HOST)],
    ['with an empty answer', (names: ScriptedNameService) => names.answers(HOST, [])],
  ] as const) {
    test(`${name}: the last good answer is served for an hour, then nothing; and the name recovers`, async () => {
      const bench = new Bench();
      bench.names.answers(HOST, ['192.0.2.1'], 30_000);
      const resolved = bench.resolver.name(HOST);
      await bench.use(resolved);
      breakIt(bench.names);
      for (let ms = 0; ms < 3_600_000; ms += 10_000) {
        expect(await Promise.race([bench.use(resolved), bench.pass(3_000).then(() => bench.use(resolved))])).toBe('192.0.2.1');
        await bench.pass(7_000);
      }
      await bench.pass(1);
      const last = bench.use(resolved);
      await bench.pass(2_000);
      expect(await last).toBe('FAILED');
      expect(resolved.failure).toBeInstanceOf(Error);
      bench.names.answers(HOST, ['192.0.2.2'], 30_000);
      await bench.pass(2_000);
      expect(await bench.use(resolved)).toBe('192.0.2.2');
      expect(resolved.failure).toBeNull();
    });
  }

  test('only the first call after the TTL waits, at most the time limit; the others get the old answer at once', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 1_000);
    const name = bench.resolver.name(HOST);
    await bench.use(name);
    bench.names.hangs(HOST);
    await bench.pass(5_000);
    expect(bench.check(name)).toBe('RESOLVING');
    await bench.pass(2_000);
    for (let ms = 0; ms < 60_000; ms += 100) {
      expect(bench.check(name)).toBe('READY');
      await bench.pass(100);
    }
  });

  test('tries again with growing pauses, however many calls come', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 1_000);
    const name = bench.resolver.name(HOST);
    await bench.use(name);
    bench.names.fails(HOST);
    const pauses: number[] = [];
    let lastMs = bench.clock.nowMs();
    for (let ms = 0; ms < 130_000; ms += 100) {
      await bench.pass(100);
      const before = bench.names.asked.length;
      await bench.use(name);
      if (bench.names.asked.length === before) continue;
      pauses.push(Math.round((bench.clock.nowMs() - lastMs) / 1_000));
      lastMs = bench.clock.nowMs();
    }
    expect(pauses).toEqual([1, 1, 2, 4, 8, 16, 30, 30, 30]);
  });

  test('a name that never resolved fails at once for a while, with its cause, and recovers', async () => {
    const bench = new Bench();
    bench.names.fails(HOST, 'ENOTFOUND');
    const name = bench.resolver.name(HOST);
    expect(await bench.use(name)).toBe('FAILED');
    expect(name.failure).toMatchObject({ code: 'ENOTFOUND' });
    for (let i = 0; i < 1_000; i++) expect(bench.check(name)).toBe('FAILED');
    expect(bench.names.asked).toHaveLength(1);
    bench.names.answers(HOST, ['192.0.2.1']);
    await bench.pass(2_000);
    expect(await bench.use(name)).toBe('192.0.2.1');
  });

  test('a hanging server costs one lookup at a time, whatever the number of calls', async () => {
    const bench = new Bench();
    bench.names.hangs(HOST);
    const name = bench.resolver.name(HOST);
    const waiting = Array.from({ length: 100 }, () => bench.use(name));
    await bench.pass(2_000);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['FAILED']));
    expect(name.failure).toMatchObject({ name: 'LookupTimeout', code: 'ETIMEOUT' });
    expect(bench.names.asked).toHaveLength(1);
  });
});

test('what a server says after the time limit is not used', async () => {
  const clock = new ManualClock();
  let say: (answer: NameAnswer) => void = () => {};
  let isTold = false;
  const lookUp = (_host: string, signal: AbortSignal): Promise<NameAnswer> => {
    signal.addEventListener('abort', () => (isTold = true));
    return new Promise((resolve) => (say = resolve));
  };
  const resolver = new Resolver({ names: { lookUp }, settings: upstreamSettings().resolver, clock });
  const name = resolver.name(HOST);
  expect(name.check(clock.nowMs())).toBe(NAME_RESOLVING);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(isTold, 'the lookup is told that nobody waits').toBe(true);
  say({ addresses: [{ address: '192.0.2.1', family: 4 }], ttlMs: 1_000 });
  await vi.advanceTimersByTimeAsync(1);
  expect(name.check(clock.nowMs())).toBe(NAME_FAILED);
});

describe('a clock', () => {
  test('that steps back an hour locks no failed name', async () => {
    const bench = new Bench();
    const name = bench.resolver.name(HOST);
    expect(await bench.use(name)).toBe('FAILED');
    bench.names.answers(HOST, ['192.0.2.1']);
    bench.clock.advance(-3_600_000);
    expect(await bench.use(name)).toBe('192.0.2.1');
  });

  test('that steps back an hour keeps no answer an hour longer', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 1_000);
    const name = bench.resolver.name(HOST);
    await bench.use(name);
    bench.clock.advance(-3_600_000);
    bench.names.answers(HOST, ['192.0.2.2'], 1_000);
    await bench.use(name);
    await bench.pass(0);
    expect(await bench.use(name)).toBe('192.0.2.2');
  });

  test('read before a lookup ended does not make a call wait twice', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 0);
    const name = bench.resolver.name(HOST);
    const nowMs = bench.clock.nowMs();
    expect(name.check(nowMs)).toBe(NAME_RESOLVING);
    bench.clock.advance(1_500);
    await name.whenResolved();
    expect(name.check(nowMs)).toBe(NAME_READY);
    const unknown = bench.resolver.name('unknown.example.com');
    unknown.check(nowMs);
    await unknown.whenResolved();
    expect(unknown.check(nowMs)).toBe(NAME_FAILED);
  });
});

test('names are bounded: the one not looked up for longest is forgotten, and goes on working for who holds it', async () => {
  const bench = new Bench({ namesMax: 3 });
  for (const host of ['a.example', 'b.example', 'c.example', 'd.example']) bench.names.answers(host, ['192.0.2.1'], 1_000);
  const [first, second] = ['a.example', 'b.example', 'c.example'].map((host) => bench.resolver.name(host));
  await bench.use(first!); // used after the others were named
  bench.resolver.name('d.example');
  expect(bench.resolver.nameCount).toBe(3);
  expect(bench.resolver.name('a.example')).toBe(first);
  expect(bench.resolver.name('b.example')).not.toBe(second);
  expect(await bench.use(second!)).toBe('192.0.2.1');
  for (let i = 0; i < 1_000; i++) bench.resolver.name(`n${i}.example`);
  expect(bench.resolver.nameCount).toBe(3);
});
