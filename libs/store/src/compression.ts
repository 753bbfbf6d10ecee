import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';

/** Bytes per piece: the default of 16 KiB cuts a function package of 50 MB into thousands. */
const OPTIONS = { chunkSize: 1 << 20 };

const compressAsync = promisify<Uint8Array | string, typeof OPTIONS, Buffer>(zstdCompress);
const decompressAsync = promisify<Uint8Array, typeof OPTIONS, Buffer>(zstdDecompress);

/** zstd; off the main thread. */
export async function compress(bytes: Uint8Array | string): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from(await compressAsync(bytes, OPTIONS));
}

export function decompress(bytes: Uint8Array): Promise<Buffer> {
  return decompressAsync(bytes, OPTIONS);
}
