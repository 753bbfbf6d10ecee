/**
 * HTTP/1.1 on plain sockets in front of the engine: one Exchange per request, from its head to its record.
 *
 *   socket -> CallerConnection -> head -> Intake -> program -> answer -> record (always, once) -> back to the pool
 */
import { Intake, type IntakeOptions } from '@gatehouse/engine-accept';
import { ExchangePool, type Exchange } from '@gatehouse/engine-exchange';
import type { Recorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { DateLine } from './answer-head.js';
import { CallerConnection } from './caller-connection.js';
import { refusalAnswer, type ConnectionRefusal } from './connection-refusals.js';
import {
  DEFAULT_LISTENER_LIMITS,
  HTTP2_MAYBE,
  HTTP2_NO,
  HTTP2_YES,
  type ListenerCore,
  type ListenerLimits,
  type UpgradeRequest,
} from './listener-core.js';
import { MemoryWatch } from './memory-watch.js';

export interface Http1ListenerOptions extends IntakeOptions, Partial<ListenerLimits> {
  readonly recorder: Recorder;
  readonly clock: Clock;
  /** Something threw outside of every program: our bug. */
  readonly onBug?: (bug: unknown) => void;
  /** Told of every connection that was refused without an Exchange, by reason. */
  readonly onRefused?: (refusal: ConnectionRefusal) => void;
  /** Takes connections that open with HTTP/2's preface; their first bytes are still to be read. Without it they are refused. */
  readonly onHttp2?: (socket: Socket) => void;
  /**
   * Asked about each request with an Upgrade; who answers true has taken the socket and owes its caller the answer (101 or
   * another). Otherwise Upgrade is ignored, as it may be (RFC 9110 §7.8).
   */
  readonly onUpgrade?: (request: UpgradeRequest) => boolean;
  readonly memory?: MemoryWatch;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** Told so at once; what comes on top of them is closed unheard. */
const TURNED_AWAY_MAX = 16;
const SWEEP_MS_MAX = 1_000;
const SWEEP_MS_MIN = 20;

export class Http1Listener implements ListenerCore {
  readonly limits: ListenerLimits;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly dateLine = new DateLine();
  readonly onBug: ((bug: unknown) => void) | undefined;
  readonly onUpgrade: ((request: UpgradeRequest) => boolean) | undefined;
  isClosing = false;
  private isShut = false;

  private readonly server: Server;
  private readonly pool = new ExchangePool();
  private readonly connections = new Set<CallerConnection>();
  private readonly countByAddress = new Map<string, number>();
  private connectionCount = 0;
  private servingCount = 0;
  private readonly memory: MemoryWatch;
  private readonly sweeper: NodeJS.Timeout;
  private nowMs = performance.now();
  private onQuiet: (() => void) | null = null;

  constructor(private readonly options: Http1ListenerOptions) {
    this.limits = { ...DEFAULT_LISTENER_LIMITS, ...options };
    this.intake = new Intake(options);
    this.clock = options.clock;
    this.onBug = options.onBug;
    this.onUpgrade = options.onUpgrade;
    this.memory = options.memory ?? new MemoryWatch();
    this.server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.accept(socket));
    this.server.maxConnections = this.limits.connectionsMax + TURNED_AWAY_MAX;
    this.server.on('drop', () => this.refused('TOO_MANY_CONNECTIONS'));
    const { headTimeoutMs, requestTimeoutMs, keepAliveMs, stalledCallerMs } = this.limits;
    const shortest = Math.min(headTimeoutMs, requestTimeoutMs, keepAliveMs, stalledCallerMs);
    const everyMs = Math.max(SWEEP_MS_MIN, Math.min(SWEEP_MS_MAX, shortest / 4));
    this.sweeper = setInterval(() => this.sweep(), everyMs).unref();
  }

  /** Rejects when the port is taken. `reusePort`: several processes may listen on it. */
  async listen(port: number, host: string, { reusePort = false } = {}): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, host, reusePort, backlog: 4_096 }, () => {
        this.server.off('error', reject);
        this.server.on('error', (cause) => this.onBug?.(cause));
        resolve();
      });
    });
  }

  /** While it listens. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get inFlightCount(): number {
    return this.servingCount;
  }

  get openConnections(): number {
    return this.connectionCount;
  }

  get isShedding(): boolean {
    return this.memory.isHigh;
  }

  /** A connected socket of ours, or a TLS socket whose handshake is done. */
  accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '');
    const count = (this.countByAddress.get(address) ?? 0) + 1;
    const { connectionsMax, connectionsPerAddressMax } = this.limits;
    if (this.connectionCount >= connectionsMax || count > connectionsPerAddressMax || this.isShut) {
      this.turnAway(socket);
      return;
    }
    this.connectionCount++;
    this.countByAddress.set(address, count);
    this.connections.add(new CallerConnection(socket, address, this, performance.now()));
  }

  /**
   * From here on each answer ends its connection, and new connections are still taken: callers and balancers that do not know yet lose
   * nothing. An idle connection stays, because a request may be on its way on it; `close` ends it.
   */
  leave(): void {
    this.isClosing = true;
  }

  /** Takes no new connections, ends idle ones, lets requests finish; what is left at the deadline is cut. Resolves when all are recorded. */
  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.isClosing = true;
    this.isShut = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const connection of this.connections) connection.endWhenIdle();
    const deadline = setTimeout(() => {
      for (const { socket } of this.connections) socket.destroy();
    }, deadlineMs);
    await closed;
    if (this.servingCount > 0 || this.connections.size > 0) await new Promise<void>((resolve) => (this.onQuiet = resolve));
    clearTimeout(deadline);
    clearInterval(this.sweeper);
  }

  // ListenerCore

  acquire(): Exchange {
    this.servingCount++;
    return this.pool.acquire();
  }

  finished(x: Exchange): void {
    this.options.recorder.record(x);
    this.pool.release(x);
    this.servingCount--;
    this.lookForQuiet();
  }

  idleDeadline(): number {
    return this.nowMs + this.limits.keepAliveMs;
  }

  refused(refusal: ConnectionRefusal): void {
    this.options.onRefused?.(refusal);
  }

  forget(connection: CallerConnection): void {
    this.connections.delete(connection);
    this.gone(connection.sourceIp);
    this.lookForQuiet();
  }

  looksLikeHttp2(chunk: Buffer): typeof HTTP2_NO | typeof HTTP2_MAYBE | typeof HTTP2_YES {
    if (chunk[0] !== PREFACE[0] || chunk[1] !== PREFACE[1] || this.options.onHttp2 === undefined) return HTTP2_NO;
    const length = Math.min(chunk.length, PREFACE.length);
    if (PREFACE.compare(chunk, 0, length, 0, length) !== 0) return HTTP2_NO;
    return length === PREFACE.length ? HTTP2_YES : HTTP2_MAYBE;
  }

  handedOver(connection: CallerConnection): void {
    const { socket, sourceIp } = connection;
    this.connections.delete(connection);
    socket.once('close', () => this.gone(sourceIp));
    this.lookForQuiet();
  }

  acceptHttp2(socket: Socket): void {
    this.options.onHttp2!(socket);
  }

  private gone(address: string): void {
    this.connectionCount--;
    const left = this.countByAddress.get(address)! - 1;
    if (left === 0) this.countByAddress.delete(address);
    else this.countByAddress.set(address, left);
  }

  private turnAway(socket: Socket): void {
    this.refused('TOO_MANY_CONNECTIONS');
    socket.on('error', () => undefined);
    socket.end(refusalAnswer('TOO_MANY_CONNECTIONS'), 'latin1', () => socket.destroy());
  }

  private sweep(): void {
    this.nowMs = performance.now();
    this.memory.look();
    for (const connection of this.connections) connection.sweep(this.nowMs);
  }

  private lookForQuiet(): void {
    if (this.onQuiet !== null && this.servingCount === 0 && this.connections.size === 0) this.onQuiet();
  }
}

/** An IPv4 address on a dual-stack socket is shown as what it is. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
