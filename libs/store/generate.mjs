// `prisma generate` asks for a schema-engine binary that it never runs, and would download one. Any existing file will do.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const prisma = createRequire(import.meta.url).resolve('prisma/build/index.js');
rmSync(path.join(import.meta.dirname, 'src/gen'), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [prisma, 'generate', '--schema', 'prisma/schema', '--no-hints'], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
  env: {
    ...process.env,
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  },
});
process.exit(status ?? 1);
