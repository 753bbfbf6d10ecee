import { ManualClock } from '@gatehouse/kernel';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  BREAKER_OPEN,
  CLOSED,
  CONNECT_FAILED,
  Destinations,
  GATEWAY_STATUS,
  NO_ADDRESS,
  OPEN,
  RESET,
  RESOLVING,
  Resolver,
  ScriptedNameService,
  TenantAddressRules,
  TIMEOUT,
  UNREADABLE,
  upstreamSettings,
  type Destination,
  type FailureKind,
  type TenantAddressRulesOptions,
  type UpstreamAddress,
  type UpstreamSettingsOverrides,
} from './index.js';

const HOST = 'api.example.com';
const REFUSALS = ['', 'BREAKER_OPEN', 'NO_ADDRESS', 'FORBIDDEN', 'RESOLVING'];

class Bench {
  readonly clock = new ManualClock();
  readonly names = new ScriptedNameService();
  readonly dropped: string[] = [];
  readonly destinations: Destinations;

  constructor(overrides: UpstreamSettingsOverrides = {}, rules: Partial<TenantAddressRulesOptions> = {}) {
    const settings = upstreamSettings(overrides);
    this.destinations = new Destinations({
      resolver: new Resolver({ names: this.names, settings: settings.resolver, clock: this.clock, random: () => 0 }),
      rules: new TenantAddressRules({ allow: [], ...rules }),
      settings,
      random: () => 0,
      onDropped: ({ tenant, host, port }) => this.dropped.push(`${tenant} ${host}:${port}`),
    });
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  of(tenant = 'blue', host = HOST, port = 443): Destination {
    return this.destinations.of(tenant, host, port);
  }

  async pick(destination: Destination): Promise<UpstreamAddress | string> {
    let picked = destination.pick(this.nowMs);
    if (picked === RESOLVING) {
      await destination.whenResolved();
      picked = destination.pick(this.nowMs);
    }
    return typeof picked === 'number' ? REFUSALS[picked]! : picked;
  }

  /** The address a call goes to, or the refusal; the call is then abandoned. */
  async where(destination: Destination): Promise<string> {
    const picked = await this.pick(destination);
    if (typeof picked === 'string') return picked;
    destination.abandoned(destination.epoch);
    return `${picked.address} ${picked.port}`;
  }

  async call(destination: Destination, failure: FailureKind | null): Promise<string> {
    const picked = await this.pick(destination);
    if (typeof picked === 'string') return picked;
    if (failure === null) destination.succeeded(picked, destination.epoch, this.nowMs);
    else destination.failed(picked, failure, destination.epoch, this.nowMs);
    return picked.address;
  }
}

describe('a pick', () => {
  test('waits only for the first lookup and gives the addresses in turn', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1', '2001:db8::1']);
    const destination = bench.of();
    expect(destination.pick(bench.nowMs)).toBe(RESOLVING);
    await destination.whenResolved();
    const picked = [1, 2, 3, 4].map(() => destination.pick(bench.nowMs) as UpstreamAddress);
    expect(picked.map(({ address }) => address).sort()).toEqual(['192.0.2.1', '192.0.2.1', '2001:db8::1', '2001:db8::1']);
    expect(picked[0]).toBe(picked[2]);
    expect(new Set(picked.map(({ family }) => family))).toEqual(new Set([4, 6]));
  });

  test('of a name that does not exist is refused with the cause', async () => {
    const bench = new Bench();
    const destination = bench.of();
    expect(await bench.where(destination)).toBe('NO_ADDRESS');
    expect(destination.cause).toMatchObject({ code: 'ENOTFOUND' });
    expect(destination.pick(bench.nowMs)).toBe(NO_ADDRESS);
  });

  test('goes elsewhere when nothing was sent yet, which is not the failure of the origin', async () => {
    const bench = new Bench({ breaker: { volumeMin: 2, failureShare: 0.5 } });
    bench.names.answers(HOST, ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    const destination = bench.of();
    for (let i = 0; i < 50; i++) {
      let address = (await bench.pick(destination)) as UpstreamAddress;
      const { epoch } = destination;
      for (let tries = 0; address.address !== '192.0.2.3' && tries < 3; tries++) {
        address = destination.pickAnother(address, CONNECT_FAILED, bench.nowMs)!;
      }
      expect(address.address).toBe('192.0.2.3');
      destination.succeeded(address, epoch, bench.nowMs);
    }
    expect([destination.breakerState, destination.ejectedCount]).toEqual([CLOSED, 1]);
  });

  test('has nowhere else to go with one address, and then counts once', async () => {
    const bench = new Bench({ breaker: { volumeMin: 2, failureShare: 1 } });
    const destination = bench.of('blue', '192.0.2.1');
    const address = (await bench.pick(destination)) as UpstreamAddress;
    expect(destination.pickAnother(address, CONNECT_FAILED, bench.nowMs)).toBeNull();
    destination.failed(address, CONNECT_FAILED, destination.epoch, bench.nowMs);
    expect([address.consecutiveFailures, destination.breakerState]).toEqual([1, CLOSED]);
  });
});

describe('addresses the tenant may not reach', () => {
  for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254', '10.0.0.1', '0.0.0.0']) {
    test(`${host} is refused without a lookup`, async () => {
      const bench = new Bench();
      expect(await bench.where(bench.of('blue', host))).toBe('FORBIDDEN');
      expect(bench.names.asked).toEqual([]);
    });
  }

  for (const address of ['169.254.169.254', '::1', '127.0.0.1', '::ffff:10.0.0.1', '64:ff9b::a9fe:a9fe']) {
    test(`a name that is rebound to ${address} gains nothing`, async () => {
      const bench = new Bench();
      bench.names.answers(HOST, ['192.0.2.1'], 0);
      const destination = bench.of();
      const seen = new Set<string>();
      for (let i = 0; i < 20; i++) {
        seen.add(await bench.where(destination));
        bench.clock.advance(1_000);
        bench.names.answers(HOST, i % 2 === 0 ? [address] : ['192.0.2.1'], 0);
      }
      expect([...seen].sort()).toEqual(['192.0.2.1 443', 'FORBIDDEN']);
    });
  }

  test('are left out while the others serve', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['127.0.0.1', '192.0.2.1', '::1']);
    const destination = bench.of();
    for (let i = 0; i < 10; i++) expect(await bench.where(destination)).toBe('192.0.2.1 443');
  });

  test('are judged with the port: the control plane stays closed where loopback is open', async () => {
    const bench = new Bench({}, { allow: ['loopback'], refusedLoopbackPorts: [7090] });
    bench.names.answers('localhost', ['::1', '127.0.0.1']);
    expect(await bench.where(bench.of('blue', 'localhost', 7090))).toBe('FORBIDDEN');
    expect(await bench.where(bench.of('blue', 'localhost', 8080))).toContain('8080');
  });

  test('are judged by the rules of each tenant, with one lookup for all', async () => {
    const bench = new Bench({}, { tenants: new Map([['green', ['10.2.0.0/16']]]) });
    bench.names.answers(HOST, ['10.2.0.1']);
    expect(await bench.where(bench.of('green'))).toBe('10.2.0.1 443');
    expect(await bench.where(bench.of('blue'))).toBe('FORBIDDEN');
    expect(bench.names.asked).toEqual([HOST]);
  });
});

