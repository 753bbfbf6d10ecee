/** For specs of other projects. */
import { Secret } from '@gatehouse/kernel';
import type { Certificate, DomainName } from './domain-name.js';

export const sampleCertificate = (over: Partial<Certificate> = {}): Certificate => ({
  id: 'one',
  region: 'us-east-1',
  chainPem: 'chain',
  privateKeyPem: new Secret('key'),
  hostNames: ['*.example.com'],
  notBeforeMs: 0,
  expiresAtMs: 1,
  fingerprint: 'f'.repeat(64),
  importedAtMs: 0,
  inlineOf: null,
  ...over,
});

export const sampleDomainName = (over: Partial<DomainName> = {}): DomainName => ({
  name: 'api.example.com',
  region: 'us-east-1',
  createdAtMs: 0,
  types: ['REGIONAL'],
  ipAddressType: 'ipv4',
  certificateArn: null,
  certificateName: null,
  inlineCertificateId: null,
  regionalCertificateArn: 'arn:aws:acm:us-east-1:111111111111:certificate/one',
  regionalCertificateName: null,
  certificateUploadedAtMs: 0,
  ownershipVerificationCertificateArn: null,
  securityPolicy: 'TLS_1_2',
  endpointAccessMode: null,
  targetId: 'abcdefghij',
  tags: {},
  ...over,
});
