import type { PlacementRepository } from '@gatehouse/domain';
import { statement, type Statement } from '../statement-batch.js';
import type { TransactionScope } from './prisma-repository.js';

const SHARE = statement('SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))');
const LOCK = statement('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))');
const FIND = statement('SELECT "pool" FROM "tenant_placements" WHERE "tenant_id" = $1');
const REMOVE = statement('DELETE FROM "tenant_placements" WHERE "tenant_id" = $1');
const WRITE = statement(
  `INSERT INTO "tenant_placements" ("tenant_id", "pool") VALUES ($1, $2) ON CONFLICT ("tenant_id") DO UPDATE SET "pool" = excluded."pool"`,
);

/**
 * The lock is an advisory one, because a tenant that is placed nowhere has no row. It stands outside the order of row locks: a publisher
 * that holds an API and one that places the tenant may meet, and then PostgreSQL sends one of them round again (retry.ts).
 */
export class PrismaPlacement implements PlacementRepository {
  /** Whoever holds the lock knows the answer until the transaction ends: a plan asks once for each of its APIs. */
  #known: { readonly pool: string | null } | null = null;

  constructor(private readonly scope: TransactionScope) {}

  async read(): Promise<string | null> {
    return this.#known === null ? this.#findAfter(SHARE) : this.#known.pool;
  }

  lock(): Promise<string | null> {
    return this.#findAfter(LOCK);
  }

  async write(pool: string | null): Promise<void> {
    const { tx, tenant } = this.scope;
    if (pool === null) await tx.run(REMOVE, [tenant]);
    else await tx.run(WRITE, [tenant, pool]);
    this.#known = { pool };
  }

  /** Two statements: one that waited for the lock would still see what was there before. */
  async #findAfter(lock: Statement): Promise<string | null> {
    const { tx, tenant } = this.scope;
    const [, { rows }] = await Promise.all([tx.run(lock, [`placement ${tenant}`]), tx.run(FIND, [tenant])]);
    this.#known = { pool: rows[0]?.[0] ?? null };
    return this.#known.pool;
  }
}
