import { Transform, type Readable } from 'node:stream';

/** The caller's body before anybody read it. */
export interface RequestBody {
  /** From Content-Length, or counted when all of it is here; `null` when only the end of the stream tells. */
  readonly declaredBytes: number | null;
  /** The whole body, when it came with its head; then nobody needs to open it. */
  readonly atHand: Buffer | null;
  /**
   * To be called once. The stream fails with BodyTooLarge beyond the limit, and when the caller leaves. Tells a waiting caller
   * (`Expect: 100-continue`) to send. A stream of its own: whoever destroys it does not destroy the caller's connection with it.
   */
  open(limitBytes: number): Readable;
}

/** A response body: bytes at hand, or a stream that is read no faster than the caller takes it. */
export type ResponseBody = Buffer | Readable | null;

/** How a program treats a body, decided at link time; `reason` tells a reader of the program why a route buffers. */
export type BodyMode = { readonly type: 'stream' } | { readonly type: 'buffer'; readonly reason: string };

export const STREAM_BODY: BodyMode = { type: 'stream' };

/** The stream ended because a body went beyond its limit. */
export class BodyTooLarge extends Error {
  constructor(limitBytes: number) {
    super(`body exceeds ${limitBytes} bytes`);
    this.name = 'BodyTooLarge';
  }
}

/** Passes bytes on until there are more than `limitBytes`, then fails with BodyTooLarge; both ends are torn down together. */
export function limitStream(source: Readable, limitBytes: number): Readable {
  let bytes = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > limitBytes) done(new BodyTooLarge(limitBytes));
      else done(null, chunk);
    },
  });
  // Whoever reads hears of errors by a listener of its own. Nobody may be reading when the caller leaves; that is no error then.
  limited.on('error', () => undefined);
  source.on('error', (cause) => limited.destroy(cause));
  source.on('close', () => {
    if (!source.readableEnded) limited.destroy(new Error('the body ended early'));
  });
  limited.on('close', () => source.unpipe(limited));
  return source.pipe(limited);
}

/** Reads a stream to its end; rejects with BodyTooLarge, or with the stream's error. Leaves the stream paused when it rejects. */
export function readAll(source: Readable, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (source.destroyed) {
      reject(source.errored ?? new Error('the body ended early')); // its 'close' is past
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (): void => {
      source.off('data', onData);
      source.off('end', onEnd);
      source.off('close', onClose);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > limitBytes) {
        stop();
        source.pause();
        reject(new BodyTooLarge(limitBytes));
      } else chunks.push(chunk);
    };
    const onEnd = (): void => {
      stop();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes));
    };
    const onClose = (): void => {
      stop();
      reject(source.errored ?? new Error('the body ended early'));
    };
    source.on('data', onData);
    source.on('end', onEnd);
    source.on('close', onClose);
    source.on('error', () => {
      // 'close' follows and carries the news; without a listener the error would end the process.
    });
  });
}
