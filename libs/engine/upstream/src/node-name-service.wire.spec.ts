import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { NAME_READY, NAME_RESOLVING, NodeNameService, Resolver, upstreamSettings, type NodeNameServiceOptions } from './index.js';

type Records = readonly (readonly [address: string, ttlSeconds: number])[];
const A = 1;
const AAAA = 28;
const NXDOMAIN = 3;
const SERVFAIL = 2;

/** A DNS server of a few lines (RFC 1035 §4): A and AAAA from a table, a response code, or silence. */
class DnsServer {
  readonly asked: string[] = [];
  readonly records = new Map<string, Records | number | 'SILENCE'>();
  private constructor(
    private readonly socket: Socket,
    readonly address: string,
  ) {
    socket.on('message', (question, from) => {
      const answer = this.answer(question);
      if (answer !== null) socket.send(answer, from.port, from.address);
    });
  }

  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const server = new DnsServer(socket, `127.0.0.1:${socket.address().port}`);
    toClose.push(() => socket.close());
    return server;
  }

  private answer(message: Buffer): Buffer | null {
    const labels: string[] = [];
    let at = 12;
    for (let length = message[at++]!; length > 0; length = message[at++]!) {
      labels.push(message.toString('latin1', at, at + length));
      at += length;
    }
    const type = message.readUInt16BE(at);
    const key = `${labels.join('.').toLowerCase()} ${type === A ? 'A' : 'AAAA'}`;
    this.asked.push(key);
    const said = this.records.get(key) ?? NXDOMAIN;
    if (said === 'SILENCE') return null;
    const records = typeof said === 'number' ? [] : said;
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2); // id
    head.writeUInt16BE(0x8180 | (typeof said === 'number' ? said : 0), 2); // response, recursion
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, message.subarray(12, at + 4), ...records.map((record) => encode(type, record))]);
  }
}

