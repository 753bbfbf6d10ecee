/**
 * Calls that wait for an execution environment, for a short and bounded time. First come, first served within a function;
 * a tenant's functions take turns, and so do the tenants, so that nobody's burst starves a neighbour:
 *
 *   tenant A   f: 1 2 3 4      served: A.f1  B.h7  A.g5  B.h8  A.f2 ...
 *              g: 5 6
 *   tenant B   h: 7 8
 *
 * At a bound, or when its time is up, a call is told that there is no place for it.
 */
import type { PublishedFunction } from './catalog.js';

export interface QueueLimits {
  /** How long a call waits; 0: not at all. */
  readonly waitMs: number;
  readonly callsPerFunctionMax: number;
  /** Of the events that wait. */
  readonly bytesPerTenantMax: number;
  readonly bytesMax: number;
}

interface Waiter<Place> {
  readonly fn: PublishedFunction;
  readonly settle: (place: Place | null) => void;
}

interface Tenant<Place> {
  /** By name; in the order of their turns, like the tenants. None is empty. */
  readonly functions: Map<string, Waiter<Place>[]>;
  bytes: number;
}

export class CallQueue<Place> {
  private readonly tenants = new Map<string, Tenant<Place>>();
  private bytes = 0;

  constructor(private readonly limits: QueueLimits) {}

  /** How many calls of this function are waiting. */
  countOf({ entry }: PublishedFunction): number {
    return this.tenants.get(entry.tenant)?.functions.get(entry.functionName)?.length ?? 0;
  }

  hasCode(digest: string): boolean {
    for (const { functions } of this.tenants.values()) {
      for (const waiters of functions.values()) if (waiters.some(({ fn }) => fn.codeDigest === digest)) return true;
    }
    return false;
  }

  /** The place `serve` gives; `null` when there is no room to wait, when the time is up, and when the caller has `left`. */
  wait(fn: PublishedFunction, eventBytes: number, left: AbortSignal): Promise<Place | null> {
    const { waitMs, callsPerFunctionMax, bytesPerTenantMax, bytesMax } = this.limits;
    const tenantBytes = (this.tenants.get(fn.entry.tenant)?.bytes ?? 0) + eventBytes;
    const isFull =
      this.countOf(fn) >= callsPerFunctionMax || tenantBytes > bytesPerTenantMax || this.bytes + eventBytes > bytesMax;
    if (waitMs === 0 || isFull || left.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      const giveUp = (): void => waiter.settle(null);
      const timer = setTimeout(giveUp, waitMs);
      left.addEventListener('abort', giveUp);
      const waiter: Waiter<Place> = {
        fn,
        settle: (place) => {
          clearTimeout(timer);
          left.removeEventListener('abort', giveUp);
          this.remove(waiter, eventBytes);
          resolve(place);
        },
      };
      this.add(waiter, eventBytes);
    });
  }

  /** Gives out what `placeFor` has: it is asked for the first call of each function in turn, and answers `null` for "not now". */
  serve(placeFor: (fn: PublishedFunction) => Place | null): void {
    let isServed = this.tenants.size > 0;
    while (isServed) {
      isServed = false;
      for (const name of [...this.tenants.keys()]) {
        if (!this.serveOne(name, placeFor)) continue;
        moveToEnd(this.tenants, name);
        isServed = true;
      }
    }
  }

  /** Sends everybody away. */
  close(): void {
    for (const { functions } of [...this.tenants.values()]) {
      for (const waiters of [...functions.values()]) for (const waiter of [...waiters]) waiter.settle(null);
    }
  }

  private serveOne(tenantName: string, placeFor: (fn: PublishedFunction) => Place | null): boolean {
    const { functions } = this.tenants.get(tenantName) as Tenant<Place>;
    for (const [name, [first]] of functions) {
      const place = placeFor((first as Waiter<Place>).fn);
      if (place === null) continue;
      (first as Waiter<Place>).settle(place);
      moveToEnd(functions, name);
      return true;
    }
    return false;
  }

  private add(waiter: Waiter<Place>, eventBytes: number): void {
    const { tenant: name, functionName } = waiter.fn.entry;
    const tenant = this.tenants.get(name) ?? { functions: new Map<string, Waiter<Place>[]>(), bytes: 0 };
    this.tenants.set(name, tenant);
    const waiters = tenant.functions.get(functionName);
    if (waiters === undefined) tenant.functions.set(functionName, [waiter]);
    else waiters.push(waiter);
    tenant.bytes += eventBytes;
    this.bytes += eventBytes;
  }

  private remove(waiter: Waiter<Place>, eventBytes: number): void {
    const { tenant: name, functionName } = waiter.fn.entry;
    const tenant = this.tenants.get(name);
    const waiters = tenant?.functions.get(functionName);
    const index = waiters?.indexOf(waiter) ?? -1;
    if (tenant === undefined || waiters === undefined || index < 0) return; // settled before
    waiters.splice(index, 1);
    tenant.bytes -= eventBytes;
    this.bytes -= eventBytes;
    if (waiters.length === 0) tenant.functions.delete(functionName);
    if (tenant.functions.size === 0) this.tenants.delete(name);
  }
}

/** A Map keeps the order in which keys were set. */
function moveToEnd<Value>(map: Map<string, Value>, key: string): void {
  const value = map.get(key);
  if (value === undefined) return;
  map.delete(key);
  map.set(key, value);
}
