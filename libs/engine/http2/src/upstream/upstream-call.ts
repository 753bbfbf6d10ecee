/** One call on its stream: from the request to the last byte of the answer. Answers or fails once; a later end only ends the body. */
import type { CallerPresence, FailureReason, TrailedBody, UpstreamAnswer, UpstreamRequest } from '@gatehouse/engine-exchange';
import { constants, type ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { onEarlyEnd } from '../early-end.js';
import type { Http2Failure } from './http2-upstream.js';

/** Who made the call. */
export interface CallSink {
  /** Before `ended`, if an answer comes at all. */
  answered(answer: UpstreamAnswer): void;
  /** Once: `null` when the whole answer was received. ABORTED also when nobody reads the rest of it. */
  ended(failure: Http2Failure | null): void;
}

/** The session as its calls need it. */
export interface CallOwner {
  /** The upstream says that it did nothing for this stream. */
  isRefused(streamId: number | undefined, rstCode: number): boolean;
  timedOut(): void;
  over(call: UpstreamCall): void;
}

/** Interim answers before the real one. */
const INTERIM_MAX = 16;
/** An answer up to this size that is here in the same read as its head is handed on as bytes. */
const WHOLE_BODY_BYTES_MAX = 65_536;

/** What a call that is over refers to: nothing. Dead calls in the old space would keep what they refer to alive. */
const NO_REQUEST: UpstreamRequest = {
  httpMethod: '',
  url: '',
  tenant: '',
  traceId: '',
  block: null,
  headers: [],
  body: null,
  timeoutMs: 0,
};
const NOBODY: CallerPresence = { isCallerGone: true, onCallerLeft: null, signal: AbortSignal.abort() };
const NO_SINK: CallSink = { answered: () => undefined, ended: () => undefined };

export class UpstreamCall {
  private body: AnswerBody | null = null;
  private isSettled = false;
  private isOver = false;
  private hasEndedEarly = false;
  private interimCount = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly stream: ClientHttp2Stream,
    private request: UpstreamRequest,
    private readonly bodyBytes: number,
    private caller: CallerPresence,
    /** What is left of the request's `timeoutMs`. */
    leftMs: number,
    private readonly owner: CallOwner,
    private sink: CallSink,
  ) {
    const { timeoutMs } = request;
    this.timer = setTimeout(() => {
      owner.timedOut();
      this.end('TIMEOUT', new Error(`no complete answer within ${timeoutMs} ms`));
    }, leftMs);
    caller.onCallerLeft = () => this.end('ABORTED', new Error('the caller left'));
    onEarlyEnd(stream, () => (this.hasEndedEarly = true));
    stream.on('headers', () => this.interim());
    stream.on('response', (_headers, flags, rawHeaders) => this.answered(flags, rawHeaders as unknown as string[]));
    stream.on('error', (cause: Error) => this.lost(cause));
    stream.on('close', () => this.lost(new Error('the upstream closed the stream')));
    this.send();
  }

  /** From our side. `stream.close(code)` would end a half-sent request as if it were whole. */
  end(failure: FailureReason, cause: Error): void {
    this.failed({ failure, cause, isUnprocessed: false });
    this.stream.destroy(cause);
  }

  // The request

  private send(): void {
    const { stream } = this;
    const { body } = this.request;
    if (body === null) return; // the head ended the stream
    if (Buffer.isBuffer(body)) stream.end(body);
    else this.sendStream(body);
  }

  private sendStream(body: Readable): void {
    const { stream } = this;
    let sentBytes = 0;
    const broke = (cause: Error): void => {
      if (!stream.writableEnded && !stream.destroyed) this.end('ABORTED', cause);
    };
    body.on('data', (chunk: Buffer) => {
      if (stream.destroyed || stream.writableEnded) return;
      sentBytes += chunk.length;
      if (!stream.write(chunk)) body.pause();
    });
    stream.on('drain', () => body.resume());
    body.on('end', () => {
      if (this.bodyBytes >= 0 && sentBytes !== this.bodyBytes) {
        broke(new Error('the request body has another length than announced'));
      } else if (!stream.destroyed) stream.end();
    });
    body.on('error', broke);
    body.on('close', () => {
      if (!body.readableEnded) broke(new Error('the request body ended early'));
    });
  }

  // The answer

  private interim(): void {
    if (++this.interimCount > INTERIM_MAX) this.end('NETWORK', new Error('too many interim answers'));
  }

  private answered(flags: number, rawHeaders: readonly string[]): void {
    const { stream } = this;
    if (this.isSettled) return;
    let status = 0;
    let declaredBytes = -1;
    const headers: string[] = [];
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]!;
      if (name === ':status') status = Number(rawHeaders[i + 1]);
      else {
        if (name === 'content-length') declaredBytes = Number(rawHeaders[i + 1]);
        headers.push(name, rawHeaders[i + 1]!);
      }
    }
    if (status < 200 || status > 599) {
      this.end('NETWORK', new Error(`unreadable answer: status ${status}`));
    } else if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0 || hasNoBody(this.request.httpMethod, status)) {
      stream.resume();
      this.settle({ status, headers, body: null });
      this.over(null);
    } else if (declaredBytes >= 0 && declaredBytes <= WHOLE_BODY_BYTES_MAX) {
      // By then the frames behind the head that came in the same read are parsed.
      setImmediate(() => this.begin(status, headers, declaredBytes));
    } else this.begin(status, headers, declaredBytes);
  }

  private begin(status: number, headers: readonly string[], declaredBytes: number): void {
    const { stream } = this;
    if (this.isSettled) return;
    if (declaredBytes > 0 && stream.readableLength === declaredBytes) {
      const whole = stream.read(declaredBytes) as Buffer;
      stream.resume();
      this.settle({ status, headers, body: whole });
      this.over(null);
      return;
    }
    const body = new AnswerBody(stream, () => this.end('ABORTED', new Error('nobody reads the answer')));
    this.body = body;
    this.settle({ status, headers, body });
    stream.on('trailers', (_fields, _flags, rawTrailers) => (body.trailers = rawTrailers as unknown as string[]));
    stream.on('data', (chunk: Buffer) => {
      if (!body.push(chunk)) stream.pause();
    });
    stream.on('end', () => {
      if (this.hasEndedEarly) {
        this.lost(new Error('the upstream reset the stream'));
        return;
      }
      body.end();
      this.body = null;
      this.over(null);
    });
  }

  // Ends

  private lost(cause: Error): void {
    const { stream } = this;
    const isUnprocessed = !this.isSettled && this.owner.isRefused(stream.id, stream.rstCode ?? 0);
    this.failed({ failure: 'NETWORK', cause, isUnprocessed });
  }

  private failed(failure: Http2Failure): void {
    if (this.isOver) return;
    const { body, request } = this;
    this.body = null;
    this.over(failure); // first: a body that is destroyed asks to end the call
    body?.destroy(failure.cause instanceof Error ? failure.cause : new Error(String(failure.cause)));
    letGoOfRequestBody(request);
  }

  private settle(answer: UpstreamAnswer): void {
    this.isSettled = true;
    this.sink.answered(answer);
  }

  private over(failure: Http2Failure | null): void {
    if (this.isOver) return;
    const { sink } = this;
    this.isOver = true;
    this.isSettled = true;
    clearTimeout(this.timer);
    this.caller.onCallerLeft = null;
    this.request = NO_REQUEST;
    this.caller = NOBODY;
    this.sink = NO_SINK;
    this.owner.over(this);
    sink.ended(failure);
  }
}

/** An upstream's body on its way in, read no faster than its reader takes it. Destroying it ends the call. */
class AnswerBody extends Readable implements TrailedBody {
  private isWhole = false;
  trailers: readonly string[] | null = null;

  constructor(
    private readonly stream: ClientHttp2Stream,
    private readonly abandon: () => void,
  ) {
    super({ highWaterMark: 65_536 });
    this.on('error', () => undefined); // the reader hears of it through a listener of its own, if there is a reader
  }

  end(): void {
    this.isWhole = true;
    this.push(null);
  }

  override _read(): void {
    this.stream.resume();
  }

  override _destroy(cause: Error | null, done: (error?: Error | null) => void): void {
    if (!this.isWhole) this.abandon();
    done(cause);
  }
}

function hasNoBody(httpMethod: string, status: number): boolean {
  return httpMethod === 'HEAD' || status === 204 || status === 304;
}

/** A body nobody reads any more. */
export function letGoOfRequestBody({ body }: UpstreamRequest): void {
  if (body !== null && !Buffer.isBuffer(body) && !body.destroyed) body.on('error', () => undefined).destroy();
}
