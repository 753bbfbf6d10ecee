/**
 * What a request with an API key costs beyond a plain one: CPU nanoseconds (user and system) and heap bytes per request, by part
 * and together. After a build (`npm run build`), run with
 * `node --expose-gc --min-semi-space-size=64 --max-semi-space-size=64 src/keyed.bench.ts`; the young space is large so that no
 * collection hides bytes.
 * Quota, throttle and journal are the real ones; 64 callers, each with a key of its own, take turns.
 */
import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type * as exchangeModule from '@gatehouse/engine-exchange';
import type * as limitsModule from '@gatehouse/engine-limits';
import type * as kernelModule from '@gatehouse/kernel';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';

type Steps = typeof import('./index.js');
type Exchanges = typeof exchangeModule;
type Limits = typeof limitsModule;
type Kernel = typeof kernelModule;
type LimitParts = import('./index.js').Limits;
type Step = exchangeModule.Step;
type Exchange = exchangeModule.Exchange;

/** What this project may not import, as far as it is used here. */
interface Recorders {
  AccessLog: new (sink: Writable) => AccessLines;
  RequestRecorder: new (options: object) => { record(x: Exchange): void };
}
interface AccessLines {
  write(line: string): void;
}
interface Telemetry {
  MetricsRegistry: new () => { series(labels: object, nowMs: number): NonNullable<Exchange['route']>['metrics'] };
}
interface Linking {
  World: { new (...parts: unknown[]): NonNullable<Exchange['world']>; EMPTY: { stages: unknown } & Worlds };
  LinkedUsagePlan: new (settings: object) => unknown;
}
interface Worlds {
  keys: Entries;
  plans: Entries;
}
interface Entries {
  with(edits: ReadonlyMap<string, unknown>): Entries;
}

const built = async (path: string): Promise<unknown> => import(new URL(`../${path}.js`, import.meta.url).href);
const { identifyKey, throttle } = (await built('dist/index')) as Steps;
const { Exchange: RealExchange } = (await built('../exchange/dist/index')) as Exchanges;
const { BucketRegistry, QuotaLedger, RateLeases, UsageJournal } = (await built('../limits/dist/index')) as Limits;
const { sha256Hex, systemClock } = (await built('../../foundation/kernel/dist/index')) as Kernel;
const { AccessLog, RequestRecorder } = (await built('../record/dist/index')) as Recorders;
const { MetricsRegistry } = (await built('../../foundation/telemetry/dist/index')) as Telemetry;
const { World, LinkedUsagePlan } = (await built('../link/dist/world')) as Linking;

const CALLERS = 64;
const TENANT = '123456789012';
const many = { ratePerSecond: 10_000_000, burst: 10_000_000 };
const route = {
  path: '/pets/{id}',
  httpMethod: 'GET',
  apiKeyRequired: true,
  throttle: null,
} as unknown as RouteSnapshot;
const stage = {
  tenant: TENANT,
  apiId: 'abc123defg',
  stage: 'prod',
  apiKeySource: 'HEADER',
  accountThrottle: null,
} as unknown as StageSnapshot;
const plan = {
  usagePlanId: 'plan01',
  tenant: TENANT,
  throttle: many,
  quota: { limit: 1_000_000_000, offset: 0, period: 'DAY' },
  apiStages: [{ apiId: stage.apiId, stage: stage.stage, methodThrottles: {} }],
};
const valueOf = (caller: number): string => `${'k'.repeat(36)}${1000 + caller}`;
const keys = Array.from({ length: CALLERS }, (_, i) => ({
  apiKeyId: `key${1000 + i}abcde`,
  tenant: TENANT,
  valueDigest: sha256Hex(valueOf(i)),
  enabled: true,
  usagePlanIds: [plan.usagePlanId],
}));
const { EMPTY } = World;
const world = new World(
  1,
  EMPTY.stages,
  EMPTY.keys.with(new Map(keys.map((key) => [key.apiKeyId, key]))),
  EMPTY.plans.with(new Map([[plan.usagePlanId, new LinkedUsagePlan(plan)]])),
);

const nowMs = Date.now();
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const journal = new UsageJournal(folder, nowMs);
const quotas = new QuotaLedger({ requestMore: () => undefined });
const buckets = new BucketRegistry(200_000);
const rates = new RateLeases({ request: () => undefined });
rates.connected();
const uncounted = { count: () => undefined };
const needed = (step: Step | null): Step => step!;
const identify = needed(identifyKey({ stage, route }));
const throttleWith = (parts: object): Step =>
  needed(throttle({ buckets, quotas, usage: uncounted, clock: systemClock, ...parts })({ stage, route }));
