// Developer's command for the database schema; a running Gatehouse migrates its database itself.
//   node tools/migrate/src/migrate.mjs new <name> | deploy | status | drift
// Uses DATABASE_URL, else a throw-away PostgreSQL. Needs `npx nx run-many -t build -p store,testkit` once.
import { createMigration, migrate, migrationStatus, schemaDrift } from '@gatehouse/store';
import { startPostgres } from '@gatehouse/testkit';

const [command, name] = process.argv.slice(2);
const postgres = process.env.DATABASE_URL ? null : await startPostgres();
const url = process.env.DATABASE_URL || postgres.url;
try {
  process.exitCode = await run();
} finally {
  await postgres?.stop();
}

async function run() {
  switch (command) {
    case 'new': {
      const folder = await createMigration(url, name ?? '', Date.now());
      console.log(folder ?? 'prisma/schema has not changed');
      return 0;
    }
    case 'deploy': {
      const applied = await migrate(url);
      console.log(applied.length === 0 ? 'nothing to apply' : applied.join('\n'));
      return 0;
    }
    case 'status': {
      const status = await migrationStatus(url);
      for (const [state, names] of Object.entries(status)) for (const migration of names) console.log(`${state}: ${migration}`);
      return Object.values(status).every((names) => names.length === 0) ? 0 : 2;
    }
    case 'drift': {
      if (postgres !== null) await migrate(url); // compares the migrations with prisma/schema
      const sql = await schemaDrift(url);
      console.log(sql ?? 'the database agrees with prisma/schema');
      return sql === null ? 0 : 2;
    }
    default:
      console.error('usage: migrate new <name> | deploy | status | drift');
      return 1;
  }
}
