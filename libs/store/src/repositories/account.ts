import { DEFAULT_ACCOUNT_SETTINGS, type AccountRepository, type AccountSettings } from '@gatehouse/domain';
import { document, fromDocument, type TransactionScope } from './prisma-repository.js';

export class PrismaAccount implements AccountRepository {
  constructor(private readonly scope: TransactionScope) {}

  async read(): Promise<AccountSettings> {
    const { tx, tenant } = this.scope;
    const where = { tenantId: tenant };
    // A row to lock: without one, two who change the defaults at the same time would not see each other.
    await tx.accountSettings.createMany({
      data: { ...where, document: document(DEFAULT_ACCOUNT_SETTINGS) },
      skipDuplicates: true,
    });
    await tx.$queryRaw`SELECT 1 FROM "account_settings" WHERE "tenant_id" = ${tenant} FOR UPDATE`;
    return fromDocument<AccountSettings>(await tx.accountSettings.findFirstOrThrow({ where }));
  }

  async write(settings: AccountSettings): Promise<void> {
    const { tx, tenant } = this.scope;
    const row = { document: document(settings) };
    await tx.accountSettings.upsert({ where: { tenantId: tenant }, create: { tenantId: tenant, ...row }, update: row });
  }
}
