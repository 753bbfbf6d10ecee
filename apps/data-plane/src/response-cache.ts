/** The cache of responses as the operator wants it. */
import { ResponseCache } from '@gatehouse/engine-response-cache';
import { steadyClock } from '@gatehouse/kernel';
import type { MetricsRegistry } from '@gatehouse/telemetry';
import type { Config } from './config.js';

const MEGABYTE = 1_048_576;
/** How long memory is held by a stage that nobody asks any more, beyond its TTL. */
export const SWEEP_MS = 30_000;

/** `null` when nothing is to be cached. Each worker has its part. */
export function openResponseCache(config: Config, metrics: MetricsRegistry): ResponseCache | null {
  if (config.cacheMegabytes === 0) return null;
  const part = MEGABYTE / config.workers;
  const cache = new ResponseCache({
    bytesMax: Math.floor(config.cacheMegabytes * part),
    bytesPerGigabyte: Math.floor(config.cacheMegabytesPerGigabyte * part),
    sharesPrivate: config.cachesPrivate,
    clock: steadyClock,
  });
  metrics.gauge('gatehouse_cache_bytes', 'Memory of cached responses', () => cache.memory.bytes);
  metrics.gauge('gatehouse_cache_evictions', 'Cached responses that went to make room', () => cache.memory.evictions);
  return cache;
}
