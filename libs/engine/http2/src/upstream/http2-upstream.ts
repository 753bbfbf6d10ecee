/**
 * One connection to an upstream that speaks HTTP/2, shared by many calls. Opens nothing: whoever connected, and saw `h2` chosen by
 * ALPN, hands the socket over and asks `hasRoom` before each call.
 *
 *   time      `timeoutMs` of a call covers everything to the last byte of its answer. A call that times out has the connection probed:
 *             one that is dead would take all later calls with it.
 *   GOAWAY    no new calls; those the upstream has seen go on, the others come back as `isUnprocessed`.
 *   bounds    streams (ours and the upstream's), head, window; pushes are refused.
 */
import type { CallerPresence, UpstreamAnswer, UpstreamFailure, UpstreamRequest } from '@gatehouse/engine-exchange';
import { connect, constants, type ClientHttp2Session, type ClientSessionOptions } from 'node:http2';
import type { Socket } from 'node:net';
import { requestFields, type OriginName } from './request-fields.js';
import { letGoOfRequestBody, UpstreamCall, type CallOwner, type CallSink } from './upstream-call.js';

export interface Http2UpstreamOptions extends OriginName {
  /** Calls at once; the upstream's own limit holds besides. */
  readonly streamsMax?: number;
  /** A connection without calls is closed after this. */
  readonly idleMs?: number;
  /** For the answer to a PING, after a call timed out. */
  readonly probeTimeoutMs?: number;
  readonly headBytesMax?: number;
  readonly headerCountMax?: number;
  readonly streamWindowBytes?: number;
  /** `hasRoom` may have become true, or false for good: see `isOpen`. */
  readonly onChange?: () => void;
}

export interface Http2Failure extends UpstreamFailure {
  /**
   * The upstream did nothing for it (RFC 9113 §8.7): it may be sent again, on another connection and whatever its method, if its
   * body is none or bytes.
   */
  readonly isUnprocessed: boolean;
}

const CONNECTION_WINDOW_BYTES = 1_048_576;
/** Until the upstream has said how many (RFC 9113 §6.5.2 recommends at least 100). */
const STREAMS_UNTIL_SETTINGS = 100;

export class Http2Upstream implements CallOwner {
  private readonly session: ClientHttp2Session;
  private readonly calls = new Set<UpstreamCall>();
  private readonly streamsMax: number;
  private peerStreamsMax = STREAMS_UNTIL_SETTINGS;
  private hasSettings = false;
  private isGoingAway = false;
  /** Streams beyond it were not looked at. */
  private lastStreamId = Number.POSITIVE_INFINITY;
  private idleTimer: NodeJS.Timeout | null = null;
  private probe: NodeJS.Timeout | null = null;
  private readonly closed: Promise<void>;

