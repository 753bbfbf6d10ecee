import type { Secret } from '@gatehouse/kernel';
import type { TextMap } from '../rest-apis/rest-api.js';

/** A custom domain name: a host under which a tenant's APIs answer. */
export interface DomainName {
  /** Lower case, unique over all tenants: `api.example.com`, or `*.example.com` for every host one label below. */
  readonly name: string;
  readonly region: string;
  readonly createdAtMs: number;
  /** `EDGE`, `REGIONAL`, or both while moving from one to the other. Nodes serve both alike. */
  readonly types: readonly string[];
  readonly ipAddressType: string;
  /** For EDGE. */
  readonly certificateArn: string | null;
  readonly certificateName: string | null;
  /** Id of the certificate that came inside CreateDomainName, instead of an ARN; gone with the domain name. */
  readonly inlineCertificateId: string | null;
  /** For REGIONAL. */
  readonly regionalCertificateArn: string | null;
  readonly regionalCertificateName: string | null;
  /** When one of its certificates was last set. */
  readonly certificateUploadedAtMs: number;
  readonly ownershipVerificationCertificateArn: string | null;
  readonly securityPolicy: string;
  readonly endpointAccessMode: string | null;
  /** Ten characters: of the host names a DNS record would point to. */
  readonly targetId: string;
  readonly tags: TextMap;
}

/** Which API, and which of its stages, answers below a path of a domain name. */
export interface BasePathMapping {
  readonly domainName: string;
  /** Without slashes around it; empty for what no other mapping takes. */
  readonly basePath: string;
  readonly restApiId: string;
  /** `null`: the first segment behind the base path names it. */
  readonly stage: string | null;
}

/** A certificate with its key that a tenant has imported. */
export interface Certificate {
  /** The last part of its ARN. */
  readonly id: string;
  readonly region: string;
  /** PEM, leaf first. */
  readonly chainPem: string;
  readonly privateKeyPem: Secret;
  /** Host names among its SANs, lower case; `*.example.com` stands for one label. */
  readonly hostNames: readonly string[];
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
  /** Hex SHA-256 of the leaf. */
  readonly fingerprint: string;
  readonly importedAtMs: number;
  /** It came inside CreateDomainName of this domain name, and is not listed. */
  readonly inlineOf: string | null;
}

const CERTIFICATE_OF_ARN = /^arn:[^:]+:acm:[^:]+:\d{12}:certificate\/(.+)$/;

/** Ids of all certificates a domain name needs: what may not be deleted while it is there. */
export function certificateIdsOf(domain: DomainName): readonly string[] {
  const ids = new Set<string>();
  if (domain.inlineCertificateId !== null) ids.add(domain.inlineCertificateId);
  for (const arn of [domain.certificateArn, domain.regionalCertificateArn, domain.ownershipVerificationCertificateArn]) {
    const id = arn === null ? undefined : CERTIFICATE_OF_ARN.exec(arn)?.[1];
    if (id !== undefined) ids.add(id);
  }
  return [...ids].sort();
}

/** The one its callers are shown: of its newest type. */
export function servedCertificateId(domain: DomainName): string {
  const arn = domain.types.includes('REGIONAL') ? domain.regionalCertificateArn : domain.certificateArn;
  const id = arn === null ? domain.inlineCertificateId : CERTIFICATE_OF_ARN.exec(arn)?.[1];
  if (id === undefined || id === null) throw new Error(`domain name ${domain.name} has no certificate`);
  return id;
}
