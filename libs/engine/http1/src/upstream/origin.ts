/** The connections to one origin: idle ones, newest first; those in use; and the calls that wait for one. */
import type { AddressRules } from '@gatehouse/engine-upstream';
import { ForbiddenAddress } from '@gatehouse/engine-upstream';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ChunkedLimits, HeadLimits } from '../head-limits.js';
import type { OriginUrl } from './origin-url.js';
import { outgoingHead } from './request-head.js';
import type { UpstreamCall } from './upstream-call.js';
import { READ_BUFFER, UpstreamConnection, type ConnectionOwner } from './upstream-connection.js';

export interface OriginSettings {
  readonly addressRules: AddressRules;
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
  readonly isForbidden: boolean;
  private readonly hostLine: string;
  /** Those on their way included. */
  connectionCount = 0;
  private idle: UpstreamConnection[] = [];
  private readonly connecting = new Set<Connecting>();
  private readonly waiting: UpstreamCall[] = [];
  private isClosing = false;
  private onClosed: (() => void) | null = null;

  constructor(
    private readonly url: OriginUrl,
    private readonly settings: OriginSettings,
  ) {
    this.hostLine = `Host: ${url.hostHeader}\r\n`;
    this.isForbidden = !settings.addressRules.allowsHost(url.host, url.port);
  }

  get headLimits(): HeadLimits {
    return this.settings.headLimits;
  }

  get chunkedLimits(): ChunkedLimits {
    return this.settings.chunkedLimits;
  }

  start(call: UpstreamCall): void {
    const connection = this.idle.pop();
    if (connection !== undefined) this.send(call, connection);
    else if (this.connectionCount < this.settings.connectionsMax) this.connect(call);
    else if (this.waiting.length < this.settings.waitingMax) this.waiting.push(call);
    else call.failed('UNAVAILABLE', new Error('too many calls wait for this upstream'), 1_000);
  }

  sweep(nowMs: number): void {
    this.nowMs = nowMs;
    for (const attempt of this.connecting) {
      if (nowMs > attempt.deadlineAtMs) attempt.socket.destroy(new ConnectTimeout(this.settings.connectTimeoutMs));
    }
    // The newest are taken first, so the oldest stand in front.
    while (this.idle.length > 0 && nowMs - this.idle[0]!.idleSinceMs > this.settings.idleConnectionMs) this.idle[0]!.destroy();
  }

  /** Resolves when running calls have ended. */
  async close(): Promise<void> {
    this.isClosing = true;
    for (const connection of [...this.idle]) connection.destroy();
    if (this.connectionCount > 0) await new Promise<void>((resolve) => (this.onClosed = resolve));
  }

  // ConnectionOwner

  released(connection: UpstreamConnection): void {
    const next = this.nextWaiting();
    if (next !== null) this.send(next, connection);
    else if (this.isClosing) connection.destroy();
    else {
      connection.idleSinceMs = this.nowMs;
      this.idle.push(connection);
    }
  }

  closed(connection: UpstreamConnection, call: UpstreamCall | null, cause: Error): void {
    const index = this.idle.lastIndexOf(connection);
    if (index !== -1) this.idle.splice(index, 1);
    if (call !== null) {
      if (call.mayRetry(connection)) {
        call.isRetry = true;
        this.connect(call); // not from the pool: another idle connection may be as stale
      } else call.failed('NETWORK', cause);
    }
    this.connectionGone();
  }

  private connectionGone(): void {
    this.connectionCount--;
    const next = this.nextWaiting();
    if (next !== null) this.connect(next);
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
    call.failed('ADDRESS', new Error('the request cannot be written: a line break or control byte in its head'));
  }

  private connect(call: UpstreamCall): void {
    this.connectionCount++;
    let connection: UpstreamConnection | null = null;
    const socket = this.openSocket((byteCount, bytes) => connection?.read(byteCount, bytes) ?? false);
    const attempt = { socket, call, deadlineAtMs: performance.now() + this.settings.connectTimeoutMs };
    this.connecting.add(attempt);
    const failed = (cause: Error): void => {
      if (!this.connecting.delete(attempt)) return;
      call.connection = null;
      call.failed(reasonOf(cause), named(cause));
      this.connectionGone();
    };
    socket.once('error', failed);
    socket.once('close', () => failed(new Error('the upstream closed the connection')));
    socket.once(this.url.isTls ? 'secureConnect' : 'connect', () => {
      if (!this.connecting.delete(attempt)) return;
      socket.removeAllListeners('close');
      connection = new UpstreamConnection(socket, this);
      socket.off('error', failed);
      if (call.isOver) this.released(connection);
      else this.send(call, connection);
    });
  }

  private openSocket(read: (byteCount: number, bytes: Buffer) => boolean): Socket {
    const { host, port, isTls } = this.url;
    const options = {
      host,
      port,
      noDelay: true,
      lookup: this.settings.addressRules.lookupFor(port),
      onread: { buffer: READ_BUFFER, callback: (byteCount: number, bytes: Uint8Array) => read(byteCount, bytes as Buffer) },
    };
    if (!isTls) return connectTcp(options);
    // An address is no name for SNI (RFC 6066 §3); the certificate is checked against it all the same.
    return connectTls({
      ...options,
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: !this.settings.skipsVerification,
    });
  }
}

class ConnectTimeout extends Error {
  constructor(timeoutMs: number) {
    super(`no connection within ${timeoutMs} ms`);
    this.name = 'ConnectTimeout';
  }
}

function reasonOf(cause: Error): 'TIMEOUT' | 'FORBIDDEN_ADDRESS' | 'NETWORK' {
  if (cause instanceof ForbiddenAddress) return 'FORBIDDEN_ADDRESS';
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
