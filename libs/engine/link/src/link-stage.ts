/**
 * A snapshot becomes programs: everything that can be decided before a request comes is decided here. The list in `linkProgram`
 * is the single place where the order of steps lives (data-plane reference §1.1).
 *
 * What is wrong with one route makes that route answer 500; what is wrong with the whole stage (two routes that cannot be told
 * apart, a gateway response nobody understands) throws LinkRefusal.
 */
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
import type { Turns } from './turns.js';

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

/** A route that answers 500, and why: for logs and the stage's owner. */
export interface RefusedRoute {
  readonly route: string;
  readonly reason: string;
}

export interface LinkResult {
  readonly stage: LinkedStage;
  /** Of the routes that were linked, which are all unless a former stage is given. */
  readonly refusedRoutes: readonly RefusedRoute[];
  readonly routing: Routing;
}

/** What a stage hands on to the one that replaces it. */
export interface Routing {
  readonly router: Router;
  readonly routes: readonly RouteSnapshot[];
  /** Routes that were asked for, canary's included. */
  readonly used: ReadonlySet<RouteSnapshot>;
}

export interface LinkTurns {
  readonly turns: Turns;
  /**
   * Of the stage that is replaced, or `null`. A route object that this one has too was linked once, so it is linked again at its first request,
   * unless it is in use.
   */
  readonly former: Routing | null;
  /** A route that turned out not to be linkable at its first request. */
  readonly onRefusedLater: (refused: RefusedRoute) => void;
}

/** All at once. Throws LinkRefusal. */
export function linkStage(snapshot: StageSnapshot, digest: string, bindings: LinkBindings): LinkResult {
  const linking = linkRouteByRoute(snapshot, digest, bindings, null, () => undefined);
  for (;;) {
    const { done, value } = linking.next();
    if (done) return value;
  }
}

/** The same, in turns with the requests that are served meanwhile: hundreds of routes take several milliseconds. */
export async function linkStageInTurns(
  snapshot: StageSnapshot,
  digest: string,
  bindings: LinkBindings,
  { turns, former, onRefusedLater }: LinkTurns,
): Promise<LinkResult> {
  const linking = linkRouteByRoute(snapshot, digest, bindings, former, onRefusedLater);
  for (;;) {
    const { done, value } = linking.next();
    if (done) return value;
    if (turns.isOverSoon) await turns.next();
  }
}

type OnRefused = LinkTurns['onRefusedLater'];

/** Stops after each route that is linked. */
function* linkRouteByRoute(
  snapshot: StageSnapshot,
  digest: string,
  bindings: LinkBindings,
  former: Routing | null,
  onRefusedLater: OnRefused,
): Generator<void, LinkResult> {
  const { canary } = snapshot;
  const used = new Set<RouteSnapshot>();
  const own = new LinkedRoutes(snapshot, bindings, canary === undefined ? null : false, former, used, onRefusedLater);
  const known = new Set(former?.routes);
  const refusedRoutes = yield* own.linkExcept(known, former);
  const routing = { router: own.router, routes: snapshot.routes, used };
  if (canary === undefined) return { stage: Object.freeze(own.stage(digest)), refusedRoutes, routing };
  const onRefused: OnRefused = (refused) => onRefusedLater(ofCanary(refused));
  const other = new LinkedRoutes(
    snapshotOfCanary(snapshot, canary),
    bindings,
    true,
    null,
    used,
    onRefused,
    !canary.useStageCache,
  );
  refusedRoutes.push(...(yield* other.linkExcept(known, former)).map(ofCanary));
  const { percentTraffic } = canary;
  const stage = withCanary(own.stage(digest), Object.freeze(other.stage(digest)), percentTraffic, bindings.random ?? Math.random);
  return { stage: Object.freeze(stage), refusedRoutes, routing };
}

const ofCanary = (refused: RefusedRoute): RefusedRoute => ({ ...refused, route: `canary: ${refused.route}` });

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

/** The routes of one deployment. One that is not linked before its stage is current is so at its first request. */
class LinkedRoutes {
  readonly router: Router;
  private readonly faults: FaultResponder;
  /** Asked for. */
  private readonly routes: (LinkedRoute | null)[];
  /** Linked and not asked for yet. */
  private readonly prepared: (LinkedRoute | null)[];
  private readonly stageName: string;
  private readonly mayInvalidate: ReturnType<typeof mayInvalidateCache>;

  constructor(
    private readonly snapshot: StageSnapshot,
    private readonly bindings: LinkBindings,
    private readonly isCanary: boolean | null,
    former: Routing | null,
    private readonly used: Set<RouteSnapshot>,
    private readonly onRefusedLater: OnRefused,
    private readonly isCacheApart = false,
  ) {
    this.faults = linkFaults(snapshot);
    this.stageName = metricsStageName(snapshot, isCanary);
    this.mayInvalidate = mayInvalidateCache(snapshot);
    this.router = routerFor(snapshot, former);
    this.routes = new Array<LinkedRoute | null>(snapshot.routes.length).fill(null);
    this.prepared = this.routes.slice();
  }

