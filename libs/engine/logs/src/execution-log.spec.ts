import type { RouteSnapshot, StageSnapshot, UsagePlanEntry } from '@gatehouse/contracts';
import {
  Exchange,
  FunctionError,
  runProgram,
  type Connector,
  type FailureReason,
  type UpstreamAnswer,
  type UpstreamFailure,
  type WorldView,
} from '@gatehouse/engine-exchange';
import { linkStage, type LinkBindings } from '@gatehouse/engine-link';
import { ManualClock, sha256Hex } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { LogGroups, StageLogs } from './index.js';

const EXECUTION_LOG = { arn: 'arn:aws:logs:us-east-1:123456789012:log-group:API-Gateway-Execution-Logs_abc123defg/dev' };

interface Request {
  readonly httpMethod?: string;
  readonly path: string;
  readonly query?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}
interface Answer {
  readonly status?: number;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly failure?: FailureReason;
  /** What a function threw. */
  readonly thrown?: object;
}

interface Event {
  readonly logGroup: string;
  readonly message: string;
  readonly timestamp: number;
}

/** Answers with streams, and functions with all at once, as the connectors of a node do. */
function backend(answer: Answer, isFunction = false): Connector {
  const { failure, thrown, status = 200, headers = [], body = '' } = answer;
  const bodyOf = () => (isFunction ? Buffer.from(body) : Readable.from([Buffer.from(body)]));
  const outcome = (): UpstreamAnswer | UpstreamFailure =>
    failure === undefined
      ? { status, headers, body: bodyOf() }
      : { failure, cause: thrown === undefined ? null : new FunctionError('Unhandled', Buffer.from(JSON.stringify(thrown))) };
  return { call: () => Promise.resolve(outcome()) };
}

const clock = new ManualClock(Date.UTC(2026, 0, 1));

interface Setting {
  readonly isCanary?: boolean;
  /** What a function answers that authorizes. */
  readonly authorizer?: Answer;
  readonly stage?: Partial<StageSnapshot>;
  readonly plan?: Partial<UsagePlanEntry>;
  readonly limits?: { readonly quota?: 'DENY'; readonly tokens?: 0 };
}

const KEY = 'a-key-of-40-characters-0123456789-abcdef';

/** One key in one plan. */
function worldWith(over: Partial<UsagePlanEntry>): WorldView {
  const tenant = stageSnapshot().tenant;
  const apiStages = [{ apiId: 'abc123defg', stage: 'dev', methodThrottles: {} }];
  const settings: UsagePlanEntry = { usagePlanId: 'plan1', tenant, throttle: null, quota: null, apiStages, ...over };
  const throttlesOf = (apiId: string, stage: string) =>
    settings.apiStages.find((entry) => entry.apiId === apiId && entry.stage === stage)?.methodThrottles;
  return {
    revision: 1,
    accessKey: () => null,
    serviceAccess: () => null,
    apiKey: (_, valueDigest) =>
      valueDigest === sha256Hex(KEY) ? { apiKeyId: 'key1', tenant, valueDigest, enabled: true, usagePlanIds: ['plan1'] } : null,
    usagePlan: () => ({
      settings,
      methodThrottles: (apiId, stage) => {
        const throttles = throttlesOf(apiId, stage);
        return throttles === undefined ? null : new Map(Object.entries(throttles));
      },
    }),
  };
}

/** Runs one request through a linked stage, and says which lines its log groups have and whether a journal was kept. */
async function run(route: RouteSnapshot, request: Request, answer: Answer = {}, setting: Setting = {}) {
  const { isCanary = false, authorizer = answer, stage: own = {}, plan = {}, limits = {} } = setting;
  const lines: string[] = [];
  const groups = new LogGroups({
    place: { kind: 'LINES', write: (line) => void lines.push(line) },
    http: backend({}),
    counters: { delivered: { add: () => undefined }, dropped: { add: () => expect.unreachable('a line was dropped') } },
    onFileFailure: () => expect.unreachable(),
  });
  const bucket: never = { tryTake: () => limits.tokens !== 0 } as never;
  const connector = backend(answer);
  const bindings: LinkBindings = {
    limits: {
      buckets: { bucket: () => bucket },
      quotas: { spend: () => limits.quota ?? 'ALLOW' },
      usage: { count: () => undefined },
      clock,
    },
    http: connector,
    insecureHttp: connector,
    functions: backend(authorizer, true),
    metrics: { series: () => ({ record: () => undefined }) },
    logs: new StageLogs(groups, clock),
    random: () => 0,
  };
  const snapshot = stageSnapshot({
    routes: [route],
    executionLog: EXECUTION_LOG,
    limitHeaders: false,
    ...own,
    ...(isCanary && { canary: { percentTraffic: 100, useStageCache: true, members: {}, absent: [], routes: [0] } }),
  });
  const { stage, refusedRoutes } = linkStage(snapshot, 'digest', bindings);
  expect(refusedRoutes).toEqual([]);
  const { httpMethod = 'GET', query = '', headers = [], body } = request;
  const x = Object.assign(new Exchange(), {
    requestId: 'r-1',
    extendedRequestId: 'e-1=',
    receivedAtMs: clock.nowMs(),
    httpMethod,
    path: `/dev${request.path}`,
    resourcePath: request.path,
    rawQuery: query,
    requestHeaders: headers,
    traceId: 'Root=1-0-0',
    sourceIp: '198.51.100.7',
    forwardedPort: '443',
    forwardedProto: 'https',
    stage,
    world: worldWith(plan),
    ...(body !== undefined && {
      requestBody: { declaredBytes: null, atHand: null, open: () => Readable.from([Buffer.from(body)]) },
    }),
  });
  x.route = stage.match(x)!;
  await runProgram(x.route.program, x);
  x.integrationLatencyMs = Math.min(x.integrationLatencyMs, 0);
  x.route.executionLog?.(x, 1);
  await groups.flush();
  return { events: lines.map((line) => JSON.parse(line) as Event), hasJournal: x.journal !== null, route: x.route };
}

