/** Several hosts, each with its port, as one source of addresses: the targets of a VPC link. */
import type { AddressSource } from './destination.js';
import type { ResolvedAddress } from './name-service.js';
import { NAME_FAILED, NAME_READY, NAME_RESOLVING, type NameState, type ResolvedName, type Resolver } from './resolver.js';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export class JoinedNames implements AddressSource {
  readonly host: string;
  private readonly names: readonly { readonly name: ResolvedName; readonly port: number }[];

  constructor(resolver: Resolver, targets: readonly Target[]) {
    this.names = targets.map(({ host, port }) => ({ name: resolver.name(host), port }));
    this.host = targets.map(({ host, port }) => `${host}:${port}`).join(', ');
  }

  get addresses(): readonly ResolvedAddress[] {
    return this.names.flatMap(({ name, port }) => name.addresses.map((address) => ({ ...address, port })));
  }

  /** Each counts up only, so equal sums are equal parts. */
  get version(): number {
    return this.names.reduce((sum, { name }) => sum + name.version, 0);
  }

  get failure(): Error | null {
    return this.names.find(({ name }) => name.failure !== null)?.name.failure ?? null;
  }

  /** One that is there is enough: the others join it when they are. */
  check(nowMs: number): NameState {
    let best: NameState = NAME_FAILED;
    for (const { name } of this.names) {
      const state = name.check(nowMs);
      if (state === NAME_READY) best = NAME_READY;
      else if (state === NAME_RESOLVING && best === NAME_FAILED) best = NAME_RESOLVING;
    }
    return best;
  }

  /** Until the first of them has an answer. */
  async whenResolved(): Promise<void> {
    const waiting = this.names.filter(({ name }) => name.version === 0).map(({ name }) => name.whenResolved());
    await (waiting.length === 0 ? undefined : Promise.race(waiting));
  }
}
