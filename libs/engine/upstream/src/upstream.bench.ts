/**
 * Nanoseconds and bytes per decision about where a call goes; after a build, run with
 * `node --expose-gc src/upstream.bench.ts`. Bytes are the growth of the heap between two collections of nothing.
 */
const { CONNECT_FAILED, Destinations, Resolver, ScriptedNameService, TenantAddressRules, upstreamSettings } = (await import(
  new URL('../dist/index.js', import.meta.url).href
)) as typeof import('./index.js');
type Destination = import('./index.js').Destination;
type UpstreamAddress = import('./index.js').UpstreamAddress;

const ROUNDS = 2_000_000;
const nowMs = Date.now();
const collect = (globalThis as { gc?: () => void }).gc ?? (() => {});

function measure(name: string, operation: (i: number) => void): void {
  for (let i = 0; i < ROUNDS / 4; i++) operation(i);
  collect();
  const heapBytes = process.memoryUsage().heapUsed;
  const start = process.hrtime.bigint();
  for (let i = 0; i < ROUNDS; i++) operation(i);
  const nanoseconds = Number(process.hrtime.bigint() - start) / ROUNDS;
  const bytes = Math.max(0, process.memoryUsage().heapUsed - heapBytes) / ROUNDS;
  console.log(`${name.padEnd(58)} ${nanoseconds.toFixed(0).padStart(6)} ns ${bytes.toFixed(2).padStart(8)} B`);
}

function setUp(hasBreaker: boolean) {
  const names = new ScriptedNameService();
  names.answers('four.example.com', ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'], 300_000);
  const settings = upstreamSettings(hasBreaker ? {} : { breaker: null });
  const resolver = new Resolver({ names, settings: settings.resolver });
  return new Destinations({ resolver, rules: new TenantAddressRules({ allow: [] }), settings });
}

async function ready(destinations: ReturnType<typeof setUp>, host: string): Promise<Destination> {
  const destination = destinations.of('123456789012', host, 443);
  destination.pick(Date.now());
  await destination.whenResolved();
  return destination;
}

const call = (destination: Destination, at: number): void => {
  const address = destination.pick(at) as UpstreamAddress;
  destination.succeeded(address, destination.epoch, at);
};

const destinations = setUp(true);
const four = await ready(destinations, 'four.example.com');
const literal = await ready(destinations, '192.0.2.9');
const withoutBreaker = await ready(setUp(false), 'four.example.com');
measure('pick, a name with 4 addresses', () => four.pick(nowMs));
measure('pick and success, a name with 4 addresses', (i) => call(four, nowMs + (i >> 6)));
measure('pick and success, a literal address', (i) => call(literal, nowMs + (i >> 6)));
measure('pick and success, no breaker', (i) => call(withoutBreaker, nowMs + (i >> 6)));

const hosts = Array.from({ length: 1_000 }, (_, i) => `h${i}.example.com`);
for (const host of hosts) destinations.of('123456789012', host, 443);
measure('find one of 1,000 destinations, the same again', () => destinations.of('123456789012', 'h7.example.com', 443));
measure('find one of 1,000 destinations, each in turn', (i) => destinations.of('123456789012', hosts[i % 1_000]!, 443));

const down = await ready(destinations, '192.0.2.10');
for (let i = 0; i < 20; i++) down.failed(down.pick(nowMs) as UpstreamAddress, CONNECT_FAILED, down.epoch, nowMs);
measure('pick, breaker open', () => down.pick(nowMs));
const limping = await ready(setUp(true), 'four.example.com');
limping.failed(limping.pick(nowMs) as UpstreamAddress, CONNECT_FAILED, limping.epoch, nowMs);
measure('pick, 1 of 4 addresses ejected', () => limping.pick(nowMs));
