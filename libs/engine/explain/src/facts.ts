/**
 * The small facts of a finished request, which are all on its Exchange: its numbers are written into the head of a record, and its text
 * into a page behind that of the requests before it.
 *
 *   head, 64 bytes   numbers, lengths, and numbers of long-lived things (route, key, plan, fault)
 *   text             request id, address, path, URL, method, principal: latin1; fault: UTF-8 JSON; detail: UTF-8 JSON
 *
 * Text of some requests is put together first and written as one: a write for each costs more than all numbers (explain.bench.ts).
 */
import { Buffer } from 'node:buffer';
import type { ExplainedStep, Explanation, ExplanationDetail, IntegrationSnapshot } from '@gatehouse/contracts';
import {
  AUTHORIZER_ASKED,
  AUTHORIZER_KEPT,
  type Exchange,
  type FaultKind,
  type LinkedRoute,
  type LinkedStage,
  type StepNames,
} from '@gatehouse/engine-exchange';
import type { Redaction } from '@gatehouse/kernel';
import type { RequestRing, RingPage, RingShelf } from './request-ring.js';

// Of numbers in a head, in units of their size.
// 8 bytes
const RECEIVED_AT = 0;
const DELIVERED_BYTES = 1;
// 4 bytes
const LATENCY = 4;
const INTEGRATION_LATENCY = 5;
const INTEGRATION_START = 6;
const AUTHORIZER_LATENCY = 7;
const REQUEST_BYTES = 8;
const UPSTREAM_BYTES = 9;
// 2 bytes
const TEXT_AT = 20;
const TEXT_BYTES = 21;
const FAULT_BYTES = 22;
const DETAIL_BYTES = 23;
const STATUS = 24;
const UPSTREAM_STATUS = 25;
// 2 bytes: numbers of things in the page
const PLACE = 26;
const API_KEY = 27;
const USAGE_PLAN = 28;
const FAULT_KIND = 29;
// 1 byte
const STEP_INDEX = 60;
const REQUEST_STEPS_RUN = 61;
const AUTHORIZER_SOURCE = 62;
const FLAGS = 63;

const IS_REQUEST_HALF = 1;
const IS_CALLER_GONE = 2;
/** The backend's URL is the one of the route, as it was published. */
const IS_OWN_URL = 4;

const NONE = 0xffff;
/** Of a path and of a URL, which are kept of every request. */
const TEXT_CHARS_MAX = 512;
const FAULT_TEXT_CHARS_MAX = 512;
/** Of a method and of a principal. */
const NAME_CHARS_MAX = 128;
/** Requests whose text waits to be written, of all tenants: so many of their callers' heads are in memory a little longer. */
const WAITING_MAX = 32;

/** Where requests of one route, or of a stage without a route, belong. Holds no snapshot: those of yesterday's deployments may go. */
export interface Place {
  shelf: RingShelf;
  readonly tenant: string;
  readonly apiId: string;
  readonly stage: string;
  readonly deploymentId: string;
  readonly resource: string | null;
  readonly httpMethod: string | null;
  readonly steps: StepNames | null;
  /** The backend's, where no part of it is the caller's; `null`: there is none. */
  readonly url: string | null;
}

export class Facts {
  /** By what was linked, with which it goes. */
  private readonly places = new WeakMap<LinkedRoute | LinkedStage, Place>();
  /** Pages with text that waits; one may be in it twice. */
  private readonly unwritten: RingPage[] = [];
  private waitingCount = 0;

  constructor(private readonly ring: RequestRing) {}

