/** The cache of a process, and what it makes for each route that has one. */
import type { RouteCaching, StageSnapshot } from '@gatehouse/contracts';
import type { RequestMetrics, RouteSettings } from '@gatehouse/engine-exchange';
import type { Clock } from '@gatehouse/kernel';
import { Flights } from './flights.js';
import { MemoryResponses } from './memory-responses.js';
import { RouteCache, type CacheBindings, type MayInvalidate } from './route-cache.js';
import type { CacheScope, ResponseStore } from './stored-response.js';

export interface ResponseCacheOptions {
  /** Of all stages together. */
  readonly bytesMax: number;
  /** What a gigabyte of an owner's cache cluster is worth in this process. */
  readonly bytesPerGigabyte: number;
  /** Steady. */
  readonly clock: Clock;
  /** Between nodes. */
  readonly shared?: ResponseStore | null;
  /** Keeps answers that say they are private, as AWS does. */
  readonly sharesPrivate?: boolean;
}

export class ResponseCache {
  readonly memory: MemoryResponses;
  private readonly bindings: CacheBindings;

  constructor(private readonly options: ResponseCacheOptions) {
    const { bytesMax, clock, shared = null, sharesPrivate = false } = options;
    this.memory = new MemoryResponses(bytesMax);
    this.bindings = { memory: this.memory, shared, flights: new Flights(), clock, sharesPrivate };
  }

  /**
   * `null` for a route without a cache. `isApart`: of a canary that has answers of its own, even where it is what its stage is. Throws
   * LinkRefusal.
   */
  link(
    settings: RouteSettings,
    metrics: RequestMetrics,
    isApart = false,
    mayInvalidate: MayInvalidate | null = null,
  ): RouteCache | null {
    const { stage, route } = settings;
    const caching: RouteCaching | undefined = route.caching;
    if (caching === undefined || stage.cacheGigabytes === undefined) return null;
    const scope = scopeOf(stage, Math.min(this.options.bytesMax, stage.cacheGigabytes * this.options.bytesPerGigabyte));
    return new RouteCache(settings, caching, scope, this.bindings, metrics, isApart, mayInvalidate);
  }

  /** To be called now and then. */
  sweep(): void {
    this.memory.sweep(this.options.clock.nowMs());
  }
}

function scopeOf({ tenant, apiId, stage }: StageSnapshot, bytesMax: number): CacheScope {
  return { id: `${tenant}/${apiId}/${stage}`, tenant, bytesMax };
}
