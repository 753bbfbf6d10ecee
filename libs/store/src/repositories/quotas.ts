import { withDefaults, type OwnQuotas, type QuotaRepository, type Quotas } from '@gatehouse/domain';
import { statement } from '../statement-batch.js';
import type { TransactionScope } from './prisma-repository.js';

const LOCK = statement('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))');
const FIND = statement('SELECT "document" FROM "tenant_quotas" WHERE "tenant_id" = $1');
const WRITE = statement(
  `INSERT INTO "tenant_quotas" ("tenant_id", "document") VALUES ($1, $2)
   ON CONFLICT ("tenant_id") DO UPDATE SET "document" = excluded."document"`,
);

export class PrismaQuotas implements QuotaRepository {
  /** A transaction judges everything by the same quotas, and asks for them once. */
  #known: OwnQuotas | null = null;

  constructor(private readonly scope: TransactionScope) {}

  async read(): Promise<Quotas> {
    return withDefaults(this.#known ?? (await this.#find()));
  }

  /** The lock is an advisory one, because a tenant of whom nothing is said has no row. */
  async lock(): Promise<OwnQuotas> {
    const { tx, tenant } = this.scope;
    // Two statements: one that waited for the lock would still see what was there before.
    const [, own] = await Promise.all([tx.run(LOCK, [`quotas ${tenant}`]), this.#find()]);
    return own;
  }

  async write(own: OwnQuotas): Promise<void> {
    await this.scope.tx.run(WRITE, [this.scope.tenant, JSON.stringify(own)]);
    this.#known = own;
  }

  async #find(): Promise<OwnQuotas> {
    const { rows } = await this.scope.tx.run(FIND, [this.scope.tenant]);
    this.#known = rows.length === 0 ? {} : (JSON.parse(rows[0]![0]!) as OwnQuotas);
    return this.#known;
  }
}
