import { DEFAULT_ACCOUNT_SETTINGS, type AccountRepository, type AccountSettings } from '@gatehouse/domain';
import { statement } from '../statement-batch.js';
import type { TransactionScope } from './prisma-repository.js';

const LOCK = statement('SELECT "document" FROM "account_settings" WHERE "tenant_id" = $1 FOR UPDATE');
const INSERT = statement('INSERT INTO "account_settings" ("tenant_id", "document") VALUES ($1, $2) ON CONFLICT DO NOTHING');
const WRITE = statement(
  `INSERT INTO "account_settings" ("tenant_id", "document") VALUES ($1, $2)
   ON CONFLICT ("tenant_id") DO UPDATE SET "document" = excluded."document"`,
);

export class PrismaAccount implements AccountRepository {
  /** The row is locked: it stays as it was read until the transaction ends. */
  #known: AccountSettings | null = null;

  constructor(private readonly scope: TransactionScope) {}

  async read(): Promise<AccountSettings> {
    return (this.#known ??= await this.#lock());
  }

  async write(settings: AccountSettings): Promise<void> {
    await this.scope.tx.run(WRITE, [this.scope.tenant, JSON.stringify(settings)]);
    this.#known = settings;
  }

  async #lock(): Promise<AccountSettings> {
    const { tx, tenant } = this.scope;
    let { rows } = await tx.run(LOCK, [tenant]);
    if (rows.length === 0) {
      // A row to lock: without one, two who change the defaults at the same time would not see each other.
      const defaults = JSON.stringify(DEFAULT_ACCOUNT_SETTINGS);
      [, { rows }] = await Promise.all([tx.run(INSERT, [tenant, defaults]), tx.run(LOCK, [tenant])]);
    }
    return JSON.parse(rows[0]![0]!) as AccountSettings;
  }
}
