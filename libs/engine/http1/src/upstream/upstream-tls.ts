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
  type TLSSocket,
} from 'node:tls';
import type { OriginUrl } from './origin-url.js';

export interface ClientCertificate {
  /** The chain, leaf first. */
  readonly certPem: string;
  readonly keyPem: Secret;
}

export interface UpstreamTlsOptions {
  /** Do not check certificates: the integration's `insecureSkipVerification`. Nothing else turns the check off. */
  readonly skipsVerification: boolean;
  /** Authorities besides those that Node trusts. */
  readonly trustedCaPem: readonly string[];
  /**
   * What to show an upstream that asks who calls, `null` for nothing. Asked for each new connection: the same object as long as the
   * certificate is the same, for it is prepared once per object.
   */
  readonly clientCertificate: ((tenant: string, host: string) => ClientCertificate | null) | null;
}

/** How one connector's TLS connections are made. What OpenSSL prepares for them is made once, not per connection. */
export class UpstreamTls {
  private anonymous: SecureContext | null = null;
  private readonly contexts = new WeakMap<ClientCertificate, SecureContext>();

  constructor(private readonly options: UpstreamTlsOptions) {}

  /** Throws `UnusableClientCertificate`. */
  connect(address: string, { host, port }: OriginUrl, certificate: ClientCertificate | null): TLSSocket {
    // The types do not know `noDelay` here; it is handed on to the socket.
    const options: ConnectionOptions & { readonly noDelay: boolean } = {
      host: address,
      port,
      noDelay: true,
      secureContext: this.contextOf(certificate),
      ALPNProtocols: ['h2', 'http/1.1'],
      // The certificate is checked against the name in the URL. An address is no name for SNI (RFC 6066 §3).
      servername: isIP(host) === 0 ? host : '',
      rejectUnauthorized: !this.options.skipsVerification,
      checkServerIdentity: (_name, shown) => checkServerIdentity(host, shown),
    };
    return connect(options);
  }

  certificateFor(tenant: string, host: string): ClientCertificate | null {
    return this.options.clientCertificate === null ? null : this.options.clientCertificate(tenant, host);
  }

  private contextOf(certificate: ClientCertificate | null): SecureContext {
    if (certificate === null) return (this.anonymous ??= createSecureContext(this.trust()));
    const known = this.contexts.get(certificate);
    if (known !== undefined) return known;
    const context = withCertificate(certificate, this.trust());
    this.contexts.set(certificate, context);
    return context;
  }

  private trust(): SecureContextOptions {
    const { trustedCaPem } = this.options;
    return trustedCaPem.length === 0 ? {} : { ca: [...getCACertificates('default'), ...trustedCaPem] };
  }
}

export class UnusableClientCertificate extends Error {
  constructor(cause: unknown) {
    super('our client certificate cannot be used', { cause });
    this.name = 'UnusableClientCertificate';
  }
}

function withCertificate({ certPem, keyPem }: ClientCertificate, trust: SecureContextOptions): SecureContext {
  try {
    return createSecureContext({ ...trust, cert: certPem, key: keyPem.reveal() });
  } catch (cause) {
    throw new UnusableClientCertificate(cause);
  }
}
