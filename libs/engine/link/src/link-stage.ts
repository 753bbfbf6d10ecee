/**
 * A snapshot becomes programs: everything that can be decided before a request comes is decided here. The list in `linkProgram`
 * is the single place where the order of steps lives (data-plane reference §1.1).
 *
 * What is wrong with one route makes that route answer 500; what is wrong with the whole stage (two routes that cannot be told
 * apart, a gateway response nobody understands) throws LinkRefusal.
 */
import { setImmediate } from 'node:timers/promises';
import type { IntegrationSnapshot, RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  LinkRefusal,
  STREAM_BODY,
  WholeAnswers,
  type BodyMode,
  type Connector,
  type Exchange,
  type FaultResponder,
  type LinkedRoute,
  type LinkedStage,
  type Program,
  type RequestMetrics,
  type RouteSettings,
  type StageLog,
  type Step,
  type VpcEndpointView,
  type StepNames,
} from '@gatehouse/engine-exchange';
import { FAULTS, linkFaults } from '@gatehouse/engine-faults';
import type { ResponseCache, RouteCache } from '@gatehouse/engine-response-cache';
import { buildRouter, type Router } from '@gatehouse/engine-router';
import {
  admitUnrouted,
  answeringErrors,
  authorize,
  bodyOfFunction,
  bodyToCheck,
  checkBody,
  checkParameters,
  convertProxyAnswer,
  errorMessageOf,
  compressResponse,
  identifyKey,
  integrate,
  limitBody,
  mapFunctionResponse,
  mapProxyResponse,
  mapRequest,
  mapResponse,
  mayInvalidateCache,
  openJournal,
  mapStreamedProxyResponse,
  mapStreamedResponse,
  readBody,
  selectResponse,
  settleUsage,
  settlingFaults,
  throttle,
  type Limits,
} from '@gatehouse/engine-steps';
import { networkTest, parseNetwork, unreachable } from '@gatehouse/kernel';
import { snapshotOfCanary } from './canary.js';

/** Labels of what is counted; `*` where a request has no route. */
export interface MetricLabels {
  readonly tenant: string;
  readonly apiId: string;
  readonly stage: string;
  readonly resource: string;
  readonly httpMethod: string;
}

/** What programs are bound to: one set per node. */
export interface LinkBindings {
  readonly limits: Limits;
  /** Checks certificates. */
  readonly http: Connector;
  /** For integrations with `insecureSkipVerification`. */
  readonly insecureHttp: Connector;
  readonly functions: Connector;
  /** Where callers of private APIs come from. Absent: from nowhere. */
  readonly vpcEndpoints?: (sourceIp: string) => VpcEndpointView | null;
  /** Absent: no response is kept, whatever a stage's owner says. */
  readonly responses?: Pick<ResponseCache, 'link'>;
  /** Telemetry's MetricsRegistry. */
  readonly metrics: {
    series(labels: MetricLabels, nowMs: number): RequestMetrics;
    /** The series is nobody's any more. Absent: all are kept. */
    forget?(labels: MetricLabels): void;
  };
  /** From 0 up to, but not including, 1: who is sent to a canary. Absent: Math.random. */
  readonly random?: () => number;
  /** What owners want to have written of requests; engine/logs. Absent: nothing is. */
  readonly logs?: {
    accessLog(stage: StageSnapshot): StageLog | null;
    executionLog(stage: StageSnapshot, route: RouteSnapshot, isCanary: boolean): RouteLog | null;
  };
}

/** The execution log of a route, and what its program keeps for it. */
interface RouteLog {
  readonly write: StageLog;
  readonly needsJournal: boolean;
  /** Those that would stream are read as a whole. */
  readonly needsBodies: boolean;
}

export interface LinkResult {
  readonly stage: LinkedStage;
  /** Routes that answer 500, and why: for logs and the stage's owner. */
  readonly refusedRoutes: readonly { readonly route: string; readonly reason: string }[];
}

/** How long requests wait for a part of a large stage to be linked. */
const TURN_MS = 0.5;

/** Throws LinkRefusal. */
export function linkStage(snapshot: StageSnapshot, digest: string, bindings: LinkBindings): LinkResult {
  const linking = linkRouteByRoute(snapshot, digest, bindings);
  for (;;) {
    const { done, value } = linking.next();
    if (done) return value;
  }
}

