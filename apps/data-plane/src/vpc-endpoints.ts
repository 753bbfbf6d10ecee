/** VPC endpoints of a node: names for networks that callers come from, as its operator gives them. */
import type { VpcEndpointView } from '@gatehouse/engine-exchange';
import { networkTest, parseNetwork, type Network, type Setting } from '@gatehouse/kernel';

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
    return { hasAddress: networkTest(networks.map(readNetwork)), endpoint: Object.freeze({ vpceId, vpcId }) };
  });
  return (address) => ranges.find(({ hasAddress }) => hasAddress(address))?.endpoint ?? null;
}

function readNetwork(text: string): Network {
  const network = text.includes('/') ? parseNetwork(text) : null;
  if (network === null) throw new Error(`expected a network like 10.0.0.0/16, got "${text}"`);
  return network;
}
