import type { PlacementRepository } from '@gatehouse/domain';
import type { TransactionScope } from './prisma-repository.js';

/**
 * The lock is an advisory one, because a tenant that is placed nowhere has no row. It stands outside the order of row locks: a publisher
 * that holds an API and one that places the tenant may meet, and then PostgreSQL sends one of them round again (retry.ts).
 */
export class PrismaPlacement implements PlacementRepository {
  /** Whoever holds the lock knows the answer until the transaction ends: a plan asks once for each of its APIs. */
  #known: { readonly pool: string | null } | null = null;

  constructor(private readonly scope: TransactionScope) {}

  async read(): Promise<string | null> {
    if (this.#known !== null) return this.#known.pool;
    const { tx, tenant } = this.scope;
    await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(hashtextextended(${`placement ${tenant}`}, 0))`;
    return this.#find();
  }

  async lock(): Promise<string | null> {
    const { tx, tenant } = this.scope;
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`placement ${tenant}`}, 0))`;
    return this.#find();
  }

  async write(pool: string | null): Promise<void> {
    const { tx, tenant } = this.scope;
    const where = { tenantId: tenant };
    if (pool === null) await tx.tenantPlacement.deleteMany({ where });
    else await tx.tenantPlacement.upsert({ where, create: { ...where, pool }, update: { pool } });
    this.#known = { pool };
  }

  /** In a statement of its own: one that waited for the lock would still see what was there before. */
  async #find(): Promise<string | null> {
    const row = await this.scope.tx.tenantPlacement.findUnique({ where: { tenantId: this.scope.tenant } });
    this.#known = { pool: row?.pool ?? null };
    return this.#known.pool;
  }
}
