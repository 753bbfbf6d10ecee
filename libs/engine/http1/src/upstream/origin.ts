/**
 * One origin as one tenant calls it: idle connections by address, newest first; those in use; and the calls that wait for one.
 *
 * On TLS each new connection's ALPN says whether it is one of HTTP/1.1, for this pool, or of HTTP/2, for `SessionPool`. An origin may
 * change its mind, or have servers of both kinds: what there is, is used. While a new connection may be one of HTTP/2, calls to the
 * same address wait for it, and make no others.
 */
import {
  BREAKER_OPEN,
  CONNECT_FAILED,
  FORBIDDEN,
  RESOLVING,
  type Destination,
  type FailureKind,
  type Refusal,
  type UpstreamAddress,
} from '@gatehouse/engine-upstream';
import type { UpstreamWay } from '@gatehouse/engine-exchange';
import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ChunkedLimits, HeadLimits } from '../head-limits.js';
import { namedShortage, SHORTAGE_RETRY_MS, type ConnectionBudget } from './descriptors.js';
import type { OriginUrl } from './origin-url.js';
import { outgoingHead } from './request-head.js';
import { SessionPool, type SessionPoolOwner } from './session-pool.js';
import { namedTlsFailure } from './tls-failures.js';
import type { UpstreamCall } from './upstream-call.js';
import { READ_BUFFER, UpstreamConnection, type ConnectionOwner } from './upstream-connection.js';
import { UnusableClientCertificate, type UpstreamTls } from './upstream-tls.js';

/** Addresses tried for one call. */
const CONNECT_TRIES_MAX = 3;
/** When a call that found the queue full may try again. */
const QUEUE_RETRY_MS = 1_000;

/** When a call may go out again that an upstream refused and left the connection open: it was full a moment ago. */
const FULL_RETRY_MS = 20;

export interface OriginSettings {
  readonly connectionsMax: number;
  readonly waitingMax: number;
  readonly idleConnectionMs: number;
  readonly connectTimeoutMs: number;
  readonly budget: ConnectionBudget;
  /** Another origin's, that nobody uses; false when there is none. */
  readonly closeAnIdleOne: () => boolean;
  readonly tls: UpstreamTls;
  readonly headLimits: HeadLimits;
  readonly chunkedLimits: ChunkedLimits;
}

/** A connection on its way. */
interface Connecting {
  readonly socket: Socket;
  readonly address: UpstreamAddress;
  readonly deadlineAtMs: number;
}

export class Origin implements ConnectionOwner, SessionPoolOwner {
  /** A count; the connector's. */
  lastUse = 0;
  /** Of the last sweep. */
  private nowMs = performance.now();
  private readonly hostLine: string;
  /** Those on their way included. */
  connectionCount = 0;
  private readonly idle = new Map<UpstreamAddress, UpstreamConnection[]>();
  private idleCount = 0;
  private readonly connecting = new Set<Connecting>();
  private readonly waiting: UpstreamCall[] = [];
  /** `null` until there was one. */
  private sessions: SessionPool | null = null;
  /** A new connection may carry many calls: unknown, or the last one did. */
  private mayShare: boolean;
  private hasClientCertificate = false;
  private isMakingRoom = false;
  /** No more calls are to be started. */
  isClosing = false;
  private onClosed: (() => void) | null = null;

  constructor(
    private readonly url: OriginUrl,
    readonly tenant: string,
    /** Scheme, host and port as the URLs of its calls have them, and the key of their way if they have one. */
    readonly text: string,
    readonly destination: Destination,
    private readonly settings: OriginSettings,
    private readonly way: UpstreamWay | null = null,
  ) {
    this.mayShare = url.isTls;
    this.hostLine = `Host: ${url.hostHeader}\r\n`;
  }

  get headLimits(): HeadLimits {
    return this.settings.headLimits;
  }

  get chunkedLimits(): ChunkedLimits {
    return this.settings.chunkedLimits;
  }

