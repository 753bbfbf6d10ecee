/**
 * What every listener does with a request once its head is read, whatever protocol it came by: identity, target, route, program.
 *
 *   listener: acquire x -> identify -> run -> deliver -> record -> release
 *                            \________/
 *                               here
 */
import {
  CONTINUE,
  lastHeader,
  noteReceived,
  startProgram,
  untilOver,
  type Exchange,
  type FaultKind,
  type FaultResponder,
  type JournalKeeper,
  type LinkedStage,
} from '@gatehouse/engine-exchange';
import { BUILT_IN_FAULTS, FAULTS } from '@gatehouse/engine-faults';
import type { World, WorldKeeper } from '@gatehouse/engine-link';
import { incompleteAuthorization } from '@gatehouse/sigv4';
import { writeAmznTrace, type Tracing } from '@gatehouse/telemetry';
import { renderBug } from './finish.js';
import { extendedIdOf, Randomness, requestIdOf } from './randomness.js';
import { beginTrace } from './request-trace.js';
import { parseHost, resolveTarget, type NoTarget, type Target } from './target.js';
import { completeTrace } from './trace-header.js';

export interface IntakeOptions {
  readonly worlds: Pick<WorldKeeper, 'current' | 'stage'>;
  /** E.g. `localhost`: APIs answer on `{apiId}.execute-api.localhost`. */
  readonly baseDomain: string;
  /** Absent: traces of callers pass through untouched. */
  readonly tracing?: Tracing | null;
  /** Absent: of no request is a journal kept. */
  readonly journalKeeper?: JournalKeeper | null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Host headers whose parsed form is remembered; beyond it all are forgotten. */
const KNOWN_HOSTS_MAX = 4_096;

export class Intake {
  private readonly baseSuffix: string;
  /** Of hosts of VPC endpoints. */
  private readonly endpointSuffix: string;
  private readonly random = new Randomness();
  private readonly tracing: Tracing | null;
  private readonly journalKeeper: JournalKeeper | null;
  private readonly knownHosts = new Map<string, string | null>();

  constructor(private readonly options: IntakeOptions) {
    this.baseSuffix = `.${options.baseDomain.toLowerCase()}`;
    this.endpointSuffix = `.vpce${this.baseSuffix}`;
    this.tracing = options.tracing ?? null;
    this.journalKeeper = options.journalKeeper ?? null;
  }

  /** Ids, trace header, times. `x.requestHeaders` must be there. `url` for the record; a stage's path replaces it. */
  identify(x: Exchange, url: string, nowMs: number): void {
    const mark = url.indexOf('?');
    x.path = mark === -1 ? url : url.slice(0, mark);
    x.receivedAtMs = nowMs;
    const identity = identityOf(x);
    const idLines = this.random.idLines();
    x.extendedRequestId = extendedIdOf(idLines);
    if (identity.requestId === null) {
      x.idLines = idLines;
      x.requestId = requestIdOf(idLines);
    } else x.requestId = identity.requestId;
    x.userAgent = identity.userAgent;
    x.traceId = completeTrace(identity.trace, nowMs, this.random);
    if (this.tracing !== null) this.joinTrace(x, this.tracing, identity.trace);
  }

  private joinTrace(x: Exchange, tracing: Tracing, incoming: string | null): void {
    const trace = beginTrace(tracing, x.requestHeaders, incoming, x.traceId, this.random);
    x.trace = trace;
    x.traceId = writeAmznTrace({ traceId: trace.traceId, spanId: trace.upstreamSpanId, isSampled: trace.isSampled });
  }

  /** As `start`, awaited. */
  run(x: Exchange, hostHeader: string | null, url: string): void | Promise<void> {
    return this.start(x, hostHeader, url) ? undefined : untilOver(x);
  }

  /**
   * From the target to the end of the program. Afterwards the response half of `x` is what the caller gets: on return when this
   * is true, else when `x.onOver` is called, later and once. `hostHeader` is `null` when there is none, or more than one.
   */
  start(x: Exchange, hostHeader: string | null, url: string): boolean {
    const world = this.options.worlds.current; // the only read of it for this request
    const block = x.requestBlock;
    let known = block === null ? null : (block.destination as Destination | null);
    if (known === null || known.url !== url || known.world !== world || known.hostHeader !== hostHeader) {
      const host = hostHeader === null ? null : this.host(hostHeader);
      if (host === null) return refused(x, FAULTS.MALFORMED_TARGET, 'reading the Host header');
      known = this.destination(x, host, hostHeader!, url, world);
      if (block !== null) block.destination = known;
    }
    const { target } = known;
    x.host = known.host;
    if (target === 'MALFORMED') return refused(x, FAULTS.MALFORMED_TARGET, 'reading the request target');
    if (target === 'UNKNOWN_HOST') return refused(x, FAULTS.UNKNOWN_HOST, 'looking for an API');
    x.path = target.path;
    x.resourcePath = target.resourcePath;
    x.rawQuery = target.rawQuery;
    x.basePath = target.basePath;
    x.world = world;
    const found = this.options.worlds.stage(world, target.apiId, target.stage);
    if (!(found instanceof Promise)) return startInStage(x, target, found, this.journalKeeper);
    void found.then(
      (stage) => {
        if (startInStage(x, target, stage, this.journalKeeper)) x.onOver!();
      },
      (bug: unknown) => {
        renderBug(x, bug);
        x.onOver!();
      },
    );
    return false;
  }

