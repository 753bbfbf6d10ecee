import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import type { ClientFile } from './client-files.js';

/** The folder that AWS's archive has. */
const FOLDER = 'apiGateway-js-sdk';

/** The files as a zip archive; equal files of the same day give equal bytes. */
export async function clientArchive(files: readonly ClientFile[], madeAtMs: number): Promise<Uint8Array> {
  const archive = new ZipFile();
  for (const { name, text } of files) {
    archive.addBuffer(Buffer.from(text), `${FOLDER}/${name}`, { mtime: new Date(madeAtMs), mode: 0o100644 });
  }
  archive.end();
  return buffer(archive.outputStream);
}
