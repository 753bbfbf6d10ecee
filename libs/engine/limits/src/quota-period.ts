/**
 * Quota periods are UTC calendar periods; a week starts on Monday. The control plane sums usage with the same rule
 * (domain/usage-plans/quota): `startDay` is the name both sides give a period.
 */
export type QuotaPeriod = 'DAY' | 'WEEK' | 'MONTH';

export interface PeriodBounds {
  /** First UTC day, `YYYY-MM-DD`. */
  readonly startDay: string;
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

export const DAY_MS = 86_400_000;

/** The UTC day of an instant, `YYYY-MM-DD`. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The period that holds an instant. */
export function quotaPeriod(period: QuotaPeriod, nowMs: number): PeriodBounds {
  const midnightMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  switch (period) {
    case 'DAY':
      return bounds(midnightMs, midnightMs + DAY_MS);
    case 'WEEK': {
      const daysSinceMonday = (new Date(midnightMs).getUTCDay() + 6) % 7;
      const startMs = midnightMs - daysSinceMonday * DAY_MS;
      return bounds(startMs, startMs + 7 * DAY_MS);
    }
    case 'MONTH': {
      const date = new Date(midnightMs);
      return bounds(
        Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1),
        Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1),
      );
    }
  }
}

function bounds(startMs: number, endMs: number): PeriodBounds {
  return { startDay: utcDay(startMs), startMs, endMs };
}
