/**
 * One origin (host and port) as one tenant sees it: which address the next call goes to, or why none.
 *
 *   const picked = destination.pick(nowMs);
 *   if (typeof picked === 'number') ...                // a Refusal
 *   const epoch = destination.epoch;                   // belongs to the call
 *   ... exactly one of
 *   destination.succeeded(picked, epoch, nowMs);
 *   destination.failed(picked, RESET, epoch, nowMs);
 *   destination.abandoned(epoch);                      // the caller left: says nothing about the upstream
 *
 * Nothing here is shared between tenants: one that points a route with a timeout of 50 ms at a slow origin opens its own breaker,
 * not its neighbour's. Only the addresses of the name are common.
 */
import type { AddressRules } from './address-rules.js';
import { AddressRing, type UpstreamAddress } from './address-ring.js';
import { Breaker, CLOSED, type BreakerState } from './breaker.js';
import { GATEWAY_STATUS, type FailureKind } from './failure-kinds.js';
import { NAME_FAILED, NAME_READY, NAME_RESOLVING, type NameState } from './resolver.js';
import type { ResolvedAddress } from './name-service.js';
import type { UpstreamSettings } from './settings.js';

/** Too many calls failed lately; `retryAfterMs` says when another one makes sense. */
export const BREAKER_OPEN = 1;
/** The name has no address for now; `cause` says why. */
export const NO_ADDRESS = 2;
/** The name has addresses, but the tenant may reach none of them. */
export const FORBIDDEN = 3;
/** The name is being looked up: await `whenResolved`, then pick again. */
export const RESOLVING = 4;
export type Refusal = typeof BREAKER_OPEN | typeof NO_ADDRESS | typeof FORBIDDEN | typeof RESOLVING;

/** Where a destination's addresses come from: a name, or several. */
export interface AddressSource {
  readonly host: string;
  readonly addresses: readonly ResolvedAddress[];
  /** Another number for other addresses. */
  readonly version: number;
  /** Why there are none; `null` when there is no such reason. */
  readonly failure: Error | null;
  check(nowMs: number): NameState;
  whenResolved(): Promise<void>;
}

export interface DestinationOptions {
  readonly tenant: string;
  readonly port: number;
  readonly name: AddressSource;
  readonly rules: AddressRules;
  readonly settings: UpstreamSettings;
  readonly random?: () => number;
}

export class Destination {
  readonly tenant: string;
  readonly port: number;
  private readonly name: AddressSource;
  private readonly rules: AddressRules;
  private readonly ring: AddressRing;
  private readonly breaker: Breaker | null;
  /** Of the name, when its addresses were judged. */
  private judgedVersion = 0;

  constructor({ tenant, port, name, rules, settings, random = Math.random }: DestinationOptions) {
    this.tenant = tenant;
    this.port = port;
    this.name = name;
    this.rules = rules;
    this.ring = new AddressRing(settings.ejection, random);
    this.breaker = settings.breaker === null ? null : new Breaker(settings.breaker);
  }

  /** An IPv6 address without brackets, if it is one. */
  get host(): string {
    return this.name.host;
  }

  /** To be read right after a pick and handed back with the report. */
  get epoch(): number {
    return this.breaker === null ? 0 : this.breaker.epoch;
  }

  /** Synchronous; allocates nothing unless the addresses changed. */
  pick(nowMs: number): UpstreamAddress | Refusal {
    const { breaker, name } = this;
    if (breaker !== null && breaker.state !== CLOSED && breaker.refuses(nowMs)) return BREAKER_OPEN;
    const state = name.check(nowMs);
    if (state !== NAME_READY) return refusalOf(state);
    if (name.version !== this.judgedVersion) this.judge(nowMs);
    const address = this.ring.next(nowMs, null);
    if (address === null) return FORBIDDEN;
    // Last, so that a call refused for another reason has not taken the probe's place.
    if (breaker !== null) breaker.admit(nowMs);
    return address;
  }

  /**
   * For a call that failed at `failed` before anything was sent and may therefore go elsewhere: the failure is the address's
   * alone, and the call keeps its epoch. `null`: there is no other address; report `failed` as if this had not been asked.
   */
  pickAnother(failed: UpstreamAddress, kind: FailureKind, nowMs: number): UpstreamAddress | null {
    const another = this.ring.next(nowMs, failed);
    if (another !== null) this.ring.failed(failed, kind, nowMs);
    return another;
  }

  /** The whole answer was received, whatever its status but 502, 503, 504 (GATEWAY_STATUS). */
  succeeded(address: UpstreamAddress, epoch: number, nowMs: number): void {
    this.ring.succeeded(address);
    if (this.breaker !== null) this.breaker.succeeded(epoch, nowMs);
  }

  failed(address: UpstreamAddress, kind: FailureKind, epoch: number, nowMs: number): void {
    this.ring.failed(address, kind, nowMs);
    if (this.breaker === null) return;
    if (kind === GATEWAY_STATUS) this.breaker.succeeded(epoch, nowMs);
    else this.breaker.failed(epoch, nowMs);
  }

  /** The call ended for a reason that is not the upstream's. */
  abandoned(epoch: number): void {
    if (this.breaker !== null) this.breaker.abandoned(epoch);
  }

  /** After RESOLVING. Never rejects. */
  whenResolved(): Promise<void> {
    return this.name.whenResolved();
  }

  /** After BREAKER_OPEN, milliseconds; at least 1 while calls are refused, else 0. */
  retryAfterMs(nowMs: number): number {
    return this.breaker === null ? 0 : this.breaker.retryAfterMs(nowMs);
  }

  /** Why the last lookup failed, also while older addresses are served; `null` when it did not. */
  get cause(): Error | null {
    return this.name.failure;
  }

  get breakerState(): BreakerState {
    return this.breaker === null ? CLOSED : this.breaker.state;
  }

  /** Those the tenant may reach, as of the last pick. */
  get addresses(): readonly UpstreamAddress[] {
    return this.ring.addresses;
  }

  /** As of the last pick. */
  get ejectedCount(): number {
    return this.ring.ejectedCount;
  }

  /** Every address a call can get went through here: a name that changes its addresses is judged again before the next pick. */
  private judge(nowMs: number): void {
    const { name, port } = this;
    this.ring.replace(
      name.addresses.filter(({ address, port: ownPort = port }) => this.rules.allows(address, ownPort)),
      port,
      nowMs,
    );
    this.judgedVersion = name.version;
  }
}

const refusalOf = (state: typeof NAME_RESOLVING | typeof NAME_FAILED): Refusal =>
  state === NAME_RESOLVING ? RESOLVING : NO_ADDRESS;
