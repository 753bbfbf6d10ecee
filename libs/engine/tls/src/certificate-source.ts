import type { Certificate } from './certificate.js';

/**
 * Where certificates come from: a folder, the World with its custom domain names. Asked at handshakes, so it answers from
 * memory; an answer that is another object than before is another certificate.
 */
export interface CertificateSource {
  /** The certificate that names exactly this; a wildcard is asked for as `*.example.com`. */
  find(hostName: string): Certificate | null;
  /** For callers without SNI, and for names nobody knows. */
  readonly fallback: Certificate | null;
  all(): Iterable<Certificate>;
  /** Whether it is still one of them; asked of few, where `all` may be many. */
  has(certificate: Certificate): boolean;
  /** Called after every change; `null` for nobody. */
  onChange: (() => void) | null;
}

/** By host name. Of two certificates with one name, the one that is valid longer. */
export function indexByHostName(certificates: Iterable<Certificate>): ReadonlyMap<string, Certificate> {
  const byName = new Map<string, Certificate>();
  for (const certificate of certificates) {
    for (const name of certificate.hostNames) {
      const present = byName.get(name);
      if (present === undefined || present.expiresAtMs < certificate.expiresAtMs) byName.set(name, certificate);
    }
  }
  return byName;
}

/** Certificates that are given and replaced by whoever holds this. */
export class GivenCertificates implements CertificateSource {
  onChange: (() => void) | null = null;
  private byName: ReadonlyMap<string, Certificate> = new Map();
  private certificates: readonly Certificate[] = [];
  fallback: Certificate | null = null;

  constructor(certificates: readonly Certificate[], fallback: Certificate | null = null) {
    this.replace(certificates, fallback);
  }

  replace(certificates: readonly Certificate[], fallback: Certificate | null = null): void {
    this.certificates = certificates;
    this.byName = indexByHostName(certificates);
    this.fallback = fallback;
    this.onChange?.();
  }

  find(hostName: string): Certificate | null {
    return this.byName.get(hostName) ?? null;
  }

  has(certificate: Certificate): boolean {
    return certificate === this.fallback || this.certificates.includes(certificate);
  }

  *all(): Iterable<Certificate> {
    yield* this.certificates;
    if (this.fallback !== null) yield this.fallback;
  }
}
