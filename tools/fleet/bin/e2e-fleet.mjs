#!/usr/bin/env node
// `npm run e2e:fleet`: builds what has changed, then runs the fleet on this machine and breaks its parts.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');
const isHelp = process.argv.includes('--help') || process.argv.includes('-h');
// Given by who has just built: a build looks at every project.
if (!isHelp && process.env.GATEHOUSE_IS_BUILT !== '1') {
  const nx = path.join(root, 'node_modules/nx/dist/bin/nx.js');
  const build = spawnSync(process.execPath, [nx, 'run-many', '-t', 'build', '--outputStyle=static'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false' },
  });
  if (build.status !== 0) {
    process.stderr.write(`${build.stdout}${build.stderr}`);
    process.exit(1);
  }
}
const { main } = await import('../dist/index.js').catch((error) => {
  console.error(`tools/fleet is not built (npm run build): ${error.message}`);
  process.exit(1);
});
// Said outright: left to end by itself, Node 26 has been seen to wait for ever for handles that were closed, at 100 % of a core.
process.exit(await main(process.argv.slice(2)));