  start(call: UpstreamCall): void {
    const picked = this.destination.pick(call.startedAtMs);
    if (typeof picked === 'number') {
      this.refuse(call, picked);
      return;
    }
    call.address = picked;
    call.epoch = this.destination.epoch;
    const connection = this.idle.get(picked)?.pop();
    if (connection !== undefined) {
      this.idleCount--;
      this.send(call, connection);
    } else this.place(call, picked);
  }

  /** Where a call goes that found no idle connection. */
  private place(call: UpstreamCall, address: UpstreamAddress): void {
    if (this.takesNow(call, address)) return;
    if (this.waiting.length < this.settings.waitingMax) this.waiting.push(call);
    else call.failed('UNAVAILABLE', new Error('too many calls wait for this upstream'), null, QUEUE_RETRY_MS);
  }

  private takesNow(call: UpstreamCall, address: UpstreamAddress): boolean {
    if (this.sendToSession(call, address)) return true;
    if (this.mayConnect(address)) {
      this.connect(call, address);
      return true;
    }
    return this.sendToSession(call, null);
  }

  private sendToSession(call: UpstreamCall, address: UpstreamAddress | null): boolean {
    const session = this.sessions?.withRoom(address) ?? null;
    if (session === null) return false;
    this.sessions!.send(call, session);
    return true;
  }

  private mayConnect(address: UpstreamAddress): boolean {
    if (this.mayShare && this.expectsRoom(address)) return false;
    if (this.connectionCount >= this.settings.connectionsMax && !this.closeAnIdleOne()) return false;
    // Without a connection of its own there is none to wait for: `connect` says so to the call.
    return this.connectionCount === 0 || this.hasDescriptor();
  }

  /** One is free, or was made free by closing what nobody uses. */
  private hasDescriptor(): boolean {
    const { budget, closeAnIdleOne } = this.settings;
    return !budget.isSpent || closeAnIdleOne();
  }

  /** A connection on its way there may soon take many calls. */
  private expectsRoom(address: UpstreamAddress): boolean {
    for (const attempt of this.connecting) if (attempt.address === address) return true;
    return this.sessions?.hasNew(address) ?? false;
  }

  private refuse(call: UpstreamCall, refusal: Refusal): void {
    const { destination } = this;
    switch (refusal) {
      case RESOLVING:
        void destination.whenResolved().then(() => {
          if (!call.isOver) this.start(call);
        });
        return;
      case BREAKER_OPEN:
        call.failed(
          'UNAVAILABLE',
          new Error('the upstream failed too often lately'),
          null,
          destination.retryAfterMs(call.startedAtMs),
        );
        return;
      case FORBIDDEN:
        call.failed('FORBIDDEN_ADDRESS', new Error(`this node does not connect to ${this.text}`), null);
        return;
      default:
        call.failed('NETWORK', destination.cause ?? new Error('the upstream has no address'), null);
    }
  }

  sweep(nowMs: number): void {
    this.nowMs = nowMs;
    for (const attempt of this.connecting) {
      if (nowMs > attempt.deadlineAtMs) attempt.socket.destroy(new ConnectTimeout(this.settings.connectTimeoutMs));
    }
    // The newest are taken first, so the oldest stand in front.
    const { idleConnectionMs } = this.settings;
    for (const [address, connections] of this.idle) {
      const isUsed = address.isCurrent;
      while (connections.length > 0 && (!isUsed || nowMs - connections[0]!.idleSinceMs > idleConnectionMs))
        connections[0]!.destroy();
      if (connections.length === 0) this.idle.delete(address);
    }
    this.sessions?.retire();
  }

  /** Resolves when running calls have ended. */
  async close(): Promise<void> {
    this.isClosing = true;
    for (const connections of this.idle.values()) for (const connection of [...connections]) connection.destroy();
    this.wake();
    if (this.connectionCount > 0) await new Promise<void>((resolve) => (this.onClosed = resolve));
  }

  /** Frees its descriptor at once. `false`: none was idle. */
  closeAnIdleOne(): boolean {
    if (this.idleCount === 0) return false;
    for (const connections of this.idle.values()) {
      if (connections.length === 0) continue;
      this.isMakingRoom = true;
      connections[0]!.destroy();
      this.isMakingRoom = false;
      return true;
    }
    return false;
  }

