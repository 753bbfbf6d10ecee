/** What one node was asked, and who waits for the answers. */

/** Why there is no answer. */
export type NoAnswer =
  | 'TIMEOUT'
  /** It has enough under way. */
  | 'BUSY'
  /** It could not, or is gone. */
  | 'FAILED';

export class Questions<A> {
  private readonly waiting = new Map<bigint, (answer: A | NoAnswer) => void>();
  private lastId = 0n;

  constructor(private readonly underWayMax: number) {}

  get count(): number {
    return this.waiting.size;
  }

  ask(send: (id: bigint) => void, timeoutMs: number): Promise<A | NoAnswer> {
    if (this.waiting.size >= this.underWayMax) return Promise.resolve('BUSY');
    const id = ++this.lastId;
    return new Promise((resolve) => {
      const timeout = setTimeout(() => this.settle(id, 'TIMEOUT'), timeoutMs);
      this.waiting.set(id, (answer) => {
        clearTimeout(timeout);
        resolve(answer);
      });
      send(id);
    });
  }

  /** One that nobody waits for any more is dropped. */
  settle(id: bigint, answer: A | NoAnswer): void {
    const tell = this.waiting.get(id);
    this.waiting.delete(id);
    tell?.(answer);
  }

  /** The node is gone: nothing comes any more. */
  end(): void {
    for (const id of [...this.waiting.keys()]) this.settle(id, 'FAILED');
  }
}
