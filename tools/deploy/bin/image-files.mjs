// node image-files.mjs <folder> <app>...: copies what applications need to run into a new folder: their compiled code, that of the workspace
// packages they depend on, and the npm packages this code names, with theirs. Run after the build, inside the build of an image.
//
// `npm prune --omit=dev` leaves what any application needs: 670 MB, a database client on nodes and a compiler among them.
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');
/** What a workspace package reads beside its compiled code. */
const FILES_BESIDE_CODE = {
  'apps/cli': ['apps/cli/bin'],
  'apps/function-runner': ['apps/function-runner/runtime'],
  'libs/store': ['prisma'],
};
const NOT_CODE = /\.(d\.[cm]?ts(\.map)?|tsbuildinfo)$/;
const OF_TESTS = /(\.(spec|bench)\.js(\.map)?|[\\/]dist[\\/](spec|testing))$/;
/** Those of our own code stay: stack traces name our sources. */
const SOURCE_MAP = /\.map$/;

const [target, ...apps] = process.argv.slice(2);
if (target === undefined || apps.length === 0) throw new Error('usage: image-files.mjs <folder> <app>...');

const readJson = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));
/** Of the root's packages those that code names; only these are looked for: a word in a string is no package. */
const direct = new Set(Object.keys(readJson('package.json').dependencies));
const copied = new Set();

copy('package.json');
for (const app of apps) addWorkspacePackage(path.join('apps', app));

function addWorkspacePackage(folder) {
  if (copied.has(folder)) return;
  copied.add(folder);
  const manifest = path.join(folder, 'package.json');
  for (const file of [manifest, path.join(folder, 'dist'), ...(FILES_BESIDE_CODE[folder] ?? [])]) copy(file);
  for (const file of globSync('dist/**/*.js', { cwd: path.join(target, folder) }))
    for (const name of packagesNamedIn(readFileSync(path.join(target, folder, file), 'utf8'))) addNpmPackage(name, folder);
  for (const name of Object.keys(readJson(manifest).dependencies ?? {})) {
    if (!name.startsWith('@gatehouse/')) {
      addNpmPackage(name, folder);
      continue;
    }
    const link = path.join('node_modules', name);
    const dependency = path.relative(root, realpathSync(path.join(root, link)));
    addWorkspacePackage(dependency);
    if (existsSync(path.join(target, link))) continue;
    mkdirSync(path.join(target, path.dirname(link)), { recursive: true });
    symlinkSync(path.relative(path.dirname(link), dependency), path.join(target, link));
  }
}

function packagesNamedIn(code) {
  const names = [...code.matchAll(/['"]((?:@[a-z0-9-]+\/)?[a-z0-9][a-z0-9._-]*)(?:\/[^'"\s]*)?['"]/g)].map(([, name]) => name);
  return names.filter((name) => direct.has(name));
}

/** As Node finds it from a folder: the nearest node_modules that has it. Its own nested node_modules come with whoever needs them. */
function addNpmPackage(name, from, isOptional = false) {
  const folder = find(name, from);
  if (folder === undefined) {
    if (isOptional) return;
    throw new Error(`${name}, which ${from} needs, is not installed`);
  }
  if (copied.has(folder)) return;
  copied.add(folder);
  copy(folder, (file) => !SOURCE_MAP.test(file));
  const {
    dependencies = {},
    optionalDependencies = {},
    peerDependencies = {},
    peerDependenciesMeta = {},
  } = readJson(path.join(folder, 'package.json'));
  const optional = new Set(Object.keys(optionalDependencies));
  for (const needed of [...Object.keys(dependencies), ...optional]) addNpmPackage(needed, folder, optional.has(needed));
  for (const needed of Object.keys(peerDependencies))
    if (peerDependenciesMeta[needed]?.optional !== true) addNpmPackage(needed, folder);
}

function find(name, from) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', name);
    if (existsSync(path.join(root, candidate, 'package.json'))) return candidate;
    if (folder === '.') return undefined;
  }
}

function copy(file, isWanted = () => true) {
  const source = path.join(root, file);
  cpSync(source, path.join(target, file), {
    recursive: true,
    filter: (name) => !NOT_CODE.test(name) && !OF_TESTS.test(name) && path.basename(name) !== 'node_modules' && isWanted(name),
  });
}
