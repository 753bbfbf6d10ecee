/**
 * What steps tell of one request, for whoever wants to know: execution logs, explanations, test runs. An Exchange of which nobody wants
 * to know has none, and a step asks for nothing but that: `x.journal?.note({ ... })` makes the event only when somebody listens.
 *
 * Facts that are on the Exchange anyway (route, status, fault, times, key) are in no event: a reader takes them from there at the end.
 * What an event holds is as it went over the wire: whoever shows or keeps it hides secrets first.
 */
import { Buffer } from 'node:buffer';
import type { Clock } from '@gatehouse/kernel';
import type { UpstreamAnswer, UpstreamFailure, UpstreamRequest } from './connector.js';
import type { Exchange } from './exchange.js';

export type JournalEvent =
  /** As it came, its body when it was at hand or a step read it; before the first step. */
  | {
      readonly type: 'RECEIVED';
      readonly httpMethod: string;
      readonly path: string;
      /** Name, value, name, value, ... */
      readonly pathParameters: readonly string[];
      readonly query: readonly string[];
      readonly headers: readonly string[];
      /** `null`: it streams, or there is none. */
      readonly body: Buffer | null;
    }
  /** It was not at hand when the request was received. */
  | { readonly type: 'BODY_READ'; readonly body: Buffer }
  /** Whom an authorizer is asked about: a secret of the caller's. */
  | { readonly type: 'IDENTIFIED'; readonly authorizerId: string; readonly identity: readonly string[] }
  /** What was decided about the caller. */
  | {
      readonly type: 'AUTHORIZED';
      readonly authorizerId: string;
      /** A decision that was kept, or one that was asked for now. */
      readonly source: 'KEPT' | 'ASKED';
      readonly principalId: string;
      readonly isAllowed: boolean;
      /** Why, in words for the API's owner; empty where there is nothing to say. */
      readonly reason: string;
    }
  | { readonly type: 'KEY_IDENTIFIED'; readonly apiKeyId: string; readonly usagePlanId: string }
  | {
      readonly type: 'TEMPLATE_RENDERED';
      readonly half: 'request' | 'response';
      /** The media type it is registered for, as its owner wrote it. */
      readonly name: string;
      /** The body it saw; `null` when it saw none. */
      readonly input: Buffer | null;
      readonly output: string;
    }
  /** To the backend, or to the function that authorizes. */
  | {
      readonly type: 'CALLED';
      readonly target: CallTarget;
      readonly httpMethod: string;
      readonly url: string;
      readonly headers: readonly string[];
      /** `null`: it streams, or there is none. */
      readonly body: Buffer | null;
    }
  | {
      readonly type: 'ANSWERED';
      readonly target: CallTarget;
      readonly status: number;
      readonly latencyMs: number;
      readonly headers: readonly string[];
      /** `null`: it streams, or there is none. */
      readonly body: Buffer | null;
    }
  /** The backend, or the function that authorizes, gave no answer. */
  | { readonly type: 'CALL_FAILED'; readonly target: CallTarget; readonly failure: string; readonly latencyMs: number }
  /** Anything else that a step decided; `text` for the API's owner. */
  | { readonly type: 'DECIDED'; readonly step: string; readonly text: string };

export type CallTarget = 'backend' | 'authorizer';

export interface JournalEntry {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly event: JournalEvent;
}

/** More events than this a request has not: what a bug would add beyond is left out. */
const ENTRIES_MAX = 64;

export class RequestJournal {
  readonly entries: JournalEntry[] = [];

  constructor(private readonly clock: Clock) {}

  note(event: JournalEvent): void {
    if (this.entries.length < ENTRIES_MAX) this.entries.push({ atMs: this.clock.nowMs(), event });
  }
}

/** Asked once per request, when its stage and route are known and before its first step; `null` when nobody wants a journal of it. */
export type JournalKeeper = (x: Exchange) => RequestJournal | null;

/** The first event of every journal. */
export function noteReceived(journal: RequestJournal, x: Exchange): void {
  journal.note({
    type: 'RECEIVED',
    httpMethod: x.httpMethod,
    path: x.path,
    pathParameters: x.route?.paramNames.flatMap((name, i) => [name, x.params[i] ?? '']) ?? [],
    query: x.query,
    headers: x.requestHeaders,
    body: x.requestBody?.atHand ?? null,
  });
}

/** A request's block stands before its headers, and the connector puts the trace header behind them. */
export function noteCall(journal: RequestJournal, target: CallTarget, request: UpstreamRequest): void {
  const { httpMethod, url, block, headers, body, traceId } = request;
  const sent = [...(block?.fields ?? []), ...headers, 'X-Amzn-Trace-Id', traceId];
  journal.note({ type: 'CALLED', target, httpMethod, url, headers: sent, body: atHand(body) });
}

export function noteOutcome(
  journal: RequestJournal,
  target: CallTarget,
  outcome: UpstreamAnswer | UpstreamFailure,
  latencyMs: number,
): void {
  if ('failure' in outcome) journal.note({ type: 'CALL_FAILED', target, failure: outcome.failure, latencyMs });
  else {
    const { status, headers, body } = outcome;
    journal.note({ type: 'ANSWERED', target, status, latencyMs, headers, body: atHand(body) });
  }
}

const atHand = (body: UpstreamRequest['body']): Buffer | null => (Buffer.isBuffer(body) ? body : null);