const spend = throttleWith({});
const spendShared = throttleWith({ rates });
const shared: LimitParts['usage'] = {
  count: (...request) => journal.countSoon(...request),
  settle: (countedAtMs) => journal.settle(countedAtMs),
};
const spendAndCount = throttleWith({ usage: shared });

const labels = { tenant: TENANT, apiId: stage.apiId, stage: stage.stage, resource: route.path, httpMethod: route.httpMethod };
const series = new MetricsRegistry().series(labels, nowMs);
const accessLog = new AccessLog(new Writable({ write: (_chunk, _encoding, done) => done() }));
const plainRecorder = new RequestRecorder({ clock: systemClock, accessLog: null });
const nowhere = { write: () => undefined };
const lineRecorder = new RequestRecorder({ clock: systemClock, accessLog: nowhere });
const recorder = new RequestRecorder({ clock: systemClock, accessLog });

const callers = Array.from({ length: CALLERS }, (_, i) => {
  const x = new RealExchange();
  x.requestHeaders = ['Host', 'a', 'Accept', '*/*', 'X-Api-Key', valueOf(i), 'Accept-Encoding', 'gzip', 'User-Agent', 'bench'];
  x.world = world;
  x.stage = { snapshot: stage, metrics: series } as unknown as NonNullable<Exchange['stage']>;
  x.route = { settings: route, metrics: series } as unknown as NonNullable<Exchange['route']>;
  x.requestId = `6f1c1f0e-7a52-4d2e-9a52-0f6f4a3f5c${10 + i}`;
  x.httpMethod = 'GET';
  x.path = `/prod/pets/${i}`;
  x.sourceIp = '198.51.100.7';
  x.userAgent = 'Mozilla/5.0 (X11; Linux x86_64) bench/1.0';
  x.status = 200;
  x.deliveredBytes = 1234;
  identify(x);
  x.countedAtMs = nowMs;
  return x;
});

/** As the listener does it, with another latency each time. */
function begin(x: Exchange, i: number): void {
  x.receivedAtMs = Date.now();
  x.startedAtMs = performance.now() - (i % 97) / 31;
  x.integrationLatencyMs = (i % 89) / 37;
}

const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Requests per turn of the event loop. */
const PER_TURN = 32;

async function rounds(count: number, operation: (x: Exchange, i: number) => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    operation(callers[i % CALLERS]!, i);
    if (i % PER_TURN === PER_TURN - 1) await turn();
  }
}

async function measure(name: string, operation: (x: Exchange, i: number) => void): Promise<void> {
  const count = 200_000;
  await rounds(count / 4, operation);
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = process.cpuUsage();
    await rounds(count, operation);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / count);
  }
  collect();
  const heapBytes = process.memoryUsage().heapUsed;
  await rounds(5_000, operation);
  const bytes = (process.memoryUsage().heapUsed - heapBytes) / 5_000;
  if (name === 'nothing') [emptyNs, emptyBytes] = [best, bytes];
  console.log(
    `${name.padEnd(58)} ${(best - emptyNs).toFixed(0).padStart(6)} ns ${(bytes - emptyBytes).toFixed(0).padStart(6)} B`,
  );
}
let emptyNs = 0;
let emptyBytes = 0;

await measure('nothing', begin); // its own share is taken off the others
await measure('identify key', (x, i) => (begin(x, i), identify(x)));
await measure('quota and throttle, of this process', (x, i) => (begin(x, i), spend(x)));
await measure('quota and throttle, over all nodes', (x, i) => (begin(x, i), spendShared(x)));
await measure(
  'journal, a write of its own',
  (x, i) => (begin(x, i), journal.count(TENANT, plan.usagePlanId, x.apiKey!.apiKeyId, x.receivedAtMs)),
);
await measure(
  'journal, a turn of requests shares a write',
  (x, i) => (begin(x, i), shared.count(TENANT, plan.usagePlanId, x.apiKey!.apiKeyId, x.receivedAtMs)),
);
await measure('metrics', (x, i) => (begin(x, i), plainRecorder.record(x)));
await measure('metrics and access line', (x, i) => (begin(x, i), lineRecorder.record(x)));
await measure('metrics, access line and log', (x, i) => (begin(x, i), recorder.record(x)));
await measure('all of it', (x, i) => {
  begin(x, i);
  identify(x);
  spendAndCount(x);
  recorder.record(x);
});
rmSync(folder, { recursive: true });
