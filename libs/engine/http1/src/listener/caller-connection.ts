/**
 * One caller's connection. Requests on it are served in turn: what is pipelined waits, bounded, until the answer before it is out.
 *
 *   IDLE -> HEAD -> SERVING -> [DRAINING] -> IDLE        DRAINING: the answer is out, the caller still sends its body
 *                      \-> CLOSING                       CLOSING: our side has ended, what still comes is thrown away
 *
 * A small answer leaves in one write together with its head. Nothing is ever written in front of an answer that is due.
 */
import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { isBodyless, letGo, refuseRequest, renderBug, visibleHeaders } from '@gatehouse/engine-accept';
import { HeaderBlock, latin1Of, passedTrailers, settleProgram, type Exchange } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { frameRequest, type RequestFraming } from '../framing.js';
import { NEED_MORE } from '../head-collector.js';
import { Refusal } from '../refusals.js';
import { RequestHeadParser, type RequestHead } from '../request-head.js';
import { ChunkedEncoder } from '../write.js';
import { AnswerBody } from '../upstream/answer-body.js';
import { CHUNKS } from '../upstream/chunk-pool.js';
import { answerHead, frameAnswer, type AnswerFraming } from './answer-head.js';
import { refusalAnswer, type ConnectionRefusal } from './connection-refusals.js';
import { HTTP2_MAYBE, HTTP2_YES, type ListenerCore } from './listener-core.js';
import { IncomingBody, type BodySource } from './request-body.js';

const IDLE = 0;
const HEAD = 1;
const SERVING = 2;
const DRAINING = 3;
const CLOSING = 4;

/** A body up to this size is copied into one write with its head; a larger one is handed to the kernel beside it. */
const JOINED_BYTES_MAX = 16_384;
/** Pipelined bytes that wait; then reading stops. */
const HELD_BYTES_MAX = 65_536;
/** What a caller may still send after its answer before its connection is cut; so that it can read the answer. */
const LATE_BODY_BYTES_MAX = 16 * 1024 * 1024;
const LATE_BODY_MS = 5_000;
/** How long an idle connection remembers the head before. */
const MEMORY_MS = 5_000;
const NEVER = Number.POSITIVE_INFINITY;

export class CallerConnection implements BodySource {
  readonly socket: OwnedSocket;
  private readonly portText: string;
  private readonly isEncrypted: boolean;
  private state = IDLE;
  private readonly parser: RequestHeadParser;
  private held: Buffer | null = null;
  private isPumping = false;
  private isPaused = false;
  private requestCount = 0;

  // The request in flight.
  private x: Exchange | null = null;
  private body: IncomingBody | null = null;
  private minorVersion: 0 | 1 = 1;
  private isKeptAlive = true;
  private awaitsContinue = false;
  private hasAnswerBegun = false;

  /** Nothing more comes from the caller, or nothing that could be understood. */
  private isInputOver = false;
  private isRunning = false;
  private pausedAtMs = 0;
  private onDrain: (() => void) | null = null;
  private onGone: (() => void) | null = null;
  /** When the connection's patience ends, on the clock of `performance.now()`. */
  private deadlineAtMs: number;
  private lateBytes = 0;
  /** The caller has not taken all that is written, and the socket's timeout runs. */
  private isWritingWatched = false;

  constructor(
    socket: Socket,
    /** IPv4 or IPv6, plain. */
    readonly sourceIp: string,
    private readonly core: ListenerCore,
    nowMs: number,
  ) {
    this.socket = socket as OwnedSocket;
    this.socket[CONNECTION] = this;
    this.portText = String(socket.localPort ?? '');
    this.isEncrypted = 'encrypted' in socket;
    this.parser = new RequestHeadParser(core.limits.head);
    this.deadlineAtMs = nowMs + core.limits.headTimeoutMs;
    this.attach();
  }

  // Bytes in

  received(chunk: Buffer): void {
    switch (this.state) {
      case SERVING:
        if (this.body !== null && !this.body.isComplete && !this.isInputOver) this.readBody(this.body, chunk);
        else this.hold(chunk);
        break;
      case DRAINING:
        this.readBody(this.body!, chunk);
        break;
      case CLOSING:
        this.lateBytes += chunk.length;
        if (this.lateBytes > LATE_BODY_BYTES_MAX) this.socket.destroy();
        break;
      default:
        this.hold(chunk);
        this.pump();
    }
  }