interface Case {
  readonly title: string;
  readonly line: number;
  readonly given: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
}

function readCases(markdown: string): Case[] {
  const cases: Case[] = [];
  let title = '';
  let fence: string | null = null;
  let given: Record<string, string> = {};
  let lines: string[] = [];
  let start = 0;
  markdown.split('\n').forEach((text, index) => {
    if (text.startsWith('```')) {
      if (fence === 'lines') cases.push({ title, line: start, given, lines });
      fence = fence === null ? text.slice(3) : null;
    } else if (fence === null && text.startsWith('## ')) {
      [title, given, lines, start] = [text.slice(3), {}, [], index + 1];
    } else if (fence === 'lines') lines.push(text.replace('{id}', '(r-1)'));
    else if (fence !== null) given[fence] = text;
  });
  return cases;
}

const INFO = { level: 'INFO', hasDataTrace: false } as const;
const FILE = 'execution-log.cases.md';
const cases = readCases(readFileSync(path.join(import.meta.dirname, FILE), 'utf8'));

describe.each(cases)(`${FILE}:$line $title`, ({ given, lines }) => {
  test('lines', async () => {
    const route = routeSnapshot({ logging: INFO, ...(JSON.parse(given['route']!) as Partial<RouteSnapshot>) });
    const request = JSON.parse(given['request']!) as Request;
    const read = (name: string): unknown => JSON.parse(given[name] ?? '{}');
    const setting = { stage: read('stage'), plan: read('plan'), limits: read('limits') } as Setting;
    const authorizer = given['authorizer'] === undefined ? {} : { authorizer: read('authorizer') as Answer };
    const { events } = await run(route, request, read('answer') as Answer, { ...setting, ...authorizer });
    expect(events.map(({ message }) => message.replace(/latency: \d+ ms/, 'latency: 0 ms'))).toEqual(lines);
    for (const { logGroup } of events) expect(logGroup).toBe('API-Gateway-Execution-Logs_abc123defg/dev');
  });
});

const HTTP_PROXY = {
  type: 'HTTP_PROXY',
  uri: 'http://backend.example/',
  httpMethod: 'POST',
  timeoutMs: 1_000,
  requestParameters: {},
  insecureSkipVerification: false,
} as const;

test('a route whose owner wants no log keeps no journal, has no step for it, and streams', async () => {
  const plain = await run(routeSnapshot({ httpMethod: 'POST', integration: HTTP_PROXY }), { httpMethod: 'POST', path: '/' });
  expect([plain.events, plain.hasJournal, plain.route.executionLog]).toEqual([[], false, null]);
  expect(plain.route.program.stepNames!.request).not.toContain('open journal');
  expect(plain.route.program.requestBody.type).toBe('stream');
});

test('only bodies that are traced are held', async () => {
  const bodies = async (logging: RouteSnapshot['logging']) =>
    (await run(routeSnapshot({ integration: HTTP_PROXY, ...(logging && { logging }) }), { path: '/' })).route.program.requestBody
      .type;
  expect([await bodies(undefined), await bodies(INFO), await bodies({ ...INFO, hasDataTrace: true })]).toEqual([
    'stream',
    'stream',
    'buffer',
  ]);
});

test('a canary has a log group of its own', async () => {
  const { events } = await run(routeSnapshot({ logging: INFO }), { path: '/' }, {}, { isCanary: true });
  expect(new Set(events.map(({ logGroup }) => logGroup))).toEqual(new Set(['API-Gateway-Execution-Logs_abc123defg/dev/Canary']));
});

test('an event has 1,024 bytes, and no half of a character', async () => {
  const route = routeSnapshot({ httpMethod: 'POST', integration: HTTP_PROXY, logging: { ...INFO, hasDataTrace: true } });
  for (const body of ['x'.repeat(5_000), 'é'.repeat(5_000), `1${'é'.repeat(5_000)}`, '€'.repeat(5_000)]) {
    const { events } = await run(route, { httpMethod: 'POST', path: '/', body }, { body });
    const cut = events.map(({ message }) => message).filter((message) => message.endsWith(' [TRUNCATED]'));
    expect(cut.length).toBe(4); // both bodies, before and after
    for (const message of cut) {
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1_024);
      expect(Buffer.byteLength(message)).toBeGreaterThan(1_020);
      expect(message).not.toContain('\ufffd');
    }
  }
});

test('header lines are cut at 998 characters', async () => {
  const { events } = await run(routeSnapshot({ logging: INFO }), { path: '/', headers: ['a', 'b'.repeat(2_000)] });
  const line = events.find(({ message }) => message.includes('Method request headers'))!.message;
  expect([line.startsWith('(r-1) Method request headers: {a=bbb'), line.endsWith('b [TRUNCATED]')]).toEqual([true, true]);
});

test('a compressed body is shown by its length', async () => {
  const route = routeSnapshot({ integration: HTTP_PROXY, logging: { ...INFO, hasDataTrace: true } });
  const { events } = await run(route, { path: '/' }, { headers: ['Content-Encoding', 'gzip'], body: '\u001f\u008b\u0008' });
  expect(events.map(({ message }) => message).filter((message) => message.includes('response body'))).toEqual([
    '(r-1) Endpoint response body before transformations: [4 bytes, gzip]',
    '(r-1) Method response body after transformations: [4 bytes, gzip]',
  ]);
});
