/**
 * Certificates of the World's custom domain names, as the TLS port asks for them. Nothing is parsed and no context is made before a
 * caller names the host: ten thousand domain names cost what the World holds of them.
 */
import { isApiHost } from '@gatehouse/engine-accept';
import type { LinkedCertificate, WorldKeeper } from '@gatehouse/engine-link';
import type { Certificate, CertificateSource } from '@gatehouse/engine-tls';

/** By the lowest version of TLS that its domain names take. */
interface Forms {
  usual: Certificate | null;
  newest: Certificate | null;
}

export class WorldCertificates implements CertificateSource {
  onChange: (() => void) | null = null;
  /** Callers that name no host belong to no tenant. */
  readonly fallback = null;
  private readonly made = new WeakMap<LinkedCertificate, Forms>();
  private readonly published = new WeakMap<Certificate, LinkedCertificate>();

  /** `baseSuffix` starts with a dot. */
  constructor(
    private readonly worlds: Pick<WorldKeeper, 'current'>,
    private readonly baseSuffix: string,
  ) {}

  get isEmpty(): boolean {
    return this.worlds.current.certificates.size === 0;
  }

  find(hostName: string): Certificate | null {
    const world = this.worlds.current;
    if (world.domainNames.size === 0) return null;
    const domainName = world.domainNames.get(hostName);
    // Routing gives such a host to its API; its certificate is the operator's.
    if (domainName === null || isApiHost(hostName.replace('*', 'any'), this.baseSuffix)) return null;
    const certificate = world.certificateOf(domainName);
    return certificate === null ? null : this.formOf(certificate, needsNewestTls(domainName.settings.securityPolicy));
  }

  has(certificate: Certificate): boolean {
    const published = this.published.get(certificate);
    return published !== undefined && this.worlds.current.certificates.get(published.id) === published;
  }

  *all(): Iterable<Certificate> {
    for (const certificate of this.worlds.current.certificates.values()) yield this.formOf(certificate, false);
  }

  private formOf(published: LinkedCertificate, isNewest: boolean): Certificate {
    let forms = this.made.get(published);
    if (forms === undefined) this.made.set(published, (forms = { usual: null, newest: null }));
    if (isNewest) return (forms.newest ??= this.make(published, { minVersion: 'TLSv1.3' }));
    return (forms.usual ??= this.make(published, {}));
  }

  private make(published: LinkedCertificate, version: Pick<Certificate, 'minVersion'>): Certificate {
    const { id, chainPem, keyPem, hostNames, expiresAtMs } = published;
    const certificate: Certificate = { label: `certificate ${id}`, chainPem, keyPem, hostNames, expiresAtMs, ...version };
    this.published.set(certificate, published);
    return certificate;
  }
}

/**
 * `SecurityPolicy_TLS13_1_3_...` takes TLS 1.3 alone. All others take TLS 1.2 as well, `TLS_1_0` nothing older either: OpenSSL as Node has
 * it does not speak that without weaker ciphers for everybody.
 */
const needsNewestTls = (securityPolicy: string): boolean => /^SecurityPolicy_TLS13_1_3_/.test(securityPolicy);
