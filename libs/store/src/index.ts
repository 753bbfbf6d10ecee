export { createMigration, migrate, migrationStatus, schemaDrift, type MigrationStatus } from './migrations/migrations.js';
export { createStore, type StoreLogger, type StoreOptions } from './prisma-store.js';
export { openRedis, type RedisClient, type RedisUse } from './redis/redis-client.js';
export { RedisLeaseBook } from './redis/redis-lease-book.js';
export { parseRedisUrl, type RedisAddress, type RedisServer } from './redis/redis-url.js';
