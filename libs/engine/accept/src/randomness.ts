import { randomFillSync } from 'node:crypto';

const BLOCK_BYTES = 16_384;
const VARIANTS = '89ab';

/**
 * Random text from the kernel's generator. Bytes are fetched and spelled out in blocks, and a request's ids are slices of the text:
 * a call into the generator for each would cost more than all else about a request's identity.
 */
export class Randomness {
  private readonly bytes = Buffer.alloc(BLOCK_BYTES);
  private hexText = '';
  private hexUsed = 0;
  private base64Text = '';
  private base64Used = 0;

  /** Lower-case digits, two per byte. */
  hex(digits: number): string {
    const start = this.takeHex(digits);
    return this.hexText.slice(start, start + digits);
  }

  /** Without padding; six bits each. */
  base64(characters: number): string {
    if (this.base64Used + characters > this.base64Text.length) {
      this.base64Text = randomFillSync(this.bytes).toString('base64').replace(/=+$/, '');
      this.base64Used = 0;
    }
    const start = this.base64Used;
    this.base64Used += characters;
    return this.base64Text.slice(start, start + characters);
  }

  /** Version 4 (RFC 9562 §5.4). */
  uuid(): string {
    const at = this.takeHex(32);
    const hex = this.hexText;
    const variant = VARIANTS[hex.charCodeAt(at + 16) & 3]!;
    return `${hex.slice(at, at + 8)}-${hex.slice(at + 8, at + 12)}-4${hex.slice(at + 13, at + 16)}-${variant}${hex.slice(at + 17, at + 20)}-${hex.slice(at + 20, at + 32)}`;
  }

  /** Where so many fresh digits stand; each is handed out once. */
  private takeHex(digits: number): number {
    if (this.hexUsed + digits > this.hexText.length) {
      this.hexText = randomFillSync(this.bytes).toString('hex');
      this.hexUsed = 0;
    }
    const start = this.hexUsed;
    this.hexUsed += digits;
    return start;
  }
}
