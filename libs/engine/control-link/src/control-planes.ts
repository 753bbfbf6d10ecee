import type { ControlTransport, OpenTransport } from './transport.js';

/**
 * Which control plane a node talks to. Each node shuffles the list for itself, so that nodes spread over the control
 * planes; the first of its list is the one it prefers, and the next one is taken when the present one fails.
 */
export class ControlPlanes {
  private readonly addresses: readonly string[];
  private readonly transports = new Map<string, ControlTransport>();
  private index = 0;

  constructor(
    addresses: readonly string[],
    private readonly open: OpenTransport,
    random: () => number,
  ) {
    if (addresses.length === 0) throw new Error('no address of a control plane is given');
    this.addresses = shuffled([...new Set(addresses)], random);
  }

  get count(): number {
    return this.addresses.length;
  }

  get address(): string {
    return this.addresses[this.index]!;
  }

  get isPreferred(): boolean {
    return this.index === 0;
  }

  get transport(): ControlTransport {
    return this.transportTo(this.address);
  }

  next(): void {
    this.index = (this.index + 1) % this.addresses.length;
  }

  isPreferredReachable(timeoutMs: number): Promise<boolean> {
    return this.transportTo(this.addresses[0]!).isReachable(timeoutMs);
  }

  /** `next` leads to the preferred one. */
  beforePreferred(): void {
    this.index = this.addresses.length - 1;
  }

  close(): void {
    for (const transport of this.transports.values()) transport.close();
  }

  private transportTo(address: string): ControlTransport {
    let transport = this.transports.get(address);
    if (transport === undefined) {
      transport = this.open(address);
      this.transports.set(address, transport);
    }
    return transport;
  }
}

/** Shuffles in place. */
export function shuffled<T>(items: T[], random: () => number): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
  return items;
}
