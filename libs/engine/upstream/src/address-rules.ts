/**
 * Which addresses a tenant's integration may make a node connect to. Asked with the address that is really used, so a name that later resolves elsewhere gains nothing. Link-local addresses hold cloud metadata services,
 * loopback and private ones whatever else runs beside the node.
 */
import { lookup as dnsLookup } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { parseNetwork } from '@gatehouse/kernel';

export type AddressRange = 'loopback' | 'private' | 'link-local';
export type AllowedRange = AddressRange | `${string}/${number}`;

export interface AddressRulesOptions {
  /** Ranges that are open; all three are closed unless named here. A subnet (`10.1.0.0/16`) opens a part of a closed range. */
  readonly allow: readonly AllowedRange[];
  /** Ports of this machine that stay closed even when loopback is open: the node's own admin port, the database. */
  readonly refusedLoopbackPorts?: readonly number[];
  /** Addresses and subnets that stay closed whatever is open: a control plane or a database on another machine. */
  readonly refusedAddresses?: readonly string[];
}

/** The host resolved to nothing this node may connect to. */
export class ForbiddenAddress extends Error {
  constructor(readonly host: string) {
    super(`this node does not connect to ${host}`);
    this.name = 'ForbiddenAddress';
  }
}

export class AddressRules {
  /** Asked in this order; the first list that knows the address decides. */
  private readonly never = new BlockList();
  private readonly opened = new BlockList();
  private readonly refused = new BlockList();
  private readonly loopback = rangeList(['loopback']);
  private readonly refusedLoopbackPorts: ReadonlySet<number>;

  constructor(options: AddressRulesOptions) {
    for (const range of Object.keys(RANGES) as AddressRange[]) {
      if (!options.allow.includes(range)) addRange(this.refused, range);
    }
    for (const range of options.allow) if (!(range in RANGES)) addSubnet(this.opened, range);
    for (const [address, prefix] of NEVER) this.never.addSubnet(address, prefix, familyOf(address));
    for (const refused of options.refusedAddresses ?? []) addSubnet(this.never, refused);
    this.refusedLoopbackPorts = new Set(options.refusedLoopbackPorts ?? []);
  }

  allows(address: string, port: number): boolean {
    const family = familyOf(address);
    if (this.never.check(address, family)) return false;
    if (this.refused.check(address, family) && !this.opened.check(address, family)) return false;
    return !(this.refusedLoopbackPorts.has(port) && this.loopback.check(address, family));
  }

  /** False only for a literal address that is closed; names are judged when they are resolved. */
  allowsHost(host: string, port: number): boolean {
    const bare = host.startsWith('[') ? host.slice(1, -1) : host;
    return isIP(bare) === 0 || this.allows(bare, port);
  }

  /** For `net.connect`: resolves as usual and keeps the addresses that are open. */
  lookupFor(port: number): LookupFunction {
    return (host, options, callback) => {
      dnsLookup(host, { ...options, all: true }, (error, addresses) => {
        if (error !== null) {
          callback(error, []);
          return;
        }
        const open = addresses.filter(({ address }) => this.allows(address, port));
        if (open.length === 0) callback(new ForbiddenAddress(host), []);
        else if (options.all === true) callback(null, open);
        else callback(null, open[0]!.address, open[0]!.family);
      });
    };
  }
}

const RANGES: Record<AddressRange, readonly (readonly [address: string, prefix: number])[]> = {
  loopback: [
    ['127.0.0.0', 8],
    ['::1', 128],
  ],
  private: [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['100.64.0.0', 10],
    ['fc00::', 7],
  ],
  'link-local': [
    ['169.254.0.0', 16],
    ['fe80::', 10],
  ],
};

/** "This host", multicast, reserved, and the prefixes that carry an IPv4 address inside an IPv6 one. */
const NEVER: readonly (readonly [address: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 128],
  ['ff00::', 8],
  ['64:ff9b::', 96],
  ['2002::', 16],
];

function rangeList(ranges: readonly AddressRange[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) addRange(list, range);
  return list;
}

function addRange(list: BlockList, range: AddressRange): void {
  for (const [address, prefix] of RANGES[range]) list.addSubnet(address, prefix, familyOf(address));
}

/** A single address is a subnet of its full length. Operators write these: a mistake is theirs to see, at the start. */
function addSubnet(list: BlockList, subnet: string): void {
  const network = parseNetwork(subnet);
  if (network === null)
    throw new RangeError(`Invalid address or subnet "${subnet}": expected 10.1.2.3, 10.1.0.0/16 or fd00:1::/32`);
  list.addSubnet(network.address, network.bits, network.family);
}

/** A list of IPv4 ranges also covers `::ffff:a.b.c.d`. */
function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
