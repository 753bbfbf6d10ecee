/** What may be imported as a certificate, and which host names it is good for. Refusals of ACM, which Gatehouse stands in for. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import type { Secret } from '@gatehouse/kernel';
import { ApiError, badRequest } from '../errors.js';
import type { TenantId } from '../tenancy/tenant.js';
import type { Certificate } from './domain-name.js';

/** As a tenant hands it over, all in PEM. */
export interface CertificateText {
  readonly certificate: string;
  /** What stands between the certificate and a root that callers trust; may be empty. */
  readonly chain: string;
  readonly privateKey: Secret;
}

/** Far above a chain of ten certificates. */
const PEM_CHARS_MAX = 64 * 1024;
const CHAIN_LENGTH_MAX = 10;
const HOST_NAMES_MAX = 1_000;
const RSA_BITS_MIN = 2048;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const HOST_NAME = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;
const CERTIFICATE_ID = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$/;
const ARN = /^arn:aws[a-z-]*:acm:([a-z0-9-]+):(\d{12}):certificate\/([A-Za-z0-9_-]{1,64})$/;

const invalid = (message: string): Error => new ApiError('ValidationException', 400, message);

export function checkCertificateId(id: string): string {
  if (CERTIFICATE_ID.test(id)) return id;
  throw invalid(
    'A certificate id must have 1 to 64 letters, digits, hyphens and underscores, and start and end with none of the latter two',
  );
}

export const certificateArn = (tenant: TenantId, { region, id }: Pick<Certificate, 'region' | 'id'>): string =>
  `arn:aws:acm:${region}:${tenant}:certificate/${id}`;

/** The id of a certificate of this tenant. Throws BadRequest for what is no ARN of one. */
export function readCertificateArn(tenant: TenantId, arn: string): { readonly region: string; readonly id: string } {
  const match = ARN.exec(arn);
  if (match === null) throw badRequest(`Invalid certificate ARN: ${arn}`);
  if (match[2] !== tenant) throw badRequest('The certificate provided must be owned by the account creating the domain.');
  return { region: match[1]!, id: match[3]! };
}

/** Reads all of it, so that what is wrong with it is said now and not at a handshake. Throws ValidationException. */
export function readCertificate(
  text: CertificateText,
  identity: Pick<Certificate, 'id' | 'region' | 'inlineOf'>,
  nowMs: number,
): Certificate {
  const chain = [...readPem(text.certificate, 'certificate'), ...(text.chain === '' ? [] : readPem(text.chain, 'chain'))];
  if (chain.length > CHAIN_LENGTH_MAX) throw invalid(`The certificate chain can have at most ${CHAIN_LENGTH_MAX} certificates.`);
  const leaf = chain[0]!;
  checkKey(leaf, text.privateKey);
  checkChain(chain);
  if (leaf.validToDate.getTime() <= nowMs) throw invalid(`The certificate expired ${leaf.validToDate.toISOString()}.`);
  const hostNames = hostNamesOf(leaf);
  if (hostNames.length === 0) throw invalid('The certificate has no DNS name among its subject alternative names.');
  if (hostNames.length > HOST_NAMES_MAX) throw invalid(`The certificate can have at most ${HOST_NAMES_MAX} names.`);
  return {
    ...identity,
    // Written anew: whatever stood between the blocks stays behind.
    chainPem: chain.map((certificate) => certificate.toString()).join(''),
    privateKeyPem: text.privateKey,
    hostNames,
    notBeforeMs: leaf.validFromDate.getTime(),
    expiresAtMs: leaf.validToDate.getTime(),
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    importedAtMs: nowMs,
  };
}

function readPem(pem: string, member: string): X509Certificate[] {
  if (pem.length > PEM_CHARS_MAX) throw invalid(`The ${member} can have at most ${PEM_CHARS_MAX} characters.`);
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0) throw invalid(`The ${member} field contains no certificate in PEM.`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw invalid(`The ${member} field contains an invalid certificate.`);
  }
}

function checkKey(leaf: X509Certificate, privateKey: Secret): void {
  let key: KeyObject;
  try {
    if (privateKey.reveal().length > PEM_CHARS_MAX) throw new Error('too long');
    key = createPrivateKey(privateKey.reveal());
  } catch {
    // Without OpenSSL's message, which may quote the key.
    throw invalid('The private key is not a PEM private key without a passphrase.');
  }
  if (!leaf.checkPrivateKey(key)) throw invalid('The private key does not match the certificate.');
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type !== 'rsa' && type !== 'ec') throw invalid('The private key must be an RSA or an elliptic curve key.');
  // OpenSSL would refuse to serve it.
  if (type === 'rsa' && details!.modulusLength! < RSA_BITS_MIN)
    throw invalid(`An RSA key must have at least ${RSA_BITS_MIN} bits.`);
}

function checkChain(chain: readonly X509Certificate[]): void {
  for (const [index, certificate] of chain.slice(0, -1).entries()) {
    const issuer = chain[index + 1]!;
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey))
      throw invalid('The certificate chain is not in order: each certificate must be signed by the one that follows it.');
  }
}

/** `DNS:a.example, IP Address:..., DNS:*.b.example`; a name that needs quotes is no host name. */
function hostNamesOf({ subjectAltName }: X509Certificate): string[] {
  const names = (subjectAltName ?? '')
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice('DNS:'.length).toLowerCase())
    .filter((name) => HOST_NAME.test(name));
  return [...new Set(names)].sort();
}

/** Whether callers of this domain name accept the certificate. A wildcard of the certificate stands for one label (RFC 6125 §6.4.3). */
export function covers({ hostNames }: Pick<Certificate, 'hostNames'>, domainName: string): boolean {
  const wildcard = `*${domainName.slice(domainName.indexOf('.'))}`;
  return hostNames.includes(domainName) || hostNames.includes(wildcard);
}
