import { describe, expect, test } from 'vitest';
import { AddressRules, TenantAddressRules } from './index.js';

const closed = new AddressRules({ allow: [] });
const open = new AddressRules({ allow: ['loopback', 'private', 'link-local'], refusedLoopbackPorts: [7090] });

describe('without a word of the operator', () => {
  for (const address of [
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '::ffff:127.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    'fd00::1',
    '::ffff:10.0.0.1',
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    'fe80::1%eth0',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    'ff02::1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
  ]) {
    test(`${address} is refused`, () => expect(closed.allows(address, 443)).toBe(false));
  }
  for (const address of ['192.0.2.1', '172.32.0.1', '172.15.255.255', '100.128.0.1', '2001:db8::1', '::ffff:192.0.2.1']) {
    test(`${address} is reached`, () => expect(closed.allows(address, 443)).toBe(true));
  }
});

describe('with all ranges open', () => {
  for (const [address, port, expected] of [
    ['127.0.0.1', 80, true],
    ['169.254.169.254', 80, true],
    ['fd00::1', 80, true],
    ['127.0.0.1', 7090, false],
    ['127.8.9.10', 7090, false],
    ['::1', 7090, false],
    ['::ffff:127.0.0.1', 7090, false],
    ['10.0.0.1', 7090, true],
    ['0.0.0.0', 80, false],
    ['64:ff9b::7f00:1', 80, false],
  ] as const) {
    test(`${address} port ${port} is ${expected ? 'reached' : 'refused'}`, () =>
      expect(open.allows(address, port)).toBe(expected));
  }
});

test('a subnet opens that part of a closed range only', () => {
  const rules = new AddressRules({ allow: ['10.1.0.0/16', 'fd00:1::/32'] });
  for (const [address, expected] of [
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['10.2.0.1', false],
    ['fd00:1::5', true],
    ['fd00:2::5', false],
    ['127.0.0.1', false],
  ] as const) {
    expect([address, rules.allows(address, 80)]).toEqual([address, expected]);
  }
});

test('the control plane stays closed whatever is open', () => {
  const rules = new AddressRules({ allow: ['private', '10.0.0.5/32'], refusedAddresses: ['10.0.0.5', '10.9.0.0/16', 'fd00::5'] });
  for (const address of ['10.0.0.5', '::ffff:10.0.0.5', '10.9.1.1', 'fd00::5']) expect(rules.allows(address, 80)).toBe(false);
  expect(rules.allows('10.0.0.6', 80)).toBe(true);
});

describe('an invalid subnet is refused at the start, with a word on how to write one', () => {
  for (const subnet of ['10.1.0.0/33', 'fd00::/129', 'intranet/8', '10.1.0.0/1.5', '10.1.0.0/-1', '10.1.0.0/', '/8', '']) {
    test(`"${subnet}"`, () => {
      expect(() => new AddressRules({ allow: [], refusedAddresses: [subnet] })).toThrow(`Invalid address or subnet "${subnet}"`);
    });
  }
});

describe('a host', () => {
  for (const [host, expected] of [
    ['127.0.0.1', false],
    ['[::1]', false],
    ['192.0.2.1', true],
    ['[2001:db8::1]', true],
    ['localhost', true], // judged when it is resolved
  ] as const) {
    test(`${host} is ${expected ? 'tried' : 'refused before anything is tried'}`, () => {
      expect(closed.allowsHost(host, 80)).toBe(expected);
    });
  }
});

test('a lookup hands over open addresses only', async () => {
  const found = (rules: AddressRules): Promise<unknown> =>
    new Promise((resolve) => rules.lookupFor(80)('localhost', {}, (error, address) => resolve(error?.name ?? address)));
  expect(await found(closed)).toBe('ForbiddenAddress');
  expect(['127.0.0.1', '::1']).toContain(await found(open));
});

test('a tenant has the ranges the operator gave it, and no others', () => {
  const rules = new TenantAddressRules({
    allow: [],
    tenants: new Map([
      ['blue', ['10.1.0.0/16']],
      ['green', ['10.2.0.0/16', 'loopback']],
    ] as const),
    refusedLoopbackPorts: [7090],
  });
  const reached = (tenant: string): string[] =>
    ['10.1.0.1', '10.2.0.1', '127.0.0.1'].filter((address) => rules.rulesFor(tenant).allows(address, 80));
  expect(reached('blue')).toEqual(['10.1.0.1']);
  expect(reached('green')).toEqual(['10.2.0.1', '127.0.0.1']);
  expect(reached('another')).toEqual([]);
  expect(rules.rulesFor('green').allows('127.0.0.1', 7090)).toBe(false);
  expect(rules.rulesFor('blue')).toBe(rules.rulesFor('blue'));
});
