// Where a call goes: addresses a node must not connect to, names that resolve badly (fault 36), upstreams that are down (fault 37).
import { ScriptedNameService, type UpstreamSettingsOverrides } from '@gatehouse/engine-upstream';
import type { RawUpstream } from '@gatehouse/testkit';
import { expect } from 'vitest';
import { conform, eventually, extra, forEveryEngine, within, type House } from './conform.js';
import type { Engine } from './engines.js';
import { stageOf, type Gate } from './gate.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const TEAM = { apiId: 'c', tenant: '222222222222' };

forEveryEngine((engine) => {
  for (const [what, host, certain] of [
    ['the IPv4 loopback', '127.0.0.1', true],
    ['another address of the loopback', '127.9.9.9', true],
    ['the IPv6 loopback', '[::1]', true],
    ['the loopback as a mapped address', '[::ffff:127.0.0.1]', true],
    ['the loopback as a mapped address in hexadecimal', '[::ffff:7f00:1]', true],
    ['the loopback in short', '127.1', false],
    ['the loopback as a number', '2130706433', false],
    ['the loopback in hexadecimal', '0x7f000001', false],
    ['the loopback in octal', '0177.0.0.1', false],
    ['the loopback by its name', 'localhost', false],
    ['the loopback with a dot at its end', '127.0.0.1.', false],
    ['this host', '0.0.0.0', true],
    ['this host as a number', '0', false],
    ['the unspecified IPv6 address', '[::]', true],
    ['a private address', '10.0.0.1', true],
    ['a private IPv6 address', '[fd00::1]', true],
    ['the metadata service', '169.254.169.254', true],
    ['the metadata service as a mapped address', '[::ffff:169.254.169.254]', true],
    ['a link-local IPv6 address', '[fe80::1]', true],
    ['an address inside a NAT64 prefix', '[64:ff9b::7f00:1]', true],
    ['an address inside 6to4', '[2002:7f00:1::]', true],
    ['multicast', '224.0.0.1', true],
    ['broadcast', '255.255.255.255', true],
  ] as const) {
    conform(engine, 36, `${what} (${host}) is not connected to unless the operator opens it`, async (house) => {
      const up = await house.rawUpstream((call) => call.send(OK));
      const gate = await house.gate({ connector: { rules: { allow: [] } }, timeoutMs: 2_000 });
      await gate.proxyTo(`http://${host}:${up.port}`);
      const { status } = await gate.call('/dev/x');
      // What is an address to one reader may be a name to another; then its resolver decides.
      expect(certain ? [500] : [500, 502, 504]).toContain(status);
      expect(up.connections).toBe(0);
    });
  }

  conform(engine, 36, 'a port of this machine stays closed while the loopback is open', async (house) => {
    const [admin, up] = [await house.rawUpstream((call) => call.send(OK)), await house.rawUpstream((call) => call.send(OK))];
    const rules = { allow: ['loopback'], refusedLoopbackPorts: [admin.port] } as const;
    const gate = await house.gate({ connector: { rules } });
    await gate.publish(
      stageOf([
        { path: '/a', integration: gate.to(`${admin.url}/`) },
        { path: '/b', integration: gate.to(`http://localhost:${admin.port}/`) },
        { path: '/c', integration: gate.to(`${up.url}/`) },
      ]),
    );
    expect([(await gate.call('/dev/a')).status, (await gate.call('/dev/b')).status, (await gate.call('/dev/c')).status]).toEqual([
      500, 500, 200,
    ]);
    expect(admin.connections).toBe(0);
  });

  for (const [what, uri] of [
    ['no host', 'http:///'],
    ['a user', 'http://u:p@127.0.0.1:8080/'],
    ['another protocol', 'ftp://127.0.0.1:8080/'],
    ['a reserved port', 'http://127.0.0.1:25/'],
    ['a port that is none', 'http://127.0.0.1:99999/'],
    ['a space', 'http://127.0.0.1 :8080/'],
    ['a line break', 'http://127.0.0.1:8080\r\nX: y/'],
  ] as const) {
    conform(engine, 36, `a URL with ${what} is 500`, async (house) => {
      const gate = await house.gate();
      await gate.publish(stageOf([{ path: '/x', integration: gate.to(uri) }]));
      expect((await gate.call('/dev/x')).status).toBe(500);
      expect(gate.bugs).toEqual([]);
    });
  }

  conform(engine, 36, 'a name that does not exist is 502 or 504', async (house) => {
    const gate = await house.gate({ timeoutMs: 3_000 });
    await gate.proxyTo('http://nothing.invalid:8080');
    expect([502, 504]).toContain((await gate.call('/dev/x')).status);
  });

  if (extra(engine, 'destinations', 36) !== null) testNames(engine);
});

