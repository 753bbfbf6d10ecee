/** What calls upstreams. */
import { FunctionConnector, HttpConnector } from '@gatehouse/engine-connectors';
import type { Connector } from '@gatehouse/engine-exchange';
import { ConnectionBudget, Http1Connector, type ClientCertificate } from '@gatehouse/engine-http1';
import type { LinkedCertificate } from '@gatehouse/engine-link';
import { openDestinations, TenantAddressRules } from '@gatehouse/engine-upstream';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { descriptorLimit, descriptorShares } from './descriptors.js';
import { UpstreamTlsSettings } from './upstream-tls.js';

interface ClosableConnector extends Connector {
  close(): Promise<void>;
}

/** The bindings of the link, and the way to close what they hold. */
export interface Connectors {
  readonly http: ClosableConnector;
  readonly insecureHttp: ClosableConnector;
  readonly functions: FunctionConnector;
  /** `null` with the reference engine, which has no such settings. */
  readonly tls: UpstreamTlsSettings | null;
}

/** What a stage shows its backends, as it was published; `null` while it is not here. */
export type PublishedCertificates = (tenant: string, clientCertificateId: string) => LinkedCertificate | null;

export function openConnectors(config: Config, adminPort: number, log: Logger, published: PublishedCertificates): Connectors {
  const rules = new TenantAddressRules({
    allow: config.allowsPrivateUpstreams ? ['loopback', 'private'] : [],
    // Ours, and reached with the node token only: no business of a tenant's integration.
    refusedLoopbackPorts: [adminPort, ...config.controlAddress.split(',').map(portOf), portOf(config.runnerUrl)],
  });
  const functions = new FunctionConnector({ runnerUrl: config.runnerUrl, nodeToken: config.nodeToken });
  if (config.engine === 'node-http') {
    const addressRules = rules.rulesFor(''); // the reference knows no rule of a tenant's own
    return {
      http: new HttpConnector({ addressRules }),
      insecureHttp: new HttpConnector({ addressRules, skipsVerification: true }),
      functions,
      tls: null,
    };
  }
  const destinations = openDestinations({ rules });
  const tls = new UpstreamTlsSettings(config, log);
  const common = {
    destinations,
    budget: new ConnectionBudget(descriptorShares(descriptorLimit()).upstreams),
    trustedCaPem: tls.trustedCaPem,
    clientCertificate: tls.clientCertificate,
    minTlsVersion: config.upstreamTlsMin,
    tenantCertificate: shownCertificates(published),
  };
  return {
    http: new Http1Connector(common),
    insecureHttp: new Http1Connector({ ...common, skipsVerification: true }),
    functions,
    tls,
  };
}

/** The same object for the same certificate: OpenSSL prepares it once. */
function shownCertificates(published: PublishedCertificates): PublishedClientCertificate {
  const made = new WeakMap<LinkedCertificate, ClientCertificate>();
  return (tenant, id) => {
    const certificate = published(tenant, id);
    if (certificate === null) return null;
    let shown = made.get(certificate);
    if (shown === undefined) made.set(certificate, (shown = { certPem: certificate.chainPem, keyPem: certificate.keyPem }));
    return shown;
  };
}

type PublishedClientCertificate = (tenant: string, id: string) => ClientCertificate | null;

export async function closeConnectors({ http, insecureHttp, functions, tls }: Connectors): Promise<void> {
  tls?.close();
  await Promise.all([http.close(), insecureHttp.close(), functions.close()]);
}

const portOf = (address: string): number => Number(/:(\d+)\/?$/.exec(address)?.[1] ?? 0);
