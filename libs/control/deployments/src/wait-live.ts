import { ApiError, badRequest, type RolloutWaiter } from '@gatehouse/domain';

/** `x-gatehouse-wait: live` makes CreateDeployment and UpdateStage answer only when every connected node serves the change. */
const WAIT = 'x-gatehouse-wait';
const TIMEOUT = 'x-gatehouse-wait-timeout-ms';
const TIMEOUT_MS_DEFAULT = 10_000;
const TIMEOUT_MS_MAX = 300_000;

/** How long to wait; `null` for not at all. Read before anything is changed, so that a bad header changes nothing. */
export function readWait(headers: Readonly<Record<string, string>>): number | null {
  const wait = headers[WAIT];
  if (wait === undefined) return null;
  if (wait !== 'live') throw badRequest(`Invalid value for header ${WAIT}: expected "live", got "${wait}"`);
  const text = headers[TIMEOUT];
  if (text === undefined) return TIMEOUT_MS_DEFAULT;
  const timeoutMs = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(timeoutMs <= TIMEOUT_MS_MAX)) {
    throw badRequest(`Invalid value for header ${TIMEOUT}: expected whole milliseconds up to ${TIMEOUT_MS_MAX}, got "${text}"`);
  }
  return timeoutMs;
}

/**
 * Call after the commit. On time-out the change stays: it reaches the nodes as soon as they answer again, and the message
 * says so.
 */
export async function waitUntilLive(
  waiter: RolloutWaiter,
  timeoutMs: number | null,
  revision: number | null,
  what: string,
): Promise<void> {
  if (timeoutMs === null || revision === null) return;
  const { live, waitingFor } = await waiter.waitUntilLive(revision, timeoutMs);
  if (live) return;
  throw new ApiError(
    'ServiceUnavailableException',
    503,
    `${what} is committed as revision ${revision} but was not live after ${timeoutMs} ms on: ${waitingFor.join(', ')}`,
  );
}
