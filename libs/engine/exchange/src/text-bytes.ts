/**
 * Texts that go out as bodies. A small body is written to its socket as one text together with its head, mostly in the turn in which it was
 * made: whoever writes it then need not make a text of its bytes again.
 */
import { Buffer } from 'node:buffer';

/** The last text is kept until the next one. */
const KEPT_CHARS_MAX = 16_384;

let lastBytes: Buffer | null = null;
let lastText = '';

/** In UTF-8. To be changed by nobody. */
export function bytesOfText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  // One byte for each character: ASCII, so it is the same text in Latin-1.
  if (bytes.length === text.length && text.length <= KEPT_CHARS_MAX) {
    lastBytes = bytes;
    lastText = text;
  }
  return bytes;
}

/** As `toString('latin1')`. */
export function latin1Of(bytes: Buffer): string {
  return bytes === lastBytes ? lastText : bytes.toString('latin1');
}
