// Programs from Debian that the benchmark needs. Installing them must not leave a service running.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What is looked for, and the Debian package that has it. */
const PROGRAMS = {
  wrk: { package: 'wrk' },
  nginx: { package: 'nginx' },
  haproxy: { package: 'haproxy' },
  caddy: { package: 'caddy' },
  h2load: { package: 'nghttp2-client' },
  openssl: { package: 'openssl' },
  nginxLua: { package: 'libnginx-mod-http-lua', file: '/usr/lib/nginx/modules/ngx_http_lua_module.so' },
};
const SEARCHED = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
/** Debian asks this file before a package starts its service; 101 means no. */
const POLICY = '/usr/sbin/policy-rc.d';

/** Path of a program, or null. */
export function findProgram(name) {
  return (
    SEARCHED.map((folder) => path.join(folder, name)).find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }) ?? null
  );
}

/** Installs what is missing when this is root on Debian; returns name -> path or null, and says what stays missing. */
export function providePrograms(tell) {
  const find = () => Object.fromEntries(Object.entries(PROGRAMS).map(([name, { file }]) => [name, findFile(name, file)]));
  const packages = (found) => Object.keys(PROGRAMS).flatMap((name) => (found[name] === null ? [PROGRAMS[name].package] : []));
  const missing = packages(find());
  if (missing.length > 0 && process.getuid() === 0 && findProgram('apt-get') !== null) {
    tell(`Installing from Debian: ${missing.join(', ')}`);
    install(missing, tell);
  }
  const found = find();
  const absent = packages(found);
  if (absent.length > 0) tell(`Not here: ${absent.join(', ')} (as root: apt-get install ${absent.join(' ')})`);
  return found;
}

function findFile(name, file) {
  if (file === undefined) return findProgram(name);
  return existsSync(file) ? file : null;
}

/**
 * A package from npm with hundreds of dependencies that nothing else here needs: installed when it is first measured, into a folder of its
 * own under node_modules, without running its scripts. Returns that folder; null when npm fails.
 */
export function provideNpmPackage(root, name, version, tell) {
  const folder = path.join(root, 'node_modules/.cache/gatehouse-bench', `${name}-${version}`);
  if (existsSync(path.join(folder, 'node_modules', name, 'package.json'))) return folder;
  tell(`Installing from npm: ${name} ${version}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"private":true}\n');
  const { status, stderr } = spawnSync(
    'npm',
    ['install', `${name}@${version}`, '--save-exact', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'],
    { cwd: folder, encoding: 'utf8' },
  );
  if (status === 0) return folder;
  tell(`npm install ${name} failed: ${stderr.trim().split('\n').at(-1)}`);
  rmSync(folder, { recursive: true });
  return null;
}

function install(names, tell) {
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    apt(['update']);
    // One by one: a package that this Debian does not have must not keep the others out.
    for (const name of names) {
      const { status, stderr } = apt(['install', '-y', '--no-install-recommends', name]);
      if (status !== 0) tell(`apt-get install ${name} failed: ${stderr.trim().split('\n').at(-1)}`);
      else if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', '--now', name]);
    }
  } finally {
    if (ownPolicy) rmSync(POLICY);
  }
}

function apt(args) {
  return spawnSync('apt-get', ['-q', ...args], { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
}

/** First line of what a program says about its version. */
export function versionOf(program, flag) {
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' });
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}
