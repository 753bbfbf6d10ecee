import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreLogger } from './prisma-store.js';

const ATTEMPTS = 6;
/** Prisma's code for both of the others. */
const WRITE_CONFLICT = 'P2034';
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';

/** The connection was lost before the transaction's first statement: nothing can have happened. */
export class NeverBegan extends Error {
  constructor(override readonly cause: unknown) {
    super('the connection was lost before the transaction began');
    this.name = 'NeverBegan';
  }
}

/** Runs a transaction again when PostgreSQL sacrificed it to another one, or when its connection turned out to be a dead one. */
export async function retryConflicts<T>(logger: StoreLogger, transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      const neverBegan = error instanceof NeverBegan;
      if (attempt === ATTEMPTS || !(neverBegan || isConflict(error))) throw neverBegan ? error.cause : error;
      const reason = neverBegan ? 'on another connection' : 'after a conflict';
      logger.warn({ attempt, error: String(error) }, `transaction runs again ${reason}`);
      await sleep(Math.random() * 10 * 2 ** attempt); // apart, so that two that met do not meet again
    }
  }
}

/** The code of PostgreSQL stands at different depths, depending on what kind of query met the conflict. */
function isConflict(error: unknown, depth = 0): boolean {
  if (error === null || typeof error !== 'object' || depth > 5) return false;
  const { code, originalCode, cause, meta, driverAdapterError } = error as Record<string, unknown>;
  if (
    [code, originalCode].some(
      (value) => value === WRITE_CONFLICT || value === SERIALIZATION_FAILURE || value === DEADLOCK_DETECTED,
    )
  )
    return true;
  return [cause, meta, driverAdapterError].some((inner) => isConflict(inner, depth + 1));
}
