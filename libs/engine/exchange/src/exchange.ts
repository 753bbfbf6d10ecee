/**
 * One request and its response in flight. All fields exist from the start, in this order and with these kinds, so that every
 * step sees one shape; `reset` makes an Exchange as good as new, and the pool hands it out again.
 *
 * Who writes what: the listener fills the request part, steps fill the rest, `fail` the fault, the listener what was delivered.
 */
import type { ApiKeyEntry } from '@gatehouse/contracts';
import type { Readable } from 'node:stream';
import type { RequestBody, ResponseBody } from './body.js';
import type { CallerPresence, UpstreamAnswer, UpstreamRequest } from './connector.js';
import type { FaultKind } from './fault.js';
import type { HeaderBlock } from './header-block.js';
import type { RequestJournal } from './journal.js';
import type { RawHeaders } from './headers.js';
import type { Program } from './program.js';
import { parseQuery } from './query.js';
import type { RequestTrace } from './trace.js';
import { FAULT, type Verdict } from './verdict.js';
import type { AccessKeyView, LinkedRoute, LinkedStage, UsagePlanView, VpcEndpointView, WorldView } from './views.js';

/** Nobody was asked who calls. */
export const AUTHORIZER_NONE = 0;
/** An earlier decision was used. */
export const AUTHORIZER_KEPT = 1;
/** The authorizer was asked for this request. */
export const AUTHORIZER_ASKED = 2;

/** Nobody may add to it. */
const NO_HEADERS = Object.freeze([]) as unknown as RawHeaders;

/** `$context.responseOverride` of a template (data-plane reference §5.4). */
export interface ResponseOverrides {
  readonly responseHeaders: ReadonlyMap<string, string> | null;
  readonly responseStatus: number | null;
}

/** What an authorizer said of whoever it knows. Shared by the requests it holds for. */
export interface AuthorizedCaller {
  readonly principalId: string;
  /** For the backend. */
  readonly context: ReadonlyMap<string, string | number | boolean>;
  /** The key that the caller is counted for, where the API takes keys from its authorizers. */
  readonly usageIdentifierKey: string | null;
  /** Of a token; `null` of an authorizer that is a function. */
  readonly claims: Readonly<Record<string, string>> | null;
}

export class Exchange implements CallerPresence {
  // The request as it came.
  requestId = '';
  extendedRequestId = '';
  /** Both, as lines of an answer's head with their ends; empty where they still have to be written: the caller chose one. */
  idLines = '';
  /** Milliseconds since the Unix epoch. */
  receivedAtMs = 0;
  /** `performance.now()` at the request's head. */
  startedAtMs = 0;
  httpMethod = '';
  protocol = 'HTTP/1.1';
  /** Host header, lower case, without port. */
  host = '';
  /** Raw path with its stage, or on a custom domain name as the caller sent it: `$context.path`. */
  path = '';
  /** Raw path below the stage, at least `/`. */
  resourcePath = '';
  /** Of the mapping of a custom domain name that led here, without slashes around it; `null` on any other host. */
  basePath: string | null = null;
  /** Without the question mark. */
  rawQuery = '';
  sourceIp = '';
  userAgent = '';
  forwardedPort = '';
  forwardedProto = '';
  /** Without the fields that never leave the parser (data-plane reference §3.6.1). */
  requestHeaders: readonly string[] = NO_HEADERS;
  /** The same headers, from a listener that knows when they come again. */
  requestBlock: HeaderBlock | null = null;
  /** Completed trace header. */
  traceId = '';
  /** `null` unless this node traces. */
  trace: RequestTrace | null = null;
  /** `null` unless somebody wants to know what the steps do. */
  journal: RequestJournal | null = null;
  requestBody: RequestBody | null = null;
  /** The caller said `TE: trailers`. */
  takesTrailers = false;
  /** Bytes the body may have; counted while it streams. */
  bodyLimitBytes = Number.POSITIVE_INFINITY;
  /** Set by `read-body`; empty for no body. */
  bufferedBody: Buffer | null = null;

  // Where it belongs. The World is read once, when the request is accepted.
  world: WorldView | null = null;
  stage: LinkedStage | null = null;
  route: LinkedRoute | null = null;
  /** Raw values of the route's path parameters. */
  readonly params: string[] = [];

  // Where its program stands; the runner's (`program.ts`).
  program: Program | null = null;
  stepIndex = 0;
  isRequestHalf = true;
  /** How many steps of the request half ran, once it is over. */
  requestStepsRun = 0;
  /** What follows a program that was not over at once. */
  onOver: (() => void) | null = null;

  // Who calls.
  /** Set before its policy is judged: gateway responses may speak of it. */
  authorizer: AuthorizedCaller | null = null;
  /** Where the decision came from: one of the numbers below. */
  authorizerSource: number = AUTHORIZER_NONE;
  /** Of the call of the authorizer; 0 for a decision that was kept. */
  authorizerLatencyMs = 0;
  /** Of a request to a private API. */
  vpcEndpoint: VpcEndpointView | null = null;
  /** The key that the request is signed with, once the signature holds. */
  accessKey: AccessKeyView | null = null;
  apiKey: ApiKeyEntry | null = null;
  /** The key itself: for `$context.identity.apiKey`, never for a log. */
  apiKeyValue: string | null = null;
  usagePlan: UsagePlanView | null = null;
  /** When the request was counted for its key and plan: the clock reading that chose the UTC day; -1 when it was not counted. */
  countedAtMs = -1;

  /** Of a request that missed the cache, until its answer is kept: engine/response-cache's own. */
  cacheTicket: object | null = null;

