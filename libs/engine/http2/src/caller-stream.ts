/**
 * One request on its stream, from its head to the end of its answer. Whatever ends the stream, `untilClosed` resolves once and
 * afterwards nothing touches the Exchange: it is somebody else's.
 *
 *   READING -> ANSWERING -> closed        the caller may leave in each of them
 */
import { isBodyless, letGo } from '@gatehouse/engine-accept';
import { limitStream, mayHaveTrailers, passedTrailers, type Exchange, type RequestBody } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import { answerHead } from './answer-head.js';
import { onEarlyEnd } from './early-end.js';
import type { Http2Limits } from './limits.js';

/**
 * Pieces in which a large answer goes out; those of a stream have the same size at most. node:http2 tells when a piece is taken,
 * not how far: a caller that takes none in `stalledCallerMs` counts as stalled.
 */
const PIECE_BYTES = 65_536;

/** An answer waits so long for the end of a body that nobody reads, if the body is small. */
const UNREAD_BODY_MS = 500;
/** Bodies up to this length are waited for a little: until the read they came in is done, or as above. */
export const SMALL_BODY_BYTES_MAX = 65_536;

/** The connection as its streams need it. */
export interface StreamOwner {
  readonly limits: Http2Limits;
  /** The caller broke the stream, or made us break it. */
  streamBroken(): void;
}

/** RFC 9110 §15.3.6: no content, and node:http2 ends the stream with the head. */
const RESET_CONTENT = 205;

export class CallerStream implements RequestBody {
  readonly declaredBytes: number | null;
  atHand: Buffer | null = null;
  private isOver = false;
  private hasAnswerBegun = false;
  private onClosed: (() => void) | null = null;

  private opened: Readable | null = null;
  private bodyDeadlineAtMs: number;
  private handedBytes = 0;
  private takenBytes = -1;
  private stalledSinceMs = 0;
  private isBrokenByUs = false;
  private mustStop = false;

  constructor(
    readonly stream: ServerHttp2Stream,
    readonly x: Exchange,
    contentLength: number,
    private readonly expectsContinue: boolean,
    private readonly owner: StreamOwner,
    nowMs: number,
  ) {
    this.declaredBytes = contentLength >= 0 ? contentLength : null;
    this.bodyDeadlineAtMs = nowMs + owner.limits.requestTimeoutMs;
    stream.on('error', () => undefined); // 'close' follows
    stream.on('aborted', () => this.callerLeft());
    stream.on('close', () => this.closed());
  }

  /** The whole body, if it came in the same read as its head. */
  takeWhole(): void {
    const { stream, declaredBytes } = this;
    if (declaredBytes === null || stream.readableLength !== declaredBytes || this.isOver) return;
    this.atHand = stream.read(declaredBytes) as Buffer; // without the number it may be the first frame only
    stream.resume(); // to its end
  }

  open(limitBytes: number): Readable {
    const { stream } = this;
    if (this.expectsContinue && !stream.headersSent && !stream.closed) stream.additionalHeaders({ ':status': 100 });
    this.opened = limitStream(stream, limitBytes);
    const { opened } = this;
    const endedEarly = (): void => void opened.destroy(new Error('the body ended early'));
    if (stream.destroyed) endedEarly(); // its 'close' is past: nothing would tell the reader
    else if (!stream.readableEnded) onEarlyEnd(stream, endedEarly);
    return opened;
  }

  /**
   * Resolves when the caller has the answer, or is gone, or the body broke: then the stream is reset, never ended as if it were
   * whole. Throws, with nothing sent, when a header cannot be written.
   */
  async deliver(): Promise<void> {
    const { x, stream } = this;
    if (stream.closed) x.callerLeft(); // node:http2 says nothing of it for HEAD
    if (x.isCallerGone) return;
    if (x.status === RESET_CONTENT && x.responseBody !== null) {
      letGo(x);
      x.responseBody = null;
      x.responseBodyBytes = -1;
    }
    if (this.opened === null && this.isSmallBodyUnderWay) {
      await this.untilRequestEnds();
      if (x.isCallerGone) return;
    }
    const head = answerHead(x);
    const body = isBodyless(x) ? null : x.responseBody;
    this.hasAnswerBegun = true;
    const trailed = x.takesTrailers && body !== null && mayHaveTrailers(body) ? body : null;
    if (trailed !== null) stream.once('wantTrailers', () => stream.sendTrailers(trailersOf(trailed)));
    stream.respond(head, { endStream: body === null, waitForTrailers: trailed !== null });
    if (stream.writableFinished) this.answered();
    else stream.on('finish', () => this.answered());
    if (body !== null) {
      if (Buffer.isBuffer(body)) this.sendWhole(body);
      else this.sendStream(body);
    }
    await this.untilClosed();
  }

  get hasHeadersSent(): boolean {
    return this.stream.headersSent;
  }

  /** The answer cannot be completed. `stream.close(code)` would end it with END_STREAM, as if it were whole. */
  break(why: string): void {
    this.isBrokenByUs = true;
    this.stream.destroy(new Error(why));
  }

  /** Nothing happens here any more; to be called once, before the Exchange goes back. */
  release(): void {
    this.isOver = true;
    // What nobody read is thrown away, so that the stream can end.
    if (!this.stream.readableEnded) this.stream.resume();
  }

