/** What both ends of the node protocol must agree on about leases of rates. */

/** A share of a rate holds for so long from when it was asked for. */
export const RATE_SHARE_MS = 3_000;

const LIFE_MIN_MS = 20;
const LIFE_MAX_MS = 250;

/**
 * How a strict throttle is leased. Tokens are given out by a bucket of `burst`, smaller than the plan's by what flows in while a
 * token may still be spent: so callers never see more than the plan's burst and rate, whatever the moment at which leased tokens are
 * spent. Where the plan's burst is below 1 + 20 ms of its rate, what is admitted may be early by those 20 ms.
 */
export function strictRateLease(settings: { readonly ratePerSecond: number; readonly burst: number }): {
  /** From when the question was sent. */
  readonly lifeMs: number;
  readonly burst: number;
} {
  const { ratePerSecond, burst } = settings;
  const half = ratePerSecond > 0 ? ((burst - 1) * 1_000) / (2 * ratePerSecond) : LIFE_MAX_MS;
  const lifeMs = Math.min(LIFE_MAX_MS, Math.max(LIFE_MIN_MS, half));
  return { lifeMs, burst: burst < 1 ? 0 : Math.max(1, burst - (ratePerSecond * lifeMs) / 1_000) };
}
