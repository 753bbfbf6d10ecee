/** A certificate with its key, checked when it is read: what is wrong with it is said then, not at a handshake. */
import type { Secret } from '@gatehouse/kernel';
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext, type SecureVersion } from 'node:tls';

export interface Certificate {
  /** For people: where it comes from. */
  readonly label: string;
  /** The certificate and its chain, leaf first. */
  readonly chainPem: string;
  readonly keyPem: Secret;
  /** Host names of its SANs in lower case; `*.example.com` stands for one label. */
  readonly hostNames: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
  /** Callers need at least this; absent: what the store asks of all. Lower than that has no effect. */
  readonly minVersion?: SecureVersion;
}

export type CertificateFault =
  /** A file is missing, or cannot be read as PEM. */
  | 'UNREADABLE'
  | 'KEY_MISMATCH'
  | 'EXPIRED'
  /** OpenSSL will not serve it: a key too short, a signature too weak. */
  | 'UNUSABLE'
  /** No host name among its SANs: nobody would ever get it. */
  | 'NO_HOST_NAME';

export interface CertificateProblem {
  readonly label: string;
  readonly fault: CertificateFault;
  readonly message: string;
}

export interface CertificateText {
  readonly label: string;
  readonly chainPem: string;
  readonly keyPem: Secret;
  /** Used when no name fits, so it needs none. */
  readonly isDefault: boolean;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const HOST_NAME = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;

/** Each certificate of the chain is read, so that a broken one further down does not wait for a handshake. */
export function readCertificate(text: CertificateText, nowMs: number): Certificate | CertificateProblem {
  const { label, chainPem, keyPem, isDefault } = text;
  const problem = (fault: CertificateFault, message: string): CertificateProblem => ({
    label,
    fault,
    message: `${label}: ${message}`,
  });
  let chain: X509Certificate[];
  let key: KeyObject;
  try {
    chain = (chainPem.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
  } catch (cause) {
    return problem('UNREADABLE', `certificate: ${(cause as Error).message}`);
  }
  const leaf = chain[0];
  if (leaf === undefined) return problem('UNREADABLE', 'certificate: there is no PEM certificate in it');
  try {
    key = createPrivateKey(keyPem.reveal());
  } catch {
    return problem('UNREADABLE', 'key: not a PEM private key without a passphrase'); // OpenSSL's message could quote it
  }
  if (!leaf.checkPrivateKey(key)) return problem('KEY_MISMATCH', 'the key does not belong to the certificate');
  const expiresAtMs = leaf.validToDate.getTime();
  if (expiresAtMs <= nowMs) return problem('EXPIRED', `expired ${leaf.validToDate.toISOString()}`);
  const hostNames = hostNamesOf(leaf);
  if (hostNames.length === 0 && !isDefault) return problem('NO_HOST_NAME', 'no DNS name among its subject alternative names');
  try {
    createSecureContext({ cert: chainPem, key: keyPem.reveal() }); // made again when somebody asks for it
  } catch (cause) {
    return problem('UNUSABLE', (cause as Error).message);
  }
  return { label, chainPem, keyPem, hostNames, expiresAtMs };
}

export function isProblem(read: Certificate | CertificateProblem): read is CertificateProblem {
  return 'fault' in read;
}

/** `DNS:a.example, IP Address:..., DNS:*.b.example`; a name that needs quotes is no host name. */
function hostNamesOf({ subjectAltName }: X509Certificate): string[] {
  if (subjectAltName === undefined) return [];
  return subjectAltName
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice('DNS:'.length).toLowerCase())
    .filter((name) => HOST_NAME.test(name));
}