  // The backend call.
  upstreamRequest: UpstreamRequest | null = null;
  upstreamAnswer: UpstreamAnswer | null = null;
  /** On the clock of `performance.now()`. */
  integrationStartedAtMs = 0;
  /** Milliseconds to the head of the answer; -1 when no backend was called. */
  integrationLatencyMs = -1;
  /** Index of the chosen integration response; -1 for none. */
  integrationResponseIndex = -1;
  /** What the request template said of the response; null when it said nothing. */
  responseOverrides: ResponseOverrides | null = null;

  // The response.
  status = 0;
  responseHeaders: RawHeaders = NO_HEADERS;
  /** Headers that go out before `responseHeaders`. */
  responseBlock: HeaderBlock | null = null;
  responseBody: ResponseBody = null;
  /** Length of a streamed body, or of the one a HEAD request is told about; -1 when only the end tells. */
  responseBodyBytes = -1;

  /** Milliseconds after which a refused request may succeed; -1 for unknown. Goes out as Retry-After. */
  retryAfterMs = -1;
  /** What the caller is told of its limits: whole lines of a head, with their ends, fit for the wire. Empty for nothing. */
  limitLines = '';

  // The fault, if any.
  fault: FaultKind | null = null;
  faultMessage: string | null = null;
  faultCause: unknown = null;
  faultDoing = '';

  // What happened on the wire.
  deliveredBytes = 0;
  isCallerGone = false;
  onCallerLeft: (() => void) | null = null;

  private parsedQuery: readonly string[] | null = null;
  private abortController: AbortController | null = null;

  /** Records a failure; what comes back is the verdict to return. The first fault stays: later ones follow from it. */
  fail(kind: FaultKind, cause: unknown = null, doing = '', message: string | null = kind.message): Verdict {
    if (this.fault === null) {
      this.fault = kind;
      this.faultMessage = message;
      this.faultCause = cause;
      this.faultDoing = doing;
    }
    return FAULT;
  }

  /** Decoded name, value, name, value, ... in order. */
  get query(): readonly string[] {
    return (this.parsedQuery ??= parseQuery(this.rawQuery));
  }

  /** The body on its way to an upstream, to be called once; a stream fails with BodyTooLarge beyond the limit. */
  openBody(): Buffer | Readable | null {
    const { requestBody } = this;
    return requestBody === null ? null : (requestBody.atHand ?? requestBody.open(this.bodyLimitBytes));
  }

  /** Raised when the caller leaves. */
  get signal(): AbortSignal {
    if (this.abortController === null) {
      this.abortController = new AbortController();
      if (this.isCallerGone) this.abortController.abort();
    }
    return this.abortController.signal;
  }

  callerLeft(): void {
    if (this.isCallerGone) return;
    this.isCallerGone = true;
    this.onCallerLeft?.();
    this.abortController?.abort();
  }

  reset(): void {
    this.requestId = '';
    this.extendedRequestId = '';
    this.idLines = '';
    this.receivedAtMs = 0;
    this.startedAtMs = 0;
    this.httpMethod = '';
    this.protocol = 'HTTP/1.1';
    this.host = '';
    this.path = '';
    this.resourcePath = '';
    this.basePath = null;
    this.rawQuery = '';
    this.sourceIp = '';
    this.userAgent = '';
    this.forwardedPort = '';
    this.forwardedProto = '';
    this.requestHeaders = NO_HEADERS;
    this.requestBlock = null;
    this.traceId = '';
    this.trace = null;
    this.journal = null;
    this.requestBody = null;
    this.takesTrailers = false;
    this.bodyLimitBytes = Number.POSITIVE_INFINITY;
    this.bufferedBody = null;
    this.world = null;
    this.stage = null;
    this.route = null;
    this.params.length = 0;
    this.program = null;
    this.stepIndex = 0;
    this.isRequestHalf = true;
    this.requestStepsRun = 0;
    this.onOver = null;
    this.authorizer = null;
    this.authorizerSource = AUTHORIZER_NONE;
    this.authorizerLatencyMs = 0;
    this.vpcEndpoint = null;
    this.accessKey = null;
    this.apiKey = null;
    this.apiKeyValue = null;
    this.usagePlan = null;
    this.countedAtMs = -1;
    this.cacheTicket = null;
    this.upstreamRequest = null;
    this.upstreamAnswer = null;
    this.integrationStartedAtMs = 0;
    this.integrationLatencyMs = -1;
    this.integrationResponseIndex = -1;
    this.responseOverrides = null;
    this.status = 0;
    this.responseHeaders = NO_HEADERS;
    this.responseBlock = null;
    this.responseBody = null;
    this.responseBodyBytes = -1;
    this.retryAfterMs = -1;
    this.limitLines = '';
    this.fault = null;
    this.faultMessage = null;
    this.faultCause = null;
    this.faultDoing = '';
    this.deliveredBytes = 0;
    this.isCallerGone = false;
    this.onCallerLeft = null;
    this.parsedQuery = null;
    this.abortController = null;
  }
}

/** Beyond this many idle ones, an Exchange is left to the garbage collector. */
const IDLE_MAX = 1024;

/** Whoever acquires an Exchange releases it once, after its last use. */
export class ExchangePool {
  private readonly idle: Exchange[] = [];

  acquire(): Exchange {
    return this.idle.pop() ?? new Exchange();
  }

  release(x: Exchange): void {
    x.reset();
    if (this.idle.length < IDLE_MAX) this.idle.push(x);
  }
}