  /** A look from time to time, at a caller that sends or takes too slowly. */
  sweep(nowMs: number, sinceLastMs: number): void {
    if (this.isOver) return;
    if (this.mustStop) this.stop();
    if (!this.stream.readableEnded && this.atHand === null && !this.hasAnswerBegun && this.opened !== null) {
      this.sweepBody(nowMs, sinceLastMs);
    }
    if (this.hasAnswerBegun) this.sweepAnswer(nowMs);
  }

  private sweepBody(nowMs: number, sinceLastMs: number): void {
    if (this.opened!.destroyed) return;
    if (this.stream.isPaused()) this.bodyDeadlineAtMs += sinceLastMs; // it is us who wait
    else if (nowMs > this.bodyDeadlineAtMs) this.break('the body came too slowly');
  }

  private sweepAnswer(nowMs: number): void {
    const { stream } = this;
    const waitingBytes = stream.bufferSize;
    const taken = this.handedBytes - waitingBytes;
    if ((waitingBytes === 0 && !stream.writableEnded) || taken !== this.takenBytes) {
      this.takenBytes = taken;
      this.stalledSinceMs = nowMs;
    } else if (nowMs - this.stalledSinceMs > this.owner.limits.stalledCallerMs) this.break('the caller takes nothing');
  }

  private sendWhole(body: Buffer): void {
    this.x.deliveredBytes = body.length;
    let at = 0;
    const more = (): void => {
      while (at < body.length - PIECE_BYTES) {
        const piece = body.subarray(at, (at += PIECE_BYTES));
        this.handedBytes += piece.length;
        if (!this.stream.write(piece)) {
          this.stream.once('drain', more);
          return;
        }
      }
      this.handedBytes += body.length - at;
      this.stream.end(at === 0 ? body : body.subarray(at));
    };
    more();
  }

  private sendStream(body: Readable): void {
    const { x, stream } = this;
    const broke = (cause: unknown): void => {
      if (this.isOver || stream.writableEnded) return;
      x.fail(FAULTS.INTEGRATION_FAILURE, cause, "streaming the backend's body");
      this.break("the backend's body broke");
    };
    body.on('error', broke);
    body.on('close', () => {
      if (!body.readableEnded) broke(null);
    });
    body.on('data', (chunk: Buffer) => {
      if (this.isOver) return;
      this.handedBytes += chunk.length;
      x.deliveredBytes += chunk.length;
    });
    body.pipe(stream);
    if (body.destroyed && !body.readableEnded) broke(body.errored);
  }

  /** The answer is out or about to be: a caller that still sends is told to stop (RFC 9113 §8.1). */
  private answered(): void {
    const { stream } = this;
    if (stream.destroyed) return;
    stream.resume();
    this.mustStop = !stream.endAfterHeaders; // at the next sweep: most are at their end by then
  }

  private stop(): void {
    if (!this.isOver && stopRequest(this.stream)) this.mustStop = false;
  }

  private get isSmallBodyUnderWay(): boolean {
    const { stream, declaredBytes } = this;
    if (stream.endAfterHeaders || stream.readableEnded) return false;
    return declaredBytes !== null && declaredBytes <= SMALL_BODY_BYTES_MAX;
  }

  /**
   * The end of a body that nobody reads, for a moment. When a stream is answered first, node:http2 counts it as open for longer than its
   * caller does, and refuses the next streams of one that uses as many as it may.
   */
  private untilRequestEnds(): Promise<void> {
    const { stream } = this;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, UNREAD_BODY_MS);
      const over = (): void => {
        clearTimeout(timer);
        resolve();
      };
      stream.on('end', over);
      stream.on('close', over);
      stream.resume();
    });
  }

  private untilClosed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.stream.destroyed && this.x.isCallerGone) resolve();
      else this.onClosed = resolve;
    });
  }

  private callerLeft(): void {
    if (this.isOver) return;
    // Said first: the body's end that follows is not the backend's fault.
    if (this.hasAnswerBegun) this.x.fail(FAULTS.CALLER_LEFT, null, 'sending the answer');
    this.x.callerLeft();
  }

  private closed(): void {
    const { stream } = this;
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR && !this.isBrokenByUs) this.owner.streamBroken();
    // Not `writableFinished`: 'close' may come before 'finish' when the last frame ends both sides.
    const isWhole = stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.writableEnded && stream.bufferSize === 0;
    if (!isWhole) this.callerLeft();
    this.onClosed?.();
  }
}

/**
 * Resets a stream whose answer is out without an error, so that its caller stops sending. False while the end of the answer waits
 * in nghttp2, although node:http2 calls the stream finished: a reset would overtake it.
 */
export function stopRequest(stream: ServerHttp2Stream): boolean {
  if (stream.destroyed || stream.closed || stream.readableEnded) return true;
  if (stream.state.localClose !== 1) return false;
  stream.close(constants.NGHTTP2_NO_ERROR);
  return true;
}

/** None end the stream with an empty frame of data. */
function trailersOf(body: object): OutgoingHttpHeaders {
  const trailers: Record<string, string[]> = {};
  const passed = passedTrailers(body) ?? [];
  for (let i = 0; i < passed.length; i += 2) (trailers[passed[i]!.toLowerCase()] ??= []).push(passed[i + 1]!);
  return trailers;
}
