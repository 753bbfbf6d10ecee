/**
 * The cache of one route, as three steps and a form of its faults:
 *
 *   look         before the request is mapped: a hit fills in the answer; a miss goes on, or waits for whoever asks the same already
 *   answerKept   first of the response half: a hit is over
 *   keep         last of the response half: what came is kept, and those who wait have it
 *   releasing    a fault: those who wait are not kept waiting
 *
 * A request that missed has a ticket from `look` to `keep`, or to its fault.
 */
import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { RouteCaching } from '@gatehouse/contracts';
import {
  CONTINUE,
  HeaderBlock,
  lastHeader,
  PENDING,
  proceed,
  RESPOND,
  type Exchange,
  type FaultResponder,
  type RequestMetrics,
  type RouteSettings,
  type Step,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { Clock } from '@gatehouse/kernel';
import { compileCacheKey, keyedHeaders, variantKey, type CacheKey } from './cache-key.js';
import { GO_ALONE, LEAD, LOOK_AGAIN, type Flight, type Flights, type Landing } from './flights.js';
import { collectBody } from './collect-body.js';
import type { MemoryResponses } from './memory-responses.js';
import {
  asksForFresh,
  isSuccess,
  maySpread,
  ownBytes,
  STORED_BODY_BYTES_MAX,
  storedBlock,
  variesOn,
  type SharingRules,
} from './storable.js';
import { PASS, RESPONSE, VARIES, type CacheScope, type ResponseStore, type StoredResponse } from './stored-response.js';

/** For whoever asked for a fresh answer and may not. AWS's text is not known (data-plane reference §14): this one is ours. */
export const WARNING = '199 - "Cache-Control: max-age=0 was ignored: not authorized to invalidate the cache"';
/** How long callers do not wait for each other after an answer that cannot be kept. */
const PASS_MS = 10_000;
/** For integrations that call nobody. */
const NO_CALL_MS = 29_000;

/** What the caches of all routes of a process share. */
export interface CacheBindings {
  readonly memory: MemoryResponses;
  /** Of several nodes; `null` without one. Asked once per stampede. */
  readonly shared: ResponseStore | null;
  readonly flights: Flights;
  /** Steady. */
  readonly clock: Clock;
  readonly sharesPrivate: boolean;
}

/** Whether the caller has been granted `execute-api:InvalidateCache` on the method. */
export type MayInvalidate = (x: Exchange) => boolean;

class Ticket {
  flight: Flight | null = null;
  startedAtMs = 0;
  /** What is answered may be kept. */
  stores = true;
  /** The caller is told that it may not invalidate. */
  warns = false;
  /** The shared store was asked. */
  askedShared = false;

  constructor(readonly key: string) {}
}

export class RouteCache {
  private readonly keyOf: CacheKey;
  private readonly rules: SharingRules;
  private readonly ttlMs: number;
  private readonly deadlineMs: number;
  private readonly isAny: boolean;

  /** Throws LinkRefusal. */
  constructor(
    { stage, route }: RouteSettings,
    private readonly caching: RouteCaching,
    private readonly scope: CacheScope,
    private readonly bindings: CacheBindings,
    private readonly metrics: RequestMetrics,
    isApart: boolean,
    private readonly mayInvalidate: MayInvalidate | null,
  ) {
    this.keyOf = compileCacheKey(stage, caching, isApart);
    this.rules = {
      isGuarded: isGuarded(route.authorization),
      sharesPrivate: bindings.sharesPrivate,
      keyed: keyedHeaders(caching.keyParameters),
      // Which form a body has is the Accept header's to say where bodies may be binary, or templates are chosen by it.
      alwaysVariesOn: stage.binaryMediaTypes.length > 0 || choosesTemplates(route.integration) ? ['accept'] : [],
    };
    this.ttlMs = caching.ttlSeconds * 1_000;
    this.deadlineMs = timeoutOf(route.integration);
    this.isAny = route.httpMethod === 'ANY';
  }

  readonly look: Step = (x) => {
    if (this.isAny && x.httpMethod !== 'GET') return CONTINUE;
    let warns = false;
    if (lastHeader(x.requestHeaders, 'cache-control') !== null && asksForFresh(x.requestHeaders)) {
      const { invalidation } = this.caching;
      if (invalidation === 'ANYBODY' || this.mayInvalidate?.(x) === true) return this.refresh(x);
      if (invalidation === 'FAIL_WITH_403') return x.fail(FAULTS.ACCESS_DENIED, null, 'invalidating the cache');
      warns = invalidation === 'SUCCEED_WITH_RESPONSE_HEADER';
    }
    return this.attempt(x, this.keyOf(x), warns);
  };

  /** Behind what every answer waits for. No step before it sets a status. */
  readonly answerKept: Step = (x) => (x.status === 0 ? CONTINUE : RESPOND);

  readonly keep: Step = (x) => {
    const ticket = x.cacheTicket as Ticket | null;
    if (ticket === null) return CONTINUE;
    if (!ticket.stores) return this.finish(x, ticket);
    if (!isSuccess(x.status)) {
      ticket.flight?.fail(false);
      return this.finish(x, ticket);
    }
    const varies = variesOn([...(x.responseBlock?.fields ?? []), ...x.responseHeaders], this.rules);
    const body = x.responseBody;
    const bytes = Buffer.isBuffer(body) ? body.length : body === null ? 0 : x.responseBodyBytes;
    if (varies === null || bytes > STORED_BODY_BYTES_MAX) return this.pass(x, ticket);
    if (body === null || Buffer.isBuffer(body)) {
      this.store(x, ticket, varies, body === null ? null : ownBytes([body], body.length));
      return this.finish(x, ticket);
    }
    return this.collect(x, ticket, varies, body);
  };

  releasing(faults: FaultResponder): FaultResponder {
    return Object.freeze({
      render: (x: Exchange): void => {
        release(x);
        faults.render(x);
      },
      settle: (x: Exchange): void => {
        release(x);
        faults.settle?.(x);
      },
    });
  }

  private attempt(x: Exchange, primaryKey: string, warns: boolean): Verdict | typeof PENDING {
    const { memory, clock } = this.bindings;
    const nowMs = clock.nowMs();
    let key = primaryKey;
    let found = memory.find(this.scope, key, nowMs);
    if (found !== null && found.kind === VARIES) {
      key = variantKey(key, found.variesOn, x.requestHeaders);
      found = memory.find(this.scope, key, nowMs);
    }
    if (found !== null && found.kind === RESPONSE) return this.answer(x, found, warns);
    return this.miss(x, primaryKey, key, nowMs, found !== null, warns);
  }

  private answer(x: Exchange, found: StoredResponse, warns: boolean): Verdict {
    this.metrics.recordCache?.(true, x.receivedAtMs);
    x.cacheTicket = null;
    x.status = found.status;
    x.responseBlock = found.block;
    x.responseBody = found.body;
    x.responseBodyBytes = found.bodyBytes;
    if (found.isTraced) x.responseHeaders = ['X-Amzn-Trace-Id', x.traceId];
    if (warns) x.responseHeaders = [...x.responseHeaders, 'Warning', WARNING];
    return RESPOND;
  }

  /** `key` is that of the flight: of a variant where answers are known to vary. */
  private miss(
    x: Exchange,
    primaryKey: string,
    key: string,
    nowMs: number,
    passes: boolean,
    warns: boolean,
  ): Verdict | typeof PENDING {
    const ticket = new Ticket(primaryKey);
    ticket.warns = warns;
    ticket.startedAtMs = nowMs;
    ticket.stores = maySpread(x, this.rules);
    x.cacheTicket = ticket;
    if (passes || !ticket.stores) return this.goOn(x);
    const flight = this.bindings.flights.get(key);
    if (flight === undefined) return this.lead(x, ticket, this.bindings.flights.open(key, this.deadlineMs));
    return flight.wait(x, this.wake, this.left) ? PENDING : this.goOn(x);
  }

  private lead(x: Exchange, ticket: Ticket, flight: Flight): Verdict | typeof PENDING {
    ticket.flight = flight;
    const { shared, clock } = this.bindings;
    if (shared === null || ticket.askedShared) return this.goOn(x);
    ticket.askedShared = true;
    void Promise.resolve(shared.find(this.scope, flight.key, clock.nowMs())).then((found) =>
      this.later(x, () => this.fromShared(x, ticket, flight, found)),
    );
    return PENDING;
  }

  /** What another node keeps is kept here, too, and serves all who wait. */
  private fromShared(x: Exchange, ticket: Ticket, flight: Flight, found: StoredResponse | null): Verdict | typeof PENDING {
    if (found === null || found.kind === PASS) return this.goOn(x);
    this.bindings.memory.keep(this.scope, flight.key, found, this.bindings.clock.nowMs());
    if (found.kind === RESPONSE) {
      flight.land(found);
      return this.answer(x, found, ticket.warns);
    }
    flight.land(LOOK_AGAIN);
    return this.attempt(x, ticket.key, ticket.warns);
  }

  private goOn(x: Exchange): Verdict {
    this.metrics.recordCache?.(false, x.receivedAtMs);
    return CONTINUE;
  }

  /** Asks the backend, whatever is kept, and is not waited for: others have what is kept meanwhile. */
  private refresh(x: Exchange): Verdict {
    const ticket = new Ticket(this.keyOf(x));
    ticket.startedAtMs = this.bindings.clock.nowMs();
    ticket.stores = maySpread(x, this.rules);
    x.cacheTicket = ticket;
    return this.goOn(x);
  }

  private readonly wake = (x: Exchange, landing: Landing, flight: Flight): void => {
    const ticket = x.cacheTicket as Ticket;
    this.later(x, () => {
      ticket.startedAtMs = this.bindings.clock.nowMs();
      switch (landing) {
        case LOOK_AGAIN:
          return this.attempt(x, ticket.key, ticket.warns);
        case GO_ALONE:
          return this.goOn(x);
        case LEAD:
          return this.lead(x, ticket, flight);
        default:
          return this.answer(x, landing, ticket.warns);
      }
    });
  };

  private readonly left = (x: Exchange): void => {
    proceed(x, x.fail(FAULTS.CALLER_LEFT, null, 'waiting for the answer to an equal request'));
  };

  /** A step that waited goes on; what it throws is a bug of this request alone. */
  private later(x: Exchange, goOn: () => Verdict | typeof PENDING): void {
    let verdict: Verdict | typeof PENDING;
    try {
      verdict = goOn();
    } catch (bug) {
      verdict = x.fail(FAULTS.BUG, bug, 'looking into the cache');
    }
    if (verdict !== PENDING) proceed(x, verdict);
  }

  private async collect(x: Exchange, ticket: Ticket, varies: readonly string[], body: Readable): Promise<Verdict> {
    const collected = await collectBody(body, STORED_BODY_BYTES_MAX);
    if (collected === 'TOO_LARGE') return this.pass(x, ticket);
    const isWhole = !('failure' in collected) && (x.responseBodyBytes < 0 || collected.bytes === x.responseBodyBytes);
    if (!isWhole) {
      if (x.isCallerGone) return x.fail(FAULTS.CALLER_LEFT, null, "reading the backend's body");
      return x.fail(FAULTS.INTEGRATION_FAILURE, 'failure' in collected ? collected.failure : null, "reading the backend's body");
    }
    x.responseBody = ownBytes(collected.chunks, collected.bytes);
    this.store(x, ticket, varies, x.responseBody);
    return this.finish(x, ticket);
  }

  private store(x: Exchange, ticket: Ticket, varies: readonly string[], body: Buffer | null): void {
    const { memory, shared, clock } = this.bindings;
    const nowMs = clock.nowMs();
    const { block, isTraced } = storedBlock(x);
    const response: StoredResponse = {
      kind: RESPONSE,
      status: x.status,
      block,
      body,
      bodyBytes: x.httpMethod === 'HEAD' ? x.responseBodyBytes : -1,
      isTraced,
      variesOn: [],
      startedAtMs: ticket.startedAtMs,
      expiresAtMs: nowMs + this.ttlMs,
    };
    if (varies.length === 0) {
      memory.keep(this.scope, ticket.key, response, nowMs);
      void shared?.keep(this.scope, ticket.key, response, nowMs);
      ticket.flight?.land(response);
      return;
    }
    const marker: StoredResponse = { ...response, kind: VARIES, block: NO_FIELDS, body: null, variesOn: varies };
    const key = variantKey(ticket.key, varies, x.requestHeaders);
    const isKept = memory.keep(this.scope, ticket.key, marker, nowMs) && memory.keep(this.scope, key, response, nowMs);
    void shared?.keep(this.scope, ticket.key, marker, nowMs);
    void shared?.keep(this.scope, key, response, nowMs);
    if (isKept) ticket.flight?.land(LOOK_AGAIN);
    else ticket.flight?.fail(false);
  }

  /** A good answer that must not be kept: those who wait would wait in vain, and so would the next ones. */
  private pass(x: Exchange, ticket: Ticket): Verdict {
    const nowMs = this.bindings.clock.nowMs();
    const marker: StoredResponse = {
      kind: PASS,
      status: 0,
      block: NO_FIELDS,
      body: null,
      bodyBytes: -1,
      isTraced: false,
      variesOn: [],
      startedAtMs: ticket.startedAtMs,
      expiresAtMs: nowMs + Math.min(PASS_MS, this.ttlMs),
    };
    this.bindings.memory.keep(this.scope, ticket.key, marker, nowMs);
    ticket.flight?.fail(false);
    return this.finish(x, ticket);
  }

  private finish(x: Exchange, { warns }: Ticket): Verdict {
    if (warns) x.responseHeaders = [...x.responseHeaders, 'Warning', WARNING];
    x.cacheTicket = null;
    return CONTINUE;
  }
}

const NO_FIELDS = new HeaderBlock([]);

function release(x: Exchange): void {
  const ticket = x.cacheTicket as Ticket | null;
  if (ticket === null) return;
  x.cacheTicket = null;
  ticket.flight?.fail(x.isCallerGone);
}

/** The gateway itself says who may call: what stands around that (validation, resource policies, endpoints) looks at no credentials. */
function isGuarded(authorization: RouteSettings['route']['authorization']): boolean {
  return 'authorization' in authorization ? isGuarded(authorization.authorization) : authorization.type !== 'NONE';
}

function timeoutOf(integration: RouteSettings['route']['integration']): number {
  if ('integration' in integration) return timeoutOf(integration.integration);
  return 'timeoutMs' in integration ? integration.timeoutMs : NO_CALL_MS;
}

function choosesTemplates(integration: RouteSettings['route']['integration']): boolean {
  if ('integration' in integration) return choosesTemplates(integration.integration);
  if (!('responses' in integration)) return false;
  return integration.responses.some(({ responseTemplates }) => Object.keys(responseTemplates).length > 1);
}
