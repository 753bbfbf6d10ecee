import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { sha256Hex } from '@gatehouse/kernel';

/**
 * For a process that reads a node's store and does not own it: `null` when there is no such blob or its bytes are not those of
 * the digest, which is the owner's to put right. `folder`: the link's `dataDir`.
 */
export async function readStoredBlob(folder: string, digest: string): Promise<Uint8Array | null> {
  try {
    const bytes = await readFile(path.join(folder, 'blobs', digest.slice(0, 2), digest));
    return sha256Hex(bytes) === digest ? bytes : null;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw cause;
  }
}
