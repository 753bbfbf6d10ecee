import type { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';

export type CollectedBody =
  | { readonly chunks: readonly Buffer[]; readonly bytes: number }
  | { readonly failure: unknown }
  /** The stream is as it was: nothing of it is lost. */
  | 'TOO_LARGE';

/** Reads a body to its end, unless it has more than `bytesMax`. Never rejects. */
export function collectBody(body: Readable, bytesMax: number): Promise<CollectedBody> {
  return new Promise((resolve) => {
    if (body.destroyed) {
      resolve({ failure: body.errored ?? new Error('the body ended early') }); // its 'close' is past
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (collected: CollectedBody): void => {
      body.off('data', onData);
      body.off('end', onEnd);
      body.off('close', onClose);
      resolve(collected);
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes <= bytesMax) return;
      body.pause();
      for (const read of chunks.reverse()) body.unshift(read);
      stop('TOO_LARGE');
    };
    const onEnd = (): void => stop({ chunks, bytes });
    const onClose = (): void => stop({ failure: body.errored ?? new Error('the body ended early') });
    body.on('data', onData);
    body.on('end', onEnd);
    body.on('close', onClose);
    body.on('error', () => {
      // 'close' follows and carries the news; without a listener the error would end the process.
    });
  });
}
