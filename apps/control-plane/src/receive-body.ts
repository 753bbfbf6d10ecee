import type { Readable } from 'node:stream';

/** Stands where a body would: the caller sent more than is taken. */
export const BODY_TOO_LARGE = Symbol('body too large');

/** All of the stream, or BODY_TOO_LARGE as soon as it exceeds `limitBytes`; the rest is then thrown away unread. Rejects when the caller leaves. */
export async function receiveBody(stream: Readable, limitBytes: number): Promise<Buffer | typeof BODY_TOO_LARGE> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > limitBytes) break;
    chunks.push(chunk as Buffer);
  }
  if (bytes <= limitBytes) return Buffer.concat(chunks);
  stream.resume();
  return BODY_TOO_LARGE;
}
