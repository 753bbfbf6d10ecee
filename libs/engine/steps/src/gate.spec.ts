// The steps that let a request in or not.
import type { RouteAuthorization, RouteSnapshot, StageSnapshot, ThrottleSettings, UsagePlanEntry } from '@gatehouse/contracts';
import { CONTINUE, Exchange, FAULT, LinkRefusal, type Step } from '@gatehouse/engine-exchange';
import { BucketRegistry, QuotaLedger, RateLeases, type RateQuestion } from '@gatehouse/engine-limits';
import { ManualClock, sha256Hex, systemClock } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { authorize, BODY_BYTES_MAX, identifyKey, limitBody, readBody, throttle } from './index.js';

const settings = (
  route: Partial<RouteSnapshot> = {},
  stage: Partial<StageSnapshot> = {},
): { stage: StageSnapshot; route: RouteSnapshot } => ({
  stage: stageSnapshot(stage),
  route: routeSnapshot(route),
});

/** Nobody is asked here. */
const FUNCTIONS = { call: () => Promise.reject(new Error('a function was called')) };
const CONNECTORS = { functions: FUNCTIONS, http: FUNCTIONS, limits: { clock: systemClock } };

test('a route without authorization pays nothing for it', () => {
  expect(authorize(CONNECTORS)(settings())).toBe(null);
});

test('an authorization the compiler refused admits nobody, and the caller is not told why', () => {
  const x = new Exchange();
  expect(authorize(CONNECTORS)(settings({ authorization: { type: 'REFUSE', reason: 'authorizer a1 is gone' } }))!(x)).toBe(FAULT);
  expect([x.fault!.name, x.faultMessage, x.faultDoing]).toEqual([
    'ACCESS_DENIED',
    'User is not authorized to access this resource',
    'authorizing: authorizer a1 is gone',
  ]);
});

test('an authorization this node does not know refuses the route instead of letting everybody in', () => {
  expect(() => authorize(CONNECTORS)(settings({ authorization: { type: 'JWT' } as unknown as RouteAuthorization }))).toThrow(
    LinkRefusal,
  );
});

// API keys

const KEY = 'k'.repeat(40);
const PLAN: UsagePlanEntry = {
  usagePlanId: 'plan1',
  tenant: '123456789012',
  throttle: null,
  quota: null,
  apiStages: [{ apiId: 'abc123defg', stage: 'dev', methodThrottles: {} }],
};

interface KeyWorld {
  readonly key?: string;
  readonly enabled?: boolean;
  readonly keyTenant?: string;
  readonly plan?: Partial<UsagePlanEntry>;
  readonly planIds?: readonly string[];
}

function exchangeWith(header: string | null, world: KeyWorld = {}): Exchange {
  const x = new Exchange();
  if (header !== null) x.requestHeaders = ['X-API-KEY', header];
  const plan = { ...PLAN, ...world.plan };
  x.world = {
    revision: 1,
    accessKey: () => null,
    serviceAccess: () => null,
    apiKey: (tenant, digest) =>
      tenant === (world.keyTenant ?? PLAN.tenant) && digest === sha256Hex(world.key ?? KEY)
        ? {
            apiKeyId: 'key1',
            tenant,
            valueDigest: digest,
            enabled: world.enabled ?? true,
            usagePlanIds: world.planIds ?? ['plan0', 'plan1'],
          }
        : null,
    usagePlan: (tenant, id) =>
      tenant === plan.tenant && id === plan.usagePlanId
        ? {
            settings: plan,
            methodThrottles: (apiId, stage) => {
              const found = plan.apiStages.find((entry) => entry.apiId === apiId && entry.stage === stage);
              return found === undefined ? null : new Map(Object.entries(found.methodThrottles));
            },
          }
        : null,
  };
  return x;
}

test('a key in a plan of the stage identifies its caller', () => {
  const x = exchangeWith(KEY);
  expect(identifyKey(settings({ apiKeyRequired: true }))!(x)).toBe(CONTINUE);
  expect([x.apiKey?.apiKeyId, x.usagePlan?.settings.usagePlanId, x.apiKeyValue]).toEqual(['key1', 'plan1', KEY]);
});

for (const [what, header, world] of [
  ['no header', null, {}],
  ['an empty header', '', {}],
  ['an unknown key', 'x'.repeat(40), {}],
  ['a disabled key', KEY, { enabled: false }],
  ["another tenant's key", KEY, { keyTenant: '999999999999' }],
  ["another tenant's plan", KEY, { plan: { tenant: '999999999999' } }],
  ['a key without a plan', KEY, { planIds: [] }],
  ['a plan of another stage', KEY, { plan: { apiStages: [{ apiId: 'abc123defg', stage: 'prod', methodThrottles: {} }] } }],
  ['a plan of another API', KEY, { plan: { apiStages: [{ apiId: 'other', stage: 'dev', methodThrottles: {} }] } }],
] as [string, string | null, KeyWorld][]) {
  test(`${what} is refused as INVALID_API_KEY`, () => {
    const x = exchangeWith(header, world);
    expect(identifyKey(settings({ apiKeyRequired: true }))!(x)).toBe(FAULT);
    expect([x.fault!.name, x.apiKey]).toEqual(['INVALID_API_KEY', null]);
  });
}

