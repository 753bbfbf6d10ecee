import { BlockList, isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkTest, parseNetwork } from './network.js';

test.each([
  ['10.0.0.0/16', '10.0.0.0', 16, 'ipv4'],
  ['0.0.0.0/0', '0.0.0.0', 0, 'ipv4'],
  ['192.0.2.7', '192.0.2.7', 32, 'ipv4'],
  ['fd00:1::/32', 'fd00:1::', 32, 'ipv6'],
  ['::1', '::1', 128, 'ipv6'],
])('%s', (text, address, bits, family) => expect(parseNetwork(text)).toEqual({ address, bits, family }));

test.each([
  '',
  '/',
  '10.0.0.0/33',
  'fd00::/129',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0.0/1e1',
  '10.0.0.0/8/8',
  'fe80::1%eth0/64',
  '10.0.0',
  'x/8',
])('"%s" is no network', (text) => expect(parseNetwork(text)).toBeNull());

const isInside = networkTest(['10.1.0.0/16', 'fd00:1::/32', '192.0.2.7'].map((text) => parseNetwork(text)!));

test.each([
  ['10.1.2.3', true],
  ['::ffff:10.1.2.3', true],
  ['fd00:1::7', true],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['10.2.0.1', false],
  ['fd00:2::7', false],
  ['', false],
  ['10.1', false],
])('%s: %s', (address, expected) => expect(isInside(address)).toBe(expected));

test('no networks, no address', () => expect(networkTest([])('10.0.0.1')).toBe(false));

const isInIpv4 = networkTest(['10.1.0.0/16', '192.0.2.7', '255.0.0.0/8'].map((text) => parseNetwork(text)!));

test.each([
  ['10.1.255.255', true],
  ['10.0.255.255', false],
  ['192.0.2.7', true],
  ['255.255.255.255', true],
  ['0.0.0.0', false],
  ['::ffff:10.1.2.3', true],
  ['::ffff:a01:203', true],
  ['::10.1.2.3', false],
  ['010.1.2.3', false],
  ['10.1.2.3.4', false],
  ['10.1.2.', false],
  ['10.1.2.3.', false],
  ['10.1..3', false],
  ['10.1.2.259', false],
  [' 10.1.2.3', false],
  ['10.1.2.3 ', false],
  ['10.1.2.3/32', false],
])('%s among IPv4 networks: %s', (address, expected) => expect(isInIpv4(address)).toBe(expected));

test('in an IPv4 network is what Node says is in it, and every text that Node takes for no address is in none', () => {
  const part = fc.oneof(fc.nat(255), fc.constantFrom(0, 9, 10, 127, 128, 255, 256)).map(String);
  const text = fc
    .tuple(
      fc.array(fc.oneof({ weight: 9, arbitrary: part }, fc.constantFrom('', '00', '07', 'a', '-1')), {
        minLength: 3,
        maxLength: 5,
      }),
    )
    .map(([parts]) => parts.join('.'));
  const network = fc.tuple(fc.nat(0xffffffff), fc.nat(32));
  fc.assert(
    fc.property(fc.array(network, { minLength: 1, maxLength: 3 }), text, fc.boolean(), (networks, given, isClose) => {
      const list = new BlockList();
      const parsed = networks.map(([number, bits]) => parseNetwork(`${dotted(number)}/${bits}`)!);
      for (const { address, bits, family } of parsed) list.addSubnet(address, bits, family);
      const asked = isClose ? dotted((networks[0]![0] ^ given.length) >>> 0) : given;
      const expected = isIPv4(asked) ? list.check(asked, 'ipv4') : isIPv6(asked) && list.check(asked, 'ipv6');
      expect(networkTest(parsed)(asked), asked).toBe(expected);
    }),
    { seed: 1, numRuns: 5_000 },
  );
});

const dotted = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');

test('an IPv6 network of mapped addresses has the addresses themselves', () => {
  const isMapped = networkTest([parseNetwork('::ffff:10.1.0.0/112')!]);
  expect(['10.1.2.3', '10.2.2.3', '0.0.0.0'].map(isMapped)).toEqual([true, false, false]);
});
