import { randomFillSync } from 'node:crypto';

/**
 * Random bytes from the kernel's generator, fetched in blocks: a request needs 31 of them, and a call for each would cost more than
 * all else about its identity.
 */
export class Randomness {
  private readonly block = Buffer.alloc(16_384);
  private used = this.block.length;

  hex(bytes: number): string {
    const start = this.take(bytes);
    return this.block.toString('hex', start, start + bytes);
  }

  base64(bytes: number): string {
    const start = this.take(bytes);
    return this.block.toString('base64', start, start + bytes);
  }

  /** Version 4 (RFC 9562 §5.4). */
  uuid(): string {
    const start = this.take(16);
    const { block } = this;
    block[start + 6] = (block[start + 6]! & 0x0f) | 0x40;
    block[start + 8] = (block[start + 8]! & 0x3f) | 0x80;
    const hex = block.toString('hex', start, start + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** Where `bytes` fresh ones stand; each is handed out once. */
  private take(bytes: number): number {
    if (this.used + bytes > this.block.length) {
      randomFillSync(this.block);
      this.used = 0;
    }
    const start = this.used;
    this.used += bytes;
    return start;
  }
}
