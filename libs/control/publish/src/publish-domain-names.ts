/**
 * Domain names and their certificates, as nodes are told of them:
 *
 *   DOMAIN_NAME  {name}                        its mappings, and which certificate its callers are shown
 *   CERTIFICATE  {account}:{certificateId}     chain and private key, while a domain name shows it
 *
 * Two entries, so that a renewal sends a certificate and not its domain names, and a mapping no key.
 */
import type { Diagnostic } from '@gatehouse/compiler';
import {
  poolsField,
  servedCertificateId,
  type Certificate,
  type DomainName,
  type Stage,
  type TenantId,
  type TenantRepositories,
} from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { certificateEntry, domainNameEntry } from './entries.js';
import { poolOfApi, poolOfDomainName } from './placement.js';

/** The caller holds the locks of the domain name and of its certificate, and has written everything it changes. */
export async function publishDomainName(tx: TenantRepositories, domain: DomainName): Promise<void> {
  const mappings = await tx.basePathMappings.ofDomain(domain.name);
  const pools = poolsField([await poolOfDomainName(tx, domain)]);
  const certificate = await servedCertificate(tx, servedCertificateId(domain));
  if (certificate !== null) await putCertificate(tx, certificate);
  const inline = canonicalJson(domainNameEntry(tx.tenant, domain, mappings));
  await tx.manifest.put('DOMAIN_NAME', domain.name, { digest: null, blobBytes: 0, inline, ...pools });
}

export async function unpublishDomainName(tx: TenantRepositories, name: string): Promise<void> {
  await tx.manifest.remove('DOMAIN_NAME', name);
}

/** Domain names that lead to the stage and are served where it is not: their callers get 403. */
export async function diagnoseDomainNames(tx: TenantRepositories, { apiId, stageName }: Stage): Promise<readonly Diagnostic[]> {
  const diagnostics: Diagnostic[] = [];
  const pool = await poolOfApi(tx, apiId);
  const mappings = (await tx.basePathMappings.usingApi(apiId)).filter(({ stage }) => stage === null || stage === stageName);
  for (const name of new Set(mappings.map(({ domainName }) => domainName))) {
    const domain = await tx.domainNames.find(name);
    const served = domain === null ? pool : await poolOfDomainName(tx, domain);
    if (served === pool) continue;
    const message = `served by pool "${served}", and this API by pool "${pool}": callers of the domain name get 403 Forbidden`;
    diagnostics.push({ severity: 'warning', path: `/domainnames/${name}`, message });
  }
  return diagnostics;
}

/** Sends the certificate to the nodes of the domain names that show it, or takes it from them when none does. The caller holds its lock. */
export async function publishCertificate(tx: TenantRepositories, certificateId: string): Promise<void> {
  const certificate = await servedCertificate(tx, certificateId);
  if (certificate !== null) return putCertificate(tx, certificate);
  const id = certificateEntryId(tx.tenant, certificateId);
  const published = await tx.manifest.find('CERTIFICATE', id);
  if (published !== null && published.content !== null) await tx.manifest.remove('CERTIFICATE', id);
}

interface ServedCertificate {
  readonly certificate: Certificate;
  readonly pools: readonly string[];
}

/** Reads everything before anything is written: whoever holds the manifest waits for nobody. */
async function servedCertificate(tx: TenantRepositories, certificateId: string): Promise<ServedCertificate | null> {
  const certificate = await tx.certificates.find(certificateId);
  const pools: string[] = [];
  for (const domain of await tx.domainNames.usingCertificate(certificateId)) {
    if (servedCertificateId(domain) === certificateId) pools.push(await poolOfDomainName(tx, domain));
  }
  return certificate === null || pools.length === 0 ? null : { certificate, pools };
}

async function putCertificate(tx: TenantRepositories, { certificate, pools }: ServedCertificate): Promise<void> {
  await tx.manifest.put('CERTIFICATE', certificateEntryId(tx.tenant, certificate.id), {
    digest: null,
    blobBytes: 0,
    inline: canonicalJson(certificateEntry(tx.tenant, certificate)),
    ...poolsField(pools),
  });
}

const certificateEntryId = (tenant: TenantId, certificateId: string): string => `${tenant}:${certificateId}`;