describe('an upstream in trouble', () => {
  for (const [name, kind, expected] of [
    ['refuses connections', CONNECT_FAILED, 'BREAKER_OPEN'],
    ['resets them', RESET, 'BREAKER_OPEN'],
    ['does not answer in time', TIMEOUT, 'BREAKER_OPEN'],
    ['answers what cannot be read', UNREADABLE, 'BREAKER_OPEN'],
    ['answers 503: that is its answer', GATEWAY_STATUS, '192.0.2.1 443'],
  ] as const) {
    test(`that ${name}`, async () => {
      const bench = new Bench();
      bench.names.answers(HOST, ['192.0.2.1']);
      const destination = bench.of();
      for (let i = 0; i < 20; i++) await bench.call(destination, kind);
      expect(await bench.where(destination)).toBe(expected);
    });
  }

  test('is told with the time after which to try again, tried by one call, and served again when that works', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1', '192.0.2.2']);
    const destination = bench.of();
    for (let i = 0; i < 20; i++) await bench.call(destination, TIMEOUT);
    expect([destination.pick(bench.nowMs), destination.retryAfterMs(bench.nowMs)]).toEqual([BREAKER_OPEN, 5_000]);
    bench.clock.advance(5_000);
    const probe = (await bench.pick(destination)) as UpstreamAddress;
    expect([destination.pick(bench.nowMs), destination.retryAfterMs(bench.nowMs)]).toEqual([BREAKER_OPEN, 1_000]);
    destination.succeeded(probe, destination.epoch, bench.nowMs);
    expect(await bench.where(destination)).toMatch(/^192/);
    expect(destination.retryAfterMs(bench.nowMs)).toBe(0);
  });

  test('leaves other ports, hosts and tenants untouched', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1']);
    bench.names.answers('other.example.com', ['192.0.2.1']);
    for (let i = 0; i < 20; i++) await bench.call(bench.of(), CONNECT_FAILED);
    expect(await bench.where(bench.of())).toBe('BREAKER_OPEN');
    expect(await bench.where(bench.of('green'))).toBe('192.0.2.1 443');
    expect(await bench.where(bench.of('blue', HOST, 8443))).toBe('192.0.2.1 8443');
    expect(await bench.where(bench.of('blue', 'other.example.com'))).toBe('192.0.2.1 443');
  });

  test('whose name is being looked up keeps the place of the probe free', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 1_000);
    const destination = bench.of();
    for (let i = 0; i < 20; i++) await bench.call(destination, RESET);
    expect(destination.breakerState).toBe(OPEN);
    bench.clock.advance(5_000);
    expect([destination.pick(bench.nowMs), destination.pick(bench.nowMs)]).toEqual([RESOLVING, RESOLVING]);
    await destination.whenResolved();
    expect(await bench.call(destination, null)).toBe('192.0.2.1');
    expect(destination.breakerState).toBe(CLOSED);
  });

  test('is called on, whatever happens, without a breaker', async () => {
    const bench = new Bench({ breaker: null });
    bench.names.answers(HOST, ['192.0.2.1']);
    for (let i = 0; i < 100; i++) expect(await bench.call(bench.of(), CONNECT_FAILED)).toBe('192.0.2.1');
    expect([bench.of().retryAfterMs(bench.nowMs), bench.of().breakerState, bench.of().epoch]).toEqual([0, CLOSED, 0]);
  });

  test('at one address is called at the others', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1', '192.0.2.2']);
    const destination = bench.of();
    const bad: string[] = [];
    for (let i = 0; i < 100; i++) {
      const picked = (await bench.pick(destination)) as UpstreamAddress;
      if (picked.address === '192.0.2.1') {
        bad.push(picked.address);
        destination.failed(picked, GATEWAY_STATUS, destination.epoch, bench.nowMs);
      } else destination.succeeded(picked, destination.epoch, bench.nowMs);
    }
    expect(bad).toHaveLength(5);
  });

  test('behind DNS that fails is called at its last good address, with the reason at hand', async () => {
    const bench = new Bench();
    bench.names.answers(HOST, ['192.0.2.1'], 0);
    const destination = bench.of();
    await bench.where(destination);
    bench.names.fails(HOST, 'ESERVFAIL');
    bench.clock.advance(60_000);
    expect(await bench.where(destination)).toBe('192.0.2.1 443');
    expect(destination.cause).toMatchObject({ code: 'ESERVFAIL' });
    bench.clock.advance(3_600_000);
    expect(await bench.where(destination)).toBe('NO_ADDRESS');
    bench.names.answers(HOST, ['192.0.2.2'], 0);
    bench.clock.advance(2_000);
    expect(await bench.where(destination)).toBe('192.0.2.2 443');
  });
});