test('a key sent to a method that needs none is not looked at', () => {
  expect(identifyKey(settings())).toBe(null);
});

test('a key that should come from an authorizer cannot come in a header', () => {
  const x = exchangeWith(KEY);
  expect(identifyKey(settings({ apiKeyRequired: true }, { apiKeySource: 'AUTHORIZER' }))!(x)).toBe(FAULT);
});

// Throttle and quota

const NOON_MS = Date.UTC(2026, 0, 5, 12);
const HOUR_MS = 3_600_000;
const tight: ThrottleSettings = { ratePerSecond: 1, burst: 1 };

function limited(route: Partial<RouteSnapshot>, stage: Partial<StageSnapshot> = {}, rates?: RateLeases) {
  const wallClock = new ManualClock(NOON_MS);
  const steadyClock = new ManualClock(50);
  const counted: string[] = [];
  const buckets = new BucketRegistry(100);
  const quotas = new QuotaLedger({ requestMore: () => undefined });
  const usage = { count: (tenant: string, plan: string, key: string) => void counted.push(`${tenant} ${plan} ${key}`) };
  const step = throttle({ buckets, quotas, usage, clock: wallClock, steadyClock, ...(rates && { rates }) })(
    settings(route, stage),
  );
  return { step: step!, wallClock, steadyClock, counted };
}

async function outcome(step: Step, x: Exchange): Promise<string> {
  return (await step(x)) === CONTINUE ? 'in' : x.fault!.name;
}

async function identified(plan: Partial<UsagePlanEntry>): Promise<Exchange> {
  const x = exchangeWith(KEY, { plan });
  await identifyKey(settings({ apiKeyRequired: true }))!(x);
  return x;
}

test('a route without any limit has no throttle step', () => {
  expect(limited({}).step).toBe(null);
});

for (const [what, route, stage, plan] of [
  ['the method', { throttle: tight }, {}, {}],
  ['the account', {}, { accountThrottle: tight }, {}],
  ['the plan', { apiKeyRequired: true }, {}, { throttle: tight }],
  [
    'the plan for one method',
    { apiKeyRequired: true },
    {},
    { apiStages: [{ apiId: 'abc123defg', stage: 'dev', methodThrottles: { '//GET': tight } }] },
  ],
] as [string, Partial<RouteSnapshot>, Partial<StageSnapshot>, Partial<UsagePlanEntry>][]) {
  test(`the bucket of ${what} throttles, and lets in again when it has filled`, async () => {
    const { step, steadyClock } = limited(route, stage);
    const call = async (): Promise<string> => outcome(step, route.apiKeyRequired ? await identified(plan) : new Exchange());
    expect([await call(), await call()]).toEqual(['in', 'THROTTLED']);
    steadyClock.advance(1_000);
    expect(await call()).toBe('in');
  });

  for (const stepMs of [HOUR_MS, -HOUR_MS]) {
    test(`the bucket of ${what} does not notice that the clock is set by ${stepMs / HOUR_MS} hours`, async () => {
      const { step, steadyClock, wallClock } = limited(route, stage);
      const call = async (): Promise<string> => outcome(step, route.apiKeyRequired ? await identified(plan) : new Exchange());
      expect(await call()).toBe('in');
      wallClock.advance(stepMs);
      expect(await call(), 'no second burst').toBe('THROTTLED');
      steadyClock.advance(1_000);
      expect(await call(), 'nobody is shut out').toBe('in');
    });
  }
}

for (const stepMs of [HOUR_MS, -HOUR_MS]) {
  test(`a strict plan asks for tokens as ever when the clock is set by ${stepMs / HOUR_MS} hours`, async () => {
    const questions: RateQuestion[] = [];
    const rates = new RateLeases({ request: (asked) => questions.push(...asked) });
    rates.connected();
    const { step, steadyClock, wallClock } = limited({ apiKeyRequired: true }, {}, rates);
    const plan = { throttle: { ratePerSecond: 1, burst: 10 }, limits: { mode: 'STRICT', fallback: 'CLOSED' } } as const;
    const answer = (tokens: number): void => {
      const { bucket, question } = questions.at(-1)!;
      rates.granted([{ bucket, question, share: 0, tokens }], steadyClock.nowMs());
    };
    const call = async (tokens: number): Promise<string> => {
      const verdict = outcome(step, await identified(plan));
      if (questions.length > 0) answer(tokens);
      return verdict;
    };
    expect(await call(2)).toBe('in');
    wallClock.advance(stepMs);
    expect(await call(0), 'the one that is left').toBe('in');
    steadyClock.advance(60_000);
    const asked = questions.length;
    expect(await call(1)).toBe('in');
    expect(questions.length, 'it asked').toBeGreaterThan(asked);
  });
}

