import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { BARE_SCHEMA, NO_FILTERS, withSchemaEngine, type SchemaFile } from './schema-engine.js';

const PRISMA = path.resolve(import.meta.dirname, '../../../../prisma');
const MIGRATIONS = path.join(PRISMA, 'migrations');
/** The schema as of the newest migration: what `createMigration` compares with. */
const SNAPSHOT = path.join(MIGRATIONS, 'schema.snapshot.prisma');
const LOCK_FILE = 'migration_lock.toml';
/** Any number that nobody else locks. */
const ADVISORY_LOCK = 7_090_708_080n;

export interface MigrationStatus {
  /** Not applied yet, in order. */
  readonly pending: readonly string[];
  /** Started and broken off: somebody has to look. */
  readonly failed: readonly string[];
  /** Applied with other contents than now stand in the folder. */
  readonly edited: readonly string[];
  /** Applied, but not known here: the database belongs to a newer release. */
  readonly unknown: readonly string[];
}

/**
 * Brings the database to this release's schema; returns the names of the migrations it applied. Processes that start together
 * take turns. Throws with what to do when a migration failed earlier, or when the database is newer than this release.
 */
export function migrate(databaseUrl: string): Promise<string[]> {
  return locked(databaseUrl, async () => {
    const { failed, edited, unknown } = await migrationStatus(databaseUrl);
    if (failed.length > 0) {
      throw new Error(
        `migration ${failed.join(', ')} failed earlier: repair the database by hand, then delete its row in _prisma_migrations`,
      );
    }
    if (edited.length > 0)
      throw new Error(`migration ${edited.join(', ')} was edited after it had been applied to this database`);
    if (unknown.length > 0) throw new Error(`the database holds migrations of a newer release: ${unknown.join(', ')}`);
    return withSchemaEngine(databaseUrl, [BARE_SCHEMA], async (engine) => {
      const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList: readMigrations(), filters: NO_FILTERS });
      return appliedMigrationNames;
    });
  });
}

export function migrationStatus(databaseUrl: string): Promise<MigrationStatus> {
  return withSchemaEngine(databaseUrl, [BARE_SCHEMA], async (engine) => {
    const migrationsList = readMigrations();
    const found = await engine.diagnoseMigrationHistory({ migrationsList, optInToShadowDatabase: false, filters: NO_FILTERS });
    const history = found.history;
    return {
      pending: history !== null && 'unappliedMigrationNames' in history ? history.unappliedMigrationNames : [],
      unknown: history !== null && 'unpersistedMigrationNames' in history ? history.unpersistedMigrationNames : [],
      failed: found.failedMigrationNames,
      edited: found.editedMigrationNames,
    };
  });
}

/** The SQL that would turn the database's schema into that of prisma/schema; `null` when they agree. */
export function schemaDrift(databaseUrl: string): Promise<string | null> {
  const files = readSchema();
  return withSchemaEngine(databaseUrl, files, async (engine) => {
    const { exitCode, stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: PRISMA },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: true,
      filters: NO_FILTERS,
    });
    return exitCode === 0 ? null : (stdout ?? '');
  });
}

/**
 * Writes the migration from the newest one to prisma/schema; returns its folder, or `null` when nothing changed. Read it before
 * it is committed: a renamed column is dropped and added. Needs any database to talk to, and changes none.
 */
export async function createMigration(databaseUrl: string, name: string, nowMs: number): Promise<string | null> {
  if (!/^[a-z0-9_]+$/.test(name)) throw new Error(`a migration's name has lower-case letters, digits and _, got "${name}"`);
  const files = readSchema();
  const before: SchemaFile[] = existsSync(SNAPSHOT) ? [{ path: SNAPSHOT, content: readFileSync(SNAPSHOT, 'utf8') }] : [];
  const { exitCode, stdout } = await withSchemaEngine(databaseUrl, files, (engine) =>
    engine.diff({
      from: before.length === 0 ? { tag: 'empty' } : { tag: 'schemaDatamodel', files: before },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: true,
      filters: NO_FILTERS,
    }),
  );
  if (exitCode === 0) return null;
  const stamp = new Date(nowMs).toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = path.join(MIGRATIONS, `${stamp}_${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'migration.sql'), withPlainOrder(stdout ?? ''));
  writeFileSync(path.join(MIGRATIONS, LOCK_FILE), 'provider = "postgresql"\n');
  writeFileSync(SNAPSHOT, files.map(({ content }) => content).join('\n'));
  return folder;
}

/** Text sorts by code point whatever the database's language: pages are cut by comparing text here and there. */
function withPlainOrder(sql: string): string {
  return sql.replace(/\bTEXT\b(\[\])?/g, 'TEXT$1 COLLATE "C"');
}

function readSchema(): SchemaFile[] {
  const folder = path.join(PRISMA, 'schema');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.prisma'))
    .sort()
    .map((name) => ({ path: path.join(folder, name), content: readFileSync(path.join(folder, name), 'utf8') }));
}

function readMigrations() {
  const lock = path.join(MIGRATIONS, LOCK_FILE);
  const names = readdirSync(MIGRATIONS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return {
    baseDir: MIGRATIONS,
    lockfile: { path: LOCK_FILE, content: existsSync(lock) ? readFileSync(lock, 'utf8') : null },
    shadowDbInitScript: '',
    migrationDirectories: names
      .map((entry) => entry.name)
      .sort()
      .map((name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: readFileSync(path.join(MIGRATIONS, name, 'migration.sql'), 'utf8') },
        },
      })),
  };
}

async function locked<T>(databaseUrl: string, work: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    return await work();
  } finally {
    await client.end(); // lets the lock go
  }
}
