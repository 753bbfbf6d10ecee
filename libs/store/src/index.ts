export { createMigration, migrate, migrationStatus, schemaDrift, type MigrationStatus } from './migrations/migrations.js';
