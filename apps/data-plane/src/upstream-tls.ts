/** What a node shows to upstreams on TLS and whom it trusts there: files of the operator, read again when they change. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { ClientCertificate } from '@gatehouse/engine-http1';
import { Secret } from '@gatehouse/kernel';
import type { Logger } from 'pino';

/** Empty: none. */
export interface UpstreamTlsFiles {
  readonly upstreamCa: string;
  readonly upstreamCert: string;
  readonly upstreamKey: string;
  /** Host names, `*.` in front for all below; empty: every upstream that asks. */
  readonly upstreamCertHosts: readonly string[];
}

/** How often the files are looked at: names, sizes and times alone. */
const LOOK_EVERY_MS = 10_000;

export class UpstreamTlsSettings {
  private authorities: readonly string[] = [];
  private certificate: ClientCertificate | null = null;
  private stamp = '';
  private readonly timer: NodeJS.Timeout;

  /** Throws when a file cannot be read, or is not what it should be. */
  constructor(
    private readonly files: UpstreamTlsFiles,
    private readonly log: Pick<Logger, 'info' | 'error'>,
    lookEveryMs = LOOK_EVERY_MS,
  ) {
    if ((files.upstreamCert === '') !== (files.upstreamKey === ''))
      throw new Error('GATEHOUSE_UPSTREAM_CERT and GATEHOUSE_UPSTREAM_KEY belong together: one of them is not set');
    this.stamp = this.stampNow();
    this.read();
    this.timer = setInterval(() => this.look(), lookEveryMs).unref();
    if (this.stamp === '') clearInterval(this.timer);
  }

  /** The same array as long as it is the same. */
  readonly trustedCaPem = (): readonly string[] => this.authorities;

  /** The same object as long as it is the same. */
  readonly clientCertificate = (_tenant: string, host: string): ClientCertificate | null =>
    this.certificate !== null && this.isShownTo(host) ? this.certificate : null;

  close(): void {
    clearInterval(this.timer);
  }

  private isShownTo(host: string): boolean {
    const { upstreamCertHosts } = this.files;
    if (upstreamCertHosts.length === 0) return true;
    const name = host.toLowerCase();
    return upstreamCertHosts.some((wanted) => (wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : name === wanted));
  }

  private look(): void {
    try {
      const stamp = this.stampNow();
      if (stamp === this.stamp) return;
      this.stamp = stamp;
      this.read();
      this.log.info({}, 'trusted authorities and certificate for upstreams were read again');
    } catch (cause) {
      this.log.error({ err: cause }, 'trusted authorities or certificate for upstreams cannot be used: those before stay');
    }
  }

  /** All or nothing. */
  private read(): void {
    const { upstreamCa, upstreamCert, upstreamKey } = this.files;
    const authorities = upstreamCa === '' ? [] : authoritiesOf(readText('GATEHOUSE_UPSTREAM_CA', upstreamCa));
    const certificate =
      upstreamCert === ''
        ? null
        : pairOf(readText('GATEHOUSE_UPSTREAM_CERT', upstreamCert), readText('GATEHOUSE_UPSTREAM_KEY', upstreamKey));
    this.authorities = authorities;
    this.certificate = certificate;
  }

  private stampNow(): string {
    const { upstreamCa, upstreamCert, upstreamKey } = this.files;
    return [upstreamCa, upstreamCert, upstreamKey].map(stampOf).join('');
  }
}

function stampOf(file: string): string {
  const stats = file === '' ? undefined : statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino}:${stats.size}:${stats.mtimeMs};`;
}

function readText(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${variable}: ${(cause as Error).message}`, { cause });
  }
}

/** One PEM per certificate. */
function authoritiesOf(text: string): string[] {
  const all = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (all.length === 0) throw new Error('GATEHOUSE_UPSTREAM_CA: no certificate in PEM');
  for (const [index, pem] of all.entries()) certificateOf('GATEHOUSE_UPSTREAM_CA', pem, index);
  return all;
}

function pairOf(certPem: string, keyPem: string): ClientCertificate {
  const leaf = certificateOf('GATEHOUSE_UPSTREAM_CERT', certPem, 0);
  let isPair: boolean;
  try {
    isPair = leaf.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    throw new Error('GATEHOUSE_UPSTREAM_KEY: no private key in PEM without a passphrase'); // the cause might quote it
  }
  if (!isPair) throw new Error('GATEHOUSE_UPSTREAM_KEY: not the key of GATEHOUSE_UPSTREAM_CERT');
  return { certPem, keyPem: new Secret(keyPem) };
}

function certificateOf(variable: string, pem: string, index: number): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`${variable}: certificate ${index + 1} cannot be read`, { cause });
  }
}
