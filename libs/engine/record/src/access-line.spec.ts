import { Exchange, type FaultKind, type LinkedRoute, type LinkedStage } from '@gatehouse/engine-exchange';
import { expect, test } from 'vitest';
import { accessLine } from './access-line.js';

/** The line as JSON.stringify would write it, with what it leaves unescaped escaped. */
function plainLine(x: Exchange, latencyMs: number): string {
  const stage = x.stage?.snapshot;
  const rounded = (ms: number): number => Math.round(ms * 100) / 100;
  const line = JSON.stringify({
    time: new Date(x.receivedAtMs).toISOString(),
    requestId: x.requestId,
    tenant: stage?.tenant ?? null,
    api: stage?.apiId ?? null,
    stage: stage?.stage ?? null,
    resource: x.route?.settings.path ?? null,
    httpMethod: x.httpMethod,
    path: x.path.slice(0, 1_024),
    status: x.status,
    latencyMs: rounded(latencyMs),
    integrationLatencyMs: x.integrationLatencyMs < 0 ? null : rounded(x.integrationLatencyMs),
    sourceIp: x.sourceIp,
    userAgent: x.userAgent.slice(0, 1_024),
    apiKeyId: x.apiKey?.apiKeyId ?? null,
    usagePlanId: x.countedAtMs < 0 ? null : x.usagePlan!.settings.usagePlanId,
    usageDay: x.countedAtMs < 0 ? null : new Date(x.countedAtMs).toISOString().slice(0, 10),
    bytes: x.deliveredBytes,
    ...(x.fault === null ? null : { fault: x.fault.name, doing: x.faultDoing, cause: x.faultCause }),
  });
  return line.replace(/[\x7f-\x9f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const random = randomNumbers(20_260_101);

/** Mostly harmless, with what JSON, terminals and line readers care about strewn in; some are longer than what is kept. */
function someText(): string {
  const length = random(20) === 0 ? 1_000 + random(60) : random(12);
  let text = '';
  for (let i = 0; i < length; i++) {
    const code = [
      97 + random(26),
      random(0x30),
      0x7f + random(0x22),
      0x2020 + random(16),
      0xd7f0 + random(0x820),
      random(0x10000),
    ];
    text += random(3) > 0 ? 'a' : String.fromCharCode(code[random(code.length)]!);
  }
  return text;
}

const someMs = (): number =>
  [random(100), random(100) / 100, random(1_000_000) / 997, random(30) * 0.005, random(2 ** 31) * 1.01, -0.001, 0][random(7)]!;

function someExchange(): Exchange {
  const x = new Exchange();
  x.requestId = someText();
  x.receivedAtMs = Date.UTC(2026, 0, 1) + random(2_000);
  x.httpMethod = someText();
  x.path = someText();
  x.status = random(600);
  x.integrationLatencyMs = random(3) === 0 ? -1 : someMs();
  x.sourceIp = someText();
  x.userAgent = someText();
  x.deliveredBytes = random(2 ** 31) * random(3);
  if (random(2) === 0) x.apiKey = { apiKeyId: someText() } as Exchange['apiKey'];
  if (random(2) === 0) {
    x.usagePlan = { settings: { usagePlanId: someText() } } as Exchange['usagePlan'];
    if (x.apiKey !== null && random(2) === 0) x.countedAtMs = Date.UTC(2026, 0, 1) + random(4) * 43_200_000 - random(2);
  }
  if (random(3) > 0) x.stage = { snapshot: { tenant: someText(), apiId: someText(), stage: someText() } } as LinkedStage;
  if (x.stage !== null && random(2) === 0)
    x.route = { settings: { path: someText(), httpMethod: random(2) === 0 ? x.httpMethod : 'ANY' } } as LinkedRoute;
  if (random(3) === 0) x.fail({ name: someText() } as FaultKind, random(2) === 0 ? null : someText().slice(0, 1_024), someText());
  return x;
}

test('a line is what JSON.stringify would write, with what is unprintable escaped', () => {
  for (let i = 0; i < 5_000; i++) {
    const x = someExchange();
    const latencyMs = someMs();
    const expected = plainLine(x, latencyMs);
    expect(accessLine(x, latencyMs), `line ${i}`).toBe(expected);
    expect(accessLine(x, latencyMs), `line ${i}, of a route that is known`).toBe(expected);
  }
});

test('hundredths of a millisecond are printed as JSON prints the number', () => {
  const x = new Exchange();
  for (let hundredths = 0; hundredths < 10_000; hundredths++) {
    expect(accessLine(x, hundredths / 100)).toContain(`"latencyMs":${JSON.stringify(hundredths / 100)},`);
  }
});

test('requests of one route, of another one and of the stage alone each name their own place', () => {
  const stage = { snapshot: { tenant: 't', apiId: 'a', stage: 's' } } as LinkedStage;
  const routes = ['/one', '/two'].map((path) => ({ settings: { path, httpMethod: 'GET' } }) as LinkedRoute);
  const x = new Exchange();
  x.stage = stage;
  const resources = [routes[0]!, routes[1]!, null, routes[0]!].map((route) => {
    x.route = route;
    return (JSON.parse(accessLine(x, 1)) as { resource: string | null }).resource;
  });
  expect(resources).toEqual(['/one', '/two', null, '/one']);
});

test('requests of one key name the plan and the day they were counted for, whatever those of before were', () => {
  const apiKey = { apiKeyId: 'k' } as Exchange['apiKey'];
  const x = new Exchange();
  x.apiKey = apiKey;
  const days = [1, 1, 2, 1].map((day) => Date.UTC(2026, 0, day));
  const said = ['p', 'q', 'q', 'p'].map((usagePlanId, i) => {
    x.usagePlan = { settings: { usagePlanId } } as Exchange['usagePlan'];
    x.countedAtMs = days[i]!;
    const line = JSON.parse(accessLine(x, 1)) as { apiKeyId: string; usagePlanId: string; usageDay: string };
    return `${line.apiKeyId} ${line.usagePlanId} ${line.usageDay}`;
  });
  expect(said).toEqual(['k p 2026-01-01', 'k q 2026-01-01', 'k q 2026-01-02', 'k p 2026-01-01']);
});