  private destination({ requestHeaders }: Exchange, host: string, hostHeader: string, url: string, world: World): Destination {
    const namedApi = host.endsWith(this.endpointSuffix) ? lastHeader(requestHeaders, 'x-apigw-api-id') : null;
    const target = resolveTarget(host, url, this.baseSuffix, world, namedApi);
    return { hostHeader, url, world, host, target };
  }

  private host(header: string): string | null {
    const known = this.knownHosts.get(header);
    if (known !== undefined) return known;
    const host = parseHost(header);
    if (this.knownHosts.size >= KNOWN_HOSTS_MAX) this.knownHosts.clear();
    this.knownHosts.set(header, host);
    return host;
  }
}

/** Where a request leads, by its head, in one World: kept with its headers, for a caller that asks for the same again. */
interface Destination {
  readonly hostHeader: string;
  readonly url: string;
  readonly world: World;
  readonly host: string;
  readonly target: Target | NoTarget;
}

/** What the headers say about who asks. */
class Identity {
  readonly requestId: string | null;
  readonly userAgent: string;
  readonly trace: string | null;

  constructor(headers: readonly string[]) {
    const requestId = lastHeader(headers, 'x-amzn-requestid');
    this.requestId = requestId !== null && UUID.test(requestId) ? requestId : null;
    this.userAgent = lastHeader(headers, 'user-agent') ?? '';
    this.trace = lastHeader(headers, 'x-amzn-trace-id');
  }
}

function identityOf({ requestBlock, requestHeaders }: Exchange): Identity {
  if (requestBlock === null) return new Identity(requestHeaders);
  return (requestBlock.identity ??= new Identity(requestHeaders)) as Identity;
}

function startInStage(x: Exchange, target: Target, stage: LinkedStage | string, keeper: JournalKeeper | null): boolean {
  if (stage === 'REFUSED') return refused(x, FAULTS.API_CONFIGURATION_ERROR, 'linking the stage');
  if (typeof stage === 'string') return refused(x, FAULTS.UNKNOWN_HOST, 'looking for a stage');
  const { region, disableExecuteApiEndpoint } = stage.snapshot;
  if (disableExecuteApiEndpoint && x.basePath === null)
    return refused(x, FAULTS.UNKNOWN_HOST, 'looking for an API whose default endpoint is enabled');
  if (target.region !== null && target.region !== region)
    return refused(x, FAULTS.UNKNOWN_HOST, 'looking for an API of the region');
  x.stage = stage;
  if (stage.isBlocked != null && stage.isBlocked(x.sourceIp)) return refuseBlocked(x, stage, keeper);
  x.route = stage.match(x);
  if (keeper !== null) openJournal(x, keeper);
  if (x.route === null) return refuseUnrouted(x, x.stage);
  return startProgram(x.route.program, x);
}

function refuseBlocked(x: Exchange, { faults }: LinkedStage, keeper: JournalKeeper | null): true {
  if (keeper !== null) openJournal(x, keeper);
  return refused(x, FAULTS.WAF_FILTERED, 'filtering by the network of the caller', faults);
}

/** Where no method is, somebody who signed is told what somebody is who did not; other tokens are taken for broken signatures (reference §1.4). */
function refuseUnrouted(x: Exchange, { faults, admitUnrouted }: LinkedStage): true {
  const doing = 'looking for a route';
  if (admitUnrouted != null) {
    if (admitUnrouted(x) === CONTINUE) return refused(x, FAULTS.RESOURCE_NOT_FOUND, doing, faults);
    faults.render(x);
    return true;
  }
  const authorization = lastHeader(x.requestHeaders, 'authorization') ?? '';
  const date = lastHeader(x.requestHeaders, 'x-amz-date') ?? lastHeader(x.requestHeaders, 'date') ?? undefined;
  const fault = authorization === '' ? null : incompleteAuthorization(authorization, date);
  if (fault === null) return refused(x, FAULTS.MISSING_AUTHENTICATION_TOKEN, doing, faults);
  x.fail(FAULTS.INCOMPLETE_SIGNATURE, null, doing, fault.message);
  faults.render(x);
  return true;
}

function openJournal(x: Exchange, keeper: JournalKeeper): void {
  x.journal = keeper(x);
  if (x.journal !== null) noteReceived(x.journal, x);
}

function refused(x: Exchange, kind: FaultKind, doing: string, faults?: FaultResponder): true {
  refuseRequest(x, kind, doing, faults);
  return true;
}

/** Ends a request that no program answers. */
export function refuseRequest(x: Exchange, kind: FaultKind, doing: string, faults: FaultResponder = BUILT_IN_FAULTS): void {
  x.fail(kind, null, doing);
  faults.render(x);
}
