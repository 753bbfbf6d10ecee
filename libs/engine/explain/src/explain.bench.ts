/**
 * What remembering requests costs: CPU nanoseconds (user and system) per request. After a build
 * (`npm run build`), run with `node --expose-gc src/explain.bench.ts`. What it is of a whole request on a node is measured by the
 * scenario `explain` of `npm run bench`.
 */
import type * as exchangeModule from '@gatehouse/engine-exchange';

type Explains = typeof import('./index.js');
type Exchange = exchangeModule.Exchange;

const built = async (path: string): Promise<unknown> => import(new URL(`../${path}.js`, import.meta.url).href);
const { RequestMemory } = (await built('dist/index')) as Explains;
const { Exchange: RealExchange, noteReceived } = (await built('../exchange/dist/index')) as typeof exchangeModule;

const CALLERS = 64;
const clock = { nowMs: () => Date.now() };
const stepNames = { request: ['limit body', 'identify key', 'throttle', 'map request', 'integrate'], response: ['map response'] };
const stage = {
  snapshot: { tenant: '123456789012', apiId: 'abc123defg', stage: 'prod', deploymentId: 'dep123' },
} as unknown as NonNullable<Exchange['stage']>;
const route = {
  settings: {
    path: '/pets/{id}',
    httpMethod: 'GET',
    integration: { type: 'HTTP_PROXY', uri: 'http://backend.example:8080/pets/{id}' },
  },
  paramNames: [],
  program: { stepNames },
} as unknown as NonNullable<Exchange['route']>;

function exchange(i: number, isKeyed: boolean): Exchange {
  const x = new RealExchange();
  x.stage = stage;
  x.route = route;
  x.requestHeaders = ['Host', 'a', 'Accept', '*/*', 'X-Api-Key', 'k'.repeat(40), 'User-Agent', 'bench'];
  x.requestId = `6f1c1f0e-7a52-4d2e-9a52-0f6f4a3f5c${10 + i}`;
  x.httpMethod = 'GET';
  x.path = `/prod/pets/${i}`;
  x.sourceIp = '198.51.100.7';
  x.status = 200;
  x.stepIndex = 1;
  x.isRequestHalf = false;
  x.requestStepsRun = 5;
  x.deliveredBytes = 1234;
  x.upstreamRequest = { httpMethod: 'GET', url: `http://backend.example:8080/pets/${i}`, headers: [] } as never;
  x.upstreamAnswer = { status: 200, headers: [], body: Buffer.alloc(1_024) };
  if (isKeyed) {
    x.apiKey = { apiKeyId: `key${1000 + i}abcde` } as never;
    x.usagePlan = { settings: { usagePlanId: 'plan01' } } as never;
  }
  return x;
}

function begin(x: Exchange, i: number): void {
  x.receivedAtMs = clock.nowMs();
  x.startedAtMs = performance.now() - (i % 97) / 31;
  x.integrationStartedAtMs = x.startedAtMs + 0.1;
  x.integrationLatencyMs = (i % 89) / 37;
}

const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const PER_TURN = 32;

async function rounds(count: number, operation: (i: number) => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    operation(i);
    if (i % PER_TURN === PER_TURN - 1) await turn();
  }
}

let emptyNs = 0;
async function measure(name: string, operation: (i: number) => void, count = 300_000): Promise<void> {
  await rounds(count / 4, operation);
  collect();
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = process.cpuUsage();
    await rounds(count, operation);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / count);
  }
  if (name === 'nothing') emptyNs = best;
  console.log(`${name.padEnd(58)} ${(best - emptyNs).toFixed(0).padStart(7)} ns`);
}

const memoryOf = (sampleEvery: number) =>
  new RequestMemory({ clock, bytesMax: 32 * 1_048_576, keepMs: 3_600_000, sampleEvery, secretNames: [] });
const plain = Array.from({ length: CALLERS }, (_, i) => exchange(i, false));
const keyed = Array.from({ length: CALLERS }, (_, i) => exchange(i, true));

await measure('nothing', (i) => {
  const x = plain[i % CALLERS]!;
  begin(x, i);
});
for (const [name, callers] of [
  ['a plain', plain],
  ['a keyed', keyed],
] as const) {
  for (const sampleEvery of [0, 100]) {
    const memory = memoryOf(sampleEvery);
    await measure(`${name} request, sample of ${sampleEvery === 0 ? 'none' : `1 in ${sampleEvery}`}`, (i) => {
      const x = callers[i % CALLERS]!;
      begin(x, i);
      x.journal = memory.open(x);
      if (x.journal !== null) noteReceived(x.journal, x);
      memory.keep(x, i % 97);
    });
  }
}
