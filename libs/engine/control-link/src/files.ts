/**
 * The few things a disk store does with files, so that tests can let a disk fail and a process die between any two of
 * them. Names are relative to the store's folder, parts separated by "/".
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { sha256Hex } from '@gatehouse/kernel';
import { BLOB_BYTES_MAX, type BlobBytes } from './decoded-blob.js';
import { DiskThread } from './disk-thread.js';

export interface Files {
  /** `null` when there is no such file. */
  read(name: string): Promise<Buffer | null>;
  /** `null` when there is no such file. */
  size(name: string): Promise<number | null>;
  /** Puts a file in its place as a whole. A crash may lose it; half of it is never seen under its name. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Decodes and checks it, and writes it like `write`. Resolves with the content; with `null`, and nothing written, for other bytes than its digest says. */
  writeBlob(name: string, blob: BlobBytes): Promise<Uint8Array | null>;
  /** Like `write`, and on the disk when it resolves. */
  replace(name: string, chunks: Iterable<Uint8Array>): Promise<void>;
  /** Cuts the file off at `atByte`, adds the bytes, and resolves when they are on the disk. A crash may leave a part of them. */
  append(name: string, atByte: number, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  /** Files of a folder and of the folders in it; drafts that a crash left behind included. */
  list(folder: string): Promise<string[]>;
  close(): Promise<void>;
}

const decompress = promisify(zstdDecompress);

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** The thread gets a copy; of larger ones (packages of functions) there is none. */
const COPIED_BYTES_MAX = 4 * 1024 * 1024;

/** Only the process's own user may read what is written: entries hold functions' environment variables and private keys in clear. */
export class DiskFiles implements Files {
  /** What every change writes; the rest is rare. */
  private readonly thread = new DiskThread({ folderMode: FOLDER_MODE, fileMode: FILE_MODE });

  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<DiskFiles> {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    await chmod(folder, FOLDER_MODE); // it may have been there before
    return new DiskFiles(folder);
  }

  async read(name: string): Promise<Buffer | null> {
    return unlessAbsent(readFile(this.place(name)));
  }

  async size(name: string): Promise<number | null> {
    return (await unlessAbsent(stat(this.place(name))))?.size ?? null;
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    const [place, draft] = [this.place(name), this.draftOf(name)];
    if (bytes.length <= COPIED_BYTES_MAX) {
      await this.thread.run({ kind: 'write', place, draft, bytes });
      return;
    }
    await mkdir(path.dirname(draft), { recursive: true, mode: FOLDER_MODE });
    await writeFile(draft, bytes, { mode: FILE_MODE });
    await rename(draft, place);
  }

  async writeBlob(name: string, blob: BlobBytes): Promise<Uint8Array | null> {
    if (blob.bytes.length <= COPIED_BYTES_MAX)
      return this.thread.run({ kind: 'blob', place: this.place(name), draft: this.draftOf(name), ...blob });
    const content = blob.isZstd
      ? await decompress(blob.bytes, { maxOutputLength: BLOB_BYTES_MAX }).catch(() => null)
      : blob.bytes;
    if (content === null || sha256Hex(content) !== blob.digest) return null;
    await this.write(name, content);
    return content;
  }

  async replace(name: string, chunks: Iterable<Uint8Array>): Promise<void> {
    const draft = this.draftOf(name);
    await mkdir(path.dirname(draft), { recursive: true, mode: FOLDER_MODE });
    const handle = await open(draft, 'w', FILE_MODE);
    try {
      for (const chunk of chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await this.thread.run({ kind: 'release' }); // it may be the file that is appended to
    await rename(draft, this.place(name));
    const folder = await open(path.dirname(draft), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async append(name: string, atByte: number, bytes: Uint8Array): Promise<void> {
    await this.thread.run({ kind: 'append', place: this.place(name), atByte, bytes });
  }

  async remove(name: string): Promise<void> {
    await this.thread.run({ kind: 'remove', place: this.place(name) });
  }

  async list(folder: string): Promise<string[]> {
    const found = await unlessAbsent(readdir(this.place(folder), { recursive: true, withFileTypes: true }));
    return (found ?? [])
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(this.folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  }

  close(): Promise<void> {
    return this.thread.close();
  }

  private place(name: string): string {
    return path.join(this.folder, name);
  }

  private draftOf(name: string): string {
    return `${this.place(name)}.${randomBytes(4).toString('hex')}.tmp`;
  }
}

async function unlessAbsent<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw cause;
  }
}
