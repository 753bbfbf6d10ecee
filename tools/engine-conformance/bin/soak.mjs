// `npm run soak [-- seconds]`: the soak test for minutes instead of seconds.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const seconds = process.argv[2] ?? '180';
const project = path.join(import.meta.dirname, '..');
const vitest = path.join(project, '../../node_modules/vitest/vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', 'src/soak.spec.ts'], {
  cwd: project,
  env: { ...process.env, GATEHOUSE_SOAK_SECONDS: seconds },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
