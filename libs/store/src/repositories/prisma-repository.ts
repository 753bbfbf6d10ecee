import { DuplicateKey, type Page, type PageRequest, type Repository, type TenantId } from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import { Prisma } from '../gen/client.js';
import type { Sealer } from '../seal.js';

export type Transaction = Prisma.TransactionClient;

/** What every repository of a transaction shares. */
export interface TransactionScope {
  readonly tx: Transaction;
  readonly tenant: TenantId;
  readonly sealer: Sealer;
}

/** The part of Prisma's model clients that all of them have in common. */
interface ModelClient<Row> {
  findFirst(args: { where: object }): Promise<Row | null>;
  findMany(args: { where: object; orderBy: object; take?: number; include?: object; omit?: object }): Promise<Row[]>;
  createMany(args: { data: object; skipDuplicates: true }): Promise<{ count: number }>;
  updateMany(args: { where: object; data: object }): Promise<{ count: number }>;
  deleteMany(args: { where: object }): Promise<{ count: number }>;
  count(args: { where: object }): Promise<number>;
}

/** How one entity lies in its table. */
export interface Mapping<K, E, Row> {
  readonly entity: string;
  readonly rows: (tx: Transaction) => unknown;
  /** Name of the table, for locks. */
  readonly table: string;
  readonly keyOf: (entity: E) => K;
  /** The key's columns without the tenant; text as `columnText` gives it. */
  readonly where: (key: K) => Record<string, string>;
  /** Their names in the database, in the order of `where`'s members. */
  readonly keyColumns: readonly string[];
  /** All columns but the key's. */
  readonly toRow: (entity: E, scope: TransactionScope) => object | Promise<object>;
  readonly toEntity: (row: Row, scope: TransactionScope) => E | Promise<E>;
}

/** Reads and writes one tenant's entities of one kind within a transaction. */
export abstract class PrismaRepository<K, E, Row> implements Repository<K, E> {
  protected readonly rows: ModelClient<Row>;

  constructor(
    protected readonly scope: TransactionScope,
    private readonly mapping: Mapping<K, E, Row>,
  ) {
    this.rows = mapping.rows(scope.tx) as ModelClient<Row>;
  }

  async find(key: K): Promise<E | null> {
    const row = await this.rows.findFirst({ where: this.owned(this.mapping.where(key)) });
    return row === null ? null : this.mapping.toEntity(row, this.scope);
  }

  async lock(key: K): Promise<E | null> {
    const { table, keyColumns, where, toEntity } = this.mapping;
    const values = Object.values(where(key));
    const conditions = keyColumns.map((column, index) => Prisma.sql`${Prisma.raw(`"${column}"`)} = ${values[index]}`);
    const isDocument = (toEntity as unknown) === fromDocument;
    const rows = await this.scope.tx.$queryRaw<{ document: Prisma.JsonValue }[]>`
      SELECT ${Prisma.raw(isDocument ? '"document"' : '1')} FROM ${Prisma.raw(`"${table}"`)}
      WHERE "tenant_id" = ${this.scope.tenant} AND ${Prisma.join(conditions, ' AND ')} FOR UPDATE`;
    const [row] = rows;
    if (row === undefined) return null;
    // What lies in its document alone need not be asked for again.
    return isDocument ? fromDocument<E>(row) : this.find(key);
  }

  async insert(entity: E): Promise<void> {
    const { toRow, where, keyOf } = this.mapping;
    const data = { ...where(keyOf(entity)), ...(await toRow(entity, this.scope)) };
    // A duplicate must not break the transaction, as a failed INSERT would: the caller may try another key.
    const { count } = await this.rows.createMany({ data: this.owned(data), skipDuplicates: true });
    if (count === 0) throw new DuplicateKey(this.mapping.entity);
  }

  async replace(entity: E): Promise<void> {
    const { toRow, where, keyOf, entity: name } = this.mapping;
    const data = await toRow(entity, this.scope);
    try {
      const { count } = await this.rows.updateMany({ where: this.owned(where(keyOf(entity))), data });
      if (count === 0) throw new Error(`no ${name} ${JSON.stringify(keyOf(entity))} to replace`);
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') throw new DuplicateKey(name);
      throw error;
    }
  }

  async remove(key: K): Promise<boolean> {
    const { count } = await this.rows.deleteMany({ where: this.owned(this.mapping.where(key)) });
    return count > 0;
  }

  protected owned<T extends object>(columns: T): T & { tenantId: TenantId } {
    return { ...columns, tenantId: this.scope.tenant };
  }

  protected async list(where: object, orderBy: object): Promise<E[]> {
    return this.toEntities(await this.rows.findMany({ where: this.owned(where), orderBy }));
  }

  protected toEntities(rows: readonly Row[]): Promise<E[]> {
    return Promise.all(rows.map((row) => this.mapping.toEntity(row, this.scope)));
  }

  /** `column` sorts the list and is unique in it; its text is the page's `after`. */
  protected async slice<C extends keyof Row & string>(
    where: object,
    column: C,
    order: 'asc' | 'desc',
    request: PageRequest,
    columns: { include?: object; omit?: object } = {},
  ): Promise<Page<Row>> {
    const after = request.after === null ? {} : { [column]: { [order === 'asc' ? 'gt' : 'lt']: columnText(request.after) } };
    const rows = await this.rows.findMany({
      where: { AND: [this.owned(where), after] },
      orderBy: { [column]: order },
      take: request.limit + 1,
      ...columns,
    });
    const items = rows.slice(0, request.limit);
    return { items, next: rows.length > request.limit ? String(items.at(-1)?.[column]) : null };
  }

  protected async pageBy<C extends keyof Row & string>(
    where: object,
    column: C,
    order: 'asc' | 'desc',
    request: PageRequest,
  ): Promise<Page<E>> {
    const { items, next } = await this.slice(where, column, order, request);
    return { items: await this.toEntities(items), next };
  }
}

/** The entity as a JSON column takes it. */
export function document(entity: object): Prisma.InputJsonValue {
  return entity as unknown as Prisma.InputJsonValue;
}

export function fromDocument<E>(row: { document: Prisma.JsonValue }): E {
  return row.document as unknown as E;
}

/** Position in a list ordered by age; the id decides between equals. */
export function ageText(createdAtMs: number, id: string): string {
  return columnText(`${String(createdAtMs).padStart(15, '0')}.${id}`);
}

/** Text that begins with `prefix`: LIKE would read `%` and `_` in it. Needs a column that sorts by code point. */
export function startingWith(prefix: string): { gte: string; lt: string } {
  return { gte: columnText(prefix), lt: `${columnText(prefix)}\u{10FFFF}` };
}
