/**
 * One connection to an upstream: one call at a time, then back to its pool. It is used again only when both messages were whole and
 * nothing came behind the answer.
 *
 *   CONNECTING -> IDLE <-> CALLING        anything unexpected -> destroyed
 *
 * All connections read into one buffer: a read is looked at, and what is kept of it copied, before the next one happens. While a body
 * only passes through and comes fast, its connection reads into chunks of its own, which are handed on as they are.
 */
import { Buffer } from 'node:buffer';
import { latin1Of } from '@gatehouse/engine-exchange';
import { RESET, UNREADABLE, type FailureKind, type UpstreamAddress } from '@gatehouse/engine-upstream';
import type { Readable } from 'node:stream';
import type { Socket } from 'node:net';
import { CHUNK_DATA, CHUNKS_END, ChunkedDecoder, type ChunkVerdict } from '../chunked-decoder.js';
import { frameResponse, type Framing } from '../framing.js';
import { NEED_MORE } from '../head-collector.js';
import type { ChunkedLimits, HeadLimits } from '../head-limits.js';
import { REFUSALS, Refusal } from '../refusals.js';
import { ResponseHeadParser, type ResponseHead } from '../response-head.js';
import { ChunkedEncoder } from '../write.js';
import { AnswerBody, type AnswerSource } from './answer-body.js';
import { CHUNKS, COPIED_BYTES_MAX } from './chunk-pool.js';
import type { OutgoingHead } from './request-head.js';
import type { UpstreamCall } from './upstream-call.js';

/** One read of anything but a body that passes through. */
export const READ_BUFFER = Buffer.allocUnsafeSlow(COPIED_BYTES_MAX);

/** A body up to this size goes out in one write with its head. */
const JOINED_BYTES_MAX = 16_384;
/** Interim answers before the real one. */
const INTERIM_MAX = 16;

export interface ConnectionOwner {
  readonly headLimits: HeadLimits;
  readonly chunkedLimits: ChunkedLimits;
  /** Free for the next call. */
  released(connection: UpstreamConnection): void;
  /** Gone; `call` is what it was carrying, not settled yet. */
  closed(connection: UpstreamConnection, call: UpstreamCall | null, cause: Error, kind: FailureKind): void;
}

export class UpstreamConnection implements AnswerSource {
  isDead = false;
  answerCount = 0;
  idleSinceMs = 0;
  private call: UpstreamCall | null = null;
  private readonly parser: ResponseHeadParser;
  private hasReadAnything = false;
  private interimCount = 0;

  // What a repeated head was found to mean, for any method but HEAD.
  private framedHead: ResponseHead | null = null;
  private framed: Framing | Refusal | null = null;

  // The answer in flight.
  private framing: Framing | null = null;
  private body: AnswerBody | null = null;
  private decoder: ChunkedDecoder | null = null;
  private leftBytes = 0;
  private isReadingPaused = false;
  /** What the socket reads into; `null`: into `READ_BUFFER`. */
  private chunk: Buffer | null = null;
  private isChunkHandedOn = false;
  /** By the last read. */
  private readBytes = 0;

  // The request in flight.
  private outgoing: Readable | null = null;
  private isRequestSent = true;

  constructor(
    readonly socket: Socket,
    readonly address: UpstreamAddress,
    private readonly owner: ConnectionOwner,
  ) {
    this.parser = new ResponseHeadParser(owner.headLimits);
    socket.on('drain', () => this.outgoing?.resume());
    socket.on('end', () => this.upstreamEnded());
    socket.on('error', (cause) => this.lost(cause));
    socket.on('close', () => this.lost(new Error('the upstream closed the connection')));
  }

  get isStaleSuspect(): boolean {
    return this.answerCount > 0 && !this.hasReadAnything;
  }

  send(call: UpstreamCall, head: OutgoingHead): void {
    this.call = call;
    call.connection = this;
    this.hasReadAnything = false;
    this.interimCount = 0;
    const { body } = call.request;
    const { socket } = this;
    if (body === null) socket.write(head.text, 'latin1');
    else if (!Buffer.isBuffer(body)) this.sendStream(head, body);
    else if (body.length <= JOINED_BYTES_MAX) socket.write(head.text + latin1Of(body), 'latin1');
    else {
      socket.cork();
      socket.write(head.text, 'latin1');
      socket.write(body);
      socket.uncork();
    }
  }

