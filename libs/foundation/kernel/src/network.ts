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
  const isInList = (address: string): boolean =>
    isIPv4(address) ? list.check(address, 'ipv4') : isIPv6(address) && list.check(address, 'ipv6');
  if (networks.some(({ family }) => family === 'ipv6')) return isInList;
  const masks = Uint32Array.from(networks, ({ bits }) => (bits === 0 ? 0 : -1 << (32 - bits)));
  const prefixes = Uint32Array.from(networks, ({ address }, i) => ipv4Number(address) & masks[i]!);
  // A check of the list makes an object of Node's own, which takes a microsecond of each request.
  return (address) => {
    const value = ipv4Number(address);
    if (value === NO_IPV4) return isInList(address);
    for (let i = 0; i < masks.length; i++) if ((value & masks[i]!) >>> 0 === prefixes[i]) return true;
    return false;
  };
}

const NO_IPV4 = -1;
const [DOT, ZERO] = [0x2e, 0x30];

/** Four numbers up to 255 without leading zeros, as one number; what it does not read is left to Node. */
function ipv4Number(text: string): number {
  let value = 0;
  let part = 0;
  let digitCount = 0;
  let partCount = 1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digitCount === 0 || ++partCount > 4) return NO_IPV4;
      value = value * 256 + part;
      part = digitCount = 0;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || (digitCount > 0 && part === 0)) return NO_IPV4;
    part = part * 10 + digit;
    if (part > 255) return NO_IPV4;
    digitCount++;
  }
  return partCount === 4 && digitCount > 0 ? value * 256 + part : NO_IPV4;
}