test("a plan's method throttle leaves the other methods alone", async () => {
  const { step } = limited({ apiKeyRequired: true, httpMethod: 'POST' });
  const plan = { apiStages: [{ apiId: 'abc123defg', stage: 'dev', methodThrottles: { '//GET': tight } }] };
  for (let i = 0; i < 3; i++) expect(await outcome(step, await identified(plan))).toBe('in');
});

test('a spent quota is LimitExceeded, comes before the throttle, and is not counted as usage', async () => {
  const { step, wallClock, counted } = limited({ apiKeyRequired: true, throttle: { ratePerSecond: 0, burst: 1 } });
  const plan = { quota: { limit: 2, offset: 0, period: 'DAY' as const } };
  const requests = [await identified(plan), await identified(plan), await identified(plan)] as const;
  const outcomes = [];
  for (const x of requests) outcomes.push(await outcome(step, x));
  expect(outcomes).toEqual(['in', 'THROTTLED', 'QUOTA_EXCEEDED']);
  expect(counted).toEqual(['123456789012 plan1 key1', '123456789012 plan1 key1']);
  expect(requests.map(({ countedAtMs }) => countedAtMs)).toEqual([wallClock.nowMs(), wallClock.nowMs(), -1]);
});

test('usage of a key whose plan has no quota is counted too', async () => {
  const { step, counted } = limited({ apiKeyRequired: true });
  await step(await identified({}));
  expect(counted.length).toBe(1);
});

// Bodies

function withBody(declaredBytes: number | null, source: Readable): Exchange {
  const x = new Exchange();
  x.requestBody = { declaredBytes, atHand: null, open: () => source };
  return x;
}

test('a body whose length is above 10 MiB is refused before a byte of it is read', () => {
  let opened = false;
  const x = new Exchange();
  x.requestBody = { declaredBytes: BODY_BYTES_MAX + 1, atHand: null, open: () => ((opened = true), Readable.from([])) };
  expect(limitBody(settings())!(x)).toBe(FAULT);
  expect([x.fault!.name, opened]).toEqual(['REQUEST_TOO_LARGE', false]);
});

test('exactly 10 MiB are let in', () => {
  expect(limitBody(settings())!(withBody(BODY_BYTES_MAX, Readable.from([])))).toBe(CONTINUE);
});

test('a tenant may have another limit, above or below, that of its stage', async () => {
  const limited = (payloadBytesMax: number) => limitBody(settings({}, { payloadBytesMax }))!;
  expect(limited(BODY_BYTES_MAX + 1)(withBody(BODY_BYTES_MAX + 1, Readable.from([])))).toBe(CONTINUE);
  expect(limited(3)(withBody(4, Readable.from([])))).toBe(FAULT);
  const x = withBody(null, Readable.from([Buffer.alloc(2), Buffer.alloc(2)]));
  expect(limited(3)(x)).toBe(CONTINUE);
  expect(await readBody({ type: 'buffer', reason: 'test' })!(x)).toBe(FAULT);
});

test('a body without a length is counted while it is read', async () => {
  const chunk = Buffer.alloc(1024 * 1024);
  const x = withBody(null, Readable.from(Array.from({ length: 11 }, () => chunk)));
  expect(limitBody(settings())!(x)).toBe(CONTINUE);
  expect(await readBody({ type: 'buffer', reason: 'test' })!(x)).toBe(FAULT);
  expect(x.fault!.name).toBe('REQUEST_TOO_LARGE');
});

test('a buffered program holds the body; no body is an empty one, at once', async () => {
  const read = readBody({ type: 'buffer', reason: 'test' })!;
  const x = withBody(null, Readable.from([Buffer.from('a'), Buffer.from('b')]));
  expect(await read(x)).toBe(CONTINUE);
  expect(x.bufferedBody!.toString()).toBe('ab');
  const empty = new Exchange();
  expect(read(empty)).toBe(CONTINUE);
  expect(empty.bufferedBody!.length).toBe(0);
});

test('a caller that leaves in the middle of its body ends the request', async () => {
  const source = new Readable({ read: () => undefined });
  const x = withBody(100, source);
  const reading = readBody({ type: 'buffer', reason: 'test' })!(x);
  source.destroy();
  expect(await reading).toBe(FAULT);
  expect(x.fault!.name).toBe('CALLER_LEFT');
});
