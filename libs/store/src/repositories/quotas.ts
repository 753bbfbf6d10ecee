import { withDefaults, type OwnQuotas, type QuotaRepository, type Quotas } from '@gatehouse/domain';
import { document, fromDocument, type TransactionScope } from './prisma-repository.js';

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
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`quotas ${tenant}`}, 0))`;
    return this.#find();
  }

  async write(own: OwnQuotas): Promise<void> {
    const where = { tenantId: this.scope.tenant };
    const columns = { document: document(own) };
    await this.scope.tx.tenantQuotas.upsert({ where, create: { ...where, ...columns }, update: columns });
    this.#known = own;
  }

  async #find(): Promise<OwnQuotas> {
    const row = await this.scope.tx.tenantQuotas.findUnique({ where: { tenantId: this.scope.tenant } });
    this.#known = row === null ? {} : fromDocument<OwnQuotas>(row);
    return this.#known;
  }
}
