/**
 * TestInvokeMethod, and TestInvokeAuthorizer (`authorizer-run.ts`): one request through a draft, beside what the node serves. The route is linked by the same code as live ones and
 * run by the same steps, which write a journal; the connectors wait for whole answers, so that they are in it. Nothing of it is counted, throttled or
 * kept: the control plane sends a snapshot in which nobody is asked for a key (control/test-invoke).
 */
import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import type { StageSnapshot } from '@gatehouse/contracts';
import { Intake, letGo, refuseRequest, resolveTarget, visibleHeaders, type DomainNames } from '@gatehouse/engine-accept';
import {
  Exchange,
  headerText,
  isHeaderToken,
  LinkRefusal,
  BODY_BYTES_MAX,
  readAll,
  RequestJournal,
  runProgram,
  WholeAnswers,
  type LinkedRoute,
  type LinkedStage,
  type WorldView,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { linkStage, readSnapshot, type LinkBindings } from '@gatehouse/engine-link';
import { shownUriOf } from '@gatehouse/engine-logs';
import { sha256Hex, type Clock } from '@gatehouse/kernel';
import { runAuthorizer } from './authorizer-run.js';
import { TestLog } from './test-log.js';

export interface TestRequest {
  /** Canonical JSON of a StageSnapshot with one route; with none and its authorizers, where one of them is asked. */
  readonly snapshot: Uint8Array;
  readonly httpMethod: string;
  /** Below the stage. Need not be one that the route matches. */
  readonly pathWithQuery: string;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** Empty: the route is run. */
  readonly authorizerId: string;
}

export interface TestResult {
  /** 0 of an authorizer that answered. */
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  readonly latencyMs: number;
  readonly log: string;
}

export interface TestRunsOptions {
  readonly bindings: Pick<LinkBindings, 'limits' | 'http' | 'insecureHttp' | 'functions'>;
  readonly world: () => WorldView;
  readonly clock: Clock;
  /** A step threw. The run answers 500. */
  readonly onBug: (bug: unknown) => void;
}

/** What AWS puts in the place of a caller's address and of the host name. */
const SOURCE_IP = 'test-invoke-source-ip';
const DOMAIN_NAME = 'testPrefix.testDomainName';
const BASE = '.test-invoke';
const NO_DOMAIN_NAMES: DomainNames = { domainName: () => null };
/** Test runs are nobody's traffic. */
const UNCOUNTED: LinkBindings['metrics'] = { series: () => ({ record: () => undefined }) };

export class TestRuns {
  private readonly intake: Intake;

  constructor(private readonly options: TestRunsOptions) {
    const noWorlds = { current: null as never, stage: () => 'ABSENT' as const };
    this.intake = new Intake({ worlds: noWorlds, baseDomain: 'test-invoke' }); // for the identity of requests alone
  }

  async run(request: TestRequest): Promise<TestResult> {
    const snapshot = snapshotIn(request.snapshot);
    const x = this.exchangeFor(request);
    if (request.authorizerId !== '') return this.ask(x, snapshot, request);
    const log = new TestLog(x.requestId, this.options.clock);
    log.add(`HTTP Method: ${x.httpMethod}, Resource Path: ${x.path}`);
    await this.answer(x, snapshot, request, log);
    if (x.fault === FAULTS.BUG) this.options.onBug(x.faultCause);
    return this.result(x, log);
  }

  private async ask(x: Exchange, snapshot: StageSnapshot, { pathWithQuery, authorizerId }: TestRequest): Promise<TestResult> {
    const log = new TestLog(x.requestId, this.options.clock, `authorizer: ${authorizerId}`);
    const target = targetOf(snapshot, pathWithQuery);
    if (typeof target === 'string') throw new Error(`the path of the test is none: ${pathWithQuery}`);
    x.path = target.path;
    x.resourcePath = target.resourcePath;
    x.rawQuery = target.rawQuery;
    const { functions, http } = this.options.bindings;
    const connectors = { functions: new WholeAnswers(functions), http };
    const { status, body } = await runAuthorizer(x, snapshot, authorizerId, connectors, log, shownUriOf(snapshot));
    return { status, headers: [], body, latencyMs: Math.round(performance.now() - x.startedAtMs), log: log.text };
  }

  private exchangeFor(request: TestRequest): Exchange {
    const { clock, world } = this.options;
    const x = new Exchange();
    x.startedAtMs = performance.now();
    x.httpMethod = request.httpMethod;
    x.requestHeaders = visibleHeaders(fitHeaders(request.headers));
    x.requestBody = request.body.length === 0 ? null : bodyAtHand(Buffer.from(request.body));
    this.intake.identify(x, request.pathWithQuery, clock.nowMs());
    x.host = DOMAIN_NAME;
    x.sourceIp = SOURCE_IP;
    x.forwardedPort = '443';
    x.forwardedProto = 'https';
    x.world = world();
    x.journal = new RequestJournal(clock);
    return x;
  }

  private async answer(x: Exchange, snapshot: StageSnapshot, request: TestRequest, log: TestLog): Promise<void> {
    let stage: LinkedStage;
    try {
      ({ stage } = linkStage(snapshot, '', this.bindings()));
    } catch (cause) {
      if (!(cause instanceof LinkRefusal)) throw cause;
      return refuseRequest(x, FAULTS.API_CONFIGURATION_ERROR, `linking the stage: ${cause.message}`);
    }
    x.stage = stage;
    const target = targetOf(snapshot, request.pathWithQuery);
    if (typeof target === 'string') return refuseRequest(x, FAULTS.MALFORMED_TARGET, 'reading the request target', stage.faults);
    x.path = target.path;
    x.resourcePath = target.resourcePath;
    x.rawQuery = target.rawQuery;
    x.route = routeFor(x, stage, snapshot);
    const { paramNames, program } = x.route;
    const pathParameters = paramNames.flatMap((name, i) => [name, x.params[i]!]);
    log.learn(x);
    log.addRequest({ pathParameters, query: x.query, headers: x.requestHeaders }, request.body);
    await runProgram(program, x);
    log.addCalls(x.journal!, shownUriOf(snapshot));
  }

  private bindings(): LinkBindings {
    const { limits, http, insecureHttp, functions } = this.options.bindings;
    return {
      limits,
      metrics: UNCOUNTED,
      http: new WholeAnswers(http),
      insecureHttp: new WholeAnswers(insecureHttp),
      functions: new WholeAnswers(functions),
    };
  }

  private async result(x: Exchange, log: TestLog): Promise<TestResult> {
    const body = await bodyOf(x);
    letGo(x);
    log.addEnd(x, body);
    const headers = [...(x.responseBlock?.fields ?? []), ...x.responseHeaders];
    return { status: x.status, headers, body, latencyMs: Math.round(performance.now() - x.startedAtMs), log: log.text };
  }
}

function targetOf({ apiId, stage }: StageSnapshot, pathWithQuery: string): ReturnType<typeof resolveTarget> {
  return resolveTarget(`${apiId}.execute-api${BASE}`, `/${stage}${pathWithQuery}`, BASE, NO_DOMAIN_NAMES);
}

function snapshotIn(bytes: Uint8Array): StageSnapshot {
  const { tenant, apiId, stage } = JSON.parse(Buffer.from(bytes).toString('utf8')) as StageSnapshot;
  return readSnapshot(bytes, { tenant, apiId, stage, digest: sha256Hex(bytes) });
}

/** No parser has read these: what would end a header line on the way to a backend stays behind. */
function fitHeaders(headers: readonly string[]): string[] {
  const fit: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const value = headerText(headers[i + 1]!);
    if (isHeaderToken(headers[i]!) && value !== null) fit.push(headers[i]!, value);
  }
  return fit;
}

/** AWS runs the method whatever the path is; path parameters it does not have are empty then. */
function routeFor(x: Exchange, stage: LinkedStage, { routes }: StageSnapshot): LinkedRoute {
  const matched = stage.match(x);
  if (matched !== null) return matched;
  const { resourcePath } = x;
  x.resourcePath = routes[0]!.path.replaceAll(/\{[^}]*\}/g, 'x');
  const route = stage.match(x);
  x.resourcePath = resourcePath;
  x.params.fill('');
  if (route === null) throw new Error(`the snapshot has no route for ${x.httpMethod} ${routes[0]!.path}`);
  return route;
}

function bodyAtHand(body: Buffer): NonNullable<Exchange['requestBody']> {
  return { declaredBytes: body.length, atHand: body, open: () => Readable.from([body]) };
}

async function bodyOf({ responseBody }: Exchange): Promise<Buffer> {
  if (responseBody === null) return Buffer.alloc(0);
  return Buffer.isBuffer(responseBody) ? responseBody : readAll(responseBody, BODY_BYTES_MAX);
}
