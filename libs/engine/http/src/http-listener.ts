/**
 * HTTP/1.1 in front of the engine, with node:http underneath: one Exchange per request, from its head to its record.
 *
 *   accept -> resolve host, path, stage -> route -> runProgram -> deliver -> record (always, once) -> back to the pool
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { FAULTS } from '@gatehouse/engine-faults';
import { Intake, type IntakeOptions, letGo, refuseRequest, renderBug } from '@gatehouse/engine-accept';
import { ExchangePool, type Exchange } from '@gatehouse/engine-exchange';
import type { WorldKeeper } from '@gatehouse/engine-link';
import type { Recorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import { acceptRequest, hasKnownFraming } from './accept.js';
import { Call, Connection } from './connection.js';
import { deliver } from './deliver.js';

export interface HttpListenerOptions extends Pick<IntakeOptions, 'tracing'> {
  readonly worlds: Pick<WorldKeeper, 'current' | 'stage'>;
  readonly recorder: Recorder;
  readonly clock: Clock;
  /** E.g. `localhost`: APIs answer on `{apiId}.execute-api.localhost`. */
  readonly baseDomain: string;
  /** Something threw outside of every program: our bug. */
  readonly onBug?: (bug: unknown) => void;
  /** For the whole head of a request. */
  readonly headTimeoutMs?: number;
  /** For a whole request, body included. */
  readonly requestTimeoutMs?: number;
  /** A connection without a request is closed after this (data-plane reference §10.9: 310 s). */
  readonly keepAliveMs?: number;
  readonly stalledCallerMs?: number;
}

/** Request line and headers; data-plane reference §13 "accept 20480". */
const HEAD_BYTES_MAX = 20_480;
/** What a caller may still send after its answer before its connection is cut; so that it can read the answer. */
const LATE_BODY_BYTES_MAX = 16 * 1024 * 1024;
const LATE_BODY_MS = 5_000;

export class HttpListener {
  private readonly server: Server;
  private readonly pool = new ExchangePool();
  private readonly connections = new Map<Socket, Connection>();
  private servingCount = 0;
  private onIdle: (() => void) | null = null;
  private readonly intake: Intake;
  private readonly stalledCallerMs: number;
  private isClosing = false;

