#!/usr/bin/env node
// `npm start`: builds what has changed, then runs Gatehouse on this machine.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { help } from '../src/settings.mjs';
import { progress } from '../src/progress.mjs';

const root = path.resolve(import.meta.dirname, '../../..');

if (process.argv.includes('--help') || process.argv.includes('-h')) {
  process.stdout.write(help());
  process.exit(0);
}
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `Gatehouse needs Node 24 or newer and brings its own for Linux, macOS and Windows; this is ${process.version}.\n` +
      'Run it as "npm start" after "npm ci", or install a newer Node.',
  );
  process.exit(1);
}

const building = progress('Building');
const nx = path.join(root, 'node_modules/nx/dist/bin/nx.js');
const build = spawnSync(process.execPath, [nx, 'run-many', '-t', 'build', '--outputStyle=static'], {
  cwd: root,
  encoding: 'utf8',
  env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false' },
});
if (build.status !== 0) {
  building.failed();
  process.stderr.write(`${build.stdout}${build.stderr}`);
  process.exit(1);
}
building.done();

const { launch } = await import('../src/launch.mjs');
await launch(root, process.env);
