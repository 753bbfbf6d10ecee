import { expect, test } from 'vitest';
import { quotaPeriod } from './quota-period.js';

/** The same dates as in the control plane's rule (domain/usage-plans): both sides must name a period alike. */
for (const [period, instant, startDay, endDay] of [
  ['DAY', '2026-01-01T00:00:00.000Z', '2026-01-01', '2026-01-02'],
  ['DAY', '2026-01-01T23:59:59.999Z', '2026-01-01', '2026-01-02'],
  ['DAY', '2026-12-31T12:00:00.000Z', '2026-12-31', '2027-01-01'],
  ['WEEK', '2026-01-01T00:00:00.000Z', '2025-12-29', '2026-01-05'],
  ['WEEK', '2026-01-04T23:59:59.999Z', '2025-12-29', '2026-01-05'],
  ['WEEK', '2026-01-05T00:00:00.000Z', '2026-01-05', '2026-01-12'],
  ['MONTH', '2024-02-29T12:00:00.000Z', '2024-02-01', '2024-03-01'],
  ['MONTH', '2026-12-31T23:59:59.999Z', '2026-12-01', '2027-01-01'],
] as const) {
  test(`${instant} lies in the ${period.toLowerCase()} from ${startDay} to before ${endDay}`, () => {
    const { startMs, endMs, ...rest } = quotaPeriod(period, Date.parse(instant));
    expect({ ...rest, startMs, endMs }).toEqual({ startDay, startMs: Date.parse(startDay), endMs: Date.parse(endDay) });
  });
}
