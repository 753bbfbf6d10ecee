/**
 * What stages show their backends, as nodes are told of it:
 *
 *   CERTIFICATE  {account}:client/{clientCertificateId}   certificate and private key, while a stage shows it
 *
 * An entry of its own, like a domain name's certificate, because it holds a key (ADR 0009); it goes where the APIs of those stages go.
 */
import { clientCertificateEntryId, clientCertificateName, type CertificateEntry } from '@gatehouse/contracts';
import { poolsField, type ClientCertificate, type Stage, type TenantRepositories } from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { poolOfApi } from './placement.js';

/** A certificate, and who shows it: nobody, once `apiIds` is empty. */
export interface ShownCertificate {
  readonly id: string;
  /** `null`: it is gone. */
  readonly certificate: ClientCertificate | null;
  readonly apiIds: readonly string[];
  readonly pools: readonly string[];
}

/**
 * Locks the certificates and reads who shows them. To be asked before the first entry is written: whoever holds the manifest waits for
 * nobody. `shownBy` may not be stored yet, `goneFrom` may still be there.
 */
export async function clientCertificatesOf(
  tx: TenantRepositories,
  ids: readonly (string | null)[],
  { shownBy, goneFrom = [] }: { readonly shownBy?: Stage; readonly goneFrom?: readonly Stage[] },
): Promise<ShownCertificate[]> {
  const isOf = (stage: Stage) => (other: Stage) => other.apiId === stage.apiId && other.stageName === stage.stageName;
  const shown: ShownCertificate[] = [];
  for (const id of [...new Set(ids)].filter((one) => one !== null).sort()) {
    // Two changes of stages that show it must not publish each other's past.
    const certificate = await tx.clientCertificates.lock(id);
    const stored = await tx.stages.usingClientCertificate(id);
    const stages = stored.filter((stage) => !goneFrom.some(isOf(stage)) && (shownBy === undefined || !isOf(shownBy)(stage)));
    if (shownBy?.clientCertificateId === id) stages.push(shownBy);
    const apiIds = [...new Set(stages.map(({ apiId }) => apiId))].sort();
    const pools: string[] = [];
    for (const apiId of apiIds) pools.push(await poolOfApi(tx, apiId));
    shown.push({ id, certificate, apiIds, pools });
  }
  return shown;
}

/** Sends it to the nodes of the stages that show it, or takes it from them when none does. */
export async function putClientCertificate(
  tx: TenantRepositories,
  { id, certificate, apiIds, pools }: ShownCertificate,
): Promise<void> {
  const entryId = clientCertificateEntryId(tx.tenant, id);
  if (certificate !== null && apiIds.length > 0) {
    const entry: CertificateEntry = {
      certificateId: clientCertificateName(id),
      tenant: tx.tenant,
      chainPem: certificate.certificatePem,
      privateKeyPem: certificate.privateKeyPem.reveal(),
      hostNames: [],
      expiresAtMs: certificate.expiresAtMs,
      apiIds,
    };
    await tx.manifest.put('CERTIFICATE', entryId, {
      digest: null,
      blobBytes: 0,
      inline: canonicalJson(entry),
      ...poolsField(pools),
    });
    return;
  }
  const published = await tx.manifest.find('CERTIFICATE', entryId);
  if (published !== null && published.content !== null) await tx.manifest.remove('CERTIFICATE', entryId);
}
