import { DuplicateKey, type Page, type PageRequest, type Repository, type TenantId } from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import { Prisma } from '../gen/client.js';
import type { Sealer } from '../seal.js';
import { arrayText, statement, type Statement, type StatementValue } from '../statement-batch.js';
import type { TenantTransaction } from '../tenant-transaction.js';

export type Transaction = Prisma.TransactionClient;

/** What every repository of a transaction shares. */
export interface TransactionScope {
  readonly tx: TenantTransaction;
  readonly tenant: TenantId;
  readonly sealer: Sealer;
}

/** The part of Prisma's model clients that all of them have in common. */
interface ModelClient<Row> {
  findFirst(args: { where: object }): Promise<Row | null>;
  findMany(args: { where: object; orderBy: object; take?: number; include?: object; omit?: object }): Promise<Row[]>;
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

/** PostgreSQL's code for a duplicate. */
const UNIQUE_VIOLATION = '23505';

/**
 * Reads and writes one tenant's entities of one kind within a transaction. What is done to one of them by its key is SQL: changes are made
 * of it, and Prisma costs several times what PostgreSQL does. Lists are Prisma's.
 */
export abstract class PrismaRepository<K, E, Row> implements Repository<K, E> {
  constructor(
    protected readonly scope: TransactionScope,
    private readonly mapping: Mapping<K, E, Row>,
  ) {}

  protected async rows(): Promise<ModelClient<Row>> {
    return this.mapping.rows(await this.scope.tx.prisma()) as ModelClient<Row>;
  }

  async find(key: K): Promise<E | null> {
    const { where, toEntity } = this.mapping;
    if (this.isDocument()) return this.document(this.statement('find'), key);
    const row = await (await this.rows()).findFirst({ where: this.owned(where(key)) });
    return row === null ? null : toEntity(row, this.scope);
  }

  async lock(key: K): Promise<E | null> {
    // What lies in its document alone need not be asked for again.
    if (this.isDocument()) return this.document(this.statement('lock'), key);
    const { count } = await this.scope.tx.run(this.statement('lock'), this.keyValues(key));
    return count === 0 ? null : this.find(key);
  }

  async insert(entity: E): Promise<void> {
    const { toRow, keyOf, entity: name } = this.mapping;
    const row = await toRow(entity, this.scope);
    const values = [...this.keyValues(keyOf(entity)), ...Object.values(row).map(columnValue)];
    // A duplicate must not break the transaction, as a failed INSERT would: the caller may try another key.
    const { count } = await this.scope.tx.run(this.statement('insert', row), values);
    if (count === 0) throw new DuplicateKey(name);
  }

  async insertAll(entities: readonly E[]): Promise<void> {
    for (const slice of slicesOf(entities)) await Promise.all(slice.map((entity) => this.insert(entity)));
  }

  async replace(entity: E): Promise<void> {
    const { toRow, keyOf, entity: name } = this.mapping;
    const key = keyOf(entity);
    const row = await toRow(entity, this.scope);
    const values = [...this.keyValues(key), ...Object.values(row).map(columnValue)];
    try {
      const { count } = await this.scope.tx.run(this.statement('replace', row), values);
      if (count === 0) throw new Error(`no ${name} ${JSON.stringify(key)} to replace`);
    } catch (error) {
      if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) throw new DuplicateKey(name);
      throw error;
    }
  }

  async remove(key: K): Promise<boolean> {
    const { count } = await this.scope.tx.run(this.statement('remove'), this.keyValues(key));
    return count > 0;
  }

  async removeAll(keys: readonly K[]): Promise<void> {
    for (const slice of slicesOf(keys)) await Promise.all(slice.map((key) => this.remove(key)));
  }

  private isDocument(): boolean {
    return (this.mapping.toEntity as unknown) === fromDocument;
  }

  private keyValues(key: K): string[] {
    return [this.scope.tenant, ...Object.values(this.mapping.where(key))];
  }

  private async document(asked: Statement, key: K): Promise<E | null> {
    const { rows } = await this.scope.tx.run(asked, this.keyValues(key));
    return rows.length === 0 ? null : (JSON.parse(rows[0]![0]!) as E);
  }

  /** `row`: all columns but the key's, which every row of the table has in the same order. */
  private statement(operation: Operation, row: object = {}): Statement {
    const { table, keyColumns } = this.mapping;
    const name = `${operation} ${table}`;
    let known = statements.get(name);
    if (known === undefined) {
      known = statement(
        textOf(operation, table, ['tenant_id', ...keyColumns], Object.keys(row).map(columnName), this.isDocument()),
      );
      statements.set(name, known);
    }
    return known;
  }

  protected owned<T extends object>(columns: T): T & { tenantId: TenantId } {
    return { ...columns, tenantId: this.scope.tenant };
  }

  protected async list(where: object, orderBy: object): Promise<E[]> {
    return this.toEntities(await (await this.rows()).findMany({ where: this.owned(where), orderBy }));
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
    const rows = await (
      await this.rows()
    ).findMany({
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

/** Statements of one batch: enough that the way there and back does not count, and few enough to hold in memory. */
const BATCH_STATEMENTS = 1_000;

function* slicesOf<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += BATCH_STATEMENTS) yield all.slice(from, from + BATCH_STATEMENTS);
}

type Operation = 'find' | 'lock' | 'insert' | 'replace' | 'remove';

/** By operation and table: what every connection keeps a plan of. */
const statements = new Map<string, Statement>();

function textOf(
  operation: Operation,
  table: string,
  keys: readonly string[],
  columns: readonly string[],
  isDocument: boolean,
): string {
  const all = [...keys, ...columns];
  const parameter = (column: string): string => `$${all.indexOf(column) + 1}`;
  const found = `WHERE ${keys.map((column) => `"${column}" = ${parameter(column)}`).join(' AND ')}`;
  switch (operation) {
    case 'find':
      return `SELECT "document" FROM "${table}" ${found}`;
    case 'lock':
      return `SELECT ${isDocument ? '"document"' : '1'} FROM "${table}" ${found} FOR UPDATE`;
    case 'insert':
      return `INSERT INTO "${table}" (${all.map((column) => `"${column}"`).join()}) VALUES (${all.map(parameter).join()}) ON CONFLICT DO NOTHING`;
    case 'replace':
      return `UPDATE "${table}" SET ${columns.map((column) => `"${column}" = ${parameter(column)}`).join()} ${found}`;
    case 'remove':
      return `DELETE FROM "${table}" ${found}`;
  }
}

/** Prisma's name of a column to PostgreSQL's. */
const columnName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function columnValue(value: unknown): StatementValue {
  if (value === null || typeof value === 'string' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return arrayText(value as string[]);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
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
