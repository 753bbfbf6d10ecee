/** The HTTP/2 connections of one origin: each call goes to the one with the fewest. */
import type { UpstreamAnswer } from '@gatehouse/engine-exchange';
import { Http2Upstream, type CallSink, type Http2Failure } from '@gatehouse/engine-http2';
import { RESET, TIMEOUT, type FailureKind, type UpstreamAddress } from '@gatehouse/engine-upstream';
import type { Socket } from 'node:net';
import type { HeadLimits } from '../head-limits.js';
import type { UpstreamCall } from './upstream-call.js';

export interface SessionPoolOwner {
  /** There may be room, or less of it. */
  sessionsChanged(): void;
  /** The connection is closed. */
  sessionGone(): void;
  /** To be sent once more: `call.address` is where it was. `isFull`: the upstream refused it for now, and goes on. */
  resend(call: UpstreamCall, isFull: boolean): void;
  /** In words, if it is one of TLS. */
  named(cause: unknown): unknown;
}

export interface SessionPoolOptions {
  /** As it goes out in `:authority`. */
  readonly authority: string;
  readonly idleMs: number;
  readonly headLimits: HeadLimits;
}

/** How often one call is sent again. node:http2 servers count a stream for a while after its end, and refuse the next one. */
const REFUSALS_MAX = 3;

interface Session {
  readonly upstream: Http2Upstream;
  readonly address: UpstreamAddress;
  answerCount: number;
}

export class SessionPool {
  private readonly sessions: Session[] = [];

  constructor(
    private readonly owner: SessionPoolOwner,
    private readonly options: SessionPoolOptions,
  ) {}

  /** A socket that was just connected, for which ALPN chose `h2`. */
  add(socket: Socket, address: UpstreamAddress): Session {
    const { authority, idleMs, headLimits } = this.options;
    const upstream = new Http2Upstream(socket, {
      scheme: 'https',
      authority,
      idleMs,
      headBytesMax: headLimits.headBytesMax,
      headerCountMax: headLimits.headerCountMax,
      onChange: () => this.owner.sessionsChanged(),
    });
    const session: Session = { upstream, address, answerCount: 0 };
    this.sessions.push(session);
    // After a TLS alert node:http2 ends the streams and leaves the socket open.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.sessions.splice(this.sessions.indexOf(session), 1);
      this.owner.sessionGone();
    });
    return session;
  }

  /** One that has not said yet how many calls it takes. It gets the one it was made for: a burst before that would be refused. */
  hasNew(address: UpstreamAddress): boolean {
    return this.sessions.some((session) => session.address === address && session.upstream.isNew);
  }

  /** The one with the fewest calls of those with room; `address` `null` for any. */
  withRoom(address: UpstreamAddress | null): Session | null {
    let best: Session | null = null;
    for (const session of this.sessions) {
      const isWanted = address === null ? session.address.isCurrent : session.address === address;
      if (!isWanted || session.upstream.isNew || !session.upstream.hasRoom) continue;
      if (best === null || session.upstream.callCount < best.upstream.callCount) best = session;
    }
    return best;
  }

  /** To a session with room. */
  send(call: UpstreamCall, session: Session): void {
    call.address = session.address;
    call.handOver();
    const leftMs = Math.max(1, Math.ceil(call.startedAtMs + call.request.timeoutMs - performance.now()));
    session.upstream.start(call.request, call.caller, leftMs, new SessionCall(call, session, this.owner));
  }

  /** Those whose address the name has no more, once they carry nothing. */
  retire(): void {
    for (const { upstream, address } of this.sessions) if (!address.isCurrent) closeIfUnused(upstream);
  }

  /** Those that carry nothing. */
  closeUnused(): void {
    for (const { upstream } of this.sessions) closeIfUnused(upstream);
  }
}

/** Not while it carries calls: those that nghttp2 has not sent yet would not be. */
function closeIfUnused(upstream: Http2Upstream): void {
  if (upstream.isOpen && upstream.callCount === 0) void upstream.close();
}

class SessionCall implements CallSink {
  constructor(
    private call: UpstreamCall | null,
    private session: Session | null,
    private readonly owner: SessionPoolOwner,
  ) {}

  answered({ status, headers, body }: UpstreamAnswer): void {
    this.session!.answerCount++;
    this.call!.answered({ status, headers, block: null }, body, true);
  }

  ended(failure: Http2Failure | null): void {
    const call = this.call!;
    const session = this.session!;
    this.call = null;
    this.session = null;
    if (failure === null) call.bodyEnded();
    else if (mayResend(call, session, failure)) {
      if (failure.isUnprocessed) call.refusalCount++;
      else call.isRetry = true;
      call.takeBack();
      this.owner.resend(call, session.upstream.isOpen);
    } else call.failed(failure.failure, this.owner.named(failure.cause), kindOf(failure));
  }
}

/**
 * What the upstream says it has not looked at may go out again whatever it is (RFC 9113 §8.7). Otherwise as on HTTP/1.1: a connection
 * that had carried answers broke, so the upstream may have closed it before it saw the request.
 */
function mayResend(call: UpstreamCall, { upstream, answerCount }: Session, failure: Http2Failure): boolean {
  if (!call.isRepeatable) return false;
  if (failure.isUnprocessed) return call.refusalCount < REFUSALS_MAX;
  return failure.failure === 'NETWORK' && answerCount > 0 && !upstream.isOpen && !call.isRetry && call.isIdempotent;
}

function kindOf({ failure }: Http2Failure): FailureKind | null {
  if (failure === 'TIMEOUT') return TIMEOUT;
  return failure === 'NETWORK' ? RESET : null;
}
