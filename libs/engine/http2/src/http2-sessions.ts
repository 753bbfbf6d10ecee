/**
 * HTTP/2 in front of the engine, with node:http2 underneath: one Exchange per stream, from its head to its record. Listens on
 * nothing: whoever accepted a socket and knows that it speaks HTTP/2 hands it over.
 */
import { Intake, type IntakeOptions, letGo, refuseRequest, renderBug, visibleHeaders } from '@gatehouse/engine-accept';
import { ExchangePool, type Exchange, type FaultKind } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { WorldKeeper } from '@gatehouse/engine-link';
import type { Recorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { CallerSession, type SessionEnd, type SessionOwner } from './caller-session.js';
import { CallerStream, SMALL_BODY_BYTES_MAX, stopRequest } from './caller-stream.js';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from './limits.js';
import { readRequestHead, type RequestHead } from './request-head.js';

export interface Http2SessionsOptions extends Partial<Http2Limits>, Pick<IntakeOptions, 'tracing'> {
  readonly worlds: Pick<WorldKeeper, 'current' | 'stage'>;
  readonly recorder: Recorder;
  readonly clock: Clock;
  /** E.g. `localhost`: APIs answer on `{apiId}.execute-api.localhost`. */
  readonly baseDomain: string;
  /** Something threw outside of every program: our bug. */
  readonly onBug?: (bug: unknown) => void;
  /** Told of every connection that was not ended by its caller. */
  readonly onSessionEnd?: (reason: SessionEnd) => void;
  /** Memory is short: new requests are answered 503, without an Exchange. */
  readonly isShedding?: () => boolean;
}

const SWEEP_MS_MIN = 10;
const SWEEP_MS_MAX = 1_000;

const HEAD_TOO_LARGE: FaultKind = Object.freeze({
  name: 'HEAD_TOO_LARGE',
  responseType: 'DEFAULT_4XX',
  status: 431,
  errorType: 'BadRequestException',
  message: 'Request Header Fields Too Large',
  source: 'caller',
  retry: false,
});

export class Http2Sessions implements SessionOwner {
  readonly limits: Http2Limits;
  private readonly intake: Intake;
  private readonly pool = new ExchangePool();
  private readonly sessions = new Set<CallerSession>();
  private readonly sweeper: NodeJS.Timeout;
  private sweptAtMs = performance.now();
  private servingCount = 0;
  private isClosing = false;
  private onQuiet: (() => void) | null = null;

  constructor(private readonly options: Http2SessionsOptions) {
    this.limits = { ...DEFAULT_HTTP2_LIMITS, ...options };
    this.intake = new Intake(options);
    const { settingsTimeoutMs, requestTimeoutMs, keepAliveMs, stalledCallerMs } = this.limits;
    const shortest = Math.min(settingsTimeoutMs, requestTimeoutMs, keepAliveMs, stalledCallerMs);
    const everyMs = Math.max(SWEEP_MS_MIN, Math.min(SWEEP_MS_MAX, shortest / 4));
    this.sweeper = setInterval(() => this.sweep(), everyMs).unref();
  }

  /**
   * Takes a connected socket over: a TLS socket that negotiated `h2`, or one whose first bytes, put back, are HTTP/2's preface.
   * Nobody else may have listeners for its data.
   */
  accept(socket: Socket): void {
    if (this.isClosing || this.sessions.size >= this.limits.sessionsMax) {
      this.options.onSessionEnd?.('TURNED_AWAY');
      socket.on('error', () => undefined).destroy();
    } else if (!socket.destroyed) this.sessions.add(new CallerSession(socket, this, performance.now()));
  }

  get inFlightCount(): number {
    return this.servingCount;
  }

  get openSessions(): number {
    return this.sessions.size;
  }

  /** Lets requests finish, takes no new ones; what is left at the deadline is cut. Resolves when all are recorded. */
  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.isClosing = true;
    for (const session of this.sessions) session.close();
    const deadline = setTimeout(() => {
      for (const session of this.sessions) session.cut();
    }, deadlineMs);
    if (this.servingCount > 0 || this.sessions.size > 0) await new Promise<void>((resolve) => (this.onQuiet = resolve));
    clearTimeout(deadline);
    clearInterval(this.sweeper);
  }

  // SessionOwner

  serve(session: CallerSession, stream: ServerHttp2Stream, rawHeaders: readonly string[]): void {
    if (this.options.isShedding?.() === true) {
      shed(stream);
      return;
    }
    const head = readRequestHead(rawHeaders);
    const x = this.pool.acquire();
    this.servingCount++;
    const call = new CallerStream(stream, x, head.contentLength, head.expectsContinue, session, performance.now());
    session.begin(call);
    const mayComeWhole = !stream.endAfterHeaders && head.contentLength > 0 && head.contentLength <= SMALL_BODY_BYTES_MAX;
    // By then the frames behind the head that came in the same read are parsed.
    if (mayComeWhole && !head.expectsContinue) setImmediate(() => void this.run(session, call, head));
    else void this.run(session, call, head);
  }

  ended(session: CallerSession, reason: SessionEnd | null): void {
    this.sessions.delete(session);
    if (reason !== null) this.options.onSessionEnd?.(reason);
    this.lookForQuiet();
  }

  private async run(session: CallerSession, call: CallerStream, head: RequestHead): Promise<void> {
    const { x } = call;
    try {
      call.takeWhole();
      this.fill(x, session, call, head);
      if (head.bytes > this.limits.headBytesMax) refuseRequest(x, HEAD_TOO_LARGE, 'reading the head of a request');
      else if (head.method === 'CONNECT') refuseRequest(x, FAULTS.MALFORMED_TARGET, 'reading the method');
      else await this.intake.run(x, head.host, head.target);
      await call.deliver();
    } catch (bug) {
      await this.answerBug(call, bug);
    } finally {
      letGo(x);
      call.release();
      session.finished(call);
      this.options.recorder.record(x);
      this.pool.release(x);
      this.servingCount--;
      this.lookForQuiet();
    }
  }

  private fill(x: Exchange, session: CallerSession, call: CallerStream, head: RequestHead): void {
    x.startedAtMs = performance.now();
    x.httpMethod = head.method;
    x.protocol = 'HTTP/2.0';
    x.requestHeaders = visibleHeaders(head.headers);
    x.takesTrailers = head.takesTrailers;
    x.sourceIp = session.sourceIp;
    x.forwardedPort = session.portText;
    x.forwardedProto = session.isEncrypted ? 'https' : 'http';
    x.requestBody = call.stream.endAfterHeaders || head.contentLength === 0 ? null : call;
    this.intake.identify(x, head.target, this.options.clock.nowMs());
  }

  /** Outside of every program: the answer could not be written, or we have a bug. */
  private async answerBug(call: CallerStream, bug: unknown): Promise<void> {
    const { x } = call;
    this.options.onBug?.(bug);
    if (call.hasHeadersSent) {
      x.fail(FAULTS.BUG, bug, 'serving a request');
      call.break('a bug');
      return;
    }
    renderBug(x, bug);
    await call.deliver();
  }

  private sweep(): void {
    const nowMs = performance.now();
    const sinceLastMs = nowMs - this.sweptAtMs;
    this.sweptAtMs = nowMs;
    for (const session of this.sessions) session.sweep(nowMs, sinceLastMs);
  }

  private lookForQuiet(): void {
    if (this.onQuiet !== null && this.servingCount === 0 && this.sessions.size === 0) this.onQuiet();
  }
}

function shed(stream: ServerHttp2Stream): void {
  stream.on('error', () => undefined);
  stream.respond({ ':status': 503, 'retry-after': '1', 'content-length': '0' }, { endStream: true });
  stream.resume();
  setImmediate(() => void stopRequest(stream));
}
