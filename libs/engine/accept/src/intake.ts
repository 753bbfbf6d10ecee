/**
 * What every listener does with a request once its head is read, whatever protocol it came by: identity, target, route, program.
 *
 *   listener: acquire x -> identify -> run -> deliver -> record -> release
 *                            \________/
 *                               here
 */
import {
  lastHeader,
  runProgram,
  type Exchange,
  type FaultKind,
  type FaultResponder,
  type LinkedStage,
} from '@gatehouse/engine-exchange';
import { BUILT_IN_FAULTS, FAULTS } from '@gatehouse/engine-faults';
import type { WorldKeeper } from '@gatehouse/engine-link';
import { Randomness } from './randomness.js';
import { parseHost, resolveTarget, type Target } from './target.js';
import { completeTrace } from './trace-header.js';

export interface IntakeOptions {
  readonly worlds: Pick<WorldKeeper, 'current' | 'stage'>;
  /** E.g. `localhost`: APIs answer on `{apiId}.execute-api.localhost`. */
  readonly baseDomain: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Host headers whose parsed form is remembered; beyond it all are forgotten. */
const KNOWN_HOSTS_MAX = 4_096;

export class Intake {
  private readonly baseSuffix: string;
  private readonly random = new Randomness();
  private readonly knownHosts = new Map<string, string | null>();

  constructor(private readonly options: IntakeOptions) {
    this.baseSuffix = `.${options.baseDomain.toLowerCase()}`;
  }

  /** Ids, trace header, times. `x.requestHeaders` must be there. `url` for the record; a stage's path replaces it. */
  identify(x: Exchange, url: string, nowMs: number): void {
    const mark = url.indexOf('?');
    x.path = mark === -1 ? url : url.slice(0, mark);
    x.receivedAtMs = nowMs;
    const { requestHeaders } = x;
    const requestId = lastHeader(requestHeaders, 'x-amzn-requestid');
    x.requestId = requestId !== null && UUID.test(requestId) ? requestId : this.random.uuid();
    x.extendedRequestId = this.random.base64(11); // 15 characters and "="
    x.userAgent = lastHeader(requestHeaders, 'user-agent') ?? '';
    x.traceId = completeTrace(lastHeader(requestHeaders, 'x-amzn-trace-id'), nowMs, this.random);
  }

  /**
   * From the target to the end of the program. Afterwards the response half of `x` is what the caller gets. `hostHeader` is
   * `null` when there is none, or more than one. Throws or rejects only for a bug of ours.
   */
  run(x: Exchange, hostHeader: string | null, url: string): void | Promise<void> {
    const host = hostHeader === null ? null : this.host(hostHeader);
    if (host === null) return refuseRequest(x, FAULTS.MALFORMED_TARGET, 'reading the Host header');
    x.host = host;
    const target = resolveTarget(host, url, this.baseSuffix);
    if (target === 'MALFORMED') return refuseRequest(x, FAULTS.MALFORMED_TARGET, 'reading the request target');
    if (target === 'UNKNOWN_HOST') return refuseRequest(x, FAULTS.UNKNOWN_HOST, 'looking for an API');
    x.path = target.path;
    x.resourcePath = target.resourcePath;
    x.rawQuery = target.rawQuery;
    const world = this.options.worlds.current; // the only read of it for this request
    x.world = world;
    const found = this.options.worlds.stage(world, target.apiId, target.stage);
    if (found instanceof Promise) return found.then((stage) => runInStage(x, target, stage));
    return runInStage(x, target, found);
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

function runInStage(x: Exchange, target: Target, stage: LinkedStage | string): void | Promise<void> {
  if (stage === 'REFUSED') return refuseRequest(x, FAULTS.API_CONFIGURATION_ERROR, 'linking the stage');
  if (typeof stage === 'string') return refuseRequest(x, FAULTS.UNKNOWN_HOST, 'looking for a stage');
  const { region, disableExecuteApiEndpoint } = stage.snapshot;
  if (disableExecuteApiEndpoint)
    return refuseRequest(x, FAULTS.UNKNOWN_HOST, 'looking for an API whose default endpoint is enabled');
  if (target.region !== null && target.region !== region)
    return refuseRequest(x, FAULTS.UNKNOWN_HOST, 'looking for an API of the region');
  x.stage = stage;
  x.route = stage.match(x);
  if (x.route === null) return refuseRequest(x, FAULTS.MISSING_AUTHENTICATION_TOKEN, 'looking for a route', stage.faults);
  return runProgram(x.route.program, x);
}

/** Ends a request that no program answers. */
export function refuseRequest(x: Exchange, kind: FaultKind, doing: string, faults: FaultResponder = BUILT_IN_FAULTS): void {
  x.fail(kind, null, doing);
  faults.render(x);
}