describe('destinations', () => {
  test('are one per tenant, host and port', () => {
    const bench = new Bench();
    const all = [bench.of(), bench.of('green'), bench.of('blue', 'b.example'), bench.of('blue', HOST, 80)];
    expect(new Set(all).size).toBe(4);
    expect([bench.of(), bench.of('green'), bench.of('blue', 'b.example'), bench.of('blue', HOST, 80)]).toEqual(all);
    expect(bench.destinations.count).toBe(4);
  });

  test('are bounded: the least recently used one is dropped, and starts anew when it is used again', () => {
    const bench = new Bench({ destinationsMax: 3 });
    const first = bench.of('blue', 'a.example');
    bench.of('blue', 'b.example');
    bench.of('green', 'c.example');
    expect(bench.of('blue', 'a.example')).toBe(first);
    bench.of('green', 'd.example', 80);
    bench.of('green', 'e.example');
    expect(bench.dropped).toEqual(['blue b.example:443', 'green c.example:443']);
    expect(bench.of('blue', 'a.example')).toBe(first);
    expect(bench.destinations.count).toBe(3);
  });

  test('of a tenant that names ever new hosts push out its own only', () => {
    const bench = new Bench({ destinationsMax: 100, destinationsPerTenantMax: 10 });
    const neighbours = ['green', 'red'].map((tenant) => bench.of(tenant));
    for (let i = 0; i < 1_000; i++) bench.of('blue', `h${i}.example`, 80 + (i % 3));
    expect(['green', 'red'].map((tenant) => bench.of(tenant))).toEqual(neighbours);
    expect([bench.destinations.count, bench.dropped.length]).toEqual([12, 990]);
    expect(bench.dropped.slice(0, 2)).toEqual(['blue h0.example:80', 'blue h1.example:81']);
  });

  test('are dropped in the order of use, whatever that order is', () => {
    const bench = new Bench({ destinationsMax: 5, destinationsPerTenantMax: 3 });
    const order: string[] = [];
    const naiveDropped: string[] = [];
    let random = 1;
    for (let i = 0; i < 5_000; i++) {
      random = (random * 48_271) % 2_147_483_647;
      const [tenant, host, port] = [`t${random % 3}`, `h${(random >> 3) % 4}`, 80 + ((random >> 6) % 2)] as const;
      const key = `${tenant} ${host}:${port}`;
      bench.of(tenant, host, port);
      const at = order.indexOf(key);
      if (at !== -1) order.splice(at, 1);
      else {
        const own = order.filter((other) => other.startsWith(tenant));
        const oldest = own.length === 3 ? own[0]! : order.length === 5 ? order[0]! : null;
        if (oldest !== null) naiveDropped.push(...order.splice(order.indexOf(oldest), 1));
      }
      order.push(key);
    }
    expect(bench.dropped).toEqual(naiveDropped);
    expect(naiveDropped.length).toBeGreaterThan(1_000);
  });
});

