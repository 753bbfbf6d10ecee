import { zstdDecompressSync } from 'node:zlib';
import { sha256Hex } from '@gatehouse/kernel';

/** A blob as it came. */
export interface BlobBytes {
  readonly bytes: Uint8Array;
  readonly isZstd: boolean;
  /** Of what it is to be, decoded. */
  readonly digest: string;
}

/** Far above the largest function package (250 MB unpacked); stops a broken peer from filling the memory. */
export const BLOB_BYTES_MAX = 512 * 1024 * 1024;

/** `null` for what is no zstd, or has another digest. */
export function decodedBlob({ bytes, isZstd, digest }: BlobBytes): Uint8Array | null {
  try {
    const content = isZstd ? zstdDecompressSync(bytes, { maxOutputLength: BLOB_BYTES_MAX }) : bytes;
    return sha256Hex(content) === digest ? content : null;
  } catch {
    return null;
  }
}
