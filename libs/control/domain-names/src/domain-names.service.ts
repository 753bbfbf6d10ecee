import { publishCertificate, publishDomainName, unpublishDomainName } from '@gatehouse/control-publish';
import {
  ApiError,
  applyChanges,
  badRequest,
  certificateIdsOf,
  checkDomainName,
  covers,
  domainNamePatchRules,
  DuplicateKey,
  checkRoom,
  newDomainName,
  readCertificate,
  readCertificateArn,
  readPatch,
  servedCertificateId,
  unknownDomainName,
  type Certificate,
  type CertificateText,
  type DomainName,
  type DomainNameRequest,
  type Page,
  type PageRequest,
  type PatchOperation,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';

const TARGET_ID_CHARS = 10;
const INLINE_ID_CHARS = 20;

/**
 * Custom domain names of a tenant. Every change is published in its own transaction.
 *
 * Locks, in this order: APIs, the domain name, its certificates (sorted; of a change those before and after). A certificate that is
 * held cannot be deleted, or replaced by one that does not cover the name.
 */
export class DomainNames {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  /** `inline`: the certificate itself, instead of an ARN. */
  create(tenant: TenantId, region: string, request: DomainNameRequest, inline: CertificateText | null): Promise<DomainName> {
    return this.store.transact(tenant, async (tx) => {
      checkRoom(
        await tx.quotas.read(),
        'domainNames',
        await tx.domainNames.count(),
        'Maximum number of domain names for this account has been reached.',
      );
      const inlineCertificateId = inline === null ? null : `inline-${this.ids.id(INLINE_ID_CHARS)}`;
      const identity = {
        region,
        createdAtMs: this.clock.nowMs(),
        targetId: this.ids.id(TARGET_ID_CHARS),
        inlineCertificateId,
      };
      const domain = newDomainName(request, identity);
      if (inline !== null) {
        const own = { id: inlineCertificateId!, region, inlineOf: domain.name };
        await tx.certificates.insert(readInline(inline, own, identity.createdAtMs));
      }
      try {
        await tx.domainNames.insert(domain);
      } catch (error) {
        if (error instanceof DuplicateKey) throw badRequest('The domain name you provided already exists.');
        throw error;
      }
      await this.#checkCertificates(tx, domain, []);
      await publishDomainName(tx, domain);
      return domain;
    });
  }

  find(tenant: TenantId, name: string): Promise<DomainName> {
    return this.store.transact(tenant, async (tx) => (await tx.domainNames.find(name)) ?? refuse());
  }

  page(tenant: TenantId, request: PageRequest): Promise<Page<DomainName>> {
    return this.store.transact(tenant, (tx) => tx.domainNames.page(request));
  }

  update(tenant: TenantId, name: string, operations: readonly PatchOperation[] | undefined): Promise<DomainName> {
    return this.store.transact(tenant, async (tx) => {
      const domain = (await tx.domainNames.lock(name)) ?? refuse();
      const patched = checkDomainName(applyChanges(domain, readPatch(operations, domainNamePatchRules)));
      const hasOtherCertificates = certificateIdsOf(patched).join() !== certificateIdsOf(domain).join();
      const changed = hasOtherCertificates ? { ...patched, certificateUploadedAtMs: this.clock.nowMs() } : patched;
      await tx.domainNames.replace(changed);
      await this.#checkCertificates(tx, changed, certificateIdsOf(domain));
      await removeInline(tx, domain, changed);
      await publishDomainName(tx, changed);
      await publishCertificate(tx, servedCertificateId(domain)); // nobody shows it any more, or others do
      return changed;
    });
  }

  /** With its mappings. */
  remove(tenant: TenantId, name: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      const domain = (await tx.domainNames.lock(name)) ?? refuse();
      await lockCertificates(tx, certificateIdsOf(domain));
      await tx.domainNames.remove(name);
      await removeInline(tx, domain, null);
      await unpublishDomainName(tx, name);
      await publishCertificate(tx, servedCertificateId(domain));
    });
  }

  /** Locks them, and those it had before: whoever deletes or replaces one waits, and then finds the domain name as it is. */
  async #checkCertificates(tx: TenantRepositories, domain: DomainName, before: readonly string[]): Promise<void> {
    const regions = new Map<string, string | null>();
    for (const id of domain.inlineCertificateId === null ? [] : [domain.inlineCertificateId]) regions.set(id, null);
    const { certificateArn, regionalCertificateArn, ownershipVerificationCertificateArn } = domain;
    for (const arn of [certificateArn, regionalCertificateArn, ownershipVerificationCertificateArn]) {
      if (arn === null) continue;
      const { id, region } = readCertificateArn(tx.tenant, arn);
      regions.set(id, region);
    }
    await lockCertificates(tx, [...regions.keys(), ...before]);
    for (const id of regions.keys()) {
      const certificate: Certificate | null = await tx.certificates.find(id);
      const region = regions.get(id)!;
      const isNamed = region === null || (certificate?.region === region && certificate.inlineOf === null);
      if (certificate === null || !isNamed) throw badRequest('The provided certificate does not exist.');
      if (!covers(certificate, domain.name))
        throw badRequest('The domain name to be created is not covered by the provided certificate.');
      const isNew = !before.includes(id); // one that expired in use must not stand in the way of other changes
      if (isNew && certificate.expiresAtMs <= this.clock.nowMs()) throw badRequest('The provided certificate has expired.');
    }
  }
}

async function lockCertificates(tx: TenantRepositories, certificateIds: readonly string[]): Promise<void> {
  for (const id of [...new Set(certificateIds)].sort()) await tx.certificates.lock(id);
}

/** The certificate that came with the domain name goes when it is not used any more. */
async function removeInline(tx: TenantRepositories, before: DomainName, after: DomainName | null): Promise<void> {
  const id = before.inlineCertificateId;
  if (id !== null && after?.inlineCertificateId !== id) await tx.certificates.remove(id);
}

/** In the words of API Gateway, which has no ValidationException of its own. */
function readInline(...args: Parameters<typeof readCertificate>): Certificate {
  try {
    return readCertificate(...args);
  } catch (error) {
    throw error instanceof ApiError ? badRequest(error.message) : error;
  }
}

function refuse(): never {
  throw unknownDomainName();
}
