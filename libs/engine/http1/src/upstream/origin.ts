/** One origin as one tenant calls it: idle connections by address, newest first; those in use; and the calls that wait for one. */
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
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { ChunkedLimits, HeadLimits } from '../head-limits.js';
import type { OriginUrl } from './origin-url.js';
import { outgoingHead } from './request-head.js';
import type { UpstreamCall } from './upstream-call.js';
import { READ_BUFFER, UpstreamConnection, type ConnectionOwner } from './upstream-connection.js';

/** Addresses tried for one call. */
const CONNECT_TRIES_MAX = 3;
/** When a call that found the queue full may try again. */
const QUEUE_RETRY_MS = 1_000;

export interface OriginSettings {
  readonly connectionsMax: number;
  readonly waitingMax: number;
  readonly idleConnectionMs: number;
  readonly connectTimeoutMs: number;
  readonly skipsVerification: boolean;
  readonly headLimits: HeadLimits;
  readonly chunkedLimits: ChunkedLimits;
}

/** A connection on its way, and the call it is made for. */
interface Connecting {
  readonly socket: Socket;
  readonly call: UpstreamCall;
  readonly deadlineAtMs: number;
}

export class Origin implements ConnectionOwner {
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
  private isClosing = false;
  private onClosed: (() => void) | null = null;

  constructor(
    private readonly url: OriginUrl,
    readonly tenant: string,
    /** Scheme, host and port as the URLs of its calls have them. */
    readonly text: string,
    readonly destination: Destination,
    private readonly settings: OriginSettings,
  ) {
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
    } else if (this.connectionCount < this.settings.connectionsMax || this.closeAnIdleOne()) this.connect(call, picked);
    else if (this.waiting.length < this.settings.waitingMax) this.waiting.push(call);
    else call.failed('UNAVAILABLE', new Error('too many calls wait for this upstream'), null, QUEUE_RETRY_MS);
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
  }

  /** Resolves when running calls have ended. */
  async close(): Promise<void> {
    this.isClosing = true;
    for (const connections of this.idle.values()) for (const connection of [...connections]) connection.destroy();
    if (this.connectionCount > 0) await new Promise<void>((resolve) => (this.onClosed = resolve));
  }

  /** To another address than the one a call goes to. */
  private closeAnIdleOne(): boolean {
    if (this.idleCount === 0) return false;
    for (const connections of this.idle.values()) {
      if (connections.length === 0) continue;
      connections[0]!.destroy();
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
      } else call.failed('NETWORK', cause, kind);
    }
    this.connectionGone();
  }

  private connectionGone(): void {
    this.connectionCount--;
    const next = this.nextWaiting();
    if (next !== null) this.connect(next, next.address!);
    else if (this.connectionCount === 0) this.onClosed?.();
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
    this.connectionCount++;
    call.connectTries++;
    let connection: UpstreamConnection | null = null;
    const socket = this.openSocket(address.address, (byteCount, bytes) => connection?.read(byteCount, bytes) ?? false);
    const attempt = { socket, call, deadlineAtMs: performance.now() + this.settings.connectTimeoutMs };
    this.connecting.add(attempt);
    const failed = (cause: Error): void => {
      if (!this.connecting.delete(attempt)) return;
      if (!call.isOver) this.notConnected(call, address, cause);
      this.connectionGone();
    };
    socket.once('error', failed);
    socket.once('close', () => failed(new Error('the upstream closed the connection')));
    socket.once(this.url.isTls ? 'secureConnect' : 'connect', () => {
      if (!this.connecting.delete(attempt)) return;
      socket.removeAllListeners('close');
      connection = new UpstreamConnection(socket, address, this);
      socket.off('error', failed);
      if (call.isOver) this.released(connection);
      else this.send(call, connection);
    });
  }

  /** Nothing was sent, so whatever the call is, another address may have it. */
  private notConnected(call: UpstreamCall, address: UpstreamAddress, cause: Error): void {
    const another =
      call.connectTries < CONNECT_TRIES_MAX ? this.destination.pickAnother(address, CONNECT_FAILED, performance.now()) : null;
    if (another === null) {
      call.failed(reasonOf(cause), named(cause), CONNECT_FAILED);
      return;
    }
    call.address = another;
    this.connect(call, another);
  }

  private openSocket(address: string, read: (byteCount: number, bytes: Buffer) => boolean): Socket {
    const { host, port, isTls } = this.url;
    const options = {
      host: address,
      port,
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: (byteCount: number, bytes: Uint8Array) => read(byteCount, bytes as Buffer) },
    };
    if (!isTls) return connectTcp(options);
    // The certificate is checked against the name in the URL. An address is no name for SNI (RFC 6066 §3).
    const servername = isIP(host) === 0 ? host : '';
    return connectTls({
      ...options,
      servername,
      rejectUnauthorized: !this.settings.skipsVerification,
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    });
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

/** What OpenSSL and Node call the reasons for which a certificate is refused, in words. */
const CERTIFICATE_CAUSES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the upstream's certificate has expired",
  CERT_NOT_YET_VALID: "the upstream's certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "the upstream's certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the upstream's certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "the upstream's certificate is of an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "the upstream's certificate is of an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the upstream's certificate is of an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the upstream's certificate is of an unknown authority",
  CERT_REVOKED: "the upstream's certificate is revoked",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the upstream asks for a client certificate',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'the upstream refused the TLS handshake',
};

function named(cause: Error): Error {
  const { code } = cause as NodeJS.ErrnoException;
  const words = code === undefined ? undefined : CERTIFICATE_CAUSES[code];
  return words === undefined ? cause : new Error(`${words} (${code})`, { cause });
}