  /** Stops after each route. Those in `known` are left for later, unless they were used. What throws refuses the stage. */
  *linkExcept(known: ReadonlySet<RouteSnapshot>, former: Routing | null): Generator<void, RefusedRoute[]> {
    const refusedRoutes: RefusedRoute[] = [];
    const { routes } = this.snapshot;
    for (let index = 0; index < routes.length; index++) {
      const route = routes[index]!;
      if (known.has(route) && !former!.used.has(route)) continue;
      this.prepared[index] = this.link(route, index, (refused) => refusedRoutes.push(refused));
      yield;
    }
    return refusedRoutes;
  }

  stage(digest: string): LinkedStage {
    const { snapshot, isCanary, faults, bindings } = this;
    const match = (x: Exchange): LinkedRoute | null => {
      const index = this.router.match(x.httpMethod, x.resourcePath, x.params);
      return index === -1 ? null : (this.routes[index] ?? this.first(index));
    };
    const accessLog = bindings.logs?.accessLog(snapshot) ?? null;
    return {
      digest,
      snapshot,
      isCanary,
      canary: null,
      isBlocked: blockTest(snapshot),
      admitUnrouted: admitUnrouted(snapshot, bindings.vpcEndpoints),
      faults,
      metrics: this.metricsOf('*', '*'),
      accessLog,
      match,
    };
  }

  /** Of a route that nobody asked for yet. */
  private first(index: number): LinkedRoute {
    const route = this.snapshot.routes[index]!;
    const linked = this.prepared[index] ?? this.linkLate(route, index);
    this.prepared[index] = null;
    this.routes[index] = linked;
    this.used.add(route);
    return linked;
  }

  /** Its stage is current: whatever is wrong with it is its own. */
  private linkLate(route: RouteSnapshot, index: number): LinkedRoute {
    try {
      return this.link(route, index, this.onRefusedLater);
    } catch (cause) {
      const reason = (cause as Error).message;
      this.onRefusedLater({ route: nameOf(route), reason });
      return this.linked(route, index, refusingProgram(reason, this.faults), null);
    }
  }

  private link(route: RouteSnapshot, index: number, onRefused: OnRefused): LinkedRoute {
    const { snapshot, bindings, faults } = this;
    const log = bindings.logs?.executionLog(snapshot, route, this.isCanary === true) ?? null;
    const metrics = this.metricsOf(route.path, route.httpMethod);
    const cacheFor = (settings: RouteSettings): RouteCache | null =>
      bindings.responses?.link(settings, metrics, this.isCacheApart, this.mayInvalidate) ?? null;
    let program: Program;
    try {
      program = linkProgram({ stage: snapshot, route }, faults, bindings, log, cacheFor);
    } catch (cause) {
      if (!(cause instanceof LinkRefusal)) throw cause;
      onRefused({ route: nameOf(route), reason: cause.message });
      program = refusingProgram(cause.message, faults);
    }
    return this.linked(route, index, program, log, metrics);
  }

  private linked(
    route: RouteSnapshot,
    index: number,
    program: Program,
    log: RouteLog | null,
    metrics = this.metricsOf(route.path, route.httpMethod),
  ): LinkedRoute {
    return Object.freeze({
      settings: route,
      paramNames: this.router.paramNames[index]!,
      program,
      metrics,
      executionLog: log === null ? null : log.write,
    });
  }

  private metricsOf(resource: string, httpMethod: string): RequestMetrics {
    const { tenant, apiId } = this.snapshot;
    const { metrics, limits } = this.bindings;
    return metrics.series({ tenant, apiId, stage: this.stageName, resource, httpMethod }, limits.clock.nowMs());
  }
}

function blockTest({ blockedNetworks = [] }: StageSnapshot): ((sourceIp: string) => boolean) | null {
  return blockedNetworks.length === 0 ? null : networkTest(blockedNetworks.map((text) => parseNetwork(text)!));
}

const nameOf = ({ httpMethod, path }: RouteSnapshot): string => `${httpMethod} ${path}`;

/** The former's, when the same paths and verbs are in the same order. */
function routerFor({ routes }: StageSnapshot, former: Routing | null): Router {
  if (
    former !== null &&
    former.routes.length === routes.length &&
    former.routes.every((route, at) => hasKeyOf(route, routes[at]!))
  )
    return former.router;
  try {
    return buildRouter(routes);
  } catch (cause) {
    throw new LinkRefusal((cause as Error).message);
  }
}

const hasKeyOf = (a: RouteSnapshot, b: RouteSnapshot): boolean => a === b || (a.path === b.path && a.httpMethod === b.httpMethod);

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
