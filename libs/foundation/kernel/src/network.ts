import { BlockList, isIPv4, isIPv6 } from 'node:net';

export interface Network {
  readonly address: string;
  /** Of the prefix. */
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** `10.0.0.0/16`, `fd00::/8`, or one address, which is a network of its own. `null` for anything else. */
export function parseNetwork(text: string): Network | null {
  const [address = '', prefix, more] = text.split('/');
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) && !address.includes('%') ? 'ipv6' : null;
  if (family === null || more !== undefined) return null;
  const bitsMax = family === 'ipv4' ? 32 : 128;
  const bits = prefix === undefined ? bitsMax : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  return bits <= bitsMax ? { address, bits, family } : null;
}

/** Whether an address is in one of them. An IPv4 network has its addresses in the form `::ffff:10.0.0.1`, too; a text that is no address is in none. */
export function networkTest(networks: readonly Network[]): (address: string) => boolean {
  const list = new BlockList();
  for (const { address, bits, family } of networks) list.addSubnet(address, bits, family);
  return (address) => (isIPv4(address) ? list.check(address, 'ipv4') : isIPv6(address) && list.check(address, 'ipv6'));
}