  constructor(private readonly options: HttpListenerOptions) {
    this.intake = new Intake(options);
    this.stalledCallerMs = options.stalledCallerMs ?? 60_000;
    this.server = createServer({
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: options.headTimeoutMs ?? 10_000,
      requestTimeout: options.requestTimeoutMs ?? 60_000,
      keepAliveTimeout: options.keepAliveMs ?? 310_000,
      connectionsCheckingInterval: 1_000,
      requireHostHeader: false, // answered by us, with a body
      insecureHTTPParser: false,
    });
    this.server.maxHeadersCount = 0; // any other number drops the headers beyond it without a word; the head's size is limited
    this.server.on('connection', (socket) => this.connected(socket));
    this.server.on('request', (request, response) => void this.serve(request, response, false));
    this.server.on('checkContinue', (request, response) => void this.serve(request, response, true));
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.unreadable(error, socket as Socket));
  }

  /** Rejects when the port is taken. `reusePort`: other processes may listen on it too, and the kernel spreads connections. */
  async listen(port: number, host: string, options: { readonly reusePort?: boolean } = {}): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, host, reusePort: options.reusePort ?? false }, () => {
        this.server.off('error', reject);
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

  /** Takes no new connections, ends idle ones, lets requests finish; what is left at the deadline is cut. Resolves when all are recorded. */
  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.isClosing = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    // node:http takes a connection on which nothing came yet for a busy one.
    for (const { socket, calls } of this.connections.values()) if (calls.size === 0 && socket.bytesRead === 0) socket.destroy();
    const deadline = setTimeout(() => this.server.closeAllConnections(), deadlineMs);
    await closed;
    clearTimeout(deadline);
    if (this.servingCount > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
  }

  private connected(socket: Socket): void {
    this.connections.set(socket, new Connection(socket));
    socket.on('close', () => this.connections.delete(socket));
  }

  private async serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const x = this.pool.acquire();
    const connection = this.connections.get(request.socket)!;
    const call = new Call(x, request, response, connection, expectsContinue);
    connection.calls.add(call);
    this.servingCount++;
    response.on('error', () => response.destroy()); // written to after the caller left
    try {
      acceptRequest(x, request, this.intake, this.options.clock.nowMs(), () => call.askForBody());
      await this.run(x, request);
      await deliver(call, this.deliverOptions(call));
    } catch (bug) {
      await this.answerBug(call, bug);
    } finally {
      letGo(x);
      connection.calls.delete(call);
      this.options.recorder.record(x);
      this.pool.release(x);
      this.servingCount--;
      this.tidy(call);
      if (this.servingCount === 0) this.onIdle?.();
    }
  }

  private deliverOptions(call: Call): { readonly stalledCallerMs: number; readonly isLast: boolean } {
    const { calls, isBroken } = call.connection;
    const isOnly = calls.size === 1;
    return { stalledCallerMs: this.stalledCallerMs, isLast: call.endsInDoubt || (isOnly && (this.isClosing || isBroken)) };
  }

  /** Outside of every program: the answer could not be written, or we have a bug. */
  private async answerBug(call: Call, bug: unknown): Promise<void> {
    const { x, response } = call;
    this.options.onBug?.(bug);
    if (response.headersSent) {
      x.fail(FAULTS.BUG, bug, 'serving a request');
      response.destroy();
      return;
    }
    renderBug(x, bug);
    await deliver(call, { stalledCallerMs: this.stalledCallerMs, isLast: true });
  }

  /** What becomes of the connection after one of its calls. */
  private tidy({ request, connection }: Call): void {
    const { socket, calls, isBroken } = connection;
    if (socket.destroyed) return;
    if (isBroken ? !connection.owesAnswers : this.isClosing && calls.size === 0) socket.destroySoon();
    else if (!request.complete) drainLateBody(request, socket);
  }

  private run(x: Exchange, request: IncomingMessage): void | Promise<void> {
    if (!hasKnownFraming(request)) return refuseRequest(x, FAULTS.MALFORMED_TARGET, 'reading Transfer-Encoding');
    return this.intake.run(x, headerCount(request, 'host') === 1 ? request.headers.host! : null, request.url!);
  }

  /** The parser cannot make sense of what came, or it came too slowly. */
  private unreadable(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.connections.get(socket);
    if (connection === undefined || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    connection.isBroken = true;
    // At most the newest request is incomplete: it is what broke. Otherwise it is what came behind the newest.
    const broken = [...connection.calls].at(-1);
    const isMidway = broken !== undefined && !broken.request.complete;
    if (isMidway) broken.callerLeft();
    if (connection.owesAnswers) return; // nothing may go out in front of them; `tidy` ends the connection
    if (isMidway && broken.response.headersSent) {
      socket.destroy();
      return;
    }
    const [status, message] = UNREADABLE[error.code ?? ''] ?? (['400 Bad Request', 'Bad Request'] as const);
    const body = JSON.stringify({ message });
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nx-amzn-ErrorType: BadRequestException\r\n` +
        `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      () => socket.destroy(),
    );
  }
}

const UNREADABLE: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'Request Header Fields Too Large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Payload Too Large', 'Payload Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'Request Timeout'],
};

function headerCount(request: IncomingMessage, lowerName: string): number {
  let count = 0;
  for (let i = 0; i < request.rawHeaders.length; i += 2) if (request.rawHeaders[i]!.toLowerCase() === lowerName) count++;
  return count;
}

/**
 * The answer is out and the caller still sends. Cutting the connection now could take the answer from it (its bytes in our
 * receive buffer make the kernel reset the connection), so the rest is read and thrown away, within bounds.
 */
function drainLateBody(request: IncomingMessage, socket: Socket): void {
  let bytes = 0;
  const cut = setTimeout(() => socket.destroy(), LATE_BODY_MS);
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LATE_BODY_BYTES_MAX) socket.destroy();
  });
  request.on('error', () => undefined);
  request.on('close', () => clearTimeout(cut));
  request.resume();
}