  /** Requests that wait, one after the other; a loop, because an answer may be there before `readHead` returns. */
  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    while (this.held !== null && this.state <= HEAD && !this.socket.writableNeedDrain) {
      const chunk = this.held;
      if (this.requestCount === 0 && this.state === IDLE && this.isHttp2(chunk)) break;
      this.held = null;
      this.readHead(chunk);
    }
    this.isPumping = false;
    if (this.held === null && this.state <= HEAD) this.resumeReading();
  }

  private hold(chunk: Buffer): void {
    if (this.isInputOver) return;
    this.held = this.held === null ? chunk : Buffer.concat([this.held, chunk]);
    if (this.held.length > HELD_BYTES_MAX) this.pauseReading();
  }

  /** The connection speaks HTTP/2 and is somebody else's now, or may yet turn out to: then its bytes wait. */
  private isHttp2(chunk: Buffer): boolean {
    const verdict = this.core.looksLikeHttp2(chunk);
    if (verdict === HTTP2_MAYBE) return true;
    if (verdict !== HTTP2_YES) return false;
    const { socket } = this;
    this.letGoOfSocket();
    socket.pause();
    socket.unshift(chunk);
    this.core.handedOver(this);
    this.core.acceptHttp2(socket);
    return true;
  }

  private readHead(chunk: Buffer): void {
    const head = this.parser.feed(chunk);
    if (head === NEED_MORE) {
      if (this.state === IDLE) this.deadlineAtMs = performance.now() + this.core.limits.headTimeoutMs;
      this.state = HEAD;
    } else if (head instanceof Refusal) this.refuse(head.reason);
    else if (this.core.isShedding) this.refuse('OVERLOADED');
    else this.begin(head, chunk, this.parser.consumedBytes);
  }

  private begin(head: RequestHead, chunk: Buffer, at: number): void {
    const { lines } = head;
    const framing = (lines.framing ??= frameRequest(head));
    if (framing instanceof Refusal) {
      this.refuse(framing.reason);
      return;
    }
    if (framing.upgrade !== null && this.isUpgraded(head, framing.upgrade, chunk.subarray(at))) return;
    const nowMs = performance.now();
    const x = this.core.acquire();
    this.x = x;
    this.state = SERVING;
    this.requestCount++;
    this.minorVersion = head.minorVersion;
    this.isKeptAlive = framing.isKeptAlive;
    this.awaitsContinue = framing.expectsContinue;
    this.hasAnswerBegun = false;
    this.deadlineAtMs = nowMs + this.core.limits.requestTimeoutMs;
    x.startedAtMs = nowMs;
    x.httpMethod = head.method;
    if (head.minorVersion === 0) x.protocol = 'HTTP/1.0';
    const block = (lines.visible ??= new HeaderBlock(visibleHeaders(head.headers)));
    x.requestBlock = block;
    x.requestHeaders = block.fields;
    x.takesTrailers = framing.takesTrailers;
    x.sourceIp = this.sourceIp;
    x.forwardedPort = this.portText;
    x.forwardedProto = this.isEncrypted ? 'https' : 'http';
    this.core.intake.identify(x, head.target, this.core.clock.nowMs());
    const end = framing.body === 'none' ? at : this.beginBody(x, framing, chunk, at);
    if (end === -1) return;
    if (end < chunk.length) this.held = chunk.subarray(end);
    if (framing.body === 'none') this.deadlineAtMs = NEVER; // the request is whole: what follows has its own limits
    this.run(x, head.host, head.target);
  }

  /** Somebody else speaks another protocol on the socket from here on. */
  private isUpgraded({ method, target, host, headers }: RequestHead, protocol: string, leftover: Buffer): boolean {
    const { core, socket } = this;
    if (core.onUpgrade === undefined) return false;
    // Nothing may come to us, nor get lost, while it changes hands.
    socket.pause();
    this.detach();
    const isTaken = core.onUpgrade({ httpMethod: method, target, host, headers, protocol, socket, leftover });
    if (isTaken) {
      this.letGoOfSocket();
      core.handedOver(this);
    } else this.attach();
    socket.resume();
    return isTaken;
  }

  private attach(): void {
    for (const [event, listener] of LISTENERS) this.socket.on(event, listener);
  }

  private detach(): void {
    for (const [event, listener] of LISTENERS) this.socket.off(event, listener);
  }

  private letGoOfSocket(): void {
    this.held = null;
    this.state = CLOSING;
    this.deadlineAtMs = NEVER;
    this.socket.setTimeout(0);
    this.detach();
  }

  /** Where the next request starts; -1 when the body is broken. */
  private beginBody(x: Exchange, framing: RequestFraming, chunk: Buffer, at: number): number {
    const body = new IncomingBody(framing, this.core.limits.chunked, this);
    this.body = body;
    x.requestBody = body;
    const end = body.takeFirst(chunk, at);
    if (end instanceof Refusal) {
      this.refuse(end.reason);
      return -1;
    }
    if (body.isComplete) this.bodyComplete();
    return end;
  }

  private readBody(body: IncomingBody, chunk: Buffer): void {
    const end = body.take(chunk, 0);
    if (end instanceof Refusal) {
      this.refuse(end.reason);
      return;
    }
    if (body.isComplete) this.bodyComplete();
    if (end < chunk.length) this.hold(chunk.subarray(end));
    if (this.state !== DRAINING) return;
    if (body.isComplete) this.next();
    else if (body.discardedBytes > LATE_BODY_BYTES_MAX) this.socket.destroy();
  }

  private bodyComplete(): void {
    this.awaitsContinue = false; // it sent the body unasked, as it may
    if (this.state === SERVING) this.deadlineAtMs = NEVER;
  }

  // BodySource

  pauseReading(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.pausedAtMs = performance.now();
    this.socket.pause();
  }

  resumeReading(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.deadlineAtMs += performance.now() - this.pausedAtMs; // that time was ours, not the caller's
    this.socket.resume();
  }

  askForBody(): void {
    if (!this.awaitsContinue || this.hasAnswerBegun) return;
    this.awaitsContinue = false;
    this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  // The program

  private run(x: Exchange, host: string, target: string): void {
    if (this.core.intake.start(x, host, target)) this.over();
    else {
      this.isRunning = true;
      x.onOver = this.over;
    }
  }

  private readonly over = (): void => {
    const x = this.x!;
    this.isRunning = false;
    try {
      this.deliver(x);
    } catch (bug) {
      this.answerBug(x, bug);
    }
  };

  /** Outside of every program: the answer could not be written, or we have a bug. */
  private answerBug(x: Exchange, bug: unknown): void {
    this.core.onBug?.(bug);
    if (this.hasAnswerBegun) {
      x.fail(FAULTS.BUG, bug, 'serving a request');
      this.cut();
      return;
    }
    renderBug(x, bug);
    this.isKeptAlive = false;
    this.deliver(x);
  }

  // The answer

  private deliver(x: Exchange): void {
    if (x.isCallerGone) {
      this.finish(x, true);
      return;
    }
    const body = isBodyless(x) ? null : x.responseBody;
    const isStream = body !== null && !Buffer.isBuffer(body);
    const framing = frameAnswer(x, this.minorVersion, isStream);
    const isLast = this.isLast || framing === 'until-close';
    const head = answerHead(x, framing, this.minorVersion, isLast, this.core.dateLine.at(x.receivedAtMs));
    if (head === null) throw new Error(`an answer that cannot be written: status ${x.status}`);
    this.hasAnswerBegun = true;
    if (isStream) {
      this.stream(x, head, body, framing, isLast);
      return;
    }
    this.write(head, body);
    if (body !== null) x.deliveredBytes = body.length;
    this.finish(x, isLast);
  }

  /** Whether the connection ends with the answer that is due. */
  private get isLast(): boolean {
    return (
      !this.isKeptAlive ||
      this.awaitsContinue ||
      this.isInputOver ||
      this.core.isClosing ||
      this.core.isShedding ||
      this.requestCount >= this.core.limits.requestsPerConnectionMax
    );
  }

  private write(head: string, body: Buffer | null): void {
    const { socket } = this;
    if (body === null || body.length === 0) socket.write(head, 'latin1');
    else if (body.length <= JOINED_BYTES_MAX) socket.write(head + latin1Of(body), 'latin1');
    else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    }
  }

  private stream(x: Exchange, head: string, body: Readable, framing: AnswerFraming, isLast: boolean): void {
    const { socket } = this;
    const encoder = framing === 'chunked' ? new ChunkedEncoder() : null;
    let isOver = false;
    socket.write(head, 'latin1');
    const end = (isWhole: boolean, cause: unknown = null): void => {
      if (isOver) return; // the Exchange is somebody else's afterwards
      isOver = true;
      this.onDrain = null;
      this.onGone = null;
      if (isWhole && !x.isCallerGone) {
        if (encoder !== null) socket.write(lastChunk(encoder, x.takesTrailers ? passedTrailers(body) : null), 'latin1');
        this.finish(x, isLast);
        return;
      }
      if (x.isCallerGone) x.fail(FAULTS.CALLER_LEFT, cause, 'sending the answer');
      else x.fail(FAULTS.INTEGRATION_FAILURE, cause, "streaming the backend's body");
      this.cut();
    };
    this.onDrain = () => body.resume();
    this.onGone = () => end(false);
    const write = chunkWriter(socket, body);
    body.on('data', (chunk: Buffer) => {
      if (isOver) return;
      x.deliveredBytes += chunk.length;
      if (encoder === null) {
        if (!write(chunk)) body.pause();
        return;
      }
      socket.cork();
      socket.write(encoder.prefix(chunk.length), 'latin1');
      const isTaken = write(chunk);
      socket.uncork();
      if (!isTaken) body.pause();
    });
    body.on('end', () => end(framing !== 'length' || x.deliveredBytes === x.responseBodyBytes));
    body.on('error', (cause) => end(false, cause));
    body.on('close', () => end(body.readableEnded && (framing !== 'length' || x.deliveredBytes === x.responseBodyBytes)));
  }

  drained(): void {
    this.onDrain?.();
    if (this.state <= HEAD) this.pump();
  }

  /** The answer broke off: the connection is cut, never padded. */
  private cut(): void {
    this.socket.destroy();
    this.finish(this.x!, true);
  }

  /** Exactly once per Exchange. */
  private finish(x: Exchange, isLast: boolean): void {
    letGo(x);
    this.x = null;
    this.core.finished(x);
    if (this.socket.destroyed) return;
    if (isLast) this.endSoon();
    else if (this.body !== null && !this.body.isComplete) this.drain(this.body);
    else this.next();
  }

  private drain(body: IncomingBody): void {
    this.state = DRAINING;
    this.deadlineAtMs = performance.now() + LATE_BODY_MS;
    body.discard();
  }

  private next(): void {
    this.body = null;
    this.state = IDLE;
    this.deadlineAtMs = this.core.idleDeadline();
    this.resumeReading();
    if (this.isInputOver) this.endSoon();
    else if (this.held !== null) this.pump();
    else if (this.core.isClosing) this.endSoon();
  }

  // Ends

  /** Ends our side; what the caller still sends is read and thrown away, so that the kernel does not reset what it has not read. */
  private endSoon(): void {
    this.state = CLOSING;
    this.held = null;
    this.body?.discard();
    this.deadlineAtMs = performance.now() + LATE_BODY_MS;
    this.resumeReading();
    this.socket.end();
  }

  /**
   * What came is none of HTTP, too much of it, too slow, or too much for us. A request in flight ends with it; behind an answer
   * that has begun nothing goes out.
   */
  private refuse(refusal: ConnectionRefusal): void {
    this.core.refused(refusal);
    this.isInputOver = true;
    this.held = null;
    const { x } = this;
    if (x !== null) {
      this.body?.fail(new Error(`request ended: ${refusal}`));
      x.callerLeft();
      if (this.hasAnswerBegun) {
        this.onGone?.();
        this.socket.destroy();
        return;
      }
      this.hasAnswerBegun = true;
      settleProgram(x);
    }
    this.socket.write(refusalAnswer(refusal), 'latin1');
    this.endSoon();
    if (x === null || this.isRunning) return; // a running program ends by itself: its caller is gone
    refuseRequest(x, FAULTS.DEFAULT_4XX, `reading the request: ${refusal}`);
    this.finish(x, true);
  }

  /** Asked now and then. */
  sweep(nowMs: number): void {
    this.watchWriting(this.socket.writableLength > 0);
    // An answer on its way has all the time its caller needs to take it, as long as it takes something.
    if (this.isWritingWatched && this.state === CLOSING) this.deadlineAtMs = nowMs + LATE_BODY_MS;
    else if (nowMs > this.deadlineAtMs) this.outOfTime();
    if (this.state === IDLE && nowMs > this.deadlineAtMs - this.core.limits.keepAliveMs + MEMORY_MS) this.parser.forget();
  }

  private outOfTime(): void {
    this.deadlineAtMs = NEVER;
    if (this.state === IDLE && this.held === null) this.endSoon();
    else if (this.state <= SERVING) this.refuse('TOO_SLOW');
    else this.socket.destroy();
  }

  /** By the socket's own timeout: it alone sees how far a single large write has come. */
  private watchWriting(isWriting: boolean): void {
    if (isWriting === this.isWritingWatched) return;
    this.isWritingWatched = isWriting;
    this.socket.setTimeout(isWriting ? this.core.limits.stalledCallerMs : 0);
  }

  /** Nothing moved in either direction for `stalledCallerMs`. */
  stalled(): void {
    if (this.socket.writableLength > 0) this.socket.destroy();
  }

  /** No new requests: what is in flight gets its answer, with `Connection: close`. */
  endWhenIdle(): void {
    if (this.state === IDLE && this.held === null) this.socket.destroy();
  }

  /**
   * The caller has ended its side. Most that do so are gone altogether and TCP cannot tell the difference, so unless the operator
   * says otherwise the request ends here (nginx and Node do the same).
   */
  ended(): void {
    this.isInputOver = true;
    if (this.state === SERVING) {
      const isWhole = this.body === null || this.body.isComplete;
      if (!isWhole || !this.core.limits.allowsHalfClosed) this.callerLeft();
    } else if (this.state === DRAINING) this.socket.destroy();
    else if (this.state !== CLOSING) this.endSoon();
  }

  closed(): void {
    this.callerLeft();
    this.core.forget(this);
  }

  private callerLeft(): void {
    const { x } = this;
    if (x === null) return;
    this.body?.fail(new Error('the caller left'));
    x.callerLeft();
    this.onGone?.();
  }
}

