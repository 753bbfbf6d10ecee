import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreLogger } from './prisma-store.js';

const ATTEMPTS = 6;
/** Prisma's code for both of the others. */
const WRITE_CONFLICT = 'P2034';
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';

/** Runs a transaction again when PostgreSQL sacrificed it to another one. */
export async function retryConflicts<T>(logger: StoreLogger, transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      if (attempt === ATTEMPTS || !isConflict(error)) throw error;
      logger.warn({ attempt, error: String(error) }, 'transaction runs again after a conflict');
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
