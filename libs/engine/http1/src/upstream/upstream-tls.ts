import type { Secret } from '@gatehouse/kernel';
import { isIP } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  getCACertificates,
  type ConnectionOptions,
  type SecureContext,
  type SecureContextOptions,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls';
import type { UpstreamAddress } from '@gatehouse/engine-upstream';

export interface ClientCertificate {
  /** The chain, leaf first. */
  readonly certPem: string;
  readonly keyPem: Secret;
}

export interface UpstreamTlsOptions {
  /** Do not check certificates: the integration's `insecureSkipVerification`. Nothing else turns the check off. */
  readonly skipsVerification: boolean;
  /** Authorities besides those that Node trusts. Asked for each new connection: the same array as long as they are the same. */
  readonly trustedCaPem: () => readonly string[];
  readonly minVersion: SecureVersion;
  /**
   * What to show an upstream that asks who calls, `null` for nothing. Asked for each new connection: the same object as long as the
   * certificate is the same, for it is prepared once per object.
   */
  readonly clientCertificate: ((tenant: string, host: string) => ClientCertificate | null) | null;
  /** One of the tenant's own; `null` while it is not here. */
  readonly tenantCertificate: ((tenant: string, certificateId: string) => ClientCertificate | null) | null;
}

/** How one connector's TLS connections are made. What OpenSSL prepares for them is made once, not per connection. */
export class UpstreamTls {
  private anonymous: SecureContext | null = null;
  private contexts = new WeakMap<ClientCertificate, SecureContext>();
  /** With whom they were made. */
  private trusted: readonly string[] | null = null;

  constructor(private readonly options: UpstreamTlsOptions) {}

  /** Throws `UnusableClientCertificate`. */
  connect(
    { address, port }: Pick<UpstreamAddress, 'address' | 'port'>,
    host: string,
    certificate: ClientCertificate | null,
  ): TLSSocket {
    // The types do not know `noDelay` here; it is handed on to the socket.
    const options: ConnectionOptions & { readonly noDelay: boolean } = {
      host: address,
      port,
      noDelay: true,
      secureContext: this.contextOf(certificate),
      ALPNProtocols: ['h2', 'http/1.1'],
      // The certificate is checked against the name in the URL, or the one in its place. An address is no name for SNI (RFC 6066 §3).
      servername: isIP(host) === 0 ? host : '',
      rejectUnauthorized: !this.options.skipsVerification,
      checkServerIdentity: (_name, shown) => checkServerIdentity(host, shown),
    };
    return connect(options);
  }

  /** `certificateId` names one of the tenant's own, in place of what the operator shows. Throws `UnusableClientCertificate`. */
  certificateFor(tenant: string, host: string, certificateId: string | null): ClientCertificate | null {
    if (certificateId !== null) {
      const certificate = this.options.tenantCertificate?.(tenant, certificateId) ?? null;
      if (certificate === null)
        throw new UnusableClientCertificate(new Error(`certificate ${certificateId} is not on this node`));
      return certificate;
    }
    return this.options.clientCertificate === null ? null : this.options.clientCertificate(tenant, host);
  }

  private contextOf(certificate: ClientCertificate | null): SecureContext {
    const trusted = this.options.trustedCaPem();
    if (trusted !== this.trusted) {
      this.trusted = trusted;
      this.anonymous = null;
      this.contexts = new WeakMap();
    }
    if (certificate === null) return (this.anonymous ??= createSecureContext(this.common(trusted)));
    const known = this.contexts.get(certificate);
    if (known !== undefined) return known;
    const context = withCertificate(certificate, this.common(trusted));
    this.contexts.set(certificate, context);
    return context;
  }

  private common(trusted: readonly string[]): SecureContextOptions {
    const { minVersion } = this.options;
    return trusted.length === 0 ? { minVersion } : { minVersion, ca: [...getCACertificates('default'), ...trusted] };
  }
}

export class UnusableClientCertificate extends Error {
  constructor(cause: unknown) {
    super('our client certificate cannot be used', { cause });
    this.name = 'UnusableClientCertificate';
  }
}

function withCertificate({ certPem, keyPem }: ClientCertificate, common: SecureContextOptions): SecureContext {
  try {
    return createSecureContext({ ...common, cert: certPem, key: keyPem.reveal() });
  } catch (cause) {
    throw new UnusableClientCertificate(cause);
  }
}
