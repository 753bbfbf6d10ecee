/**
 * One caller's HTTP/2 connection: its streams, and what it may cost. nghttp2 underneath keeps the protocol; here are the limits it
 * does not know. A connection is cut with a GOAWAY that says why.
 */
import type { Socket } from 'node:net';
import { constants, performServerHandshake, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import { Budget } from './budget.js';
import type { CallerStream, StreamOwner } from './caller-stream.js';
import { sessionOptions, type Http2Limits } from './limits.js';

/** Why a connection was ended by us. */
export type SessionEnd =
  /** Streams opened and broken too fast (CVE-2023-44487, CVE-2025-8671). */
  | 'RESETS'
  /** PING or SETTINGS without end. */
  | 'CONTROL_FRAMES'
  /** Our SETTINGS were never acknowledged. */
  | 'SETTINGS_TIMEOUT'
  /** nghttp2 or node:http2 gave up on it: a broken frame, CONTINUATION or empty frames without end. */
  | 'PROTOCOL'
  /** No request for `keepAliveMs`. */
  | 'IDLE'
  /** Over `sessionsMax`, or the listener is closing. */
  | 'TURNED_AWAY';

export interface SessionOwner {
  readonly limits: Http2Limits;
  serve(session: CallerSession, stream: ServerHttp2Stream, rawHeaders: readonly string[]): void;
  ended(session: CallerSession, reason: SessionEnd | null): void;
}

/** For a caller that does not take our last words. */
const LAST_WORDS_MS = 5_000;

export class CallerSession implements StreamOwner {
  readonly sourceIp: string;
  readonly portText: string;
  readonly isEncrypted: boolean;
  readonly streams = new Set<CallerStream>();
  private readonly http2: Http2Session;
  private readonly resets: Budget;
  private readonly controlFrames: Budget;
  private readonly startedAtMs: number;
  private idleSinceMs: number;
  private isAcknowledged = false;
  private endingAtMs = 0;
  private reason: SessionEnd | null = null;

  constructor(
    private readonly socket: Socket,
    private readonly owner: SessionOwner,
    nowMs: number,
  ) {
    const { limits } = owner;
    this.sourceIp = plainAddress(socket.remoteAddress ?? '');
    this.portText = String(socket.localPort ?? '');
    this.isEncrypted = 'encrypted' in socket;
    this.resets = new Budget(limits.resetsMax, limits.windowMs);
    this.controlFrames = new Budget(limits.controlFramesMax, limits.windowMs);
    this.startedAtMs = nowMs;
    this.idleSinceMs = nowMs;
    socket.on('error', () => undefined); // 'close' follows
    // A caller that has ended its side counts as gone, as it does in HTTP/1.1.
    socket.on('end', () => socket.destroy());
    this.http2 = performServerHandshake(socket, sessionOptions(limits));
    this.listen();
  }

  private listen(): void {
    const { http2, owner } = this;
    http2.on('error', () => (this.reason ??= 'PROTOCOL'));
    http2.on('close', () => owner.ended(this, this.reason));
    http2.on('localSettings', () => (this.isAcknowledged = true));
    http2.on('ping', () => this.controlFrame());
    http2.on('remoteSettings', () => this.controlFrame());
    http2.on('stream', (stream: ServerHttp2Stream, _headers, _flags, rawHeaders: string[]) => {
      owner.serve(this, stream, rawHeaders);
    });
  }

  begin(stream: CallerStream): void {
    this.streams.add(stream);
  }

  finished(stream: CallerStream): void {
    this.streams.delete(stream);
    if (this.streams.size === 0) this.idleSinceMs = performance.now();
  }

  get limits(): Http2Limits {
    return this.owner.limits;
  }

  streamBroken(): void {
    if (this.http2.destroyed) return;
    const nowMs = performance.now();
    if (!this.resets.spend(nowMs)) this.end('RESETS', constants.NGHTTP2_ENHANCE_YOUR_CALM, nowMs);
  }

  /**
   * No new streams; those that are open end by themselves. A stream that crosses the GOAWAY is behind the last one it names, so its
   * caller knows that it may send it again (RFC 9113 §6.8). The notice that would let it pass is not to be had from node:http2.
   */
  close(): void {
    if (!this.http2.destroyed) this.http2.close();
  }

  cut(): void {
    this.http2.destroy();
    this.socket.destroy();
  }

  sweep(nowMs: number, sinceLastMs: number): void {
    const { limits } = this;
    if (this.endingAtMs === 0 && this.http2.destroyed) this.endingAtMs = nowMs; // nghttp2 gave up; its 'error' comes with 'close'
    if (this.endingAtMs > 0) {
      if (nowMs - this.endingAtMs > LAST_WORDS_MS) this.socket.destroy();
      return;
    }
    if (!this.isAcknowledged && nowMs - this.startedAtMs > limits.settingsTimeoutMs) {
      this.end('SETTINGS_TIMEOUT', constants.NGHTTP2_SETTINGS_TIMEOUT, nowMs);
    } else if (this.streams.size === 0 && nowMs - this.idleSinceMs > limits.keepAliveMs) {
      this.end('IDLE', constants.NGHTTP2_NO_ERROR, nowMs);
    } else for (const stream of this.streams) stream.sweep(nowMs, sinceLastMs);
  }

  private controlFrame(): void {
    const nowMs = performance.now();
    if (!this.controlFrames.spend(nowMs)) this.end('CONTROL_FRAMES', constants.NGHTTP2_ENHANCE_YOUR_CALM, nowMs);
  }

  private end(reason: SessionEnd, code: number, nowMs: number): void {
    if (this.endingAtMs > 0) return;
    this.reason = reason;
    this.endingAtMs = nowMs;
    // Given a code without an error, node:http2 sends NO_ERROR.
    if (code === constants.NGHTTP2_NO_ERROR) this.http2.destroy();
    else this.http2.destroy(new Error(`connection ended: ${reason}`), code);
  }
}

/** An IPv4 address on a dual-stack socket is shown as what it is. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
