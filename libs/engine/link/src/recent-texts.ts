import { giveBack, type RoutesText } from './routes-text.js';

interface Held {
  /** `null` once it is dropped: a Map's former table may go on naming what it held. */
  text: RoutesText | null;
  /** Snapshots that have it. */
  users: number;
}

/** The texts that were put in last, up to a number of bytes: beyond it the oldest goes. The memory of what goes is given back. */
export class RecentTexts {
  private readonly byDigest = new Map<string, Held>();
  private readonly byText = new WeakMap<RoutesText, Held>();
  private heldBytes = 0;

  constructor(private readonly bytesMax: number) {}

  get(digest: string): RoutesText | null {
    return this.byDigest.get(digest)?.text ?? null;
  }

  set(digest: string, text: RoutesText): void {
    if (this.byDigest.has(digest)) return;
    this.byDigest.set(digest, this.taken(text));
    for (const oldest of this.byDigest.keys()) {
      if (this.heldBytes <= this.bytesMax) return;
      this.delete(oldest);
    }
  }

  delete(digest: string): void {
    const held = this.byDigest.get(digest);
    if (held === undefined) return;
    this.byDigest.delete(digest);
    if (--held.users > 0) return;
    const { content } = held.text!;
    held.text = null;
    this.heldBytes -= content.length;
    giveBack(content);
  }

  private taken(text: RoutesText): Held {
    let held = this.byText.get(text);
    if (held === undefined) {
      this.byText.set(text, (held = { text, users: 0 }));
      this.heldBytes += text.content.length;
    }
    held.users++;
    return held;
  }
}