/** The same, in turns with the requests that are served meanwhile: hundreds of routes take several milliseconds. */
export async function linkStageInTurns(snapshot: StageSnapshot, digest: string, bindings: LinkBindings): Promise<LinkResult> {
  const linking = linkRouteByRoute(snapshot, digest, bindings);
  let turnMs = performance.now();
  for (;;) {
    const { done, value } = linking.next();
    if (done) return value;
    if (performance.now() - turnMs < TURN_MS) continue;
    await setImmediate();
    turnMs = performance.now();
  }
}

/** Stops after each route. */
function* linkRouteByRoute(snapshot: StageSnapshot, digest: string, bindings: LinkBindings): Generator<void, LinkResult> {
  const { canary } = snapshot;
  if (canary === undefined) return yield* linkDeployment(snapshot, digest, bindings, null);
  const own = yield* linkDeployment(snapshot, digest, bindings, false);
  const other = yield* linkDeployment(snapshotOfCanary(snapshot, canary), digest, bindings, true, !canary.useStageCache);
  return {
    stage: Object.freeze(withCanary(own.stage, other.stage, canary.percentTraffic, bindings.random ?? Math.random)),
    refusedRoutes: [
      ...own.refusedRoutes,
      ...other.refusedRoutes.map((refused) => ({ ...refused, route: `canary: ${refused.route}` })),
    ],
  };
}

/** Chooses for each request anew, as on AWS. 0 % and 100 % are exact: `random` is never 1. */
function withCanary(own: LinkedStage, canary: LinkedStage, percent: number, random: () => number): LinkedStage {
  const match = (x: Exchange): LinkedRoute | null => {
    if (random() * 100 >= percent) return own.match(x);
    x.stage = canary;
    return canary.match(x);
  };
  return { ...own, canary, match };
}

/** What a canary is counted as; no stage has a slash in its name. */
const metricsStageName = ({ stage }: StageSnapshot, isCanary: boolean | null): string =>
  isCanary === true ? `${stage}/Canary` : stage;

/** All labels that a linked stage is counted under, its canary's not among them. */
export function labelsOf({ snapshot, isCanary }: LinkedStage): MetricLabels[] {
  const { tenant, apiId, routes } = snapshot;
  const stage = metricsStageName(snapshot, isCanary);
  const ofStage = { tenant, apiId, stage, resource: '*', httpMethod: '*' };
  return [ofStage, ...routes.map(({ path, httpMethod }) => ({ ...ofStage, resource: path, httpMethod }))];
}

function* linkDeployment(
  snapshot: StageSnapshot,
  digest: string,
  bindings: LinkBindings,
  isCanary: boolean | null,
  isCacheApart = false,
): Generator<void, LinkResult> {
  const faults = linkFaults(snapshot);
  const refusedRoutes: { route: string; reason: string }[] = [];
  const stage = metricsStageName(snapshot, isCanary);
  const metricsOf = (resource: string, httpMethod: string): RequestMetrics =>
    bindings.metrics.series(
      { tenant: snapshot.tenant, apiId: snapshot.apiId, stage, resource, httpMethod },
      bindings.limits.clock.nowMs(),
    );
  const mayInvalidate = mayInvalidateCache(snapshot);
  const router = buildRouterFor(snapshot);
  const routes: LinkedRoute[] = [];
  for (const [index, route] of snapshot.routes.entries()) {
    const log = bindings.logs?.executionLog(snapshot, route, isCanary === true) ?? null;
    const metrics = metricsOf(route.path, route.httpMethod);
    const cacheFor = (settings: RouteSettings): RouteCache | null =>
      bindings.responses?.link(settings, metrics, isCacheApart, mayInvalidate) ?? null;
    let program: Program;
    try {
      program = linkProgram({ stage: snapshot, route }, faults, bindings, log, cacheFor);
    } catch (cause) {
      if (!(cause instanceof LinkRefusal)) throw cause;
      refusedRoutes.push({ route: `${route.httpMethod} ${route.path}`, reason: cause.message });
      program = refusingProgram(cause.message, faults);
    }
    routes.push(
      Object.freeze({
        settings: route,
        paramNames: router.paramNames[index]!,
        program,
        metrics,
        executionLog: log === null ? null : log.write,
      }),
    );
    yield;
  }
  const match = (x: Exchange): LinkedRoute | null => {
    const index = router.match(x.httpMethod, x.resourcePath, x.params);
    return index === -1 ? null : routes[index]!;
  };
  const accessLog = bindings.logs?.accessLog(snapshot) ?? null;
  const linked = {
    digest,
    snapshot,
    isCanary,
    canary: null,
    isBlocked: blockTest(snapshot),
    admitUnrouted: admitUnrouted(snapshot, bindings.vpcEndpoints),
    faults,
    metrics: metricsOf('*', '*'),
    accessLog,
    match,
  };
  return { stage: Object.freeze(linked), refusedRoutes };
}

