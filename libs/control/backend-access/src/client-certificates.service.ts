import {
  applyChanges,
  badRequest,
  checkRoom,
  checkTags,
  clientCertificatePatchRules,
  DuplicateKey,
  readPatch,
  unknownClientCertificate,
  type ClientCertificate,
  type Page,
  type PageRequest,
  type PatchOperation,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
  type TextMap,
} from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { makeClientCertificate } from './make-client-certificate.js';

const ID_CHARS = 6;
const ID_ATTEMPTS = 3;
/** API Gateway guide, "Generate and configure an SSL certificate for backend authentication": certificates are good for 365 days. */
const LIFETIME_MS = 365 * 24 * 3_600_000;

export interface NewClientCertificate {
  readonly description: string | null;
  readonly tags: TextMap;
}

export class ClientCertificates {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async generate(tenant: TenantId, { description, tags }: NewClientCertificate): Promise<ClientCertificate> {
    checkTags(tags);
    await this.store.transact(tenant, checkQuota);
    // Whole seconds: a certificate has no smaller ones. The key is made outside of any transaction: it takes its time.
    const createdAtMs = Math.floor(this.clock.nowMs() / 1000) * 1000;
    const expiresAtMs = createdAtMs + LIFETIME_MS;
    const made = await makeClientCertificate(new Date(createdAtMs), new Date(expiresAtMs));
    return this.store.transact(tenant, async (tx) => {
      await checkQuota(tx);
      for (let attempt = 1; ; attempt++) {
        const certificate = { id: this.ids.id(ID_CHARS), description, ...made, createdAtMs, expiresAtMs, tags };
        try {
          await tx.clientCertificates.insert(certificate);
          return certificate;
        } catch (error) {
          if (!(error instanceof DuplicateKey) || attempt === ID_ATTEMPTS) throw error;
        }
      }
    });
  }

  find(tenant: TenantId, id: string): Promise<ClientCertificate> {
    return this.store.transact(tenant, async (tx) => (await tx.clientCertificates.find(id)) ?? refuse());
  }

  page(tenant: TenantId, request: PageRequest): Promise<Page<ClientCertificate>> {
    return this.store.transact(tenant, (tx) => tx.clientCertificates.page(request));
  }

  update(tenant: TenantId, id: string, operations: readonly PatchOperation[] | undefined): Promise<ClientCertificate> {
    return this.store.transact(tenant, async (tx) => {
      const certificate = (await tx.clientCertificates.lock(id)) ?? refuse();
      const changed = applyChanges(certificate, readPatch(operations, clientCertificatePatchRules));
      await tx.clientCertificates.replace(changed);
      return changed;
    });
  }

  /** Refused while a stage shows it. */
  remove(tenant: TenantId, id: string): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      if ((await tx.clientCertificates.lock(id)) === null) refuse();
      const stages = (await tx.stages.usingClientCertificate(id)).map(({ apiId, stageName }) => `${apiId}:${stageName}`);
      // The wording is ours.
      if (stages.length > 0)
        throw badRequest(
          `Cannot delete client certificate. Client certificate '${id}', is referenced in [${stages.join(', ')}] ` +
            'in format of [RESTApiId:Stage].',
        );
      await tx.clientCertificates.remove(id);
    });
  }
}

async function checkQuota(tx: TenantRepositories): Promise<void> {
  const text = 'Maximum number of client certificates for this account has been reached.';
  checkRoom(await tx.quotas.read(), 'clientCertificates', await tx.clientCertificates.count(), text);
}

function refuse(): never {
  throw unknownClientCertificate();
}