  private sendStream(head: OutgoingHead, body: Readable): void {
    const { socket } = this;
    const call = this.call!;
    const encoder = head.bodyBytes < 0 ? new ChunkedEncoder() : null;
    let sentBytes = 0;
    this.outgoing = body;
    this.isRequestSent = false;
    socket.write(head.text, 'latin1');
    const isCurrent = (): boolean => this.outgoing === body;
    body.on('data', (chunk: Buffer) => {
      if (!isCurrent()) return;
      sentBytes += chunk.length;
      let isTaken: boolean;
      if (encoder === null) isTaken = socket.write(chunk);
      else {
        socket.cork();
        socket.write(encoder.prefix(chunk.length), 'latin1');
        isTaken = socket.write(chunk);
        socket.uncork();
      }
      if (!isTaken) body.pause();
    });
    body.on('end', () => {
      if (!isCurrent()) return;
      if (encoder === null && sentBytes !== head.bodyBytes) {
        this.bodyBroke(call, new Error('the request body has another length than announced'));
        return;
      }
      if (encoder !== null) socket.write(encoder.end() as string, 'latin1');
      this.outgoing = null;
      this.isRequestSent = true;
      if (this.call === null) this.release(); // the answer was there before
    });
    const broke = (cause: Error): void => {
      if (isCurrent()) this.bodyBroke(call, cause);
    };
    body.on('error', broke);
    body.on('close', () => broke(new Error('the request body ended early')));
  }

  /** The upstream must not take what it has for the whole body. */
  private bodyBroke(call: UpstreamCall, cause: Error): void {
    this.outgoing = null;
    if (this.call === call) call.end('ABORTED', cause);
    else this.destroy();
  }

  // Bytes in

  /** `false` stops reading until `resumeReading`. */
  read(byteCount: number, bytes: Buffer): boolean {
    if (this.call === null) {
      this.destroy(); // nobody asked: it is no answer of anybody's
      return false;
    }
    this.hasReadAnything = true;
    this.readBytes = byteCount;
    if (this.framing === null) this.readHead(bytes.subarray(0, byteCount));
    else this.readBody(bytes, 0, byteCount);
    return !this.isReadingPaused;
  }

  /** Where the next read goes. Asked after each. A body that comes slowly has no chunk waiting: ten thousand may come at a time. */
  nextBuffer(): Buffer {
    const { chunk } = this;
    const isFast = this.body !== null && this.body.isPooled && this.readBytes >= COPIED_BYTES_MAX;
    if (chunk !== null && !this.isChunkHandedOn) {
      if (isFast) return chunk;
      CHUNKS.giveBack(chunk);
    }
    this.isChunkHandedOn = false;
    this.chunk = isFast ? CHUNKS.take() : null;
    return this.chunk ?? READ_BUFFER;
  }