  /** `x.stage` is there; `redaction` is, where there is a fault. `detail` is encoded JSON, or `null`. False: the detail did not fit. */
  write(x: Exchange, latencyMs: number, redaction: Redaction | null, detail: Buffer | null): boolean {
    const place = this.placeOf(x);
    const { upstreamRequest, upstreamAnswer, fault, authorizer, apiKey, usagePlan } = x;
    const isOwnUrl = upstreamRequest !== null && upstreamRequest.url === place.url;
    const hasNames = authorizer !== null || x.httpMethod !== place.httpMethod;
    // A caller's own text is copied soon, never held: a short piece of a string keeps all of it in memory.
    let text = `${x.requestId}\n${x.sourceIp}\n${cut(x.path)}`;
    if (upstreamRequest !== null && !isOwnUrl) text += `\n${cut(plainUrl(upstreamRequest.url))}`;
    else if (hasNames) text += '\n';
    if (hasNames) text += `\n${name(x.httpMethod)}\n${authorizer === null ? '' : name(authorizer.principalId)}`;
    const faultText = fault === null ? null : Buffer.from(faultTextOf(x, redaction!), 'utf8');
    const faultBytes = faultText === null ? 0 : faultText.length;
    const detailBytes = detail === null ? 0 : detail.length;
    const endedAtMs = x.receivedAtMs + latencyMs;
    const page = this.ring.reserve(place.shelf, text.length + faultBytes + detailBytes, endedAtMs);
    if (page === null) return false;
    const { float64, float32, uint16, bytes } = page;
    const at1 = page.headAt(page.headCount);
    const at2 = at1 >> 1;
    const at4 = at1 >> 2;
    const at8 = at1 >> 3;
    float64[at8 + RECEIVED_AT] = x.receivedAtMs;
    float64[at8 + DELIVERED_BYTES] = x.deliveredBytes;
    float32[at4 + LATENCY] = latencyMs;
    float32[at4 + INTEGRATION_LATENCY] = x.integrationLatencyMs;
    float32[at4 + INTEGRATION_START] = x.integrationStartedAtMs - x.startedAtMs;
    float32[at4 + AUTHORIZER_LATENCY] = x.authorizerLatencyMs;
    float32[at4 + REQUEST_BYTES] = x.requestBody === null ? 0 : (x.requestBody.declaredBytes ?? -1);
    float32[at4 + UPSTREAM_BYTES] = upstreamBytes(x);
    uint16[at2 + TEXT_AT] = page.usedBytes;
    uint16[at2 + TEXT_BYTES] = text.length;
    uint16[at2 + FAULT_BYTES] = faultBytes;
    uint16[at2 + DETAIL_BYTES] = detailBytes;
    uint16[at2 + STATUS] = x.status;
    uint16[at2 + UPSTREAM_STATUS] = upstreamAnswer === null ? 0 : upstreamAnswer.status;
    uint16[at2 + PLACE] = page.indexOf(place);
    uint16[at2 + API_KEY] = apiKey === null ? NONE : page.indexOf(apiKey.apiKeyId);
    uint16[at2 + USAGE_PLAN] = usagePlan === null ? NONE : page.indexOf(usagePlan.settings.usagePlanId);
    uint16[at2 + FAULT_KIND] = fault === null ? NONE : page.indexOf(fault);
    bytes[at1 + STEP_INDEX] = x.stepIndex;
    bytes[at1 + REQUEST_STEPS_RUN] = x.requestStepsRun;
    bytes[at1 + AUTHORIZER_SOURCE] = x.authorizerSource;
    bytes[at1 + FLAGS] =
      (x.isRequestHalf ? IS_REQUEST_HALF : 0) | (x.isCallerGone ? IS_CALLER_GONE : 0) | (isOwnUrl ? IS_OWN_URL : 0);
    page.headCount++;
    page.newestAtMs = endedAtMs;
    this.putText(page, text);
    if (faultText !== null) putBytes(page, faultText);
    if (detail !== null) putBytes(page, detail);
    return true;
  }

  private putText(page: RingPage, text: string): void {
    if (page.waiting === '') this.unwritten.push(page);
    page.waiting += text;
    page.usedBytes += text.length;
    if (++this.waitingCount >= WAITING_MAX) this.writeWaiting();
  }

  private writeWaiting(): void {
    for (const page of this.unwritten) page.writeWaiting();
    this.unwritten.length = 0;
    this.waitingCount = 0;
  }

  /** Of the tenant's own requests the newest with this id; `null` when it is not kept. */
  find(tenant: string, requestId: string, nowMs: number, keepMs: number): Explanation | null {
    this.writeWaiting();
    const id = Buffer.from(`${requestId}\n`, 'latin1');
    for (const page of this.ring.pagesOf(tenant, nowMs)) {
      const head = newestHeadOf(page, id);
      if (head !== -1 && page.float64[(head >> 3) + RECEIVED_AT]! >= nowMs - keepMs) return read(page, head);
    }
    return null;
  }

