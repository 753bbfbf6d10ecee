/** VPC endpoints of a node: names for networks that callers come from, as its operator gives them. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { VpcEndpointView } from '@gatehouse/engine-exchange';
import type { Setting } from '@gatehouse/kernel';

export interface VpcEndpointSettings extends VpcEndpointView {
  /** CIDR blocks. */
  readonly networks: readonly string[];
}

const ENDPOINT = /^(vpce-[a-z0-9]+)@(vpc-[a-z0-9]+)=(.+)$/;

export const vpcEndpointsSetting: Setting<readonly VpcEndpointSettings[]> = {
  variable: 'GATEHOUSE_VPC_ENDPOINTS',
  description:
    'networks whose callers reach private APIs, vpce-1a2b@vpc-3c4d=10.0.0.0/16+fd00::/8, of several endpoints separated by commas',
  fallback: [],
  parse: (text) => {
    const endpoints = text.split(',').map((part) => readEndpoint(part.trim()));
    addressTest(endpoints); // throws for what is no network
    return endpoints;
  },
};

function readEndpoint(text: string): VpcEndpointSettings {
  const match = ENDPOINT.exec(text);
  if (match === null) throw new Error(`expected vpce-...@vpc-...=network+network, got "${text}"`);
  return { vpceId: match[1]!, vpcId: match[2]!, networks: match[3]!.split('+') };
}

/** The endpoint of an address; the first that has it. `null` for none. */
export function addressTest(endpoints: readonly VpcEndpointSettings[]): (address: string) => VpcEndpointView | null {
  const ranges = endpoints.map(({ vpceId, vpcId, networks }) => {
    const range = new BlockList();
    for (const network of networks) addNetwork(range, network);
    return { range, endpoint: Object.freeze({ vpceId, vpcId }) };
  });
  return (address) => {
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : null;
    if (family === null) return null;
    return ranges.find(({ range }) => range.check(address, family))?.endpoint ?? null;
  };
}

function addNetwork(range: BlockList, network: string): void {
  const [address = '', bits = '', more] = network.split('/');
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) && !address.includes('%') ? 'ipv6' : null;
  const bitsMax = family === 'ipv4' ? 32 : 128;
  if (family === null || more !== undefined || !/^\d{1,3}$/.test(bits) || Number(bits) > bitsMax)
    throw new Error(`expected a network like 10.0.0.0/16, got "${network}"`);
  range.addSubnet(address, Number(bits), family);
}