function encode(type: number, [address, ttlSeconds]: Records[number]): Buffer {
  const data =
    type === AAAA
      ? Buffer.from(
          address
            .split(':')
            .map((group) => group.padStart(4, '0'))
            .join(''),
          'hex',
        )
      : Buffer.from(address.split('.').map(Number));
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

const toClose: (() => void)[] = [];
afterEach(() => toClose.splice(0).forEach((close) => close()));

const HOST = 'api.gatehouse.example';
const IPV6 = '2001:db8:0:0:0:0:0:1';
const never = new AbortController().signal;

interface Opened {
  dns: DnsServer;
  names: NodeNameService;
  /** What the resolver of the machine was asked; it says 192.0.2.99 to each name with "here" in it. */
  askedSystem: string[];
}

async function open(options: NodeNameServiceOptions = {}): Promise<Opened> {
  const dns = await DnsServer.start();
  const askedSystem: string[] = [];
  const system = async (host: string) => {
    askedSystem.push(host);
    if (host.includes('here')) return [{ address: '192.0.2.99', family: 4 as const }];
    throw Object.assign(new Error(`unknown to the machine: ${host}`), { code: 'EAI_NODATA' });
  };
  const common = { servers: [dns.address], usesIpv6: true, queryTimeoutMs: 100, hostsFile: null, system };
  return { dns, names: new NodeNameService({ ...common, ...options }), askedSystem };
}

const codeOf = (lookup: Promise<unknown>): Promise<unknown> => lookup.then(String, (cause: NodeJS.ErrnoException) => cause.code);

describe('asked on real sockets', () => {
  test('a DNS server gives both families and the shortest TTL', async () => {
    const { dns, names } = await open();
    dns.records.set(`${HOST} A`, [
      ['192.0.2.1', 60],
      ['192.0.2.2', 30],
    ]);
    dns.records.set(`${HOST} AAAA`, [[IPV6, 45]]);
    expect(await names.lookUp(HOST, never)).toMatchObject({
      addresses: [
        { address: '192.0.2.1', family: 4 },
        { address: '192.0.2.2', family: 4 },
        { address: '2001:db8::1', family: 6 },
      ],
      ttlMs: 30_000,
    });
  });

  test('every lookup asks the server: nothing below us keeps answers, TTL 0 included', async () => {
    const { dns, names } = await open({ usesIpv6: false });
    dns.records.set(`${HOST} A`, [['192.0.2.1', 0]]);
    expect((await names.lookUp(HOST, never)).ttlMs).toBe(0);
    dns.records.set(`${HOST} A`, [['192.0.2.2', 300]]);
    expect(await names.lookUp(HOST, never)).toMatchObject({ addresses: [{ address: '192.0.2.2' }], ttlMs: 300_000 });
    expect(dns.asked).toEqual([`${HOST} A`, `${HOST} A`]);
  });

  for (const [name, ofA, ofAaaa, expected] of [
    ['one family is enough when the other has no records', [['192.0.2.1', 5]], [], '192.0.2.1'],
    ['one family is enough when the other is unknown', NXDOMAIN, [[IPV6, 5]], '2001:db8::1'],
    ['one family is enough when the server fails for the other', [['192.0.2.1', 5]], SERVFAIL, '192.0.2.1'],
    ['one family is enough when nothing is heard of the other', [['192.0.2.1', 5]], 'SILENCE', '192.0.2.1'],
  ] as const) {
    test(name, async () => {
      const { dns, names } = await open({ queryTimeoutMs: 5_000 });
      dns.records.set(`${HOST} A`, ofA);
      dns.records.set(`${HOST} AAAA`, ofAaaa);
      const { addresses } = await names.lookUp(HOST, never);
      expect(addresses.map(({ address }) => address)).toEqual([expected]);
    });
  }

  for (const [name, said, code] of [
    ['an unknown name is reported as such', NXDOMAIN, 'ENOTFOUND'],
    ['a failing server is reported as such', SERVFAIL, 'ESERVFAIL'],
    ['a silent server is reported as such', 'SILENCE', 'ETIMEOUT'],
  ] as const) {
    test(name, async () => {
      const { dns, names, askedSystem } = await open({ usesIpv6: false });
      dns.records.set('unknown.example A', said);
      expect(await codeOf(names.lookUp('unknown.example', never))).toBe(code);
      // A server that is slow or broken is not asked again by way of the machine's resolver.
      expect(askedSystem).toEqual(said === NXDOMAIN ? ['unknown.example'] : []);
    });
  }

  test('a name with a strange spelling is refused, not thrown', async () => {
    const { names } = await open();
    for (const host of ['a..example', `${'a'.repeat(300)}.example`, 'a\0b.example', '.']) {
      expect(await codeOf(names.lookUp(host, never))).toMatch(/^E/);
    }
  });
});

describe('the resolver of the machine', () => {
  test('is asked about localhost, names under it, and names without a dot, never DNS', async () => {
    const { dns, names, askedSystem } = await open();
    for (const host of ['localhost', 'here.localhost', 'here']) await codeOf(names.lookUp(host, never));
    expect([askedSystem, dns.asked]).toEqual([['localhost', 'here.localhost', 'here'], []]);
  });

  test('is asked about names in the hosts file: what is pinned there wins over DNS', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-hosts-'));
    toClose.push(() => rmSync(folder, { recursive: true }));
    const hostsFile = path.join(folder, 'hosts');
    writeFileSync(hostsFile, '# 127.0.0.9 other.example\n127.0.0.9\tfirst.example  HERE.example # why\n');
    const { dns, names, askedSystem } = await open({ hostsFile, usesIpv6: false });
    for (const host of ['here.example', 'other.example']) dns.records.set(`${host} A`, [['192.0.2.1', 5]]);
    await names.lookUp('here.example', never);
    await names.lookUp('other.example', never);
    expect([askedSystem, dns.asked]).toEqual([['here.example'], ['other.example A']]);
  });

  for (const [name, said] of [
    ['that DNS does not know', NXDOMAIN],
    ['that has no addresses in DNS', []],
  ] as const) {
    test(`is asked about a name ${name}: it may be one of a search domain`, async () => {
      const { dns, names } = await open();
      for (const type of ['A', 'AAAA']) dns.records.set(`svc.here ${type}`, said);
      expect(await names.lookUp('svc.here', never)).toEqual({ addresses: [{ address: '192.0.2.99', family: 4 }], ttlMs: null });
    });
  }

  test('is asked when no DNS server is there', async () => {
    const { names } = await open({ servers: ['127.0.0.1:1'] });
    expect(await names.lookUp('svc.here', never)).toEqual({ addresses: [{ address: '192.0.2.99', family: 4 }], ttlMs: null });
    expect(await codeOf(names.lookUp('svc.example', never))).toBe('ECONNREFUSED');
  });

  test('is getaddrinfo, which reads numbers that are no addresses: they are judged like any other', async () => {
    const { names } = await open({ system: undefined });
    const { addresses } = await names.lookUp('localhost', never);
    expect(addresses.length).toBeGreaterThan(0);
    for (const { address } of addresses) expect(['127.0.0.1', '::1']).toContain(address);
    expect(await names.lookUp('127.1', never)).toEqual({ addresses: [{ address: '127.0.0.1', family: 4 }], ttlMs: null });
  });

  test('is not asked for more than a few names at once', async () => {
    let running = 0;
    let most = 0;
    const system = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return [{ address: '192.0.2.99', family: 4 as const }];
    };
    const { names } = await open({ system, systemLookupsMax: 3 });
    await Promise.all(Array.from({ length: 50 }, (_, i) => names.lookUp(`h${i}`, never)));
    expect(most).toBe(3);
  });
});

test('resolver, adapter and server together: a live name follows its server', async () => {
  const { dns, names } = await open({ usesIpv6: false });
  dns.records.set(`${HOST} A`, [['192.0.2.1', 60]]);
  const { resolver: settings } = upstreamSettings();
  const name = new Resolver({ names, settings }).name(HOST);
  const nowMs = Date.now();
  expect(name.check(nowMs)).toBe(NAME_RESOLVING);
  await name.whenResolved();
  expect([name.check(nowMs), name.addresses]).toEqual([NAME_READY, [{ address: '192.0.2.1', family: 4 }]]);
  dns.records.set(`${HOST} A`, [['192.0.2.2', 60]]);
  expect(name.check(nowMs + 50_000)).toBe(NAME_READY); // ahead of its end: begins a lookup and goes on
  await name.whenResolved();
  expect(name.addresses[0]!.address).toBe('192.0.2.2');
});