function blockTest({ blockedNetworks = [] }: StageSnapshot): ((sourceIp: string) => boolean) | null {
  return blockedNetworks.length === 0 ? null : networkTest(blockedNetworks.map((text) => parseNetwork(text)!));
}

function buildRouterFor(snapshot: StageSnapshot): Router {
  try {
    return buildRouter(snapshot.routes);
  } catch (cause) {
    throw new LinkRefusal((cause as Error).message);
  }
}

function linkProgram(
  settings: RouteSettings,
  faults: FaultResponder,
  bindings: LinkBindings,
  log: RouteLog | null,
  cacheFor: (settings: RouteSettings) => RouteCache | null,
): Program {
  const request = mapRequest(settings, bindings.limits.clock);
  const linked = linkIntegration(settings, settings.route.integration, bindings, false);
  const { connector, responseSteps, responseBody, isStreamed = false } = linked;
  const settle = settleUsage(bindings.limits)(settings);
  // Of a stream nothing is made on the way, and nobody waits for its end.
  const tracesBodies = log !== null && log.needsBodies && !isStreamed;
  const requestBody = bodyToTrace(tracesBodies, bodyToCheck(settings, request.body));
  const cache = isStreamed ? null : cacheFor(settings);
  const settledFaults = settlingFaults(settle, faults);
  const requestHalf = present([
    ['open journal', log?.needsJournal === true ? openJournal(bindings.limits.clock) : null],
    ['limit body', limitBody(settings)],
    ['authorize', authorize(bindings)(settings)],
    ['identify key', identifyKey(settings)],
    ['throttle', throttle(bindings.limits)(settings)],
    ['check parameters', checkParameters(settings)],
    ['read body', readBody(requestBody)],
    ['check body', checkBody(settings)],
    ['look into the cache', cache?.look ?? null],
    ['map request', request.step],
    ['integrate', connector === null ? null : integrate(tracesBodies ? new WholeAnswers(connector) : connector)],
  ]);
  const responseHalf = present([
    ['settle usage', settle],
    ['answer from the cache', cache?.answerKept ?? null],
    ...responseSteps,
    ['compress response', isStreamed ? null : compressResponse(settings)],
    ['keep in the cache', cache?.keep ?? null],
  ]);
  return freeze({
    requestSteps: requestHalf.steps,
    responseSteps: responseHalf.steps,
    stepNames: sharedNames(requestHalf.names, responseHalf.names),
    requestBody,
    responseBody,
    faults: cache === null ? settledFaults : cache.releasing(settledFaults),
    bugFault: FAULTS.BUG,
  });
}

function bodyToTrace(isTraced: boolean, mode: BodyMode): BodyMode {
  return isTraced && mode.type === 'stream' ? { type: 'buffer', reason: 'the execution log shows it' } : mode;
}

type NamedStep = readonly [name: string, step: Step | null];

function present(steps: readonly NamedStep[]): { readonly names: readonly string[]; readonly steps: readonly Step[] } {
  const own = steps.filter(([, step]) => step !== null);
  return { names: own.map(([name]) => name), steps: own.map(([, step]) => step!) };
}

/** A node links a million routes, and they have few different lists of steps. */
const knownNames = new Map<string, StepNames>();

function sharedNames(request: readonly string[], response: readonly string[]): StepNames {
  const text = `${request.join()};${response.join()}`;
  let names = knownNames.get(text);
  if (names === undefined) {
    names = Object.freeze({ request: Object.freeze(request.slice()), response: Object.freeze(response.slice()) });
    knownNames.set(text, names);
  }
  return names;
}

interface LinkedIntegration {
  /** `null` when no backend is called. */
  readonly connector: Connector | null;
  readonly responseSteps: readonly NamedStep[];
  readonly responseBody: BodyMode;
  /** Handed on as it comes: nothing is made of it on the way. */
  readonly isStreamed?: boolean;
}

