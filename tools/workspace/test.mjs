// `npm test`: everything that must hold before a change lands, from the cheapest to the dearest.
import { environment, root, run } from './run.mjs';
import path from 'node:path';

const nx = path.join(root, 'node_modules/nx/dist/bin/nx.js');
const node = process.execPath;
const tests = { env: { ...environment, GATEHOUSE_SECOND_TRIES: '1' } };

try {
  await run('projects', node, ['tools/workspace/check-projects.mjs']);
  await run('lock file', node, ['tools/workspace/check-lock.mjs']);
  await run('format', path.join(root, 'node_modules/.bin/oxfmt'), ['--check']);
  await run('generated code', node, [nx, 'run-many', '-t', 'regenerate:check', '--parallel=1', '--outputStyle=static']);
  await run('build', node, [nx, 'run-many', '-t', 'build', '--outputStyle=static']);
  await run('lint', node, [nx, 'run-many', '-t', 'lint', '--outputStyle=static']);
  await run(
    'unit, contract and wire tests',
    node,
    [nx, 'run-many', '-t', 'test', '--exclude=e2e', '--outputStyle=static'],
    tests,
  );
  await run('end to end', node, [nx, 'run', 'e2e:test', '--outputStyle=static'], tests);
  await run('fleet', node, ['tools/fleet/bin/e2e-fleet.mjs', '--short'], { env: { ...environment, GATEHOUSE_IS_BUILT: '1' } });
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
