/**
 * One transaction on one connection. Statements that are asked for in the same turn of the event loop travel together (statement-batch.ts),
 * BEGIN with the first of them, so `Promise.all` over what does not depend on each other costs one round trip. They run in the order
 * in which they were asked for.
 *
 * Prisma joins when it is asked for, on the same connection; a transaction that never does costs it nothing.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import type { PrismaClient } from './gen/client.js';
import type { Transaction } from './repositories/prisma-repository.js';
import { statement, StatementBatch, type Answer, type Call, type Statement, type StatementValue } from './statement-batch.js';

const BEGIN = statement('BEGIN');
const COMMIT = statement('COMMIT');
const ROLLBACK = statement('ROLLBACK');
const DEADLINE_MS = 60_000;
const LATE = 'the transaction is over: is an await missing?';

/** The transaction that the Prisma transaction which is being opened is to join. */
const joining = new AsyncLocalStorage<{ connection: pg.PoolClient | null }>();

/** Gives Prisma the connection of the transaction that it is to join, and everybody else one of the pool's. */
export class JoinablePool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: (error: Error | undefined, client: pg.PoolClient | undefined, done: () => void) => void): void;
  override connect(callback?: Parameters<pg.Pool['connect']>[0]): Promise<pg.PoolClient> | void {
    if (callback !== undefined) return super.connect(callback);
    const joined = joining.getStore();
    const connection = joined?.connection;
    if (joined === undefined || connection == null) return super.connect();
    joined.connection = null;
    return Promise.resolve(connection);
  }
}

export class TenantTransaction {
  /** PostgreSQL has answered the first statement. */
  hasBegun = false;
  private queue: Call[] = [];
  private isSending = false;
  private isScheduled = false;
  private isOver = false;
  private whenIdle: (() => void)[] = [];
  private broken: Error | undefined;
  /** Of a statement that was posted. */
  private failure: { cause: unknown } | undefined;
  private prismaTransaction: Promise<Transaction> | null = null;
  private endPrisma: ((end: 'COMMIT' | 'ROLLBACK') => Promise<void>) | null = null;
  private readonly deadline: NodeJS.Timeout;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly prismaClient: PrismaClient,
  ) {
    client.on('error', this.onBroken);
    // Whoever waits for what it holds is not kept waiting longer.
    this.deadline = setTimeout(() => void client.end(), DEADLINE_MS);
  }

  run(asked: Statement, values: readonly StatementValue[] = []): Promise<Answer> {
    if (this.isOver) return Promise.reject(new Error(LATE));
    return this.call(asked, values);
  }

  /** Like `run`, for a statement whose answer says nothing: it travels with the next one. When it fails, so do that and the commit. */
  post(asked: Statement, values: readonly StatementValue[]): void {
    this.run(asked, values).catch((error: unknown) => (this.failure ??= { cause: error }));
  }

  prisma(): Promise<Transaction> {
    if (this.isOver) return Promise.reject(new Error(LATE));
    return (this.prismaTransaction ??= this.joinPrisma());
  }

  /** Rejects when nothing was kept. */
  async commit(): Promise<void> {
    await this.endPrisma?.('COMMIT');
    this.isOver = true;
    if (this.isUsed()) {
      const { command } = await this.call(COMMIT, []);
      // PostgreSQL's answer to a COMMIT after a failed statement, whose error somebody ignored.
      if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements failed', this.failure);
    }
    this.release();
  }

  async rollback(): Promise<void> {
    await this.endPrisma?.('ROLLBACK').catch(() => undefined);
    this.isOver = true;
    if (this.isUsed()) await this.call(ROLLBACK, []).catch((error: Error) => (this.broken ??= error));
    this.release();
  }

  private isUsed(): boolean {
    return this.hasBegun || this.isSending || this.queue.length > 0;
  }

  private call(asked: Statement, values: readonly StatementValue[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (!this.isUsed()) this.begin();
      this.queue.push({ statement: asked, values, resolve, reject });
      this.sendSoon();
    });
  }

  private begin(): void {
    this.queue.push({ statement: BEGIN, values: [], resolve: () => (this.hasBegun = true), reject: () => {} });
    this.sendSoon();
  }

  private sendSoon(): void {
    if (this.isSending || this.isScheduled) return;
    this.isScheduled = true;
    process.nextTick(this.send);
  }

  private readonly send = (): void => {
    this.isScheduled = false;
    this.isSending = this.queue.length > 0;
    if (this.isSending) {
      const calls = this.queue;
      this.queue = [];
      this.client.query(new StatementBatch(calls, this.send));
      return;
    }
    for (const tell of this.whenIdle.splice(0)) tell();
  };

  private async joinPrisma(): Promise<Transaction> {
    if (!this.isUsed()) this.begin();
    const opened = Promise.withResolvers<Transaction>();
    const ended = Promise.withResolvers<void>();
    const joined = { connection: this.connectionForPrisma() as pg.PoolClient | null };
    const over = joining.run(joined, () =>
      this.prismaClient.$transaction(
        (tx) => {
          if (joined.connection !== null) throw new Error('Prisma opened a transaction of its own instead of joining one');
          opened.resolve(tx);
          return ended.promise;
        },
        { timeout: DEADLINE_MS },
      ),
    );
    over.catch((error: unknown) => opened.reject(error));
    this.endPrisma = (end) => {
      this.endPrisma = null;
      if (end === 'COMMIT') ended.resolve();
      else ended.reject(new Error('rolled back'));
      return over;
    };
    return opened.promise;
  }

  /** Begins and ends nothing: that is done here. */
  private connectionForPrisma(): pg.PoolClient {
    const { client } = this;
    const query = async (config: pg.QueryConfig): Promise<pg.QueryResult | object> => {
      if (/^(BEGIN|COMMIT|ROLLBACK)$/.test(config.text)) return { rows: [], fields: [], rowCount: 0 };
      if (this.isSending || this.queue.length > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
      return client.query(config);
    };
    return { query, on: () => {}, removeListener: () => {}, release: () => {} } as unknown as pg.PoolClient;
  }

  private readonly onBroken = (error: Error): void => {
    this.broken = error;
  };

  private release(): void {
    clearTimeout(this.deadline);
    this.client.off('error', this.onBroken);
    this.client.release(this.broken);
  }
}