  // ConnectionOwner

  released(connection: UpstreamConnection): void {
    const { address } = connection;
    const next = this.nextWaiting();
    if (next !== null) {
      next.address = address;
      this.send(next, connection);
    } else if (this.isClosing || !address.isCurrent) connection.destroy();
    else {
      connection.idleSinceMs = this.nowMs;
      this.idleCount++;
      const connections = this.idle.get(address);
      if (connections === undefined) this.idle.set(address, [connection]);
      else connections.push(connection);
    }
  }

  closed(connection: UpstreamConnection, call: UpstreamCall | null, cause: Error, kind: FailureKind): void {
    const connections = this.idle.get(connection.address);
    const index = connections === undefined ? -1 : connections.lastIndexOf(connection);
    if (index !== -1) {
      connections!.splice(index, 1);
      this.idleCount--;
    }
    if (call !== null) {
      if (call.mayRetry(connection)) {
        call.isRetry = true;
        this.connect(call, connection.address); // not from the pool: another idle connection may be as stale
      } else call.failed('NETWORK', this.named(cause), kind);
    }
    this.connectionGone();
  }

  private connectionGone(): void {
    this.connectionCount--;
    if (this.isMakingRoom) return;
    this.wake();
    if (this.connectionCount === 0) this.onClosed?.();
  }

  /** Those who wait, first come first served, as far as there is room. */
  private wake(): void {
    for (let next = this.nextWaiting(); next !== null; next = this.nextWaiting()) {
      if (this.takesNow(next, next.address!)) continue;
      this.waiting.unshift(next);
      return;
    }
    if (this.isClosing) this.sessions?.closeUnused();
  }

  // SessionPoolOwner

  sessionsChanged(): void {
    if (this.waiting.length > 0 || this.isClosing) this.wake();
  }

  sessionGone(): void {
    this.connectionGone();
  }

  resend(call: UpstreamCall, isFull: boolean): void {
    if (!isFull) {
      this.place(call, call.address!);
      return;
    }
    this.connectionCount++; // it keeps a place, so that `close` waits for it
    setTimeout(() => {
      if (!call.isOver) this.place(call, call.address!);
      this.connectionGone();
    }, FULL_RETRY_MS);
  }

  named(cause: unknown): unknown {
    return this.url.isTls && cause instanceof Error ? namedTlsFailure(cause, this.hasClientCertificate) : cause;
  }

  /** What waited and is still wanted. */
  private nextWaiting(): UpstreamCall | null {
    for (;;) {
      const call = this.waiting.shift();
      if (call === undefined) return null;
      if (!call.isOver) return call;
    }
  }

  private send(call: UpstreamCall, connection: UpstreamConnection): void {
    const head = outgoingHead(call.request, call.target, this.hostLine);
    if (head !== null) {
      connection.send(call, head);
      return;
    }
    this.released(connection);
    call.failed('ADDRESS', new Error('the request cannot be written: a line break or control byte in its head'), null);
  }

  private connect(call: UpstreamCall, address: UpstreamAddress): void {
    if (!this.hasDescriptor()) {
      call.failed('UNAVAILABLE', new Error('this node has as many connections to upstreams as it may'), null, SHORTAGE_RETRY_MS);
      return;
    }
    this.connectionCount++;
    call.connectTries++;
    if (this.url.isTls) {
      this.connectTls(call, address);
      return;
    }
    let connection: UpstreamConnection | null = null;
    const socket = this.openSocket(address, {
      buffer: () => (connection === null ? READ_BUFFER : connection.nextBuffer()),
      callback: (byteCount, bytes) => connection?.read(byteCount, bytes as Buffer) ?? false,
    });
    this.follow(socket, 'connect', call, address, () => {
      connection = new UpstreamConnection(socket, address, this);
      this.connected(connection, call);
    });
  }

