/**
 * The small facts of a finished request, which are all on its Exchange: written into a page with a few stores and one copy of text.
 *
 *   [ lengths and numbers, 68 bytes ][ request id, address, path, URL, method, principal: latin1 ][ fault: UTF-8 JSON ][ detail: UTF-8 JSON ]
 */
import { Buffer } from 'node:buffer';
import type { ExplainedStep, Explanation, ExplanationDetail } from '@gatehouse/contracts';
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

const RECORD_BYTES = 0;
const TEXT_BYTES = 4;
const FAULT_BYTES = 6;
const RECEIVED_AT = 8;
const DELIVERED_BYTES = 16;
const LATENCY = 24;
const INTEGRATION_LATENCY = 28;
const INTEGRATION_START = 32;
const AUTHORIZER_LATENCY = 36;
const REQUEST_BYTES = 40;
const UPSTREAM_BYTES = 44;
const STATUS = 48;
const UPSTREAM_STATUS = 50;
const STEP_INDEX = 52;
const REQUEST_STEPS_RUN = 53;
const AUTHORIZER_SOURCE = 54;
const FLAGS = 55;
/** Numbers of things in the page. */
const PLACE = 56;
const API_KEY = 58;
const USAGE_PLAN = 60;
const FAULT_KIND = 62;
const DETAIL_BYTES = 64;
const HEAD_BYTES = 68;

const IS_REQUEST_HALF = 1;
const IS_CALLER_GONE = 2;

const NONE = 0xffff;
/** Of a path and of a URL, which are kept of every request. */
const TEXT_CHARS_MAX = 512;
const FAULT_TEXT_CHARS_MAX = 512;
/** Of a method and of a principal. */
const NAME_CHARS_MAX = 128;

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
}

export class Facts {
  /** By what was linked, with which it goes. */
  private readonly places = new WeakMap<LinkedRoute | LinkedStage, Place>();

  constructor(private readonly ring: RequestRing) {}

  /** `x.stage` is there; `redaction` is, where there is a fault. `detail` is encoded JSON, or `null`. False: the detail did not fit. */
  write(x: Exchange, latencyMs: number, redaction: Redaction | null, detail: Buffer | null): boolean {
    const place = this.placeOf(x);
    const { upstreamRequest, upstreamAnswer, fault, authorizer } = x;
    let text = `${x.requestId}\n${x.sourceIp}\n${cut(x.path)}`;
    if (upstreamRequest !== null) text += `\n${cut(plainUrl(upstreamRequest.url))}`;
    // A caller's own text is copied, never held: a short piece of a string keeps all of it in memory.
    if (authorizer !== null || x.httpMethod !== place.httpMethod)
      text += `${upstreamRequest === null ? '\n' : ''}\n${name(x.httpMethod)}\n${authorizer === null ? '' : name(authorizer.principalId)}`;
    const faultText = fault === null ? null : Buffer.from(faultTextOf(x, redaction!), 'utf8');
    const faultBytes = faultText === null ? 0 : faultText.length;
    const textEnd = HEAD_BYTES + text.length;
    const detailBytes = detail === null ? 0 : detail.length;
    const endedAtMs = x.receivedAtMs + latencyMs;
    const page = this.ring.reserve(place.shelf, textEnd + faultBytes + detailBytes, endedAtMs);
    if (page === null) return false;
    const start = page.usedBytes;
    const { view, bytes } = page;
    view.setUint32(start + RECORD_BYTES, textEnd + faultBytes + detailBytes);
    view.setUint16(start + TEXT_BYTES, text.length);
    view.setUint16(start + FAULT_BYTES, faultBytes);
    view.setFloat64(start + RECEIVED_AT, x.receivedAtMs);
    view.setFloat64(start + DELIVERED_BYTES, x.deliveredBytes);
    view.setFloat32(start + LATENCY, latencyMs);
    view.setFloat32(start + INTEGRATION_LATENCY, x.integrationLatencyMs);
    view.setFloat32(start + INTEGRATION_START, x.integrationStartedAtMs - x.startedAtMs);
    view.setFloat32(start + AUTHORIZER_LATENCY, x.authorizerLatencyMs);
    view.setFloat32(start + REQUEST_BYTES, x.requestBody === null ? 0 : (x.requestBody.declaredBytes ?? -1));
    view.setFloat32(start + UPSTREAM_BYTES, upstreamBytes(x));
    view.setUint16(start + STATUS, x.status);
    view.setUint16(start + UPSTREAM_STATUS, upstreamAnswer === null ? 0 : upstreamAnswer.status);
    view.setUint8(start + STEP_INDEX, x.stepIndex);
    view.setUint8(start + REQUEST_STEPS_RUN, x.requestStepsRun);
    view.setUint8(start + AUTHORIZER_SOURCE, x.authorizerSource);
    view.setUint8(start + FLAGS, (x.isRequestHalf ? IS_REQUEST_HALF : 0) | (x.isCallerGone ? IS_CALLER_GONE : 0));
    view.setUint16(start + PLACE, page.indexOf(place));
    view.setUint16(start + API_KEY, x.apiKey === null ? NONE : page.indexOf(x.apiKey.apiKeyId));
    view.setUint16(start + USAGE_PLAN, x.usagePlan === null ? NONE : page.indexOf(x.usagePlan.settings.usagePlanId));
    view.setUint16(start + FAULT_KIND, fault === null ? NONE : page.indexOf(fault));
    view.setUint32(start + DETAIL_BYTES, detailBytes);
    bytes.write(text, start + HEAD_BYTES, 'latin1');
    if (faultText !== null) faultText.copy(bytes, start + textEnd);
    if (detail !== null) detail.copy(bytes, start + textEnd + faultBytes);
    page.usedBytes = start + textEnd + faultBytes + detailBytes;
    page.newestAtMs = endedAtMs;
    return true;
  }

