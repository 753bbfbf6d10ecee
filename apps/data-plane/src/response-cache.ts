/** The cache of responses as the operator wants it. */
import { ResponseCache } from '@gatehouse/engine-response-cache';
import type { RedisResponses } from '@gatehouse/engine-shared-responses';
import { steadyClock } from '@gatehouse/kernel';
import type { MetricsRegistry } from '@gatehouse/telemetry';
import type { Logger } from 'pino';
import type { Config } from './config.js';

const MEGABYTE = 1_048_576;
/** How long memory is held by a stage that nobody asks any more, beyond its TTL. */
const SWEEP_MS = 30_000;

export interface OpenResponseCache {
  readonly cache: ResponseCache;
  close(): void;
}

/** What several nodes keep together; `null` where nothing is shared. The client is loaded only then: it costs a megabyte of memory. */
export async function openSharedResponses(config: Config, log: Logger): Promise<RedisResponses | null> {
  if (config.cacheRedisUrl === null || config.cacheMegabytes === 0) return null;
  const { RedisResponses: Shared } = await import('@gatehouse/engine-shared-responses');
  return new Shared({
    url: config.cacheRedisUrl.reveal(),
    nodeToken: config.nodeToken.reveal(),
    onTrouble: (cause) => log.warn({ reason: cause.message }, 'cached responses are not shared for now'),
  });
}

/** `null` when nothing is to be cached. Each worker has its part. */
export function openResponseCache(
  config: Config,
  metrics: MetricsRegistry,
  shared: RedisResponses | null,
): OpenResponseCache | null {
  if (config.cacheMegabytes === 0) return null;
  const part = MEGABYTE / config.workers;
  const cache = new ResponseCache({
    bytesMax: Math.floor(config.cacheMegabytes * part),
    bytesPerGigabyte: Math.floor(config.cacheMegabytesPerGigabyte * part),
    sharesPrivate: config.cachesPrivate,
    shared,
    clock: steadyClock,
  });
  metrics.gauge('gatehouse_cache_bytes', 'Memory of cached responses', () => cache.memory.bytes);
  metrics.gauge('gatehouse_cache_evictions', 'Cached responses that went to make room', () => cache.memory.evictions);
  const sweeping = setInterval(() => cache.sweep(), SWEEP_MS).unref();
  return {
    cache,
    close: () => {
      clearInterval(sweeping);
      shared?.close();
    },
  };
}
