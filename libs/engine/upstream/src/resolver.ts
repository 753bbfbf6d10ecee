/**
 * Names and their addresses, kept for as long as their TTL says.
 *
 *   live name     a call in the last fifth of the TTL starts the next lookup and goes on with the addresses it has
 *   idle name     the first call after the TTL waits for a lookup
 *   failing name  the last good answer is served up to `staleMs`, NXDOMAIN included: a zone is reloaded by mistake more often than
 *                 a name is given up, and who gives a name up for good has an hour. Calls try again, with growing pauses
 *   unknown name  its failure is remembered briefly, so that calls to it fail at once
 *
 * Lookups start with calls only: there are no timers but the time limit of a lookup in flight, and nothing to close.
 * At the bound on names the one not looked up for longest is forgotten; who holds its `ResolvedName` may go on using it.
 */
import { systemClock, type Clock } from '@gatehouse/kernel';
import { isIP } from 'node:net';
import { isAhead } from './is-ahead.js';
import type { NameAnswer, NameService, ResolvedAddress } from './name-service.js';
import type { ResolverSettings } from './settings.js';

export interface ResolverOptions {
  readonly names: NameService;
  readonly settings: ResolverSettings;
  /** The one `nowMs` is read from. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** The lookup took longer than `lookupTimeoutMs`. */
export class LookupTimeout extends Error {
  readonly code = 'ETIMEOUT';
  constructor(host: string) {
    super(`no answer about ${host} in time`);
    this.name = 'LookupTimeout';
  }
}

export class Resolver {
  /** In the order of their last lookup. */
  private readonly byHost = new Map<string, ResolvedName>();
  readonly settings: ResolverSettings;
  private readonly names: NameService;
  private readonly clock: Clock;
  private readonly random: () => number;

  constructor({ names, settings, clock = systemClock, random = Math.random }: ResolverOptions) {
    this.names = names;
    this.settings = settings;
    this.clock = clock;
    this.random = random;
  }

  /** Starts nothing. IPv6 literals may have brackets. */
  name(host: string): ResolvedName {
    const bare = host.startsWith('[') ? host.slice(1, -1) : host.toLowerCase();
    const family = isIP(bare);
    if (family !== 0) return ResolvedName.literal(this, bare, family as 4 | 6);
    const known = this.byHost.get(bare);
    if (known !== undefined) return known;
    const name = new ResolvedName(this, bare);
    this.remember(name);
    return name;
  }

  get nameCount(): number {
    return this.byHost.size;
  }

  /** Of a ResolvedName only: `done` is called once, with the instant. */
  lookUp(name: ResolvedName, done: (answer: NameAnswer | Error, nowMs: number) => void): void {
    this.remember(name);
    const limit = new AbortController();
    let isOver = false;
    const end = (answer: NameAnswer | Error): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      done(answer, this.clock.nowMs());
    };
    const timer = setTimeout(() => {
      limit.abort();
      end(new LookupTimeout(name.host));
    }, this.settings.lookupTimeoutMs);
    timer.unref();
    this.names.lookUp(name.host, limit.signal).then(end, (cause: unknown) => end(errorOf(cause)));
  }

  /**
   * At most `addressesMax`. Those in use come first: servers turn their answers, and another choice at each TTL would mean new
   * connections at each TTL. The rest starts anywhere, so that nodes do not all choose the same.
   */
  choose(answer: readonly ResolvedAddress[], inUse: readonly ResolvedAddress[]): ResolvedAddress[] {
    const offered = new Map(answer.map((address) => [address.address, address]));
    const chosen = inUse.filter(({ address }) => offered.delete(address));
    const rest = [...offered.values()];
    const { addressesMax } = this.settings;
    if (chosen.length + rest.length <= addressesMax) return [...chosen, ...rest];
    const start = Math.floor(this.random() * rest.length);
    return [...chosen, ...rest.slice(start), ...rest.slice(0, start)].slice(0, addressesMax);
  }

  private remember(name: ResolvedName): void {
    this.byHost.delete(name.host);
    this.byHost.set(name.host, name);
    if (this.byHost.size <= this.settings.namesMax) return;
    for (const oldest of this.byHost.keys()) {
      this.byHost.delete(oldest);
      return;
    }
  }
}

const errorOf = (cause: unknown): Error => (cause instanceof Error ? cause : new Error(String(cause)));

/** There are addresses to use. */
export const NAME_READY = 0;
/** A lookup has to be waited for: `whenResolved`. */
export const NAME_RESOLVING = 1;
/** There is nothing to use, and it is too early to ask again: see `failure`. */
export const NAME_FAILED = 2;
export type NameState = typeof NAME_READY | typeof NAME_RESOLVING | typeof NAME_FAILED;

