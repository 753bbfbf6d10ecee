// Its decorators need the global that this one makes, before it is loaded.
import 'reflect-metadata';
import { X509CertificateGenerator } from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { Secret } from '@gatehouse/kernel';

export interface MadeCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
}

const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
} as const;

/** A new key pair with a certificate signed by itself: Node makes keys, but no certificates. Takes tens of milliseconds off the main thread. */
export async function makeClientCertificate(notBefore: Date, notAfter: Date): Promise<MadeCertificate> {
  const keys = await webcrypto.subtle.generateKey(RSA, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    { name: 'CN=ApiGateway', notBefore, notAfter, keys, signingAlgorithm: RSA },
    webcrypto as Crypto,
  );
  const privateKey = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { certificatePem: `${certificate.toString('pem')}\n`, privateKeyPem: new Secret(pem('PRIVATE KEY', privateKey)) };
}

/** RFC 7468 §2. */
function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
