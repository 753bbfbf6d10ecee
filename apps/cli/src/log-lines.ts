/**
 * Lines of an access log file, plain or gzip (told by its first bytes, not its name), as a stream: a line may be at most
 * LINE_BYTES_MAX long, and no more than that and a chunk is in memory.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** Far above what a node writes: path, User-Agent and cause are cut at 1,024 characters, of at most six bytes each. */
export const LINE_BYTES_MAX = 64 * 1024;
const LF = 10;

export interface LogLine {
  /** From 1. */
  readonly number: number;
  /** `null` for a line that is too long. */
  readonly text: string | null;
}

/** Rejects when the file cannot be read to its end; what was read before is delivered. */
export async function* logLines(file: string): AsyncGenerator<LogLine> {
  yield* linesOf(await openLog(file));
}

async function openLog(file: string): Promise<Readable> {
  const handle = await open(file, 'r');
  const start = Buffer.alloc(2);
  await handle.read(start, 0, 2, 0);
  await handle.close();
  const bytes = createReadStream(file);
  if (start[0] !== 0x1f || start[1] !== 0x8b) return bytes;
  return pipeline(bytes, createGunzip(), () => undefined); // the reader sees the error of either
}

export async function* linesOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<LogLine> {
  let number = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const take = (): LogLine => {
    const text = heldBytes > LINE_BYTES_MAX ? null : Buffer.concat(held).toString('utf8');
    held = [];
    heldBytes = 0;
    return { number: ++number, text };
  };
  const hold = (part: Uint8Array): void => {
    heldBytes += part.length;
    if (heldBytes <= LINE_BYTES_MAX) held.push(part);
    else held = [];
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      hold(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < chunk.length) hold(chunk.subarray(from));
  }
  if (heldBytes > 0) yield take();
}
