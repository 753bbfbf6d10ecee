import type { ApiKeyEntry, StageSnapshot, ThrottleSettings, UsagePlanEntry } from '@gatehouse/contracts';
import { CONTINUE, Exchange } from '@gatehouse/engine-exchange';
import { BucketRegistry, QuotaLedger, RateLeases } from '@gatehouse/engine-limits';
import { ManualClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { describe, expect, test } from 'vitest';
import { throttle } from './index.js';

/** A Monday, 12:00 UTC. */
const NOON_MS = Date.UTC(2026, 0, 5, 12);
const KEY: ApiKeyEntry = { apiKeyId: 'key1', tenant: '123456789012', valueDigest: '', enabled: true, usagePlanIds: ['plan1'] };

type Plan = Pick<UsagePlanEntry, 'throttle' | 'quota'> & {
  readonly method?: ThrottleSettings;
  readonly limits?: UsagePlanEntry['limits'];
};

function gate(
  plan: Plan,
  stage: Partial<StageSnapshot> = {},
  route: Parameters<typeof routeSnapshot>[0] = { apiKeyRequired: true },
) {
  const clock = new ManualClock(NOON_MS);
  const steadyClock = new ManualClock(50);
  const rates = new RateLeases({ request: () => undefined });
  const quotas = new QuotaLedger({ requestMore: () => undefined });
  const step = throttle({
    buckets: new BucketRegistry(10),
    quotas,
    rates,
    usage: { count: () => undefined },
    clock,
    steadyClock,
  })({ stage: stageSnapshot(stage), route: routeSnapshot(route) })!;
  const { method, ...rest } = plan;
  const settings: UsagePlanEntry = { usagePlanId: 'plan1', tenant: KEY.tenant, apiStages: [], ...rest };
  const methods = new Map(method === undefined ? [] : [['//GET', method]]);
  const ask = async () => {
    const x = new Exchange();
    x.apiKey = route?.apiKeyRequired === true ? KEY : null;
    x.usagePlan = route?.apiKeyRequired === true ? { settings, methodThrottles: () => methods } : null;
    const isIn = (await step(x)) === CONTINUE;
    const lines = x.limitLines.split('\r\n').filter((line) => line !== '');
    return { status: isIn ? 'in' : x.fault!.name, lines, retryAfterMs: x.retryAfterMs };
  };
  return { ask, clock, steadyClock, quotas, rates };
}

describe('a caller with a key is told', () => {
  test('what is left of its quota, and until when', async () => {
    const { ask, clock } = gate({ throttle: null, quota: { limit: 2, offset: 0, period: 'DAY' } });
    expect(await ask()).toEqual({
      status: 'in',
      lines: ['RateLimit-Policy: "quota";q=2;w=86400', 'RateLimit: "quota";r=1;t=43200'],
      retryAfterMs: -1,
    });
    clock.advance(43_200_000 - 1_500);
    expect((await ask()).lines[1]).toBe('RateLimit: "quota";r=0;t=2');
    expect(await ask()).toMatchObject({
      status: 'QUOTA_EXCEEDED',
      retryAfterMs: 1_500,
      lines: [expect.anything(), 'RateLimit: "quota";r=0;t=2'],
    });
    clock.advance(1_500);
    expect((await ask()).lines[1]).toBe('RateLimit: "quota";r=1;t=86400');
  });

  test.each([
    ['WEEK', 604_800, 561_600],
    ['MONTH', 31 * 86_400, 27 * 86_400 - 43_200],
  ] as const)('of quotas per %s', async (period, window, left) => {
    const { ask } = gate({ throttle: null, quota: { limit: 1_000, offset: 0, period } });
    expect((await ask()).lines).toEqual([`RateLimit-Policy: "quota";q=1000;w=${window}`, `RateLimit: "quota";r=999;t=${left}`]);
  });

  test('what its buckets hold, and when they are full again', async () => {
    const { ask, steadyClock } = gate({
      quota: null,
      throttle: { ratePerSecond: 0.5, burst: 3 },
      method: { ratePerSecond: 10, burst: 20 },
    });
    const policy = 'RateLimit-Policy: "method";q=20;w=2, "plan";q=3;w=6';
    expect((await ask()).lines).toEqual([policy, 'RateLimit: "method";r=19;t=1, "plan";r=2;t=2']);
    await ask();
    expect((await ask()).lines).toEqual([policy, 'RateLimit: "method";r=17;t=1, "plan";r=0;t=6']);
    const refused = await ask();
    expect([refused.status, refused.retryAfterMs, refused.lines[1]]).toEqual([
      'THROTTLED',
      2_000,
      'RateLimit: "method";r=16;t=1, "plan";r=0;t=6',
    ]);
    steadyClock.advance(2_000);
    expect(await ask()).toMatchObject({ status: 'in', retryAfterMs: -1 });
  });

  test('all of it at once', async () => {
    const { ask } = gate({ quota: { limit: 9, offset: 0, period: 'DAY' }, throttle: { ratePerSecond: 1, burst: 1 } });
    expect((await ask()).lines).toEqual([
      'RateLimit-Policy: "quota";q=9;w=86400, "plan";q=1;w=1',
      'RateLimit: "quota";r=8;t=43200, "plan";r=0;t=1',
    ]);
  });

  test('what is left when the control plane says that nothing more is', async () => {
    const { ask, quotas } = gate({ throttle: null, quota: { limit: 100, offset: 0, period: 'DAY' } });
    await ask();
    quotas.granted({ usagePlanId: 'plan1', apiKeyId: 'key1', periodStart: '2026-01-05', allowedTotal: 3, exhausted: true });
    expect((await ask()).lines[1]).toContain('r=1;');
  });

  test('of strict limits, too, which it may have waited for', async () => {
    const { ask, quotas } = gate({
      throttle: null,
      quota: { limit: 100, offset: 0, period: 'DAY' },
      limits: { mode: 'STRICT', fallback: 'CLOSED' },
    });
    quotas.connected();
    const answer = ask();
    quotas.granted({ usagePlanId: 'plan1', apiKeyId: 'key1', periodStart: '2026-01-05', allowedTotal: 5, exhausted: false });
    expect(await answer).toMatchObject({ status: 'in', lines: [expect.anything(), 'RateLimit: "quota";r=99;t=43200'] });
  });

  test('nothing of buckets without a limit, and no time for one that never fills', async () => {
    expect((await gate({ quota: null, throttle: { ratePerSecond: -1, burst: -1 } }).ask()).lines).toEqual([]);
    const { ask } = gate({ quota: null, throttle: { ratePerSecond: 0, burst: 1 } });
    expect((await ask()).lines).toEqual(['RateLimit-Policy: "plan";q=1', 'RateLimit: "plan";r=0']);
    expect(await ask()).toMatchObject({ status: 'THROTTLED', retryAfterMs: -1 });
  });

  test('nothing under a plan without limits', async () =>
    expect((await gate({ quota: null, throttle: null }).ask()).lines).toEqual([]));
});

test('buckets that callers share are not told, but a refused caller is when to come again', async () => {
  for (const [stage, route] of [
    [{ accountThrottle: { ratePerSecond: 4, burst: 1 } }, {}],
    [{}, { throttle: { ratePerSecond: 4, burst: 1 } }],
  ] as const) {
    const { ask } = gate({ quota: null, throttle: null }, stage, route);
    expect(await ask()).toEqual({ status: 'in', lines: [], retryAfterMs: -1 });
    expect(await ask()).toEqual({ status: 'THROTTLED', lines: [], retryAfterMs: 250 });
  }
});

test('a stage whose owner wants what AWS answers tells nothing', async () => {
  const { ask } = gate(
    { quota: { limit: 1, offset: 0, period: 'DAY' }, throttle: { ratePerSecond: 1, burst: 1 } },
    { limitHeaders: false },
  );
  expect(await ask()).toEqual({ status: 'in', lines: [], retryAfterMs: -1 });
  expect(await ask()).toEqual({ status: 'QUOTA_EXCEEDED', lines: [], retryAfterMs: -1 });
});