describe('with a server that hangs', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('a first call is told so after the time limit, and the next ones at once', async () => {
    const bench = new Bench();
    bench.names.hangs(HOST);
    const destination = bench.of();
    const first = bench.where(destination);
    bench.clock.advance(2_000);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await first).toBe('NO_ADDRESS');
    expect(destination.cause).toMatchObject({ code: 'ETIMEOUT' });
    expect(destination.pick(bench.nowMs)).toBe(NO_ADDRESS);
  });
});

describe('settings', () => {
  test('have all their mistakes told together', () => {
    expect(() =>
      upstreamSettings({
        resolver: { ttlMinMs: 0, refreshAheadShare: 1.5 },
        ejection: { baseMs: 500_000 },
        breaker: { failureShare: 0, volumeMin: NaN },
        destinationsMax: 0.5,
      }),
    ).toThrow(
      'Invalid upstream settings: resolver.ttlMinMs: expected a whole number of at least 1, got 0; ' +
        'resolver.refreshAheadShare: expected a share from 0 to 1, got 1.5; ' +
        'breaker.volumeMin: expected a whole number of at least 1, got NaN; ' +
        'breaker.failureShare: expected a share above 0, up to 1, got 0; ' +
        'destinationsMax: expected a whole number of at least 1, got 0.5; ' +
        'ejection.baseMs: larger than maxMs',
    );
  });

  test('can be changed one by one', () => {
    const { breaker, ejection } = upstreamSettings({ breaker: { openMs: 1 } });
    expect([breaker!.openMs, breaker!.volumeMin, ejection.shareMax]).toEqual([1, 20, 0.5]);
  });
});
