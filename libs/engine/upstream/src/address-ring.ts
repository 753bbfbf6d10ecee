/**
 * The addresses of one origin in turn, leaving out those that fail. Passive: only real calls are judged.
 *
 * An address is ejected after some failures in a row, and at once when it never worked and cannot even be connected to (`localhost`
 * is ::1 as well, and many names have an IPv6 address that nothing here routes to). Back from its time out it is on probation:
 * one failure ejects it again, for longer. The only address is never ejected; that the whole origin is down is the breaker's word.
 */
import { CONNECT_FAILED, type FailureKind } from './failure-kinds.js';
import { isAhead } from './is-ahead.js';
import type { ResolvedAddress } from './name-service.js';
import type { EjectionSettings } from './settings.js';

/** One address of one destination. The same object as long as the name has the address: pools may be keyed by it. */
export class UpstreamAddress {
  /** False once the name no longer has it: connections to it may be closed when they fall idle. */
  isCurrent = true;
  isEjected = false;
  consecutiveFailures = 0;
  hasWorked = false;
  ejectionCount = 0;
  /** While ejected: the end of it. Later: when it came back. */
  ejectedUntilMs = 0;

  constructor(
    readonly address: string,
    readonly family: 4 | 6,
    readonly port: number,
  ) {}
}

export class AddressRing {
  readonly addresses: UpstreamAddress[] = [];
  ejectedCount = 0;
  private cursor = 0;
  /** The earliest end of an ejection; only meaningful with one. */
  private nextReturnMs = 0;

  constructor(
    private readonly settings: EjectionSettings,
    private readonly random: () => number,
  ) {}

  /** Addresses that stay keep their health and their object. */
  replace(addresses: readonly ResolvedAddress[], port: number, nowMs: number): void {
    const keyOf = (address: string, ownPort: number): string => (ownPort === port ? address : `${address} ${ownPort}`);
    const before = new Map(this.addresses.map((known) => [keyOf(known.address, known.port), known]));
    this.addresses.length = 0;
    for (const { address, family, port: ownPort = port } of addresses) {
      const key = keyOf(address, ownPort);
      this.addresses.push(before.get(key) ?? new UpstreamAddress(address, family, ownPort));
      before.delete(key);
    }
    for (const gone of before.values()) gone.isCurrent = false;
    // Each node starts somewhere else, so that the first address of an answer is not everybody's first.
    this.cursor = Math.floor(this.random() * this.addresses.length);
    this.readmit(nowMs);
    while (this.ejectedCount > this.ejectedMax) this.readmitEarliest();
  }

  /** `null` only when there is no address, or none but `except` may be used. */
  next(nowMs: number, except: UpstreamAddress | null): UpstreamAddress | null {
    if (this.ejectedCount > 0 && !isAhead(this.nextReturnMs, nowMs, this.settings.maxMs)) this.readmit(nowMs);
    const { addresses } = this;
    for (let tries = addresses.length; tries > 0; tries--) {
      this.cursor = this.cursor + 1 < addresses.length ? this.cursor + 1 : 0;
      const candidate = addresses[this.cursor]!;
      if (!candidate.isEjected && candidate !== except) return candidate;
    }
    return null;
  }

  /** Reports on addresses that are gone or ejected come from calls of earlier times and change nothing. */
  succeeded(address: UpstreamAddress): void {
    if (address.isEjected) return;
    address.consecutiveFailures = 0;
    address.hasWorked = true;
  }

  failed(address: UpstreamAddress, kind: FailureKind, nowMs: number): void {
    if (address.isEjected || !address.isCurrent) return;
    address.consecutiveFailures++;
    const isUnreachable = kind === CONNECT_FAILED && !address.hasWorked;
    if (!isUnreachable && address.consecutiveFailures < this.settings.consecutiveFailuresMax) return;
    if (this.ejectedCount > 0) this.readmit(nowMs);
    if (this.ejectedCount < this.ejectedMax) this.eject(address, nowMs);
  }

  private get ejectedMax(): number {
    const count = this.addresses.length;
    return Math.max(0, Math.min(count - 1, Math.floor(count * this.settings.shareMax)));
  }

  private eject(address: UpstreamAddress, nowMs: number): void {
    const { baseMs, maxMs, jitterShare } = this.settings;
    // Who behaved for longer than the longest time out starts anew.
    if (nowMs - address.ejectedUntilMs > maxMs) address.ejectionCount = 0;
    const fullMs = Math.min(maxMs, baseMs * 2 ** address.ejectionCount);
    address.isEjected = true;
    address.ejectionCount = Math.min(address.ejectionCount + 1, 30);
    address.ejectedUntilMs = nowMs + fullMs * (1 - jitterShare * this.random());
    this.ejectedCount++;
    this.nextReturnMs = this.ejectedCount === 1 ? address.ejectedUntilMs : Math.min(this.nextReturnMs, address.ejectedUntilMs);
  }

  /** Brings back whose time is over, and counts again. */
  private readmit(nowMs: number): void {
    this.ejectedCount = 0;
    this.nextReturnMs = Infinity;
    for (const address of this.addresses) {
      if (!address.isEjected) continue;
      if (isAhead(address.ejectedUntilMs, nowMs, this.settings.maxMs)) {
        this.ejectedCount++;
        this.nextReturnMs = Math.min(this.nextReturnMs, address.ejectedUntilMs);
      } else {
        this.putOnProbation(address);
      }
    }
  }

  /** The name has fewer addresses now, and too large a share of them is out. */
  private readmitEarliest(): void {
    let earliest: UpstreamAddress | null = null;
    for (const address of this.addresses) {
      if (address.isEjected && (earliest === null || address.ejectedUntilMs < earliest.ejectedUntilMs)) earliest = address;
    }
    this.putOnProbation(earliest!);
    this.ejectedCount--;
  }

  private putOnProbation(address: UpstreamAddress): void {
    address.isEjected = false;
    address.consecutiveFailures = this.settings.consecutiveFailuresMax - 1;
  }
}