  private placeOf(x: Exchange): Place {
    const linked = x.route ?? x.stage!;
    let place = this.places.get(linked);
    if (place === undefined) this.places.set(linked, (place = this.newPlace(x)));
    else if (place.shelf.isForgotten) place.shelf = this.ring.shelfOf(place.tenant);
    return place;
  }

  private newPlace({ route, stage }: Exchange): Place {
    const { tenant, apiId, stage: stageName, deploymentId } = stage!.snapshot;
    return {
      shelf: this.ring.shelfOf(tenant),
      tenant,
      apiId,
      stage: stageName,
      deploymentId,
      resource: route?.settings.path ?? null,
      httpMethod: route?.settings.httpMethod ?? null,
      steps: route?.program.stepNames ?? null,
      url: route === null ? null : urlOf(route.settings.integration),
    };
  }
}

/** What does not fit a byte string in latin1 is a caller's odd byte anyway; nothing is longer than its share. */
const cut = (text: string): string => (text.length <= TEXT_CHARS_MAX ? text : text.slice(0, TEXT_CHARS_MAX));

/** Characters that are no byte are not kept. */
function name(text: string): string {
  const short = text.length <= NAME_CHARS_MAX ? text : text.slice(0, NAME_CHARS_MAX);
  return NO_BYTES.test(short) ? short.replaceAll(/[^\x20-\xff]/g, '?') : short;
}

const NO_BYTES = /[^\x20-\xff]/;

/** Without query and credentials. */
function plainUrl(url: string): string {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  return path.includes('@') ? path.replace(/^([a-z]+:\/\/)[^/]*@/, '$1') : path;
}

/** `null` where the caller has a say in it. */
function urlOf(integration: IntegrationSnapshot): string | null {
  if ('integration' in integration) return urlOf(integration.integration);
  return 'uri' in integration && !integration.uri.includes('{') ? integration.uri : null;
}

function upstreamBytes({ upstreamAnswer, responseBodyBytes }: Exchange): number {
  if (upstreamAnswer === null || upstreamAnswer.body === null) return 0;
  return Buffer.isBuffer(upstreamAnswer.body) ? upstreamAnswer.body.length : responseBodyBytes;
}

function faultTextOf({ faultMessage, faultDoing, faultCause }: Exchange, redaction: Redaction): string {
  const cause = faultCause === null || faultCause === undefined ? null : causeText(faultCause);
  const short = (text: string | null) => (text === null ? null : redaction.text(text).slice(0, FAULT_TEXT_CHARS_MAX));
  return JSON.stringify([short(faultMessage), short(faultDoing), short(cause)]);
}

const causeText = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

function putBytes(page: RingPage, bytes: Buffer): void {
  page.writeWaiting();
  page.usedBytes += bytes.copy(page.bytes, page.usedBytes);
}

function newestHeadOf(page: RingPage, id: Buffer): number {
  const { bytes, uint16 } = page;
  for (let i = page.headCount - 1; i >= 0; i--) {
    const head = page.headAt(i);
    const textAt = uint16[(head >> 1) + TEXT_AT]!;
    if (uint16[(head >> 1) + TEXT_BYTES]! < id.length) continue;
    if (bytes.compare(id, 0, id.length, textAt, textAt + id.length) === 0) return head;
  }
  return -1;
}

