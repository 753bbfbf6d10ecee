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
