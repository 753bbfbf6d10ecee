export { EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.js';
export { findPrograms, type Programs } from './programs.js';
