import type { Http2Stream } from 'node:http2';

/**
 * Tells when a stream's incoming side ends without END_STREAM. node:http2 ends it in the same way for RST_STREAM with NO_ERROR, so
 * half a message would pass for a whole one; only the order tells them apart: the stream is closed before that end is pushed.
 * `early` is called in the middle of it: the stream must not be destroyed there.
 */
export function onEarlyEnd(stream: Http2Stream, early: () => void): void {
  const push = stream.push.bind(stream);
  let isEnded = false; // it is pushed more than once: at END_STREAM, and again when the stream closes
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null) {
      if (!isEnded && stream.closed) early();
      isEnded = true;
    }
    return push(chunk, encoding);
  };
}
