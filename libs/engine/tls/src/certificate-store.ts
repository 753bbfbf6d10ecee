/**
 * Which certificate a caller gets, by the name it asks for: exact, then the wildcard of one level, then the default. Contexts are
 * made when the first caller asks and forgotten when others are asked for more: ten thousand names cost what is used of them.
 */
import type { Clock } from '@gatehouse/kernel';
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls';
import type { Certificate } from './certificate.js';
import type { CertificateSource } from './certificate-source.js';

export interface CertificateStoreOptions {
  /** Asked in this order; the first that knows a name decides. */
  readonly sources: readonly CertificateSource[];
  readonly clock: Clock;
  readonly minVersion?: SecureVersion;
  /** A caller that names no host, or one nobody knows: gets the default certificate, or none. */
  readonly unknownNames?: 'default' | 'refuse';
  /** Contexts kept; the least recently used one goes. */
  readonly contextsMax?: number;
  /** A certificate that was read and yet cannot be used. */
  readonly onUnusable?: (certificate: Certificate, cause: unknown) => void;
}

export interface ExpiringCertificate {
  readonly label: string;
  readonly hostNames: readonly string[];
  readonly expiresAtMs: number;
}

const DAY_MS = 86_400_000;

export class CertificateStore {
  readonly minVersion: SecureVersion;
  /** By certificate, so another certificate for the same name has another context; the order is that of last use. */
  private readonly contexts = new Map<Certificate, SecureContext>();
  private readonly listeners = new Set<() => void>();
  private readonly contextsMax: number;

  constructor(private readonly options: CertificateStoreOptions) {
    this.minVersion = options.minVersion ?? 'TLSv1.2';
    this.contextsMax = options.contextsMax ?? 2_000;
    for (const source of options.sources) source.onChange = () => this.changed();
  }

  /** `null`: this caller gets none. `hostName` is `null` for a caller that names none. */
  contextFor(hostName: string | null): SecureContext | null {
    const certificate = hostName === null ? this.default : this.certificateFor(hostName);
    return certificate === null ? null : this.contextOf(certificate);
  }

  certificateFor(hostName: string): Certificate | null {
    const name = canonicalName(hostName);
    const dot = name.indexOf('.');
    const wildcard = dot === -1 ? null : `*${name.slice(dot)}`;
    return this.find(name) ?? (wildcard === null ? null : this.find(wildcard)) ?? this.default;
  }

  /** For callers whose name does not decide; `null` when they are refused or there is none. */
  get default(): Certificate | null {
    if (this.options.unknownNames === 'refuse') return null;
    for (const { fallback } of this.options.sources) if (fallback !== null) return fallback;
    return null;
  }

  /**
   * Whether a connection is as new as the host it names asks for. OpenSSL settles the version before the name's context is chosen, so
   * that context's lower bound comes too late for it.
   */
  allows(hostName: string | false, version: string | null): boolean {
    if (version === 'TLSv1.3' || hostName === false) return true;
    return this.certificateFor(hostName)?.minVersion !== 'TLSv1.3';
  }

  get contextCount(): number {
    return this.contexts.size;
  }

  /** Those whose time is up within so many days, and those whose time is up, soonest first. */
  expiringWithin(days: number): ExpiringCertificate[] {
    const untilMs = this.options.clock.nowMs() + days * DAY_MS;
    const expiring: ExpiringCertificate[] = [];
    for (const source of this.options.sources) {
      for (const { label, hostNames, expiresAtMs } of source.all()) {
        if (expiresAtMs <= untilMs) expiring.push({ label, hostNames, expiresAtMs });
      }
    }
    return expiring.sort((a, b) => a.expiresAtMs - b.expiresAtMs);
  }

  /** Called after every change of a source, until the returned function is. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private find(name: string): Certificate | null {
    for (const source of this.options.sources) {
      const found = source.find(name);
      if (found !== null) return found;
    }
    return null;
  }

  private contextOf(certificate: Certificate): SecureContext | null {
    const present = this.contexts.get(certificate);
    if (present !== undefined) {
      this.contexts.delete(certificate);
      this.contexts.set(certificate, present);
      return present;
    }
    let context: SecureContext;
    try {
      context = createSecureContext({
        cert: certificate.chainPem,
        key: certificate.keyPem.reveal(),
        minVersion: certificate.minVersion ?? this.minVersion,
      });
    } catch (cause) {
      this.options.onUnusable?.(certificate, cause);
      return null;
    }
    if (this.contexts.size >= this.contextsMax) this.contexts.delete(this.contexts.keys().next().value!);
    this.contexts.set(certificate, context);
    return context;
  }

  /** Connections keep the context they began with; those of certificates that are gone are let go here. */
  private changed(): void {
    for (const certificate of this.contexts.keys()) {
      if (!this.options.sources.some((source) => source.has(certificate))) this.contexts.delete(certificate);
    }
    for (const listener of this.listeners) listener();
  }
}

function canonicalName(hostName: string): string {
  const lower = hostName.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}