  private readHead(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.call !== null) {
      const head = this.parser.feed(bytes, at);
      if (head === NEED_MORE) return;
      if (head instanceof Refusal) {
        this.fail(`unreadable answer: ${REFUSALS[head.reason].meaning}`);
        return;
      }
      at += this.parser.consumedBytes;
      if (head.status >= 200) {
        this.begin(head, bytes, at);
        return;
      }
      const fault = this.interimFault(head);
      if (fault !== null) {
        this.fail(fault);
        return;
      }
    }
  }

  /** An interim answer is read as strictly as the final one, and then dropped. */
  private interimFault(head: ResponseHead): string | null {
    if (head.status === 101) return 'an upgrade nobody asked for';
    if (++this.interimCount > INTERIM_MAX) return 'too many interim answers';
    const framing = frameResponse(head, this.call!.request.httpMethod);
    return framing instanceof Refusal ? `unreadable interim answer: ${REFUSALS[framing.reason].meaning}` : null;
  }

  private begin(head: ResponseHead, bytes: Buffer, at: number): void {
    const call = this.call!;
    const framing = this.frame(head, call.request.httpMethod);
    if (framing instanceof Refusal) {
      this.fail(`unreadable answer: ${REFUSALS[framing.reason].meaning}`);
      return;
    }
    this.framing = framing;
    if (framing.body === 'none') this.whole(head, null, bytes.length > at);
    else if (framing.body === 'length' && bytes.length - at >= framing.bodyBytes) {
      const end = at + framing.bodyBytes;
      this.whole(head, copyOf(bytes, at, end), bytes.length > end);
    } else this.beginStream(head, framing, bytes, at);
  }

  private frame(head: ResponseHead, httpMethod: string): Framing | Refusal {
    if (httpMethod === 'HEAD') return frameResponse(head, httpMethod);
    if (head !== this.framedHead) {
      this.framedHead = head;
      this.framed = frameResponse(head, httpMethod);
    }
    return this.framed!;
  }

  /** The answer is complete. Whoever sent bytes behind it is not asked again. */
  private whole(head: ResponseHead, body: Buffer | null, hasStray: boolean): void {
    const call = this.call!;
    this.answerEnded(hasStray);
    call.connection = null;
    call.answered(head, body, false);
  }

  private beginStream(head: ResponseHead, framing: Framing, bytes: Buffer, at: number): void {
    const call = this.call!;
    this.leftBytes = framing.bodyBytes;
    if (framing.body === 'chunked') {
      const decoder = new ChunkedDecoder('upstream', this.owner.chunkedLimits);
      const body = wholeChunked(decoder, bytes, at);
      if (body !== null) {
        this.whole(head, body, bytes.length > decoder.nextAt);
        return;
      }
      this.decoder = new ChunkedDecoder('upstream', this.owner.chunkedLimits);
    }
    const body = new AnswerBody(this);
    this.body = body;
    call.answered(head, body, false);
    if (this.body === body && at < bytes.length) this.readBody(bytes, at, bytes.length);
  }

  private readBody(bytes: Buffer, from: number, to: number): void {
    if (this.decoder !== null) this.readChunks(this.decoder, bytes, from, to);
    else if (this.framing!.body === 'until-close') this.take(bytes, from, to);
    else {
      const end = Math.min(to, from + this.leftBytes);
      this.leftBytes -= end - from;
      this.take(bytes, from, end);
      if (this.leftBytes === 0 && this.body !== null) this.bodyEnded(end < to);
    }
  }

  /** What one read has of the body is moved together and handed on as one piece. */
  private readChunks(decoder: ChunkedDecoder, bytes: Buffer, from: number, to: number): void {
    const region = to === bytes.length ? bytes : bytes.subarray(0, to);
    let verdict: ChunkVerdict;
    let start = from;
    let end = from;
    let at = from;
    while ((verdict = decoder.read(region, at)) === CHUNK_DATA) {
      at = decoder.nextAt;
      if (end === start) start = end = decoder.dataStart;
      else bytes.copyWithin(end, decoder.dataStart, decoder.dataEnd);
      end += decoder.dataEnd - decoder.dataStart;
    }
    this.take(bytes, start, end);
    if (this.body === null) return;
    if (verdict instanceof Refusal) this.fail(`unreadable answer: ${REFUSALS[verdict.reason].meaning}`);
    else if (verdict === CHUNKS_END) this.bodyEnded(decoder.nextAt < to);
  }

  private take(bytes: Buffer, from: number, to: number): void {
    if (from === to || this.body === null) return;
    const piece = this.body.isPooled ? this.pooledPiece(bytes, from, to) : copyOf(bytes, from, to);
    if (!this.body.push(piece)) this.isReadingPaused = true;
  }

  private pooledPiece(bytes: Buffer, from: number, to: number): Buffer {
    if (bytes !== this.chunk || to - from <= COPIED_BYTES_MAX) return CHUNKS.copyOf(bytes, from, to);
    this.isChunkHandedOn = true;
    return bytes.subarray(from, to);
  }

  resumeReading(): void {
    if (!this.isReadingPaused || this.isDead) return;
    this.isReadingPaused = false;
    this.socket.resume();
  }

  private bodyEnded(hasStray: boolean): void {
    const call = this.call!;
    const body = this.body!;
    if (this.decoder !== null && this.decoder.trailers.length > 0) body.trailers = this.decoder.trailers;
    this.answerEnded(hasStray);
    call.connection = null;
    body.end();
    call.bodyEnded();
  }

  private answerEnded(hasStray: boolean): void {
    const isKeptAlive = this.framing!.isKeptAlive && !hasStray;
    this.call = null;
    this.framing = null;
    this.body = null;
    this.decoder = null;
    this.resumeReading(); // whoever reads the rest of the body holds all of it: the next answer must not wait for that
    this.answerCount++;
    if (!isKeptAlive) this.destroy();
    else if (this.isRequestSent) this.release();
    // An answer before its request was sent: what is left of the request is of no use to anybody.
    else this.destroy();
  }

  private release(): void {
    if (!this.isDead) this.owner.released(this);
  }

  // Ends

  abandon(): void {
    const { call } = this;
    if (this.isDead || call === null) return;
    this.destroy();
    call.connection = null;
    call.bodyAbandoned();
  }

  private upstreamEnded(): void {
    if (this.framing?.body === 'until-close' && this.body !== null) this.bodyEnded(false);
    else this.lost(new Error('the upstream closed the connection'));
  }

  private fail(meaning: string): void {
    this.lost(new Error(meaning), UNREADABLE);
  }

  /** Whatever ended it: the call it carries is told, once. */
  private lost(cause: Error, kind: FailureKind = RESET): void {
    if (this.isDead) return;
    const { call } = this;
    this.tearDown();
    if (call !== null) call.connection = null;
    this.owner.closed(this, call, cause, kind);
  }

  /** Without telling the call: who destroys has told it already. */
  destroy(): void {
    if (this.isDead) return;
    this.tearDown();
    this.owner.closed(this, null, CLOSED_BY_US, RESET);
  }

  private tearDown(): void {
    this.isDead = true;
    const { outgoing } = this;
    this.call = null;
    this.body = null;
    this.outgoing = null;
    if (outgoing !== null && !outgoing.destroyed) outgoing.destroy();
    this.socket.destroy();
  }
}

const CLOSED_BY_US = new Error('closed');

function copyOf(bytes: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}

/** The body of a chunked answer all of which is in `bytes`, or `null`; with trailers it is a stream, whose end has them. */
function wholeChunked(decoder: ChunkedDecoder, bytes: Buffer, from: number): Buffer | null {
  const pieces: Buffer[] = [];
  for (let at = from; ; at = decoder.nextAt) {
    const verdict = decoder.read(bytes, at);
    if (verdict === CHUNK_DATA) pieces.push(bytes.subarray(decoder.dataStart, decoder.dataEnd));
    else return verdict === CHUNKS_END && decoder.trailers.length === 0 ? Buffer.concat(pieces) : null;
  }
}
