// Plain SQL beside Prisma: for statements over whole sets of rows, which is what everything over all tenants needs.
import type pg from 'pg';

/** `$1` as an array of `bigint`: pg gives 64-bit integers as text. */
export type Int8 = string;

/** Runs `work` in one transaction on one connection; nothing is kept when it rejects. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error) => (broken = error); // a connection that is lost between two queries
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((cause: Error) => (broken = cause));
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
