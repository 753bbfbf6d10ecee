import {
  DuplicateKey,
  type Credential,
  type IdentityPolicy,
  type Tenant,
  type TenantDirectory,
  type TenantId,
} from '@gatehouse/domain';
import { columnText } from './column-text.js';
import type pg from 'pg';
import type { PrismaClient } from './gen/client.js';
import { document } from './repositories/prisma-repository.js';
import type { Sealer } from './seal.js';

interface CredentialRow {
  readonly tenant_id: string;
  readonly sealed_secret: Buffer;
  readonly principal_arn: string;
  readonly enabled: boolean;
  readonly calls_only: boolean;
}

export const sealedPlace = (accessKeyId: string) => `secret of credential ${accessKeyId}`;

export class PrismaDirectory implements TenantDirectory {
  constructor(
    private readonly prisma: PrismaClient,
    private readonly pool: pg.Pool,
    private readonly sealer: Sealer,
  ) {}

  async create(tenant: Tenant, credentials: readonly Credential[], policies: readonly IdentityPolicy[] = []): Promise<void> {
    await this.prisma.$transaction(async (tx) => {
      const { count } = await tx.tenant.createMany({ data: { ...tenant }, skipDuplicates: true });
      if (count === 0) throw new DuplicateKey('tenant');
      const created = await tx.credential.createMany({
        data: credentials.map(({ accessKeyId, tenant: tenantId, secret, principalArn, enabled, callsOnly = false }) => ({
          accessKeyId,
          tenantId,
          sealedSecret: this.sealer.seal(secret, sealedPlace(accessKeyId)),
          principalArn,
          enabled,
          callsOnly,
        })),
        skipDuplicates: true,
      });
      if (created.count < credentials.length) throw new DuplicateKey('credential');
      await tx.identityPolicy.createMany({
        data: policies.map((policy) => ({ tenantId: tenant.id, principalArn: policy.principalArn, document: document(policy) })),
      });
    });
  }

  async list(): Promise<Tenant[]> {
    const found = await this.prisma.tenant.findMany({ orderBy: { id: 'asc' } });
    return found.map(({ id, name, createdAtMs }) => ({ id: id as TenantId, name, createdAtMs: Number(createdAtMs) }));
  }

  async find(id: TenantId): Promise<Tenant | null> {
    const found = await this.prisma.tenant.findUnique({ where: { id: columnText(id) } });
    return found === null ? null : { id, name: found.name, createdAtMs: Number(found.createdAtMs) };
  }

  async credential(accessKeyId: string): Promise<Credential | null> {
    // Every request asks this.
    const { rows } = await this.pool.query<CredentialRow>({
      name: 'gatehouse_credential',
      text: 'SELECT tenant_id, sealed_secret, principal_arn, enabled, calls_only FROM credentials WHERE access_key_id = $1',
      values: [columnText(accessKeyId)],
    });
    const [found] = rows;
    if (found === undefined) return null;
    const {
      tenant_id: tenantId,
      sealed_secret: sealedSecret,
      principal_arn: principalArn,
      enabled,
      calls_only: callsOnly,
    } = found;
    return {
      accessKeyId,
      tenant: tenantId as TenantId,
      secret: this.sealer.open(sealedSecret, sealedPlace(accessKeyId)),
      principalArn,
      enabled,
      ...(callsOnly && { callsOnly }),
    };
  }
}
