/**
 * Which addresses a tenant's integration may make a node connect to. Asked for every new connection with the address that is
 * really used, so a name that later resolves elsewhere gains nothing. Link-local addresses hold cloud metadata services,
 * loopback and private ones whatever else runs beside the node.
 */
import { lookup as dnsLookup } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';

export type AddressRange = 'loopback' | 'private' | 'link-local';

export interface AddressRulesOptions {
  /** Ranges that are open; all three are closed unless named here. */
  readonly allow: readonly AddressRange[];
  /** Ports of this machine that stay closed even when loopback is open: the node's own admin port, the database. */
  readonly refusedLoopbackPorts?: readonly number[];
}

/** The host resolved to nothing this node may connect to. */
export class ForbiddenAddress extends Error {
  constructor(readonly host: string) {
    super(`this node does not connect to ${host}`);
    this.name = 'ForbiddenAddress';
  }
}

export class AddressRules {
  private readonly refused = new BlockList();
  private readonly loopback = rangeList(['loopback']);
  private readonly refusedLoopbackPorts: ReadonlySet<number>;

  constructor(options: AddressRulesOptions) {
    for (const range of Object.keys(RANGES) as AddressRange[]) {
      if (!options.allow.includes(range)) addRange(this.refused, range);
    }
    for (const [address, prefix] of NEVER) this.refused.addSubnet(address, prefix, familyOf(address));
    this.refusedLoopbackPorts = new Set(options.refusedLoopbackPorts ?? []);
  }

  allows(address: string, port: number): boolean {
    const family = familyOf(address);
    if (this.refused.check(address, family)) return false;
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

/** A list of IPv4 ranges also covers `::ffff:a.b.c.d`. */
function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
