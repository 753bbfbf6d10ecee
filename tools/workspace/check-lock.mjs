// The lock file installs as it is on a fresh machine, every version is exact, and no address of a registry stands in it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './run.mjs';

const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const loose = ['dependencies', 'devDependencies', 'optionalDependencies']
  .flatMap((kind) => Object.entries(manifest[kind] ?? {}))
  .filter(([, version]) => !/^(npm:[^@]*@)?\d+\.\d+\.\d+[\w.-]*$/.test(version));
if (loose.length > 0) {
  console.error(`not exact: ${loose.map(([name, version]) => `${name}@${version}`).join(', ')}`);
  process.exit(1);
}
await run('clean install from the lock file (dry run)', 'npm', ['ci', '--dry-run', '--ignore-scripts', '--loglevel=error'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
