import type { RoutesText } from './routes-text.js';

interface Held {
  /** `null` once it is dropped: a Map's former table may go on naming what it held. */
  text: RoutesText | null;
}

/** The texts that were put in last, up to a number of bytes: beyond it the oldest goes. */
export class RecentTexts {
  private readonly held = new Map<string, Held>();
  private heldBytes = 0;

  constructor(private readonly bytesMax: number) {}

  get(digest: string): RoutesText | null {
    return this.held.get(digest)?.text ?? null;
  }

  set(digest: string, text: RoutesText): void {
    this.delete(digest);
    this.held.set(digest, { text });
    this.heldBytes += text.bytes.length;
    for (const oldest of this.held.keys()) {
      if (this.heldBytes <= this.bytesMax) return;
      this.delete(oldest);
    }
  }

  delete(digest: string): void {
    const held = this.held.get(digest);
    if (held === undefined) return;
    this.held.delete(digest);
    this.heldBytes -= held.text!.bytes.length;
    held.text = null;
  }
}