  /** Of the tenant's own requests the newest with this id; `null` when it is not kept. */
  find(tenant: string, requestId: string, nowMs: number, keepMs: number): Explanation | null {
    const id = Buffer.from(`${requestId}\n`, 'latin1');
    for (const page of this.ring.pagesOf(tenant, nowMs)) {
      const start = lastRecordOf(page, id);
      if (start !== -1 && page.view.getFloat64(start + RECEIVED_AT) >= nowMs - keepMs) return read(page, start);
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
    };
  }
}

/** What does not fit a byte string in latin1 is a caller's odd byte anyway; nothing is longer than its share. */
const cut = (text: string): string => (text.length <= TEXT_CHARS_MAX ? text : text.slice(0, TEXT_CHARS_MAX));

/** Characters that are no byte are not kept. */
const name = (text: string): string => text.slice(0, NAME_CHARS_MAX).replaceAll(/[^\x20-\xff]/g, '?');

/** Without query and credentials. */
function plainUrl(url: string): string {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  return path.includes('@') ? path.replace(/^([a-z]+:\/\/)[^/]*@/, '$1') : path;
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

function lastRecordOf({ view, bytes, usedBytes }: RingPage, id: Buffer): number {
  let found = -1;
  for (let start = 0; start < usedBytes; start += view.getUint32(start + RECORD_BYTES)) {
    const textStart = start + HEAD_BYTES;
    if (view.getUint16(start + TEXT_BYTES) < id.length) continue;
    if (bytes.compare(id, 0, id.length, textStart, textStart + id.length) === 0) found = start;
  }
  return found;
}

function read(page: RingPage, start: number): Explanation {
  const { view, bytes, things } = page;
  const thing = <T>(offset: number): T | null => {
    const index = view.getUint16(start + offset);
    return index === NONE ? null : (things[index] as T);
  };
  const textEnd = start + HEAD_BYTES + view.getUint16(start + TEXT_BYTES);
  const faultEnd = textEnd + view.getUint16(start + FAULT_BYTES);
  const [requestId = '', sourceIp = '', path = '', url = '', httpMethod = '', principalId = ''] = bytes
    .toString('latin1', start + HEAD_BYTES, textEnd)
    .split('\n');
  const place = thing<Place>(PLACE)!;
  const kind = thing<FaultKind>(FAULT_KIND);
  const [message, doing, cause] =
    kind === null
      ? [null, '', null]
      : (JSON.parse(bytes.toString('utf8', textEnd, faultEnd)) as [string | null, string, string | null]);
  const detailBytes = view.getUint32(start + DETAIL_BYTES);
  const authorizerSource = view.getUint8(start + AUTHORIZER_SOURCE);
  const integrationLatencyMs = view.getFloat32(start + INTEGRATION_LATENCY);
  const upstreamStatus = view.getUint16(start + UPSTREAM_STATUS);
  const flags = view.getUint8(start + FLAGS);
  const fault =
    kind === null
      ? null
      : { name: kind.name, responseType: kind.responseType, source: kind.source, retry: kind.retry, message, doing, cause };
  const progress = {
    isRequestHalf: (flags & IS_REQUEST_HALF) !== 0,
    stepIndex: view.getUint8(start + STEP_INDEX),
    requestStepsRun: view.getUint8(start + REQUEST_STEPS_RUN),
    why: fault === null ? null : `${fault.name}: ${[doing, cause].filter(Boolean).join(': ')}`,
  };
  return {
    requestId,
    receivedAt: new Date(view.getFloat64(start + RECEIVED_AT)).toISOString(),
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
      bodyBytes: orNull(view.getFloat32(start + REQUEST_BYTES)),
    },
    caller: {
      principalId: principalId === '' ? null : principalId,
      authorizer: authorizerSource === AUTHORIZER_KEPT ? 'kept' : authorizerSource === AUTHORIZER_ASKED ? 'asked' : null,
      authorizerLatencyMs: view.getFloat32(start + AUTHORIZER_LATENCY),
      apiKeyId: thing<string>(API_KEY),
      usagePlanId: thing<string>(USAGE_PLAN),
    },
    steps: place.steps === null ? [] : explainSteps(place.steps, progress),
    fault,
    upstream:
      integrationLatencyMs < 0
        ? null
        : {
            url,
            startedAfterMs: hundredths(view.getFloat32(start + INTEGRATION_START)),
            latencyMs: hundredths(integrationLatencyMs),
            status: upstreamStatus === 0 ? null : upstreamStatus,
            bodyBytes: upstreamStatus === 0 ? null : orNull(view.getFloat32(start + UPSTREAM_BYTES)),
          },
    response: {
      status: view.getUint16(start + STATUS),
      latencyMs: hundredths(view.getFloat32(start + LATENCY)),
      bodyBytes: view.getFloat64(start + DELIVERED_BYTES),
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
