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

interface SessionRow extends CredentialRow {
  readonly token_digest: string;
  readonly expires_at_ms: string;
  readonly made_by: string;
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
    return found === undefined ? this.session(accessKeyId) : this.credentialOf(accessKeyId, found);
  }

  async tenantsOfEndedSessions(beforeMs: number): Promise<TenantId[]> {
    const { rows } = await this.pool.query<{ tenant_id: string }>({
      text: 'SELECT DISTINCT tenant_id FROM sessions WHERE expires_at_ms < $1 ORDER BY tenant_id',
      values: [beforeMs],
    });
    return rows.map(({ tenant_id: id }) => id as TenantId);
  }

  private async session(accessKeyId: string): Promise<Credential | null> {
    const { rows } = await this.pool.query<SessionRow>({
      name: 'gatehouse_session',
      text:
        'SELECT k.tenant_id, s.sealed_secret, k.principal_arn, k.enabled, k.calls_only, s.token_digest, s.expires_at_ms, s.made_by ' +
        'FROM sessions s JOIN credentials k ON k.access_key_id = s.made_by WHERE s.access_key_id = $1',
      values: [columnText(accessKeyId)],
    });
    const [found] = rows;
    if (found === undefined) return null;
    return {
      ...this.credentialOf(accessKeyId, found),
      session: { tokenDigest: found.token_digest, expiresAtMs: Number(found.expires_at_ms), madeBy: found.made_by },
    };
  }

  private credentialOf(accessKeyId: string, row: CredentialRow): Credential {
    return {
      accessKeyId,
      tenant: row.tenant_id as TenantId,
      secret: this.sealer.open(row.sealed_secret, sealedPlace(accessKeyId)),
      principalArn: row.principal_arn,
      enabled: row.enabled,
      ...(row.calls_only && { callsOnly: true }),
    };
  }
}