const RESOLVED = Promise.resolve();

export class ResolvedName {
  /** The last good answer. */
  addresses: readonly ResolvedAddress[] = [];
  /** Counts changes of `addresses`. */
  version = 0;
  /** Why the last lookup failed; `null` when it did not. */
  failure: Error | null = null;
  /** From this instant on `check` has something to do; until then there are addresses to use. */
  checkAtMs = 0;

  /** The furthest `checkAtMs` can lie ahead; further, the clock was stepped back. */
  private freshMsMax: number;
  private answeredAtMs = 0;
  private expiresAtMs = 0;
  private usableUntilMs = 0;
  private retryAtMs = 0;
  private failureCount = 0;
  private inFlight: Promise<void> | null = null;

  constructor(
    private readonly resolver: Resolver,
    readonly host: string,
  ) {
    const { ttlMaxMs, negativeMs, retryMaxMs } = resolver.settings;
    this.freshMsMax = Math.max(ttlMaxMs, negativeMs, retryMaxMs);
  }

  static literal(resolver: Resolver, address: string, family: 4 | 6): ResolvedName {
    const name = new ResolvedName(resolver, address);
    name.addresses = [{ address, family }];
    name.version = 1;
    name.checkAtMs = Infinity;
    name.freshMsMax = Infinity;
    return name;
  }

  /** For the hot path: two comparisons as long as the answer is fresh. May start a lookup; never waits for it. */
  check(nowMs: number): NameState {
    return isAhead(this.checkAtMs, nowMs, this.freshMsMax) ? NAME_READY : this.checkNow(nowMs);
  }

  /** Settles, without a value and never rejected, when the lookup in flight ends; at once when there is none. Then ask again. */
  whenResolved(): Promise<void> {
    return this.inFlight ?? RESOLVED;
  }

  private checkNow(nowMs: number): NameState {
    if (this.inFlight === null && !isAhead(this.retryAtMs, nowMs, this.freshMsMax)) this.lookUp(nowMs);
    if (nowMs < this.usableUntilMs) return NAME_READY;
    return this.inFlight === null ? NAME_FAILED : NAME_RESOLVING;
  }

  private lookUp(nowMs: number): void {
    const { lookupTimeoutMs } = this.resolver.settings;
    // Begun ahead of the end of the TTL, nobody waits for it, even if it takes its whole time.
    if (nowMs < this.expiresAtMs) this.usableUntilMs = Math.max(this.usableUntilMs, nowMs + lookupTimeoutMs);
    this.inFlight = new Promise((resolve) => {
      this.resolver.lookUp(this, (answer, endedAtMs) => {
        this.inFlight = null;
        if (answer instanceof Error || answer.addresses.length === 0) this.failed(answer, endedAtMs);
        else this.adopt(answer, endedAtMs);
        resolve();
      });
    });
  }

  private adopt(answer: NameAnswer, nowMs: number): void {
    const { ttlMinMs, ttlMaxMs, ttlDefaultMs, refreshAheadShare } = this.resolver.settings;
    const ttlMs = Math.min(ttlMaxMs, Math.max(ttlMinMs, answer.ttlMs ?? ttlDefaultMs));
    const addresses = this.resolver.choose(answer.addresses, this.addresses);
    if (!isSameList(addresses, this.addresses)) {
      this.addresses = addresses;
      this.version++;
    }
    this.failure = null;
    this.failureCount = 0;
    this.answeredAtMs = nowMs;
    this.expiresAtMs = nowMs + ttlMs;
    this.usableUntilMs = this.expiresAtMs;
    this.retryAtMs = nowMs + ttlMs * (1 - refreshAheadShare);
    this.checkAtMs = this.retryAtMs;
  }

  private failed(cause: NameAnswer | Error, nowMs: number): void {
    const { staleMs, negativeMs, retryMinMs, retryMaxMs } = this.resolver.settings;
    this.failure = cause instanceof Error ? cause : new Error(`no address for ${this.host}`);
    const isStaleUsable = this.version > 0 && nowMs < this.answeredAtMs + staleMs;
    if (isStaleUsable) this.usableUntilMs = Math.max(this.expiresAtMs, this.answeredAtMs + staleMs);
    const pauseMs = isStaleUsable ? Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.failureCount, 30)) : negativeMs;
    this.failureCount++;
    this.retryAtMs = nowMs + pauseMs;
    this.checkAtMs = isStaleUsable ? Math.min(this.retryAtMs, this.usableUntilMs) : 0;
  }
}

/** `choose` keeps the order of those in use, so equal sets are equal lists. */
function isSameList(left: readonly ResolvedAddress[], right: readonly ResolvedAddress[]): boolean {
  return left.length === right.length && left.every(({ address }, i) => address === right[i]!.address);
}
