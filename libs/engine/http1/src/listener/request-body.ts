/**
 * A request's body on its way in. Bytes are decoded as they arrive and wait, bounded, until a program opens the body; what nobody
 * wants is thrown away.
 *
 *   socket -> take() -> waiting pieces -> atHand      all of it came with the head
 *                                      -> open()      a stream, read no faster than its reader takes it
 */
import { BodyTooLarge, type RequestBody } from '@gatehouse/engine-exchange';
import { Readable } from 'node:stream';
import { CHUNK_DATA, CHUNKS_END, ChunkedDecoder } from '../chunked-decoder.js';
import type { RequestFraming } from '../framing.js';
import type { ChunkedLimits } from '../head-limits.js';
import { Refusal } from '../refusals.js';

/** The connection as its body needs it. */
export interface BodySource {
  pauseReading(): void;
  resumeReading(): void;
  /** Somebody reads the body now: a caller that waits for `100 Continue` may send it. */
  askForBody(): void;
}

/** Held for a program that has not opened the body yet; then reading stops. */
const WAITING_BYTES_MAX = 65_536;

export class IncomingBody implements RequestBody {
  declaredBytes: number | null;
  atHand: Buffer | null = null;
  isComplete = false;
  /** Bytes taken since nobody wants them. */
  discardedBytes = 0;

  private leftBytes: number;
  private readonly decoder: ChunkedDecoder | null;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private stream: BodyStream | null = null;
  private isUnwanted = false;
  private openBytesMax = Number.POSITIVE_INFINITY;
  private openedBytes = 0;

  constructor(
    framing: RequestFraming,
    limits: ChunkedLimits,
    private readonly source: BodySource,
  ) {
    const isChunked = framing.body === 'chunked';
    this.declaredBytes = isChunked ? null : framing.bodyBytes;
    this.leftBytes = framing.bodyBytes;
    this.decoder = isChunked ? new ChunkedDecoder('caller', limits) : null;
  }

  /** The bytes that came in the same read as the head. Where the next message starts, or a Refusal. */
  takeFirst(chunk: Buffer, from: number): number | Refusal {
    const end = this.take(chunk, from);
    if (this.isComplete) {
      this.atHand = this.waiting.length === 1 ? this.waiting[0]! : Buffer.concat(this.waiting, this.waitingBytes);
      this.declaredBytes = this.atHand.length;
      this.waiting = [];
    }
    return end;
  }

  /** Where the next message starts, or a Refusal. */
  take(chunk: Buffer, from: number): number | Refusal {
    if (this.decoder !== null) return this.takeChunked(this.decoder, chunk, from);
    const taken = Math.min(this.leftBytes, chunk.length - from);
    this.leftBytes -= taken;
    if (taken > 0) this.add(chunk.subarray(from, from + taken));
    if (this.leftBytes === 0) this.complete();
    return from + taken;
  }

  open(limitBytes: number): Readable {
    this.source.askForBody();
    const stream = new BodyStream(this);
    this.stream = stream;
    this.openBytesMax = limitBytes;
    const { waiting } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    for (const piece of waiting) this.add(piece);
    if (this.isComplete) stream.push(null);
    return stream;
  }

  /** The caller left, or what it sent is broken. */
  fail(cause: Error): void {
    this.waiting = [];
    if (this.stream !== null && !this.isComplete) this.stream.destroy(cause);
  }

  /** Nobody reads it (any more): the rest is taken and thrown away. */
  discard(): void {
    this.isUnwanted = true;
    this.discardedBytes += this.waitingBytes;
    this.waiting = [];
    this.waitingBytes = 0;
    this.source.resumeReading();
  }

  /** The reader wants more. */
  wanted(): void {
    if (!this.isComplete) this.source.resumeReading();
  }

  private takeChunked(decoder: ChunkedDecoder, chunk: Buffer, from: number): number | Refusal {
    let at = from;
    for (;;) {
      const verdict = decoder.read(chunk, at);
      if (verdict instanceof Refusal) return verdict;
      at = decoder.nextAt;
      if (verdict === CHUNK_DATA) this.add(chunk.subarray(decoder.dataStart, decoder.dataEnd));
      else if (verdict === CHUNKS_END) {
        this.complete(); // trailers are read, bounded and dropped: see engine/exchange/src/trailers.ts
        return at;
      } else return chunk.length;
    }
  }

  private add(piece: Buffer): void {
    if (this.isUnwanted) this.discardedBytes += piece.length;
    else if (this.stream !== null) this.addOpened(this.stream, piece);
    else {
      this.waiting.push(piece);
      this.waitingBytes += piece.length;
      if (this.waitingBytes >= WAITING_BYTES_MAX) this.source.pauseReading();
    }
  }

  private addOpened(stream: BodyStream, piece: Buffer): void {
    this.openedBytes += piece.length;
    if (this.openedBytes > this.openBytesMax) {
      this.isUnwanted = true;
      stream.destroy(new BodyTooLarge(this.openBytesMax));
    } else if (!stream.push(piece)) this.source.pauseReading();
  }

  private complete(): void {
    this.isComplete = true;
    if (this.stream !== null && !this.stream.destroyed) this.stream.push(null);
  }
}

class BodyStream extends Readable {
  constructor(private readonly body: IncomingBody) {
    super({ highWaterMark: WAITING_BYTES_MAX });
    this.on('error', () => undefined); // nobody may be reading when the caller leaves: no error then
  }

  override _read(): void {
    this.body.wanted();
  }

  override _destroy(cause: Error | null, done: (error?: Error | null) => void): void {
    if (!this.body.isComplete) this.body.discard();
    done(cause);
  }
}
