/**
 * HTTP/1.1 in front of the engine, with node:http underneath: one Exchange per request, from its head to its record.
 *
 *   accept -> resolve host, path, stage -> route -> runProgram -> deliver -> record (always, once) -> back to the pool
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { BUILT_IN_FAULTS, FAULTS } from '@gatehouse/engine-faults';
import { ExchangePool, runProgram, type Exchange, type FaultKind, type FaultResponder, type LinkedStage } from '@gatehouse/engine-exchange';
import type { WorldKeeper } from '@gatehouse/engine-link';
import type { Recorder } from '@gatehouse/engine-record';
import type { Clock } from '@gatehouse/kernel';
import { acceptRequest } from './accept.js';
import { deliver } from './deliver.js';
import { parseHost, resolveTarget } from './target.js';

export interface HttpListenerOptions {
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
const HEADERS_MAX = 1_000;
/** What a caller may still send after its answer before its connection is cut; so that it can read the answer. */
const LATE_BODY_BYTES_MAX = 16 * 1024 * 1024;
const LATE_BODY_MS = 5_000;

/** The request a socket is busy with. */
interface InFlight {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The parser gave up behind this request: nothing more can be read. */
  isParserDead: boolean;
}

export class HttpListener {
  private readonly server: Server;
  private readonly pool = new ExchangePool();
  private readonly inFlight = new Map<Socket, InFlight>();
  private readonly baseSuffix: string;
  private readonly stalledCallerMs: number;
  private isClosing = false;

  constructor(private readonly options: HttpListenerOptions) {
    this.baseSuffix = `.execute-api.${options.baseDomain.toLowerCase()}`;
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
    this.server.maxHeadersCount = HEADERS_MAX;
    this.server.on('request', (request, response) => void this.serve(request, response, false));
    this.server.on('checkContinue', (request, response) => void this.serve(request, response, true));
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.unreadable(error, socket as Socket));
  }

  /** Rejects when the port is taken. */
  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
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
    return this.inFlight.size;
  }

  /** Takes no new connections, ends idle ones, lets requests finish; what is left at the deadline is cut. */
  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.isClosing = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    const deadline = setTimeout(() => this.server.closeAllConnections(), deadlineMs);
    await closed;
    clearTimeout(deadline);
  }

  private async serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const x = this.pool.acquire();
    const { socket } = request;
    const flight: InFlight = { request, response, isParserDead: false };
    this.inFlight.set(socket, flight);
    let isFinished = false;
    let isBodyWanted = !expectsContinue;
    response.on('close', () => {
      if (!isFinished) x.callerLeft();
    });
    response.on('error', () => response.destroy()); // written to after the caller left
    try {
      acceptRequest(x, request, this.options.clock.nowMs(), () => {
        if (!isBodyWanted) response.writeContinue();
        isBodyWanted = true;
      });
      await this.run(x, request);
      // A caller that was never told to send its body may or may not send it now: nothing behind it can be trusted.
      await deliver(x, response, { stalledCallerMs: this.stalledCallerMs, isLast: this.isClosing || !isBodyWanted || flight.isParserDead });
    } catch (bug) {
      x.fail(FAULTS.BUG, bug, 'serving a request');
      this.options.onBug?.(bug);
      response.destroy();
    } finally {
      isFinished = true;
      if (this.inFlight.get(socket) === flight) this.inFlight.delete(socket);
      this.options.recorder.record(x);
      this.pool.release(x);
      if (flight.isParserDead) socket.destroySoon();
      else if (!request.complete && !socket.destroyed) drainLateBody(request, socket);
    }
  }

  private async run(x: Exchange, request: IncomingMessage): Promise<void> {
    const { worlds } = this.options;
    const host = headerCount(request, 'host') === 1 ? parseHost(request.headers.host!) : null;
    if (host === null) return refuse(x, FAULTS.MALFORMED_TARGET, 'reading the Host header');
    x.host = host;
    const target = resolveTarget(host, request.url!, this.baseSuffix);
    if (target === 'MALFORMED') return refuse(x, FAULTS.MALFORMED_TARGET, 'reading the request target');
    if (target === 'UNKNOWN_HOST') return refuse(x, FAULTS.UNKNOWN_HOST, 'looking for an API');
    x.path = target.path;
    x.resourcePath = target.resourcePath;
    x.rawQuery = target.rawQuery;
    const world = worlds.current; // the only read of it for this request
    x.world = world;
    const found = worlds.stage(world, target.apiId, target.stage);
    const stage: LinkedStage | string = found instanceof Promise ? await found : found;
    if (stage === 'REFUSED') return refuse(x, FAULTS.API_CONFIGURATION_ERROR, 'linking the stage');
    if (typeof stage === 'string' || stage.snapshot.disableExecuteApiEndpoint) return refuse(x, FAULTS.UNKNOWN_HOST, 'looking for a stage');
    x.stage = stage;
    x.route = stage.match(x);
    if (x.route === null) return refuse(x, FAULTS.MISSING_AUTHENTICATION_TOKEN, 'looking for a route', stage.faults);
    await runProgram(x.route.program, x);
  }

  /** The parser cannot make sense of what came, or it came too slowly. */
  private unreadable(error: NodeJS.ErrnoException, socket: Socket): void {
    const flight = this.inFlight.get(socket);
    if (flight?.request.complete) {
      // Rubbish behind a good request: its answer is delivered, then the connection ends.
      flight.isParserDead = true;
      return;
    }
    if (!socket.writable || error.code === 'ECONNRESET' || flight?.response.headersSent) {
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

function refuse(x: Exchange, kind: FaultKind, doing: string, faults: FaultResponder = BUILT_IN_FAULTS): void {
  x.fail(kind, null, doing);
  faults.render(x);
}

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
