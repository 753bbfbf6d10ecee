/** What calls upstreams. */
import { AddressRules, FunctionConnector, HttpConnector } from '@gatehouse/engine-connectors';
import type { Config } from './config.js';

/** The bindings of the link, and the way to close what they hold. */
export interface Connectors {
  readonly http: HttpConnector;
  readonly insecureHttp: HttpConnector;
  readonly functions: FunctionConnector;
}

export function openConnectors(config: Config, adminPort: number): Connectors {
  const addressRules = new AddressRules({
    allow: config.allowsPrivateUpstreams ? ['loopback', 'private'] : [],
    // Ours, and reached with the node token only: no business of a tenant's integration.
    refusedLoopbackPorts: [adminPort, portOf(config.controlAddress), portOf(config.runnerUrl)],
  });
  return {
    http: new HttpConnector({ addressRules }),
    insecureHttp: new HttpConnector({ addressRules, skipsVerification: true }),
    functions: new FunctionConnector({ runnerUrl: config.runnerUrl, nodeToken: config.nodeToken }),
  };
}

export async function closeConnectors({ http, insecureHttp, functions }: Connectors): Promise<void> {
  await Promise.all([http.close(), insecureHttp.close(), functions.close()]);
}

const portOf = (address: string): number => Number(/:(\d+)\/?$/.exec(address)?.[1] ?? 0);