  /** Without `onread`: HTTP/2 needs its socket to itself. */
  private connectTls(call: UpstreamCall, address: UpstreamAddress): void {
    const socket = this.openTls(call, address);
    if (socket === null) return;
    this.follow(socket, 'secureConnect', call, address, () => {
      this.mayShare = socket.alpnProtocol === 'h2';
      if (this.mayShare) this.connectedSession(socket, call, address);
      else {
        const connection = new UpstreamConnection(socket, address, this);
        socket.on('data', (chunk: Buffer) => {
          if (!connection.read(chunk.length, chunk)) socket.pause();
        });
        this.connected(connection, call);
      }
      this.wake();
    });
  }

  private connected(connection: UpstreamConnection, call: UpstreamCall): void {
    if (call.isOver) this.released(connection);
    else this.send(call, connection);
  }

  private connectedSession(socket: TLSSocket, call: UpstreamCall, address: UpstreamAddress): void {
    const { url, settings } = this;
    this.sessions ??= new SessionPool(this, {
      authority: url.hostHeader,
      idleMs: settings.idleConnectionMs,
      headLimits: settings.headLimits,
    });
    const session = this.sessions.add(socket, address);
    if (!call.isOver) this.sessions.send(call, session);
  }

  private follow(
    socket: Socket,
    readyEvent: 'connect' | 'secureConnect',
    call: UpstreamCall,
    address: UpstreamAddress,
    ready: () => void,
  ): void {
    this.settings.budget.opened(socket);
    const attempt = { socket, address, deadlineAtMs: performance.now() + this.settings.connectTimeoutMs };
    this.connecting.add(attempt);
    const failed = (cause: Error): void => {
      if (!this.connecting.delete(attempt)) return;
      const shortage = namedShortage(cause);
      if (shortage !== null) {
        if (!call.isOver) call.failed('UNAVAILABLE', shortage, null, SHORTAGE_RETRY_MS);
        this.connectionGone();
        return;
      }
      this.mayShare = false; // who waited for it need not wait for one another
      if (!call.isOver) this.notConnected(call, address, cause);
      this.connectionGone();
    };
    const closed = (): void => failed(new Error('the upstream closed the connection'));
    socket.once('error', failed);
    socket.once('close', closed);
    socket.once(readyEvent, () => {
      if (!this.connecting.delete(attempt)) return;
      socket.off('close', closed);
      ready();
      socket.off('error', failed);
    });
  }

  /** Nothing was sent, so whatever the call is, another address may have it. */
  private notConnected(call: UpstreamCall, address: UpstreamAddress, cause: Error): void {
    const another =
      call.connectTries < CONNECT_TRIES_MAX ? this.destination.pickAnother(address, CONNECT_FAILED, performance.now()) : null;
    if (another === null) {
      call.failed(reasonOf(cause), this.named(cause), CONNECT_FAILED);
      return;
    }
    call.address = another;
    this.connect(call, another);
  }

  private openSocket({ address, port }: UpstreamAddress, onread: OnReadOpts): Socket {
    return connectTcp({
      host: address,
      port,
      noDelay: true,
      onread,
    });
  }

  /** `null` when our own certificate is of no use: then the call has failed. */
  private openTls(call: UpstreamCall, address: UpstreamAddress): TLSSocket | null {
    const { url, tenant, way } = this;
    const { tls } = this.settings;
    try {
      const host = way === null ? url.host : (way.tlsName ?? url.host);
      const certificate = tls.certificateFor(tenant, host, way === null ? null : way.clientCertificateId);
      this.hasClientCertificate = certificate !== null;
      return tls.connect(address, host, certificate);
    } catch (cause) {
      if (!(cause instanceof UnusableClientCertificate)) throw cause;
      call.failed('NETWORK', cause, null);
      this.connectionGone();
      return null;
    }
  }
}

class ConnectTimeout extends Error {
  constructor(timeoutMs: number) {
    super(`no connection within ${timeoutMs} ms`);
    this.name = 'ConnectTimeout';
  }
}

function reasonOf(cause: Error): 'TIMEOUT' | 'NETWORK' {
  return cause instanceof ConnectTimeout || (cause as NodeJS.ErrnoException).code === 'ETIMEDOUT' ? 'TIMEOUT' : 'NETWORK';
}
