import { decodedBlob, type BlobBytes } from './decoded-blob.js';
import type { Files } from './files.js';

/**
 * A disk in memory. `crash` takes it from the process that had it, at any moment: what that process was doing is done in
 * part or not at all, and what it still does afterwards reaches nothing.
 */
export class MemoryFiles implements Files {
  private readonly pending = new Set<(share: number) => void>();
  private isCrashed = false;
  /** When set, writes fail like those to a full disk. */
  isFull = false;
  appendedBytes = 0;
  replacedBytes = 0;

  constructor(readonly files = new Map<string, Buffer>()) {}

  /** What the next process finds; `share` in [0, 1] of an unfinished append is there. */
  crash(share: number): MemoryFiles {
    this.isCrashed = true;
    for (const apply of this.pending) apply(share);
    return new MemoryFiles(this.files);
  }

  async read(name: string): Promise<Buffer | null> {
    await this.alive();
    const bytes = this.files.get(name);
    return bytes === undefined ? null : Buffer.from(bytes);
  }

  async size(name: string): Promise<number | null> {
    await this.alive();
    return this.files.get(name)?.length ?? null;
  }

  write(name: string, bytes: Uint8Array): Promise<void> {
    return this.change((share) => {
      if (share === 1) this.files.set(name, Buffer.from(bytes));
    });
  }

  async writeBlob(name: string, blob: BlobBytes): Promise<Uint8Array | null> {
    const content = decodedBlob(blob);
    if (content !== null) await this.write(name, content);
    return content;
  }

  replace(name: string, chunks: Iterable<Uint8Array>): Promise<void> {
    const bytes = Buffer.concat([...chunks]);
    this.replacedBytes += bytes.length;
    return this.write(name, bytes);
  }

  append(name: string, atByte: number, bytes: Uint8Array): Promise<void> {
    this.appendedBytes += bytes.length;
    const added = Buffer.from(bytes);
    return this.change((share) => {
      const before = this.files.get(name)!.subarray(0, atByte);
      this.files.set(name, Buffer.concat([before, added.subarray(0, Math.floor(added.length * share))]));
    });
  }

  remove(name: string): Promise<void> {
    return this.change((share) => {
      if (share === 1) this.files.delete(name);
    });
  }

  async list(folder: string): Promise<string[]> {
    await this.alive();
    return [...this.files.keys()].filter((name) => name.startsWith(`${folder}/`));
  }

  async close(): Promise<void> {}

  private async change(apply: (share: number) => void): Promise<void> {
    await this.alive();
    if (this.isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    this.pending.add(apply);
    await Promise.resolve();
    await this.alive();
    this.pending.delete(apply);
    apply(1);
  }

  /** Never resolves for a process that is dead. */
  private alive(): Promise<void> {
    return this.isCrashed ? new Promise(() => {}) : Promise.resolve();
  }
}