  constructor(
    socket: Socket,
    private readonly options: Http2UpstreamOptions,
  ) {
    this.streamsMax = options.streamsMax ?? 256;
    // The types do not know the last one. What a mapping names twice is sent as it stands.
    const sessionOptions: ClientSessionOptions & { readonly strictSingleValueFields: boolean } = {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: options.streamWindowBytes ?? 262_144,
        maxHeaderListSize: options.headBytesMax ?? 65_536,
      },
      maxHeaderListPairs: options.headerCountMax ?? 500,
      maxReservedRemoteStreams: 0,
      peerMaxConcurrentStreams: STREAMS_UNTIL_SETTINGS,
      strictSingleValueFields: false,
    };
    this.session = connect(`${options.scheme}://${options.authority}`, sessionOptions);
    this.closed = new Promise((resolve) => this.session.on('close', resolve));
    this.listen();
    this.idle();
  }

  private listen(): void {
    const { session } = this;
    session.on('error', () => undefined); // each call hears of it, and 'close' follows
    session.on('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES); // 'connect' comes in either case
    });
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      this.hasSettings = true;
      this.peerStreamsMax = maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
      this.options.onChange?.();
    });
    session.on('goaway', (_code, lastStreamId) => {
      this.isGoingAway = true;
      this.lastStreamId = lastStreamId;
      this.options.onChange?.();
    });
    session.on('close', () => {
      this.isGoingAway = true;
      if (this.idleTimer !== null) clearTimeout(this.idleTimer);
      if (this.probe !== null) clearTimeout(this.probe);
      this.options.onChange?.();
    });
  }

  /** Takes calls, now or when others have ended. False for good once it is. */
  get isOpen(): boolean {
    return !this.isGoingAway && !this.session.closed && !this.session.destroyed;
  }

  get hasRoom(): boolean {
    return this.isOpen && this.probe === null && this.calls.size < Math.min(this.streamsMax, this.peerStreamsMax);
  }

  /** How many calls the upstream takes is not known yet: further ones may be refused. */
  get isNew(): boolean {
    return this.isOpen && !this.hasSettings;
  }

  get callCount(): number {
    return this.calls.size;
  }

  /**
   * Never rejects for what the outside causes. Without room it fails at once as UNAVAILABLE and `isUnprocessed`, and leaves the body
   * alone; after any other failure the body is let go.
   */
  request(request: UpstreamRequest, caller: CallerPresence): Promise<UpstreamAnswer | Http2Failure> {
    return new Promise((resolve) => {
      this.start(request, caller, request.timeoutMs, {
        answered: resolve,
        ended: (failure) => {
          if (failure !== null) resolve(failure);
        },
      });
    });
  }

  /** The same, telling also when the answer's body ended. `leftMs`: what is left of the request's `timeoutMs`. May fail at once. */
  start(request: UpstreamRequest, caller: CallerPresence, leftMs: number, sink: CallSink): void {
    if (!this.hasRoom) {
      sink.ended(failed('UNAVAILABLE', 'no room on this connection', true));
      return;
    }
    const head = caller.isCallerGone ? null : requestFields(request, this.options);
    if (head === null) {
      letGoOfRequestBody(request);
      if (caller.isCallerGone) sink.ended(failed('ABORTED', 'the caller left', false));
      else sink.ended(failed('ADDRESS', 'the request cannot be written: a line break or control byte in its head', false));
      return;
    }
    const stream = this.session.request(head.fields, { endStream: request.body === null });
    this.calls.add(new UpstreamCall(stream, request, head.bodyBytes, caller, leftMs, this, sink));
    if (this.idleTimer !== null) clearTimeout(this.idleTimer);
    this.idleTimer = null;
  }

  /** Lets running calls end, then closes the connection. */
  async close(): Promise<void> {
    this.isGoingAway = true;
    if (!this.session.destroyed) this.session.close();
    await this.closed;
  }

  /** Cuts it, with all its calls. */
  destroy(): void {
    this.session.destroy();
  }

  // CallOwner

  isRefused(streamId: number | undefined, rstCode: number): boolean {
    return streamId === undefined || streamId > this.lastStreamId || rstCode === constants.NGHTTP2_REFUSED_STREAM;
  }

  timedOut(): void {
    if (this.probe !== null || !this.isOpen) return;
    this.probe = setTimeout(
      () => this.session.destroy(new Error('the upstream does not answer')),
      this.options.probeTimeoutMs ?? 5_000,
    );
    this.session.ping((error) => {
      if (error !== null || this.probe === null) return;
      clearTimeout(this.probe);
      this.probe = null;
      this.options.onChange?.();
    });
  }

  over(call: UpstreamCall): void {
    this.calls.delete(call);
    if (this.calls.size === 0) this.idle();
    this.options.onChange?.();
  }

  private idle(): void {
    if (!this.isOpen) return;
    this.idleTimer = setTimeout(() => void this.close(), this.options.idleMs ?? 10_000).unref();
  }
}

function failed(failure: UpstreamFailure['failure'], meaning: string, isUnprocessed: boolean): Http2Failure {
  return { failure, cause: new Error(meaning), isUnprocessed };
}
