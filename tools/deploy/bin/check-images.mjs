// `npm run check:images`: builds the three images from their Dockerfiles and runs them as Kubernetes would, without Docker: buildah builds, and
// namespaces of the kernel make the containers. Debian, root, and Debian's and npm's registries are needed; it takes some minutes.
//
// Docker's hub is not: the base image is made here, of Debian's bookworm and this repository's Node, under the name the Dockerfiles use.
// What differs from the real one is its size and that npm and the certificates of this machine are in it.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');
const cache = path.join(root, 'node_modules/.cache/gatehouse/images');
const APPS = ['control-plane', 'data-plane', 'function-runner'];
const BASE = 'docker.io/library/node:26-bookworm-slim';
const PROGRAMS = { buildah: 'buildah', mmdebstrap: 'mmdebstrap', ip: 'iproute2', unshare: 'util-linux' };
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
  console.error(
    'NOT checked: images are built here on Debian and as root alone. With Docker: docker build -f deploy/docker/<app>.Dockerfile .',
  );
  process.exit(1);
}
installPrograms();
mkdirSync(cache, { recursive: true });
const driver = canOverlay() ? 'overlay' : 'vfs';
if (buildah('images', '--quiet', '--filter', `reference=${BASE}`) === '') makeBase();
for (const app of APPS) timed(`${app}: built`, () => build(app));
printSizes();
// A network of its own: the images listen on their own ports, whatever else runs on this machine.
const run = ['--net', '--', process.execPath, path.join(import.meta.dirname, 'run-images.mjs'), ...APPS.map(unpack)];
const { status } = spawnSync('unshare', run, { stdio: 'inherit' });
buildah('rm', '--all');
process.exitCode = status ?? 1;

function installPrograms() {
  const missing = Object.entries(PROGRAMS).filter(([program]) => spawnSync('which', [program]).status !== 0);
  if (missing.length === 0) return;
  execFileSync('apt-get', ['update', '-qq'], { stdio: 'inherit' });
  const packages = missing.map(([, name]) => name);
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { stdio: 'inherit' });
}

/** Layers without it are whole copies: it works, and takes minutes longer. */
function canOverlay() {
  const folder = mkdtempSync(path.join(cache, 'overlay-'));
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => path.join(folder, name));
  for (const name of [lower, upper, work, merged]) mkdirSync(name);
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const isMounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, merged]).status === 0;
  if (isMounted) execFileSync('umount', [merged]);
  rmSync(folder, { recursive: true, force: true });
  return isMounted;
}

/** What it prints; what it complains about comes with the error when it fails. */
function buildah(...command) {
  const store = ['--root', path.join(cache, driver), '--runroot', path.join(cache, 'run'), '--storage-driver', driver];
  const { status, stdout, stderr } = spawnSync('buildah', [...store, ...command], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`buildah ${command[0]}: ${stdout.slice(-8_000)}${stderr.slice(-8_000)}`);
  return stdout.trim();
}

function makeBase() {
  const folder = mkdtempSync(path.join(cache, 'base-'));
  const system = path.join(folder, 'root');
  try {
    // What the slim image has of Debian: the essential packages, and what its Node is linked with.
    timed('base: Debian', () =>
      execFileSync('mmdebstrap', ['--quiet', '--variant=minbase', '--include=libatomic1', 'bookworm', system]),
    );
    const local = path.join(system, 'usr/local');
    cpSync(process.execPath, path.join(local, 'bin/node'));
    const packed = execFileSync('npm', ['pack', 'npm@11', '--silent'], { cwd: folder, encoding: 'utf8' }).trim();
    const modules = path.join(local, 'lib/node_modules');
    mkdirSync(path.join(modules, 'npm'), { recursive: true });
    execFileSync('tar', ['-xzf', path.join(folder, packed), '-C', path.join(modules, 'npm'), '--strip-components=1']);
    for (const name of ['npm', 'npx']) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, path.join(local, 'bin', name));
    if (existsSync(CERTIFICATES)) {
      cpSync(CERTIFICATES, path.join(local, 'share/ca.crt'), { dereference: true });
      mkdirSync(path.join(local, 'etc'), { recursive: true });
      writeFileSync(path.join(local, 'etc/npmrc'), 'cafile=/usr/local/share/ca.crt\n');
    }
    const container = buildah('from', 'scratch');
    buildah('add', '--quiet', container, system, '/');
    buildah('config', '--cmd', 'node', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container);
    timed('base: image', () => buildah('commit', '--quiet', '--rm', '--format', 'docker', container, BASE));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function build(app) {
  const file = `deploy/docker/${app}.Dockerfile`;
  // Layers: the three share what comes before their own build. Docker's format: the other one has no health checks.
  const options = ['--isolation', 'chroot', '--pull-never', '--layers', '--format', 'docker'];
  buildah('bud', ...options, '--file', path.join(root, file), '--tag', `gatehouse/${app}`, root);
}

function printSizes() {
  for (const name of [BASE, ...APPS.map((app) => `localhost/gatehouse/${app}`)])
    console.log(`${name}: ${buildah('images', '--format', '{{.Size}}', name)}`);
}

/** A container's folder and its image's settings. */
function unpack(app) {
  const container = buildah('from', '--pull-never', `localhost/gatehouse/${app}`);
  const settings = JSON.parse(buildah('inspect', '--type', 'image', `localhost/gatehouse/${app}`)).Docker.config;
  return JSON.stringify({ app, folder: buildah('mount', container), settings });
}

function timed(what, work) {
  const startedMs = performance.now();
  const result = work();
  console.log(`${what} (${((performance.now() - startedMs) / 1000).toFixed(0)} s)`);
  return result;
}
