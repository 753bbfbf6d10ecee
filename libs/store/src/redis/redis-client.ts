import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { parseRedisUrl } from './redis-url.js';

export type RedisClient = Redis | Cluster;

const CONNECT_MS = 2_000;
const RETRY_MAX_MS = 1_000;

export interface RedisUse {
  /**
   * Commands that fail at once while there is no connection, and after this long without an answer. `null`: commands wait for
   * a connection, which is what queues need.
   */
  readonly deadlineMs: number | null;
}

/** Opens whatever the URL names and keeps connecting. Rejected commands are the caller's to handle; see parseRedisUrl for the forms. */
export function openRedis(url: string, { deadlineMs }: RedisUse): RedisClient {
  const { kind, servers, usesTls, username, password, masterName, sentinelPassword, database } = parseRedisUrl(url);
  const options: RedisOptions = {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(usesTls ? { tls: {} } : {}),
    db: database,
    connectTimeout: CONNECT_MS,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), RETRY_MAX_MS),
    enableOfflineQueue: deadlineMs === null,
    // A command whose connection broke may have been carried out: whoever sent it decides, not the client.
    maxRetriesPerRequest: deadlineMs === null ? null : 0,
    autoResendUnfulfilledCommands: deadlineMs === null,
    ...(deadlineMs === null ? {} : { commandTimeout: deadlineMs }),
  };
  if (kind === 'cluster') {
    const cluster: ClusterOptions = {
      redisOptions: options,
      enableOfflineQueue: deadlineMs === null,
      clusterRetryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), RETRY_MAX_MS),
    };
    return new Cluster([...servers], cluster);
  }
  if (kind === 'sentinel') {
    return new Redis({
      ...options,
      sentinels: [...servers],
      name: masterName!,
      ...(sentinelPassword === null ? {} : { sentinelPassword }),
      ...(usesTls ? { enableTLSForSentinelMode: true } : {}),
    });
  }
  return new Redis({ ...options, host: servers[0]!.host, port: servers[0]!.port });
}