const CONNECTION = Symbol('caller connection');

interface OwnedSocket extends Socket {
  [CONNECTION]: CallerConnection;
}

/** The same functions for every socket: closures of its own would cost each idle connection half a kilobyte. */
const LISTENERS: readonly (readonly [event: string, listener: (this: OwnedSocket, chunk: Buffer) => void])[] = [
  [
    'data',
    function (chunk) {
      this[CONNECTION].received(chunk);
    },
  ],
  [
    'end',
    function () {
      this[CONNECTION].ended();
    },
  ],
  [
    'drain',
    function () {
      this[CONNECTION].drained();
    },
  ],
  [
    'timeout',
    function () {
      this[CONNECTION].stalled();
    },
  ],
  ['error', () => undefined], // 'close' follows
  [
    'close',
    function () {
      this[CONNECTION].closed();
    },
  ],
];

/** Writes the chunks of `body`; those of an upstream's answer are used again once they are out. */
function chunkWriter(socket: Socket, body: Readable): (chunk: Buffer) => boolean {
  if (!(body instanceof AnswerBody) || body.readableLength > 0) return (chunk) => socket.write(chunk);
  body.isPooled = true;
  return (chunk) => socket.write(chunk, () => CHUNKS.giveBack(chunk));
}

/** They hold nothing that cannot be written: see `passedTrailers`. */
function lastChunk(encoder: ChunkedEncoder, trailers: readonly string[] | null): string {
  return encoder.end(trailers === null ? undefined : [...trailers]) as string;
}