/** An upstream that is known as `up.test`. */
interface Named {
  readonly names: ScriptedNameService;
  readonly up: RawUpstream;
  readonly gate: Gate;
  status(): Promise<number>;
}

async function namedUpstream(house: House, settings: UpstreamSettingsOverrides): Promise<Named> {
  const names = new ScriptedNameService();
  const up = await house.rawUpstream((call) => call.send(OK));
  names.answers('up.test', ['127.0.0.1']);
  const gate = await house.gate({ connector: { names, settings, rules: { allow: ['loopback'] } }, timeoutMs: 1_000 });
  const url = `http://up.test:${up.port}`;
  await gate.publish(
    stageOf([{ path: '/{proxy+}', httpMethod: 'ANY', integration: gate.toPath(url) }]),
    stageOf([{ path: '/{proxy+}', httpMethod: 'ANY', integration: gate.toPath(url) }], TEAM),
  );
  return { names, up, gate, status: async () => (await gate.call('/dev/x')).status };
}

function testNames(engine: Engine): void {
  const quick = { ttlMinMs: 1, negativeMs: 1, retryMinMs: 1, retryMaxMs: 5 };
  const start = (house: House, settings: UpstreamSettingsOverrides = {}): Promise<Named> => namedUpstream(house, settings);
  /** A connection that is open would answer without asking for an address. */
  const fresh = ({ up }: Named): void =>
    up.does((call) => call.socket.end(OK.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')));

  for (const code of ['ENOTFOUND', 'ESERVFAIL', 'EREFUSED', 'ETIMEOUT']) {
    conform(engine, 36, `a name whose lookup ends in ${code} is 502 or 504, and works as soon as it resolves`, async (house) => {
      const one = await start(house, { resolver: quick });
      one.names.fails('up.test', code);
      expect([502, 504]).toContain(await one.status());
      one.names.answers('up.test', ['127.0.0.1']);
      await eventuallyServed(one);
    });
  }

  conform(engine, 36, 'a lookup that hangs is 504 in time, and other names are served meanwhile', async (house) => {
    const one = await start(house, { resolver: { ...quick, lookupTimeoutMs: 60_000 } });
    one.names.hangs('up.test');
    const other = await house.rawUpstream((call) => call.send(OK));
    one.names.answers('other.test', ['127.0.0.1']);
    await one.gate.publish(
      stageOf([{ path: '/x', integration: one.gate.to(`http://other.test:${other.port}/`) }], { apiId: 'd' }),
    );
    const hanging = one.status();
    expect((await one.gate.call('/dev/x', { host: 'd.execute-api.b' })).status).toBe(200);
    expect(await within(3_000, 'the answer', hanging)).toBe(504);
  });

  conform(
    engine,
    36,
    'a name of TTL 0 whose addresses change all the time is served, and not looked up for each call',
    async (house) => {
      const one = await start(house, { resolver: { ttlMinMs: 200 } });
      fresh(one);
      for (let i = 0; i < 40; i++) {
        one.names.answers('up.test', i % 2 === 0 ? ['127.0.0.1'] : ['127.0.0.1', '127.0.0.1'], 0);
        expect(await one.status()).toBe(200);
      }
      expect(one.names.asked.length).toBeLessThan(20);
    },
  );

  conform(engine, 36, 'an answer of 500 records is served', async (house) => {
    const one = await start(house);
    one.names.answers(
      'up.test',
      Array.from({ length: 500 }, () => '127.0.0.1'),
    );
    expect(await one.status()).toBe(200);
  });

  for (const [what, address] of [
    ['the metadata service', '169.254.169.254'],
    ['a private address', '10.1.2.3'],
    ['the IPv6 metadata service', 'fe80::a9fe:a9fe'],
    ['a mapped private address', '::ffff:10.1.2.3'],
  ] as const) {
    conform(engine, 36, `a name that moves to ${what} is refused from then on`, async (house) => {
      const one = await start(house, { resolver: quick });
      fresh(one);
      one.names.answers('up.test', ['127.0.0.1'], 1);
      expect(await one.status()).toBe(200);
      one.names.answers('up.test', [address], 1);
      let status = 0;
      for (let i = 0; i < 100 && status !== 500; i++) status = await one.status();
      expect(status).toBe(500);
    });
  }

  conform(engine, 36, 'of several addresses only the open ones are used', async (house) => {
    const one = await start(house);
    one.names.answers('up.test', ['169.254.169.254', '127.0.0.1', '10.0.0.1', 'fe80::1']);
    fresh(one);
    for (let i = 0; i < 10; i++) expect(await one.status()).toBe(200);
  });

  conform(engine, 36, 'while lookups fail the last good answer is served, and when it is too old no more', async (house) => {
    const one = await start(house, { resolver: { ...quick, staleMs: 400 } });
    fresh(one);
    one.names.answers('up.test', ['127.0.0.1'], 1);
    expect(await one.status()).toBe(200);
    one.names.fails('up.test', 'ESERVFAIL');
    expect(await one.status()).toBe(200);
    await eventuallyIs(one, [502, 504]);
  });

  // 37

  const breaker = { windowMs: 10_000, volumeMin: 5, failureShare: 0.5, openMs: 400, probeTimeoutMs: 1_000 };

  for (const [what, script, timeoutMs] of [
    ['resets', (call: { socket: { resetAndDestroy(): unknown } }) => call.socket.resetAndDestroy(), 1_000],
    ['is slow', () => undefined, 50],
  ] as const) {
    conform(
      engine,
      37,
      `an upstream that ${what}: 503 with Retry-After, others untouched, and back as soon as it works`,
      async (house) => {
        const one = await start(house, { breaker });
        const route = (uri: string) => one.gate.to(uri, { timeoutMs, httpMethod: 'POST' });
        const healthy = await house.rawUpstream((call) => call.send(OK));
        const url = `http://up.test:${one.up.port}/`;
        await one.gate.publish(
          stageOf([
            { path: '/x', integration: route(url) },
            { path: '/healthy', integration: route(`${healthy.url}/`) },
          ]),
          stageOf([{ path: '/x', integration: route(url) }], TEAM),
        );
        one.up.does(script);
        let refused = await one.gate.call('/dev/x');
        for (let i = 0; i < 20 && refused.status !== 503; i++) {
          expect([502, 504]).toContain(refused.status);
          refused = await one.gate.call('/dev/x');
        }
        expect([refused.status, Number(refused.headers['retry-after']) >= 1]).toEqual([503, true]);
        const called = one.up.calls.length;
        for (let i = 0; i < 10; i++) expect((await one.gate.call('/dev/x')).status).toBe(503);
        expect(one.up.calls.length).toBe(called);
        expect((await one.gate.call('/dev/healthy')).status).toBe(200);
        // Another tenant has a breaker of its own.
        expect([502, 504]).toContain((await one.gate.call('/dev/x', { host: `${TEAM.apiId}.execute-api.b` })).status);
        one.up.does((call) => call.send(OK));
        await eventuallyServed(one);
        for (let i = 0; i < 10; i++) expect(await one.status()).toBe(200);
      },
    );
  }

  conform(engine, 37, 'an upstream that is down again at the probe is left alone again', async (house) => {
    const one = await start(house, { breaker });
    one.up.does((call) => call.socket.resetAndDestroy());
    await eventuallyIs(one, [503]);
    const called = one.up.calls.length;
    let probes = 0;
    const until = performance.now() + 1_300;
    while (performance.now() < until) {
      const status = await one.status();
      if (status !== 503) probes++;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(probes).toBeLessThanOrEqual(4);
    expect(one.up.calls.length - called).toBeLessThanOrEqual(2 * probes);
  });

  conform(engine, 37, 'errors that the application answers open nothing', async (house) => {
    const one = await start(house, { breaker });
    one.up.does((call) => call.send('HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n'));
    for (let i = 0; i < 20; i++) expect(await one.status()).toBe(500);
    expect(one.up.calls.length).toBe(20);
  });

  conform(engine, 37, 'callers that leave open nothing', async (house) => {
    const one = await start(house, { breaker });
    one.up.does(() => undefined);
    for (let i = 1; i <= 20; i++) {
      const caller = await house.caller(one.gate);
      caller.send('GET /dev/x HTTP/1.1\r\nHost: a.execute-api.b\r\n\r\n');
      await within(3_000, 'the call', one.up.called(i));
      caller.close();
    }
    await eventually('all records', () => one.gate.lines.length === 20);
    one.up.does((call) => call.send(OK));
    expect(await one.status()).toBe(200);
  });
}

async function eventuallyIs({ status }: { status(): Promise<number> }, wanted: readonly number[]): Promise<void> {
  let last = 0;
  for (let i = 0; i < 200; i++) {
    last = await status();
    if (wanted.includes(last)) return;
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  throw new Error(`never ${wanted.join(' or ')}, at last ${last}`);
}

const eventuallyServed = (one: { status(): Promise<number> }): Promise<void> => eventuallyIs(one, [200]);
