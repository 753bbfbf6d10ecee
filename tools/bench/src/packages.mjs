// Programs from Debian that the benchmark needs. Installing them must not leave a service running.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const PROGRAMS = ['wrk', 'nginx', 'haproxy', 'caddy'];
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
  const missing = PROGRAMS.filter((name) => findProgram(name) === null);
  if (missing.length > 0 && process.getuid() === 0 && findProgram('apt-get') !== null) {
    tell(`Installing from Debian: ${missing.join(', ')}`);
    install(missing, tell);
  }
  const found = Object.fromEntries(PROGRAMS.map((name) => [name, findProgram(name)]));
  const absent = PROGRAMS.filter((name) => found[name] === null);
  if (absent.length > 0) tell(`Not here, so left out: ${absent.join(', ')} (as root: apt-get install ${absent.join(' ')})`);
  return found;
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