function linkIntegration(
  settings: RouteSettings,
  integration: IntegrationSnapshot,
  bindings: LinkBindings,
  isVelocity: boolean,
): LinkedIntegration {
  switch (integration.type) {
    case 'HTTP_PROXY': {
      const { streamIdleMs } = integration;
      return {
        connector: integration.insecureSkipVerification ? bindings.insecureHttp : bindings.http,
        responseSteps:
          streamIdleMs === undefined
            ? [
                ['convert payload', convertProxyAnswer(settings)],
                ['map response', mapProxyResponse],
              ]
            : [['map response', mapStreamedProxyResponse(streamIdleMs)]],
        responseBody: STREAM_BODY,
        isStreamed: streamIdleMs !== undefined,
      };
    }
    case 'AWS_PROXY_STREAM':
      return {
        connector: bindings.functions,
        responseSteps: [['map response', mapStreamedResponse(integration.streamIdleMs)]],
        responseBody: STREAM_BODY,
        isStreamed: true,
      };
    case 'HTTP': {
      const mapping = mapResponse(integration.responses, settings, true, isVelocity);
      return {
        connector: integration.insecureSkipVerification ? bindings.insecureHttp : bindings.http,
        responseSteps: [
          ['select response', selectResponse(integration.responses)],
          ['map response', mapping.step],
        ],
        responseBody: mapping.body,
      };
    }
    case 'AWS_PROXY':
      return {
        connector: bindings.functions,
        responseSteps: [['map response', mapFunctionResponse(settings)]],
        responseBody: { type: 'buffer', reason: 'a proxy reply is one JSON document' },
      };
    case 'MOCK': {
      const mapping = mapResponse(integration.responses, settings, false, isVelocity);
      return {
        connector: null,
        responseSteps: [
          ['select response', selectResponse(integration.responses)],
          ['map response', mapping.step],
        ],
        responseBody: mapping.body,
      };
    }
    case 'AS_ROLE':
      return linkIntegration(settings, integration.integration, bindings, false);
    case 'FUNCTION': {
      const mapping = mapResponse(integration.responses, settings, true, isVelocity, bodyOfFunction);
      return {
        connector: answeringErrors(bindings.functions),
        responseSteps: [
          ['select response', selectResponse(integration.responses, errorMessageOf)],
          ['map response', mapping.step],
        ],
        responseBody: mapping.body,
      };
    }
    case 'SERVICE': {
      const mapping = mapResponse(integration.responses, settings, true, isVelocity);
      return {
        connector: bindings.http,
        responseSteps: [
          ['select response', selectResponse(integration.responses)],
          ['map response', mapping.step],
        ],
        responseBody: mapping.body,
      };
    }
    case 'VELOCITY':
      return linkIntegration(settings, integration.integration, bindings, true);
    case 'CONNECT':
    case 'CONVERT':
      return linkIntegration(settings, integration.integration, bindings, isVelocity);
    case 'REFUSE':
      return { connector: null, responseSteps: [], responseBody: STREAM_BODY };
    default:
      return unreachable(integration);
  }
}

const REFUSING: StepNames = Object.freeze({ request: Object.freeze(['link the route']), response: Object.freeze([]) });

/** Names nothing to the caller; the reason is in the log. */
function refusingProgram(reason: string, faults: FaultResponder): Program {
  const doing = `linking the route: ${reason}`;
  return freeze({
    requestSteps: [(x) => x.fail(FAULTS.API_CONFIGURATION_ERROR, null, doing)],
    responseSteps: [],
    stepNames: REFUSING,
    requestBody: STREAM_BODY,
    responseBody: STREAM_BODY,
    faults,
    bugFault: FAULTS.BUG,
  });
}

/** The lists are copied: one that was filled element by element has room for sixteen more, in every route. */
function freeze(program: Program): Program {
  return Object.freeze({
    ...program,
    requestSteps: Object.freeze(program.requestSteps.slice()),
    responseSteps: Object.freeze(program.responseSteps.slice()),
  });
}

/** How much a linked stage weighs in the node's budget. */
export function routeCount({ routes, canary }: Pick<StageSnapshot, 'routes' | 'canary'>): number {
  return Math.max(1, routes.length + (canary?.routes.length ?? 0));
}
