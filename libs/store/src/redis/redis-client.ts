import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisAddress } from './redis-url.js';

export type RedisClient = Redis | Cluster;

const CONNECT_MS = 2_000;
const RETRY_MAX_MS = 1_000;
/** A Cluster's server that hangs breaks no connection: who serves its slots by now must be asked for. */
const SLOTS_MS = 5_000;

export interface RedisUse {
  /**
   * Commands that fail at once while there is no connection, and after this long without an answer. `null`: commands wait for
   * a connection, which is what queues need.
   */
  readonly deadlineMs: number | null;
}

const retryMs = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 10), RETRY_MAX_MS);

/** Opens whatever the URL names and keeps connecting. Rejected commands are the caller's to handle; see parseRedisUrl for the forms. */
export function openRedis(url: string, use: RedisUse): RedisClient {
  const address = parseRedisUrl(url);
  const options = serverOptions(address, use);
  if (address.kind === 'cluster') return new Cluster([...address.servers], clusterOptions(options, use));
  if (address.kind === 'sentinel') return new Redis({ ...options, ...sentinelOptions(address) });
  return new Redis({ ...options, host: address.servers[0]!.host, port: address.servers[0]!.port });
}

function serverOptions({ usesTls, username, password, database }: RedisAddress, { deadlineMs }: RedisUse): RedisOptions {
  return {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(usesTls ? { tls: {} } : {}),
    db: database,
    connectTimeout: CONNECT_MS,
    retryStrategy: retryMs,
    enableOfflineQueue: deadlineMs === null,
    // A command whose connection broke may have been carried out: whoever sent it decides, not the client.
    maxRetriesPerRequest: deadlineMs === null ? null : 0,
    autoResendUnfulfilledCommands: deadlineMs === null,
    ...(deadlineMs === null ? {} : { commandTimeout: deadlineMs }),
  };
}

function sentinelOptions({ servers, masterName, sentinelPassword, usesTls }: RedisAddress): RedisOptions {
  return {
    sentinels: [...servers],
    name: masterName!,
    ...(sentinelPassword === null ? {} : { sentinelPassword }),
    ...(usesTls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    // A primary that hangs breaks no connection, so the Sentinels' word is what ends it.
    failoverDetector: true,
    sentinelReconnectStrategy: retryMs,
    // One that hangs still accepts connections.
    sentinelCommandTimeout: CONNECT_MS,
  };
}

function clusterOptions(redisOptions: RedisOptions, { deadlineMs }: RedisUse): ClusterOptions {
  const shared: ClusterOptions = { redisOptions, clusterRetryStrategy: retryMs, slotsRefreshInterval: SLOTS_MS };
  // Retries end with the failover, however long that takes; the pause keeps two servers that disagree from a busy loop.
  if (deadlineMs === null) return { ...shared, maxRedirections: Infinity, retryDelayOnMoved: 50 };
  return { ...shared, enableOfflineQueue: false, retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 };
}

/** Calls back when a server that may have served a command is gone: what answers next may be another memory. */
export function onServerLost(client: RedisClient, isLost: () => void): void {
  client.on('close', isLost);
  // A Cluster is not closed while one of its servers is left.
  client.on('-node', (server: Redis) => {
    if (server.options.readOnly !== true) isLost();
  });
}
