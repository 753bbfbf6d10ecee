/**
 * The few things a disk store does with files, so that tests can let a disk fail and a process die between any two of
 * them. Names are relative to the store's folder, parts separated by "/".
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';

export interface Files {
  /** `null` when there is no such file. */
  read(name: string): Promise<Buffer | null>;
  /** `null` when there is no such file. */
  size(name: string): Promise<number | null>;
  /** Puts a file in its place as a whole. A crash may lose it; half of it is never seen under its name. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Like `write`, and on the disk when it resolves. */
  replace(name: string, chunks: Iterable<Uint8Array>): Promise<void>;
  /** Cuts the file off at `atByte`, adds the bytes, and resolves when they are on the disk. A crash may leave a part of them. */
  append(name: string, atByte: number, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  /** Files of a folder and of the folders in it; drafts that a crash left behind included. */
  list(folder: string): Promise<string[]>;
  close(): Promise<void>;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** Only the process's own user may read what is written: entries hold functions' environment variables and private keys in clear. */
export class DiskFiles implements Files {
  /** The file that is appended to stays open. */
  private appending: { readonly name: string; readonly handle: FileHandle; length: number } | null = null;

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
    const draft = this.draftOf(name);
    try {
      await writeFile(draft, bytes, { mode: FILE_MODE });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      await this.makeFolderOf(draft); // the first file in it
      await writeFile(draft, bytes, { mode: FILE_MODE });
    }
    await rename(draft, this.place(name));
  }

  async replace(name: string, chunks: Iterable<Uint8Array>): Promise<void> {
    const draft = this.draftOf(name);
    await this.makeFolderOf(draft);
    const handle = await open(draft, 'w', FILE_MODE);
    try {
      for (const chunk of chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (this.appending?.name === name) await this.close();
    await rename(draft, this.place(name));
    const folder = await open(path.dirname(draft), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async append(name: string, atByte: number, bytes: Uint8Array): Promise<void> {
    if (this.appending?.name !== name) {
      await this.close();
      const handle = await open(this.place(name), 'r+');
      this.appending = { name, handle, length: (await handle.stat()).size };
    }
    const { appending } = this;
    if (appending.length !== atByte) await appending.handle.truncate(atByte);
    appending.length = -1; // until it is known again, a failed write has left any length
    await appending.handle.write(bytes, 0, bytes.length, atByte).then(({ bytesWritten }) => {
      if (bytesWritten < bytes.length) throw new Error(`only ${bytesWritten} of ${bytes.length} bytes could be written`);
    });
    await appending.handle.datasync();
    appending.length = atByte + bytes.length;
  }

  async remove(name: string): Promise<void> {
    await rm(this.place(name), { force: true });
  }

  async list(folder: string): Promise<string[]> {
    const found = await unlessAbsent(readdir(this.place(folder), { recursive: true, withFileTypes: true }));
    return (found ?? [])
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(this.folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  }

  async close(): Promise<void> {
    const { appending } = this;
    this.appending = null;
    await appending?.handle.close();
  }

  private place(name: string): string {
    return path.join(this.folder, name);
  }

  private draftOf(name: string): string {
    return `${this.place(name)}.${randomBytes(4).toString('hex')}.tmp`;
  }

  private async makeFolderOf(file: string): Promise<void> {
    await mkdir(path.dirname(file), { recursive: true, mode: FOLDER_MODE });
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
