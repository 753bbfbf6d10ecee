/** Processor time of a line of an access log, per request: `node src/access-format.bench.ts` after `tsc -b`. */
import { Exchange, type LinkedRoute, type LinkedStage } from '@gatehouse/engine-exchange';

const built = (file: string): Promise<unknown> => import(new URL(`../dist/${file}.js`, import.meta.url).href);
const { compileAccessFormat } = (await built('access-format')) as typeof import('./access-format.js');

const FORMATS = {
  CLF: '$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] "$context.httpMethod $context.resourcePath $context.protocol" $context.status $context.responseLength $context.requestId',
  JSON: '{"requestId":"$context.requestId","ip":"$context.identity.sourceIp","caller":"$context.identity.caller","requestTime":"$context.requestTime","httpMethod":"$context.httpMethod","resourcePath":"$context.resourcePath","status":"$context.status","protocol":"$context.protocol","responseLength":"$context.responseLength","latency":"$context.responseLatency","agent":"$context.identity.userAgent"}',
} as const;

const x = Object.assign(new Exchange(), {
  requestId: '3f2b8f2e-58a5-4c1e-8b1a-0c7d3b9f4a11',
  receivedAtMs: Date.UTC(2026, 0, 1),
  httpMethod: 'GET',
  sourceIp: '198.51.100.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64)',
  stage: { snapshot: { tenant: '123456789012', apiId: 'abc', stage: 'dev' } } as LinkedStage,
  route: { settings: { path: '/pets/{id}' } } as LinkedRoute,
  status: 200,
  deliveredBytes: 512,
});

const RUNS = 300_000;
for (const [name, text] of Object.entries(FORMATS)) {
  const format = compileAccessFormat(text);
  let chars = 0;
  for (let i = 0; i < RUNS; i++) chars += format(x, 1.5).length;
  const before = process.cpuUsage();
  for (let i = 0; i < RUNS; i++) chars += format(x, 1.5).length;
  const { user, system } = process.cpuUsage(before);
  console.log(`${name}: ${((user + system) / RUNS).toFixed(2)} µs per line of ${Math.round(chars / 2 / RUNS)} characters`);
}
