import { publishCertificate } from '@gatehouse/control-publish';
import {
  ApiError,
  certificateArn,
  checkCertificateId,
  covers,
  checkRoom,
  readCertificate,
  type Certificate,
  type CertificateText,
  type Page,
  type PageRequest,
  type TenantId,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';

/** What its owner is shown: everything but the key. */
export interface CertificateReport {
  readonly id: string;
  readonly arn: string;
  readonly hostNames: readonly string[];
  readonly notBefore: string;
  readonly expiresAt: string;
  readonly importedAt: string;
  readonly fingerprint: string;
  readonly chain: string;
  /** Domain names that need it, by name. */
  readonly inUseBy: readonly string[];
}

/** Certificates of a tenant: Gatehouse stands in for ACM, which the ARNs in API Gateway's calls belong to. */
export class Certificates {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
  ) {}

  /** A new certificate, or another one in its place: domain names that use it go on with the new one. */
  put(tenant: TenantId, region: string, id: string, text: CertificateText): Promise<CertificateReport> {
    checkCertificateId(id);
    return this.store.transact(tenant, async (tx) => {
      const present = await tx.certificates.lock(id);
      if (present?.inlineOf) throw conflict(`The certificate id ${id} is taken by the domain name ${present.inlineOf}.`);
      if (present !== null && present.region !== region)
        throw conflict(`The certificate ${id} is one of region ${present.region}.`);
      const certificate = readCertificate(text, { id, region, inlineOf: null }, this.clock.nowMs());
      const users = await tx.domainNames.usingCertificate(id);
      const lost = users.filter((domain) => !covers(certificate, domain.name)).map(({ name }) => name);
      if (lost.length > 0) throw conflict(`The certificate is in use by domain names it would not cover: ${lost.join(', ')}.`);
      if (present !== null) await tx.certificates.replace(certificate);
      else {
        checkRoom(
          await tx.quotas.read(),
          'certificates',
          await tx.certificates.count(),
          'Maximum number of certificates for this account has been reached.',
        );
        await tx.certificates.insert(certificate);
      }
      await publishCertificate(tx, id);
      return report(
        tenant,
        certificate,
        users.map(({ name }) => name),
      );
    });
  }

  find(tenant: TenantId, id: string): Promise<CertificateReport> {
    return this.store.transact(tenant, async (tx) => {
      const certificate = await tx.certificates.find(id);
      if (certificate === null || certificate.inlineOf !== null) throw unknown(id);
      return report(tenant, certificate, names(await tx.domainNames.usingCertificate(id)));
    });
  }

  page(tenant: TenantId, request: PageRequest): Promise<Page<CertificateReport>> {
    return this.store.transact(tenant, async (tx) => {
      const { items, next } = await tx.certificates.page(request);
      const reports: CertificateReport[] = [];
      for (const certificate of items) {
        reports.push(report(tenant, certificate, names(await tx.domainNames.usingCertificate(certificate.id))));
      }
      return { items: reports, next };
    });
  }

  /** Refused while a domain name needs it. */
  remove(tenant: TenantId, id: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const certificate = await tx.certificates.lock(id);
      if (certificate === null || certificate.inlineOf !== null) throw unknown(id);
      const users = names(await tx.domainNames.usingCertificate(id));
      if (users.length > 0) throw conflict(`The certificate is in use by domain names: ${users.join(', ')}.`);
      await tx.certificates.remove(id);
    });
  }
}

const names = (domains: readonly { readonly name: string }[]): string[] => domains.map(({ name }) => name);

function report(tenant: TenantId, certificate: Certificate, inUseBy: readonly string[]): CertificateReport {
  return {
    id: certificate.id,
    arn: certificateArn(tenant, certificate),
    hostNames: certificate.hostNames,
    notBefore: new Date(certificate.notBeforeMs).toISOString(),
    expiresAt: new Date(certificate.expiresAtMs).toISOString(),
    importedAt: new Date(certificate.importedAtMs).toISOString(),
    fingerprint: certificate.fingerprint,
    chain: certificate.chainPem,
    inUseBy,
  };
}

// The names of ACM's exceptions.
const unknown = (id: string): Error => new ApiError('ResourceNotFoundException', 404, `Could not find certificate ${id}.`);
const conflict = (message: string): Error => new ApiError('ResourceInUseException', 409, message);