function read(page: RingPage, head: number): Explanation {
  const { bytes, things } = page;
  const count = (offset: number): number => page.uint16[(head >> 1) + offset]!;
  const single = (offset: number): number => page.float32[(head >> 2) + offset]!;
  const double = (offset: number): number => page.float64[(head >> 3) + offset]!;
  const small = (offset: number): number => bytes[head + offset]!;
  const thing = <T>(offset: number): T | null => (count(offset) === NONE ? null : (things[count(offset)] as T));
  const textAt = count(TEXT_AT);
  const textEnd = textAt + count(TEXT_BYTES);
  const faultEnd = textEnd + count(FAULT_BYTES);
  const [requestId = '', sourceIp = '', path = '', url = '', httpMethod = '', principalId = ''] = bytes
    .toString('latin1', textAt, textEnd)
    .split('\n');
  const place = thing<Place>(PLACE)!;
  const kind = thing<FaultKind>(FAULT_KIND);
  const [message, doing, cause] =
    kind === null
      ? [null, '', null]
      : (JSON.parse(bytes.toString('utf8', textEnd, faultEnd)) as [string | null, string, string | null]);
  const detailBytes = count(DETAIL_BYTES);
  const authorizerSource = small(AUTHORIZER_SOURCE);
  const integrationLatencyMs = single(INTEGRATION_LATENCY);
  const upstreamStatus = count(UPSTREAM_STATUS);
  const flags = small(FLAGS);
  const fault =
    kind === null
      ? null
      : { name: kind.name, responseType: kind.responseType, source: kind.source, retry: kind.retry, message, doing, cause };
  const progress = {
    isRequestHalf: (flags & IS_REQUEST_HALF) !== 0,
    stepIndex: small(STEP_INDEX),
    requestStepsRun: small(REQUEST_STEPS_RUN),
    why: fault === null ? null : `${fault.name}: ${[doing, cause].filter(Boolean).join(': ')}`,
  };
  return {
    requestId,
    receivedAt: new Date(double(RECEIVED_AT)).toISOString(),
    route: {
      apiId: place.apiId,
      stage: place.stage,
      deploymentId: place.deploymentId,
      resource: place.resource,
      httpMethod: place.httpMethod,
    },
    request: {
      httpMethod: httpMethod === '' ? place.httpMethod : httpMethod,
      path,
      sourceIp,
      bodyBytes: orNull(single(REQUEST_BYTES)),
    },
    caller: {
      principalId: principalId === '' ? null : principalId,
      authorizer: authorizerSource === AUTHORIZER_KEPT ? 'kept' : authorizerSource === AUTHORIZER_ASKED ? 'asked' : null,
      authorizerLatencyMs: single(AUTHORIZER_LATENCY),
      apiKeyId: thing<string>(API_KEY),
      usagePlanId: thing<string>(USAGE_PLAN),
    },
    steps: place.steps === null ? [] : explainSteps(place.steps, progress),
    fault,
    upstream:
      integrationLatencyMs < 0
        ? null
        : {
            url: (flags & IS_OWN_URL) === 0 ? url : plainUrl(place.url!),
            startedAfterMs: hundredths(single(INTEGRATION_START)),
            latencyMs: hundredths(integrationLatencyMs),
            status: upstreamStatus === 0 ? null : upstreamStatus,
            bodyBytes: upstreamStatus === 0 ? null : orNull(single(UPSTREAM_BYTES)),
          },
    response: {
      status: count(STATUS),
      latencyMs: hundredths(single(LATENCY)),
      bodyBytes: double(DELIVERED_BYTES),
      callerLeft: (flags & IS_CALLER_GONE) !== 0,
    },
    detail:
      detailBytes === 0 ? null : (JSON.parse(bytes.toString('utf8', faultEnd, faultEnd + detailBytes)) as ExplanationDetail),
  };
}

const hundredths = (ms: number): number => Math.round(ms * 100) / 100;
const orNull = (bytes: number): number | null => (bytes < 0 ? null : bytes);

interface Progress {
  readonly isRequestHalf: boolean;
  readonly stepIndex: number;
  readonly requestStepsRun: number;
  /** `null`: no fault. */
  readonly why: string | null;
}

/** The verdicts follow from where the program stopped: no step was asked to write one down. */
export function explainSteps(names: StepNames, { isRequestHalf, stepIndex, requestStepsRun, why }: Progress): ExplainedStep[] {
  const half = (name: 'request' | 'response', list: readonly string[], ran: number, hasFault: boolean): ExplainedStep[] =>
    list.map((step, i) => {
      if (i >= ran) return { half: name, name: step, verdict: 'not run', why: '' };
      if (hasFault && i === ran - 1) return { half: name, name: step, verdict: 'failed', why: why! };
      const isLastOfAnswered = name === 'request' && !isRequestHalf && i === ran - 1 && ran < list.length;
      return { half: name, name: step, verdict: isLastOfAnswered ? 'responded' : 'continued', why: '' };
    });
  return [
    ...half('request', names.request, isRequestHalf ? stepIndex : requestStepsRun, isRequestHalf && why !== null),
    ...half('response', names.response, isRequestHalf ? 0 : stepIndex, !isRequestHalf && why !== null),
  ];
}
