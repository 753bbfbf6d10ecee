import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import type { CallerPresence, FailureReason, UpstreamAnswer, UpstreamFailure, UpstreamRequest } from '@gatehouse/engine-exchange';
import { GATEWAY_STATUS, TIMEOUT, type Destination, type FailureKind, type UpstreamAddress } from '@gatehouse/engine-upstream';
import type { Readable } from 'node:stream';
import type { RunningCalls } from './running-calls.js';
import type { UpstreamConnection } from './upstream-connection.js';

/** RFC 9110 §9.2.2: sending them twice does no more than sending them once. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

const SUCCESS = 0;

/**
 * What a call that is over refers to. V8 learns that calls live long enough to be made in the old space at once; there, whatever a dead
 * one still refers to would outlive every young collection (measured: half of the time per request).
 */
const NO_REQUEST: UpstreamRequest = {
  httpMethod: '',
  url: '',
  tenant: '',
  way: null,
  traceId: '',
  block: null,
  headers: [],
  body: null,
  timeoutMs: 0,
};
const NOBODY: CallerPresence = { isCallerGone: true, onCallerLeft: null, signal: AbortSignal.abort() };

type AnswerHead = Pick<UpstreamAnswer, 'status' | 'headers' | 'block'>;

/** One call from its request to the last byte of its answer. Settles once; a later end only ends the body. */
export class UpstreamCall {
  /** On the clock of `performance.now()`; infinite while another keeps the time. */
  deadlineAtMs: number;
  connection: UpstreamConnection | null = null;
  isRetry = false;
  /** How often an upstream said that it had not looked at it. */
  refusalCount = 0;
  /** Where it was sent, and the epoch that goes with the report; `null` while nothing is to be reported. */
  address: UpstreamAddress | null = null;
  epoch = 0;
  connectTries = 0;
  /** Of `RunningCalls`. */
  slot = 0;
  body: Readable | null = null;
  isOver = false;
  private status = 0;
  private isSettled = false;

  constructor(
    public request: UpstreamRequest,
    /** Path and query as they go out. */
    readonly target: string,
    public caller: CallerPresence,
    /** Never called before the constructor's caller has returned. */
    private readonly done: (outcome: UpstreamAnswer | UpstreamFailure, caller: CallerPresence) => void,
    private readonly calls: RunningCalls,
    private readonly destination: Destination,
    readonly startedAtMs: number,
  ) {
    this.deadlineAtMs = startedAtMs + request.timeoutMs;
    caller.onCallerLeft = () => this.end('ABORTED', new Error('the caller left'));
  }

  /** A stream of HTTP/2 keeps the time and watches the caller, until `takeBack` or the end. */
  handOver(): void {
    this.deadlineAtMs = Number.POSITIVE_INFINITY;
  }

  takeBack(): void {
    this.deadlineAtMs = this.startedAtMs + this.request.timeoutMs;
    this.caller.onCallerLeft = () => this.end('ABORTED', new Error('the caller left'));
  }

  /** Nothing of its answer was handed on, and its body can be sent once more. */
  get isRepeatable(): boolean {
    const { body } = this.request;
    return !this.isSettled && (body === null || Buffer.isBuffer(body));
  }

  get isIdempotent(): boolean {
    return this.request.body === null && IDEMPOTENT.has(this.request.httpMethod);
  }

  /** A connection that had carried answers before broke without a byte of this one: its server may have closed it before it saw the request. */
  mayRetry(connection: UpstreamConnection): boolean {
    return connection.isStaleSuspect && !this.isRetry && this.isRepeatable && this.isIdempotent;
  }

  answered({ status, headers, block }: AnswerHead, body: Readable | Buffer | null, isHttp2: boolean): void {
    const { caller } = this;
    this.isSettled = true;
    this.status = status;
    if (body === null || Buffer.isBuffer(body)) this.whole();
    else this.body = body;
    this.done({ status, headers, block, isHttp2, body }, caller);
  }

  /** The streamed body came whole. */
  bodyEnded(): void {
    this.body = null;
    this.whole();
  }

  /** Nobody reads the rest. */
  bodyAbandoned(): void {
    this.body = null;
    this.report(null);
    this.over();
  }

  private whole(): void {
    const { status } = this;
    this.report(status === 502 || status === 503 || status === 504 ? GATEWAY_STATUS : SUCCESS);
    this.over();
  }

  /** To be told once how the upstream did; `null`: the end says nothing about it. */
  private report(kind: FailureKind | typeof SUCCESS | null): void {
    const { address, destination, epoch } = this;
    if (address === null) return;
    this.address = null;
    if (kind === null) destination.abandoned(epoch);
    else if (kind === SUCCESS) destination.succeeded(address, epoch, this.startedAtMs);
    else destination.failed(address, kind, epoch, performance.now());
  }

  /** `kind`: what it says about the upstream. */
  failed(failure: FailureReason, cause: unknown, kind: FailureKind | null, retryAfterMs?: number): void {
    this.report(kind);
    if (this.isSettled) {
      const { body } = this;
      this.body = null;
      body?.destroy(cause instanceof Error ? cause : new Error(String(cause)));
    } else {
      this.isSettled = true;
      letGoOfRequestBody(this.request);
      const outcome = retryAfterMs === undefined ? { failure, cause } : { failure, cause, retryAfterMs };
      // Most failures come from a socket's event, some at once: then who asked has not returned yet.
      const { caller } = this;
      queueMicrotask(() => this.done(outcome, caller));
    }
    this.over();
  }

  /** From our side: the caller left, or the time is up. The connection goes with it. */
  end(failure: 'ABORTED' | 'TIMEOUT', cause: Error): void {
    const { connection } = this;
    this.connection = null;
    this.failed(failure, cause, failure === 'TIMEOUT' ? TIMEOUT : null);
    connection?.destroy();
  }

  private over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.caller.onCallerLeft = null;
    this.calls.delete(this);
    this.request = NO_REQUEST;
    this.caller = NOBODY;
  }
}

/** A body nobody reads any more. */
export function letGoOfRequestBody({ body }: UpstreamRequest): void {
  if (body !== null && !Buffer.isBuffer(body) && !body.destroyed) body.on('error', () => undefined).destroy();
}
