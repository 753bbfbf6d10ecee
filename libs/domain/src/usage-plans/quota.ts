/**
 * Quota periods are UTC calendar periods. A week starts on Monday, a month on its first day: what AWS does for weeks is not
 * documented, and the node counts with the same rule (engine/limits).
 */
import type { QuotaPeriod } from './usage-plan.js';

const DAY_MS = 86_400_000;

/** The UTC day of an instant, `YYYY-MM-DD`. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Midnight UTC of a day; `null` for anything but a real `YYYY-MM-DD`. */
export function dayStartMs(day: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return null;
  const ms = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(ms) || utcDay(ms) !== day ? null : ms;
}

/** First day of the period that holds `day`. */
export function periodStart(period: QuotaPeriod, day: string): string {
  switch (period) {
    case 'DAY':
      return day;
    case 'WEEK': {
      const ms = midnight(day);
      const daysSinceMonday = (new Date(ms).getUTCDay() + 6) % 7;
      return utcDay(ms - daysSinceMonday * DAY_MS);
    }
    case 'MONTH':
      return `${day.slice(0, 8)}01`;
  }
}

/** Last day of the period that holds `day`. */
export function periodEnd(period: QuotaPeriod, day: string): string {
  const start = periodStart(period, day);
  switch (period) {
    case 'DAY':
      return start;
    case 'WEEK':
      return utcDay(midnight(start) + 6 * DAY_MS);
    case 'MONTH': {
      const first = new Date(midnight(start));
      return utcDay(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0));
    }
  }
}

/** Every day from `start` to `end`, both included; empty when they are the wrong way round. */
export function daysBetween(start: string, end: string): string[] {
  const days: string[] = [];
  for (let ms = midnight(start); ms <= midnight(end); ms += DAY_MS) days.push(utcDay(ms));
  return days;
}

function midnight(day: string): number {
  const ms = dayStartMs(day);
  if (ms === null) throw new Error(`not a day: "${day}"`);
  return ms;
}
