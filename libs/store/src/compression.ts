import { promisify } from 'node:util';
import { zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';

/** Bytes per piece: the default of 16 KiB cuts a function package of 50 MB into thousands. */
const OPTIONS = { chunkSize: 1 << 20 };

const compressAsync = promisify<Uint8Array | string, typeof OPTIONS, Buffer>(zstdCompress);
const decompressAsync = promisify<Uint8Array, typeof OPTIONS, Buffer>(zstdDecompress);

/** Up to this, the way to another thread and back costs several times the work: 490 µs of CPU for 3 KB that take 70. */
const SMALL_BYTES = 64 * 1024;
const SMALL_OPTIONS = { chunkSize: 16 * 1024 };

/** zstd; what is large off the main thread. */
export async function compress(bytes: Uint8Array | string): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from(
    bytes.length <= SMALL_BYTES ? zstdCompressSync(bytes, SMALL_OPTIONS) : await compressAsync(bytes, OPTIONS),
  );
}

export async function decompress(bytes: Uint8Array): Promise<Buffer> {
  // A small one may come from much larger text, hence the lower bound: repetition shrinks it to a tenth.
  return bytes.length <= SMALL_BYTES / 16 ? zstdDecompressSync(bytes, SMALL_OPTIONS) : decompressAsync(bytes, OPTIONS);
}
