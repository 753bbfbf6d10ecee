export { createMigration, migrate, migrationStatus, schemaDrift, type MigrationStatus } from './migrations/migrations.js';
export { createStore, type StoreLogger, type StoreOptions } from './prisma-store.js';
